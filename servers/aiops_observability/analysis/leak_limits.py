"""When a growing memory reaches its limit, with an interval.

Called by `leaks`. The line is a Theil–Sen slope on what load, season and restarts leave; the limit is reached
by the day's usual peak on top of the line, at the latest by the line itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from aiops_observability.analysis.leak_model import Look, hinges
from aiops_observability.analysis.leak_rows import DAY_S, Track
from aiops_observability.analysis.robust import Array, slope_within, spread

WIDE = 2.2  # of the standard error, for 90 %: measured in evals/observability/leaks.py


@dataclass(frozen=True, slots=True)
class Reach:
    """The way to the limit, in seconds from the end of the data; None: no limit is known, or never."""

    rate: float
    rate_error: float
    level: float
    peak: float
    limit: float | None = None
    expected_s: float | None = None
    low_s: float | None = None
    high_s: float | None = None


def reach(look: Look, tracks: Sequence[Track], step_s: float, limit: float | None) -> Reach:
    """The rate since the onset, the level now, and when the limit comes."""
    sample, slope = look.sample, look.slope
    column = hinges(sample, np.array([look.onset_s]))[:, 0]
    root = np.maximum(look.base.root, 1e-9)
    adjusted = slope.remains / root + slope.value * column
    inside = column > 0
    robust = slope_within(sample.at_s[inside] / 3600.0, adjusted[inside], sample.segment[inside])
    rate = robust if 0.5 < robust / slope.value < 2.0 else slope.value
    level, peak = _levels(look, tracks, step_s, rate)
    noise = spread(slope.remains / root)
    error = slope.error
    if limit is None:
        return Reach(rate / 3600.0, error / 3600.0, level, peak)
    left = max(0.0, limit - level - peak)
    slow, quick = rate - WIDE * error, rate + WIDE * error
    slack = 0.5 * noise
    return Reach(
        rate=rate / 3600.0,
        rate_error=error / 3600.0,
        level=level,
        peak=peak,
        limit=limit,
        expected_s=left / rate * 3600.0,
        low_s=max(0.0, left - slack) / quick * 3600.0,
        high_s=(max(0.0, limit - level) + slack) / slow * 3600.0 if slow > 0 else None,
    )


def _levels(look: Look, tracks: Sequence[Track], step_s: float, rate: float) -> tuple[float, float]:
    """Where the line stands at the end, of the highest pod; and the usual peak above the line."""
    rows = int(DAY_S / step_s)
    best, peak = -np.inf, 0.0
    for track in tracks:
        values = track.values[-rows:]
        at = np.arange(values.size, dtype=np.float64) * step_s / 3600.0
        seen = ~np.isnan(values)
        if not np.any(seen[-max(1, rows // 12) :]):
            continue
        start = max([0, *(r - track.values.size + values.size for r in track.restarts)])
        onset = (look.onset_s / step_s) - (track.values.size - values.size)
        start = int(max(start, min(onset, values.size - 6), 0))
        lined = values - rate * at
        last = lined[start:]
        middle = float(np.nanmedian(last)) if np.any(~np.isnan(last)) else float(np.nanmedian(lined))
        level = middle + rate * float(at[-1])
        if level > best:
            best, peak = level, _peak(last - middle)
    return (float(best), peak) if np.isfinite(best) else (float(np.median(look.sample.value)), 0.0)


def _peak(above: Array) -> float:
    seen = above[~np.isnan(above)]
    return float(np.percentile(seen, 98)) if seen.size else 0.0
