"""The metrics backends of one question, asked in turn until one answers: an outage is a warning, not an end.

Called by the readers of anomalies, forecasts, comparisons and service health. A backend that is named, or a
query in one backend's own language, is asked alone.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from aiops_observability.ports import Metrics
from aiops_shared.errors import (
    AiopsError,
    ClusterNotFoundError,
    InvalidInputError,
    NotConfiguredError,
    QueryInvalidError,
)
from aiops_shared.metrics.ports import MetricsBackend

MOST_SAID = 300
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Heard(Generic[T]):
    """What a backend answered, and why those before it did not."""

    backend: MetricsBackend
    answer: T
    said: tuple[str, ...] = ()


async def in_turn(
    metrics: Metrics,
    place: tuple[str | None, str],
    ask: Callable[[MetricsBackend], Awaitable[T]],
    *,
    named: bool = True,
) -> Heard[T]:
    """The first answer. `place`: cluster and source; `named`: a named question, which all understand.

    Raises bad input and an unknown cluster at once, else the first backend's error where none answers.
    """
    cluster, source = place
    others = metrics.configured() if named and source == "auto" else ()
    first: AiopsError | None = None
    said: list[str] = []
    seen = ""
    for name in (source, *others):
        if name == seen:
            continue
        try:
            backend = await metrics.open(cluster, name)
            seen = seen or backend.name
            return Heard(backend, await ask(backend), tuple(said))
        except AiopsError as error:
            if _final(error):
                raise
            first = first or error
            if not isinstance(error, QueryInvalidError | NotConfiguredError):  # no fault to tell of
                said.append(f"{seen if name == source else name} gave nothing: {error.wire()}"[:MOST_SAID])
    if first is None:
        raise InvalidInputError("source", "no backend was asked")
    raise _with(first, said[1:])


def _final(error: AiopsError) -> bool:
    """What no other backend would answer either."""
    bad_input = isinstance(error, InvalidInputError) and not isinstance(error, QueryInvalidError)
    return bad_input or isinstance(error, ClusterNotFoundError)


def _with(first: AiopsError, others: list[str]) -> AiopsError:
    """The first failure; its hint names the backends that were asked after it."""
    if not others:
        return first
    hint = "; ".join([*([first.hint] if first.hint else []), *others])
    return type(first)(first.thing, first.reason, hint)
