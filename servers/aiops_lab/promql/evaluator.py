"""Evaluates a syntax tree over the steps of a query.

One `Evaluation` per query: it holds the steps, the storage, and how much may be read and for how long. A
value is computed for all steps at once; a subquery is an evaluation of its own over its own steps. Rules are
those of Prometheus 2.42 promql/engine.go.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import numpy as np
import promql_parser as parser

from aiops_lab.promql import aggregating, matching
from aiops_lab.promql.calls import CALLS
from aiops_lab.promql.matchers import matches_of
from aiops_lab.promql.storage import Storage, is_stale
from aiops_lab.promql.values import (
    Moments,
    PromqlError,
    Samples,
    Scalar,
    Text,
    Value,
    Vector,
    merged,
    nameless,
    table,
)

LOOKBACK_MS = 300_000
DEFAULT_STEP_MS = 60_000  # of a subquery without one: global.evaluation_interval
MOST_SAMPLES = 50_000_000
_TOO_MANY = "query processing would load too many samples into memory in query execution"
_SETS = ("and", "or", "unless")


@dataclass(slots=True)
class Budget:
    """What a query may cost."""

    samples: int = MOST_SAMPLES
    in_time: Callable[[], bool] = field(default=lambda: True)
    read: int = 0

    def take(self, samples: int) -> None:
        """Pay for some samples. Raises PromqlError over the limit, or when time is up."""
        self.read += samples
        if self.read > self.samples:
            raise PromqlError(_TOO_MANY)
        if not self.in_time():
            raise PromqlError("query timed out in expression evaluation", "timeout")


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The steps (milliseconds) at which an expression is asked; `start_ms`, `end_ms` are the query's own."""

    storage: Storage
    moments: Moments
    start_ms: int
    end_ms: int
    budget: Budget = field(default_factory=Budget)

    @property
    def steps(self) -> int:
        """How many."""
        return len(self.moments)

    def value(self, tree: Any) -> Value:
        """What an expression is worth. Raises PromqlError."""
        handle = _HANDLERS.get(type(tree).__name__)
        if handle is None:
            raise PromqlError(f"unsupported expression: {type(tree).__name__}", "bad_data")
        return handle(self, tree)

    def vector(self, tree: Any) -> Vector:
        """An instant vector. Raises PromqlError."""
        found = self.value(tree)
        if not isinstance(found, Vector):
            raise PromqlError("expected an instant vector", "bad_data")
        return found

    def numbers(self, tree: Any) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
        """A scalar at each step. Raises PromqlError."""
        found = self.value(tree)
        if not isinstance(found, Scalar):
            raise PromqlError("expected a scalar", "bad_data")
        return found.values

    def text(self, tree: Any) -> str:
        """A string. Raises PromqlError."""
        found = self.value(unwrapped(tree))
        if not isinstance(found, Text):
            raise PromqlError("expected a string", "bad_data")
        return found.value

    # selectors

    def shifted(self, tree: Any) -> Moments:
        """The moments that a selector or subquery looks at: `@` and `offset` applied."""
        moments = self.moments
        if tree.at is not None:
            moments = np.full(self.steps, self._at(tree.at), dtype=np.int64)
        return moments - milliseconds(tree.offset)

    def _at(self, modifier: parser.AtModifier) -> int:
        kind = str(modifier.type)
        if kind.endswith("Start"):
            return self.start_ms
        if kind.endswith("End"):
            return self.end_ms
        return round(modifier.at.timestamp() * 1000) if modifier.at else 0

    def instant(self, tree: parser.VectorSelector) -> tuple[Vector, Vector]:
        """A selector's newest samples, and when they are from (seconds)."""
        moments = self.shifted(tree)
        rows, times = [], []
        for one in self._select(tree, int(moments.min()) - LOOKBACK_MS, int(moments.max())):
            place = np.searchsorted(one.moments, moments, side="right") - 1
            safe = np.maximum(place, 0)
            fresh = (place >= 0) & (one.moments[safe] >= moments - LOOKBACK_MS)
            there = fresh & ~is_stale(one.values)[safe]
            rows.append((one.labels, one.values[safe], there))
            times.append((one.labels, one.moments[safe] / 1000, there))
        return table(rows, self.steps), table(times, self.steps)

    def _select(self, tree: parser.VectorSelector, since_ms: int, until_ms: int) -> list[Samples]:
        found = []
        for one in self.storage.select(matches_of(tree), since_ms, until_ms):
            self.budget.take(len(one.values))
            found.append(one)
        return found

    def ranged(self, tree: Any) -> tuple[list[Samples], Moments, int]:
        """A range: its series, where each step's window ends, and how long windows are (milliseconds)."""
        tree = unwrapped(tree)
        if isinstance(tree, parser.SubqueryExpr):
            return self._subquery(tree)
        selector, range_ms = tree.vector_selector, milliseconds(tree.range)
        ends = self.shifted(selector)
        found = self._select(selector, int(ends.min()) - range_ms, int(ends.max()))
        return [_without_stale(one) for one in found], ends, range_ms

    def _subquery(self, tree: parser.SubqueryExpr) -> tuple[list[Samples], Moments, int]:
        ends, range_ms = self.shifted(tree), milliseconds(tree.range)
        step_ms = milliseconds(tree.step) or DEFAULT_STEP_MS
        earliest = int(ends.min()) - range_ms
        first = -(-earliest // step_ms) * step_ms
        inner = np.arange(first, int(ends.max()) + 1, step_ms, dtype=np.int64)
        if not len(inner):
            return [], ends, range_ms
        self.budget.take(len(inner))
        found = replace(self, moments=inner).value(tree.expr)
        if isinstance(found, Scalar):
            return [Samples((), inner, found.values)], ends, range_ms
        if not isinstance(found, Vector):
            raise PromqlError("subquery is only allowed on instant vector", "bad_data")
        rows = zip(found.labels, found.values, found.present, strict=True)
        return (
            [Samples(labels, inner[there], values[there]) for labels, values, there in rows],
            ends,
            range_ms,
        )


def unwrapped(tree: Any) -> Any:
    """Without parentheses."""
    while isinstance(tree, parser.ParenExpr):
        tree = tree.expr
    return tree


def milliseconds(span: timedelta | None) -> int:
    """A duration of the syntax tree."""
    return 0 if span is None else round(span.total_seconds() * 1000)


def _without_stale(one: Samples) -> Samples:
    stale = is_stale(one.values)
    return Samples(one.labels, one.moments[~stale], one.values[~stale]) if stale.any() else one


# one handler for each kind of node


def _number(at: Evaluation, tree: parser.NumberLiteral) -> Value:
    return Scalar(np.full(at.steps, tree.val))


def _string(at: Evaluation, tree: parser.StringLiteral) -> Value:
    del at
    return Text(tree.val)


def _paren(at: Evaluation, tree: parser.ParenExpr) -> Value:
    return at.value(tree.expr)


def _selector(at: Evaluation, tree: parser.VectorSelector) -> Value:
    return at.instant(tree)[0]


def _range(at: Evaluation, tree: Any) -> Value:
    """A bare range: only an instant query may ask for it."""
    series, ends, range_ms = at.ranged(tree)
    found = []
    for one in series:
        here = (one.moments >= ends[-1] - range_ms) & (one.moments <= ends[-1])
        if here.any():
            found.append(Samples(one.labels, one.moments[here], one.values[here]))
    return found


def _negated(at: Evaluation, tree: parser.UnaryExpr) -> Value:
    found = at.value(tree.expr)
    if isinstance(found, Scalar):
        return Scalar(-found.values)
    if not isinstance(found, Vector):
        raise PromqlError("unary expression only allowed on expressions of type scalar or instant vector")
    labels = tuple(nameless(each) for each in found.labels)
    return merged(Vector(labels, -found.values, found.present))


def _binary(at: Evaluation, tree: parser.BinaryExpr) -> Value:
    op, modifier = str(tree.op), tree.modifier
    left, right = at.value(tree.lhs), at.value(tree.rhs)
    boolean = modifier is not None and modifier.return_bool
    if isinstance(left, Scalar) and isinstance(right, Scalar):
        return Scalar(matching.worth(op, left.values, right.values, kept=left.values, boolean=True)[0])
    if isinstance(left, Vector) and isinstance(right, Scalar):
        return matching.with_scalar(op, left, right.values, scalar_left=False, boolean=boolean)
    if isinstance(left, Scalar) and isinstance(right, Vector):
        return matching.with_scalar(op, right, left.values, scalar_left=True, boolean=boolean)
    if not (isinstance(left, Vector) and isinstance(right, Vector)):
        raise PromqlError("binary expression must contain only scalar and instant vector types", "bad_data")
    how = _matching_of(modifier)
    if op in _SETS:
        return matching.of_sets(op, left, right, how)
    return matching.combined(op, left, right, how, boolean=boolean)


def _matching_of(modifier: parser.BinModifier | None) -> matching.Matching:
    if modifier is None:
        return matching.Matching()
    card, labels = str(modifier.card), modifier.matching
    many = {"ManyToOne": "left", "OneToMany": "right"}.get(card.rpartition(".")[2], "")
    return matching.Matching(
        on=labels is not None and str(labels.type).endswith("Include"),
        names=tuple(labels.labels) if labels is not None else (),
        many=many,
        include=tuple(modifier.group_labels or ()),
    )


def _aggregate(at: Evaluation, tree: parser.AggregateExpr) -> Value:
    op, vector = str(tree.op), at.vector(tree.expr)
    modifier = tree.modifier
    names = tuple(modifier.labels) if modifier is not None else ()
    grouping = aggregating.Grouping(names, modifier is not None and str(modifier.type).endswith("Without"))
    if op in aggregating.FOLDS:
        return aggregating.folded(vector, grouping, aggregating.FOLDS[op])
    if op == "quantile":
        return aggregating.quantile(vector, grouping, at.numbers(tree.param))
    if op in ("topk", "bottomk"):
        return aggregating.best(vector, grouping, at.numbers(tree.param), top=op == "topk")
    if op == "count_values":
        return aggregating.counted_values(vector, grouping, at.text(tree.param))
    raise PromqlError(f"unsupported aggregation: {op}", "bad_data")


def _call(at: Evaluation, tree: parser.Call) -> Value:
    function = CALLS.get(tree.func.name)
    if function is None:
        raise PromqlError(f"unsupported function: {tree.func.name}", "bad_data")
    args: Sequence[Any] = tree.args
    return function(at, tree.func.name, args)


_HANDLERS: dict[str, Callable[[Evaluation, Any], Value]] = {
    "NumberLiteral": _number,
    "StringLiteral": _string,
    "ParenExpr": _paren,
    "VectorSelector": _selector,
    "MatrixSelector": _range,
    "SubqueryExpr": _range,
    "UnaryExpr": _negated,
    "BinaryExpr": _binary,
    "AggregateExpr": _aggregate,
    "Call": _call,
}
