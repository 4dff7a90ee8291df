"""Which span of time a log question means, and how a call spends its 45 seconds.

Called by the log readers. A span is half-open: two spans that meet count no line twice.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import anyio

from aiops_shared.errors import InvalidInputError
from aiops_shared.params import since_to_datetime

WITHIN_S = 45.0
LEAST_S = 1.0
NICE_S = (60, 300, 900, 1800, 3600, 3 * 3600, 6 * 3600, 86_400, 7 * 86_400)
MOST_BUCKETS = 36


@dataclass(frozen=True, slots=True)
class Span:
    """From `since` up to `until`, UTC."""

    since: datetime
    until: datetime

    @property
    def seconds(self) -> float:
        """How long it is."""
        return (self.until - self.since).total_seconds()

    @property
    def before(self) -> "Span":
        """The span of the same length that ends where this begins."""
        return Span(self.since - (self.until - self.since), self.since)

    @property
    def said(self) -> str:
        """As a person reads it."""
        return f"{self.since:%Y-%m-%dT%H:%M:%SZ}..{self.until:%Y-%m-%dT%H:%M:%SZ}"

    @staticmethod
    def at(at_s: float) -> str:
        """A moment as answers write it."""
        return f"{datetime.fromtimestamp(at_s, UTC):%Y-%m-%dT%H:%M:%S.%f}"[:-3] + "Z"

    def step_s(self) -> int:
        """A bucket size that gives at most MOST_BUCKETS buckets."""
        return next((step for step in NICE_S if self.seconds / step <= MOST_BUCKETS), NICE_S[-1])


def span_of(since: str, until: str | None, now: datetime) -> Span:
    """Raises InvalidInputError for a span that ends before it begins."""
    end = since_to_datetime(until, now) if until else now
    start = since_to_datetime(since, now)
    if (end - start).total_seconds() < LEAST_S:
        raise InvalidInputError("since", "the window ends before it begins", "give since before until")
    return Span(start, end)


def split_at(span: Span, at: str, now: datetime) -> tuple[Span, Span]:
    """The span before a moment and the one after it. Raises InvalidInputError where it lies outside."""
    moment = since_to_datetime(at, now)
    if not span.since < moment < span.until:
        raise InvalidInputError("at", "lies outside of since..until", "give a moment inside the window")
    return Span(span.since, moment), Span(moment, span.until)


def moment_of(at_s: float) -> datetime:
    """Unix seconds as a time."""
    return datetime.fromtimestamp(at_s, UTC)


def hours(count: float) -> timedelta:
    """So many hours."""
    return timedelta(hours=count)


@dataclass(frozen=True, slots=True)
class Until:
    """When a call must be over, in the loop's seconds: shared by all that it asks."""

    at_s: float

    @classmethod
    def within(cls, seconds: float = WITHIN_S) -> "Until":
        """From now on."""
        return cls(anyio.current_time() + seconds)

    @property
    def left_s(self) -> float:
        """What is left of it."""
        return self.at_s - anyio.current_time()
