"""Pictures of answers as PNG: the past, what comes, and the band around it. Drawn on request only.

matplotlib's Agg canvas alone: no window, no pyplot state, so that calls may draw side by side. Colours are
told apart in grey and by colour-blind people (Okabe and Ito); every picture has its unit and time zone.
"""

import io
from datetime import UTC, datetime
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure

from aiops_observability.analysis.forecasting import HOUR_S, WEEK, Forecast, Hourly
from aiops_observability.analysis.robust import Array

SIZE_IN, DPI = (9.0, 3.6), 110
INK, BLUE, ORANGE, GREY = "#222222", "#0072B2", "#D55E00", "#999999"
MOST_TITLE = 90


def _times(first_s: float, step_s: float, count: int) -> list[datetime]:
    return [datetime.fromtimestamp(first_s + step_s * at, UTC) for at in range(count)]


def _canvas(title: str, unit: str) -> tuple[Figure, Any]:
    figure = Figure(figsize=SIZE_IN, dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.set_title(_plain(title), loc="left", fontsize=10, color=INK)
    axes.set_ylabel(_plain(unit), fontsize=9)
    axes.tick_params(labelsize=8)
    axes.grid(visible=True, color="#e6e6e6", linewidth=0.6)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    return figure, axes


def _plain(text: str) -> str:
    """A title as text: names are not mathematics, whatever signs they have."""
    return text[:MOST_TITLE].replace("$", r"\$")


def _png(figure: Figure, axes: Any) -> bytes:
    locator = AutoDateLocator(tz=UTC)  # type: ignore[no-untyped-call]  # matplotlib.dates has no types
    axes.xaxis.set_major_locator(locator)
    formatter = ConciseDateFormatter(locator, tz=UTC)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_formatter(formatter)
    axes.set_xlabel("UTC", fontsize=8)
    found = io.BytesIO()
    figure.savefig(found, format="png")
    return found.getvalue()


def draw_forecast(title: str, unit: str, series: Hourly, found: Forecast) -> bytes:
    """The last two weeks, the hours to come, and their 80 and 95 % intervals."""
    figure, axes = _canvas(f"Forecast: {title}", unit)
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


def _from_zero(axes: Any, *values: Array) -> None:
    """Amounts are drawn from zero: a cut axis makes a ripple a cliff. Head room for the legend."""
    top = max(float(np.nanmax(one)) for one in values if one.size)
    low = min(float(np.nanmin(one)) for one in values if one.size)
    if low >= 0 < top:
        axes.set_ylim(0, top * 1.25)
