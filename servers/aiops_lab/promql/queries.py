"""Instant and range queries: text and times in, the `data` of Prometheus' answer out.

Called by the observatory's HTTP API and by tests. Blocks: call it in a thread where a loop must go on.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from aiops_lab.promql.evaluator import MOST_SAMPLES, Budget, Evaluation
from aiops_lab.promql.numbers import seconds, shortest
from aiops_lab.promql.parsing import kind_of, parse
from aiops_lab.promql.storage import Storage
from aiops_lab.promql.values import Labels, Moments, PromqlError, Samples, Scalar, Text, Value, Vector

Json = dict[str, Any]
InTime = Callable[[], bool]


def always() -> bool:
    """No deadline."""
    return True


def instant_query(
    storage: Storage, text: str, at_ms: int, *, most: int = MOST_SAMPLES, in_time: InTime = always
) -> Json:
    """The data of /api/v1/query. Raises PromqlError."""
    tree = parse(text)
    moments = np.array([at_ms], dtype=np.int64)
    found = Evaluation(storage, moments, at_ms, at_ms, Budget(most, in_time)).value(tree)
    if isinstance(found, Text):
        return {"resultType": "string", "result": [seconds(at_ms), found.value]}
    if isinstance(found, Scalar):
        return {"resultType": "scalar", "result": [seconds(at_ms), shortest(float(found.values[0]))]}
    if isinstance(found, Vector):
        rows = [
            {"metric": dict(labels), "value": [seconds(at_ms), shortest(float(values[0]))]}
            for labels, values, there in zip(found.labels, found.values, found.present, strict=True)
            if there[0]
        ]
        return {"resultType": "vector", "result": rows}
    return {"resultType": "matrix", "result": [_series(one.labels, one) for one in _ordered(found)]}


@dataclass(frozen=True, slots=True)
class Span:
    """Start, end and step of a range query, in milliseconds."""

    start_ms: int
    end_ms: int
    step_ms: int

    @property
    def moments(self) -> Moments:
        """Its steps."""
        return np.arange(self.start_ms, self.end_ms + 1, self.step_ms, dtype=np.int64)


def range_query(
    storage: Storage, text: str, span: Span, *, most: int = MOST_SAMPLES, in_time: InTime = always
) -> Json:
    """The data of /api/v1/query_range. Raises PromqlError."""
    tree = parse(text)
    kind = kind_of(tree)
    if kind not in ("scalar", "instant vector"):
        words = f'invalid expression type "{kind}" for range query, must be Scalar or instant Vector'
        raise PromqlError(words, "bad_data")
    moments, budget = span.moments, Budget(most, in_time)
    evaluation = Evaluation(storage, moments, span.start_ms, span.end_ms, budget)
    found = [_series(one.labels, one) for one in _ordered(_rows(evaluation.value(tree), moments))]
    return {"resultType": "matrix", "result": found}


def _rows(found: Value, moments: Moments) -> list[Samples]:
    if isinstance(found, Scalar):
        return [Samples((), moments, found.values)]
    if isinstance(found, Vector):
        rows = zip(found.labels, found.values, found.present, strict=True)
        return [Samples(labels, moments[there], values[there]) for labels, values, there in rows]
    raise PromqlError("invalid expression type for range query", "bad_data")


def _ordered(found: list[Samples]) -> list[Samples]:
    def by_labels(one: Samples) -> Labels:
        return one.labels

    return sorted(found, key=by_labels)


def _series(labels: Labels, samples: Samples) -> Json:
    values = [
        [seconds(int(moment)), shortest(float(value))]
        for moment, value in zip(samples.moments, samples.values, strict=True)
    ]
    return {"metric": dict(labels), "values": values}
