"""Two people at terminals of one store, who agree to whatever a run waits for. Called by `faults.playing`."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from aiops_shared.errors import AiopsError, ApprovalInvalidError
from aiops_shared.guardrails.facade import Guardrails
from aiops_shared.guardrails.models import Caller
from aiops_shared.settings import CallerSettings, Settings
from aiops_sop.clients.asks import RunAsks
from eks_aiops.answering import questions
from eks_aiops.guarding import guardrails
from eks_aiops.proving_stage import ANNA, BEN
from faults.ground import House


@dataclass(frozen=True)
class Person:
    """One of them: who it is, and what it has open."""

    caller: Caller
    guard: Guardrails
    asks: RunAsks

    async def agrees(self) -> None:
        """Say yes to everything that this person may; the rest is the other one's."""
        for pending in await self.guard.pending_approvals():
            await self.guard.approve(pending.approval_id, self.caller, "terminal")
        for asked in await self.asks.open():
            await self.asks.decide(asked.ask_id, self.caller, "yes", "terminal")


@dataclass(frozen=True)
class People:
    """Who asked, and somebody else."""

    every: tuple[Person, ...]

    async def help(self) -> None:
        """Who asked agrees, else the other. Where the store is away, it is tried again at the next look."""
        for person in self.every:
            try:
                await person.agrees()
            except ApprovalInvalidError:
                continue
            except AiopsError:
                return
            return


@asynccontextmanager
async def people(house: House) -> AsyncIterator[People]:
    """Both, for as long as a run is played: opening a terminal anew at each look costs more than the run."""
    async with AsyncExitStack() as stack:
        found = []
        for name in (ANNA, BEN):
            caller = CallerSettings(name=name, kind="human")
            settings = Settings(state=house.settings, caller=caller, time_source=house.time_source)
            guard = await stack.enter_async_context(guardrails(settings))
            asks = await stack.enter_async_context(questions(settings, guard))
            found.append(Person(Caller(name=name, kind="human"), guard, asks))
        yield People(tuple(found))
