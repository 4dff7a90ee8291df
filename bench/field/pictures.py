"""The pictures of docs/peers.md: bars, ours in one colour, the field in another, readable at 800 pixels."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bench.field.figures import is_ours, ours_first

PICTURES: Final = {
    "starts": "Cold start in seconds, memory in MB and tokens of tools/list, a bar a server",
    "tokens": "Tokens of the answers to each of ten questions, a bar a server",
    "seconds": "Seconds of the answers to each of ten questions, a bar a server",
    "causes": "Calls, tokens and seconds to the root cause of three scenarios, a bar a server",
    "lists": "Seconds and tokens of a list of all pods, a bar a server",
}
INK, OURS, THEIRS, SHORT = "#1f2328", "#0b6e4f", "#9aa5b1", "#d9a441"
DPI, WIDE_IN = 100, 8.0
Found = Mapping[str, Any]


@dataclass(frozen=True)
class Bar:
    """One bar: whose, how long, what stands at its end; `whole`: every fact was said."""

    name: str
    value: float
    says: str
    whole: bool = True


def draw(found: Found, folder: Path) -> None:
    """Write all pictures."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, (title, panels) in _panels(found).items():
        if any(bars for _, _, bars in panels):
            _figure(title, panels, folder / f"peers-{name}.png")


Panels = list[tuple[str, str, list[Bar]]]  # title, what the axis counts, bars


def _panels(found: Found) -> dict[str, tuple[str, Panels]]:
    starts = [one for one in found["starts"] if "error" not in one]
    lists = [one for one in found["lists"] if "error" not in one]
    return {
        "starts": (
            "Before anything is asked",
            [
                ("cold start to the first tools/list", "seconds", _bars(starts, "wall_s", "{:.2f}")),
                ("memory after it", "MB", _bars(starts, "rss_bytes", "{:.0f}", 1e-6)),
                ("tokens of tools/list", "o200k tokens", _bars(starts, "tokens", "{:,.0f}")),
            ],
        ),
        "tokens": (
            "Ten questions: tokens that a model reads",
            _of_ways(found["questions"], "tokens"),
        ),
        "seconds": ("Ten questions: seconds", _of_ways(found["questions"], "seconds")),
        "causes": (
            "To the root cause",
            [
                *_of_ways(found["causes"], "calls"),
                *_of_ways(found["causes"], "tokens"),
                *_of_ways(found["causes"], "seconds"),
            ],
        ),
        "lists": (
            "All pods of a large cluster (ours: those that are not well)",
            [
                panel
                for pods in dict.fromkeys(one["pods"] for one in lists)
                for panel in _of_lists([one for one in lists if one["pods"] == pods], pods)
            ],
        ),
    }


def _bars(rows: Iterable[Found], key: str, form: str, times: float = 1.0) -> list[Bar]:
    return [Bar(one["server"], one[key] * times, form.format(one[key] * times)) for one in rows]


def _of_ways(questions: Sequence[Found], key: str) -> Panels:
    unit = "o200k tokens" if key == "tokens" else key
    form = "{:.2f}" if key == "seconds" else "{:,.0f}"
    panels: Panels = []
    for question in questions:
        ways = [way for way in ours_first(question["ways"]) if "error" not in way]
        wanted = len(question["facts"])
        bars = [
            Bar(
                way["title"],
                way[key],
                f"{form.format(way[key])}  ({len(way['stands'])} of {wanted} facts)",
                len(way["stands"]) == wanted,
            )
            for way in ways
        ]
        panels.append((question["title"], unit, bars))
    return panels


def _of_lists(rows: Sequence[Found], pods: int) -> Panels:
    some = [one for one in rows if one["asked"] != "all, first page"]
    return [
        (f"{pods:,} pods: second call", "seconds", _bars(some, "seconds", "{:.2f}")),
        (f"{pods:,} pods: the answer", "o200k tokens", _bars(some, "tokens", "{:,.0f}")),
    ]


def _figure(title: str, panels: Panels, path: Path) -> None:
    """One under the other; logarithmic where bars differ more than thirtyfold."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    shown = [panel for panel in panels if panel[2]]
    heights = [1.2 + 0.36 * len(bars) for _, _, bars in shown]
    drawn = Figure(figsize=(WIDE_IN, sum(heights) + 0.8), dpi=DPI, facecolor="white", layout="constrained")
    FigureCanvasAgg(drawn)
    drawn.suptitle(
        f"{title}\ngreen: eks-aiops; grey: others; yellow: not every fact was said", fontsize=11, color=INK
    )
    rooms = drawn.subplots(
        max(1, len(shown)), 1, squeeze=False, gridspec_kw={"height_ratios": heights or [1]}
    )
    for (name, unit, bars), room in zip(shown, rooms[:, 0], strict=False):
        _panel(room, name, unit, bars)
    drawn.savefig(path, metadata={"Software": None})


def _panel(room: Any, name: str, unit: str, bars: Sequence[Bar]) -> None:
    least = min((bar.value for bar in bars if bar.value > 0), default=1.0)
    most = max((bar.value for bar in bars), default=1.0) or 1.0
    wide = most / least > 30
    colours = [OURS if is_ours(bar.name) else THEIRS if bar.whole else SHORT for bar in bars]
    drawn = room.barh(range(len(bars)), [bar.value for bar in bars], color=colours, height=0.7)
    room.bar_label(drawn, [bar.says for bar in bars], padding=4, fontsize=9, color=INK)
    room.set_yticks(range(len(bars)), [bar.name for bar in bars], fontsize=9)
    room.invert_yaxis()
    if wide:
        room.set_xscale("log")
        room.set_xlim(least / 2, most * (most / least) ** 0.6)
    else:
        room.set_xlim(0, most * 1.45)
    room.set_xlabel(f"{unit} (logarithmic)" if wide else unit, fontsize=9)
    room.set_title(name, fontsize=10, loc="left", color=INK)
    room.spines[["top", "right"]].set_visible(False)
