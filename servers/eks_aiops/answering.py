"""`eks-aiops approve ask_…`: a person answers a question that a run asked, as plans are approved (D5)."""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from aiops_shared.guardrails import Caller
from aiops_shared.guardrails.facade import Guardrails
from aiops_shared.settings import Settings
from aiops_shared.state import StateStore
from eks_aiops.terminal import Ask, no_person, spelled, typed_code

if TYPE_CHECKING:
    from aiops_sop.clients.asks import Question, RunAsks

ASK: Final = "ask_"


@asynccontextmanager
async def questions(settings: Settings, guard: Guardrails) -> "AsyncIterator[RunAsks]":
    """The questions of the configured store."""
    from aiops_sop.clients.run_parts import asks_of

    store = StateStore(settings.state)
    try:
        yield asks_of(settings, store, guard.clock, guard)
    finally:
        store.close()


def described(question: "Question") -> str:
    """What is answered: the run, its procedure, the question."""
    return "\n".join(
        (
            f"Question  {question.ask_id}   (until {question.expires_at:%Y-%m-%d %H:%M:%S} UTC)",
            f"Run       {question.run_id} of {spelled(question.sop)}, step {spelled(question.path)}",
            f"Target    {spelled(question.target)}",
            f"Asked for {spelled(question.requester)}",
            "",
            f"  {spelled(question.question)}",
        )
    )


async def answer_at_terminal(asks: "RunAsks", ask_id: str, person: Caller, ask: Ask, *, decline: bool) -> int:
    """Show, ask for the code, record the yes; `--decline` records the no. 1 when left or not there."""
    if why := no_person(sys.stdin, sys.stdout):
        raise await asks.refuse(ask_id, person, why)
    question = next((one for one in await asks.open() if one.ask_id == ask_id), None)
    if question is None:
        sys.stdout.write(f"no open question {spelled(ask_id)[:60]}; list them: eks-aiops approve\n")
        return 1
    sys.stdout.write(described(question) + "\n\n")
    if not typed_code(ask, f"to answer {'no' if decline else 'yes'}, anything else to leave it"):
        sys.stdout.write("left as it is\n")
        return 1
    await asks.decide(ask_id, person, "no" if decline else "yes", "terminal")
    sys.stdout.write("answered; the run goes on by itself\n")
    return 0
