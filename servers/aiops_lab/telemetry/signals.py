"""Metrics as functions of time: what a scrape would have read at any moment.

A `Signal` is one Prometheus series. Its values are computed for whole arrays of moments, so four weeks cost a
few milliseconds, and any two windows agree where they overlap: noise hangs on the moment, not on the call.
"""

import zlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Values = Callable[[Array], Array]
SCRAPE_S = 60  # metric step of the common world


@dataclass(frozen=True, slots=True)
class Signal:
    """One series under its Prometheus name: `values` maps Unix seconds to what is read there (NaN: nothing).

    It exists from `since_s` to `until_s` (a pod's life). `kind` counter: values never fall but by a restart.
    """

    metric: str
    labels: Mapping[str, str]
    values: Values = field(repr=False)
    kind: str = "gauge"
    since_s: float = -np.inf
    until_s: float = np.inf
    says: str = ""  # its HELP text

    def read(self, times_s: Array) -> Array:
        """Its values at some moments, NaN where it did not exist."""
        found = np.asarray(self.values(times_s), dtype=np.float64)
        alive = (times_s >= self.since_s) & (times_s <= self.until_s)
        return np.where(alive, np.broadcast_to(found, times_s.shape), np.nan)


class Source(Protocol):
    """Something that emits by itself, computed when it is asked for: the world's own nodes and pods."""

    def names(self) -> Iterable[str]:
        """The metrics it has."""
        ...

    def of(self, metric: str) -> Iterable[Signal]:
        """The series of one metric."""
        ...


@dataclass(slots=True)
class Signals:
    """Every series of the world by metric name: what stories told, and what sources measure.

    Where both have a series with the same labels, the story's counts.
    """

    by_metric: dict[str, list[Signal]] = field(default_factory=lambda: defaultdict(list))  # told
    sources: list[Source] = field(default_factory=list)
    silenced: list[tuple[str, dict[str, str]]] = field(default_factory=list)

    def add(self, *signals: Signal) -> None:
        """Emit these from now on (their functions say since when they have a past)."""
        for signal in signals:
            self.by_metric[signal.metric].append(signal)

    def replace(self, metric: str, **labels: str) -> None:
        """Forget the series of a metric with these labels, measured ones too: a story tells them anew."""
        kept = [one for one in self.by_metric[metric] if not _has(one.labels, labels)]
        self.by_metric[metric] = kept
        self.silenced.append((metric, labels))

    def names(self) -> set[str]:
        """Every metric there is."""
        told = {metric for metric, signals in list(self.by_metric.items()) if signals}
        return told.union(*(source.names() for source in self.sources))

    def of(self, metric: str) -> list[Signal]:
        """Every series of a metric."""
        told = list(self.by_metric.get(metric, ()))
        known = {tuple(sorted(one.labels.items())) for one in told} if self.sources else set()
        silent = [labels for name, labels in self.silenced if name == metric]
        return told + [
            one
            for source in self.sources
            for one in source.of(metric)
            if tuple(sorted(one.labels.items())) not in known
            and not any(_has(one.labels, labels) for labels in silent)
        ]

    def all(self) -> Iterator[Signal]:
        """Every series."""
        for metric in sorted(self.names()):
            yield from self.of(metric)

    def find(self, metric: str, **labels: str) -> list[Signal]:
        """The series of a metric that have these labels."""
        return [one for one in self.of(metric) if _has(one.labels, labels)]


def _has(labels: Mapping[str, str], wanted: Mapping[str, str]) -> bool:
    return all(labels.get(name) == value for name, value in wanted.items())


def scrapes(since_s: float, until_s: float, step_s: int = SCRAPE_S) -> Array:
    """The moments at which something was scraped, both ends included."""
    first = -(-since_s // step_s) * step_s
    return np.arange(first, until_s + 1e-6, step_s, dtype=np.float64)


def noise(key: str, times_s: Array, sigma: float = 1.0) -> Array:
    """Normal noise that hangs on `key` and the moment (to the second) alone."""
    seconds = np.asarray(times_s, dtype=np.float64).astype(np.int64).astype(np.uint64)
    first = _mixed(seconds, zlib.crc32(key.encode()))
    second = _mixed(seconds, zlib.crc32(b"second/" + key.encode()))
    radius = np.sqrt(-2.0 * np.log(np.clip(first, 1e-12, 1.0)))
    return np.asarray(sigma * radius * np.cos(2.0 * np.pi * second))


def _mixed(seconds: npt.NDArray[np.uint64], salt: int) -> Array:
    """Uniform 0..1 by the finaliser of SplitMix64 (Steele, Lea, Flood: Fast splittable generators, 2014)."""
    with np.errstate(over="ignore"):
        x = seconds * np.uint64(0x9E3779B97F4A7C15) + np.uint64(salt) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        x ^= x >> np.uint64(31)
    return x.astype(np.float64) / 2.0**64


def counted(rate: Values, since_s: float, step_s: int = SCRAPE_S, *, keep_days: int = 0) -> Values:
    """A counter that grows by `rate` per second since a moment; exact on scrapes, straight between them.

    The running sum of a day is computed once and kept, so that far windows stay cheap and agree. So are the
    sums within the first `keep_days` days asked for, but for the day under way: for a rate that is dear.
    """
    day_s = 86_400
    sums: dict[int, float] = {0: 0.0}
    within: dict[int, Array] = {}

    def total_at_day(day: int) -> float:
        last = max(one for one in list(sums) if one <= day)
        if last < day:
            moments = since_s + np.arange(last * day_s, day * day_s, step_s, dtype=np.float64)
            daily = rate(moments).reshape(day - last, -1).sum(axis=1) * step_s
            for place, total in enumerate(sums[last] + np.cumsum(daily)):
                sums[last + place + 1] = float(total)
        return sums[day]

    def values(times_s: Array) -> Array:
        passed = np.maximum(times_s - since_s, 0.0)
        found = np.zeros_like(times_s)
        days = (passed // day_s).astype(np.int64)
        for day in np.unique(days):
            here = days == day
            start = since_s + float(day) * day_s
            grid = start + np.arange(0, day_s + step_s, step_s, dtype=np.float64)
            sums_here = within.get(int(day))
            if sums_here is None:
                sums_here = np.concatenate(([0.0], np.cumsum(rate(grid[:-1]) * step_s)))
                if day < days.max() and len(within) < keep_days:
                    within[int(day)] = sums_here
            found[here] = total_at_day(int(day)) + np.interp(times_s[here], grid, sums_here)
        return np.where(times_s >= since_s, found, np.nan)

    return values
