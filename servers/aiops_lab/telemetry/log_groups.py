"""Log groups as a scenario writes them; CloudWatch Logs, OpenSearch and container logs read them.

A group may hold bytes that nobody wrote out (`ballast_bytes_per_day`): a query that scans them pays for them,
so that a terabyte costs the lab nothing to have.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field

OVERHEAD_BYTES = 26  # per event, as CloudWatch Logs counts ingested bytes


@dataclass(frozen=True, slots=True)
class LogRecord:
    """One line, at Unix seconds."""

    at_s: float
    stream: str
    message: str


@dataclass(slots=True)
class LogGroup:
    """One group: its lines in time order, and bytes that are only counted."""

    name: str
    records: list[LogRecord] = field(default_factory=list)
    ballast_bytes_per_day: float = 0.0
    created_s: float = 0.0
    retention_days: int | None = None

    def write(self, records: Iterable[LogRecord]) -> None:
        """Add lines; they are kept in time order."""
        self.records = sorted([*self.records, *records], key=lambda one: one.at_s)

    def between(self, since_s: float, until_s: float) -> list[LogRecord]:
        """The lines of a span, both ends included."""
        first = bisect_left(self.records, since_s, key=lambda one: one.at_s)
        last = bisect_right(self.records, until_s, key=lambda one: one.at_s)
        return self.records[first:last]

    def bytes_between(self, since_s: float, until_s: float) -> int:
        """What a query over the span scans."""
        written = sum(len(one.message.encode()) + OVERHEAD_BYTES for one in self.between(since_s, until_s))
        days = max(0.0, until_s - max(since_s, self.created_s)) / 86_400
        return round(written + days * self.ballast_bytes_per_day)


@dataclass(slots=True)
class LogGroups:
    """Every group of the account."""

    by_name: dict[str, LogGroup] = field(default_factory=dict)

    def group(self, name: str) -> LogGroup:
        """A group, made on first use."""
        return self.by_name.setdefault(name, LogGroup(name))
