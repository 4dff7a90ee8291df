"""Where the evaluator's samples come from: the world's signals as a scrape every minute would keep them."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from aiops_lab.promql.matchers import Match, name_of
from aiops_lab.promql.values import NAME, Array, Bools, Labels, Moments, Samples, labelled
from aiops_lab.telemetry.signals import SCRAPE_S, Signal, Signals, scrapes

STALE_BITS = np.uint64(0x7FF0000000000002)  # Prometheus model/value: StaleNaN
COUNTER_PROBES = 12
STALE = float(np.array([STALE_BITS]).view(np.float64)[0])


class Storage(Protocol):
    """Samples by matchers and time."""

    def select(self, matches: Sequence[Match], since_ms: int, until_ms: int) -> Iterable[Samples]:
        """The series that match, each with its samples of the window, both ends included."""
        ...

    def labels(self, matches: Sequence[Match], since_ms: int, until_ms: int) -> Iterable[Labels]:
        """Only the labels of the series that have a sample in the window."""
        ...


@dataclass(frozen=True, slots=True)
class SignalStorage:
    """The present world: nothing is stored, a window is computed; nothing is known beyond `now_s`.

    A series that ends is marked stale at the next scrape, as Prometheus does it, unless `stale` is off.
    """

    signals: Signals
    now_s: Callable[[], float]
    stale: bool = True
    step_s: int = SCRAPE_S

    def select(self, matches: Sequence[Match], since_ms: int, until_ms: int) -> Iterator[Samples]:
        """The series that match; those with equal labels are one."""
        until_s = min(until_ms / 1000, self.now_s())
        # One scrape more on the left, or a series that ended just before the window would not be marked.
        times_s = scrapes(since_ms / 1000 - self.step_s, until_s, self.step_s)
        if not times_s.size:
            return
        for labels, told in sorted(self._matching(matches).items(), key=lambda one: one[0]):
            values = _joined([one.read(times_s) for one in told])
            yield from self._kept(labels, times_s, values, since_ms)

    def _kept(self, labels: Labels, times_s: Array, values: Array, since_ms: int) -> Iterator[Samples]:
        there = ~np.isnan(values)
        if self.stale:
            ended = np.zeros_like(there)
            ended[1:] = there[:-1] & ~there[1:]
            values, there = np.where(ended, STALE, values), there | ended
        moments: Moments = np.round(times_s * 1000).astype(np.int64)
        there &= moments >= since_ms
        if there.any():
            yield Samples(labels, moments[there], values[there])

    def labels(self, matches: Sequence[Match], since_ms: int, until_ms: int) -> Iterator[Labels]:
        """Which series have a sample in the window."""
        until_s = min(until_ms / 1000, self.now_s())
        times_s = scrapes(since_ms / 1000, until_s, self.step_s)
        for labels, told in self._matching(matches).items() if times_s.size else ():
            if any(_is_there(one, times_s) for one in told):
                yield labels

    def metrics(self, since_ms: int, until_ms: int) -> list[str]:
        """The names that have a sample in the window: one series of each is enough."""
        until_s = min(until_ms / 1000, self.now_s())
        times_s = scrapes(since_ms / 1000, until_s, self.step_s)
        names = sorted(self.signals.names()) if times_s.size else []
        return [metric for metric in names if any(_is_there(one, times_s) for one in self.signals.of(metric))]

    def _matching(self, matches: Sequence[Match]) -> dict[Labels, list[Signal]]:
        found: dict[Labels, list[Signal]] = {}
        for metric in sorted(self._metrics(matches)):
            for signal in self.signals.of(metric):
                labels = {**signal.labels, NAME: metric}
                if all(match(labels) for match in matches):
                    found.setdefault(labelled(labels), []).append(signal)
        return found

    def _metrics(self, matches: Sequence[Match]) -> set[str]:
        exact = name_of(matches)
        known = self.signals.names()
        return known & {exact} if exact is not None else known


@dataclass(frozen=True, slots=True)
class KeptStorage:
    """Samples somebody wrote down: the differential test's data, and what a real Prometheus is given too."""

    series: tuple[Samples, ...]

    def select(self, matches: Sequence[Match], since_ms: int, until_ms: int) -> Iterator[Samples]:
        """The series that match."""
        for one in self.series:
            if all(match(dict(one.labels)) for match in matches):
                here = (one.moments >= since_ms) & (one.moments <= until_ms)
                if here.any():
                    yield Samples(one.labels, one.moments[here], one.values[here])

    def labels(self, matches: Sequence[Match], since_ms: int, until_ms: int) -> Iterator[Labels]:
        """The labels of series with a sample in the window."""
        for one in self.select(matches, since_ms, until_ms):
            yield one.labels


def kept(series: Mapping[tuple[str, ...], tuple[Sequence[float], Sequence[float]]]) -> KeptStorage:
    """A storage from {("name", "label=value", ...): (seconds, values)}."""
    found = []
    for key, (seconds, values) in series.items():
        labels = labelled({NAME: key[0], **dict(one.split("=", 1) for one in key[1:])})
        moments = np.round(np.array(seconds, dtype=np.float64) * 1000).astype(np.int64)
        found.append(Samples(labels, moments, np.array(values, dtype=np.float64)))
    return KeptStorage(tuple(found))


def is_stale(values: Array) -> Bools:
    """Which samples say that a series ended."""
    return np.asarray(np.ascontiguousarray(values).view(np.uint64) == STALE_BITS)


def _is_there(signal: Signal, times_s: Array) -> bool:
    """Whether a signal has a value at one of many moments; counters, dear and without gaps, at some."""
    if signal.kind == "counter":
        times_s = times_s[:: max(1, len(times_s) // COUNTER_PROBES)]
    alive = times_s[(times_s >= signal.since_s) & (times_s <= signal.until_s)]
    return bool(alive.size) and not np.isnan(signal.read(alive)).all()


def _joined(told: list[Array]) -> Array:
    """Series with equal labels: what one does not know, the next may."""
    found = told[0]
    for more in told[1:]:
        found = np.where(np.isnan(found), more, found)
    return found
