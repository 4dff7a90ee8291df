"""`kill -9` at any moment of a run, on both databases: nobody chose the point. See `kills`."""

from functools import partial

import anyio

from evals.figures import Row
from faults.ground import Database
from faults.kills import LANES, OTHERS, Share, play_all, played, row_of
from faults.playing import Kill, Reference, Story, random_kills
from faults.stories import every_story

DRAWN = 160  # on each database; those that fall after the end of their run do not count
WANTED = 100


def rows(seed: int) -> list[Row]:
    """`seed` draws the moments; the worlds are those of seed 0."""
    found = []
    for database, shares in played(partial(_drawn, seed)).items():
        told = [one for share in shares for one in share.told]
        where = f"{database}, {OTHERS[database] + 1} processes"
        found.append(row_of(f"{where}: killed at any moment", told, WANTED))
    return found


def _drawn(seed: int, database: Database, url: str, number: int) -> Share:
    living = [one for one in every_story() if one.ends == "succeeded"]
    mine = living[number::LANES]

    def kills(story: Story, reference: Reference) -> list[Kill]:
        return random_kills(reference, DRAWN // len(living), f"{seed}/{database}/{story.says}")

    return anyio.run(partial(play_all, database, url, mine, kills))
