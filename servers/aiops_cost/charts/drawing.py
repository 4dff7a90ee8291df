"""Pictures of money as PNG: what a change is made of, and days stacked by what they were spent on.

Called by the readers of this server when a call asks for a chart. Amounts are billionths of the currency, as
everywhere; a picture rounds to what a person reads off an axis.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from matplotlib.patches import Patch

from aiops_cost.models.money import NANO, worded
from aiops_shared.app.drawing import BLUE, GREY, INK, MANY, ORANGE, canvas, plain, png_of
from aiops_shared.results.wording import cut

MOST_PARTS, MOST_STACKED, MOST_LABEL = 10, 6, 34
REST = "everything else"
HATCH = "////"


@dataclass(frozen=True, slots=True)
class Part:
    """A named amount: one step of a waterfall."""

    name: str
    nano: int


@dataclass(frozen=True, slots=True)
class Stack:
    """What was spent on one thing, day by day."""

    name: str
    nanos: tuple[int, ...]

    @property
    def total(self) -> int:
        """Of all days."""
        return sum(self.nanos)


def fewer_parts(parts: Sequence[Part], most: int = MOST_PARTS) -> tuple[Part, ...]:
    """The largest steps in their order; the others as one, so that the sum stays."""
    if len(parts) <= most:
        return tuple(parts)
    large = sorted(parts, key=lambda one: -abs(one.nano))[: most - 1]
    rest = sum(one.nano for one in parts) - sum(one.nano for one in large)
    return (*(one for one in parts if one in large), Part(REST, rest))


def fewer_stacks(stacks: Sequence[Stack], most: int = MOST_STACKED) -> tuple[Stack, ...]:
    """The dearest things first; the others as one, so that each day's sum stays."""
    ranked = sorted(stacks, key=lambda one: -abs(one.total))
    if len(ranked) <= most:
        return tuple(ranked)
    rest = ranked[most - 1 :]
    added = tuple(sum(day) for day in zip(*(one.nanos for one in rest), strict=True))
    return (*ranked[: most - 1], Stack(REST, added))


def draw_waterfall(title: str, before: Part, parts: Sequence[Part], after: Part, currency: str) -> bytes:
    """From what was, over each part of the change, to what is. Orange: dearer; blue: cheaper."""
    shown = fewer_parts(parts)
    figure, (axes,) = canvas(title, currency)
    level = before.nano
    bars = [(before.name, 0, before.nano, INK, worded(before.nano, currency))]
    for one in shown:
        colour = ORANGE if one.nano > 0 else BLUE
        sign = "+" if one.nano > 0 else ""
        bars.append((one.name, level, one.nano, colour, sign + worded(one.nano, currency)))
        level += one.nano
    bars.append((after.name, 0, after.nano, INK, worded(after.nano, currency)))
    for place, (_, bottom, height, colour, said) in enumerate(bars):
        axes.bar(place, height / NANO, bottom=bottom / NANO, color=colour, width=0.62)
        top = max(bottom, bottom + height) / NANO
        axes.annotate(
            plain(said), (place, top), xytext=(0, 3), textcoords="offset points", ha="center", fontsize=8
        )
    for place in range(len(bars) - 1):
        _, bottom, height, *_ = bars[place]
        end = (bottom + height) / NANO
        axes.plot((place + 0.31, place + 0.69), (end, end), color=GREY, linewidth=0.8)
    axes.set_xticks(range(len(bars)), [plain(cut(name, MOST_LABEL)) for name, *_ in bars], fontsize=8)
    _behind(axes)
    if len(bars) > 6:
        axes.tick_params(axis="x", labelrotation=20)
    _with_room(axes, [edge for _, bottom, height, *_ in bars for edge in (bottom, bottom + height)])
    return png_of(figure)


def _behind(axes: Any) -> None:
    """Lines of the grid stand behind the bars, and only across."""
    axes.set_axisbelow(True)
    axes.grid(visible=False, axis="x")


def _with_room(axes: Any, edges: Sequence[int]) -> None:
    """From zero (or the lowest edge below it), with room for what is written above the bars."""
    low, top = min(0, *edges) / NANO, max(0, *edges) / NANO
    spare = (top - low or 1.0) * 0.12
    axes.set_ylim(low - (spare if low < 0 else 0), top + spare)


def draw_stacked(
    title: str, days: Sequence[date], stacks: Sequence[Stack], unsettled: Sequence[bool], currency: str
) -> bytes:
    """Each day's amount by what it was spent on; credits hang below zero; hatched days may still change."""
    figure, (axes,) = canvas(title, f"{currency} a day")
    places = range(len(days))
    up, down = [0.0] * len(days), [0.0] * len(days)
    legend: list[Patch] = []
    for number, one in enumerate(fewer_stacks(stacks)):
        colour = GREY if one.name == REST else MANY[number % len(MANY)]
        values = [amount / NANO for amount in one.nanos]
        bottoms = [up[at] if value >= 0 else down[at] for at, value in enumerate(values)]
        drawn = axes.bar(places, values, bottom=bottoms, color=colour, width=0.85)
        for at, value in enumerate(values):
            if value >= 0:
                up[at] += value
            else:
                down[at] += value
            if unsettled[at]:
                drawn[at].set_hatch(HATCH)
                drawn[at].set_edgecolor("white")
        legend.append(Patch(color=colour, label=plain(cut(one.name, MOST_LABEL))))
    if any(unsettled):
        legend.append(Patch(facecolor="white", edgecolor=GREY, hatch=HATCH, label="may still change"))
    every = max(1, -(-len(days) // 10))
    axes.set_xticks(range(0, len(days), every), [f"{day:%b %d}" for day in days[::every]], fontsize=8)
    _behind(axes)
    axes.set_xlabel("UTC days", fontsize=8)
    axes.margins(x=0.01, y=0.04)
    figure.legend(handles=legend, loc="outside right upper", fontsize=8, frameon=False)
    return png_of(figure)
