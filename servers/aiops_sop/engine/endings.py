"""How a run ends, and who is told. Never silent: every end but success and cancellation is said to people."""

from dataclasses import dataclass
from typing import Any

from aiops_sop.engine.outcomes import StepFailedError
from aiops_sop.engine.work import Work
from aiops_sop.models.documents import SopStep
from aiops_sop.models.runs import RunState

Obj = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Ending:
    """An end state and its sentence."""

    state: RunState
    says: str
    tell: bool = False


def end_of(work: Work) -> Ending:
    """The end of a run whose steps are all through. What failed last and was not made good is for people."""
    if work.planning:
        return _planned(work)
    for step in reversed(work.sop.steps):
        row = work.row(step.id)
        if row is None or row.state == "skipped" or not (step.verify or step.writes or step.kind == "run"):
            continue
        if row.state == "failed":
            return Ending(
                "escalated",
                f"step {step.id} failed and nothing after it made it good: {row.says}"[:900],
                tell=True,
            )
        break
    last = next(
        (
            row
            for row in reversed([work.row(step.id) for step in work.sop.steps])
            if row and row.state == "done"
        ),
        None,
    )
    return Ending("succeeded", f"done: {last.says}"[:900] if last and last.says else "done")


def _planned(work: Work) -> Ending:
    plans = sum(1 for row in work.rows.values() if row.plan_id)
    not_yet = [row.path for row in work.rows.values() if row.state == "failed"]
    rest = f"; not plannable as things stand: {', '.join(not_yet)}" if not_yet else ""
    return Ending("succeeded", f"planned: {plans} changes, nothing was executed{rest}"[:900])


def end_of_failure(work: Work, step: SopStep, failure: StepFailedError) -> Ending:
    """The end of a run that stops at a failed step."""
    says = f"step {step.id}: {failure.says}"[:900]
    changed = any(row.action_id for row in work.rows.values())
    if failure.refused and step.on_fail != "escalate" and not changed:
        return Ending("refused", says, tell=True)
    return Ending("escalated", says, tell=True)


def notice_of(work: Work, mark: str, kind: str, says: str, how: str = "") -> Obj:
    """What people are told of a run; its id makes a repeated one the same notice."""
    record = work.record
    return {
        "id": f"{record.run_id}/{record.generation}/{mark}"[:128],
        "kind": kind,
        "run_id": record.run_id,
        "incident_id": record.incident_id,
        "sop": record.sop,
        "title": f"{work.sop.title}: {kind}",
        "text": says,
        "how": how,
        "target": record.target,
        "duty": work.sop.risk,
    }
