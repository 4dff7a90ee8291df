"""Several requests at once, with the failure of one kept apart from the rest.

Called by every reader that fans out (D30: at most eight requests at a time).
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import anyio

from aiops_shared.errors import AiopsError

T = TypeVar("T")
AT_ONCE = 8


async def gathered(
    calls: Sequence[Callable[[], Awaitable[T]]], at_once: int = AT_ONCE
) -> list[T | AiopsError]:
    """What each call gave, in order: its value, or the AiopsError it raised."""
    found: dict[int, T | AiopsError] = {}
    limiter = anyio.CapacityLimiter(at_once)

    async def run(index: int) -> None:
        async with limiter:
            try:
                found[index] = await calls[index]()
            except AiopsError as error:
                found[index] = error

    async with anyio.create_task_group() as group:
        for index in range(len(calls)):
            group.start_soon(run, index)
    return [found[index] for index in range(len(calls))]
