"""Datadog's metric queries, evaluated: `sum:x{a:b,!c:d} by {pod_name}.as_rate().rollup(avg, 60) / 2`.

"Metrics Querying" and "Functions" in Datadog's documentation, as far as the driver uses them: aggregators
avg, sum, min, max and percentiles of distributions, scopes with `*` and `!`, `by`, `.rollup`, `.as_count`,
`.as_rate`, `default_zero`, arithmetic. Anything else is refused, as Datadog refuses what it cannot parse.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

import numpy as np

from aiops_lab.aws.cloudwatch.stats import Span, of_distribution
from aiops_lab.observatory.datadog_table import Tagged
from aiops_lab.telemetry.derived import Distribution
from aiops_lab.telemetry.signals import Array

MINUTE_S = 60
MOST_POINTS = 1_500  # of a series in an answer
_QUERY = re.compile(
    r"\s*(avg|sum|min|max|p\d{2}(?:\.\d)?):([A-Za-z_][\w.]*)\{([^{}]*)\}"
    r"(?:\s*by\s*\{([^{}]*)\})?((?:\.[a-z_]+\([^()]*\))*)"
)
_METHOD = re.compile(r"\.([a-z_]+)\(([^()]*)\)")
_NUMBER = re.compile(r"\s*(\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)")
_WORD = re.compile(r"\s*([a-z_]+)\s*\(")
Group = tuple[tuple[str, str], ...]


class QueryError(ValueError):
    """What Datadog says of a query that it cannot parse or carry out."""


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """One series of an answer."""

    group: Group
    starts_s: Array
    values: Array
    interval_s: int
    metric: str = ""
    scope: str = ""


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked over which span; `series` are all there are."""

    series: Iterable[Tagged]
    since_s: float
    until_s: float
    now_s: float

    @property
    def interval_s(self) -> int:
        """The interval of a query without a rollup, by its span, as Datadog's table has it."""
        span = self.until_s - self.since_s
        table = (
            (3600, 60),
            (14_400, 60),
            (86_400, 300),
            (172_800, 600),
            (604_800, 3600),
            (2_678_400, 14_400),
        )
        return next((interval for most, interval in table if span <= most), 86_400)


def evaluated(query: str, asked: Asked) -> list[Line]:
    """The series of a query. Raises QueryError."""
    reader = _Reader(query, asked)
    found = reader.sum()
    if query[reader.at :].strip():
        raise QueryError(f"Error parsing query: unable to parse {query}")
    if isinstance(found, float):
        raise QueryError(f"Error parsing query: {query} names no metric")
    return found


@dataclass(slots=True)
class _Reader:
    text: str
    asked: Asked
    at: int = field(default=0)

    def _sign(self, signs: str) -> str:
        rest = self.text[self.at :].lstrip()
        if rest[:1] and rest[0] in signs:
            self.at = len(self.text) - len(rest) + 1
            return rest[0]
        return ""

    def sum(self) -> list[Line] | float:
        left = self._product()
        while sign := self._sign("+-"):
            left = _joined(sign, left, self._product())
        return left

    def _product(self) -> list[Line] | float:
        left = self._atom()
        while sign := self._sign("*/"):
            left = _joined(sign, left, self._atom())
        return left

    def _atom(self) -> list[Line] | float:
        if self._sign("("):
            inner = self.sum()
            self._closed()
            return inner
        if found := _QUERY.match(self.text, self.at):
            self.at = found.end()
            return _read(found, self.asked)
        if found := _NUMBER.match(self.text, self.at):
            self.at = found.end()
            return float(found[1])
        if (found := _WORD.match(self.text, self.at)) and found[1] == "default_zero":
            self.at = found.end()
            inner = self.sum()
            self._closed()
            return inner if isinstance(inner, float) else self._zeroed(inner)
        raise QueryError(f"Error parsing query: unable to parse {self.text[self.at :][:80]}")

    def _closed(self) -> None:
        if not self._sign(")"):
            raise QueryError(f"Error parsing query: a bracket is not closed in {self.text}")

    def _zeroed(self, lines: list[Line]) -> list[Line] | float:
        if not lines:
            return 0.0
        return [
            Line(one.group, one.starts_s, np.nan_to_num(one.values), one.interval_s, one.metric, one.scope)
            for one in lines
        ]


_SIGNS: Mapping[str, Callable[[Array, Array], Array]] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": lambda a, b: np.where(b == 0, np.nan, a / np.where(b == 0, 1.0, b)),
}


def _joined(sign: str, left: list[Line] | float, right: list[Line] | float) -> list[Line] | float:
    """Series of the same group; a number, or one series without a group, goes with every one."""
    act = _SIGNS[sign]
    if isinstance(left, float) and isinstance(right, float):
        return float(act(np.array([left]), np.array([right]))[0])
    if isinstance(right, float):
        number = right
        return [_with(one, act(one.values, np.full(one.values.shape, number))) for one in _lines(left)]
    if isinstance(left, float):
        number = left
        return [_with(one, act(np.full(one.values.shape, number), one.values)) for one in right]
    by_group = {one.group: one for one in right}
    alone = by_group.get(()) if len(by_group) == 1 else None
    found = []
    for one in left:
        other = by_group.get(one.group, alone)
        if other is not None and other.values.shape == one.values.shape:
            found.append(_with(one, act(one.values, other.values)))
    return found


def _lines(value: list[Line] | float) -> list[Line]:
    return [] if isinstance(value, float) else value


def _with(one: Line, values: Array) -> Line:
    return Line(one.group, one.starts_s, np.asarray(values), one.interval_s, one.metric, one.scope)


def _read(found: re.Match[str], asked: Asked) -> list[Line]:
    """One `agg:metric{scope} by {tags}.methods()`."""
    fold, metric, scope = found[1], found[2], found[3].strip()
    names = tuple(part.strip() for part in (found[4] or "").split(",") if part.strip())
    methods = dict(_METHOD.findall(found[5] or ""))
    if unknown := methods.keys() - {"rollup", "as_rate", "as_count"}:
        raise QueryError(f"Error parsing query: unknown function {min(unknown)}")
    groups: dict[Group, list[Tagged]] = {}
    for one in asked.series:
        if one.metric == metric and _within(scope, one.tags) and all(name in one.tags for name in names):
            groups.setdefault(tuple((name, one.tags[name]) for name in names), []).append(one)
    method, interval = _rollup(methods.get("rollup"), asked)
    if (asked.until_s - asked.since_s) / interval > MOST_POINTS + 1:
        raise QueryError(f"Error: more than {MOST_POINTS} points; use a longer rollup")
    starts = np.arange(asked.since_s // interval * interval, asked.until_s, interval, dtype=np.float64)
    lines = []
    for group, each in sorted(groups.items()):
        values = _folded(each, (fold, method), starts, interval, asked.now_s)
        if "as_rate" in methods:
            values = values / interval
        lines.append(Line(group, starts, values, interval, metric, scope or "*"))
    return [one for one in lines if not np.isnan(one.values).all()]


def _rollup(told: str | None, asked: Asked) -> tuple[str, int]:
    if told is None:
        return "", asked.interval_s
    method, _, seconds = (part.strip() for part in told.partition(","))
    if method not in {"avg", "sum", "min", "max"} or not seconds.isdecimal() or int(seconds) % MINUTE_S:
        raise QueryError(f"Error parsing query: rollup({told})")
    return method, int(seconds)


def _within(scope: str, tags: Mapping[str, str]) -> bool:
    for part in scope.split(",") if scope not in {"", "*"} else ():
        wanted = part.strip()
        name, _, value = wanted.removeprefix("!").partition(":")
        if (name in tags and fnmatchcase(tags[name], value)) is wanted.startswith("!"):
            return False
    return True


def _folded(each: list[Tagged], how: tuple[str, str], starts: Array, interval: int, now_s: float) -> Array:
    """First over time, series by series, then over the series."""
    fold, method = how
    minutes = (starts[:, None] + np.arange(interval // MINUTE_S) * MINUTE_S).ravel()
    parts = [one.what for one in each if isinstance(one.what, Distribution)]
    if parts:
        if not fold.startswith("p"):
            raise QueryError(f"Error: {fold} of a distribution is not played by the lab")
        span = Span(float(starts[0]), float(starts[-1]) + interval, interval, now_s)
        return of_distribution(parts, fold, minutes, span)
    if fold.startswith("p"):
        raise QueryError(f"Error: percentiles are not enabled for {each[0].metric}")
    rows = []
    for one in each:
        if isinstance(one.what, Distribution):
            continue
        values = one.what.read(minutes, now_s).reshape(starts.size, -1)
        rows.append(_over(values, method or ("sum" if one.count else "avg"), axis=1))
    return _over(np.stack(rows), fold, axis=0)


def _over(values: Array, how: str, axis: int) -> Array:
    empty = np.asarray(np.isnan(values).all(axis=axis))
    if how in {"min", "max"}:
        ends = np.where(np.isnan(values), np.inf if how == "min" else -np.inf, values)
        return np.where(empty, np.nan, ends.min(axis=axis) if how == "min" else ends.max(axis=axis))
    total = np.where(np.isnan(values), 0.0, values).sum(axis=axis)
    count = np.maximum((~np.isnan(values)).sum(axis=axis), 1)
    return np.where(empty, np.nan, total if how == "sum" else total / count)
