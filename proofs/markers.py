"""Which tests carry which id, read from the source: no test is imported for it."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from proofs.mutation import ROOT

KINDS = ("threat", "fault", "row")


@dataclass(frozen=True, slots=True)
class Marked:
    """One test function and the ids that stand over it, over its module, or at one of its cases."""

    test: str  # tests/x/test_y.py::test_z
    ids: frozenset[str]


@cache
def marked_tests() -> tuple[Marked, ...]:
    """Every test function of the repository, with its ids, in the order of files and lines."""
    return tuple(one for path in sorted((ROOT / "tests").rglob("test_*.py")) for one in _of_file(path))


def tests_of(identity: str) -> list[str]:
    """The tests that carry an id."""
    return [one.test for one in marked_tests() if identity in one.ids]


def _of_file(path: Path) -> Iterator[Marked]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    name = path.relative_to(ROOT).as_posix()
    over_all = frozenset(identity for node in tree.body if _names_marks(node) for identity in _ids(node))
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test"):
            own = {identity for decorator in node.decorator_list for identity in _ids(decorator)}
            yield Marked(f"{name}::{node.name}", over_all | own)


def _names_marks(node: ast.stmt) -> bool:
    return isinstance(node, ast.Assign) and any(
        isinstance(target, ast.Name) and target.id == "pytestmark" for target in node.targets
    )


def _ids(node: ast.AST) -> Iterator[str]:
    """First arguments of `pytest.mark.threat(...)` and its kin, anywhere inside."""
    for call in ast.walk(node):
        if (
            isinstance(call, ast.Call)
            and isinstance(call.func, ast.Attribute)
            and call.func.attr in KINDS
            and call.args
            and isinstance(call.args[0], ast.Constant)
        ):
            yield str(call.args[0].value)
