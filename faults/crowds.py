"""Many at once: a flood of events, fifty runs, two operators at the same instant, the same request twice.

Called by `faults.__main__`. The flood is the bench's own; runs of this part are the real store, engine and
DBOS in two processes, with hands that count (`tests.fakes.runhouses`) instead of a lab.
"""

import multiprocessing
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import anyio

from aiops_shared.clock import SystemClock
from aiops_shared.guardrails import Caller
from bench.events import flood
from evals.figures import Row
from faults.ground import Database
from faults.kills import DATABASES, postgresql
from faults.watching import ENDED
from tests.fakes.runhouses import ByHand, RunHouse
from tests.faults.sop_child import TWO

RUNS, ROUNDS = 50, 100
WITHIN_S = 120.0
Did = list[tuple[str, bool]]  # run id, whether it was there already


def rows(seed: int) -> list[Row]:
    """Every figure."""
    del seed
    found = [
        Row(what, target, measured, met == "met", speed=measured.endswith(" s"))
        for what, target, measured, met in flood()
    ]
    for database in DATABASES:
        found += [_fifty(database), _operators(database), _same_key(database)]
    return found


def _fifty(database: Database) -> Row:
    with _place(database) as (folder, url):
        began = time.monotonic()
        ended = [end for part in _both(_carry, folder, url) for end in part]
        took_s = time.monotonic() - began
        counted = Counter(_house(folder, url, byhand=True).hands.effects())
    twice = sum(1 for n in counted.values() if n > 1)
    wanted = {f"do n-{number}-{which}" for number in range(RUNS) for which in "ab"}
    right = counted.keys() == wanted and not twice and Counter(ended) == {"succeeded": RUNS}
    return Row(
        f"{database}: {RUNS} runs at once on different targets, two processes",
        f"{RUNS} succeeded, {2 * RUNS} effects, 0 twice",
        f"{Counter(ended)['succeeded']} succeeded, {counted.total()} effects, {twice} twice; {took_s:.0f} s",
        right,
    )


def _operators(database: Database) -> Row:
    with _place(database) as (folder, url):
        one, other = _both(_start_rounds, folder, url)
    same = sum(a[0] == b[0] for a, b in zip(one, other, strict=True))
    exactly_one = sum(a[1] != b[1] for a, b in zip(one, other, strict=True))
    return Row(
        f"R11, {database}: two operators in two processes, same SOP and target, same instant",
        f"{ROUNDS} rounds: one run each, the other gets its id",
        f"{len(one)} rounds: {same} with one run, {exactly_one} where exactly one was told it runs already",
        same == exactly_one == ROUNDS,
    )


def _same_key(database: Database) -> Row:
    with _place(database) as (folder, url):
        one, other = _both(_start_keys, folder, url)
    same = sum(a[0] == b[0] for a, b in zip(one, other, strict=True))
    return Row(
        f"R12, {database}: the same request with the same key from two processes, same instant",
        f"{ROUNDS} rounds: the same run",
        f"{same} of {len(one)}",
        same == len(one) == ROUNDS,
    )


@contextmanager
def _place(database: Database) -> Iterator[tuple[Path, str]]:
    with TemporaryDirectory(prefix="eks-aiops-crowd-") as folder:
        house = Path(folder) / "house"
        house.mkdir()
        if database == "sqlite":
            yield house, ""
            return
        server = Path(folder) / "server"
        server.mkdir()
        Path(folder).chmod(0o755)  # PostgreSQL runs as another user than root
        with postgresql(server) as url:
            yield house, f"{url}/postgres"


def _house(folder: Path, url: str, *, byhand: bool = False) -> RunHouse:
    workflows = ByHand(f"exe_{os.getpid()}") if byhand else None  # each process holds its own lock
    house = RunHouse(
        folder, SystemClock(), workflows=workflows, concurrency=RUNS, database_url=url, state_url=url
    )
    house.library.add(TWO)
    return house


def _both(what: Callable[..., Any], folder: Path, url: str) -> Sequence[Any]:
    """Do it in two processes, told to begin each round at the same instant; what each says."""
    house = _house(folder, url, byhand=True)
    house.store.run_now(lambda conn: None)  # the tables
    house.store.close()
    spawned = multiprocessing.get_context("spawn")
    barrier, answers = spawned.Barrier(2), spawned.SimpleQueue()
    pair = [
        spawned.Process(target=_in_process, args=(what, number, folder, url, barrier, answers))
        for number in range(2)
    ]
    for one in pair:
        one.start()
    found = dict([answers.get(), answers.get()])
    for one in pair:
        one.join()
    return [found[0], found[1]]


def _in_process(
    what: Callable[..., Any], number: int, folder: Path, url: str, barrier: Any, answers: Any
) -> None:
    said: Any = []
    try:
        said = anyio.run(partial(what, number, folder, url, barrier))
    finally:
        barrier.abort()
        answers.put((number, said))


async def _carry(number: int, folder: Path, url: str, barrier: Any) -> list[str]:
    async with _house(folder, url).running(looking=True) as house:
        await anyio.to_thread.run_sync(barrier.wait)
        mine = range(number, RUNS, 2)
        run_ids: list[str] = []

        async def start(n: int) -> None:
            run = await house.start("two", params={"name": f"n-{n}"}, caller=Caller(name=f"p-{n}"))
            run_ids.append(run.run_id)

        async with anyio.create_task_group() as tasks:
            for n in mine:
                tasks.start_soon(start, n)
        states: dict[str, str] = {}
        with anyio.move_on_after(WITHIN_S):
            while len(states) < len(run_ids):
                for run_id in set(run_ids) - states.keys():
                    if (state := (await house.desk.ledger.load(run_id)).state) in ENDED:
                        states[run_id] = state
                await anyio.sleep(0.1)
        return [states.get(run_id, "lost") for run_id in run_ids]


async def _start_rounds(number: int, folder: Path, url: str, barrier: Any) -> Did:
    found: Did = []
    async with _house(folder, url, byhand=True).running() as house:
        for n in range(ROUNDS):
            barrier.wait()
            caller = Caller(name=f"operator-{number}-{n}")
            run = await house.start("two", params={"name": f"t-{n}"}, caller=caller)
            found.append((run.run_id, run.already_running))
    return found


async def _start_keys(number: int, folder: Path, url: str, barrier: Any) -> Did:
    del number
    found: Did = []
    async with _house(folder, url, byhand=True).running() as house:
        for n in range(ROUNDS):
            barrier.wait()
            key, caller = f"key-{n:05}", Caller(name=f"client-{n}")
            run = await house.start("two", params={"name": f"k-{n}"}, caller=caller, idempotency_key=key)
            found.append((run.run_id, run.already_running))
    return found
