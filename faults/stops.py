"""Stopped instead of killed: processes that sleep past their lease, are told to end, or lose store or API.

Called by `faults.__main__`. Each case is a run of a story with one thing going wrong in the middle of it;
it is judged as a killed one is: nothing twice, nothing lost, the same end, the same world, right books.
"""

import multiprocessing
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import anyio
import anyio.to_thread

from aiops_lab.kube.faults import Fault
from evals.figures import Row
from faults.ground import Database, Ground, Replica, ground
from faults.kills import DATABASES, OTHERS, postgresql
from faults.playing import Disturb, Kill, Reference, Story, Told, as_json, play, reference_of
from faults.stories import every_story
from tests.shared.state.postgres import programs

ASLEEP_S = 10.0  # a lease of an action is 6 s
LONG_ASLEEP_S = 60.0
HAND_OVER_S = 30.0
SLEEPY = ("after intent", "before effect", "after effect", "step after_intent")
TOLD = ("before effect", "after effect", "step after_intent", "before call")
CHANGES = {"disk-pressure": "clean", "memory-spike": "rollback"}  # world -> its step with an effect


@dataclass(frozen=True)
class Case:
    """One database, one story, its undisturbed run."""

    place: Ground
    database: Database
    story: Story
    reference: Reference

    @property
    def step(self) -> str:
        """The step that changes something."""
        return CHANGES[self.story.scenario]

    async def played(
        self,
        kill: Kill,
        *,
        then: Disturb | None = None,
        before: Callable[[], None] | None = None,
        waits: bool = True,
    ) -> Told:
        """One run of it."""
        others, name = OTHERS[self.database], self.database
        told = await play(self.place, self.story, name, kill, self.reference, others, then, before, waits)
        sys.stderr.write(f"{as_json(told)}\n")
        return told


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
            return [row async for row in _cases(place, database, Path(folder))]


async def _cases(place: Ground, database: Database, server: Path) -> AsyncIterator[Row]:
    chosen = [one for one in every_story() if one.scenario in CHANGES and not one.back]
    cases = [Case(place, database, one, await reference_of(place, one, database)) for one in chosen]
    where = f"{database}, {OTHERS[database] + 1} processes"
    yield row_of(
        f"R19, {where}: one stopped (SIGSTOP) for {ASLEEP_S:.0f} s around its effect, then continued",
        [await _asleep(case, point) for case in cases for point in SLEEPY],
    )
    yield row_of(
        f"R19, {where}: one stopped for {LONG_ASLEEP_S:.0f} s around its effect, then continued",
        [await _asleep(cases[-1], "after intent", LONG_ASLEEP_S)],
    )
    yield row_of(
        f"R7 and R19, {where}: one stopped, another one killed meanwhile, the first continued",
        [await _asleep_and_killed(case) for case in cases],
    )
    ended = [await case.played(_at(case, point, signal.SIGTERM)) for case in cases for point in TOLD]
    yield row_of(f"R22, {where}: told to end (SIGTERM) in the middle of a step", ended)
    yield _ended(where, ended)
    yield row_of(
        f"R1, {where}: Kubernetes or AWS throttle changes (429)", [await _throttled(case) for case in cases]
    )
    yield row_of(
        f"R2, {where}: the connection breaks after a change is done, its answer is lost",
        [await _answerless(case) for case in cases if case.story.scenario == "memory-spike"],
    )
    yield await _away(cases[-1], server)


def _at(case: Case, point: str, sign: int) -> Kill:
    return Kill(point, 0, case.step, sign=sign)


async def _asleep(case: Case, point: str, asleep_s: float = ASLEEP_S) -> Told:
    async def wake(living: list[Replica]) -> None:
        await anyio.sleep(asleep_s)
        living[0].signal(signal.SIGCONT)
        await anyio.sleep(1.0)  # it has time for a wrong write

    return await case.played(_at(case, point, signal.SIGSTOP), then=wake)


async def _asleep_and_killed(case: Case) -> Told:
    async def kill_and_wake(living: list[Replica]) -> None:
        await anyio.sleep(ASLEEP_S - 2)
        living[1].signal(signal.SIGKILL)
        await anyio.sleep(2)
        living[0].signal(signal.SIGCONT)
        await anyio.sleep(1.0)

    return await case.played(_at(case, "after effect", signal.SIGSTOP), then=kill_and_wake)


async def _away(case: Case, server: Path) -> Row:
    """The store is away in the middle: PostgreSQL stopped, SQLite's writer lock held by somebody."""
    found = [
        await case.played(Kill("never"), then=outage(case, server, away_s), waits=False)
        for away_s in (0.0, 5.0, 20.0)
    ]
    how = "stopped and started" if case.database == "postgresql" else "its writer lock held"
    return row_of(f"R8, {case.database}: {how} for 0, 5 and 20 s in the middle of a run", found)


def outage(case: Case, server: Path, away_s: float) -> Disturb:
    """Away for so long, half a second after the run began."""

    async def then(_: list[Replica]) -> None:
        await anyio.sleep(0.5)
        if case.database == "postgresql":
            await anyio.to_thread.run_sync(_pg_ctl, server, "-m", "immediate", "stop")
            await anyio.sleep(away_s)
            options = (server / "data" / "postmaster.opts").read_text(encoding="utf-8").split('"')[1::2]
            await anyio.to_thread.run_sync(_pg_ctl, server, "-o", " ".join(options), "start")
            return
        file = max(case.place.folder.glob("h*/state.db"), key=lambda path: path.stat().st_mtime)
        held = sqlite3.connect(file, isolation_level=None, timeout=10)
        held.execute("BEGIN IMMEDIATE")
        await anyio.sleep(away_s)
        held.execute("ROLLBACK")
        held.close()

    return then


def _pg_ctl(server: Path, *arguments: str) -> None:
    subprocess.run(
        [
            str(programs()) + "/pg_ctl",
            "-D",
            str(server / "data"),
            "-w",
            "-l",
            str(server / "log"),
            *arguments,
        ],
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=server,
        user="nobody" if os.geteuid() == 0 else None,
    )


async def _throttled(case: Case) -> Told:
    writes = frozenset({"create", "update", "patch", "delete"})

    def broken() -> None:
        case.place.lab.set_faults([Fault("throttle", times=2, verbs=writes)])
        case.place.lab.fail_aws("ssm", "SendCommand", code="ThrottlingException", status=400, times=2)

    return await case.played(Kill("never"), before=broken, waits=False)


async def _answerless(case: Case) -> Told:
    def broken() -> None:
        case.place.lab.set_faults([Fault("reset_after", times=2, verbs=frozenset({"update", "patch"}))])

    return await case.played(Kill("never"), before=broken, waits=False)


def row_of(what: str, told: Sequence[Told]) -> Row:
    """What a set of runs came to."""
    lost, twice = sum(one.lost for one in told), sum(bool(one.twice) for one in told)
    wrong = [one for one in told if one.wrong]
    missed = sum(one.kill.point != "never" and not one.died for one in told)
    measured = f"{len(told)} runs: {lost} lost, {twice} twice, {len(wrong)} wrong in any way"
    note = "; ".join(f"{one.story}, {one.kill.says}: {one.wrong}" for one in wrong[:6])
    if missed:
        measured += f"; {missed} never came to the point"
    target = "0 lost, 0 twice, same end, same world, books right"
    return Row(what, target, measured, not wrong and not missed, note=note)


def _ended(where: str, told: Sequence[Told]) -> Row:
    took = sorted(one.ended_s for one in told if one.ended_s is not None)
    longest = took[-1] if took else float("inf")
    measured = f"longest {longest:.1f} s of {len(took)}"
    return Row(
        f"R22, {where}: from SIGTERM to the process's end",
        f"< {HAND_OVER_S:.0f} s",
        measured,
        longest < HAND_OVER_S,
        speed=bool(took),
    )
