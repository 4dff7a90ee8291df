"""Where runs live: a task group of the server's lifespan, so that they outlive the call that began them.

At the end of the lifespan no new step begins; the steps under way finish, waits end at once, and what is
left is handed over to whichever process takes it (R22).
"""

import asyncio
import math
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any
from weakref import WeakSet

import anyio
from anyio.abc import TaskGroup

from aiops_shared.auth.acting import as_nobody
from aiops_shared.clock import Clock
from aiops_shared.errors import NotConfiguredError

HAND_OVER_S = 25.0  # a step under way may take so long to end after a stop (R22: handed over in 30 s)
_OPEN: WeakSet["Lifetime"] = WeakSet()  # those of this process


class HandOverError(Exception):
    """This process stops; another one carries the action on."""


class Lifetime:
    """The span in which this process may carry actions on."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._tasks: TaskGroup | None = None
        self._stopping = anyio.Event()
        self._until = math.inf
        self._waits: set[anyio.CancelScope] = set()

    @asynccontextmanager
    async def open(self) -> AsyncIterator["Lifetime"]:
        """Runs may be launched inside of this block; it ends when their current steps did."""
        # A task of its own: frameworks enter and leave a lifespan under different cancel scopes, which a task
        # group in the lifespan's own task does not survive.
        self._stopping, ready, self._until = anyio.Event(), anyio.Event(), math.inf
        _OPEN.add(self)
        task = asyncio.get_running_loop().create_task(self._live(ready), name="aiops-runs")
        await ready.wait()
        try:
            yield self
        finally:
            _OPEN.discard(self)
            self.stop()
            await task

    async def _live(self, ready: anyio.Event) -> None:
        async with anyio.create_task_group() as tasks:
            self._tasks = tasks
            ready.set()
            await self._stopping.wait()
        self._tasks = None

    def stop(self) -> None:
        """Begin no step any more; end every wait. Callable from a signal handler's task, and again."""
        if not self.stopping:
            self._until = anyio.current_time() + HAND_OVER_S
        self._stopping.set()
        for scope in self._waits:
            scope.cancel()

    @property
    def stopping(self) -> bool:
        """Whether the end began."""
        return self._stopping.is_set()

    @property
    def left_s(self) -> float:
        """Seconds that steps under way have still to end; without bound before the end began."""
        return max(0.0, self._until - anyio.current_time())

    def check(self) -> None:
        """Raises NotConfiguredError when no run could be carried: outside of `open`, or while stopping."""
        if self._tasks is None or self.stopping:
            raise NotConfiguredError(
                "executor", "no server lifespan carries its runs", "try again once it serves"
            )

    def launch(self, work: Callable[..., Coroutine[Any, Any, Any]], *args: object) -> None:
        """Start a run in the background; when the process stops, whoever takes it over does it.

        A task inherits the context of whoever starts it: it is started for nobody, and names itself for whom
        it works (`acting.carried`), so that no work outlives its request with that request's rights.
        """
        if self._tasks is not None and not self.stopping:
            with as_nobody():
                self._tasks.start_soon(work, *args)

    async def wait(self, seconds: float) -> None:
        """Wait in world time. Raises HandOverError when the process stops, also for zero seconds."""
        if seconds > 0 and not self.stopping:
            with anyio.CancelScope() as scope:
                self._waits.add(scope)
                try:
                    await self._clock.sleep(seconds)
                finally:
                    self._waits.discard(scope)
        if self.stopping:
            raise HandOverError

    async def rest(self, seconds: float) -> bool:
        """Wait in real time or until the process stops; whether it goes on."""
        with anyio.move_on_after(seconds):
            await self._stopping.wait()
        return not self.stopping


def stop_all() -> None:
    """The process is told to end: every run in it is handed over, beside whatever else has to end (R22)."""
    for one in tuple(_OPEN):
        one.stop()
