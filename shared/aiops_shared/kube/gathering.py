"""Several requests at once, answers in order, one plain error instead of a group of them."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import anyio

from aiops_shared.errors import AiopsError

Item = TypeVar("Item")
Result = TypeVar("Result")


async def gather(
    act: Callable[[Item], Awaitable[Result]], items: Sequence[Item], *, at_once: int
) -> list[Result]:
    """`act` on each item, at most `at_once` at a time. Raises the first error and cancels the rest."""
    outcomes = await gather_outcomes(act, items, at_once=at_once, stop_at_error=True)
    for outcome in outcomes:
        if isinstance(outcome, AiopsError):
            raise outcome
    return [outcome for outcome in outcomes if outcome is not None and not isinstance(outcome, AiopsError)]


async def gather_outcomes(
    act: Callable[[Item], Awaitable[Result]],
    items: Sequence[Item],
    *,
    at_once: int,
    stop_at_error: bool = False,
) -> list[Result | AiopsError | None]:
    """Each item's result or error, in order; None for what an earlier error made unnecessary."""
    outcomes: list[Result | AiopsError | None] = [None] * len(items)
    limiter = anyio.CapacityLimiter(at_once)

    async def one(place: int, item: Item) -> None:
        async with limiter:
            try:
                outcomes[place] = await act(item)
            except AiopsError as error:
                outcomes[place] = error
                if stop_at_error:
                    tasks.cancel_scope.cancel()

    async with anyio.create_task_group() as tasks:
        for place, item in enumerate(items):
            tasks.start_soon(one, place, item)
    return outcomes
