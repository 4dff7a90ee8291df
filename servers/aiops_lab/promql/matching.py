"""Binary operators between vectors: which series meet, and what becomes of their labels.

Rules are those of Prometheus 2.42 promql/engine.go, VectorBinop, VectorAnd, VectorOr, VectorUnless.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

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
    merged,
    nameless,
    table,
)

ARITHMETIC: dict[str, Callable[[Array, Array], Array]] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": np.divide,
    "%": np.fmod,
    "^": np.power,
    "atan2": np.arctan2,
}
DROPPING = frozenset(ARITHMETIC) - {"atan2"}  # engine.go, shouldDropMetricName: 2.42 forgot atan2
COMPARING: dict[str, Callable[[Array, Array], Bools]] = {
    "==": np.equal,
    "!=": np.not_equal,
    ">": np.greater,
    "<": np.less,
    ">=": np.greater_equal,
    "<=": np.less_equal,
}
_MANY = "multiple matches for labels: {}"


@dataclass(frozen=True, slots=True)
class Matching:
    """How series meet. `many`: the side with several per group: "left", "right" or none."""

    on: bool = False
    names: tuple[str, ...] = ()
    many: str = ""
    include: tuple[str, ...] = ()

    def signature(self, labels: Labels) -> Labels:
        """What must be equal for two series to meet."""
        return keep(labels, self.names) if self.on else drop(labels, (*self.names, NAME))


def _by_signature(vector: Vector, matching: Matching) -> dict[Labels, list[int]]:
    found: dict[Labels, list[int]] = {}
    for row, labels in enumerate(vector.labels):
        found.setdefault(matching.signature(labels), []).append(row)
    return found


def combined(op: str, left: Vector, right: Vector, matching: Matching, *, boolean: bool) -> Vector:
    """An arithmetic or comparing operator between two vectors."""
    turned = matching.many == "right"
    many, one = (right, left) if turned else (left, right)
    # Where one side has nothing at a step, nothing is matched there, and nothing refused.
    busy = np.asarray(left.present.any(axis=0) & right.present.any(axis=0))
    partners = _partners(one, matching, busy, "left" if turned else "right")
    meeting = _Meeting(op, matching, boolean=boolean, turned=turned)
    rows = []
    for signature, places in _by_signature(many, matching).items():
        partner = partners.get(signature)
        if partner is None:
            continue
        met = [found for row in places for found in meeting.rows(many, row, one, partner)]
        if not matching.many:
            _refuse_many(met)
        rows += met
    return merged_matches(table(rows, left.values.shape[1]), grouped=bool(matching.many))


def merged_matches(vector: Vector, *, grouped: bool) -> Vector:
    """Results with equal labels never meet at one step."""
    try:
        return merged(vector)
    except PromqlError as error:
        if grouped:
            words = _MANY.format("grouping labels must ensure unique matches")
            raise PromqlError(words) from error
        raise


Row = tuple[Labels, Array, Bools]


def _partners(one: Vector, matching: Matching, busy: Bools, side: str) -> dict[Labels, list[int]]:
    """The side that may have one sample per group and step."""
    found = {}
    for signature, places in _by_signature(one, matching).items():
        there = one.present[places] & busy
        if int(there.sum(axis=0).max(initial=0)) > 1:
            twice = [_shown(one.labels[row]) for row in places[:2]]
            raise PromqlError(
                f"found duplicate series for the match group {_shown(signature)} on the {side} hand-side of "
                f"the operation: [{twice[1]}, {twice[0]}];many-to-many matching not allowed: matching labels "
                "must be unique on one side"
            )
        found[signature] = places
    return found


def _refuse_many(met: Sequence[Row]) -> None:
    """One to one: at each step one result of a group, counted once a filter has spoken."""
    if len(met) > 1 and int(np.sum([there for _, _, there in met], axis=0).max(initial=0)) > 1:
        raise PromqlError(_MANY.format("many-to-one matching must be explicit (group_left/group_right)"))


@dataclass(frozen=True, slots=True)
class _Meeting:
    """What two series that meet become."""

    op: str
    matching: Matching
    boolean: bool
    turned: bool

    def rows(self, many: Vector, row: int, one: Vector, partner: list[int]) -> list[Row]:
        """One result for each partner that was there at some step: their labels may differ."""
        found = []
        for other in partner:
            there = many.present[row] & one.present[other]
            values, kept = self._worth(many.values[row], one.values[other])
            found.append((self._labels(many.labels[row], one.labels[other]), values, there & kept))
        return found

    def _worth(self, many: Array, one: Array) -> tuple[Array, Bools]:
        left, right = (one, many) if self.turned else (many, one)
        return worth(self.op, left, right, kept=left, boolean=self.boolean)

    def _labels(self, many: Labels, one: Labels) -> Labels:
        if self.op in DROPPING or self.boolean:
            many = nameless(many)
        if not self.matching.many:
            names = self.matching.names
            return keep(many, names) if self.matching.on else drop(many, names)
        found, given = dict(many), dict(one)
        for name in self.matching.include:
            found[name] = given.get(name, "")
        return labelled(found)


def worth(op: str, left: Array, right: Array, *, kept: Array, boolean: bool) -> tuple[Array, Bools]:
    """The values of an operator, and which of them stay; a comparison that filters gives `kept`."""
    with np.errstate(all="ignore"):
        if op in ARITHMETIC:
            return ARITHMETIC[op](left, right), np.ones(np.shape(kept), dtype=np.bool_)
        holds = COMPARING[op](left, right)
    if boolean:
        return holds.astype(np.float64), np.ones(np.shape(kept), dtype=np.bool_)
    return kept, holds


def with_scalar(op: str, vector: Vector, scalar: Array, *, scalar_left: bool, boolean: bool) -> Vector:
    """An operator between a vector and a number."""
    left, right = (scalar[None, :], vector.values) if scalar_left else (vector.values, scalar[None, :])
    values, holds = worth(op, left, right, kept=vector.values, boolean=boolean)
    drops = op in DROPPING or boolean
    labels = tuple(nameless(each) if drops else each for each in vector.labels)
    rows = zip(labels, values, vector.present & holds, strict=True)
    return merged(table(rows, vector.values.shape[1]))


def of_sets(op: str, left: Vector, right: Vector, matching: Matching) -> Vector:
    """and, or, unless."""
    steps = left.values.shape[1]
    here, there = _presence(left, matching), _presence(right, matching)
    nowhere = np.zeros(steps, dtype=np.bool_)
    rows = []
    for labels, values, present in zip(left.labels, left.values, left.present, strict=True):
        other = there.get(matching.signature(labels), nowhere)
        rows.append((labels, values, present & {"and": other, "unless": ~other, "or": ~nowhere}[op]))
    for labels, values, present in zip(right.labels, right.values, right.present, strict=True):
        if op == "or":
            rows.append((labels, values, present & ~here.get(matching.signature(labels), nowhere)))
    return merged(table(rows, steps))


def _presence(vector: Vector, matching: Matching) -> dict[Labels, Bools]:
    found = _by_signature(vector, matching)
    return {signature: np.asarray(vector.present[places].any(axis=0)) for signature, places in found.items()}


def _shown(labels: Labels) -> str:
    inside = ", ".join(f'{key}="{value}"' for key, value in labels)
    return f"{{{inside}}}"
