"""What every picture of the suite has in common: canvas, colours, plain titles, PNG.

matplotlib's Agg canvas alone: no window, no pyplot state, so that calls may draw side by side. Colours are
told apart in grey and by colour-blind people (Okabe and Ito). Loaded by the first picture, never at start
(decision D31); called by the `charts` rooms of the servers.
"""

import io
from datetime import UTC
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure

SIZE_IN, DPI = (9.0, 3.6), 110
ROW_IN = 1.7
INK, BLUE, ORANGE, GREY = "#222222", "#0072B2", "#D55E00", "#999999"
MANY = (BLUE, ORANGE, "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#F0E442")  # of stacked parts
MOST_TITLE = 90


def canvas(title: str, unit: str, rows: int = 1) -> tuple[Figure, list[Any]]:
    """A figure of so many rows over one horizontal axis."""
    wide, high = SIZE_IN
    figure = Figure(figsize=(wide, max(high, 0.7 + ROW_IN * rows)), dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    found = list(figure.subplots(rows, 1, sharex=True, squeeze=False)[:, 0])
    found[0].set_title(plain(title), loc="left", fontsize=10, color=INK)
    for axes in found:
        axes.set_ylabel(plain(unit), fontsize=9)
        axes.tick_params(labelsize=8)
        axes.grid(visible=True, color="#e6e6e6", linewidth=0.6)
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
    return figure, found


def plain(text: str, most: int = MOST_TITLE) -> str:
    """A name as text: it is not mathematics, whatever signs it has."""
    return text[:most].replace("$", r"\$")


def by_time(axes: Any) -> None:
    """A horizontal axis of UTC times."""
    locator = AutoDateLocator(tz=UTC)  # type: ignore[no-untyped-call]  # matplotlib.dates has no types
    axes.xaxis.set_major_locator(locator)
    formatter = ConciseDateFormatter(locator, tz=UTC)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_formatter(formatter)
    axes.set_xlabel("UTC", fontsize=8)


def png_of(figure: Figure) -> bytes:
    """The figure as a PNG."""
    found = io.BytesIO()
    figure.savefig(found, format="png")
    return found.getvalue()
