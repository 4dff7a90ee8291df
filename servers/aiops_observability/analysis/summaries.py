"""A series in a few numbers, in fewer points, and as a week: what a model can read of ten thousand samples.

Called by the reader of metrics. Pure: arrays in, numbers out; NaN means "not measured".
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
HOUR_S = 3600.0
QUANTILES = (50.0, 95.0, 99.0)
WEEK_HOURS = 168
EPSILON = 1e-9
MONDAY_S = 4 * 86_400.0  # 1970-01-05 was a Monday


@dataclass(frozen=True, slots=True)
class Summary:
    """One series. `slope_h`: least squares, per hour; NaN with fewer than three points."""

    points: int
    missing: float
    low: float
    high: float
    mean: float
    p50: float
    p95: float
    p99: float
    slope_h: float
    last: float


def summarised(times_s: Array, values: Array) -> Summary | None:
    """The numbers of a series; None where nothing was measured."""
    seen = ~np.isnan(values)
    told = values[seen]
    if not told.size:
        return None
    p50, p95, p99 = (float(one) for one in np.percentile(told, QUANTILES))
    return Summary(
        points=int(told.size),
        missing=1.0 - told.size / values.size,
        low=float(told.min()),
        high=float(told.max()),
        mean=float(told.mean()),
        p50=p50,
        p95=p95,
        p99=p99,
        slope_h=_slope(times_s[seen], told),
        last=float(told[-1]),
    )


def _slope(times_s: Array, values: Array) -> float:
    if values.size < 3:
        return float("nan")
    hours = (times_s - times_s[0]) / HOUR_S
    away = hours - hours.mean()
    slope = float(np.dot(away, values - values.mean()) / np.dot(away, away))
    level = float(np.max(np.abs(values)))
    return (
        slope if abs(slope) * float(hours[-1]) > EPSILON * level else 0.0
    )  # what rounding leaves of a constant


def thinned(times_s: Array, values: Array, most: int) -> tuple[Array, Array]:
    """At most so many points: each the mean of an equal stretch, at the stretch's last moment."""
    if values.size <= most:
        return times_s, values
    size = -(-values.size // most)
    full = -(-values.size // size) * size
    padded = np.concatenate([values, np.full(full - values.size, np.nan)]).reshape(-1, size)
    seen = np.sum(~np.isnan(padded), axis=1)
    means = np.divide(np.nansum(padded, axis=1), seen, out=np.full(seen.size, np.nan), where=seen > 0)
    ends = np.minimum(np.arange(1, seen.size + 1) * size - 1, values.size - 1)
    return times_s[ends], means


def by_hour_of_week(times_s: Array, values: Array) -> Array:
    """Medians of the 168 hours of a week in UTC: 24 rows, 7 columns from Monday; NaN where unmeasured."""
    slot = ((times_s - MONDAY_S) // HOUR_S % WEEK_HOURS).astype(np.int64)
    seen = ~np.isnan(values)
    found = np.full(WEEK_HOURS, np.nan)
    for hour in np.unique(slot[seen]):
        found[hour] = np.median(values[seen & (slot == hour)])
    return found.reshape(7, 24).T
