"""Several lanes at once, each in a process with a lab of its own. Called by `fuzz.__main__`."""

import multiprocessing
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import anyio

from fuzz.tools.ground import Lane, ground
from fuzz.tools.playing import Tally, play_lane


def played(wanted: Sequence[Lane], calls: int, seed: int, workers: int) -> list[Tally]:
    """Every lane with its share of the calls, some at once, each in a lab of its own."""
    weights = {lane: 2 if lane.server == "gateway" else 1 for lane in wanted}
    share = {lane: calls * weight // sum(weights.values()) + 1 for lane, weight in weights.items()}
    spawned = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(workers, len(wanted)), mp_context=spawned) as pool:
        jobs = {lane: pool.submit(_lane, lane, share[lane], seed) for lane in reversed(wanted)}
        return [jobs[lane].result() for lane in wanted]


def _lane(lane: Lane, calls: int, seed: int) -> Tally:
    return anyio.run(partial(_played, lane, calls, seed))


async def _played(lane: Lane, calls: int, seed: int) -> Tally:
    with TemporaryDirectory(prefix="eks-aiops-fuzz-") as folder:
        async with ground(Path(folder)) as place:
            return await play_lane(place, lane, calls, seed)
