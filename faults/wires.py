"""What lies between the suite and the rest, broken in the middle of a run: R1, R3, R5, R6 and R8.

Called by `faults.__main__`. Cases are those of `stops`: one run each, judged in the same way. What is broken
on the wires does not hang on the database, so it is played on SQLite alone; the store's own troubles on both.
"""

import multiprocessing
import resource
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import anyio

from aiops_lab.kube.faults import Fault
from evals.figures import Row
from faults.ground import Database, Replica, ground
from faults.kills import DATABASES, OTHERS, postgresql
from faults.playing import Disturb, Kill, Told, reference_of
from faults.stops import CHANGES, Case, outage, row_of
from faults.stories import every_story

MINUTE_S, SHARES = 60.0, (0.1, 0.5, 1.0)
AWAY_S = 40.0
SICK_S = 10.0  # how long a store is full, read-only or cut off again and again
WRITES = frozenset({"create", "update", "patch", "delete"})
AWS: dict[str, dict[str, Any]] = {
    "ExpiredTokenException": {"code": "ExpiredTokenException", "status": 403, "times": 2},
    "InternalServerError": {"code": "InternalServerError", "status": 500, "times": 6},
    "half an answer": {"cut": True, "times": 6},
}


def rows(seed: int) -> list[Row]:
    """Every case; both databases at the same time."""
    del seed
    spawned = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(len(DATABASES), mp_context=spawned) as pool:
        return [row for some in pool.map(_on_one, DATABASES) for row in some]


def _on_one(database: Database) -> list[Row]:
    return anyio.run(_on, database)


async def _on(database: Database) -> list[Row]:
    with TemporaryDirectory(prefix="eks-aiops-pg-") as folder, postgresql(Path(folder)) as url:
        async with ground("healthy", 0, url) as place:
            chosen = [one for one in every_story() if one.scenario in CHANGES and not one.back]
            cases = {
                one.scenario: Case(place, database, one, await reference_of(place, one, database))
                for one in chosen
            }
            kube, aws = cases["memory-spike"], cases["disk-pressure"]
            found = [row async for row in _store(kube, Path(folder), url)]
            if database == "sqlite":
                found += [row async for row in _upstream(kube, aws)]
            return found


async def _upstream(kube: Case, aws: Case) -> AsyncIterator[Row]:
    for share in SHARES:
        yield row_of(
            f"R1: Kubernetes throttles {share:.0%} of all requests (429, Retry-After 1) for {MINUTE_S:.0f} s",
            [await _throttled(kube, share)],
        )
    yield row_of("R3: two changes stall for 30 s", [await _stalled(kube)])
    steps = list(dict.fromkeys(step for _, point, step in kube.reference.passages if point == "before call"))
    refused = [await _refused(kube, step) for step in steps]
    yield row_of(f"R5: credentials refused twice at each of {len(steps)} steps, then accepted", refused)
    for name, how in AWS.items():
        yield row_of(f"R6: SendCommand answers {name}", [await _failing(aws, **how)])


async def _throttled(case: Case, share: float) -> Told:
    lab = case.place.lab

    async def then(_: list[Replica]) -> None:
        await anyio.sleep(MINUTE_S)
        lab.faults.clear()

    def broken() -> None:
        lab.set_faults([Fault("throttle", times=None, share=share)])

    return await case.played(Kill("never"), before=broken, then=then, waits=False)


async def _stalled(case: Case) -> Told:
    def broken() -> None:
        case.place.lab.set_faults([Fault("stall", times=2, stall_s=30.0, verbs=WRITES)])

    return await case.played(Kill("never"), before=broken, waits=False)


async def _refused(case: Case, step: str) -> Told:
    """From the step's first call on two requests are refused: the renewed token is refused as well."""

    async def then(living: list[Replica]) -> None:
        while not any(_passed(one, step) for one in living):
            await anyio.sleep(0.02)
        case.place.lab.set_faults([Fault("error", times=2, status=401)])

    return await case.played(Kill("never"), then=then, waits=False)


def _passed(one: Replica, step: str) -> bool:
    return one.trace.exists() and f'"before call", "{step}"' in one.trace.read_text(encoding="utf-8")


async def _failing(case: Case, **how: Any) -> Told:
    def broken() -> None:
        case.place.lab.fail_aws("ssm", "SendCommand", **how)

    return await case.played(Kill("never"), before=broken, waits=False)


async def _store(case: Case, server: Path, url: str) -> AsyncIterator[Row]:
    where = f"R8, {case.database}, {OTHERS[case.database] + 1} processes"
    away = await case.played(Kill("never"), then=outage(case, server, AWAY_S), waits=False)
    yield row_of(f"{where}: away for {AWAY_S:.0f} s in the middle of a run", [away])
    if case.database == "sqlite":
        full = await case.played(Kill("never"), then=_full, waits=False)
        yield row_of(f"{where} (and R9): nothing can be written to disk for {SICK_S:.0f} s", [full])
        return
    for what, sick in (("its connections are cut again and again", _cut), ("read-only", _read_only)):
        told = await case.played(Kill("never"), then=_sick(url, sick), waits=False)
        yield row_of(f"{where}: {what} for {SICK_S:.0f} s", [told])


async def _full(living: list[Replica]) -> None:
    """No process may make a file longer, or write one anew (EFBIG): SQLite's error of a full disk."""
    await anyio.sleep(0.5)
    for one in living:
        _limit(one, 0)
    await anyio.sleep(SICK_S)
    for one in living:
        _limit(one, resource.RLIM_INFINITY)


def _limit(one: Replica, most_bytes: int) -> None:
    with suppress(ProcessLookupError):
        resource.prlimit(one.pid, resource.RLIMIT_FSIZE, (most_bytes, resource.RLIM_INFINITY))


Sick = Callable[[Callable[[str], None]], Awaitable[None]]


def _sick(url: str, sick: Sick) -> Disturb:
    async def then(_: list[Replica]) -> None:
        import psycopg

        await anyio.sleep(0.5)
        plain = url.replace("+psycopg", "") + "/postgres"
        with psycopg.connect(plain, autocommit=True) as connection:
            await sick(lambda statement: _run(connection, statement))

    return then


def _run(connection: object, statement: str) -> None:
    connection.execute(statement.encode())  # type: ignore[attr-defined]  # psycopg's, imported where it is needed


async def _cut(run: Callable[[str], None]) -> None:
    for _ in range(int(SICK_S * 2)):
        run(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
            " AND backend_type = 'client backend'"
        )
        await anyio.sleep(0.5)


async def _read_only(run: Callable[[str], None]) -> None:
    """New transactions are read-only, also on connections that are open."""
    run("ALTER SYSTEM SET default_transaction_read_only = on")
    run("SELECT pg_reload_conf()")
    await anyio.sleep(SICK_S)
    run("SET default_transaction_read_only = off")
    run("ALTER SYSTEM SET default_transaction_read_only = off")
    run("SELECT pg_reload_conf()")
