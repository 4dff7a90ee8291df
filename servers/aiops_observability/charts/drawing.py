"""Pictures of answers as PNG: the past, what comes, and the band around it. Drawn on request only.

Every picture has its unit and time zone; canvas and colours are the suite's (`aiops_shared.app.drawing`).
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from aiops_observability.analysis.forecasting import HOUR_S, WEEK, Forecast, Hourly
from aiops_observability.analysis.robust import Array
from aiops_observability.charts.watched import Watched
from aiops_shared.app.drawing import BLUE, GREY, INK, ORANGE, by_time, canvas, plain, png_of

MOST_ROWS = 6
SIZES = ((2.0**30, "GiB"), (2.0**20, "MiB"), (2.0**10, "KiB"))


def _times(first_s: float, step_s: float, count: int) -> list[datetime]:
    return [datetime.fromtimestamp(first_s + step_s * at, UTC) for at in range(count)]


def _png(figure: Figure, axes: Any) -> bytes:
    by_time(axes)
    return png_of(figure)


def draw_forecast(title: str, unit: str, series: Hourly, found: Forecast) -> bytes:
    """The last two weeks, the hours to come, and their 80 and 95 % intervals."""
    figure, (axes,) = canvas(f"Forecast: {title}", unit)
    past = series.values[-2 * WEEK :]
    first_s = series.first_s + (series.values.size - past.size) * HOUR_S
    axes.plot(_times(first_s, HOUR_S, past.size), past, color=INK, linewidth=1.0, label="measured")
    ahead = _times(found.first_s, HOUR_S, found.mean.size)
    for level, shade in ((0.95, 0.18), (0.80, 0.32)):
        low, high = found.bounds[level]
        axes.fill_between(ahead, low, high, color=BLUE, alpha=shade, linewidth=0, label=f"{level:.0%}")
    axes.plot(ahead, found.mean, color=BLUE, linewidth=1.2, label=f"forecast ({found.model})")
    _from_zero(axes, past, found.mean)
    axes.legend(loc="upper left", fontsize=8, frameon=False, ncols=4)
    return _png(figure, axes)


def draw_anomalies(title: str, found: Sequence[Watched]) -> bytes:
    """Each series with its abnormal stretches, what was expected there and the band of the usual around it.

    Where nothing is abnormal nothing is drawn but the series: detectors judge by several things, and one band
    over all of it would be an invention.
    """
    shown = found[:MOST_ROWS]
    figure, rows = canvas(f"Anomalies: {title}", "", len(shown))
    rows[0].set_title("orange: abnormal; blue: expected; grey: not measured", loc="right", fontsize=8)
    for axes, one in zip(rows, shown, strict=True):
        _watched(axes, one)
    return _png(figure, rows[-1])


def _watched(axes: Any, one: Watched) -> None:
    scale, unit = scaled(one.unit, one.values)
    values = one.values / scale
    times = _times(one.first_s, one.step_s, values.size)
    axes.plot(times, values, color=INK, linewidth=0.9)
    drawn = [values]
    for each in one.anomalies:
        stretch = slice(each.first, each.last + 2)
        if each.kind == "missing":
            axes.axvspan(times[each.first], times[each.last], color=GREY, alpha=0.25, linewidth=0)
            continue
        low, high = (bound / scale for bound in each.band)
        span = times[stretch]
        axes.fill_between(span, low, high, color=BLUE, alpha=0.25, linewidth=0)
        axes.plot(span, np.full(len(span), each.expected / scale), color=BLUE, linewidth=1.2, linestyle="--")
        axes.plot(span, values[stretch], color=ORANGE, linewidth=1.6)
        axes.plot(times[each.first], values[each.first], marker="v", color=ORANGE, markersize=6)
        drawn.append(np.array([high]))
    if one.onset is not None:
        grown = slice(int(max(0, one.onset)), None)
        axes.plot(times[grown], values[grown], color=ORANGE, linewidth=1.6)
        axes.axvline(times[grown.start], color=ORANGE, linewidth=1.0, linestyle=":")
    if one.limit is not None and one.limit / scale < 3 * float(np.nanmax(values)):
        axes.axhline(one.limit / scale, color=INK, linewidth=0.9, linestyle="-.")
        drawn.append(np.array([one.limit / scale]))
    _from_zero(axes, *drawn)
    axes.set_ylabel(plain(unit), fontsize=8)
    said = f"{one.name}: {one.verdict}" if one.verdict else one.name
    axes.text(0.005, 0.97, plain(said), transform=axes.transAxes, va="top", fontsize=8, color=INK)


def scaled(unit: str, values: Array) -> tuple[float, str]:
    """What to divide by, and the unit then: people read MiB and percent."""
    if unit == "ratio":
        return 0.01, "%"
    if unit != "bytes":
        return 1.0, unit
    top = float(np.nanmax(np.abs(values))) if np.any(~np.isnan(values)) else 0.0
    return next(((size, word) for size, word in SIZES if top >= size), (1.0, "B"))


def _from_zero(axes: Any, *values: Array) -> None:
    """Amounts are drawn from zero: a cut axis makes a ripple a cliff. Head room for the legend."""
    seen = np.concatenate([one[~np.isnan(one)] for one in values])
    if not seen.size:
        return
    top, low = float(seen.max()), float(seen.min())
    if low >= 0:
        axes.set_ylim(0, top * 1.25 or 1.0)
