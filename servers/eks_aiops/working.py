"""`eks-aiops worker`: carries runs on and takes events in, without an MCP client.

Any number of workers and sop servers on one store share the work; a run is carried on by one of them at a
time. SIGTERM or Ctrl-C: no step begins any more, those under way end, the rest is handed over (R22).
"""

import signal
import sys
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Final

import anyio

from aiops_shared.app.logs import log_to_stderr
from aiops_shared.settings import Settings

if TYPE_CHECKING:
    from anyio.abc import TaskGroup

    from aiops_sop.server import Wiring

Listener = Callable[["Wiring"], Coroutine[None, None, None]]


async def _take_events(parts: "Wiring") -> None:
    """Work events off; POST /events, where AIOPS_EVENTS_LISTEN says; runs until it is cancelled."""
    parts.event_desk.begin()
    if parts.settings.events.listen:
        from aiops_sop.clients.events_http import serve_events

        await serve_events(parts)


LISTENERS: Final[tuple[Listener, ...]] = (_take_events,)


async def work(settings: Settings | None = None, listeners: tuple[Listener, ...] = LISTENERS) -> int:
    """Until a signal ends it. Raises AiopsError when the store or the settings are wrong."""
    from aiops_sop.server import Wiring, served

    settings = settings or Settings()
    log_to_stderr(settings.log_level)
    parts = Wiring(settings)
    server = served(parts)
    async with parts.running(server), anyio.create_task_group() as tasks:
        await parts.run_desk.runner.ready()
        sys.stderr.write(f"worker: carries runs of {settings.state.database_url.split('@')[-1]} on\n")
        for listen in listeners:
            tasks.start_soon(listen, parts)
        await _signalled(tasks)
    sys.stderr.write("worker: handed over\n")
    return 0


async def _signalled(tasks: "TaskGroup") -> None:
    with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async for _ in signals:
            tasks.cancel_scope.cancel()
            return
