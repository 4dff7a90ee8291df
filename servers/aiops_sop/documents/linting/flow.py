"""A SOP as a program: writes that can be checked and put back, risk, unreachable steps."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from aiops_shared.errors import InvalidInputError
from aiops_sop.documents.checking import Fault
from aiops_sop.documents.expressions import evaluate, used
from aiops_sop.models.documents import Risk, Sop, SopStep

_ORDER: Final[dict[Risk, int]] = {"low": 0, "medium": 1, "high": 2}
# What cannot be put back, or takes something away: tool, argument `action`.
_HIGH: Final = frozenset(
    {("plan_manifest", "delete"), ("plan_manifest", "evict"), ("plan_addon_change", "delete")}
)


def flow_faults(sop: Sop, others: Mapping[str, Sop]) -> Iterator[Fault]:
    """Everything about order, risk and reversal."""
    head = sop.front_lines
    for step in sop.steps:
        yield from _write(step)
        yield from _waves(step)
        if step.kind == "run" and step.what != sop.id and step.what not in others:
            yield Fault(step.line, f"step {step.id} runs {step.what}, which is no SOP")
        if step.when and _never(step.when):
            yield Fault(step.line, f"step {step.id} is unreachable: its `when` never holds")
        if step.on_fail == "undo" and not any(one.writes for one in sop.steps):
            yield Fault(step.line, f"step {step.id} undoes, but nothing is written")
    risks: list[Risk] = ["low", *(_risk(step, others) for step in sop.steps)]
    least = max(risks, key=_ORDER.__getitem__)
    if not sop.guided and _ORDER[sop.risk] < _ORDER[least]:
        yield Fault(head.get("risk", 1), f"risk is {sop.risk}, a step is {least}")
    if any(step.writes for step in sop.steps) and not sop.target:
        yield Fault(1, "writes without a target: one run per target at a time")


def _write(step: SopStep) -> Iterator[Fault]:
    if not step.writes:
        return
    if step.verify is None:
        yield Fault(step.line, f"step {step.id} writes and has no verify")
    elif not any(root == "result" for root, _, _ in used(step.verify.until)):
        yield Fault(step.line, f"the verify of step {step.id} does not look at its result")


def _waves(step: SopStep) -> Iterator[Fault]:
    if step.gate is not None and not step.waves:
        yield Fault(step.line, f"step {step.id} has a gate without waves")
    if step.waves and step.gate is None and step.verify is None:
        yield Fault(step.line, f"step {step.id} goes in waves with nothing checked between them")


def _never(when: str) -> bool:
    """A condition without names that is false: it cannot become true."""
    if any(root in {"params", "steps", "now", "item", "index"} for root, _, _ in used(when)):
        return False
    try:
        return evaluate(when, {}) is not True
    except InvalidInputError:
        return True


def _risk(step: SopStep, others: Mapping[str, Sop]) -> Risk:
    if step.kind == "run":
        return others[step.what].risk if step.what in others else "low"
    if not step.writes:
        return "low"
    action: Any = step.args.get("action")
    return "high" if (step.tool, action) in _HIGH else "medium"
