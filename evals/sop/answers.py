"""Every question asked once, for all parts: all stories with one seed, and a sixth of the trials.

Of the trials each cause's first positive is meant and every third of the worlds that look like it or are
over. `--seed` says which sixth, so that six runs (0 to 5) play all; seeds of the worlds go round too.
"""

import asyncio
import os
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from typing import Literal

from aiops_lab.scenarios import STORIES
from aiops_lab.scenarios.names import cast
from aiops_lab.scenarios.trials import TRIALS, Trial
from evals.sop.playing import Play, playing
from evals.sop.questions import ELSEWHERE, right
from evals.sop.tied import places

Side = Literal["story", "positive", "look_alike", "recovered"]
SEEDS = 5
EVERY = 3  # of the worlds without the cause
PARTS = 6  # of the trials, one a run
CHUNK = 20  # questions that a process asks of one lab


@dataclass(frozen=True, slots=True)
class Answered:
    """One question, what was right and what was answered."""

    name: str
    seed: int
    side: Side
    wanted: str
    found: str
    confidence: float
    at_place: bool
    took_s: float
    size_bytes: int

    @property
    def is_right(self) -> bool:
        """The right code at rank 1, or rightly none."""
        return self.found == self.wanted and self.at_place


@cache
def answered(seed: int) -> tuple[Answered, ...]:
    """All answers of one run, in the order in which they are asked; a process for each core."""
    wanted = list(asked(seed))
    shares = [wanted[at : at + CHUNK] for at in range(0, len(wanted), CHUNK)]
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        return tuple(one for share in pool.map(_share, shares) for one in share)


def _share(wanted: Sequence[tuple[str, Side, int]]) -> list[Answered]:
    async def all_of_it() -> list[Answered]:
        async with playing() as play:
            return [await _one(play, *each) for each in wanted]

    return asyncio.run(all_of_it())


def asked(seed: int) -> Iterator[tuple[str, Side, int]]:
    """What is played, in this order."""
    for name in STORIES:
        if name not in ELSEWHERE:
            yield name, "story", seed % SEEDS
    for number, trial in enumerate(_sampled()):
        if number % PARTS == seed % PARTS and trial.scenario.name not in STORIES:
            yield trial.scenario.name, trial.role, (seed + number) % SEEDS


def _sampled() -> Iterator[Trial]:
    seen: set[str] = set()
    others = 0
    for trial in TRIALS:
        if trial.role == "positive":
            if trial.code not in seen:
                seen.add(trial.code)
                yield trial
        else:
            others += 1
            if others % EVERY == 0:
                yield trial


async def _one(play: Play, name: str, side: Side, seed: int) -> Answered:
    started = time.monotonic()
    found = await play.investigated(name, seed)
    cause = found.root_cause
    wanted = right(name, seed)
    spots = places(name, cast(seed))
    return Answered(
        name=name,
        seed=seed,
        side=side,
        wanted=wanted,
        found=cause.code,
        confidence=cause.confidence,
        at_place=not spots or not cause.code or cause.name in spots,
        took_s=time.monotonic() - started,
        size_bytes=len(found.model_dump_json(exclude_defaults=True)),
    )
