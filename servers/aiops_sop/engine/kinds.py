"""The steps that change nothing outside: `call`, `run`, `wait`, `ask`, `notify`."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

import anyio

from aiops_shared.errors import AiopsError, ApprovalInvalidError, UnauthenticatedError, UpstreamError
from aiops_shared.guardrails.canonical import sha256_of
from aiops_sop.documents.expressions import filled
from aiops_sop.engine.checks import until_met
from aiops_sop.engine.outcomes import Pause, PausedError, StepFailedError, failed, stopped
from aiops_sop.engine.records import StepRow
from aiops_sop.engine.work import Work
from aiops_sop.models.documents import SopStep
from aiops_sop.models.runs import ENDED, RunStatus
from aiops_sop.ports import RunWish

Json = Any
Obj = dict[str, Any]
POLL_S = 0.1
Kind = Callable[[Work, SopStep, StepRow, Obj], Awaitable[StepRow]]


async def call(work: Work, step: SopStep, row: StepRow, more: Obj) -> StepRow:
    """Ask one tool; a source that does not answer is asked again as often as the step says."""
    began = await work.now()
    arguments = filled(step.args, work.context(now=began, **more))
    try:
        result = await _asked(work, step, row.path, arguments)
    finally:
        work.spend("evidence", began, await work.now())
    body = {**row.body, "inputs": arguments, "output": result, "says": str(result.get("summary", ""))}
    return work.note(replace(row, body=body))


async def _asked(work: Work, step: SopStep, path: str, arguments: Obj) -> Obj:
    pause_s = step.retry.backoff_s
    for left in reversed(range(step.retry.attempts)):
        work.check()
        try:
            return await work.call(step, path, step.what, arguments)
        except UpstreamError as error:
            if not left:
                raise stopped(error) from error
        except UnauthenticatedError as error:  # its token was renewed once already (R5)
            raise stopped(error) from error
        except AiopsError as error:
            raise failed(error) from error
        await work.pause(pause_s)
        pause_s *= 2
    raise StepFailedError("no attempt was made")  # pragma: no cover  # attempts are at least one


async def run(work: Work, step: SopStep, row: StepRow, more: Obj) -> StepRow:
    """Another SOP as a run of its own, and how it ended."""
    arguments = filled(step.args, work.context(now=await work.now(), **more))
    child = str(row.body.get("child", ""))
    try:
        if not child:
            status = await work.ports.runs.start(_wish(work, step, row.path, arguments))
            child = status.run_id
            row = await work.put(replace(row, body={**row.body, "inputs": arguments, "child": child}))
        status = await _run_ended(work, child)
    except AiopsError as error:
        raise failed(error) from error
    output = {"run_id": child, "state": status.state, "summary": status.summary}
    row = await work.put(replace(row, body={**row.body, "output": output, "says": status.summary}))
    if status.state != "succeeded":
        raise StepFailedError(f"{step.what} ended {status.state}: {status.summary}"[:600], status.state)
    return row


def _wish(work: Work, step: SopStep, path: str, arguments: Obj) -> RunWish:
    record = work.record
    return RunWish(
        sop=step.what,
        params=arguments,
        mode=record.mode,
        caller=record.caller,
        pattern=record.pattern,
        incident_id=record.incident_id,
        parent_id=record.run_id,
        confidence_pct=record.confidence_pct,
        idempotency_key=f"child-{sha256_of([record.run_id, path])[:32]}",
    )


async def _run_ended(work: Work, run_id: str) -> RunStatus:
    with work.stops.away():
        while True:
            work.check()
            status = await work.ports.runs.status(run_id, work.record.caller)
            if status.state in ENDED:
                return status
            await anyio.sleep(POLL_S)


async def wait(work: Work, step: SopStep, row: StepRow, more: Obj) -> StepRow:
    """A stretch of world time, or until a polled read says so."""
    if step.until is not None:
        seen = await until_met(work, step, row.path, step.until, more)
        body = {**row.body, "output": seen.result, "says": seen.says, "verified": seen.met}
        row = work.note(replace(row, body=body))
        if not seen.met:
            raise StepFailedError(f"not within {step.until.within_s:.0f} s: {seen.says}"[:600], "timeout")
        return row
    now = await work.now()
    said = row.body.get("deadline")
    end = datetime.fromisoformat(said) if said else now + timedelta(seconds=float(step.what or 0))
    if not said:
        row = await work.put(replace(row, body={**row.body, "deadline": end.isoformat()}))
    while (left := (end - await work.now()).total_seconds()) > 0:
        await work.pause(left)
    return work.note(replace(row, body={**row.body, "says": f"waited until {end:%H:%M:%S}"}))


async def ask(work: Work, step: SopStep, row: StepRow, more: Obj) -> StepRow:
    """A question to a person. Their no fails the step; what they said stays with it."""
    try:
        said = await work.ports.asks.answer(work.held, row.path)
    except ApprovalInvalidError as error:
        raise failed(error) from error
    if said in {"yes", "no"}:
        row = await work.put(replace(row, body={**row.body, "answer": said, "output": {"answer": said}}))
        if said == "no":
            raise StepFailedError("the person said no", "declined")
        return row
    question = str(filled(step.what, work.context(now=await work.now(), **more)))
    waiting = await work.ports.asks.ask(work.held, row.path, question)
    until = waiting.until.isoformat() if waiting.until else ""
    raise PausedError(Pause("answer", waiting.says, waiting.id, waiting.how, until))


async def notify(work: Work, step: SopStep, row: StepRow, more: Obj) -> StepRow:
    """Tell people; the notice has the step's own id, so that it is said once."""
    context = work.context(now=await work.now(), **more)
    text = str(filled(step.template or step.title, context))
    notice = {
        "id": f"{work.record.run_id}/{row.path}",
        "kind": "notify",
        "channel": step.what,
        "run_id": work.record.run_id,
        "incident_id": work.record.incident_id,
        "sop": work.record.sop,
        "title": step.title,
        "text": text,
        "data": filled(step.args, context),
    }
    await work.ports.ledger.hold(work.held)
    try:
        took = await work.ports.teller.tell(notice)
    except AiopsError as error:
        raise failed(error) from error
    body = {**row.body, "output": {"channels": list(took), "text": text}, "says": f"told {', '.join(took)}"}
    return work.note(replace(row, body=body))


KINDS: Final[dict[str, Kind]] = {"call": call, "run": run, "wait": wait, "ask": ask, "notify": notify}
