"""Series as tables that fit a model's budget: the largest first, the rest counted, numbers of four digits.

Called by the reader of metrics.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np

from aiops_observability.analysis.summaries import Summary, by_hour_of_week, summarised, thinned
from aiops_shared.app.fitting import size_bytes
from aiops_shared.guardrails.redacting import shortened as cut
from aiops_shared.metrics.series import Series
from aiops_shared.results import Cell, Table

STATISTICS = ("points", "missing %", "min", "mean", "p50", "p95", "p99", "max", "last", "slope/h")
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
BYTES, FULL_BYTES = 2100, 20_000  # of both tables: about 1,100 and 9,000 tokens of mostly numbers
ROWS, FULL_ROWS = 20, 200
SHAPES = ((24, 4), (16, 3), (12, 2), (12, 1), (6, 1))  # points and series drawn
FULL_SHAPES = ((96, 8), (60, 6), (48, 4), (24, 4))
ALL = "all"
MOST_LABEL = 80
BINARY = ("KiB", "MiB", "GiB", "TiB", "PiB")


@dataclass(frozen=True, slots=True)
class Known:
    """A series with its numbers."""

    series: Series
    numbers: Summary


@dataclass(frozen=True, slots=True)
class Drawn:
    """The tables of an answer. `shown` of the series stand in it."""

    statistics: Table
    points: Table
    shown: int


def known(series: Sequence[Series], *, lowest: bool = False) -> list[Known]:
    """The series that have values: the largest by their 95th percentile first, or the lowest."""
    found = []
    for one in series:
        numbers = summarised(one.window.times_s(), one.values)
        if numbers is not None:
            found.append(Known(one, numbers))
    return sorted(found, key=lambda one: (_place(one.numbers, lowest), sorted(one.series.labels.items())))


def _place(numbers: Summary, lowest: bool) -> float:
    return numbers.low if lowest else -max(numbers.p95, -numbers.low)


def drawn(rows: Sequence[Known], *, full: bool, room_bytes: int = 0) -> Drawn:
    """Both tables within the budget, less what the rest of the answer takes."""
    most = (FULL_BYTES if full else BYTES) - room_bytes
    labels = label_names([one.series for one in rows])
    count = min(len(rows), FULL_ROWS if full else ROWS)
    for points, lines in FULL_SHAPES if full else SHAPES:
        made = _pair(rows, labels, count, (points, lines))
        if size_bytes(made.statistics.model_dump()) + size_bytes(made.points.model_dump()) <= most:
            return made
    while count > 1:
        count = max(1, count * 3 // 4)
        made = _pair(rows, labels, count, (6, 1))
        if size_bytes(made.statistics.model_dump()) + size_bytes(made.points.model_dump()) <= most:
            break
    return made


def _pair(rows: Sequence[Known], labels: Sequence[str], count: int, shape: tuple[int, int]) -> Drawn:
    return Drawn(_statistics(rows, labels, count), _points(rows[: shape[1]], labels, shape[0]), count)


def label_names(series: Sequence[Series]) -> tuple[str, ...]:
    """The labels that tell the series apart; all of them for one series alone."""
    names = sorted({name for one in series for name in one.labels})
    if len(series) == 1:
        return tuple(name for name in names if name != "__name__")
    return tuple(name for name in names if len({one.labels.get(name) for one in series}) > 1)


def shared_labels(series: Sequence[Series]) -> dict[str, str]:
    """What all series have in common, where there are several."""
    if len(series) < 2:
        return {}
    first = series[0].labels
    return {
        name: value
        for name, value in first.items()
        if all(one.labels.get(name) == value for one in series) and name != "__name__"
    }


def _statistics(rows: Sequence[Known], labels: Sequence[str], count: int) -> Table:
    made: list[tuple[Cell, ...]] = []
    if len(rows) > 1:
        pooled = np.concatenate([one.series.values for one in rows])
        numbers = summarised(np.arange(pooled.size, dtype=np.float64), pooled)
        if numbers is not None:
            head = (ALL, *("" for _ in labels[1:])) if labels else ()
            made.append((*head, *_cells(numbers, pooled=True)))
    for one in rows[:count]:
        told = (shortened(one.series.labels.get(name, "")) for name in labels)
        made.append((*told, *_cells(one.numbers)))
    return Table(columns=(*labels, *STATISTICS), rows=tuple(made))


def _cells(numbers: Summary, *, pooled: bool = False) -> Iterator[Cell]:
    yield numbers.points
    yield rounded(100 * numbers.missing)
    for value in (numbers.low, numbers.mean, numbers.p50, numbers.p95, numbers.p99, numbers.high):
        yield rounded(value)
    yield None if pooled else rounded(numbers.last)
    yield None if pooled else rounded(numbers.slope_h)


def _points(rows: Sequence[Known], labels: Sequence[str], most: int) -> Table:
    if not rows:
        return Table(columns=(), rows=())
    names = [title(one.series, labels) for one in rows]
    times = rows[0].series.window.times_s()
    thin = [thinned(times, one.series.values, most) for one in rows]
    moments = thin[0][0]
    form = (
        "%m-%dT%H:%M"
        if times[-1] - times[0] >= 43_200
        else "%H:%M:%S"
        if times[-1] - times[0] < 900
        else "%H:%M"
    )
    table = tuple(
        (moment(at, form), *(rounded(float(values[index])) for _, values in thin))
        for index, at in enumerate(moments.tolist())
    )
    return Table(columns=("time", *names), rows=table)


def title(series: Series, labels: Sequence[str]) -> str:
    """A series by the labels that tell it apart."""
    told = [shortened(series.labels.get(name, "")) for name in labels]
    return "/".join(part for part in told if part) or series.name or "value"


def shortened(text: str) -> str:
    """A label's value as a cell."""
    return text if len(text) <= MOST_LABEL else cut(text, MOST_LABEL)


def rounded(value: float) -> int | float | None:
    """Four digits, whole where they need no point; nothing for what was not measured."""
    if np.isnan(value):
        return None
    short = float(f"{value:.4g}")
    return int(short) if short == int(short) and abs(short) < 1e15 else short


def human(value: float, unit: str) -> str:
    """A value in a sentence: bytes in binary units, all else with its unit."""
    short = rounded(value)
    if short is None:
        return "unknown"
    if unit == "bytes" and abs(value) >= 1024:
        power = min(int(np.log2(abs(value)) // 10), len(BINARY))
        return f"{value / 1024.0**power:.4g} {BINARY[power - 1]}"
    return f"{short:g} {unit}".rstrip() if isinstance(short, float) else f"{short} {unit}".rstrip()


def moment(at_s: float, form: str = "%Y-%m-%dT%H:%M:%SZ") -> str:
    """A time in UTC."""
    return datetime.fromtimestamp(at_s, UTC).strftime(form)


def week(series: Series) -> Table:
    """The medians of a week's hours: a row an hour, a column a day."""
    hours = by_hour_of_week(series.window.times_s(), series.values)
    rows = tuple((f"{hour:02d}", *(rounded(float(one)) for one in row)) for hour, row in enumerate(hours))
    return Table(columns=("hour", *DAYS), rows=rows)


def table_of(columns: Sequence[str], rows: Sequence[Sequence[Any]], most_bytes: int) -> tuple[Table, int]:
    """The first rows that fit, and how many those are."""
    kept = list(rows)
    while len(kept) > 1 and size_bytes(kept) > most_bytes:
        kept = kept[: len(kept) * 4 // 5]
    return Table(columns=tuple(columns), rows=tuple(tuple(row) for row in kept)), len(kept)
