"""Carries the runs of this process on, wakes those that wait, takes over those of a dead process.

One per server process or `eks-aiops worker`; `running()` is for its lifespan. It looks into the store a few
seconds after the start and then every second: a query for what is open, nothing more while nothing is.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, TypeVar

import anyio
import anyio.to_thread

from aiops_shared.errors import AiopsError, UpstreamError
from aiops_shared.guardrails.lifetimes import HandOverError, Lifetime
from aiops_sop.clients.durable import Workflows
from aiops_sop.clients.executors import Locks
from aiops_sop.clients.run_store import RunStore
from aiops_sop.clients.waking import Waker
from aiops_sop.engine.records import Held
from aiops_sop.engine.stepping import Engine
from aiops_sop.models.runs import ENDED

_log: Final = logging.getLogger("aiops.runs")
LOOK_EVERY_S = 1.0
IDLE_LOOK_S = 2.0  # while nothing is open
STORE_AWAY_S = (0.5, 30.0)  # first and longest pause while the store does not answer
BEGIN_WITHIN_S = 30.0  # from asking DBOS for a workflow until it begins
Stint = tuple[str, int]  # a run and the generation under which it is carried on
Obj = dict[str, Any]
T = TypeVar("T")


@dataclass
class Stretch:
    """One run while this process carries it on; fulfils the engine's `Stops`."""

    lifetime: Lifetime
    generation: int
    slots: anyio.Semaphore | None  # None: it counts no more as one that is carried on
    wished: bool = False
    scopes: set[anyio.CancelScope] = field(default_factory=set)

    @property
    def stopping(self) -> bool:
        """Whether this process ends."""
        return self.lifetime.stopping

    async def pause(self, seconds: float) -> None:
        """Wait in world time, or until a wish comes or the process ends."""
        with anyio.CancelScope() as scope:
            self.scopes.add(scope)
            try:
                await self.lifetime.wait(seconds)
            except HandOverError:
                return
            finally:
                self.scopes.discard(scope)

    def wish(self) -> None:
        """A person asked for something."""
        self.wished = True
        for scope in self.scopes:
            scope.cancel()

    @contextmanager
    def away(self) -> Iterator[None]:
        """Its slot is free while it waits for another run."""
        self.leave()  # it goes on without one afterwards: two that wait for each other's would stand still
        yield

    def leave(self) -> None:
        """Give its slot back."""
        if self.slots is not None:
            self.slots.release()
            self.slots = None


class Runner:
    """Fulfils `durable.Carrier`."""

    def __init__(
        self,
        ledger: RunStore,
        engine: Engine,
        durable: Workflows,
        locks: Locks,
        waker: Waker,
        lifetime: Lifetime,
    ) -> None:
        self.ledger = ledger
        self.engine = engine
        self.durable = durable
        self.locks = locks
        self.waker = waker
        self.lifetime = lifetime
        self._stretches: dict[str, Stretch] = {}
        self._held = False
        self._slots = anyio.Semaphore(20)
        self._starting: dict[Stint, float] = {}  # asked of DBOS and not begun yet, since when
        self._begun: set[Stint] = set()  # begun here and not ended
        self._left: set[Stint] = set()  # its own by the store and neither of both, as of the last look
        self._ended: Callable[[str], Awaitable[None]] | None = None
        self._opening = anyio.Lock()
        self._idle = anyio.Event()
        self._idle.set()

    def limit(self, concurrency: int) -> None:
        """How many runs are carried on at once; more wait."""
        self._slots = anyio.Semaphore(concurrency)

    def tell(self, ended: Callable[[str], Awaitable[None]]) -> None:
        """Who is told of a run that ended: incidents, outcomes. Safe to be told twice."""
        self._ended = ended

    async def start(self, run_id: str, generation: int) -> None:
        """Start the workflow of a run that this process claimed."""
        stint = (run_id, generation)
        self._starting[stint] = anyio.current_time()
        try:
            await self._open()
            await anyio.to_thread.run_sync(self.durable.start, run_id, generation)
        except BaseException:
            self._starting.pop(stint, None)  # the next looks find it left, and set it free
            raise

    @property
    def executor(self) -> str:
        """Whose runs these are."""
        return self.durable.executor

    async def ready(self) -> None:
        """Hold the lock of this process, before anything is written under its name."""
        async with self._opening:
            if not self._held:
                await anyio.to_thread.run_sync(self.locks.hold, self.executor)
                self._held = True

    def nudge(self, run_id: str) -> None:
        """A wish was written for a run; when it is carried on here, it hears of it at once."""
        if stretch := self._stretches.get(run_id):
            stretch.wish()

    async def hear(self) -> None:
        """Look at once, since something was just written."""
        await self.look()

    # What the workflow calls, in this loop.

    async def begin(self, run_id: str, generation: int) -> Held | None:
        """Take the run."""
        self._starting.pop((run_id, generation), None)
        self._begun.add((run_id, generation))
        held = None
        try:
            held = await self._taken(run_id, generation)
        finally:
            if held is None:
                self._begun.discard((run_id, generation))
        return held

    async def _taken(self, run_id: str, generation: int) -> Held | None:
        record = await self._patiently(lambda: self.ledger.load(run_id))
        if record is None:
            return None
        slots = None if record.parent_id else self._slots  # a child goes on its parent's
        stretch = Stretch(self.lifetime, generation, slots)
        if slots is not None and not await self._slot(slots):
            return None
        held = await self._patiently(lambda: self.ledger.take(run_id, generation, self.executor))
        if held is None:
            stretch.leave()
        else:
            self._stretches[run_id] = stretch
            self._idle = anyio.Event()
        return held

    async def _patiently(self, ask: Callable[[], Awaitable[T]]) -> T | None:
        """What the store answers, however long it is away; None when this process ends meanwhile."""
        pause_s, longest_s = STORE_AWAY_S
        while True:
            try:
                return await ask()
            except UpstreamError as error:
                _log.warning("runs rest: %s", error.wire())
            if not await self.lifetime.rest(pause_s):
                return None
            pause_s = min(pause_s * 2, longest_s)

    async def _slot(self, slots: anyio.Semaphore) -> bool:
        """Wait for a free slot; False when this process ends meanwhile."""
        while not self.lifetime.stopping:
            with anyio.move_on_after(1.0):
                await slots.acquire()
                return True
        return False

    async def advance(self, held: Held) -> Obj:
        """One step; while the store is away, again and again."""
        pause_s, longest_s = STORE_AWAY_S
        stretch = self._stretches.get(held.run_id) or Stretch(self.lifetime, 0, None)
        while True:
            try:
                said = await self.engine.advance(held, stretch)
            except UpstreamError as error:
                _log.warning("run %s rests: %s", held.run_id, error.wire())
            else:
                if said.next == "again":
                    stretch.wished = False
                return {"next": said.next, "over": said.over, "state": said.state}
            if not await self.lifetime.rest(pause_s):
                return {"next": "", "over": True, "state": "handed_over"}
            pause_s = min(pause_s * 2, longest_s)

    async def end(self, held: Held, state: str) -> None:
        """The workflow has no more to do here."""
        try:
            if state == "handed_over":
                await self.ledger.let_go(held)
            elif state in ENDED:
                await self._tell_end(held.run_id)
        except AiopsError as error:
            _log.warning("run %s: %s", held.run_id, error.wire())
        finally:
            if stretch := self._stretches.pop(held.run_id, None):
                self._begun.discard((held.run_id, stretch.generation))
                stretch.leave()
            if not self._stretches:
                self._idle.set()

    async def _tell_end(self, run_id: str) -> None:
        if self._ended is not None:
            await self._ended(run_id)
        await self.ledger.told(run_id)

    # What looks after others.

    async def look_forever(self) -> None:
        """Look again and again until the process stops."""
        going = not self.lifetime.stopping
        while going:
            opened = 0
            try:
                opened = await self.look()
            except AiopsError as error:
                _log.warning("runs: %s", error.wire())
            except Exception:  # noqa: BLE001  # whatever DBOS raises: who looks no more keeps its runs for ever
                _log.exception("runs: this look failed")
            going = await self.lifetime.rest(LOOK_EVERY_S if opened or self._stretches else IDLE_LOOK_S)

    async def look(self) -> int:
        """Wake, take over, hear wishes; how many runs are open."""
        seen = await self.waker.look(self.executor)
        for run_id in seen.wished:
            self.nudge(run_id)
        for run_id in await self.ledger.untold():
            if run_id not in self._stretches:
                await self._tell_end(run_id)
        await self._free(set(seen.mine))
        for run_id in seen.awake:
            await self._claim(run_id)
        for executor, runs in seen.others.items():
            await self._take_over(executor, runs)
        return seen.opened

    async def _free(self, mine: set[Stint]) -> None:
        """Set free what the store says is carried on here and is not: a start that failed, a workflow that
        DBOS ended because it could not record a step. It is claimed anew, under another generation.
        """
        now = anyio.current_time()
        self._starting = {one: at for one, at in self._starting.items() if now - at < BEGIN_WITHIN_S}
        left = mine - self._begun - self._starting.keys()
        for run_id, generation in left & self._left:
            _log.warning("run %s stood still here and is set free", run_id)
            await self.ledger.set_free(run_id, generation, self.executor)
        self._left = left

    async def _claim(self, run_id: str) -> None:
        """Carry on what waits no more, or what was handed over."""
        if self.lifetime.stopping:
            return
        await self.ready()
        generation = await self.waker.claim(run_id, self.executor)
        if generation is not None:
            await self.start(run_id, generation)

    async def _take_over(self, executor: str, runs: tuple[tuple[str, int], ...]) -> None:
        if self.lifetime.stopping:
            return
        await self.ready()
        dead = await anyio.to_thread.run_sync(partial(self._is_dead, executor))
        if not dead:
            return
        await self._open()
        await anyio.to_thread.run_sync(partial(self._adopt, executor, runs))

    def _is_dead(self, executor: str) -> bool:
        with self.locks.dead(executor) as dead:
            return bool(dead)

    def _adopt(self, executor: str, runs: tuple[tuple[str, int], ...]) -> None:
        with self.locks.dead(executor) as dead:
            if not dead:
                return
            for run_id, generation in runs:
                if self.durable.adopt(run_id, generation, executor):
                    _log.warning("run %s is taken over from %s", run_id, executor)

    async def _open(self) -> None:
        await self.ready()
        self.lifetime.check()
        if not self.durable.opened:
            await anyio.to_thread.run_sync(self.durable.open, self, asyncio.get_running_loop())

    async def stop(self) -> None:
        """Steps under way end, runs are handed over, DBOS and the lock go. The lifetime ended before."""
        with anyio.move_on_after(self.lifetime.left_s):
            await self._idle.wait()
        await anyio.to_thread.run_sync(self.durable.close)
        if self._held:
            await anyio.to_thread.run_sync(self.locks.release)
            self._held = False
