"""A span of time as log queries are asked about it, and how long one call may still take.

Called by `log_insights` and by the log readers of the servers. A span is half-open: two spans that meet count
no line twice.
"""

from dataclasses import dataclass
from datetime import UTC, datetime

import anyio

WITHIN_S = 45.0
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
