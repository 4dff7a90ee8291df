"""`make eval`: play every trial, print the table, end 1 where a target is missed."""

import argparse
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TypeVar

import anyio

from aiops_eks.diagnosis.registry import every_cause
from aiops_lab.scenarios.trials import CONTROLS, TRIALS, Trial
from evals.loading import RECORDED, LoadError
from evals.outcomes import SYMPTOMS, Outcome
from evals.page import OnReal, Run, misses, page
from evals.playing import ONLY_IN_LAB, Real, on_real, stage
from tests.cluster.control_plane import MISSING, assets, running_control_plane

T = TypeVar("T")
PAGE = Path(__file__).parents[1] / "docs" / "evaluation.md"
_CHUNK = 12  # worlds a worker plays before it reports


def main() -> int:
    """Play, print, and say by the exit code whether the targets are met."""
    asked = _arguments()
    started = time.monotonic()
    trials = [one.scenario.name for one in TRIALS if asked.only in one.code]
    seeds = range(asked.first_seed, asked.first_seed + asked.seeds)
    jobs: list[Callable[[], list[Outcome]]] = [
        partial(_play, chunk, seeds) for chunk in _chunks(trials, _CHUNK)
    ]
    jobs += [partial(_controls, seeds)] if not asked.only else []
    laid = [
        one.scenario.name
        for one in TRIALS
        if one.scenario.name in trials
        and one.scenario.name not in ONLY_IN_LAB
        and (asked.real == "all" or one.role == "positive")
    ]
    with ProcessPoolExecutor(asked.jobs) as pool:
        outcomes = _all(pool, jobs, "trials in the lab")
        real = _on_real(pool, laid, asked.first_seed) if asked.real != "none" else []
    codes = sorted({cause.code for cause in every_cause() if asked.only in cause.code} - SYMPTOMS)
    machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores"
    run = Run(codes, outcomes, real, tuple(seeds), machine, time.monotonic() - started)
    print(page(run))
    if asked.write:
        PAGE.write_text(page(run))
    if missed := misses(run):
        print(f"missed: {'; '.join(missed)}")
    return 0 if run.passes else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m evals", description="Count how good diagnose is.")
    parser.add_argument("--seeds", type=int, default=5, help="seeds of each trial (5)")
    parser.add_argument("--first-seed", type=int, default=0, help="another first seed is fresh ground (0)")
    parser.add_argument("--only", default="", help="only causes whose code holds this word")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes (one a core)")
    parser.add_argument(
        "--real",
        choices=("positive", "all", "none"),
        default="positive",
        help="which worlds are laid into a real API server too, with the first seed (positive)",
    )
    parser.add_argument("--write", action="store_true", help="write docs/evaluation.md")
    return parser.parse_args()


def _chunks(some: Sequence[T], size: int) -> Iterator[list[T]]:
    rest = iter(some)
    while chunk := list(islice(rest, size)):
        yield chunk


def _all(pool: ProcessPoolExecutor, jobs: Sequence[Callable[[], list[T]]], what: str) -> list[T]:
    """What every job gave, in order, with a word of progress for each."""
    found: list[T] = []
    for done, answer in enumerate((future.result() for future in [pool.submit(job) for job in jobs]), 1):
        found.extend(answer)
        print(f"{what}: {done} of {len(jobs)} parts, {len(found)} worlds", file=sys.stderr)
    return found


def _trials(names: Sequence[str]) -> list[Trial]:
    """The trials of these names: a scenario does not travel to another process, its name does."""
    return [one for one in TRIALS if one.scenario.name in names]


def _play(names: Sequence[str], seeds: Sequence[int]) -> list[Outcome]:
    async def play() -> list[Outcome]:
        async with stage() as here:
            return [await here.outcome(trial, seed) for trial in _trials(names) for seed in seeds]

    return anyio.run(play)


def _controls(seeds: Sequence[int]) -> list[Outcome]:
    async def play() -> list[Outcome]:
        async with stage() as here:
            return [await here.control(scenario, seed) for scenario in CONTROLS for seed in seeds]

    return anyio.run(play)


def _on_real(pool: ProcessPoolExecutor, names: Sequence[str], seed: int) -> list[OnReal]:
    if assets() is None:
        print(f"left out: the real API server: {MISSING}", file=sys.stderr)
        return []
    jobs = [partial(_compare, chunk, seed) for chunk in _chunks(names, max(1, len(names) // 6))]
    return _all(pool, jobs, "worlds on the real API server")


def _compare(names: Sequence[str], seed: int) -> list[OnReal]:
    async def compare(folder: Path, programs: Path) -> list[OnReal]:
        with running_control_plane(folder, programs, RECORDED) as plane:
            async with on_real(plane) as real:
                return [await _compared(real, trial, seed) for trial in _trials(names)]

    programs = assets()
    with tempfile.TemporaryDirectory(prefix="eks-aiops-eval-") as folder:
        return anyio.run(compare, Path(folder), programs) if programs else []


async def _compared(real: Real, trial: Trial, seed: int) -> OnReal:
    here = partial(OnReal, trial.scenario.name, trial.code, seed)
    try:
        simulated, answered = await real.both(trial.scenario, seed)
    except LoadError as refused:
        return here(f"refused by the server: {refused}")
    if simulated.findings == answered.findings:
        return here()
    codes = [[f.code for f in each.findings] for each in (simulated, answered)]
    return here(f"lab {codes[0]}, real {codes[1]}" if codes[0] != codes[1] else "other words for the same")


if __name__ == "__main__":
    sys.exit(main())
