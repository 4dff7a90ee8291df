"""An incident on one axis of time, as PNG: a lane for each source, the causal chain marked and numbered.

Called by `clients/investigating.py` where a picture was asked for.
"""

from collections.abc import Sequence

from aiops_shared.app.drawing import GREY, INK, ORANGE, by_time, canvas, plain, png_of
from aiops_sop.charts.marks import Mark

MOST = 40
MOST_WORDS = 60


def draw_timeline(title: str, marks: Sequence[Mark]) -> bytes:
    """All of it; what is in the chain in colour with its number and words, the rest as grey dots."""
    shown = sorted(marks, key=lambda one: (one.link == 0, one.at))[:MOST]
    lanes = list(dict.fromkeys(one.lane for one in sorted(shown, key=lambda one: one.at)))
    words = sorted((one for one in shown if one.link), key=lambda one: one.link)
    figure, (axes, below) = canvas(title, "", rows=2)
    below.set_axis_off()
    for one in shown:
        place, moment = lanes.index(one.lane), one.at
        axes.plot(
            [moment], [place], "o", color=ORANGE if one.link else GREY, markersize=10 if one.link else 5
        )
        if one.link:
            axes.annotate(str(one.link), (moment, place), ha="center", va="center", fontsize=7, color="white")
    axes.set_yticks(range(len(lanes)), [plain(lane, 24) for lane in lanes], fontsize=8)
    axes.tick_params(labelbottom=True)  # the axis is shared with the words below
    axes.set_ylim(len(lanes) - 0.5, -0.5)
    by_time(axes)
    said = [f"{one.link}. {one.at:%H:%M} {plain(one.what, MOST_WORDS)}" for one in words]
    below.text(0.0, 1.0, "\n".join(said), fontsize=8, color=INK, va="top", transform=below.transAxes)
    return png_of(figure)
