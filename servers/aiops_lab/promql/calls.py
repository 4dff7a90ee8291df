"""Every function of PromQL by its name: takes its arguments off the syntax tree and applies it.

`Steps` is what it needs of the evaluator.
"""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
import promql_parser as parser

from aiops_lab.promql import instant, relabelling
from aiops_lab.promql.histograms import histogram_quantile
from aiops_lab.promql.matchers import matches_of
from aiops_lab.promql.values import (
    Array,
    Labels,
    Moments,
    PromqlError,
    Samples,
    Scalar,
    Value,
    Vector,
    merged,
    nameless,
    nothing,
    table,
)
from aiops_lab.promql.windows import (
    OVER,
    Over,
    Simple,
    over,
    predicted,
    quantile_over,
    smoothed,
    wherever,
    windows,
)

_KEEPS_NAME = "last_over_time"


class Steps(Protocol):
    """The evaluator, for a function."""

    @property
    def moments(self) -> Moments:
        """The steps, in milliseconds."""
        ...

    @property
    def steps(self) -> int:
        """How many."""
        ...

    def vector(self, tree: Any) -> Vector:
        """An argument."""
        ...

    def numbers(self, tree: Any) -> Array:
        """An argument."""
        ...

    def text(self, tree: Any) -> str:
        """An argument."""
        ...

    def instant(self, tree: parser.VectorSelector) -> tuple[Vector, Vector]:
        """A selector: samples, and their times."""
        ...

    def ranged(self, tree: Any) -> tuple[list[Samples], Moments, int]:
        """A range."""
        ...


Args = Sequence[Any]
Function = Callable[[Steps, str, Args], Value]


def _bare(tree: Any) -> Any:
    while isinstance(tree, parser.ParenExpr):
        tree = tree.expr
    return tree


def _over_range(at: Steps, tree: Any, function: Over, *, named: bool = False) -> Vector:
    series, ends, range_ms = at.ranged(tree)
    rows = [
        (one.labels if named else nameless(one.labels), *over(one, ends, range_ms, function))
        for one in series
    ]
    return merged(table(rows, at.steps), at_once=True)


def _range_function(at: Steps, name: str, args: Args) -> Value:
    return _over_range(at, args[0], OVER[name], named=name == _KEEPS_NAME)


def _by_piece(at: Steps, tree: Any, of_piece: Callable[[slice], Simple], least: int) -> Vector:
    """A function whose parameter differs by step."""
    series, ends, range_ms = at.ranged(tree)
    rows = []
    for one in series:
        values, present = np.zeros(at.steps), np.zeros(at.steps, dtype=np.bool_)
        with np.errstate(all="ignore"):
            for piece, each in windows(one, ends, range_ms) if len(one.values) else ():
                found, there = wherever(of_piece(piece), least)(each)
                values[piece], present[piece] = found, there & (each.count > 0)
        rows.append((nameless(one.labels), values, present))
    return merged(table(rows, at.steps), at_once=True)


def _quantile_over_time(at: Steps, name: str, args: Args) -> Value:
    del name
    return _by_piece(at, args[1], quantile_over(at.numbers(args[0])), 1)


def _predict_linear(at: Steps, name: str, args: Args) -> Value:
    """Seconds are counted from the step itself, whatever the range's offset."""
    del name
    _, ends, _ = at.ranged(args[0])
    return _by_piece(at, args[0], predicted(at.numbers(args[1]) + (at.moments - ends) / 1000), 2)


def _holt_winters(at: Steps, name: str, args: Args) -> Value:
    del name
    factors = [float(at.numbers(each)[0]) for each in args[1:3]]
    for factor, what in zip(factors, ("smoothing", "trend"), strict=True):
        if not 0 < factor < 1:
            short = "sf" if what == "smoothing" else "tf"
            raise PromqlError(f"invalid {what} factor. Expected: 0 < {short} < 1, got: {factor:f}")
    return _over_range(at, args[0], wherever(smoothed(*factors), 2))


def _absent_over_time(at: Steps, name: str, args: Args) -> Value:
    del name
    found = _over_range_any(at, args[0])
    tree = _bare(args[0])
    selector = tree.vector_selector if isinstance(tree, parser.MatrixSelector) else None
    labels = relabelling.absent_labels(matches_of(selector)) if selector is not None else ()
    return table([(labels, 1.0, ~found)], at.steps)


def _over_range_any(at: Steps, tree: Any) -> Any:
    series, ends, range_ms = at.ranged(tree)
    found = np.zeros(at.steps, dtype=np.bool_)
    for one in series:
        found |= over(one, ends, range_ms, OVER["present_over_time"])[1]
    return found


def _absent(at: Steps, name: str, args: Args) -> Value:
    del name
    tree = _bare(args[0])
    vector = at.vector(tree)
    labels = relabelling.absent_labels(matches_of(tree)) if isinstance(tree, parser.VectorSelector) else ()
    return table([(labels, 1.0, ~vector.present.any(axis=0))], at.steps)


def _mapped(vector: Vector, values: Array, present: Any = True) -> Vector:
    """New values, the metric's name gone."""
    labels: tuple[Labels, ...] = tuple(nameless(each) for each in vector.labels)
    return merged(table(zip(labels, values, vector.present & present, strict=True), vector.values.shape[1]))


def _each(at: Steps, name: str, args: Args) -> Value:
    if not args:  # a date function of now
        values = instant.EACH[name](at.moments / 1000)
        return table([((), values, True)], at.steps)
    vector = at.vector(args[0])
    with np.errstate(all="ignore"):
        return _mapped(vector, instant.EACH[name](vector.values))


def _round(at: Steps, name: str, args: Args) -> Value:
    del name
    vector, to = at.vector(args[0]), at.numbers(args[1]) if len(args) > 1 else np.ones(at.steps)
    with np.errstate(all="ignore"):
        return _mapped(vector, instant.rounded(vector.values, to))


def _clamp(at: Steps, name: str, args: Args) -> Value:
    vector, bounds = at.vector(args[0]), [at.numbers(each) for each in args[1:]]
    if name == "clamp":
        values = np.maximum(bounds[0], np.minimum(bounds[1], vector.values))
        return _mapped(vector, values, ~(bounds[1] < bounds[0]))
    values = (np.maximum if name == "clamp_min" else np.minimum)(bounds[0], vector.values)
    return _mapped(vector, values)


def _scalar(at: Steps, name: str, args: Args) -> Value:
    del name
    vector = at.vector(args[0])
    single = vector.present.sum(axis=0) == 1
    return Scalar(np.where(single, np.where(vector.present, vector.values, 0.0).sum(axis=0), np.nan))


def _vector(at: Steps, name: str, args: Args) -> Value:
    del name
    return table([((), at.numbers(args[0]), True)], at.steps)


def _time(at: Steps, name: str, args: Args) -> Value:
    del name, args
    return Scalar(at.moments / 1000)


def _pi(at: Steps, name: str, args: Args) -> Value:
    del name, args
    return Scalar(np.full(at.steps, np.pi))


def _timestamp(at: Steps, name: str, args: Args) -> Value:
    """The sample's own time for a bare selector, the step's for anything else."""
    del name
    tree = _bare(args[0])
    if isinstance(tree, parser.VectorSelector):
        times = at.instant(tree)[1]
        return _mapped(times, times.values)
    vector = at.vector(tree)
    return _mapped(vector, np.broadcast_to(at.moments / 1000, vector.values.shape))


def _sorted(at: Steps, name: str, args: Args) -> Value:
    """By the value at the last step: only instant queries show an order. NaN stands last."""
    vector = at.vector(args[0])
    last = vector.values[:, -1] if len(vector.labels) else np.zeros(0)
    order = np.argsort(
        np.where(np.isnan(last), np.inf, -last if name == "sort_desc" else last), kind="stable"
    )
    return Vector(tuple(vector.labels[row] for row in order), vector.values[order], vector.present[order])


def _histogram_quantile(at: Steps, name: str, args: Args) -> Value:
    del name
    return histogram_quantile(at.numbers(args[0]), at.vector(args[1]))


def _native_histogram(at: Steps, name: str, args: Args) -> Value:
    """Nothing: there are no native histograms here, and of floats Prometheus says nothing either."""
    del name
    at.vector(args[-1])
    return nothing(at.steps)


def _label_replace(at: Steps, name: str, args: Args) -> Value:
    del name
    target, template, source, pattern = (at.text(each) for each in args[1:5])
    return relabelling.replaced(at.vector(args[0]), target, template, source, pattern)


def _label_join(at: Steps, name: str, args: Args) -> Value:
    del name
    target, separator, *sources = (at.text(each) for each in args[1:])
    return relabelling.joined(at.vector(args[0]), target, separator, sources)


CALLS: dict[str, Function] = {
    **dict.fromkeys(OVER, _range_function),
    **dict.fromkeys(instant.EACH, _each),
    **dict.fromkeys(("clamp", "clamp_min", "clamp_max"), _clamp),
    **dict.fromkeys(("sort", "sort_desc"), _sorted),
    **dict.fromkeys(("histogram_count", "histogram_sum", "histogram_fraction"), _native_histogram),
    "quantile_over_time": _quantile_over_time,
    "predict_linear": _predict_linear,
    "double_exponential_smoothing": _holt_winters,
    "absent_over_time": _absent_over_time,
    "absent": _absent,
    "round": _round,
    "scalar": _scalar,
    "vector": _vector,
    "time": _time,
    "pi": _pi,
    "timestamp": _timestamp,
    "histogram_quantile": _histogram_quantile,
    "label_replace": _label_replace,
    "label_join": _label_join,
}
