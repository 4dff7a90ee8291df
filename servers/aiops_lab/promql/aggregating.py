"""Aggregations: groups of series by their labels, at every step.

Rules are those of Prometheus 2.42 promql/engine.go, `aggregation`: an absent sample is not in its group, a
group without samples has no result, NaN loses against any number in min, max, topk and bottomk.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from aiops_lab.promql.numbers import plain
from aiops_lab.promql.values import (
    NAME,
    Array,
    Bools,
    Labels,
    PromqlError,
    Vector,
    drop,
    keep,
    labelled,
    table,
)
from aiops_lab.promql.windows import quantiles

_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
Row = tuple[Labels, Array, Bools]


@dataclass(frozen=True, slots=True)
class Grouping:
    """`by` or `without` some labels."""

    names: tuple[str, ...] = ()
    without: bool = False

    def key(self, labels: Labels) -> Labels:
        """The labels of the group that a series belongs to."""
        return drop(labels, (*self.names, NAME)) if self.without else keep(labels, self.names)


def groups(vector: Vector, grouping: Grouping) -> dict[Labels, list[int]]:
    """The rows of each group."""
    found: dict[Labels, list[int]] = {}
    for row, labels in enumerate(vector.labels):
        found.setdefault(grouping.key(labels), []).append(row)
    return found


def _sum(values: Array, there: Bools) -> Array:
    return np.asarray(np.where(there, values, 0.0).sum(axis=0))


def _avg(values: Array, there: Bools) -> Array:
    return np.asarray(_sum(values, there) / there.sum(axis=0))


def _variance(values: Array, there: Bools) -> Array:
    """A single sample deviates by nothing, be it NaN or infinite."""
    off = np.where(there, values - _avg(values, there), 0.0)
    count = there.sum(axis=0)
    return np.where(count == 1, 0.0, (off * off).sum(axis=0) / count)


FOLDS: dict[str, Callable[[Array, Bools], Array]] = {
    "sum": _sum,
    "avg": _avg,
    "count": lambda values, there: there.sum(axis=0).astype(np.float64),
    "group": lambda values, there: np.ones(values.shape[1]),
    "max": lambda values, there: np.asarray(np.fmax.reduce(np.where(there, values, np.nan), axis=0)),
    "min": lambda values, there: np.asarray(np.fmin.reduce(np.where(there, values, np.nan), axis=0)),
    "stdvar": _variance,
    "stddev": lambda values, there: np.sqrt(_variance(values, there)),
}


def folded(vector: Vector, grouping: Grouping, fold: Callable[[Array, Bools], Array]) -> Vector:
    """One series for each group."""
    rows: list[Row] = []
    with np.errstate(all="ignore"):
        for labels, places in groups(vector, grouping).items():
            there = vector.present[places]
            rows.append((labels, fold(vector.values[places], there), np.asarray(there.any(axis=0))))
    return table(rows, vector.values.shape[1])


def quantile(vector: Vector, grouping: Grouping, q: Array) -> Vector:
    """quantile(q, vector)."""

    def fold(values: Array, there: Bools) -> Array:
        return quantiles(np.where(there, values, np.inf).T, there.sum(axis=0), q)

    return folded(vector, grouping, fold)


def best(vector: Vector, grouping: Grouping, most: Array, *, top: bool) -> Vector:
    """topk and bottomk: the samples themselves, with all their labels; the best first."""
    rows: list[Row] = []
    number = np.where(np.isnan(most), 0, most)
    for places in groups(vector, grouping).values():
        values, there = vector.values[places], vector.present[places]
        rank = np.where(np.isnan(values), np.inf, -values if top else values)
        order = np.argsort(np.where(there, rank, np.inf), axis=0, kind="stable")
        # absent samples go behind NaN: both stand at +Inf here
        order = _absent_last(order, there)
        position = np.empty_like(order)
        np.put_along_axis(position, order, np.arange(len(places))[:, None] + 0 * order, axis=0)
        chosen = there & (position < number[None, :])
        first = np.where(chosen.any(axis=1), position.argmin(axis=1), 0)
        by_place = sorted(range(len(places)), key=lambda row: (position[row].min(), first[row]))
        rows += [(vector.labels[places[row]], values[row], chosen[row]) for row in by_place]
    return table(rows, vector.values.shape[1])


def _absent_last(order: np.ndarray, there: Bools) -> np.ndarray:
    missing = ~np.take_along_axis(there, order, axis=0)
    again = np.argsort(missing, axis=0, kind="stable")
    return np.take_along_axis(order, again, axis=0)


def counted_values(vector: Vector, grouping: Grouping, label: str) -> Vector:
    """count_values(label, vector). Raises PromqlError for an impossible label."""
    if not _LABEL.fullmatch(label):
        raise PromqlError(f'invalid label name "{label}"')
    found: dict[Labels, Array] = {}
    steps = vector.values.shape[1]
    names = Grouping(tuple(each for each in grouping.names if each != label), grouping.without)
    for row in vector.rows:
        group = dict(names.key(vector.labels[row]))
        there = vector.present[row]
        for value in _distinct(vector.values[row][there]):
            same = vector.values[row] == value if value == value else np.isnan(vector.values[row])
            key = labelled({**group, label: plain(float(value))})
            found.setdefault(key, np.zeros(steps))
            found[key] = found[key] + (same & there)
    return table(((labels, count, count > 0) for labels, count in found.items()), steps)


def _distinct(values: Array) -> Sequence[float]:
    return [float(each) for each in np.unique(values)]
