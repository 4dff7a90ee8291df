"""A whole house for runs: the real store, guardrails, engine and desk, with hands that only count.

`drive` carries a run on without DBOS, step by step in the test's own loop; `running()` is the real thing.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio

from aiops_shared.errors import NotConfiguredError
from aiops_shared.guardrails import Caller
from aiops_shared.guardrails.facade import Guardrails
from aiops_shared.guardrails.lifetimes import Lifetime
from aiops_shared.settings import Settings, SopSettings, StateSettings
from aiops_shared.state import StateStore
from aiops_sop.clients.durable import Carrier, Workflows
from aiops_sop.clients.run_desk import RunDesk
from aiops_sop.clients.run_parts import Outside, asks_of, runs_of
from aiops_sop.engine.needs import Crash
from aiops_sop.models.runs import Mode, RunStatus
from aiops_sop.ports import RunWish
from tests.fakes.clocks import FakeClock
from tests.fakes.procedures import FakeHands, FakeLibrary, FakePromotion, FakeTeller

ANNA = Caller(name="anna")
BOT = Caller(name="bot", kind="agent")


def front(name: str, more: str = "") -> str:
    """The head of a SOP that takes a `name`."""
    return (
        f"---\nid: {name}\nrisk: medium\ntarget: \"'t/' + params.name\"\n{more}"
        "params:\n  name: {type: string, pattern: '^[a-z0-9-]{1,40}$'}\n"
        "  count: {type: integer, default: 3, minimum: 1, maximum: 9}\n---\n"
        f"# Change {name}\n\n## Overview\nChanges one thing.\n\n## Parameters\n"
        '- **name** (required): what\n- **count** (optional, default: "3"): how many\n\n## Steps\n\n'
    )


def step(
    number: int, name: str, body: str, constraints: str = "- You MUST look first because it is new"
) -> str:
    """One step of a SOP."""
    block = f"```yaml step\nid: {name}\n{body}\n```\n\n"
    return f"### {number}. Do {name}\n\n**Constraints:**\n{constraints}\n\n{block}"


VERIFY = (
    "verify: {call: eks.get_resource, with: {name: '{{ params.name }}'}, until: \"result.ok == true\","
    " within: 60s, every: 10s}"
)


def change(name: str, more: str = "on_fail: undo", verify: str = VERIFY) -> str:
    """The body of a step that plans a change of `<params.name>-<name>`."""
    named = f"{{name: \"{{{{ params.name + '-{name}' }}}}\"}}"
    return f"plan: eks.plan_workload_change\nwith: {named}\n{verify}\n{more}"


@dataclass
class ByHand:
    """Workflows that nobody carries on but the test."""

    executor: str = "exe_byhand"
    opened: bool = False
    started: list[tuple[str, int]] = field(default_factory=list)

    def open(self, carrier: Carrier, loop: Any) -> None:
        del carrier, loop
        self.opened = True

    def start(self, run_id: str, generation: int) -> None:
        self.started.append((run_id, generation))

    def adopt(self, run_id: str, generation: int, executor: str) -> bool:
        del executor
        self.started.append((run_id, generation))
        return True

    def close(self) -> None:
        self.opened = False


async def _no_hands(cluster: str) -> Any:
    raise NotConfiguredError(cluster, "no cluster here")


@dataclass
class RunHouse:
    """Everything of one process, with its fakes in reach."""

    dir: Path
    clock: Any = field(default_factory=FakeClock)
    crash: Crash | None = None
    workflows: Workflows | None = field(default_factory=ByHand)
    write: bool = True
    concurrency: int = 20
    database_url: str = ""
    state_url: str = ""
    hands_of: Callable[[Path], FakeHands] = FakeHands

    def __post_init__(self) -> None:
        self.settings = Settings(
            write=self.write,
            tools=[],
            state=StateSettings(dir=self.dir / "state", url=self.state_url),
            sop=SopSettings(concurrency=self.concurrency, database_url=self.database_url),
        )
        self.store = StateStore(self.settings.state)
        self.guard = Guardrails.open(self.settings, self.clock, _no_hands, ANNA)
        self.lifetime = Lifetime(self.clock)
        self.hands = self.hands_of(self.dir / "world.db")
        self.teller, self.library, self.promotion = FakeTeller(), FakeLibrary(), FakePromotion()
        self.desk: RunDesk = runs_of(
            Outside(
                settings=self.settings,
                clock=self.clock,
                store=self.store,
                guard=self.guard,
                lifetime=self.lifetime,
                peers=self.hands,
                library=self.library,
                teller=self.teller,
                promotion=self.promotion,
                crash=self.crash,
                workflows=self.workflows,
            )
        )
        self.runner = self.desk.runner
        self.asks = asks_of(self.settings, self.store, self.clock, self.guard)

    @asynccontextmanager
    async def running(self, *, looking: bool = False) -> AsyncIterator["RunHouse"]:
        """A process's life."""
        try:
            async with self.lifetime.open():
                if looking:
                    self.lifetime.launch(self.runner.look_forever)
                try:
                    yield self
                finally:
                    self.lifetime.stop()
                    await self.runner.stop()
        finally:
            self.store.close()
            self.guard.close()

    async def fresh(self) -> None:
        """Another story in the same house, an hour later."""
        await self.clock.sleep(3600.0)
        self.hands.reset()
        self.teller.notices.clear()
        self.library.sops.clear()

    async def start(self, sop: str, mode: Mode = "auto", caller: Caller = ANNA, **more: Any) -> RunStatus:
        """Start a run of the SOP for `web`, unless told otherwise."""
        params = more.pop("params", {"name": "web"})
        return await self.desk.start(RunWish(sop=sop, params=params, mode=mode, caller=caller, **more))

    async def started_after(self, run_id: str) -> str:
        """The run whose workflow was started after that one's."""
        assert isinstance(self.workflows, ByHand)
        while self.workflows.started[-1][0] == run_id:  # noqa: ASYNC110  # another thread starts it
            await anyio.sleep(0.01)
        return self.workflows.started[-1][0]

    async def drive(self, run_id: str) -> RunStatus:
        """Carry it on until it ends, waits or is handed over; woken first, where it may go on."""
        record = await self.desk.ledger.load(run_id)
        held = await self.runner.begin(run_id, record.generation)
        if held is not None:
            said = await self.runner.advance(held)
            while not said["over"]:
                said = await self.runner.advance(held)
            await self.runner.end(held, said["state"])
        return await self.seen(run_id)

    async def seen(self, run_id: str, caller: Caller = ANNA) -> RunStatus:
        """As get_run shows it, whole."""
        return await self.desk.shown(run_id, caller, full=True)

    async def did(self, sop: str, mode: Mode = "auto", **more: Any) -> RunStatus:
        """Start and drive."""
        started = await self.start(sop, mode, **more)
        return await self.drive(started.run_id)
