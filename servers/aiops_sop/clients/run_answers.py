"""What a run waits for, put to the person who asked for the run, through their own client (D4).

Fulfils `ports.RunAnswers`: a question of an `ask` step, or the approval of a plan of one of its steps where
the rule lets the requester approve. Whatever somebody else must decide stays where it is.
"""

from dataclasses import dataclass
from typing import Final

from aiops_shared.guardrails import Caller
from aiops_shared.guardrails.facade import Guardrails
from aiops_shared.guardrails.models import PendingApproval
from aiops_shared.guardrails.questions import fits_a_question, plan_question, run_question
from aiops_sop.clients.asks import RunAsks
from aiops_sop.models.runs import RunStatus
from aiops_sop.ports import PersonSaid, RunQuestion

ASK: Final = "ask_"


@dataclass(frozen=True, slots=True)
class StoredAnswers:
    """Over the questions and the approvals of one store."""

    asks: RunAsks
    guard: Guardrails

    async def question(self, run: RunStatus, caller: Caller) -> RunQuestion | None:
        """What this caller may be asked now; None when there is nothing, or it is not theirs."""
        waiting = run.waiting
        if waiting is None or caller.kind != "human" or caller.name != run.requested_by:
            return None
        if waiting.kind == "answer":
            return await self._of_step(waiting.id)
        return await self._of_plan(waiting.id, caller) if waiting.kind == "approval" else None

    async def take(self, question: RunQuestion, caller: Caller, said: PersonSaid, nonce: str) -> None:
        """Record it; anything but a yes or a no leaves it open and spends the nonce.

        Raises ApprovalInvalidError.
        """
        if question.id.startswith(ASK):
            answer = None if said == "nothing" else said
            await self.asks.decide(question.id, caller, answer, "client", nonce)
        elif said == "yes":
            await self.guard.approve(question.id, caller, "client", nonce)
        else:
            await self.guard.decline(question.id, caller, "client", nonce)

    async def _of_step(self, ask_id: str) -> RunQuestion | None:
        asked = await self.asks.seen(ask_id)
        if asked is None or asked.state != "pending":
            return None
        text = run_question(asked.sop, asked.path, asked.target, asked.question)
        return RunQuestion(id=ask_id, text=text, nonce=self.asks.issue_nonce(ask_id))

    async def _of_plan(self, approval_id: str, caller: Caller) -> RunQuestion | None:
        approval = await self.guard.approval(approval_id)
        if approval is None or approval.state != "pending" or approval.approver_class != "requester":
            return None
        pending: PendingApproval | None = await self.guard.approval_shown(approval)
        mine = pending is not None and pending.requester_may and pending.requester == caller.name
        if pending is None or not mine or not fits_a_question(pending):
            return None
        nonce = await self.guard.nonce_for(approval_id)
        return RunQuestion(id=approval_id, text=plan_question(pending), nonce=nonce)
