"""What calls, audit records and events cost the state store, SQLite and PostgreSQL: rate, statements, bytes.

Called by `bench.scale`. Each is written by many tasks at once, as a busy server does, and nothing else is
done: the rate is the store's limit, not a server's.
"""

import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import anyio
from sqlalchemy import event, text

from aiops_shared.clock import SystemClock
from aiops_shared.guardrails.audit import Audit
from aiops_shared.guardrails.models import Caller
from aiops_shared.settings import EventsSettings, StateSettings
from aiops_shared.state import Keys, StateStore
from aiops_sop.clients.intake import EventQueue
from bench.rows import Row, verdict
from tests.shared.state.postgres import running as postgresql

AT_ONCE: Final = 16
CALLS, RECORDS, EVENTS, REPEATED = 2_000, 300, 400, 1_600
EVENTS_AN_HOUR: Final = 10_000
CALLS_A_SECOND: Final = 1_000 / 60  # a thousand engineers, a call a minute each
CALLER: Final = Caller(name="engineer-0001", kind="human")
Act = Callable[[int], Awaitable[object]]


@dataclass
class Count:
    """What an engine was told to do."""

    statements: int = 0
    commits: int = 0


def stores() -> list[Row]:
    """The rows of both databases."""
    with TemporaryDirectory() as folder:
        rows = anyio.run(_of, "SQLite", StateSettings(dir=Path(folder)))
    with TemporaryDirectory() as folder, TemporaryDirectory() as data, postgresql(Path(data)) as url:
        return rows + anyio.run(_of, "PostgreSQL", StateSettings(dir=Path(folder), url=url))


async def _of(database: str, settings: StateSettings) -> list[Row]:
    store, clock = StateStore(settings), SystemClock()
    audit = Audit(store, Keys(settings), clock)
    queue = EventQueue(store, clock, EventsSettings(), "bench")
    says = {"what": "logs of pod shop/web-7d9f in container app, the last 200 lines"}

    async def call(number: int) -> None:
        asks = {"kind": "Pod", "namespace": f"team-{number % 50}", "unhealthy_only": True}
        await audit.journal(CALLER, "list_resources", asks, trace="0" * 32, result_digest="0" * 64)

    async def record(_: int) -> None:
        await audit.sensitive_read(CALLER, says["what"], says)

    async def new_event(number: int) -> None:
        await queue.submit(_event(number), "forwarder")

    async def same_event(number: int) -> None:
        await queue.submit(_event(number % EVENTS), "forwarder")

    try:
        await store.run(lambda conn: conn.execute(text("SELECT 1")))
        with _counted(store) as count:
            return [
                await _row(
                    store,
                    count,
                    f"calls written down, {database}",
                    CALLS,
                    call,
                    CALLS_A_SECOND,
                    "call_journal",
                ),
                await _row(
                    store,
                    count,
                    f"audit records (a chain), {database}",
                    RECORDS,
                    record,
                    CALLS_A_SECOND,
                    "audit",
                ),
                await _row(
                    store,
                    count,
                    f"events, each new, {database}",
                    EVENTS,
                    new_event,
                    EVENTS_AN_HOUR / 3600,
                    "events",
                ),
                await _row(
                    store,
                    count,
                    f"events, repeated, {database}",
                    REPEATED,
                    same_event,
                    EVENTS_AN_HOUR / 3600,
                    "",
                ),
            ]
    finally:
        store.close()


@contextmanager
def _counted(store: StateStore) -> Iterator[Count]:
    count, engine = Count(), store._opened()

    def executed(*_: object) -> None:
        count.statements += 1

    def committed(_: object) -> None:
        count.commits += 1

    event.listen(engine, "before_cursor_execute", executed)
    event.listen(engine, "commit", committed)
    yield count


async def _row(
    store: StateStore, count: Count, what: str, times: int, act: Act, wanted: float, table: str
) -> Row:
    await act(0)  # what is prepared once is prepared
    count.statements = count.commits = 0
    held, wal = await store.read(lambda conn: _bytes(conn, table))
    began = time.perf_counter()
    await _all(act, times)
    rate = times / (time.perf_counter() - began)
    statements, commits = count.statements / times, count.commits / times
    now, wal_now = await store.read(lambda conn: _bytes(conn, table))
    size = f", {(now - held) / times:.0f} bytes kept" if table else ""
    log = f", {(wal_now - wal) / times:.0f} bytes of WAL" if wal_now else ""
    says = f"{rate:.0f}/s; each {statements:.1f} statements, {commits:.2f} commits{size}{log}"
    return what, f">= {wanted:.1f}/s", says, verdict(rate >= wanted)


async def _all(act: Act, times: int) -> None:
    waiting = list(range(times))

    async def some() -> None:
        while waiting:
            await act(waiting.pop())

    async with anyio.create_task_group() as tasks:
        for _ in range(AT_ONCE):
            tasks.start_soon(some)


def _bytes(conn: Any, table: str) -> tuple[int, int]:
    """What a table holds with its indexes, and how much was logged so far (PostgreSQL)."""
    if conn.dialect.name == "sqlite":
        pages = text("SELECT coalesce(sum(pgsize), 0) FROM dbstat WHERE name LIKE :name")
        return int(conn.execute(pages, {"name": f"{table}%"}).scalar_one()) if table else 0, 0
    size = text("SELECT pg_total_relation_size(CAST(:name AS regclass))")
    held = int(conn.execute(size, {"name": table}).scalar_one()) if table else 0
    return held, int(conn.execute(text("SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')")).scalar_one())


def _event(number: int) -> dict[str, Any]:
    about = {"kind": "Pod", "name": f"shop-{number:04d}x-6c9d7f5b8-x2k4q"}
    detail = {"cluster": f"c{number % 20}", "namespace": "shop", "involvedObject": about}
    told = {**detail, "reason": "BackOff", "count": 9, "message": "Back-off restarting failed container"}
    return {"source": "eks-aiops", "detail-type": "Kubernetes Event", "detail": told}
