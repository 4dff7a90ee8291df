"""`foreach`: the same step for every item of a list, in waves that grow, with a gate between them."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from aiops_sop.documents.expressions import items
from aiops_sop.engine.checks import until_met
from aiops_sop.engine.outcomes import StepFailedError
from aiops_sop.engine.records import FINISHED, StepRow
from aiops_sop.engine.work import Work
from aiops_sop.models.documents import SopStep
from aiops_sop.models.runs import StepState

Json = Any
Obj = dict[str, Any]
Do = Callable[[Work, SopStep, StepRow, Obj], Awaitable[StepRow]]


def sizes(waves: tuple[str, ...], count: int) -> list[int]:
    """How many items each wave takes: "1" is one, "10%" a tenth of all (at least one), together with what
    went before; what no wave names comes last. Without waves one after the other.
    """
    if not waves:
        return [1] * count
    found: list[int] = []
    for wave in waves:
        upto = max(1, count * int(wave[:-1]) // 100) if wave.endswith("%") else sum(found) + int(wave)
        more = min(upto, count) - sum(found)
        if more > 0:
            found.append(more)
    if left := count - sum(found):
        found.append(left)
    return found


async def spread(work: Work, step: SopStep, row: StepRow, do: Do) -> StepRow:
    """Every item, wave after wave. The first item that fails ends it: no wave begins after a failure."""
    if "items" not in row.body:
        found = items(step.foreach, work.context(now=await work.now()))
        row = await work.put(replace(row, body={**row.body, "items": found, "gates": 0}))
    found = list(row.body["items"])
    at, waves = 0, sizes(step.waves, len(found))
    for number, size in enumerate(waves):
        for index in range(at, at + size):
            await _item(work, step, row, do, index, found[index])
        at += size
        row = await _gate(work, step, work.rows[row.path], number, last=number == len(waves) - 1)
    return await work.put(_joined(work, row, len(found)))


async def _item(work: Work, step: SopStep, parent: StepRow, do: Do, index: int, item: Json) -> None:
    path = f"{parent.path}[{index}]"
    row = work.rows.get(path) or StepRow(path, parent.seq, "pending")
    if row.state in FINISHED:
        return
    row = replace(row, state="running", began_at=row.began_at or await work.now())
    row = await work.put(replace(row, body={**row.body, "item": item}))
    try:
        row = await do(work, step, row, {"item": item, "index": index})
    except StepFailedError as error:
        row = work.rows[path]
        body = {**row.body, "says": error.says, "code": error.code}
        await work.put(replace(row, state="failed", ended_at=await work.now(), body=body))
        raise StepFailedError(f"{path}: {error.says}"[:600], error.code, refused=error.refused) from error
    ended: StepState = "planned" if row.state == "planned" else "done"
    await work.put(replace(row, state=ended, ended_at=await work.now()))


async def _gate(work: Work, step: SopStep, row: StepRow, number: int, *, last: bool) -> StepRow:
    """What must hold before the next wave; asked once for each."""
    if step.gate is None or last or work.planning or int(row.body.get("gates", 0)) > number:
        return row
    seen = await until_met(work, step, row.path, step.gate, {})
    if not seen.met:
        raise StepFailedError(f"the gate after wave {number + 1} did not open: {seen.says}"[:600], "gate")
    return await work.put(replace(row, body={**row.body, "gates": number + 1}))


def _joined(work: Work, row: StepRow, count: int) -> StepRow:
    """The step of all items: their results in order, verified when every one is."""
    made = [work.rows[f"{row.path}[{index}]"] for index in range(count)]
    results = [item.body.get("output") for item in made]
    verified = bool(made) and all(item.body.get("verified") for item in made)
    planned = bool(made) and all(item.state == "planned" for item in made)
    says = f"{count} items" if count else "no items"
    body = {**row.body, "output": results, "verified": verified, "says": says}
    return replace(row, state="planned" if planned else "running", body=body)
