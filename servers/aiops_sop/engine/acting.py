"""The steps that change something: plan, record, execute the recorded plan, follow its action, give it back.

The plan's id is in the ledger before it is executed, and executing a plan again returns the same action: so
a step that was cut off at any point is found out by asking again, and nothing is done twice. A process that
was stopped and woke up late fails at the fence before it records a plan of its own.
"""

from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

import anyio

from aiops_shared.errors import (
    AiopsError,
    PlanExpiredError,
    PlanStaleError,
    UnauthenticatedError,
    UndoRefusedError,
    UpstreamError,
)
from aiops_sop.documents.expressions import filled
from aiops_sop.engine.outcomes import StepFailedError, failed, stopped
from aiops_sop.engine.records import StepRow
from aiops_sop.engine.work import Work
from aiops_sop.models.documents import SopStep

Json = Any
Obj = dict[str, Any]
FIRST_POLL_S, LAST_POLL_S = 0.05, 1.0  # real time: the action waits in world time itself
MOST_PLANS = 3  # of one step: what moved under two plans moves on
LIVE: Final = frozenset({"running", "undoing"})
_AWAY_S = 60.0  # real: so long a server may not answer about an action before the run waits for it


async def act(work: Work, step: SopStep, row: StepRow, more: Obj) -> StepRow:
    """Bring one `plan` step to the end of its action. Raises StepFailedError, PausedError."""
    if not row.plan_id:
        row = await _plan(work, step, row, more)
    if work.planning:
        return await work.put(replace(row, state="planned", body={**row.body, "says": _planned(row)}))
    if not row.action_id:
        row = await _execute(work, step, row, more)
    return await _follow(work, step, row)


async def _plan(work: Work, step: SopStep, row: StepRow, more: Obj) -> StepRow:
    began = await work.now()
    arguments = filled(step.args, work.context(now=began, **more))
    try:
        plan = await work.call(step, row.path, step.what, arguments)
    except AiopsError as error:
        raise stopped(error) from error
    finally:
        work.spend("decide", began, await work.now())
    work.ports.crash.pass_by("before_intent", row.path)
    body = {**row.body, "inputs": arguments, "plan": _kept_of(plan), "says": plan.get("summary", "")}
    row = await work.put(replace(row, plan_id=plan["plan_id"], body=body), durable=True)
    work.ports.crash.pass_by("after_intent", row.path)
    return row


async def _execute(work: Work, step: SopStep, row: StepRow, more: Obj) -> StepRow:
    """Start the recorded plan's action. A plan that went stale before it was started is made again."""
    for left in reversed(range(MOST_PLANS)):
        work.check()
        await work.ports.ledger.hold(work.held)
        try:
            return await _started(work, step, row)
        except (PlanStaleError, PlanExpiredError) as error:
            # Neither is said of a plan whose action was begun: nothing was done under it.
            if not left:
                raise failed(error) from error
            row = await _plan(work, step, replace(row, plan_id=""), more)
    raise StepFailedError("no plan could be executed")  # pragma: no cover  # the loop ends before


async def _started(work: Work, step: SopStep, row: StepRow) -> StepRow:
    began = await work.now()
    what = f"{step.server}.execute_plan"
    confirm = (row.body.get("plan") or {}).get("confirm", "")
    try:
        done = await work.call(step, row.path, what, {"plan_id": row.plan_id, "confirm": confirm})
    except (PlanStaleError, PlanExpiredError):
        raise
    except AiopsError as error:
        raise stopped(error) from error
    finally:
        work.spend("act", began, await work.now())
    work.ports.crash.pass_by("after_effect", row.path)
    body = {**row.body, "action": _kept_of(done), "says": done.get("summary", "")}
    row = replace(row, action_id=done["action_id"], state="running", body=body)
    # One that ended already is written with its end: executing the plan again gives the same action.
    return await work.put(row) if done.get("state") in LIVE else work.note(row)


async def _follow(work: Work, step: SopStep, row: StepRow) -> StepRow:
    """Poll the action until it ended. Raises StepFailedError for any end but success."""
    began = await work.now()
    end = began + timedelta(seconds=step.timeout_s)
    action = dict(row.body.get("action") or {})
    if action.get("state") in LIVE or not action:
        action = await _ended(work, step, row, end)
    work.spend("act", began, await work.now())
    state = str(action.get("state"))
    body = {**row.body, "action": _kept_of(action), "output": action, "says": action.get("summary", "")}
    row = work.note(replace(row, body=body))
    work.ports.crash.pass_by("after_outcome", row.path)
    if state in {"succeeded", "shadowed"}:
        return row
    raise StepFailedError(f"the action ended {state}: {action.get('summary', '')}"[:600], f"action_{state}")


async def _ended(work: Work, step: SopStep, row: StepRow, end: Any) -> Obj:
    pause_s, away_s = FIRST_POLL_S, 0.0
    while True:
        work.check(acting=True)
        try:
            arguments = {"action_id": row.action_id}
            action = await work.call(step, row.path, f"{step.server}.get_action", arguments)
        except UpstreamError as error:
            away_s += pause_s
            if away_s > _AWAY_S:
                raise stopped(error) from error
        except (
            UnauthenticatedError
        ) as error:  # refused with a renewed token too: the action rests as well (R5)
            raise stopped(error) from error
        else:
            away_s = 0.0
            if action.get("state") not in LIVE:
                return action
        if await work.now() > end:
            raise StepFailedError(f"it was not done within {step.timeout_s:.0f} s", "timeout")
        await anyio.sleep(pause_s)
        pause_s = min(pause_s * 1.5, LAST_POLL_S)


async def give_back(work: Work, step: SopStep, made: StepRow, row: StepRow) -> StepRow:
    """Undo what one step's action did; `row` is the way back. Raises StepFailedError, PausedError."""
    what = f"{step.server or 'eks'}.undo_action" if step.undo == "default" else step.undo
    await work.ports.ledger.hold(work.held)
    work.ports.crash.pass_by("during_undo", row.path)
    try:
        action = await work.call(step, row.path, what, {"action_id": made.action_id})
        if action.get("state") in LIVE:
            end = await work.now() + timedelta(seconds=step.timeout_s)
            action = await _ended(work, step, replace(row, action_id=made.action_id), end)
    except UndoRefusedError as error:
        raise failed(error) from error
    except AiopsError as error:
        raise stopped(error) from error
    if action.get("state") != "undone":
        says = f"the way back ended {action.get('state')}: {action.get('summary', '')}"
        raise StepFailedError(says[:600], "undo_failed")
    body = {**row.body, "output": action, "says": action.get("summary", "")}
    return await work.put(replace(row, state="done", action_id=made.action_id, body=body))


def _kept_of(answer: Obj) -> Obj:
    """An answer without what is shown elsewhere."""
    return {key: value for key, value in answer.items() if key not in {"warnings", "evidence", "untrusted"}}


def _planned(row: StepRow) -> str:
    plan = row.body.get("plan") or {}
    return f"planned, not executed: {plan.get('summary', '')}; {plan.get('verdict', '')}"[:400]
