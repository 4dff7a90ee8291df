"""`eks-aiops approve`: a person at a real terminal says yes to what they see.

Honest limit (decision D5): on one operating system user, a program with a terminal of its own could do the
same. So it needs a controlling terminal, refuses the shells that agents open, shows the whole diff, and asks
for a code that stands on the screen only. Hard separation needs another user, over HTTP.
"""

import sys

from aiops_shared.guardrails.facade import Guardrails
from aiops_shared.guardrails.models import Caller, PendingApproval
from aiops_shared.settings import Settings
from eks_aiops.answering import ASK, answer_at_terminal, questions
from eks_aiops.guarding import guardrails, operator
from eks_aiops.terminal import Ask, no_person, spelled, typed_code


def described(pending: PendingApproval) -> str:
    """Everything that is approved: sentence, each field, reach, rule, digest."""
    lines = [
        f"Approval  {pending.approval_id}   (until {pending.expires_at:%Y-%m-%d %H:%M:%S} UTC)",
        f"Asked by  {spelled(pending.requester)}",
        f"Change    {spelled(pending.confirm)}",
        f"Touches   {spelled(pending.blast_radius)}",
        f"Undo      {pending.reversible}"
        + (f"; lost: {spelled(', '.join(pending.lost))}" if pending.lost else ""),
        f"Reason    {spelled(pending.reason) or '(none given)'}",
        f"Rule      {pending.rule} (needs {pending.needs})",
        f"Digest    {pending.plan_digest}",
        "",
    ]
    for change in pending.diff:
        lines.append(f"  {spelled(change.path)}")
        lines += [f"    - {spelled(line)}" for line in (change.before or "(none)").splitlines()]
        lines += [f"    + {spelled(line)}" for line in (change.after or "(removed)").splitlines()]
    return "\n".join(lines)


async def decide(
    guard: Guardrails, pending: PendingApproval, person: Caller, ask: Ask, *, decline: bool
) -> int:
    """Show, ask for the code, record."""
    sys.stdout.write(described(pending) + "\n\n")
    if decline:
        await guard.decline(pending.approval_id, person, "terminal")
        sys.stdout.write("declined; it stays pending until it expires\n")
        return 0
    if not typed_code(ask, "to approve, anything else to leave it"):
        sys.stdout.write("left as it is\n")
        return 1
    await guard.approve(pending.approval_id, person, "terminal")
    sys.stdout.write("approved; call execute_plan again\n")
    return 0


async def approve_at_terminal(approval_id: str, *, decline: bool, ask: Ask = input) -> int:
    """List what waits, or decide one. 1 when refused, left, or not there."""
    settings = Settings()
    person = operator(settings)
    async with guardrails(settings) as guard, questions(settings, guard) as asks:
        if approval_id.startswith(ASK):
            return await answer_at_terminal(asks, approval_id, person, ask, decline=decline)
        if why := no_person(sys.stdin, sys.stdout) if approval_id else "":
            raise await guard.refuse_approval(approval_id, person, why)
        waiting = await guard.pending_approvals()
        if not approval_id:
            for one in waiting:
                sys.stdout.write(f"{one.approval_id}  {spelled(one.requester):12}  {spelled(one.confirm)}\n")
            asked = await asks.open()
            for question in asked:
                says = f"{spelled(question.sop)}: {spelled(question.question)}"
                sys.stdout.write(f"{question.ask_id}  {spelled(question.requester):12}  {says}\n")
            sys.stdout.write("" if waiting or asked else "nothing waits for approval\n")
            return 0
        chosen = next((one for one in waiting if one.approval_id == approval_id), None)
        if chosen is None:
            sys.stdout.write(
                f"no pending approval {spelled(approval_id)[:60]}; list them: eks-aiops approve\n"
            )
            return 1
        return await decide(guard, chosen, person, ask, decline=decline)
