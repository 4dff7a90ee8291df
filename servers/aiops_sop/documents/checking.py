"""What can be known of a SOP's expressions before it runs: they compile, and every name in them is there.

Called by the parser (the first fault refuses the file) and by the linter (all of them).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from aiops_shared.errors import InvalidInputError
from aiops_shared.kube.cel import shown
from aiops_sop.documents.expressions import STEP_FIELDS, check, expressions_in, used
from aiops_sop.models.documents import Check, Sop, SopStep
from aiops_sop.models.events import Event

Json = Any
MOST_POLL_S: Final = 4 * 3600.0


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong, and where."""

    line: int
    says: str


@dataclass(frozen=True)
class _Names:
    """What an expression may name at its place."""

    sop: Sop
    roots: frozenset[str]
    steps: frozenset[str] = frozenset()


def first_fault(sop: Sop) -> Fault | None:
    """The first one; None for a sound file."""
    return next(iter(faults(sop)), None)


def faults(sop: Sop) -> Iterator[Fault]:
    """Every one, in the order of the file."""
    head = sop.front_lines
    event = _Names(sop, frozenset({"event"}))
    for text in sop.triggers:
        yield from _expression(text, event, head.get("triggers", 1), condition=True)
    for param in sop.params:
        if param.event:
            yield from _expression(param.event, event, head.get("params", 1))
    if sop.target:
        yield from _expression(sop.target, _Names(sop, frozenset({"params"})), head.get("target", 1))
    lab = _Names(sop, frozenset({"lab", "expected"}))
    for proof in sop.proofs:
        yield from _tree(proof.params, lab, head.get("proof", 1))
    before: set[str] = set()
    for step in sop.steps:
        yield from _step(sop, step, frozenset(before))
        before.add(step.id)


def _step(sop: Sop, step: SopStep, before: frozenset[str]) -> Iterator[Fault]:
    roots = frozenset({"params", "steps", "now"})
    always = _Names(sop, roots, before)
    each = _Names(sop, roots | {"item", "index"}, before) if step.foreach else always
    after = _Names(sop, each.roots | {"result"}, before | {step.id})
    own = _Names(sop, each.roots, before | {step.id})
    line = step.line
    if step.kind == "run" and step.what == sop.id:
        yield Fault(line, f"step {step.id} runs the SOP itself")
    if step.when:
        yield from _expression(step.when, always, line, condition=True)
    if step.foreach:
        yield from _expression(step.foreach, always, line)
    yield from _tree([step.args, step.template, step.what if step.kind == "ask" else ""], each, line)
    yield from _tree(step.undo_args, after, line)
    for text in step.evidence:
        yield from _expression(text, after, line)
    for check_ in (step.until, step.verify, step.gate):
        if check_ is not None:
            yield from _check(check_, own, after, line)


def _check(check_: Check, own: _Names, after: _Names, line: int) -> Iterator[Fault]:
    yield from _tree(check_.args, own, line)
    yield from _expression(check_.until, after, line, condition=True)
    if check_.every_s < 1 or 0 < check_.within_s < check_.every_s or check_.within_s > MOST_POLL_S:
        yield Fault(line, "every is from 1s to within, and within at most 4h")


def _tree(tree: Json, names: _Names, line: int) -> Iterator[Fault]:
    try:
        texts = list(expressions_in(tree))
    except InvalidInputError as problem:
        yield Fault(line, f"{problem.thing} {problem.reason}")
        return
    for text in texts:
        yield from _expression(text, names, line)


def _expression(text: str, names: _Names, line: int, *, condition: bool = False) -> Iterator[Fault]:
    try:
        check(text, condition=condition)
    except InvalidInputError as problem:
        yield Fault(line, f"{problem.thing} {problem.reason}")
        return
    for root, second, third in used(text):
        if says := _unknown(names, root, second, third):
            yield Fault(line, f"expression {shown(text)} {says}")


def _unknown(names: _Names, root: str, second: str, third: str) -> str:
    if root not in _ROOTS:
        return ""  # a variable of a loop, a function: the compiler knows them
    if root not in names.roots:
        return f"uses {root}, which is not there at this place"
    if root == "params" and second and second not in {param.name for param in names.sop.params}:
        return f"names params.{second}, which is no parameter"
    if root == "event" and second and second not in Event.model_fields:
        return f"names event.{second}, which no event has"
    if root == "steps" and second:
        return _unknown_step(names, second, third)
    return ""


def _unknown_step(names: _Names, second: str, third: str) -> str:
    if second not in names.steps:
        later = second in {step.id for step in names.sop.steps}
        return f"names steps.{second}, which {'comes later' if later else 'is no step'}"
    if third and third not in STEP_FIELDS:
        return f"names steps.{second}.{third}; a step has {', '.join(sorted(STEP_FIELDS))}"
    return ""


_ROOTS: Final = frozenset({"params", "steps", "result", "event", "now", "item", "index", "lab", "expected"})
