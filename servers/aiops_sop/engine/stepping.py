"""Takes a run one step further: which step is next, what its end means for the run, when the run is over.

`advance` is one durable step (clients/durable.py). It reads the ledger, so that it does the same whether it
is called for the first time or after a crash, by this process or by another.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from aiops_shared.errors import AiopsError, InvalidInputError, SopChangedError, UpstreamError
from aiops_sop.documents.expressions import evaluate, holds, used
from aiops_sop.engine.acting import act
from aiops_sop.engine.checks import until_met
from aiops_sop.engine.duties import duties_of
from aiops_sop.engine.endings import Ending, end_of, end_of_failure, notice_of
from aiops_sop.engine.kinds import KINDS
from aiops_sop.engine.needs import HandOverError, LostError, Stops, WishedError
from aiops_sop.engine.outcomes import Pause, PausedError, StepFailedError, failed
from aiops_sop.engine.records import FINISHED, Held, RunRecord, StepRow
from aiops_sop.engine.spreading import spread
from aiops_sop.engine.undoing import next_undo, take_back
from aiops_sop.engine.work import Ports, Work
from aiops_sop.models.documents import Sop, SopStep
from aiops_sop.models.runs import ENDED

Json = Any
Obj = dict[str, Any]
_log: Final = logging.getLogger("aiops.runs")
QUIET_IN_PLAN: Final = frozenset({"wait", "ask", "notify"})


@dataclass(frozen=True, slots=True)
class Said:
    """What one advance came to. `over`: this workflow has no more to do."""

    next: str
    over: bool
    state: str


Pinned = Callable[[str, str, str], Sop]  # document, id, digest


class Engine:
    """Carries runs on."""

    def __init__(self, ports: Ports, pinned: Pinned) -> None:
        self._ports = ports
        self._pinned = pinned

    async def advance(self, held: Held, stops: Stops) -> Said:
        """One step further. Raises LostError when the run is another process's by now."""
        record = await self._ports.ledger.load(held.run_id)
        if record.state in ENDED:
            return Said("", over=True, state=record.state)
        try:
            sop = self._document(record)
        except AiopsError as error:
            await self._ports.ledger.turn(held, "refused", error.wire()[:600])
            return Said("", over=True, state="refused")
        work = Work(self._ports, held, record, sop, stops, rows=dict(record.steps))
        try:
            return await self._one(work)
        except PausedError as error:
            return await self._parked(work, error.pause)
        except HandOverError:
            return Said("", over=True, state="handed_over")
        except WishedError:
            return await self._wished(work)
        except LostError:
            raise
        except UpstreamError:
            raise  # the store is away: whoever carries the run tries again
        except AiopsError as error:
            return await self._over(work, Ending("escalated", error.wire()[:600], tell=True))
        except Exception as bug:  # noqa: BLE001  # a bug in one step must end its run loudly, not all runs
            _log.exception("run %s", held.run_id)
            says = f"unexpected failure {type(bug).__name__}; see the server's log"
            return await self._over(work, Ending("escalated", says, tell=True))

    def _document(self, record: RunRecord) -> Sop:
        """What the run pins. Raises SopChangedError for a row that the suite did not write."""
        if not record.sealed:
            raise SopChangedError(f"run {record.run_id}", "its stored row was edited", "start a new run")
        return self._pinned(record.document, record.sop, record.digest)

    async def _one(self, work: Work) -> Said:
        if work.record.state == "undoing":
            work.check(acting=True)
            return await self._undo_one(work)
        if work.record.wish or work.stops.wished:
            return await self._wished(work)
        work.check()
        if work.record.mode == "auto":
            work.promoted = await self._ports.promotion.promoted(work.sop)
        step = next((step for step in work.sop.steps if not _finished(work, step)), None)
        if step is None:
            return await self._over(work, end_of(work))
        if work.record.state != "running":
            await self._ports.ledger.turn(work.held, "running", f"step {step.id}", _unpaused(work))
        failure = await self._step(work, step)
        if failure is None:
            return Said(_next_path(work, step), over=False, state="running")
        return await self._failed(work, step, failure)

    async def _step(self, work: Work, step: SopStep) -> StepFailedError | None:
        """Bring one step to its end; the failure, if it is one."""
        row = work.row(step.id) or StepRow(step.id, work.sop.steps.index(step), "pending")
        now = await work.now()
        row = work.note(replace(row, state="running", began_at=row.began_at or now))
        try:
            if not self._wanted(work, step, row, now):
                says = f"skipped: {step.when} does not hold"
                await work.put(replace(row, state="skipped", ended_at=now, body={**row.body, "says": says}))
                return None
            row = await work.put(row)
            row = await spread(work, step, row, do) if step.foreach else await do(work, step, row, {})
        except StepFailedError as error:
            await self._ended(work, step, "failed", {"says": error.says, "code": error.code})
            return error
        except InvalidInputError as error:  # an expression of the document
            await self._ended(work, step, "failed", {"says": error.wire()[:600], "code": error.code})
            return failed(error)
        except PausedError:
            row = work.rows.get(step.id, row)
            await work.put(replace(row, state="waiting", body={**row.body, "phases": _spent(work, row)}))
            raise
        await self._ended(work, step, "planned" if row.state == "planned" else "done", {})
        return None

    async def _ended(self, work: Work, step: SopStep, state: Any, more: Mapping[str, Json]) -> None:
        row = work.rows[step.id]
        body = {**row.body, **more, "phases": _spent(work, row)}
        await work.put(replace(row, state=state, ended_at=await work.now(), body=body))

    def _wanted(self, work: Work, step: SopStep, row: StepRow, now: Any) -> bool:
        if not step.when or row.plan_id or row.body.get("began"):
            return True
        if holds(step.when, work.context(now=now)):
            return True
        # Nobody knows how a planned step would have ended: what hangs on it is planned too.
        planned = {path for path, found in work.rows.items() if found.state == "planned"}
        return work.planning and any(root == "steps" and name in planned for root, name, _ in used(step.when))

    async def _failed(self, work: Work, step: SopStep, failure: StepFailedError) -> Said:
        if step.on_fail == "continue" or work.planning:  # a plan shows every step that it can
            return Said(_next_path(work, step), over=False, state="running")
        if step.on_fail == "undo" and next_undo(work) is not None:
            body = {**work.record.body, "why": f"step {step.id}: {failure.says}"[:600]}
            await self._ports.ledger.turn(work.held, "undoing", body["why"], body)
            return Said("undo", over=False, state="undoing")
        return await self._over(work, end_of_failure(work, step, failure))

    async def _undo_one(self, work: Work) -> Said:
        """Give back the newest change that stands; at the end the run is undone."""
        found = next_undo(work)
        why = str(work.record.body.get("why", ""))
        if found is None:
            lost = [
                row.path
                for row in work.rows.values()
                if row.path.startswith("undo/") and row.state == "skipped"
            ]
            kept = f"; not given back: {', '.join(lost)}" if lost else ""
            return await self._over(
                work, Ending("undone", f"what it changed was given back ({why}){kept}", tell=True)
            )
        try:
            await take_back(work, found)
        except StepFailedError as error:
            says = f"{found.step.id} could not be given back: {error.says} ({why})"
            return await self._over(work, Ending("escalated", says[:900], tell=True))
        return Said("undo", over=False, state="undoing")

    async def _wished(self, work: Work) -> Said:
        wish = await self._ports.ledger.grant(work.held)
        if wish == "cancel":
            return await self._over(work, Ending("cancelled", "cancelled; what was done stays as it is"))
        if wish == "undo":
            body = {**work.record.body, "why": "undo asked"}
            await self._ports.ledger.turn(work.held, "undoing", "undo asked", body)
            return Said("undo", over=False, state="undoing")
        return Said("again", over=False, state=work.record.state)

    async def _parked(self, work: Work, pause: Pause) -> Said:
        before = work.record.body.get("waiting") or {}
        at = next((path for path, row in work.rows.items() if row.state == "waiting"), "undo")
        same = before.get("at") == at and before.get("kind") == pause.kind
        tries = int(before.get("tries", 0)) + 1 if same else 1
        waiting = {
            "kind": pause.kind,
            "id": pause.id,
            "says": pause.says,
            "how": pause.how,
            "until": pause.until,
            "tries": tries,
            "at": at,
        }
        body = {**work.record.body, "waiting": waiting, "was": work.record.state}
        await self._ports.ledger.park(work.held, pause.says, body)
        if tries == 1 or pause.kind in {"approval", "answer"}:
            await self._tell(notice_of(work, f"waiting/{pause.id or at}", "waiting", pause.says, pause.how))
        return Said("", over=True, state="waiting")

    async def _over(self, work: Work, ending: Ending) -> Said:
        duties = [duty.model_dump() for duty in duties_of(work.sop, work.rows)]
        body = {**_unpaused(work), "duties": duties}
        if ending.tell:
            await self._tell(notice_of(work, f"end/{ending.state}", ending.state, ending.says))
        await self._ports.ledger.turn(work.held, ending.state, ending.says, body)
        return Said("", over=True, state=ending.state)

    async def _tell(self, notice: Obj) -> None:
        """People are told; that nobody could be told does not change how a run stands."""
        try:
            await self._ports.teller.tell(notice)
        except AiopsError as error:
            _log.warning("run %s: nobody could be told: %s", notice["run_id"], error.wire())


async def do(work: Work, step: SopStep, row: StepRow, more: Obj) -> StepRow:
    """One step, or one item of a foreach: its action, its check, what of the answer is kept."""
    if work.planning and step.kind in QUIET_IN_PLAN:
        says = f"not done in mode plan: {step.kind}"
        return await work.put(replace(row, state="planned", body={**row.body, "says": says}))
    if not row.body.get("acted"):
        row = (
            await act(work, step, row, more)
            if step.kind == "plan"
            else await KINDS[step.kind](work, step, row, more)
        )
        if row.state == "planned":
            return row
        kept = {**row.body, "acted": True, "kept": _evidence(step, row.body.get("output"))}
        row = work.note(replace(row, body=kept))
        if step.verify is not None and step.kind == "plan":
            row = await work.put(row)  # it may wait long for its check
    if step.verify is None or (row.body.get("action") or {}).get("state") == "shadowed":
        return row
    seen = await until_met(work, step, row.path, step.verify, more)
    body = {**row.body, "verified": seen.met, "verdict": seen.says, "looks": seen.looks}
    row = work.note(replace(row, body={**body, "seen": _seen(seen.result)}))
    if not seen.met:
        raise StepFailedError(
            f"not verified within {step.verify.within_s:.0f} s: {seen.says}"[:600], "unverified"
        )
    return row


def _evidence(step: SopStep, output: Json) -> Obj:
    """What of the answer the document wants kept; what is not there stays out."""
    found = {}
    for wanted in step.evidence:
        try:
            found[wanted] = evaluate(wanted, {"result": output})
        except InvalidInputError as error:
            _log.debug("evidence %s: %s", wanted, error)
    return found


def _seen(result: Json) -> Json:
    return {"summary": result["summary"]} if isinstance(result, dict) and "summary" in result else None


def _spent(work: Work, row: StepRow) -> Obj:
    before = row.body.get("phases") or {}
    return {
        phase: round(before.get(phase, 0.0) + work.spent.get(phase, 0.0), 3)
        for phase in {*before, *work.spent}
    }


def _finished(work: Work, step: SopStep) -> bool:
    row = work.row(step.id)
    return row is not None and row.state in FINISHED


def _next_path(work: Work, step: SopStep) -> str:
    after = work.sop.steps[work.sop.steps.index(step) + 1 :]
    return after[0].id if after else "end"


def _unpaused(work: Work) -> Obj:
    return {name: value for name, value in work.record.body.items() if name != "waiting"}
