"""`kill -9` at each point of each step, on both databases: what is lost or done twice (`moments`: at any).

Four lanes, two for each database, each a process with a lab and replicas of its own. Beside the process that
dies there is another one on SQLite and there are two others on PostgreSQL.
"""

import multiprocessing
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import anyio

from evals.figures import Row
from faults.ground import Database, Ground, ground
from faults.playing import Kill, Reference, Story, Told, as_json, kills_of, play, reference_of
from faults.stories import every_story
from tests.shared.state.postgres import running

DATABASES: tuple[Database, ...] = ("sqlite", "postgresql")
OTHERS: dict[Database, int] = {"sqlite": 1, "postgresql": 2}
TAKEOVER_S = 10.0
LONGEST_S = 2700.0  # after that no further kill is begun, and the page says how many were not
LANES = 2  # of each database
Drawing = Callable[[Story, Reference], Sequence[Kill]]  # the kills of one story
Job = tuple[Story, Kill, Reference]


@dataclass
class Share:
    """What one lane came to. `left`: kills for which no time was left."""

    told: list[Told] = field(default_factory=list)
    wanted: list[tuple[str, Kill]] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    left: int = 0


def rows(seed: int) -> list[Row]:
    """All lanes at once; nothing is drawn. The worlds are those of seed 0, as on the pages."""
    del seed
    found: list[Row] = []
    for database, shares in played(_aimed).items():
        found += _rows(database, shares)
    return found


def played(lane: Callable[[Database, str, int], Share]) -> dict[Database, list[Share]]:
    """What the lanes of each database came to, all played at once."""
    with TemporaryDirectory(prefix="eks-aiops-pg-") as folder, postgresql(Path(folder)) as url:
        lanes = [(database, url, number) for database in DATABASES for number in range(LANES)]
        spawned = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(len(lanes), mp_context=spawned) as pool:
            shares = list(pool.map(lane, *zip(*lanes, strict=True)))
    return {
        database: [share for one, share in zip(lanes, shares, strict=True) if one[0] == database]
        for database in DATABASES
    }


@contextmanager
def postgresql(folder: Path) -> Iterator[str]:
    """A server; its SQLAlchemy URL without a database."""
    with running(folder) as url:
        yield url.replace("postgresql://", "postgresql+psycopg://").rpartition("/")[0]


def _aimed(database: Database, url: str, number: int) -> Share:
    seen = set()

    def kills(story: Story, reference: Reference) -> Iterator[Kill]:
        """A step that two stories share is killed in one; of a way back asked for, only the way back."""
        for kill in kills_of(reference):
            which = (story.sop, kill.step, kill.point, bool(kill.nth))
            if which not in seen and (kill.step.startswith("undo/") or not story.back):
                seen.add(which)
                yield kill

    stories = [one for one in every_story() if lane_of(one) == number]
    return anyio.run(partial(play_all, database, url, stories, lambda *of: list(kills(*of))))


def lane_of(story: Story) -> int:
    """The surge of traffic has most steps: what it does fills a lane, its way back goes with the others."""
    return int(story.sop == "traffic-surge-preprovision" and not story.back)


async def play_all(database: Database, url: str, stories: Sequence[Story], kills: Drawing) -> Share:
    """One lane: each story undisturbed, then with each of its kills, those round an effect first."""
    share, began = Share(), time.monotonic()
    async with ground("healthy", 0, url) as place:
        jobs = await _jobs(place, database, stories, kills, share)
        share.wanted = [(story.sop, kill) for story, kill, _ in jobs]
        for done, (story, kill, reference) in enumerate(jobs):
            if time.monotonic() - began > LONGEST_S:
                share.left = len(jobs) - done
                break
            told = await play(place, story, database, kill, reference, replicas=OTHERS[database])
            sys.stderr.write(f"{done + 1}/{len(jobs)} {as_json(told)}\n")
            share.told.append(told)
    return share


async def _jobs(
    place: Ground, database: Database, stories: Sequence[Story], kills: Drawing, share: Share
) -> list[Job]:
    found: list[Job] = []
    for story in stories:
        try:
            reference = await reference_of(place, story, database)
        except RuntimeError as error:
            share.failed.append(str(error))
            sys.stderr.write(f"{error}\n")
            continue
        found += [(story, kill, reference) for kill in kills(story, reference)]
    return sorted(found, key=lambda one: "effect" not in one[1].point)


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
            yield row_of(f"{where}: {story.says}, killed at the points of its steps", mine)
    yield _between(where, shares)
    yield _takeover(where, told)
    yield Row(f"{where}: kills that were planned and not played for want of time", "0", str(left), not left)


def row_of(what: str, told: Sequence[Told], wanted: int = 1) -> Row:
    """What a set of kills came to. `wanted`: as many must have hit a run that was open."""
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
        speed=True,
    )
