"""Pictures of reports as PNG: before and after, levels, counts. Called by `eks-aiops report`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aiops_shared.app.drawing import BLUE, GREY, INK, ORANGE, canvas, plain, png_of

LEVELS = ("Manual", "Reactive", "Declarative", "Predictive", "Autonomous")
MOST = 8


@dataclass(frozen=True, slots=True)
class Pair:
    """One measure before and after, with how both are said."""

    name: str
    before: float
    after: float
    said: tuple[str, str]


def draw_pairs(title: str, pairs: Sequence[Pair]) -> bytes:
    """Each measure as a share of what it was before, so that minutes and dollars stand in one picture."""
    figure, (axes,) = canvas(title, "% of before")
    shown = [one for one in pairs if one.before][:MOST]
    for place, one in enumerate(shown):
        high = one.after / one.before * 100
        axes.bar(place - 0.2, 100, width=0.38, color=GREY)
        axes.bar(place + 0.2, high, width=0.38, color=BLUE if high <= 100 else ORANGE)
        for at, top, said in ((place - 0.2, 100.0, one.said[0]), (place + 0.2, high, one.said[1])):
            axes.annotate(plain(said, 20), (at, top), ha="center", va="bottom", fontsize=7, color=INK)
    axes.set_xticks(range(len(shown)), [plain(one.name, 24) for one in shown], fontsize=7)
    axes.grid(visible=False, axis="x")
    axes.set_axisbelow(True)
    axes.margins(y=0.15)
    return png_of(figure)


def draw_levels(title: str, levels: Mapping[str, int]) -> bytes:
    """One bar a cluster, by its level."""
    figure, (axes,) = canvas(title, "")
    names = list(levels)[:MOST]
    axes.barh(range(len(names)), [levels[name] + 0.04 for name in names], color=BLUE, height=0.5)
    axes.set_yticks(range(len(names)), [plain(name, 30) for name in names], fontsize=8)
    axes.set_xticks(range(len(LEVELS)), [f"{place} {name}" for place, name in enumerate(LEVELS)], fontsize=8)
    axes.set_xlim(0, 4.3)
    axes.invert_yaxis()
    axes.grid(visible=False, axis="y")
    return png_of(figure)


def draw_counts(title: str, unit: str, counts: Mapping[str, float]) -> bytes:
    """How much of what."""
    figure, (axes,) = canvas(title, unit)
    names = list(counts)[:MOST]
    axes.bar(range(len(names)), [counts[name] for name in names], color=BLUE, width=0.55)
    for place, name in enumerate(names):
        axes.annotate(f"{counts[name]:,.0f}", (place, counts[name]), ha="center", va="bottom", fontsize=8)
    axes.set_xticks(range(len(names)), [plain(name, 28) for name in names], fontsize=8)
    axes.grid(visible=False, axis="x")
    axes.set_axisbelow(True)
    axes.margins(y=0.12)
    return png_of(figure)
