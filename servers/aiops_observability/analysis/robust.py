"""Small robust statistics that the analyses share: medians instead of means, ranks instead of sizes.

All take plain arrays, none reads a clock. NaN means "not measured" and is left out where a function says so.
"""

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
TO_SIGMA = 1.4826  # of a MAD, for normal data


def spread(values: Array) -> float:
    """The standard deviation that the median absolute deviation stands for; NaN left out, 0 of nothing."""
    seen = values[~np.isnan(values)]
    if not seen.size:
        return 0.0
    return TO_SIGMA * middle(np.abs(seen - middle(seen)))


def middle(values: Array) -> float:
    """The upper median of values without gaps: a fifth of the time of numpy's."""
    half = values.size // 2
    return float(np.partition(values, half)[half])


def weighted_median(values: Array, weights: Array) -> float:
    """The value that half of the weight lies under."""
    order = np.argsort(values)
    total = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(total, 0.5 * total[-1])])


def slope_within(times: Array, values: Array, groups: Rows, at_most: int = 400) -> float:
    """Theil–Sen: the median slope of all pairs of one group, longer pairs weighing more.

    Pairs never reach over a group's end (a restart), so steps between groups do not count.
    """
    if times.size > at_most:
        kept = np.linspace(0, times.size - 1, at_most).astype(np.int64)
        times, values, groups = times[kept], values[kept], groups[kept]
    first, second = np.triu_indices(times.size, k=1)
    same = groups[first] == groups[second]
    gap = (times[second] - times[first])[same]
    apart = gap > 0
    if not np.any(apart):
        return 0.0
    rise = (values[second] - values[first])[same]
    return weighted_median(rise[apart] / gap[apart], gap[apart])


def mann_kendall(values: Array) -> float:
    """The z of a monotone trend, its variance widened for autocorrelation (Hamed and Rao, 1998).

    NaN left out; 0 for fewer than 8 values.
    """
    seen = values[~np.isnan(values)]
    n = seen.size
    if n < 8:
        return 0.0
    sign = np.sign(seen[None, :] - seen[:, None])
    s = float(np.sum(np.triu(sign, k=1)))
    plain = n * (n - 1) * (2 * n + 5) / 18.0
    ranks = np.argsort(np.argsort(_detrended(seen))).astype(np.float64)
    variance = plain * _widening(ranks - ranks.mean())
    return float((s - np.sign(s)) / np.sqrt(variance))


def _detrended(values: Array) -> Array:
    at = np.arange(values.size, dtype=np.float64)
    slope = slope_within(at, values, np.zeros(values.size, dtype=np.int64), 200)
    return values - slope * at


def _widening(ranks: Array) -> float:
    """Hamed and Rao's correction: n/n*, from the significant autocorrelations of the ranks."""
    n = ranks.size
    power = float(np.dot(ranks, ranks)) or 1.0
    total = 0.0
    for lag in range(1, min(n - 2, n // 2)):
        corr = float(np.dot(ranks[lag:], ranks[:-lag])) / power
        if abs(corr) > 1.96 / np.sqrt(n):
            total += (n - lag) * (n - lag - 1) * (n - lag - 2) * corr
    return max(1.0, 1.0 + 2.0 / (n * (n - 1) * (n - 2)) * total)


def filled(values: Array) -> Array:
    """Gaps bridged by the last value seen before them (the first value backwards): causal, for filters."""
    at = np.where(~np.isnan(values), np.arange(values.size), -1)
    np.maximum.accumulate(at, out=at)
    seen = np.flatnonzero(~np.isnan(values))
    if not seen.size:
        return np.zeros_like(values)
    return values[np.where(at < 0, seen[0], at)]


def ewma(values: Array, half_life: float) -> Array:
    """The exponentially weighted mean of each value and those before it; no gaps allowed."""
    keep = 0.5 ** (1.0 / half_life)
    found = np.empty_like(values)
    level = float(values[0]) if values.size else 0.0
    for at, value in enumerate(values.tolist()):
        level = keep * level + (1.0 - keep) * value
        found[at] = level
    return found
