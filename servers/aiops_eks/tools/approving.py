"""Execute, and ask the person behind the client when policy says that the requester may approve.

An agent, a client that cannot ask, and a rule that wants somebody else get `[approval_pending]` with the
exact command instead. Only an accept that carries our own single-use nonce counts (decision D4).
"""

from fastmcp import Context
from mcp_types import InputRequiredResult

from aiops_shared.app.asking import Answered, answered, ask_and_wait, can_ask, is_modern, question
from aiops_shared.errors import ApprovalPendingError
from aiops_shared.guardrails import ActionRecord
from aiops_shared.guardrails.facade import Guardrails
from aiops_shared.guardrails.models import PendingApproval
from aiops_shared.guardrails.questions import fits_a_question, plan_question


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
    shown = plan_question(pending)
    if is_modern(context):
        said = answered(context)
        if said is None:
            return question(shown, await guard.nonce_for(pending.approval_id))
    else:
        said = await ask_and_wait(context, shown, await guard.nonce_for(pending.approval_id))
    if not await _take(guard, pending.approval_id, said):
        raise error
    return await guard.execute(plan_id, confirm, idempotency_key=key)
