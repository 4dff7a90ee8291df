"""`kill -9` at each point of each step, and at any moment, on both databases: what is lost or done twice.

A step that changes something has ten points (around its plan, intent, effect, outcome and record), one that
only reads has four. The point `after effect` lies between an effect and its outcome: the simulator has taken
the change, and nobody has written that down.
"""

import sys
from collections.abc import AsyncIterator, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import anyio

from evals.figures import Row
from faults.ground import Database, Ground, ground
from faults.playing import Kill, Reference, Story, Told, as_json, kills_of, play, random_kills, reference_of
from faults.stories import SOPS, stories_of
from tests.shared.state.postgres import running as postgresql

POINTS = (
    *("step before_intent", "step after_intent", "before intent", "after intent", "after effect"),
    *("before outcome", "after outcome", "step after_effect", "step after_outcome", "step during_undo"),
    *("before undo intent", "after undo intent", "before undo outcome", "after undo outcome"),
    *("before call", "after call", "before record", "after record"),
)
RANDOM = 100  # on each database
TAKEOVER_S = 10.0


def rows(seed: int) -> list[Row]:
    """Both databases, one after the other."""
    return [row for database in ("sqlite", "postgresql") for row in anyio.run(partial(_on, database, seed))]


async def _on(database: Database, seed: int) -> list[Row]:
    """`seed` draws the random moments; the worlds are those of seed 0, whose names the pages know."""
    with TemporaryDirectory(prefix="eks-aiops-pg-") as folder, postgresql_if(database, Path(folder)) as url:
        async with ground("healthy", 0, url) as place:
            return [row async for row in _played(place, database, seed)]


def postgresql_if(database: Database, folder: Path) -> "_Url":
    """A PostgreSQL where one is wanted."""
    return _Url(database, folder)


class _Url:
    """Context of a server's URL without a database, or of nothing."""

    def __init__(self, database: Database, folder: Path) -> None:
        self._server = postgresql(folder) if database == "postgresql" else None

    def __enter__(self) -> str:
        if self._server is None:
            return ""
        return self._server.__enter__().replace("postgresql://", "postgresql+psycopg://").rpartition("/")[0]

    def __exit__(self, *why: object) -> None:
        if self._server is not None:
            self._server.__exit__(None, None, None)


async def _played(place: Ground, database: Database, seed: int) -> AsyncIterator[Row]:
    every: list[Told] = []
    references: list[tuple[Story, Reference]] = []
    for story in (story for sop in SOPS for story in stories_of(sop)):
        reference = await reference_of(place, story, database)
        if not any(point.endswith("effect") for _, point, _ in reference.passages):
            continue  # this one changes nothing
        references.append((story, reference))
        wanted = kills_of(reference, POINTS)
        told = await _all(place, story, database, wanted, reference)
        every += told
        yield _row(f"{story.says}, {database}: killed at each point of each step", told)
    share = RANDOM // max(len(references), 1) + 1
    for story, reference in references:
        told = await _all(place, story, database, random_kills(reference, share, seed), reference)
        every += told
        yield _row(f"{story.says}, {database}: killed at any moment", told)
    yield _between(database, every)
    yield _takeover(database, every)


async def _all(
    place: Ground, story: Story, database: Database, wanted: Sequence[Kill], reference: Reference
) -> list[Told]:
    found = []
    replicas = 2 if database == "postgresql" else 1
    for number, kill in enumerate(wanted):
        told = await play(place, story, database, kill, reference, replicas=replicas)
        sys.stderr.write(f"{number + 1}/{len(wanted)} {as_json(told)}\n")
        found.append(told)
    return found


def _row(what: str, told: Sequence[Told]) -> Row:
    died, wrong = [one for one in told if one.died], [one for one in told if one.wrong]
    lost = sum("lost" in one.wrong for one in told)
    twice = sum(bool(one.twice) for one in told)
    steps = len({one.kill.step for one in told if one.kill.step})
    measured = f"{len(died)} kills in {steps or 'all'} steps: {lost} lost, {twice} twice, {len(wrong)} wrong"
    note = "; ".join(f"{one.kill.says} in {one.kill.step or 'any step'}: {one.wrong}" for one in wrong[:3])
    return Row(
        what, "0 lost, 0 twice, books right, same world", measured, not wrong and bool(died), note=note
    )


def _between(database: Database, told: Sequence[Told]) -> Row:
    killed = {(one.story, one.kill.step) for one in told if one.died and one.kill.point == "after effect"}
    wanted = {(one.story, one.kill.step) for one in told if "effect" in one.kill.point and one.kill.step}
    measured = f"{len(killed)} of {len(wanted)} steps with an effect"
    return Row(
        f"{database}: a kill between effect and outcome", "every such step", measured, killed >= wanted
    )


def _takeover(database: Database, told: Sequence[Told]) -> Row:
    took = sorted(one.takeover_s for one in told if one.takeover_s is not None)
    if not took:
        return Row(f"{database}: takeover", f"<= {TAKEOVER_S:.0f} s", "none seen", met=False)
    measured = f"median {took[len(took) // 2]:.1f} s, longest {took[-1]:.1f} s of {len(took)}"
    return Row(
        f"{database}: takeover of a dead process's run",
        f"<= {TAKEOVER_S:.0f} s",
        measured,
        took[-1] <= TAKEOVER_S,
    )
