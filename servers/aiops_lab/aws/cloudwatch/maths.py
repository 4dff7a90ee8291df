"""Metric math, evaluated: numbers, series and arrays of series on the grid of one request.

Functions and their results as in "Metric math syntax and functions" of the CloudWatch user guide; a function
that the lab does not play is a ValidationError, never an empty answer.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np

from aiops_lab.aws.cloudwatch.expressions import Node
from aiops_lab.aws.cloudwatch.stats import invalid
from aiops_lab.telemetry.signals import Array


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """One series: values at the starts of its periods; `names` feed labels."""

    label: str
    starts_s: Array
    period_s: int
    values: Array
    names: Mapping[str, str] = field(default_factory=dict)

    def with_values(self, values: Array) -> "Line":
        """The same series with other values."""
        return replace(self, values=np.asarray(values, dtype=np.float64))


Value = float | str | Line | list[Line]


class Ground(Protocol):
    """What an expression may ask of its request."""

    def of(self, query_id: str) -> Value:
        """The result of another query of the request."""
        ...

    def metrics(self, part: str) -> list[Line]:
        """The metrics of the request (no expressions) whose ids hold a text."""
        ...

    def search(self, query: str, stat: str, period_s: int | None) -> list[Line]:
        """What SEARCH finds."""
        ...

    def band(self, query_id: str, width: float) -> list[Line]:
        """Upper and lower bound of what is expected of a metric."""
        ...


_ARITHMETIC: Mapping[str, Callable[[Array, Array], Array]] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": lambda a, b: np.where(b == 0, np.nan, a / np.where(b == 0, 1.0, b)),
    "^": np.power,
}
_TESTS: Mapping[str, Callable[[Array, Array], Array]] = {
    "==": np.equal,
    "!=": np.not_equal,
    "<": np.less,
    "<=": np.less_equal,
    ">": np.greater,
    ">=": np.greater_equal,
    "&&": lambda a, b: (a != 0) & (b != 0),
    "||": lambda a, b: (a != 0) | (b != 0),
}


@dataclass(slots=True)
class Evaluator:
    """Evaluates the trees of one request."""

    ground: Ground
    query_id: str

    def value(self, node: Node) -> Value:
        """What a tree says. Raises AwsError ValidationError."""
        if node.kind == "number":
            return float(node.word)
        if node.kind == "text":
            return node.word
        if node.kind == "name":
            return self._constant(node.word)
        if node.kind == "list":
            return [line for part in node.parts for line in self._lines(self.value(part))]
        if node.kind == "operation":
            return self._operated(node.word, self.value(node.parts[0]), self.value(node.parts[1]))
        return self._called(node.word, node.parts)

    def _constant(self, word: str) -> Value:
        return word if word in {"REPEAT", "LINEAR"} else self.ground.of(word)

    def error(self, why: str) -> Exception:
        """A ValidationError about this expression."""
        return invalid(f"Error in expression '{self.query_id}': {why}")

    def _lines(self, value: Value) -> list[Line]:
        if isinstance(value, Line):
            return [value]
        if isinstance(value, list):
            return value
        raise self.error("a time series is needed here")

    def _operated(self, sign: str, left: Value, right: Value) -> Value:
        if isinstance(left, str) or isinstance(right, str):
            raise self.error(f"Unsupported operand type(s) for {sign}: 'String'")
        if isinstance(left, list) and isinstance(right, list):
            if len(left) != len(right):
                raise self.error(f"Unsupported operand type(s) for {sign}: arrays of different lengths")
            return [self._pair(sign, a, b) for a, b in zip(left, right, strict=True)]
        if isinstance(left, list):
            return [self._pair(sign, one, right) for one in left]
        if isinstance(right, list):
            return [self._pair(sign, left, one) for one in right]
        if isinstance(left, Line) or isinstance(right, Line):
            return self._pair(sign, left, right)
        return float(self._computed(sign, np.array([left]), np.array([right]))[0])

    def _pair(self, sign: str, left: float | Line | list[Line], right: float | Line | list[Line]) -> Line:
        line = left if isinstance(left, Line) else right
        if not isinstance(line, Line) or isinstance(left, list) or isinstance(right, list):
            raise self.error(f"Unsupported operand type(s) for {sign}")
        sides = [self._aligned(one, line) for one in (left, right)]
        return line.with_values(self._computed(sign, *sides))

    def _aligned(self, side: float | Line, like: Line) -> Array:
        if not isinstance(side, Line):
            return np.full(like.values.shape, side)
        if side.period_s != like.period_s:
            raise self.error("Metrics with different periods in one expression are not played by the lab")
        return side.values

    def _computed(self, sign: str, left: Array, right: Array) -> Array:
        with np.errstate(all="ignore"):
            if sign in _ARITHMETIC:
                return np.asarray(_ARITHMETIC[sign](left, right), dtype=np.float64)
            gaps = np.isnan(left) | np.isnan(right)
            return np.where(gaps, np.nan, _TESTS[sign](left, right).astype(np.float64))

    # functions

    def _called(self, name: str, parts: tuple[Node, ...]) -> Value:
        if name in _ASKING:
            return _ASKING[name](self, parts)
        arguments = [self.value(part) for part in parts]
        if name in _FOLDING:
            return self._folded(name, arguments)
        if name in _EACH:
            return self._each(_EACH[name], arguments)
        if name in _SHAPING:
            return _SHAPING[name](self, arguments)
        raise self.error(f"Unsupported function '{name}'")

    def _each(self, act: Callable[["Evaluator", Line, list[Value]], Array], arguments: list[Value]) -> Value:
        """A function of one series, of each one of an array."""
        if not arguments:
            raise self.error("Missing argument")
        if isinstance(arguments[0], float):
            line = Line("", np.zeros(1), 60, np.array([arguments[0]]))
            return float(act(self, line, arguments[1:])[0])
        done = [one.with_values(act(self, one, arguments[1:])) for one in self._lines(arguments[0])]
        return done if isinstance(arguments[0], list) else done[0]

    def _folded(self, name: str, arguments: list[Value]) -> Value:
        """One series becomes a number, an array becomes a series."""
        if len(arguments) > 1:
            lines: Value = [line for one in arguments for line in self._lines(one)]
        elif arguments:
            lines = arguments[0]
        else:
            raise self.error(f"{name} takes an argument")
        if isinstance(lines, float | str):
            raise self.error(f"{name} takes a time series or an array of them")
        fold = _FOLDING[name]
        if isinstance(lines, Line):
            seen = lines.values[~np.isnan(lines.values)]
            return float(fold(seen[None, :])[0]) if seen.size else float("nan")
        if not lines:
            return []
        rows = np.stack([self._aligned(one, lines[0]) for one in lines], axis=1)
        return replace(lines[0], label=self.query_id, values=fold(rows), names={})

    def if_(self, parts: list[Value]) -> Value:
        """IF(condition, then, else)."""
        if len(parts) not in {2, 3}:
            raise self.error("IF takes a condition, a value and another value")
        condition, then = parts[0], parts[1]
        other: Value = parts[2] if len(parts) == 3 else float("nan")
        if isinstance(condition, float):
            return then if condition else other
        if not isinstance(condition, Line):
            raise self.error("IF takes a time series or a number as its condition")
        for one in (then, other):
            if isinstance(one, str | list):
                raise self.error("IF takes time series or numbers as its values")
        chosen = np.where(condition.values != 0, self._side(then, condition), self._side(other, condition))
        return condition.with_values(np.where(np.isnan(condition.values), np.nan, chosen))

    def _side(self, value: Value, like: Line) -> Array:
        if isinstance(value, str | list):
            raise self.error("IF takes time series or numbers as its values")
        return self._aligned(value, like)

    def lines(self, value: Value) -> list[Line]:
        """The series of a value. Raises AwsError for a number or a text."""
        return self._lines(value)


def _nan_fold(act: Callable[[Array], Array]) -> Callable[[Array], Array]:
    def fold(rows: Array) -> Array:
        empty = np.asarray(np.isnan(rows).all(axis=1))
        safe = np.where(empty[:, None], 0.0, rows)
        return np.where(empty, np.nan, act(safe))

    return fold


_FOLDING: Mapping[str, Callable[[Array], Array]] = {
    "SUM": _nan_fold(lambda rows: np.nansum(rows, axis=1)),
    "AVG": _nan_fold(lambda rows: np.nanmean(rows, axis=1)),
    "MAX": _nan_fold(lambda rows: np.nanmax(rows, axis=1)),
    "MIN": _nan_fold(lambda rows: np.nanmin(rows, axis=1)),
    "STDDEV": _nan_fold(lambda rows: np.nanstd(rows, axis=1)),
}


def _change(line: Line, *, per_second: bool) -> Array:
    """From each value to the next one there is."""
    seen = np.flatnonzero(~np.isnan(line.values))
    found = np.full(line.values.shape, np.nan)
    if seen.size > 1:
        steps = np.diff(line.values[seen])
        found[seen[1:]] = steps / np.diff(line.starts_s[seen]) if per_second else steps
    return found


def _filled(evaluator: Evaluator, line: Line, rest: list[Value]) -> Array:
    by = rest[0] if rest else None
    gaps = np.isnan(line.values)
    if isinstance(by, float):
        return np.where(gaps, by, line.values)
    if isinstance(by, Line):
        return np.where(gaps, by.values, line.values)
    seen = np.flatnonzero(~gaps)
    if by not in {"REPEAT", "LINEAR"}:
        raise evaluator.error("FILL takes a number, REPEAT or LINEAR")
    if not seen.size:
        return line.values
    if by == "LINEAR":
        found = np.interp(np.arange(gaps.size), seen, line.values[seen], left=np.nan, right=np.nan)
        return np.asarray(found)
    last = np.maximum.accumulate(np.where(gaps, -1, np.arange(gaps.size)))
    return np.where(last >= 0, line.values[last], np.nan)


Each = Callable[[Evaluator, Line, list[Value]], Array]
_EACH: Mapping[str, Each] = {
    "ABS": lambda _, line, __: np.abs(line.values),
    "CEIL": lambda _, line, __: np.ceil(line.values),
    "FLOOR": lambda _, line, __: np.floor(line.values),
    "LOG": lambda _, line, __: np.log(np.where(line.values > 0, line.values, np.nan)),
    "LOG10": lambda _, line, __: np.log10(np.where(line.values > 0, line.values, np.nan)),
    "DIFF": lambda _, line, __: _change(line, per_second=False),
    "RATE": lambda _, line, __: _change(line, per_second=True),
    "RUNNING_SUM": lambda _, line, __: np.cumsum(np.nan_to_num(line.values)),
    "FILL": _filled,
}


def _asked_metrics(evaluator: Evaluator, parts: tuple[Node, ...]) -> Value:
    return evaluator.ground.metrics(parts[0].word if parts else "")


def _asked_search(evaluator: Evaluator, parts: tuple[Node, ...]) -> Value:
    if len(parts) not in {2, 3} or any(part.kind != "text" for part in parts[:2]):
        raise evaluator.error("SEARCH takes a search, a statistic and a period")
    period = int(float(parts[2].word)) if len(parts) == 3 and parts[2].kind == "number" else None
    return evaluator.ground.search(parts[0].word, parts[1].word, period)


def _asked_band(evaluator: Evaluator, parts: tuple[Node, ...]) -> Value:
    if not parts or parts[0].kind != "name":
        raise evaluator.error("ANOMALY_DETECTION_BAND takes the id of a metric and a number")
    width = evaluator.value(parts[1]) if len(parts) > 1 else 2.0
    if not isinstance(width, float) or width <= 0:
        raise evaluator.error("ANOMALY_DETECTION_BAND takes a positive number of standard deviations")
    return evaluator.ground.band(parts[0].word, width)


def _asked_period(evaluator: Evaluator, parts: tuple[Node, ...]) -> Value:
    if len(parts) != 1:
        raise evaluator.error("PERIOD takes a time series")
    lines = evaluator.lines(evaluator.value(parts[0]))
    if len(lines) != 1:
        raise evaluator.error("PERIOD takes one time series")
    return float(lines[0].period_s)


_ASKING: Mapping[str, Callable[[Evaluator, tuple[Node, ...]], Value]] = {
    "METRICS": _asked_metrics,
    "SEARCH": _asked_search,
    "ANOMALY_DETECTION_BAND": _asked_band,
    "PERIOD": _asked_period,
}


def _shaped_series(evaluator: Evaluator, arguments: list[Value]) -> Value:
    if len(arguments) != 1 or not isinstance(arguments[0], float):
        raise evaluator.error("TIME_SERIES takes a number")
    like = evaluator.ground.metrics("")
    if not like:
        raise evaluator.error("TIME_SERIES needs a metric in the request")
    return like[0].with_values(np.full(like[0].values.shape, arguments[0]))


def _without_empty(evaluator: Evaluator, arguments: list[Value]) -> Value:
    if not arguments or not isinstance(arguments[0], list):
        raise evaluator.error("REMOVE_EMPTY takes an array of time series")
    return [line for line in arguments[0] if not np.isnan(line.values).all()]


def _counted(evaluator: Evaluator, arguments: list[Value]) -> Value:
    if len(arguments) != 1:
        raise evaluator.error("METRIC_COUNT takes an array of time series")
    return float(len(evaluator.lines(arguments[0])))


_SHAPING: Mapping[str, Callable[[Evaluator, list[Value]], Value]] = {
    "IF": Evaluator.if_,
    "TIME_SERIES": _shaped_series,
    "REMOVE_EMPTY": _without_empty,
    "METRIC_COUNT": _counted,
}
