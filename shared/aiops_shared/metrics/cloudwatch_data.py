"""GetMetricData and ListMetrics, asked in batches and pages; what failed in part is a warning.

Called by `cloudwatch`. Limits ("GetMetricData", "CloudWatch service quotas"): 500 queries and 100,800
datapoints a call; ListMetrics tells what was published in the last two weeks, 500 a page.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from aiops_shared.aws.eks_cluster import EksCluster
from aiops_shared.aws.listing import required
from aiops_shared.errors import AiopsError, QueryInvalidError, UpstreamError
from aiops_shared.kube.gathering import gather_outcomes
from aiops_shared.metrics.cloudwatch_language import DEFAULT_STAT, LAST, Selector

MOST_QUERIES, MOST_POINTS = 500, 100_800
MOST_LISTED = 5_000
MOST_PAGES = 100
AT_ONCE = 4
THING = "CloudWatch"
Query = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Span:
    """What is asked for: periods from `since` on that begin before `until`."""

    since: datetime
    until: datetime
    period_s: int

    @property
    def points(self) -> int:
        """Datapoints of one series."""
        return max(1, int((self.until - self.since).total_seconds() // self.period_s))


@dataclass(slots=True)
class Result:
    """One series: its query's id, its label, and its datapoints."""

    query_id: str
    label: str
    times_s: list[float] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    status: str = "Complete"


@dataclass(slots=True)
class Read:
    """Every series, and what was remarked about them."""

    results: list[Result] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def by_id(self) -> dict[str, Result]:
        """The series by query, for queries of one series each."""
        return {one.query_id: one for one in self.results}


def metric_query(query_id: str, selector: Selector, dimensions: Mapping[str, str], period_s: int) -> Query:
    """One metric as GetMetricData asks for it."""
    told = [{"Name": name, "Value": value} for name, value in sorted(dimensions.items())]
    metric: dict[str, Any] = {"Namespace": selector.namespace, "MetricName": selector.metric}
    if told:
        metric["Dimensions"] = told
    return {
        "Id": query_id,
        "MetricStat": {
            "Metric": metric,
            "Period": period_s,
            "Stat": DEFAULT_STAT if selector.stat == LAST else selector.stat,
        },
        "ReturnData": True,
    }


def batches(queries: Sequence[Query], points: int) -> list[Sequence[Query]]:
    """Queries in calls that keep both limits."""
    size = max(1, min(MOST_QUERIES, MOST_POINTS // max(1, points)))
    return [queries[start : start + size] for start in range(0, len(queries), size)]


async def read_batches(eks: EksCluster, queries: Sequence[Query], span: Span) -> Read:
    """Independent queries, in as many calls as they need.

    A batch that fails is a warning while another one answers. Raises AiopsError when none does.
    """
    calls = batches(queries, span.points)
    outcomes = await gather_outcomes(lambda one: read_one(eks, one, span), calls, at_once=AT_ONCE)
    failed = [one for one in outcomes if isinstance(one, AiopsError)]
    if failed and len(failed) == len(outcomes):
        raise failed[0]
    read = Read()
    for batch, one in zip(calls, outcomes, strict=True):
        if isinstance(one, AiopsError):
            read.warnings.append(f"{len(batch)} of {len(queries)} metrics were not read: {one.wire()}")
        elif one is not None:
            read.results += one.results
            read.warnings += one.warnings
    return read


async def read_one(eks: EksCluster, queries: Sequence[Query], span: Span) -> Read:
    """One set of queries, all its pages."""
    read, more = Read(), dict[str, str]()
    known: dict[tuple[str, str, int], Result] = {}
    for _ in range(MOST_PAGES):
        answer = await eks.call(
            "cloudwatch",
            "get_metric_data",
            MetricDataQueries=list(queries),
            StartTime=span.since,
            EndTime=span.until,
            ScanBy="TimestampAscending",
            **more,
        )
        seen: Counter[tuple[str, str]] = Counter()
        for row in required(answer, "MetricDataResults", THING):
            _merge(known, row, seen)
        read.warnings += _messages(answer.get("Messages"))
        if not answer.get("NextToken"):
            break
        more = {"NextToken": answer["NextToken"]}
    else:
        read.warnings.append(f"only {MOST_PAGES} pages were read")
    read.results = list(known.values())
    read.warnings += [
        f"{one.label or one.query_id}: {one.status}" for one in read.results if one.status != "Complete"
    ]
    read.warnings = list(dict.fromkeys(read.warnings))
    return read


def _merge(
    known: dict[tuple[str, str, int], Result], row: Mapping[str, Any], seen: Counter[tuple[str, str]]
) -> None:
    """A page's part of a series; the last page says how it ended. Namesakes of a page are different ones."""
    query_id, label = str(row.get("Id", "")), str(row.get("Label", ""))
    seen[query_id, label] += 1
    one = known.setdefault((query_id, label, seen[query_id, label]), Result(query_id, label))
    times, values = row.get("Timestamps") or [], row.get("Values") or []
    if len(times) != len(values):
        raise UpstreamError(THING, f"answered {len(times)} timestamps with {len(values)} values")
    one.times_s += [at.timestamp() for at in times]
    one.values += [float(value) for value in values]
    said = _messages(row.get("Messages"))
    one.status = "; ".join([str(row.get("StatusCode") or "Complete"), *said])


def _messages(told: Any) -> list[str]:
    return [f"{one.get('Code', '')}: {str(one.get('Value', ''))[:200]}" for one in told or []]


async def listed(eks: EksCluster, selector: Selector) -> list[dict[str, str]]:
    """The dimensions of every metric that a selector with `*` means.

    Raises QueryInvalidError where more match than may be listed.
    """
    told = [
        {"Name": name} if "*" in value else {"Name": name, "Value": value}
        for name, value in selector.dimensions
    ]
    found = await eks.every(
        "cloudwatch",
        "list_metrics",
        "Metrics",
        at_most=MOST_LISTED,
        Namespace=selector.namespace,
        MetricName=selector.metric,
        Dimensions=told,
    )
    if found.truncated:
        raise QueryInvalidError(
            "query",
            f"{selector.namespace}/{selector.metric} has more than {MOST_LISTED:,} metrics here",
            "give more dimensions a value",
        )
    rows = [dimensions_of(one) for one in found.items]
    return [one for one in rows if selector.fits(one)]


def dimensions_of(metric: Mapping[str, Any]) -> dict[str, str]:
    """The dimensions of one listed metric."""
    return {str(one.get("Name")): str(one.get("Value")) for one in metric.get("Dimensions") or []}
