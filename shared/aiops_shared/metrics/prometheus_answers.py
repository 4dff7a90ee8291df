"""Prometheus's `data` as series on the grid, strictly: what is not of the documented form is an error.

Prometheus writes values as text: NaN, +Inf and -Inf too. Infinite values (a division by zero) become gaps
and are counted in a warning, since no statistic survives them. Native histograms are left out and said.
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from aiops_shared.errors import AnswerTooLargeError, UpstreamError
from aiops_shared.http.snippets import snippet
from aiops_shared.metrics.series import Series, Values, Window

MOST_CELLS = 20_000_000  # 160 MB


def matrix(data: Any, window: Window, thing: str) -> tuple[tuple[Series, ...], tuple[str, ...]]:
    """The series of a range query, and what had to be left out of them.

    Raises UpstreamError for another form, AnswerTooLargeError for more than MOST_CELLS points in all.
    """
    rows = results(data, "matrix", thing)
    plain = [row for row in rows if "values" in row or "histograms" not in row]
    if len(plain) * window.points > MOST_CELLS:
        raise AnswerTooLargeError(
            thing,
            f"{len(plain):,} series of {window.points:,} points are too many",
            "aggregate, or topk(20, …)",
        )
    values = _values([row.get("values") for row in plain], window, thing)
    infinite = np.isinf(values)
    values[infinite] = np.nan
    found = tuple(Series(labels_of(row, thing), window, values[at]) for at, row in enumerate(plain))
    lost, histograms = int(np.count_nonzero(infinite)), len(rows) - len(plain)
    said = []
    if lost:
        said.append(f"{lost} points are infinite (a division by zero) and were taken as missing")
    if histograms:
        said.append(f"{histograms} native histogram series were left out: use histogram_quantile()")
    return found, tuple(said)


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


def _values(columns: list[Any], window: Window, thing: str) -> Values:
    """All samples on the grid at once, a row a series: a series at a time takes ten times as long."""
    try:
        sizes = np.array([len(samples) for samples in columns], dtype=np.int64)
        times = np.array([float(at) for samples in columns for at, _ in samples])
        told = np.array([float(value) for samples in columns for _, value in samples])
    except (TypeError, ValueError) as error:
        raise UpstreamError(thing, "answered with values that are no numbers") from error
    grid = np.full((len(columns), window.points), np.nan)
    row = np.repeat(np.arange(len(columns)), sizes)
    index = np.rint((times - window.since.timestamp()) / window.step_s)
    inside = (index >= 0) & (index < window.points)
    grid[row[inside], index[inside].astype(np.int64)] = told[inside]
    return grid


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
