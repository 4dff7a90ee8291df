"""Execute, and ask the person behind the client when policy says that the requester may approve.

An agent, a client that cannot ask, and a rule that wants somebody else get `[approval_pending]` with the
exact command instead. Only an accept that carries our own single-use nonce counts (decision D4).
"""

from fastmcp import Context
from mcp_types import InputRequiredResult

from aiops_eks.planning.wording import NOT_ALL_SHOWN, one_line
from aiops_shared.app.asking import Answered, answered, ask_and_wait, can_ask, is_modern, question
from aiops_shared.errors import ApprovalPendingError
from aiops_shared.guardrails import ActionRecord
from aiops_shared.guardrails.facade import Guardrails
from aiops_shared.guardrails.models import PendingApproval

_FIELDS_SHOWN = 20
_VALUE_SHOWN = 500  # more than a plan keeps of a value


def seen_by_a_person(pending: PendingApproval) -> str:
    """What the person reads: the sentence, every changed field, what it touches and why it asks.

    Each thing that came from an object or from a model stays on its one line, whatever it holds.
    """
    lines = [f"Approve: {one_line(pending.confirm, 900)}", ""]
    lines += [
        f"  {one_line(change.path, _VALUE_SHOWN)}: {_value(change.before, '(none)')} ->"
        f" {_value(change.after, '(removed)')}"
        for change in pending.diff[:_FIELDS_SHOWN]
    ]
    lost = f"; lost: {', '.join(one_line(each, 120) for each in pending.lost[:5])}" if pending.lost else ""
    lines += ["", f"Touches: {one_line(pending.blast_radius)}"]
    lines += [f"Undo: {pending.reversible}{lost}. Rule: {pending.rule}."]
    if pending.reason:
        lines.append(f"Reason given by {one_line(pending.requester, 80)}: {one_line(pending.reason, 300)}")
    return "\n".join(lines)


def fits_a_question(pending: PendingApproval) -> bool:
    """Whether the question shows the whole change."""
    values = [value for change in pending.diff for value in (change.before, change.after)]
    return len(pending.diff) <= _FIELDS_SHOWN and not any(NOT_ALL_SHOWN in value for value in values)


def _value(text: str, absent: str) -> str:
    return one_line(text, _VALUE_SHOWN) or absent


async def _take(guard: Guardrails, approval_id: str, said: Answered) -> bool:
    """Record the answer; False when it is no yes. A no spends the nonce too: it cannot come back as a yes."""
    if said.outcome == "accepted":
        await guard.approve_by_client(approval_id, said.state)
        return True
    if said.outcome == "declined":
        await guard.decline(approval_id, guard.caller, "client", said.state)
    return False


async def execute_with_approval(
    guard: Guardrails, context: Context, plan_id: str, confirm: str, key: str | None
) -> ActionRecord | InputRequiredResult:
    """Start the plan, or return the question that has to be answered first."""
    try:
        return await guard.execute(plan_id, confirm, idempotency_key=key)
    except ApprovalPendingError as error:
        pending = await guard.pending_for(plan_id)
        if pending is None or not pending.requester_may or not can_ask(context):
            raise
        if not fits_a_question(pending):
            raise  # nobody approves what they cannot see: the terminal shows every field
        return await _asked(guard, context, plan_id, confirm, key, pending, error)


async def _asked(
    guard: Guardrails,
    context: Context,
    plan_id: str,
    confirm: str,
    key: str | None,
    pending: PendingApproval,
    error: ApprovalPendingError,
) -> ActionRecord | InputRequiredResult:
    shown = seen_by_a_person(pending)
    if is_modern(context):
        said = answered(context)
        if said is None:
            return question(shown, await guard.nonce_for(pending.approval_id))
    else:
        said = await ask_and_wait(context, shown, await guard.nonce_for(pending.approval_id))
    if not await _take(guard, pending.approval_id, said):
        raise error
    return await guard.execute(plan_id, confirm, idempotency_key=key)
