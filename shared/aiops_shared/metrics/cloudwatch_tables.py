"""Arithmetic over the series of CloudWatch metrics, joined by the dimensions that they share.

Called by `cloudwatch`. CloudWatch's own metric math has no join: `used / requested` of twenty pods would be
twenty expressions, and FILL gives nothing for a metric that never was. A number is a table of no rows with a
default, which stands in where the other side has a row and this one has none.
"""

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from aiops_shared.metrics.cloudwatch_language import Node, Selector
from aiops_shared.metrics.series import Values

Labels = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Series by their labels; `default`: what stands for those that are not there."""

    rows: tuple[tuple[Labels, Values], ...] = ()
    default: float | None = None


_OPERATIONS: Mapping[str, Callable[[Values, Values], Values]] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": lambda a, b: np.where(b == 0, np.nan, a / np.where(b == 0, 1.0, b)),
}
_FOLDS: Mapping[str, Callable[..., Values]] = {
    "SUM": np.nansum,
    "AVG": np.nanmean,
    "MIN": np.nanmin,
    "MAX": np.nanmax,
}


def computed(tree: Node, read: Mapping[Selector, Rows], period_s: int) -> Rows:
    """The series of a tree that is `local`, from those of its metrics."""
    if tree.selector is not None:
        return read[tree.selector]
    if tree.kind == "number":
        return Rows(default=float(tree.word))
    if tree.word == "PERIOD":
        return Rows(default=float(period_s))
    inner = computed(tree.parts[0], read, period_s)
    if tree.kind == "operation":
        return _joined(_OPERATIONS[tree.word], inner, computed(tree.parts[1], read, period_s))
    if tree.word == "FILL":
        number = float(tree.parts[1].word)
        filled = tuple((labels, np.where(np.isnan(values), number, values)) for labels, values in inner.rows)
        return Rows(filled, number)
    return _folded(_FOLDS[tree.word], inner)


def _joined(act: Callable[[Values, Values], Values], left: Rows, right: Rows) -> Rows:
    found: list[tuple[Labels, Values]] = []
    matched: set[int] = set()
    for labels, values in left.rows:
        mates = [
            (index, other) for index, other in enumerate(right.rows) if _agree(dict(labels), dict(other[0]))
        ]
        for index, (more, others) in mates:
            matched.add(index)
            found.append((tuple(sorted({*labels, *more})), act(values, others)))
        if not mates and right.default is not None:
            found.append((labels, act(values, np.full(values.shape, right.default))))
    for index, (labels, values) in enumerate(right.rows):
        if index not in matched and left.default is not None:
            found.append((labels, act(np.full(values.shape, left.default), values)))
    default = None
    if left.default is not None and right.default is not None:
        default = float(act(np.array([left.default]), np.array([right.default]))[0])
    return Rows(tuple(found), default)


def _agree(some: dict[str, str], others: dict[str, str]) -> bool:
    return all(others[name] == value for name, value in some.items() if name in others)


def _folded(fold: Callable[..., Values], inner: Rows) -> Rows:
    if not inner.rows:
        return inner
    stacked = np.stack([values for _, values in inner.rows])
    empty = np.asarray(np.isnan(stacked).all(axis=0))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # moments without any value are marked below
        folded = fold(stacked, axis=0)
    return Rows((((), np.where(empty, np.nan, folded)),), inner.default)


# Dimensions in the labels that every backend's answer has; the others are left out where nothing needs them.
NAMES = {
    "FullPodName": "pod",
    "Namespace": "namespace",
    "PodName": "workload",
    "NodeName": "node",
    "LocalSubnetId": "subnet",
    "DBInstanceIdentifier": "database",
    "AvailabilityZone": "zone",
}


# Dimensions that say what a series is of: a label even where the query names the value.
IDENTITIES = frozenset({"FullPodName", "NodeName", "LocalSubnetId", "DBInstanceIdentifier"})


def labels_of(selector: Selector, dimensions: Mapping[str, str]) -> Labels:
    """What tells this metric from the others of its selector, and what it is of."""
    kept = IDENTITIES.union(selector.open)
    if "FullPodName" in dimensions:
        kept -= {"PodName"}  # the pod says it all
    return tuple(sorted((name, value) for name, value in dimensions.items() if name in kept))


def named(rows: tuple[tuple[Labels, Values], ...]) -> list[tuple[dict[str, str], Values]]:
    """Rows under the labels of every backend; what no label tells apart keeps its other dimensions."""
    short = [tuple((NAMES[name], value) for name, value in labels if name in NAMES) for labels, _ in rows]
    if len(set(short)) == len(short):
        return [(dict(labels), values) for labels, (_, values) in zip(short, rows, strict=True)]
    return [({NAMES.get(name, name): value for name, value in labels}, values) for labels, values in rows]
