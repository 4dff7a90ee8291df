"""AWS's command line, by the API's own model."""

import json
import re
from pathlib import Path
from typing import Any

import botocore.session
from botocore import xform_name
from botocore.validate import ParamValidator

EVERYWHERE = {"--region", "--profile", "--output", "--query", "--no-cli-pager"}
_PAIR = re.compile(r"(\w+)=([^,]*)")


def _shape_of(service: str, operation: str) -> Any:
    model = botocore.session.get_session().get_service_model(service)
    named = {xform_name(name, "-"): name for name in model.operation_names}
    assert operation in named, f"aws {service}: no {operation}"
    return model.operation_model(named[operation]).input_shape


def _value(shape: Any, words: list[str]) -> Any:
    """What the words after an option mean: JSON, a file's JSON, shorthand pairs, or a scalar."""
    first = words[0] if words else "true"
    if first.startswith(("file://", "{", "[")):
        text = (
            Path(first.removeprefix("file://")).read_text("utf-8") if first.startswith("file://") else first
        )
        return json.loads(text) if shape.type_name in {"structure", "list", "map"} else text
    if shape.type_name == "list":
        return [_value(shape.member, [word]) for word in words]
    if shape.type_name == "structure":
        return {name: _value(shape.members[name], [value]) for name, value in _PAIR.findall(first)}
    if shape.type_name == "map":
        return dict(_PAIR.findall(first))
    scalars: dict[str, Any] = {"integer": int, "long": int, "boolean": lambda text: text == "true"}
    return scalars.get(shape.type_name, str)(first)


def _grouped(arguments: list[str]) -> dict[str, list[str]]:
    """Each option with the words that follow it."""
    found: dict[str, list[str]] = {}
    for word in arguments:
        if word.startswith("--"):
            name, _, value = word.partition("=")
            found[name] = [value] if value else []
        else:
            found[list(found)[-1]].append(word)
    return found


def aws(arguments: list[str]) -> int:
    """The service has the operation, each option is one of its members, and the whole input is valid."""
    service, operation, *rest = arguments
    shape = _shape_of(service, operation)
    members = {f"--{xform_name(name, '-')}": name for name in (shape.members if shape else {})}
    given: dict[str, Any] = {}
    for option, words in _grouped(rest).items():
        if option == "--cli-input-json":
            given |= json.loads(Path(words[0].removeprefix("file://")).read_text("utf-8"))
        elif option not in EVERYWHERE:
            name = members.get(option) or members.get(option.replace("--no-", "--"))
            assert name, f"aws {service} {operation}: no option {option}; there are {', '.join(members)}"
            given[name] = _value(shape.members[name], words)
    if shape:
        report = ParamValidator().validate(given, shape)
        assert not report.has_errors(), report.generate_report()
    return 0
