"""A flood of events through POST /events: folded, committed, nothing lost; how long and how much memory.

Called by `bench.__main__` (part `events`). 500 different events of 20 clusters, each 20 times, interleaved,
by eight senders of another process over loopback; nobody works the queue off meanwhile. Event to first
action is measured where
a whole suite runs.
"""

import gc
import json
import resource
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import anyio
import anyio.to_process
import httpx
from sqlalchemy import func, select

from aiops_shared.clock import SystemClock
from aiops_shared.settings import EventsSettings, StateSettings
from aiops_shared.state import StateStore
from aiops_shared.state.sop_schema import events as table
from aiops_sop.clients.events_http import EventsApp, Tokens, hosts_of, listen
from aiops_sop.clients.intake import EventQueue
from bench.rows import Row, met, verdict

DIFFERENT, REPEATED, CLUSTERS, SENDERS = 500, 20, 20, 8
MOST_S, MOST_MB = 60.0, 64.0
TOKEN = "bench-token-of-loopback"  # noqa: S105  # of a server that lives for a minute on loopback


def flood() -> list[Row]:
    """The rows of this part."""
    with TemporaryDirectory() as folder:
        return anyio.run(_flood, Path(folder))


async def _flood(folder: Path) -> list[Row]:
    store = StateStore(StateSettings(dir=folder))
    queue = EventQueue(store, SystemClock(), EventsSettings(), "bench")
    file = folder / "tokens"
    await anyio.Path(file).write_text(f"bench:{TOKEN}\n")
    app = EventsApp(queue, Tokens.of(file), hosts_of("127.0.0.1"))
    ports: list[int] = []
    up = anyio.Event()

    def started(port: int) -> None:
        ports.append(port)
        up.set()

    async with anyio.create_task_group() as tasks:

        async def serve() -> None:
            await listen(app, "127.0.0.1", 0, started=started)

        tasks.start_soon(serve)
        await up.wait()
        bodies = [json.dumps(_event(n)).encode() for n in range(DIFFERENT)] * REPEATED
        await _sent(ports[0], bodies[:1])  # the store is opened by the first
        gc.collect()
        before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        began = time.perf_counter()
        await anyio.to_process.run_sync(_send, ports[0], bodies[1:])
        took_s = time.perf_counter() - began
        grown_mb = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kb) / 1024
        tasks.cancel_scope.cancel()
    query = select(func.count(), func.sum(table.c["count"]))
    rows, counted = await store.read(lambda conn: conn.execute(query).one())
    store.close()
    total = DIFFERENT * REPEATED
    what = f"{total:,} events ({DIFFERENT} different, {REPEATED} each) through POST /events, SQLite"
    kept = verdict((rows, counted) == (DIFFERENT, total))
    return [
        (what, f"≤ {MOST_S:.0f} s", f"{took_s:.1f} s", met(took_s, MOST_S)),
        ("… kept, of those sent", f"{total:,} in {DIFFERENT} rows", f"{counted:,} in {rows}", kept),
        ("… memory grown", f"≤ {MOST_MB:.0f} MB", f"{grown_mb:.1f} MB", met(grown_mb, MOST_MB)),
    ]


def _send(port: int, bodies: Sequence[bytes]) -> None:
    """All senders, in a process of their own: what a sender costs is not the server's time."""

    async def every() -> None:
        async with anyio.create_task_group() as senders:
            for n in range(SENDERS):
                senders.start_soon(_sent, port, bodies[n::SENDERS])

    anyio.run(every)


async def _sent(port: int, bodies: Sequence[bytes]) -> None:
    headers = {"authorization": f"Bearer {TOKEN}"}
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=30) as client:
        for body in bodies:
            answer = await client.post("/events", content=body)
            answer.raise_for_status()


def _event(number: int) -> dict[str, Any]:
    about = {"kind": "Pod", "name": f"shop-{number:03d}x-6c9d7f5b8-x2k4q"}
    detail = {"cluster": f"c{number % CLUSTERS}", "namespace": "shop", "involvedObject": about}
    told = {**detail, "reason": "BackOff", "count": 9, "message": "Back-off restarting failed container"}
    return {"source": "eks-aiops", "detail-type": "Kubernetes Event", "detail": told}
