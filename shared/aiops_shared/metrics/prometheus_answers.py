"""Prometheus's `data` as series on the grid, strictly: what is not of the documented form is an error.

Prometheus writes values as text: NaN, +Inf and -Inf too. Infinite values (a division by zero) become gaps
and are counted in a warning, since no statistic survives them. Native histograms are left out and said.
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from aiops_shared.errors import UpstreamError
from aiops_shared.http.snippets import snippet
from aiops_shared.metrics.series import Series, Values, Window, gridded


def matrix(data: Any, window: Window, thing: str) -> tuple[tuple[Series, ...], tuple[str, ...]]:
    """The series of a range query, and what had to be left out of them. Raises UpstreamError."""
    rows = results(data, "matrix", thing)
    infinite = histograms = 0
    found: list[Series] = []
    for row in rows:
        labels = labels_of(row, thing)
        samples = row.get("values")
        if samples is None and "histograms" in row:
            histograms += 1
            continue
        values, lost = _values(samples, window, thing)
        infinite += lost
        found.append(Series(labels, window, values))
    said = []
    if infinite:
        said.append(f"{infinite} points are infinite (a division by zero) and were taken as missing")
    if histograms:
        said.append(f"{histograms} native histogram series were left out: use histogram_quantile()")
    return tuple(found), tuple(said)


def results(data: Any, kind: str, thing: str) -> list[dict[str, Any]]:
    """The rows of `data` of the kind asked for. Raises UpstreamError for another kind or form."""
    said = data.get("resultType") if isinstance(data, dict) else None
    rows = data.get("result") if isinstance(data, dict) else None
    if said != kind or not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise UpstreamError(thing, f"answered with {snippet(str(said)) or 'no result'} instead of a {kind}")
    return rows


def labels_of(row: Mapping[str, Any], thing: str) -> dict[str, str]:
    """The labels of a row. Raises UpstreamError."""
    labels = row.get("metric")
    if not isinstance(labels, dict) or not all(isinstance(value, str) for value in labels.values()):
        raise UpstreamError(thing, "answered with a series without labels")
    return labels


def _values(samples: Any, window: Window, thing: str) -> tuple[Values, int]:
    try:
        times = np.array([float(at) for at, _ in samples])
        values = np.array([float(value) for _, value in samples])
    except (TypeError, ValueError) as error:
        raise UpstreamError(thing, "answered with values that are no numbers") from error
    endless = np.isinf(values)
    values[endless] = np.nan
    return gridded(window, times, values), int(np.count_nonzero(endless))


def number_of(value: Any) -> float:
    """A number of an answer, or NaN."""
    try:
        found = float(value)
    except (TypeError, ValueError):
        return math.nan
    return found


def samples_read(data: Any) -> int:
    """`stats.samples.totalQueryableSamples` where the server says it."""
    stats = data.get("stats") if isinstance(data, dict) else None
    samples = stats.get("samples") if isinstance(stats, dict) else None
    total = samples.get("totalQueryableSamples") if isinstance(samples, dict) else 0
    return total if isinstance(total, int) else 0
