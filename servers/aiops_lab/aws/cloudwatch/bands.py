"""Anomaly detection bands: what a metric was at this hour of the week, plus and minus its usual spread.

"Using CloudWatch anomaly detection": a model is trained on up to two weeks of the metric, knows hourly, daily
and weekly patterns, and its band is so many standard deviations wide. AWS does not say how; here it is the
median of the hour of the week (of the hour of the day with less than two weeks) and 1.4826 times the median
deviation from it. Each day is judged by the two weeks before it, so that a band is the same whoever asks and
whenever. Excluded ranges are not learned from. With less than three hours there is no band.
"""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from aiops_lab.telemetry.signals import Array

HOUR_S, DAY_S = 3600, 86_400
TRAINED_S, LEAST_S = 14 * DAY_S, 3 * HOUR_S


def band(
    moments_s: Array,
    values: Array,
    since_s: float,
    *,
    width: float,
    excluded: Iterable[tuple[float, float]] = (),
) -> tuple[Array, Array]:
    """Upper and lower bound at the moments from `since_s` on; NaN where the model knows nothing.

    `values` are the metric's at `moments_s`, which begin two weeks before the day of `since_s`.
    """
    learned = ~np.isnan(values)
    for first, last in excluded:
        learned &= (moments_s < first) | (moments_s > last)
    asked = moments_s >= since_s
    upper, lower = np.full(values.shape, np.nan), np.full(values.shape, np.nan)
    days = moments_s // DAY_S
    for day in np.unique(days[asked]):
        past = learned & (moments_s < day * DAY_S) & (moments_s >= day * DAY_S - TRAINED_S)
        here = asked & (days == day)
        upper[here], lower[here] = _of_day(moments_s[past], values[past], moments_s[here], width)
    return upper[asked], lower[asked]


def training_starts_s(since_s: float) -> float:
    """From when on values are needed for a band that begins at `since_s`."""
    return since_s // DAY_S * DAY_S - TRAINED_S


def _of_day(past: Array, seen: Array, here: Array, width: float) -> tuple[Array, Array]:
    if past.size == 0 or past[-1] - past[0] < LEAST_S:
        nothing = np.full(here.shape, np.nan)
        return nothing, nothing
    bins = _bins(past[-1] - past[0])
    profile = _profile(past, seen, bins)
    left = seen - profile[_bin(past, bins)]
    spread = 1.4826 * float(np.median(np.abs(left - np.median(left)))) or float(np.std(left))
    spread = max(spread, 1e-9 * float(np.max(np.abs(seen))))
    expected = profile[_bin(here, bins)]
    return expected + width * spread, expected - width * spread


def _bins(known_s: float) -> int:
    """Hours of the week, of the day, or none, by how long the metric is known."""
    if known_s >= TRAINED_S - DAY_S:
        return 7 * 24
    return 24 if known_s >= 2 * DAY_S else 1


def _bin(moments_s: Array, bins: int) -> npt.NDArray[np.int64]:
    return np.asarray((moments_s // HOUR_S).astype(np.int64) % bins)


def _profile(moments_s: Array, values: Array, bins: int) -> Array:
    where = _bin(moments_s, bins)
    middle = float(np.median(values))
    return np.array(
        [float(np.median(values[where == one])) if np.any(where == one) else middle for one in range(bins)]
    )
