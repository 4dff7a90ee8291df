"""A lab that plays what a question is about: `python -m bench.field.stage SCENARIO [MORE ...]`.

A process of its own. Its first line on stdout is JSON: the environment that a client needs, and the places of
this world that questions name (`placing.py`). It ends when its stdin closes. The clock stands.
"""

import json
import sys
from datetime import datetime, timedelta

import anyio

from aiops_lab.run import Lab
from aiops_shared.clock import SystemClock
from bench.field.placing import places_of

A_STORY = timedelta(minutes=30)  # by which the world's clock goes on when trouble is added to it
TWO_WEEKS = 16  # a day of the month from which on the last two weeks lie within it


def start_of(scenario: str, more: list[str], now: datetime) -> datetime:
    """When the world is to begin: clients that go by their own clock find it at most minutes off.

    The two weeks of a bill lie within one month, since Cost Explorer sums by month.
    """
    if "cost" in scenario and now.day < TWO_WEEKS:
        return now - timedelta(days=now.day)
    return now - A_STORY * len(more)


async def main(scenario: str, more: list[str]) -> None:
    """Serve until stdin closes."""
    async with Lab(scenario, start=start_of(scenario, more, SystemClock().safe_now())) as lab:
        for each in more:
            lab.inject(each)
        lab.clock.pause()
        sys.stdout.write(json.dumps({"environment": lab.export(), "places": places_of(lab)}) + "\n")
        sys.stdout.flush()
        await anyio.to_thread.run_sync(sys.stdin.read)


if __name__ == "__main__":
    anyio.run(main, sys.argv[1], sys.argv[2:])
