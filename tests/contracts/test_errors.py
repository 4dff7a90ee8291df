"""Error codes are what clients act on: stable, unique, documented; messages say thing, reason, what next."""

import ast
import importlib
import pkgutil
import re
from collections import Counter
from functools import cache

import pytest

import aiops_eks
import aiops_shared
import eks_aiops
from aiops_shared.errors import AiopsError, every_error
from tests.contracts.repository import ROOT, SUITE, parsed

PAGE = ROOT / "docs" / "errors.md"
# Exceptions that never reach a client, each with where they end.
INSIDE = {
    "ResourceError": "app: what the framework takes for a resource; it carries our code in its text",
    "StepFailedError": "the executor turns it into the action's state",
    "HaltedError": "the executor turns it into the action's state",
    "OutcomeUnknownError": "the executor turns it into the action's state",
    "UndoBlockedError": "the executor turns it into the action's state",
    "LeaseLostError": "the executor stops: another process carries the action on",
    "BrokenSealError": "plans and snapshots say PlanTamperedError",
    "LostError": "the engine stops: another process carries the run on",
    "PausedError": "the engine parks the run",
    "WishedError": "the engine looks at what a person asked for",
    "PromptError": "what the framework takes for a prompt; it carries our code in its text",
    "AgainError": "a channel is tried again, then it says UpstreamError",
    "HandOverError": "the executor stops: another process carries the action on",
    "ValueError": "pydantic and SQLAlchemy turn it into their own error, which is translated",
    "TypeError": "a mistake of ours at start; the door masks it",
    "KeyError": "the generator of rights ends with it: a kind of a registry that nobody named a resource for",
    "MCPError": "an error of the protocol",
    "OperationalError": "SQLAlchemy's own, raised where it says what failed and translated one call above",
    "Exit": "typer's way to end a command",
    "BadTokenError": "HTTP: the door answers 401 and says nothing more",
    "StoppedError": "HTTP: a layer answers with the status that it carries",
    "NotTakenError": "POST /events: the status that its sender gets",
    "RefusedError": "HTTP: the approvals page answers with the status and the error of ours that it carries",
}


@cache
def every_class() -> tuple[type[AiopsError], ...]:
    """The tree, with every module of the suite imported so that subclasses elsewhere are in it."""
    for package in (aiops_shared, aiops_eks, eks_aiops):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not module.name.endswith("__main__"):
                importlib.import_module(module.name)
    return tuple(every_error())


def raised() -> list[tuple[str, str, ast.Call]]:
    """Place, name and call of every `raise Name(…)` of the suite."""
    found = []
    for path, tree in parsed(SUITE):
        for node in ast.walk(tree):
            if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
                called = node.exc.func
                name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
                found.append((f"{path.relative_to(ROOT)}:{node.lineno}", name, node.exc))
    return found


def test_codes_are_unique_and_snake_case() -> None:
    codes = Counter(found.code for found in every_class())
    assert [code for code, times in codes.items() if times > 1] == []
    for code in codes:
        assert re.fullmatch(r"[a-z]+(_[a-z]+)*", code), code


def test_every_class_is_in_the_one_file_ends_in_error_and_says_what_happened() -> None:
    for found in every_class():
        assert found.__module__ == "aiops_shared.errors", f"{found.__name__}: the tree is drawn in one file"
        assert found.__name__.endswith("Error")
        assert (found.__doc__ or "").strip(), found.__name__
        assert "code" in vars(found), f"{found.__name__}: its own code"


def test_the_tree_drawn_at_the_top_of_the_file_is_the_tree() -> None:
    drawing = importlib.import_module("aiops_shared.errors").__doc__ or ""
    drawn = set(re.findall(r"\b(\w+Error)\b", drawing))
    assert drawn == {found.__name__ for found in every_class()}


def test_every_code_is_in_the_docs_and_no_other() -> None:
    documented = re.findall(r"^\| `([a-z_]+)` \|", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert sorted(documented) == sorted(found.code for found in every_class())


def test_what_is_raised_is_of_the_tree_or_ends_inside() -> None:
    known = {found.__name__ for found in every_class()}
    strangers = [
        f"{place} {name}"
        for place, name, _ in raised()
        if name[:1].isupper() and name not in known and name not in INSIDE
    ]
    assert strangers == []


def test_every_raise_gives_a_thing_and_a_reason() -> None:
    known = {found.__name__ for found in every_class()}
    poor = [
        place
        for place, name, call in raised()
        if name in known and len(call.args) + len(call.keywords) < 2 and not _spread(call)
    ]
    assert poor == []


def _spread(call: ast.Call) -> bool:
    return any(isinstance(argument, ast.Starred) for argument in call.args)


@pytest.mark.parametrize("found", every_error(), ids=lambda found: found.__name__)
def test_the_wire_is_code_thing_reason_and_what_next(found: type[AiopsError]) -> None:
    assert found("pod/a", "it is gone", "list pods").wire() == f"[{found.code}] pod/a: it is gone; list pods"
    assert found("pod/a", "it is gone").wire() == f"[{found.code}] pod/a: it is gone"
