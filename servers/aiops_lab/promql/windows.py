"""Functions over ranges: every step's window of one series as a row of a table, computed together.

Rules are those of Prometheus 2.42 promql/functions.go; both ends of a window count. A table is cut into
pieces, so that many steps over long ranges stay small in memory.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from aiops_lab.promql.values import Array, Bools, Moments, Samples

CELLS = 2_000_000  # of one piece


@dataclass(frozen=True, slots=True)
class Windows:
    """Windows side by side: `values` and `times_s` (seconds since the window's end) are steps x samples; only
    the first `count` of a row are its own. `range_s` is how long a window is."""

    values: Array
    times_s: Array
    count: Moments
    range_s: float

    @property
    def own(self) -> Bools:
        """Which cells are samples of the window."""
        columns = np.arange(self.values.shape[1])
        return np.asarray(columns[None, :] < self.count[:, None])

    @property
    def first(self) -> Array:
        """The first sample of each window."""
        return np.asarray(self.values[:, 0])

    def at(self, table: Array, back: int) -> Array:
        """The cell `back` from the end of each window, in a table of this shape."""
        place = np.clip(self.count - back, 0, None)
        return np.asarray(np.take_along_axis(table, place[:, None], axis=1)[:, 0])

    @property
    def last(self) -> Array:
        """The last sample of each window."""
        return self.at(self.values, 1)


Over = Callable[[Windows], tuple[Array, Bools]]
Simple = Callable[[Windows], Array]


def windows(samples: Samples, ends_ms: Moments, range_ms: int) -> Iterator[tuple[slice, Windows]]:
    """The windows that end at these moments, in pieces; empty ones have count 0."""
    left = np.searchsorted(samples.moments, ends_ms - range_ms, side="left")
    right = np.searchsorted(samples.moments, ends_ms, side="right")
    count = np.maximum(right - left, 0)
    widest = max(1, int(count.max(initial=0)))
    size = max(1, CELLS // widest)
    for start in range(0, len(ends_ms), size):
        piece = slice(start, start + size)
        width = max(1, int(count[piece].max(initial=0)))
        cells = np.minimum(left[piece, None] + np.arange(width), len(samples.values) - 1)
        times_s = (samples.moments[cells] - ends_ms[piece, None]) / 1000
        yield piece, Windows(samples.values[cells], times_s, count[piece], range_ms / 1000)


def over(samples: Samples, ends_ms: Moments, range_ms: int, function: Over) -> tuple[Array, Bools]:
    """A function at every step: its values, and where there is one."""
    values = np.zeros(len(ends_ms))
    present = np.zeros(len(ends_ms), dtype=np.bool_)
    if not len(samples.values):
        return values, present
    with np.errstate(all="ignore"):
        for piece, each in windows(samples, ends_ms, range_ms):
            found, there = function(each)
            values[piece], present[piece] = found, there & (each.count > 0)
    return values, present


def wherever(function: Simple, least: int = 1) -> Over:
    """A function that has an answer for every window of at least so many samples."""
    return lambda each: (function(each), np.asarray(each.count >= least))


def _filled(each: Windows, value: float) -> Array:
    return np.where(each.own, each.values, value)


def _sum(each: Windows) -> Array:
    return np.asarray(_filled(each, 0.0).sum(axis=1))


def _avg(each: Windows) -> Array:
    return _sum(each) / np.maximum(each.count, 1)


def _max(each: Windows) -> Array:
    return np.asarray(np.fmax.reduce(_filled(each, np.nan), axis=1))


def _min(each: Windows) -> Array:
    return np.asarray(np.fmin.reduce(_filled(each, np.nan), axis=1))


def _variance(each: Windows) -> Array:
    off = np.where(each.own, each.values - _avg(each)[:, None], 0.0)
    return np.asarray((off * off).sum(axis=1) / np.maximum(each.count, 1))


def _pairs(each: Windows) -> Bools:
    """Which neighbours (column, column + 1) are both in the window."""
    return each.own[:, 1:]


def _changes(each: Windows) -> Array:
    before, after = each.values[:, :-1], each.values[:, 1:]
    differ = (before != after) & ~(np.isnan(before) & np.isnan(after)) & _pairs(each)
    return np.asarray(differ.sum(axis=1), dtype=np.float64)


def _resets(each: Windows) -> Array:
    fell = (each.values[:, 1:] < each.values[:, :-1]) & _pairs(each)
    return np.asarray(fell.sum(axis=1), dtype=np.float64)


def quantile_over(q: Array) -> Callable[[slice], Simple]:
    """quantile_over_time for a piece of the steps; `q` may differ by step."""

    def of_piece(piece: slice) -> Simple:
        return lambda each: quantiles(_filled(each, np.inf), each.count, q[piece])

    return of_piece


def quantiles(values: Array, count: Moments, q: Array) -> Array:
    """The q-quantile of the first `count` of each row (promql/quantile.go); NaN counts as the smallest.

    Cells beyond must be +Inf.
    """
    ordered = np.sort(np.where(np.isnan(values), -np.inf, values), axis=1)
    was_nan = np.isnan(values).sum(axis=1)
    ordered = np.where(np.arange(values.shape[1])[None, :] < was_nan[:, None], np.nan, ordered)
    rank = q * (count - 1)
    safe = np.where(np.isfinite(rank), rank, 0.0)
    low = np.clip(np.floor(safe), 0, np.maximum(count - 1, 0)).astype(np.int64)
    high = np.clip(low + 1, 0, np.maximum(count - 1, 0))
    weight = safe - np.floor(safe)
    below = np.take_along_axis(ordered, low[:, None], axis=1)[:, 0]
    above = np.take_along_axis(ordered, high[:, None], axis=1)[:, 0]
    found = below * (1 - weight) + above * weight
    found = np.where(q < 0, -np.inf, np.where(q > 1, np.inf, found))
    return np.where(np.isnan(q) | (count == 0), np.nan, found)


def extrapolated(*, counter: bool, per_second: bool) -> Over:
    """rate, increase and delta: extrapolatedRate of Prometheus 2.42."""

    def function(each: Windows) -> tuple[Array, Bools]:
        grown = each.last - each.first
        if counter:
            fell = (each.values[:, 1:] < each.values[:, :-1]) & _pairs(each)
            grown = grown + np.where(fell, each.values[:, :-1], 0.0).sum(axis=1)
        first_s, last_s = each.times_s[:, 0], each.at(each.times_s, 1)
        sampled = last_s - first_s
        to_start, to_end = first_s + each.range_s, -last_s
        if counter:
            to_zero = sampled * (each.first / grown)
            nearer = (grown > 0) & (each.first >= 0) & (to_zero < to_start)
            to_start = np.where(nearer, to_zero, to_start)
        between = sampled / np.maximum(each.count - 1, 1)
        threshold = between * 1.1
        covered = sampled + np.where(to_start < threshold, to_start, between / 2)
        covered = covered + np.where(to_end < threshold, to_end, between / 2)
        factor = covered / sampled / (each.range_s if per_second else 1.0)
        return grown * factor, np.asarray(each.count >= 2)

    return function


def instant(*, rate: bool) -> Over:
    """irate and idelta: the last two samples."""

    def function(each: Windows) -> tuple[Array, Bools]:
        last, before = each.last, each.at(each.values, 2)
        grown = np.where(rate & (last < before), last, last - before)
        apart = each.at(each.times_s, 1) - each.at(each.times_s, 2)
        there = (each.count >= 2) & (apart > 0)
        return (grown / apart if rate else grown), np.asarray(there)

    return function


def _regression(each: Windows, from_s: Array) -> tuple[Array, Array]:
    """Slope per second and intercept at `from_s` (seconds since the window's end)."""
    own = each.own
    n = np.maximum(each.count, 1)
    x = np.where(own, each.times_s - from_s[:, None], 0.0)
    y = _filled(each, 0.0)
    sum_x, sum_y = x.sum(axis=1), y.sum(axis=1)
    spread = (x * x).sum(axis=1) - sum_x * sum_x / n
    # The values are taken relative to the first: sums of large squares would lose the slope.
    off = np.where(own, each.values - each.first[:, None], 0.0)
    slope = ((x * off).sum(axis=1) - sum_x * off.sum(axis=1) / n) / spread
    same = np.where(own, each.values == each.first[:, None], True).all(axis=1)
    flat = np.where(np.isinf(each.first), np.nan, 0.0)
    slope = np.where(same, flat, slope)
    start = np.where(np.isinf(each.first), np.nan, each.first)
    return slope, np.where(same, start, sum_y / n - slope * sum_x / n)


def _deriv(each: Windows) -> Array:
    return _regression(each, each.times_s[:, 0])[0]


def predicted(ahead_s: Array) -> Callable[[slice], Simple]:
    """predict_linear for a piece of the steps."""

    def of_piece(piece: slice) -> Simple:
        def function(each: Windows) -> Array:
            slope, start = _regression(each, np.zeros(len(each.count)))
            return np.asarray(slope * ahead_s[piece] + start)

        return function

    return of_piece


def smoothed(smoothing: float, trend: float) -> Simple:
    """holt_winters, of Prometheus 3 double_exponential_smoothing."""

    def function(each: Windows) -> Array:
        before = level = each.first
        growth = each.values[:, min(1, each.values.shape[1] - 1)] - each.first
        for column in range(1, each.values.shape[1]):
            inside = each.count > column
            if column > 1:
                growth = np.where(inside, trend * (level - before) + (1 - trend) * growth, growth)
            newer = smoothing * each.values[:, column] + (1 - smoothing) * (level + growth)
            before, level = np.where(inside, level, before), np.where(inside, newer, level)
        return level

    return function


OVER: dict[str, Over] = {
    "rate": extrapolated(counter=True, per_second=True),
    "increase": extrapolated(counter=True, per_second=False),
    "delta": extrapolated(counter=False, per_second=False),
    "irate": instant(rate=True),
    "idelta": instant(rate=False),
    "deriv": wherever(_deriv, 2),
    "changes": wherever(_changes),
    "resets": wherever(_resets),
    "sum_over_time": wherever(_sum),
    "avg_over_time": wherever(_avg),
    "max_over_time": wherever(_max),
    "min_over_time": wherever(_min),
    "stdvar_over_time": wherever(_variance),
    "stddev_over_time": wherever(lambda each: np.sqrt(_variance(each))),
    "count_over_time": wherever(lambda each: each.count.astype(np.float64)),
    "last_over_time": wherever(lambda each: each.last),
    "present_over_time": wherever(lambda each: np.ones(len(each.count))),
}
