"""Rates of what comes and goes (pods, versions) without the steps that it did not fill.

In the step in which a pod begins or ends, Prometheus tells its rate over the whole step and CloudWatch and
Datadog that of the minutes it lived: two numbers, and the first looks like a drop that never was. Such a step
is left out on every backend, unless it is all there is. Called where a named question is asked.
"""

from dataclasses import replace

import numpy as np

from aiops_shared.metrics.series import MetricAnswer, Series, Values

PASSING = frozenset({"cpu", "cpu_of_request", "cpu_throttled", "requests_by_version"})
LEAST_RUN = 3


def whole_steps(question: str, answer: MetricAnswer) -> MetricAnswer:
    """The answer to a named question without the ragged ends of its series."""
    if question not in PASSING:
        return answer
    return replace(answer, series=tuple(_trimmed(one) for one in answer.series))


def _trimmed(series: Series) -> Series:
    ragged = ragged_ends(series.values)
    if not ragged.any():
        return series
    return replace(series, values=np.where(ragged, np.nan, series.values))


def ragged_ends(values: Values) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    """Where a run of values begins after a gap or ends before one; the window's own ends are none.

    A run shorter than three points is kept as it is.
    """
    seen = ~np.isnan(values)
    edges = np.diff(np.concatenate(([False], seen, [False])).astype(np.int8))
    found = np.zeros(values.size, dtype=bool)
    for begin, end in zip(np.flatnonzero(edges == 1), np.flatnonzero(edges == -1), strict=True):
        if end - begin < LEAST_RUN:
            continue
        found[begin] |= begin > 0
        found[end - 1] |= end < values.size
    return found
