"""Statistics of a metric over periods: what GetMetricData's `Stat` says, of the minutes that are kept.

"Statistics" and "Metrics retention" in the CloudWatch user guide: Average, Sum, Minimum, Maximum,
SampleCount, IQM, pNN, tmNN and TM(a%:b%); a minute is kept for 15 days, five minutes for 63, an hour for 455.
Percentiles of single values are linear between neighbours (numpy's default); those of a histogram are linear
in its bucket, as Prometheus's histogram_quantile has them.
"""

import re
from dataclasses import dataclass

import numpy as np

from aiops_lab.aws.cloudwatch.book import CloudMetric
from aiops_lab.aws.errors import AwsError
from aiops_lab.telemetry.derived import Distribution
from aiops_lab.telemetry.signals import Array

MINUTE_S, DAY_S = 60, 86_400
RETENTION = ((60, 15), (300, 63), (3600, 455))  # seconds of a period, days that it is kept
PLAIN = frozenset({"Average", "Sum", "Minimum", "Maximum", "SampleCount", "IQM"})
_PERCENT = re.compile(r"(p|tm)(\d{1,2}(?:\.\d{1,10})?|100)$")
_TRIMMED = re.compile(r"TM\((\d{1,2}(?:\.\d+)?)%:(\d{1,3}(?:\.\d+)?)%\)$")
_POINTS_PER_BUCKET = 16  # of a histogram, for trimmed means


def invalid(message: str) -> AwsError:
    """CloudWatch's answer to what it cannot do."""
    return AwsError("ValidationError", message)


@dataclass(frozen=True, slots=True)
class Span:
    """Periods from `since_s` on, the last begins before `until_s`; nothing is known after `now_s`."""

    since_s: float
    until_s: float
    period_s: int
    now_s: float

    def starts_s(self) -> Array:
        """When each period begins."""
        return np.arange(self.since_s, self.until_s - 1e-6, self.period_s, dtype=np.float64)


def require_stat(stat: str) -> str:
    """The statistic. Raises AwsError for one that CloudWatch or the lab does not know."""
    if stat in PLAIN or _PERCENT.match(stat) or _TRIMMED.match(stat):
        return stat
    raise invalid(f"The parameter MetricDataQueries.member.1.MetricStat.Stat has an invalid value: {stat}")


def require_period(period: int) -> int:
    """The period. Raises AwsError for one that is no multiple of a minute, which the lab's metrics have."""
    if period < MINUTE_S or period % MINUTE_S:
        raise invalid(f"Period must be a multiple of {MINUTE_S}: these metrics have standard resolution.")
    return period


def values_of(metric: CloudMetric, stat: str, span: Span) -> Array:
    """A statistic of each period of a span, NaN where nothing was published or nothing is kept any more."""
    starts = span.starts_s()
    if not starts.size:
        return np.zeros(0)
    minutes_each = span.period_s // MINUTE_S
    minutes = (starts[:, None] + np.arange(minutes_each) * MINUTE_S).ravel()
    if metric.distributions:
        found = of_distribution(metric.distributions, stat, minutes, span)
    else:
        read = np.stack([one.read(minutes, span.now_s) for one in metric.streams], axis=1)
        found = _of_values(read.reshape(starts.size, -1), stat)
    return np.where(_kept(starts, span), found, np.nan)


def _kept(starts: Array, span: Span) -> Array:
    """Whether data of this period length is kept for each period."""
    age_days = (span.now_s - starts) / DAY_S
    needed = np.full(starts.shape, np.inf)
    for period, days in reversed(RETENTION):
        needed = np.where(age_days <= days, period, needed)
    return np.asarray(span.period_s >= needed)


def _of_values(values: Array, stat: str) -> Array:
    """Statistics of rows; NaN is no value."""
    there = ~np.isnan(values)
    counts = there.sum(axis=1)
    empty = counts == 0
    filled = np.where(there, values, 0.0)
    if stat == "SampleCount":
        return np.where(empty, np.nan, counts)
    if stat in {"Sum", "Average"}:
        total = filled.sum(axis=1)
        return np.where(empty, np.nan, total if stat == "Sum" else total / np.maximum(counts, 1))
    if stat in {"Minimum", "Maximum"}:
        ends = np.where(there, values, np.inf if stat == "Minimum" else -np.inf)
        found = ends.min(axis=1) if stat == "Minimum" else ends.max(axis=1)
        return np.where(empty, np.nan, found)
    return np.array([_ranked(row[seen], stat) for row, seen in zip(values, there, strict=True)])


def _ranked(row: Array, stat: str) -> float:
    if not row.size:
        return float("nan")
    if (found := _PERCENT.match(stat)) and found[1] == "p":
        return float(np.percentile(row, float(found[2])))
    low, high = _kept_ranks(stat)
    first, last = np.percentile(row, [low, high])
    inside = row[(row >= first) & (row <= last)]
    return float(inside.mean())


def _kept_ranks(stat: str) -> tuple[float, float]:
    """Which percentiles bound a trimmed mean."""
    if stat == "IQM":
        return 25.0, 75.0
    if found := _TRIMMED.match(stat):
        return float(found[1]), float(found[2])
    return 0.0, float(stat.removeprefix("tm"))


def of_distribution(parts: list[Distribution], stat: str, minutes: Array, span: Span) -> Array:
    """A statistic of what some histograms observed together in each period."""
    periods = minutes.size // (span.period_s // MINUTE_S)
    bounds = np.array(sorted({bound for one in parts for bound in one.bounds}))
    counts = np.zeros((periods, bounds.size))
    sums = np.zeros(periods)
    for one in parts:
        columns = np.searchsorted(bounds, one.bounds)
        counts[:, columns] += one.read(minutes, span.now_s).reshape(periods, -1, columns.size).sum(axis=1)
        sums += np.nan_to_num(one.total(minutes, span.now_s)).reshape(periods, -1).sum(axis=1)
    if stat == "SampleCount":
        return np.where(counts.sum(axis=1) > 0, counts.sum(axis=1), np.nan)
    return np.array([_observed(bounds, row, total, stat) for row, total in zip(counts, sums, strict=True)])


def _observed(bounds: Array, counts: Array, total: float, stat: str) -> float:
    """A statistic of one period's observations."""
    seen = float(counts.sum())
    if seen <= 0:
        return float("nan")
    lower, upper = np.append(0.0, bounds[:-1]), np.minimum(bounds, bounds[-2] if bounds.size > 1 else 0.0)
    if stat in {"Sum", "Average"}:
        return total if stat == "Sum" else total / seen
    if stat in {"Minimum", "Maximum"}:
        held = np.flatnonzero(counts)
        return float(lower[held[0]] if stat == "Minimum" else upper[held[-1]])
    if (found := _PERCENT.match(stat)) and found[1] == "p":
        return _quantile(lower, upper, counts, float(found[2]) / 100)
    low, high = _kept_ranks(stat)
    ranks = np.linspace(low, high, _POINTS_PER_BUCKET * bounds.size) / 100
    return float(np.mean([_quantile(lower, upper, counts, rank) for rank in ranks]))


def _quantile(lower: Array, upper: Array, counts: Array, share: float) -> float:
    """Linear in the bucket that holds the rank."""
    cumulative = np.cumsum(counts)
    rank = share * cumulative[-1]
    at = min(int(np.searchsorted(cumulative, rank)), counts.size - 1)
    before = cumulative[at] - counts[at]
    inside = (rank - before) / counts[at] if counts[at] > 0 else 1.0
    return float(lower[at] + (upper[at] - lower[at]) * inside)
