"""A process that carries runs of SOPs on, and may be killed or stopped at one point of one step.

`python -m tests.faults.sop_child DIR [--start SOP NAME] [--point POINT PATH] [--stop] [--url URL] [--for S]`

It prints `run RUN_ID` when it started one, and ends when no run is open any more or its time is over. The
points are those of `aiops_sop.engine.needs.Point`; PATH is a step's path, or `*` for any. Effects are counted
by the world's own file (tests/fakes/procedures.py).
"""

import argparse
import os
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

import anyio

from aiops_shared.clock import SystemClock
from aiops_sop.clients.run_store import OPEN
from tests.fakes.runhouses import VERIFY, RunHouse, change, front, step

TWO = front("two") + step(1, "first", change("a")) + step(2, "second", change("b"))
# Its second change is never seen to hold: both are taken back.
NEVER = VERIFY.replace("== true", "== false").replace("60s", "1s").replace("10s", "1s")
BAD = front("bad") + step(1, "first", change("a")) + step(2, "second", change("b", verify=NEVER))


@dataclass
class CrashAt:
    """Kills the process, or stops it, when a point is passed for the nth time."""

    point: str
    path: str
    stops: bool = False
    left: int = 0

    def pass_by(self, point: str, path: str) -> None:
        if point == self.point and self.path in {"*", path}:
            self.left -= 1
            if self.left == -1:
                os.kill(os.getpid(), signal.SIGSTOP if self.stops else signal.SIGKILL)


def arguments() -> argparse.Namespace:
    found = argparse.ArgumentParser()
    found.add_argument("dir", type=Path)
    found.add_argument("--start", nargs=2, default=None)
    found.add_argument("--point", nargs=2, default=None)
    found.add_argument("--nth", type=int, default=0)
    found.add_argument("--stop", action="store_true")
    found.add_argument("--url", default="")
    found.add_argument("--for", dest="for_s", type=float, default=20.0)
    return found.parse_args()


async def main(asked: argparse.Namespace) -> None:
    """Start one, carry all on."""
    point, path = asked.point or ("", "")
    crash = CrashAt(point, path, asked.stop, asked.nth) if point else None
    house = RunHouse(
        asked.dir,
        clock=SystemClock(),
        crash=crash,
        workflows=None,
        database_url=asked.url,
        state_url=asked.url,
    )
    house.library.add(TWO)
    house.library.add(BAD)
    async with house.running(looking=True):
        if asked.start:
            sop, name = asked.start
            sys.stdout.write(f"run {(await house.start(sop, params={'name': name})).run_id}\n")
            sys.stdout.flush()
        with anyio.move_on_after(asked.for_s):
            while await opened(house):  # noqa: ASYNC110  # other processes end runs too
                await anyio.sleep(0.05)


async def opened(house: RunHouse) -> int:
    """How many runs are open."""
    from sqlalchemy import func, select

    from aiops_shared.state.sop_schema import sop_runs

    query = select(func.count()).select_from(sop_runs).where(sop_runs.c.state.in_(OPEN))
    return int(await house.store.read(lambda conn: conn.execute(query).scalar_one()))


if __name__ == "__main__":
    anyio.run(main, arguments())
