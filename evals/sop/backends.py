"""F22: the same story told by other backends names the same cause; with all of a kind down it says so.

The servers ask their backends in turn, so one that is down hands the question to the next: AMP after
Prometheus, CloudWatch after AMP, Jaeger after X-Ray.
"""

import asyncio
from typing import Final

from evals.figures import Row
from evals.sop.playing import Play, playing
from evals.sop.questions import right

STORIES: Final = ("memory-leak-slow", "memory-spike", "subnet-ip-exhaustion")  # F3, F4, F5
DOWN: Final[dict[str, tuple[str, ...]]] = {
    "AMP": ("prometheus",),
    "CloudWatch": ("prometheus", "amp"),
    "Jaeger": ("xray",),
    "no traces": ("xray", "jaeger", "tempo"),
}


def rows(seed: int) -> list[Row]:
    """One row for each backend that answers in the place of the first."""
    return asyncio.run(_rows(seed % 5))


async def _rows(seed: int) -> list[Row]:
    made = []
    async with playing() as play:
        for name, down in DOWN.items():
            found = [await _told(play, story, seed, down) for story in STORIES]
            same = sum(one == right(story, seed) for one, story in zip(found, STORIES, strict=True))
            what = f"F3, F4, F5 with {name} in the place of {down[0]}"
            made.append(
                Row(
                    what,
                    f"{len(STORIES)} of {len(STORIES)}",
                    f"{same} of {len(STORIES)}",
                    same == len(STORIES),
                )
            )
    return made


async def _told(play: Play, story: str, seed: int, down: tuple[str, ...]) -> str:
    play.down = down
    try:
        return (await play.investigated(story, seed)).root_cause.code
    finally:
        play.down = ()
        play.lab.observatory.heal()
        play.lab.aws_faults.clear()
