"""Checks what a run is started with against the document's parameters, before anything is asked upstream."""

import re
from collections.abc import Mapping
from typing import Any

from aiops_shared.errors import InvalidInputError
from aiops_shared.guardrails.redacting import redact
from aiops_shared.params import shown, to_list
from aiops_sop.models.documents import Param, Sop

Json = Any
MOST_CHARACTERS = 4_000
MOST_ITEMS = 200
_WHOLE = re.compile(r"[-+]?\d{1,18}")
_NUMBER = re.compile(r"[-+]?\d{1,18}(\.\d{1,18})?")


def arguments_of(sop: Sop, given: Mapping[str, Json]) -> dict[str, Json]:
    """Every parameter with its value, defaults filled in, of the declared type.

    Raises InvalidInputError that names the parameter; a client's text for a number, boolean or list is read.
    """
    known = {param.name: param for param in sop.params}
    if wrong := sorted(set(given) - set(known)):
        takes = ", ".join(known) or "none"
        raise InvalidInputError(
            "params", f"{sop.id} has no parameter {shown(str(wrong[0]))}", f"it takes {takes}"
        )
    return {name: _value(param, given.get(name)) for name, param in known.items()}


def _value(param: Param, given: Json) -> Json:
    if given is None or given == "":
        if param.required and param.default is None:
            raise _wrong(param, "it is required", param.description)
        return param.default
    value = _typed(param, given)
    if param.enum and value not in param.enum:
        raise _wrong(param, f"{shown(str(value))} is not one of them", ", ".join(map(str, param.enum)))
    for item in value if isinstance(value, list) else [value]:
        _checked(param, item)
    return value


def _typed(param: Param, given: Json) -> Json:
    reader = _READERS[param.type]
    value = reader(given)
    if value is None:
        raise _wrong(param, f"{shown(str(given))} is no {param.type}", param.description)
    return value


def _text(given: Json) -> str | None:
    return given if isinstance(given, str) else None


def _integer(given: Json) -> int | None:
    if isinstance(given, bool):
        return None
    if isinstance(given, float) and given.is_integer():
        return int(given)
    if isinstance(given, str) and _WHOLE.fullmatch(given.strip()):
        return int(given)
    return given if isinstance(given, int) else None


def _number(given: Json) -> float | int | None:
    if isinstance(given, bool):
        return None
    if isinstance(given, str) and _NUMBER.fullmatch(given.strip()):
        return float(given)
    return given if isinstance(given, int | float) and abs(given) < 1e18 else None


def _boolean(given: Json) -> bool | None:
    words = {"true": True, "false": False}
    return given if isinstance(given, bool) else words.get(given.lower()) if isinstance(given, str) else None


def _list(given: Json) -> list[Json] | None:
    found = to_list(given)
    if not isinstance(found, list | tuple) or len(found) > MOST_ITEMS:
        return None
    return list(found) if all(isinstance(item, str | int | float | bool) for item in found) else None


_READERS = {"string": _text, "integer": _integer, "number": _number, "boolean": _boolean, "list": _list}


def _checked(param: Param, value: Json) -> None:
    if isinstance(value, str):
        _checked_text(param, value)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        _checked_number(param, value)


def _checked_text(param: Param, value: str) -> None:
    if len(value) > MOST_CHARACTERS or not value.isprintable():
        raise _wrong(param, "it is longer than 4,000 characters or not printable", param.description)
    if redact(value) != value:  # a run's parameters are kept, shown and audited (T6)
        raise _wrong(param, "it looks like a secret", "name where the secret is, never what it is")
    if param.pattern and not re.fullmatch(param.pattern, value):
        raise _wrong(param, f"{shown(str(value))} is not of its form", f"the form is {param.pattern}")


def _checked_number(param: Param, value: float) -> None:
    low, high = param.minimum, param.maximum
    if (low is not None and value < low) or (high is not None and value > high):
        between = (
            f"{'' if low is None else f'at least {low:g}'} {'' if high is None else f'at most {high:g}'}"
        )
        raise _wrong(param, f"{value:g} is out of its range", " ".join(between.split()))


def _wrong(param: Param, reason: str, hint: str = "") -> InvalidInputError:
    return InvalidInputError(f"parameter {param.name}", reason, hint[:200])
