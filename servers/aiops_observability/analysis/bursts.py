"""Failures sorted into incidents by time, and a row of counts drawn as text.

Called by the readers of logs. An incident is a run of minutes with clearly more failures than usual; a few
quiet minutes inside do not end it. Pure.
"""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from aiops_observability.analysis.proportions import poisson_tail

QUIET_S = 300.0  # so long without a busy minute ends an incident
LEAST_FAILURES = 5
TIMES_USUAL = 4.0
SURPRISE = 6.0  # −log10 of the chance that the usual rate gives so many in so long
_BARS = "▁▂▃▄▅▆▇█"


@dataclass(frozen=True, slots=True)
class Incident:
    """A run of failures, Unix seconds; `until_s` is the end of its last busy bucket."""

    since_s: float
    until_s: float
    failures: int


def incidents(
    buckets: Sequence[tuple[float, int]], step_s: float, quiet_s: float = QUIET_S
) -> list[Incident]:
    """Incidents in counts by bucket (start, failures); buckets that are missing count as none.

    A bucket is busy when it has at least 2 failures and TIMES_USUAL times the usual count, which is the mean
    of the quieter nine tenths of all buckets. An incident is a run of busy ones with at least LEAST_FAILURES
    that the usual rate does not explain.
    """
    found = sorted((at, count) for at, count in buckets if count > 0)
    if not found:
        return []
    whole = round((found[-1][0] - found[0][0]) / step_s) + 1
    quiet = sorted([0] * max(0, whole - len(found)) + [count for _, count in found])[
        : max(1, whole * 9 // 10)
    ]
    usual = statistics.fmean(quiet)
    busy = [(at, count) for at, count in found if count >= max(2, TIMES_USUAL * usual)]
    runs: list[list[tuple[float, int]]] = []
    for at, count in busy:
        if runs and at - runs[-1][-1][0] - step_s <= quiet_s:
            runs[-1].append((at, count))
        else:
            runs.append([(at, count)])
    made = [_whole(run, dict(found), step_s) for run in runs]
    return [one for one in made if one.failures >= LEAST_FAILURES and _surprising(one, usual / step_s)]


def _surprising(one: Incident, usual_per_s: float) -> bool:
    expected = max(0.5, usual_per_s * (one.until_s - one.since_s))
    return poisson_tail(one.failures, expected) >= SURPRISE


def _whole(run: list[tuple[float, int]], counts: dict[float, int], step_s: float) -> Incident:
    """The run with the quiet buckets inside it, and those with failures right at its edges."""
    since_s, until_s = run[0][0], run[-1][0]
    while counts.get(since_s - step_s):
        since_s -= step_s
    while counts.get(until_s + step_s):
        until_s += step_s
    failures = sum(count for at, count in counts.items() if since_s <= at <= until_s)
    return Incident(since_s, until_s + step_s, failures)


def sparkline(values: Sequence[float]) -> str:
    """The values as bars, the largest full; nothing is a blank."""
    most = max(values, default=0.0)
    if most <= 0:
        return "·" * len(values)
    return "".join("·" if each <= 0 else _BARS[min(7, int(each / most * 7.999))] for each in values)
