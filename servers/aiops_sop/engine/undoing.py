"""The way back of a run: every action that stands, newest first, each given back once."""

from dataclasses import dataclass, replace

from aiops_sop.engine.acting import give_back
from aiops_sop.engine.outcomes import StepFailedError
from aiops_sop.engine.records import StepRow
from aiops_sop.engine.work import Work
from aiops_sop.models.documents import SopStep

UNDO_SEQ = 100_000  # undo rows come after all others
_GONE = frozenset({"undone", "shadowed"})


@dataclass(frozen=True, slots=True)
class Standing:
    """One change that stands, and the step that made it."""

    step: SopStep
    made: StepRow


def next_undo(work: Work) -> Standing | None:
    """The newest change that was not given back yet."""
    steps = {step.id: step for step in work.sop.steps}
    made = [row for row in work.rows.values() if row.action_id and not row.path.startswith("undo/")]
    for row in sorted(made, key=_age, reverse=True):
        back = work.rows.get(f"undo/{row.path}")
        gone = (row.body.get("action") or {}).get("state") in _GONE
        if not gone and (back is None or back.state not in {"done", "skipped"}):
            return Standing(steps[row.path.partition("[")[0]], row)
    return None


def _age(row: StepRow) -> tuple[int, int]:
    """The order in which steps act: of the document, and of the items within one."""
    index = row.path.partition("[")[2].rstrip("]")
    return row.seq, int(index or -1)


async def take_back(work: Work, standing: Standing) -> None:
    """Give one change back. Raises StepFailedError when it cannot be: people must look."""
    step, made = standing.step, standing.made
    path = f"undo/{made.path}"
    row = work.rows.get(path) or StepRow(path, UNDO_SEQ - made.seq, "pending")
    now = await work.now()
    if step.undo == "none":
        says = f"not given back: {step.undo_reason or 'the document says undo: none'}"
        await work.put(replace(row, state="skipped", began_at=now, ended_at=now, body={"says": says}))
        return
    row = await work.put(replace(row, state="running", began_at=row.began_at or now), durable=True)
    try:
        row = await give_back(work, step, made, row)
    except StepFailedError as error:
        body = {**row.body, "says": error.says, "code": error.code}
        await work.put(replace(row, state="failed", ended_at=await work.now(), body=body))
        raise
    await work.put(replace(row, ended_at=await work.now()))
    stands = work.rows[made.path]
    await work.put(replace(stands, state="undone"))
