"""`python -m evals.patterns [--write]`: play every story in every pattern; end 1 where something is wrong.

Wrong is: fewer right causes than the target, a cause where nothing is wrong, a write that nobody allowed, a
run that ends otherwise than its proof says. A kind of evidence that is missing is printed as missed and fails
no command. `--kept FILE` notes every part that is played; the same command after a break goes on from there.
"""

import argparse
import os
import platform
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

import anyio
from pydantic import TypeAdapter

from aiops_lab.scenarios import STORIES
from evals.patterns.page import Measured, page, targets
from evals.patterns.playing import Row, playing
from evals.patterns.results import LeftOut, Tried

PAGE = Path(__file__).parents[2] / "docs" / "evaluation-patterns.md"
_CHUNK = 6  # stories a worker plays before it reports
Part = tuple[list[str], int]  # stories, seed
_KEPT = TypeAdapter(tuple[Part, list[Row]])


def main() -> int:
    """Play, print, and say by the exit code whether something is wrong."""
    asked = _arguments()
    started = time.monotonic()
    stories = [name for name in STORIES if asked.only in name]
    seeds = range(asked.first_seed, asked.first_seed + asked.seeds)
    jobs: list[Part] = [
        (stories[at : at + _CHUNK], seed) for seed in seeds for at in range(0, len(stories), _CHUNK)
    ]
    kept = _kept(asked.kept) if asked.kept else []
    rows = [row for part, found in kept if part in jobs for row in found]
    before = [part for part, _ in kept]
    left = [job for job in jobs if job not in before]
    with ProcessPoolExecutor(asked.jobs) as pool:
        futures = {pool.submit(_play, *job): job for job in left}
        for done, future in enumerate(as_completed(futures), 1 + len(jobs) - len(left)):
            rows.extend(future.result())
            if asked.kept:
                _keep(asked.kept, futures[future], future.result())
            print(f"stories by pattern: {done} of {len(jobs)} parts", file=sys.stderr)
    machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores"
    order = list(STORIES)
    rows.sort(key=lambda one: order.index(one.scenario))
    tried = [one for one in rows if isinstance(one, Tried)]
    left_out = [one for one in rows if isinstance(one, LeftOut)]
    measured = Measured(tried, left_out, seeds, machine, time.monotonic() - started)
    print(page(measured))
    if asked.write:
        PAGE.write_text(page(measured))
    missed = [row for row in targets(measured) if not row.met]
    if missed:
        print(f"missed: {'; '.join(f'{row.what}: {row.measured}, not {row.target}' for row in missed)}")
    return 1 if any(row.wrong for row in missed) else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m evals.patterns")
    parser.add_argument("--seeds", type=int, default=5, help="seeds of each story (5)")
    parser.add_argument("--first-seed", type=int, default=0, help="another first seed is fresh ground (0)")
    parser.add_argument("--only", default="", help="only stories whose name holds this word")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes (one a core)")
    parser.add_argument("--kept", type=Path, help="file of the parts played so far (made when missing)")
    parser.add_argument("--write", action="store_true", help="write docs/evaluation-patterns.md")
    return parser.parse_args()


def _kept(file: Path) -> list[tuple[Part, list[Row]]]:
    """The parts of a run that broke off."""
    return [_KEPT.validate_json(line) for line in file.read_bytes().splitlines()] if file.exists() else []


def _keep(file: Path, part: Part, rows: list[Row]) -> None:
    with file.open("ab") as notes:
        notes.write(_KEPT.dump_json((part, rows)) + b"\n")


def _play(stories: Sequence[str], seed: int) -> list[Row]:
    async def play() -> list[Row]:
        async with playing() as player:
            found: list[Row] = []
            for name in stories:
                found.extend(await player.rows(name, seed))
            return found

    return anyio.run(play)


if __name__ == "__main__":
    sys.exit(main())
