"""The one form of a metric: values on a regular grid in UTC, with gaps where nothing was measured.

Every driver gives it, every analysis takes it. A regular grid makes two backends comparable sample by sample,
and missing data a fact (NaN) instead of a hole that slips by.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt

from aiops_shared.errors import InvalidInputError

Values = npt.NDArray[np.float64]
MAX_POINTS = 11_000  # Prometheus's own bound on points of one series (web/api/v1/api.go, queryRange)


@dataclass(frozen=True, slots=True)
class Window:
    """From `since` to `until`, both included, every `step_s` seconds; its ends lie on multiples of the step.

    Aligned ends make the same question give the same points a second later, on every backend (CloudWatch
    aligns periods so itself).
    """

    since: datetime
    until: datetime
    step_s: int

    @classmethod
    def over(cls, since: datetime, until: datetime, step_s: int) -> "Window":
        """The aligned window inside a span. Raises InvalidInputError for an empty or inverted one."""
        if step_s < 1:
            raise InvalidInputError("step", "is at least one second")
        first = -(-since.timestamp() // step_s) * step_s
        last = until.timestamp() // step_s * step_s
        if since >= until or last < first:
            raise InvalidInputError(
                "time", "the window ends before it begins", "give since before until, at least one step apart"
            )
        return cls(datetime.fromtimestamp(first, UTC), datetime.fromtimestamp(last, UTC), step_s)

    @property
    def points(self) -> int:
        """How many moments it has."""
        return round((self.until - self.since).total_seconds()) // self.step_s + 1

    @property
    def span_s(self) -> float:
        """Its length."""
        return (self.until - self.since).total_seconds()

    def times_s(self) -> Values:
        """Its moments, in Unix seconds."""
        return self.since.timestamp() + np.arange(self.points, dtype=np.float64) * self.step_s

    def moment(self, index: int) -> datetime:
        """The moment of a point."""
        return self.since + timedelta(seconds=self.step_s * index)


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """One labelled series: `values[i]` is measured at `window.moment(i)`, NaN where nothing was."""

    labels: Mapping[str, str]
    window: Window
    values: Values = field(repr=False)

    @property
    def name(self) -> str:
        """The metric's name, where the backend gives one."""
        return self.labels.get("__name__", "")

    @property
    def seen(self) -> int:
        """Points with a value."""
        return int(np.count_nonzero(~np.isnan(self.values)))

    @property
    def missing(self) -> float:
        """Share of points without a value, 0..1."""
        return 1.0 - self.seen / max(1, self.values.size)


@dataclass(frozen=True, slots=True)
class MetricAnswer:
    """What a backend answered: the series and the question in its own words, so that a person can repeat it.

    `unit` follows Prometheus's base units (bytes, seconds, ratio, count, …; empty: unknown). `samples` is
    what the backend read, as far as it says.
    """

    series: tuple[Series, ...]
    source: str
    query: str
    unit: str = ""
    warnings: tuple[str, ...] = ()
    truncated: bool = False
    samples: int = 0


def gridded(window: Window, times_s: Any, values: Any) -> Values:
    """Samples at any moments, put onto the grid: each point takes the sample within half a step of it.

    Points that no sample hits stay NaN. `times_s` and `values` are as long as each other.
    """
    found = np.full(window.points, np.nan)
    at = np.asarray(times_s, dtype=np.float64)
    index = np.rint((at - window.since.timestamp()) / window.step_s).astype(np.int64)
    inside = (index >= 0) & (index < window.points)
    found[index[inside]] = np.asarray(values, dtype=np.float64)[inside]
    return found
