"""Failures sorted into incidents by time, and a row of counts drawn as text.

Called by the readers of logs. An incident is a run of minutes with clearly more failures than usual; a few
quiet minutes inside do not end it. Pure.
"""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

QUIET_S = 300.0  # so long without a busy minute ends an incident
LEAST_FAILURES = 5
TIMES_USUAL = 4.0
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

    A bucket is busy when it has at least 2 failures and TIMES_USUAL times the median of all minutes that are
    not empty in the quieter half; an incident has at least LEAST_FAILURES.
    """
    found = sorted((at, count) for at, count in buckets if count > 0)
    if not found:
        return []
    whole_s = found[-1][0] - found[0][0] + step_s
    empty = max(0, round(whole_s / step_s) - len(found))
    usual = statistics.median([0] * empty + [count for _, count in found])
    busy = [(at, count) for at, count in found if count >= max(2, TIMES_USUAL * usual)]
    runs: list[list[tuple[float, int]]] = []
    for at, count in busy:
        if runs and at - runs[-1][-1][0] - step_s <= quiet_s:
            runs[-1].append((at, count))
        else:
            runs.append([(at, count)])
    whole = [_whole(run, dict(found), step_s) for run in runs]
    return [each for each in whole if each.failures >= LEAST_FAILURES]


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
