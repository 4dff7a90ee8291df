"""What other vocabularies make of Prometheus's series: one value a minute, shares, and distributions.

CloudWatch and Datadog of the lab read these, so that each says the same numbers in its own words. The minute
that begins at t holds a gauge as it was scraped at t, and a counter's growth until t + 60 s: it is known once
the minute is over.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from aiops_lab.telemetry.signals import Array, Signal

MINUTE_S = 60.0


class Stream(Protocol):
    """A quantity with one value a minute, NaN where there is none."""

    def read(self, minutes_s: Array, now_s: float) -> Array:
        """Its values in the minutes that begin at these Unix seconds; nothing that `now_s` cannot know."""
        ...

    def alive(self, since_s: float, until_s: float) -> bool:
        """Whether it existed at some time of a span."""
        ...


def _summed(parts: Sequence[Array], shape: tuple[int, ...]) -> Array:
    """The sum of what is there; NaN where nothing is."""
    if not parts:
        return np.full(shape, np.nan)
    stacked = np.stack(parts)
    total = np.where(np.isnan(stacked), 0.0, stacked).sum(axis=0)
    return np.asarray(np.where(np.isnan(stacked).all(axis=0), np.nan, total))


@dataclass(frozen=True, slots=True)
class Gauge:
    """The sum of some gauges, or of counters as they stand."""

    signals: tuple[Signal, ...]
    scale: float = 1.0

    def read(self, minutes_s: Array, now_s: float) -> Array:
        """As scraped at the beginning of the minute."""
        found = _summed([one.read(minutes_s) for one in self.signals], minutes_s.shape) * self.scale
        return np.where(minutes_s <= now_s, found, np.nan)

    def alive(self, since_s: float, until_s: float) -> bool:
        """Whether one of them existed at some time of a span."""
        return living(self.signals, since_s, until_s)


@dataclass(frozen=True, slots=True)
class Growth:
    """How much some counters grew in the minute; a restart counts from zero."""

    signals: tuple[Signal, ...]
    scale: float = 1.0

    def read(self, minutes_s: Array, now_s: float) -> Array:
        """Growth from the minute's beginning to its end."""
        parts = [growth(one, minutes_s, now_s) for one in self.signals]
        return _summed(parts, minutes_s.shape) * self.scale

    def alive(self, since_s: float, until_s: float) -> bool:
        """Whether one of them existed at some time of a span."""
        return living(self.signals, since_s, until_s)


@dataclass(frozen=True, slots=True)
class Share:
    """One stream as a part of another; `rest`: what is left of the whole."""

    top: Stream
    bottom: Stream
    scale: float = 1.0
    rest: bool = False

    def read(self, minutes_s: Array, now_s: float) -> Array:
        """The quotient; NaN without a whole."""
        top, bottom = self.top.read(minutes_s, now_s), self.bottom.read(minutes_s, now_s)
        whole = np.where(bottom > 0, bottom, np.nan)
        part = 1.0 - top / whole if self.rest else top / whole
        return np.asarray(part * self.scale)

    def alive(self, since_s: float, until_s: float) -> bool:
        """Whether both existed."""
        return self.top.alive(since_s, until_s) and self.bottom.alive(since_s, until_s)


@dataclass(frozen=True, slots=True)
class Less:
    """One stream less another."""

    whole: Stream
    part: Stream

    def read(self, minutes_s: Array, now_s: float) -> Array:
        """The difference."""
        return np.asarray(self.whole.read(minutes_s, now_s) - self.part.read(minutes_s, now_s))

    def alive(self, since_s: float, until_s: float) -> bool:
        """Whether both existed."""
        return self.whole.alive(since_s, until_s) and self.part.alive(since_s, until_s)


@dataclass(frozen=True, slots=True)
class Later:
    """A stream that somebody collects since a moment only."""

    whole: Stream
    since_s: float

    def read(self, minutes_s: Array, now_s: float) -> Array:
        """Its values in the minutes that begin at that moment or later."""
        return np.where(minutes_s >= self.since_s, self.whole.read(minutes_s, now_s), np.nan)

    def alive(self, since_s: float, until_s: float) -> bool:
        """Whether it was collected and existed at some time of a span."""
        return until_s >= self.since_s and self.whole.alive(max(since_s, self.since_s), until_s)


@dataclass(frozen=True, slots=True)
class Distribution:
    """Observations of a histogram: how many fell into each bucket in the minute, and their sum."""

    bounds: tuple[float, ...]  # upper ones, ascending, the last is +Inf
    counters: tuple[tuple[Signal, ...], ...]  # cumulative, of each bound
    sums: tuple[Signal, ...] = ()

    def read(self, minutes_s: Array, now_s: float) -> Array:
        """Counts, one column a bucket."""
        up_to = [
            _summed([growth(s, minutes_s, now_s) for s in each], minutes_s.shape) for each in self.counters
        ]
        cumulative = np.maximum.accumulate(np.nan_to_num(np.stack(up_to, axis=1)), axis=1)
        return np.diff(cumulative, axis=1, prepend=0.0)

    def alive(self, since_s: float, until_s: float) -> bool:
        """Whether it was observed at some time of a span."""
        return any(living(each, since_s, until_s) for each in self.counters)

    def total(self, minutes_s: Array, now_s: float) -> Array:
        """The sum of what was observed in the minute."""
        return _summed([growth(one, minutes_s, now_s) for one in self.sums], minutes_s.shape)


def living(signals: Sequence[Signal], since_s: float, until_s: float) -> bool:
    """Whether one of some signals existed at some time of a span."""
    return any(one.since_s <= until_s and one.until_s >= since_s for one in signals)


def growth(counter: Signal, minutes_s: Array, now_s: float) -> Array:
    """The growth of one counter in each minute."""
    if minutes_s.size and np.all(np.diff(minutes_s) == MINUTE_S):
        read = counter.read(np.append(minutes_s, minutes_s[-1] + MINUTE_S))
        before, after = read[:-1], read[1:]
    else:
        before, after = counter.read(minutes_s), counter.read(minutes_s + MINUTE_S)
    grown = np.where(after >= before, after - before, after)
    return np.where(minutes_s + MINUTE_S <= now_s, grown, np.nan)


def distribution(buckets: Sequence[Signal], sums: Sequence[Signal] = ()) -> Distribution:
    """A distribution of the bucket series of one histogram, however many label sets it has."""
    by_bound: dict[float, list[Signal]] = {}
    for one in buckets:
        by_bound.setdefault(float(one.labels["le"].replace("+Inf", "inf")), []).append(one)
    bounds = tuple(sorted(by_bound))
    return Distribution(bounds, tuple(tuple(by_bound[one]) for one in bounds), tuple(sums))
