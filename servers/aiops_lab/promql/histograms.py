"""histogram_quantile over classic buckets (promql/quantile.go of Prometheus 2.42, bucketQuantile)."""

import numpy as np

from aiops_lab.promql.values import NAME, Array, Bools, Labels, Vector, drop, merged, table

LE = "le"


def histogram_quantile(q: Array, vector: Vector) -> Vector:
    """The q-quantile of each histogram; series without a readable `le` are no buckets."""
    found: dict[Labels, dict[float, list[int]]] = {}
    for row, labels in enumerate(vector.labels):
        bound = _bound(dict(labels).get(LE, ""))
        if bound is not None:
            found.setdefault(drop(labels, (NAME, LE)), {}).setdefault(bound, []).append(row)
    steps = vector.values.shape[1]
    rows = []
    for labels, buckets in found.items():
        values, present = _histogram(q, vector, buckets)
        rows.append((labels, values, present))
    return merged(table(rows, steps))


def _bound(text: str) -> float | None:
    try:
        return float(text.replace("Inf", "inf")) if "_" not in text else None
    except ValueError:
        return None


def _histogram(q: Array, vector: Vector, buckets: dict[float, list[int]]) -> tuple[Array, Bools]:
    """Steps with the same buckets present are computed together."""
    bounds = sorted(buckets)
    there = np.array([vector.present[buckets[each]].any(axis=0) for each in bounds])
    counts = np.array(
        [
            np.where(vector.present[buckets[each]], vector.values[buckets[each]], 0.0).sum(axis=0)
            for each in bounds
        ]
    )
    values = np.full(there.shape[1], np.nan)
    patterns: dict[bytes, list[int]] = {}
    for step, pattern in enumerate(there.T):
        patterns.setdefault(pattern.tobytes(), []).append(step)
    for steps in patterns.values():
        kept = there[:, steps[0]]
        if kept.any():
            upper = np.array(bounds)[kept]
            values[steps] = _quantile(q[steps], upper, counts[np.ix_(kept, np.array(steps))])
    return values, np.asarray(there.any(axis=0))


def _quantile(q: Array, upper: Array, counts: Array) -> Array:
    """`counts` is buckets x steps."""
    found = np.full(len(q), np.nan)
    if len(upper) >= 2 and upper[-1] == np.inf:
        counts = np.maximum.accumulate(counts, axis=0)
        with np.errstate(all="ignore"):
            found = _interpolated(q, upper, counts)
        found = np.where((counts[-1] == 0) | np.isnan(counts[-1]), np.nan, found)
    if upper[-1] == np.inf:
        found = np.where(q < 0, -np.inf, np.where(q > 1, np.inf, found))
    else:
        found = np.where(q < 0, -np.inf, np.where(q > 1, np.inf, np.nan))
    return np.where(np.isnan(q), np.nan, found)


def _interpolated(q: Array, upper: Array, counts: Array) -> Array:
    rank, columns = q * counts[-1], np.arange(len(q))
    place = np.minimum((counts[:-1] < rank).sum(axis=0), len(upper) - 1)
    start = np.where(place > 0, upper[np.maximum(place - 1, 0)], 0.0)
    before = np.where(place > 0, counts[np.maximum(place - 1, 0), columns], 0.0)
    inside = counts[place, columns] - before
    found = start + (upper[place] - start) * ((rank - before) / inside)
    found = np.where((place == 0) & (upper[0] <= 0), upper[0], found)
    return np.asarray(np.where(place == len(upper) - 1, upper[-2], found))
