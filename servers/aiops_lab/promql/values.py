"""What PromQL expressions are worth, over all steps of a query at once, and how they fail.

A vector is a table of series x steps with a mask: a sample that is not there is not the same as NaN.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Moments = npt.NDArray[np.int64]  # milliseconds since 1970
Labels = tuple[tuple[str, str], ...]  # sorted by name
NAME = "__name__"
SAME = "vector cannot contain metrics with the same labelset"


class PromqlError(Exception):
    """A query that has no answer; `kind` is Prometheus' errorType."""

    def __init__(self, words: str, kind: str = "execution") -> None:
        super().__init__(words)
        self.kind = kind


@dataclass(frozen=True, slots=True)
class Scalar:
    """One number at each step."""

    values: Array


@dataclass(frozen=True, slots=True)
class Text:
    """A string literal."""

    value: str


@dataclass(frozen=True, slots=True)
class Vector:
    """Series x steps; `present` says which samples exist, values elsewhere mean nothing."""

    labels: tuple[Labels, ...]
    values: Array
    present: Bools

    @property
    def rows(self) -> range:
        """The places of its series."""
        return range(len(self.labels))


@dataclass(frozen=True, slots=True)
class Samples:
    """One series as stored: what a range selector or a subquery gives."""

    labels: Labels
    moments: Moments
    values: Array


Value = Scalar | Text | Vector | list[Samples]


def labelled(labels: Mapping[str, str]) -> Labels:
    """Labels in their one form; an empty value is no label."""
    return tuple(sorted((name, value) for name, value in labels.items() if value))


def nameless(labels: Labels) -> Labels:
    """Without the metric's name."""
    return tuple(pair for pair in labels if pair[0] != NAME)


def keep(labels: Labels, names: Iterable[str]) -> Labels:
    """Only these labels."""
    wanted = frozenset(names)
    return tuple(pair for pair in labels if pair[0] in wanted)


def drop(labels: Labels, names: Iterable[str]) -> Labels:
    """All but these labels."""
    unwanted = frozenset(names)
    return tuple(pair for pair in labels if pair[0] not in unwanted)


def nothing(steps: int) -> Vector:
    """A vector without series."""
    return Vector((), np.zeros((0, steps)), np.zeros((0, steps), dtype=np.bool_))


def table(rows: Iterable[tuple[Labels, Any, Any]], steps: int) -> Vector:
    """A vector of rows (labels, values, present); rows without a sample are left out."""
    kept = [row for row in rows if np.any(row[2])]
    if not kept:
        return nothing(steps)
    shape = (steps,)
    return Vector(
        tuple(labels for labels, _, _ in kept),
        np.array([np.broadcast_to(values, shape) for _, values, _ in kept], dtype=np.float64),
        np.array([np.broadcast_to(present, shape) for _, _, present in kept], dtype=np.bool_),
    )


def merged(vector: Vector, *, at_once: bool = False) -> Vector:
    """Series with equal labels as one. Raises PromqlError where two have a sample at the same step.

    `at_once`: they may not even follow each other (functions over ranges).
    """
    if len(set(vector.labels)) == len(vector.labels):
        return vector
    places: dict[Labels, list[int]] = {}
    for row, labels in enumerate(vector.labels):
        places.setdefault(labels, []).append(row)
    rows = []
    for labels, same in places.items():
        there = vector.present[same]
        if len(same) > 1 and (at_once or int(there.sum(axis=0).max(initial=0)) > 1):
            raise PromqlError(SAME)
        values = np.where(there, vector.values[same], 0.0).sum(axis=0)
        rows.append((labels, values, there.any(axis=0)))
    return table(rows, vector.values.shape[1])
