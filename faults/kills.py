"""`kill -9` at each point of each step, and at any moment, on both databases: what is lost or done twice.

Four lanes, two for each database, each a process with a lab and replicas of its own. Beside the process that
dies there is another one on SQLite and there are two others on PostgreSQL.
"""

import multiprocessing
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import anyio

from evals.figures import Row
from faults.ground import Database, Ground, ground
from faults.playing import Kill, Reference, Story, Told, as_json, kills_of, play, random_kills, reference_of
from faults.stories import every_story
from tests.shared.state.postgres import running

DATABASES: tuple[Database, ...] = ("sqlite", "postgresql")
LANES = (("disk-pressure",), ("memory-spike-rollback", "traffic-surge-preprovision"))  # of each database
OTHERS: dict[Database, int] = {"sqlite": 1, "postgresql": 2}
RANDOM = 120  # drawn on each database; those that fall after the end of their run do not count
RANDOM_WANTED = 100
RUNNING = 5  # stories that are killed at random: those that succeed
TAKEOVER_S = 10.0
LONGEST_S = 1200.0  # after that no further kill is begun, and the page says how many were not


@dataclass
class Share:
    """What one lane came to. `left`: kills for which no time was left."""

    told: list[Told] = field(default_factory=list)
    wanted: list[tuple[str, Kill]] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    left: int = 0


def rows(seed: int) -> list[Row]:
    """All lanes at once. `seed` draws the random moments; the worlds are those of seed 0, as on the pages."""
    with TemporaryDirectory(prefix="eks-aiops-pg-") as folder, postgresql(Path(folder)) as url:
        lanes = [(database, url, seed, number) for database in DATABASES for number in range(len(LANES))]
        spawned = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(len(lanes), mp_context=spawned) as pool:
            shares = list(pool.map(_lane, *zip(*lanes, strict=True)))
    found = []
    for database in DATABASES:
        mine = [share for lane, share in zip(lanes, shares, strict=True) if lane[0] == database]
        found += list(_rows(database, mine))
    return found


@contextmanager
def postgresql(folder: Path) -> Iterator[str]:
    """A server; its SQLAlchemy URL without a database."""
    with running(folder) as url:
        yield url.replace("postgresql://", "postgresql+psycopg://").rpartition("/")[0]


def _lane(database: Database, url: str, seed: int, number: int) -> Share:
    return anyio.run(partial(_play_all, database, url, seed, number))


async def _play_all(database: Database, url: str, seed: int, number: int) -> Share:
    share, began = Share(), time.monotonic()
    async with ground("healthy", 0, url) as place:
        jobs = await _jobs(place, database, seed, number, share)
        for done, (story, kill, reference) in enumerate(jobs):
            if time.monotonic() - began > LONGEST_S:
                share.left = len(jobs) - done
                break
            told = await play(place, story, database, kill, reference, replicas=OTHERS[database])
            sys.stderr.write(f"{done + 1}/{len(jobs)} {as_json(told)}\n")
            share.told.append(told)
    return share


async def _jobs(
    place: Ground, database: Database, seed: int, number: int, share: Share
) -> list[tuple[Story, Kill, Reference]]:
    """Every kill, those between effect and outcome first. A step that two stories share is killed in one."""
    aimed: list[tuple[Story, Kill, Reference]] = []
    drawn: list[tuple[Story, Kill, Reference]] = []
    references: list[tuple[Story, Reference]] = []
    seen = set()
    for story in (one for one in every_story() if one.sop in LANES[number]):
        try:
            reference = await reference_of(place, story, database)
        except RuntimeError as error:
            share.failed.append(str(error))
            sys.stderr.write(f"{error}\n")
            continue
        references.append((story, reference))
        for kill in kills_of(reference):
            which = (story.sop, kill.step, kill.point, bool(kill.nth))
            if which not in seen:
                seen.add(which)
                aimed.append((story, kill, reference))
    live = [(story, reference) for story, reference in references if story.ends == "succeeded"]
    for story, reference in live:
        kills = random_kills(reference, RANDOM // RUNNING, f"{seed}/{database}/{story.says}")
        drawn.extend((story, kill, reference) for kill in kills)
    share.wanted = [(story.sop, kill) for story, kill, _ in aimed]
    aimed.sort(key=lambda one: "effect" not in one[1].point)
    return [*aimed, *drawn]


def _rows(database: Database, shares: Sequence[Share]) -> Iterator[Row]:
    told = [one for share in shares for one in share.told]
    left, failed = sum(share.left for share in shares), [one for share in shares for one in share.failed]
    where = f"{database}, {OTHERS[database] + 1} processes"
    yield Row(
        f"{where}: undisturbed runs end as their SOPs' proofs say",
        f"all {len(every_story())}",
        f"{len(every_story()) - len(set(failed))}",
        not failed,
        note="; ".join(sorted(set(failed))),
    )
    for story in every_story():
        if mine := [one for one in told if one.story == story.says and one.kill.point]:
            yield _row(f"{where}: {story.says}, killed at the points of its steps", mine)
    at_random = [one for one in told if one.kill.after_s]
    died = sum(one.died for one in at_random)
    row = _row(f"{where}: killed at any moment", at_random, RANDOM_WANTED)
    yield row
    yield _between(where, shares)
    yield _takeover(where, told)
    yield Row(
        f"{where}: kills that were planned and not played for want of time",
        "0",
        str(left),
        not left or died >= RANDOM_WANTED,
    )


def _row(what: str, told: Sequence[Told], wanted: int = 1) -> Row:
    died, wrong = [one for one in told if one.died], [one for one in told if one.wrong]
    lost, twice = sum(one.lost for one in told), sum(bool(one.twice) for one in told)
    steps = len({one.kill.step for one in told if one.kill.step})
    where = f" in {steps} steps" if steps else ""
    measured = f"{len(died)} kills{where}: {lost} lost, {twice} twice, {len(wrong)} wrong in any way"
    note = "; ".join(
        f"{one.story}, {one.kill.says} {one.kill.step} on {one.database}: {one.wrong}" for one in wrong[:6]
    )
    many = f">= {wanted} kills, " if wanted > 1 else ""
    target = f"{many}0 lost, 0 twice, same end, same world, books right"
    return Row(what, target, measured, not wrong and len(died) >= wanted, note=note)


def _between(where: str, shares: Sequence[Share]) -> Row:
    told = [one for share in shares for one in share.told]
    every = [one for share in shares for one in share.wanted]
    wanted = {(sop, kill.step) for sop, kill in every if kill.point == "after effect"}
    killed = {
        (one.story.split()[0], one.kill.step) for one in told if one.died and one.kill.point == "after effect"
    }
    measured = f"{len(killed)} of {len(wanted)}: {', '.join(sorted({step for _, step in killed}))}"
    return Row(
        f"{where}: steps (and ways back) with an effect that were killed between effect and outcome",
        "each",
        measured,
        bool(wanted) and killed >= wanted,
    )


def _takeover(where: str, told: Sequence[Told]) -> Row:
    took = sorted(one.takeover_s for one in told if one.takeover_s is not None)
    work = sorted(one.first_work_s for one in told if one.takeover_s is not None and one.first_work_s)
    if not took:
        return Row(f"{where}: takeover", f"<= {TAKEOVER_S:.0f} s", "none seen", met=False)
    return Row(
        f"{where}: from a process's death until another one has its run",
        f"<= {TAKEOVER_S:.0f} s",
        f"median {took[len(took) // 2]:.1f} s, longest {took[-1]:.1f} s of {len(took)}"
        f" (to its first step: median {work[len(work) // 2]:.1f} s, longest {work[-1]:.1f} s)",
        took[-1] <= TAKEOVER_S,
    )
