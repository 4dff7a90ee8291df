"""The operations that read metrics: GetMetricData, GetMetricStatistics, ListMetrics; and PutMetricData.

Limits are those of "CloudWatch service quotas": 500 queries and 100,800 datapoints a call, 1,440 datapoints
of GetMetricStatistics, 500 metrics a page. `Ill` lets a metric be unreadable, which no error code can play.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any

import numpy as np

from aiops_lab.aws.account import Account
from aiops_lab.aws.cloudwatch.book import CloudMetric
from aiops_lab.aws.cloudwatch.maths import Line
from aiops_lab.aws.cloudwatch.reading import Grounds, Reading, dimensions_of
from aiops_lab.aws.cloudwatch.stats import Span, invalid, require_period, require_stat, values_of
from aiops_lab.aws.cloudwatch.table import book_of
from aiops_lab.aws.errors import AwsError
from aiops_lab.aws.overlay import Call, Operations
from aiops_lab.telemetry import Telemetry
from aiops_lab.telemetry.signals import Array, Signal

MOST_POINTS, MOST_STATISTICS, LISTED = 100_800, 1_440, 500
RECENT_S = 14 * 86_400  # ListMetrics tells what was published in two weeks
Answer = Mapping[str, Any]


@dataclass(slots=True)
class Ill:
    """Metrics that CloudWatch cannot read now: name -> (StatusCode, message)."""

    metrics: dict[str, tuple[str, str]] = field(default_factory=dict)


def data_operations(account: Account) -> Operations:
    """The operations, bound to one account."""
    return {
        ("cloudwatch", "GetMetricData"): partial(get_metric_data, account),
        ("cloudwatch", "GetMetricStatistics"): partial(get_metric_statistics, account),
        ("cloudwatch", "ListMetrics"): partial(list_metrics, account),
        ("cloudwatch", "PutMetricData"): partial(put_metric_data, account),
    }


def get_metric_data(account: Account, call: Call) -> Answer:
    """Evaluate the queries; one page of their datapoints."""
    params = call.params
    since_s, until_s = moment_s(params["StartTime"]), moment_s(params["EndTime"])
    if since_s >= until_s:
        raise invalid("The parameter StartTime must be less than the parameter EndTime.")
    queries = params.get("MetricDataQueries") or []
    reading = Reading.asked(Grounds.of(account, queries), queries, since_s, until_s)
    returned = [one for one in queries if one.get("ReturnData") is not False]
    if not returned:
        raise invalid("At least one query must have ReturnData set to true.")
    upward = params.get("ScanBy") == "TimestampAscending"
    ill = account.area(Ill).metrics
    results = [
        _result(one, line, ill, upward=upward) for one in returned for line in reading.lines(str(one["Id"]))
    ]
    return _page(results, int(params.get("MaxDatapoints") or MOST_POINTS), params.get("NextToken"))


def _result(query: Mapping[str, Any], line: Line, ill: Mapping[str, tuple[str, str]], *, upward: bool) -> Any:
    seen = np.flatnonzero(~np.isnan(line.values))
    order = seen if upward else seen[::-1]
    found: dict[str, Any] = {
        "Id": query["Id"],
        "Label": line.label,
        "Timestamps": line.starts_s[order].tolist(),
        "Values": line.values[order].tolist(),
        "StatusCode": "Complete",
    }
    if (broken := ill.get(line.names.get("MetricName", ""))) is not None:
        status, message = broken
        half = len(found["Values"]) // 2 if status == "PartialData" else 0
        found |= {"StatusCode": status, "Messages": [{"Code": status, "Value": message}]}
        found |= {"Timestamps": found["Timestamps"][:half], "Values": found["Values"][:half]}
    return found


def _page(results: list[dict[str, Any]], most: int, token: str | None) -> Answer:
    """At most so many datapoints, from where the token says; a result that goes on is PartialData."""
    if not 1 <= most <= MOST_POINTS:
        raise invalid(f"MaxDatapoints must be between 1 and {MOST_POINTS}.")
    start = _offset(token, sum(len(one["Values"]) for one in results))
    shown: list[dict[str, Any]] = []
    at = 0
    for one in results:
        size = len(one["Values"])
        first, last = max(0, start - at), min(size, start + most - at)
        fresh = start == 0 if size == 0 else first < last
        if fresh:
            cut = one | {"Timestamps": one["Timestamps"][first:last], "Values": one["Values"][first:last]}
            shown.append(cut | {"StatusCode": "PartialData"} if last < size else cut)
        at += size
    answer: dict[str, Any] = {"MetricDataResults": shown, "Messages": []}
    return answer | {"NextToken": f"page-{start + most}"} if start + most < at else answer


def _offset(token: str | None, most: int) -> int:
    if not token:
        return 0
    number = token.removeprefix("page-")
    if not token.startswith("page-") or not number.isdecimal() or int(number) > most:
        raise AwsError("InvalidNextToken", f"The next token specified is invalid: {token}")
    return int(number)


def get_metric_statistics(account: Account, call: Call) -> Answer:
    """Some statistics of one metric."""
    params = call.params
    since_s, until_s = moment_s(params["StartTime"]), moment_s(params["EndTime"])
    if since_s >= until_s:
        raise AwsError(
            "InvalidParameterValue", "The parameter StartTime must be less than the parameter EndTime."
        )
    period = require_period(int(params["Period"]))
    points = int(-(-(until_s - since_s) // period))
    if points > MOST_STATISTICS:
        raise AwsError(
            "InvalidParameterCombination",
            f"You have requested up to {points:,} datapoints, which exceeds the limit of {MOST_STATISTICS:,}."
            " You may reduce the datapoints requested by increasing Period, or decreasing the time range.",
        )
    plain, extended = params.get("Statistics") or [], params.get("ExtendedStatistics") or []
    if not plain and not extended:
        raise AwsError("MissingParameter", "Must specify either Statistics or ExtendedStatistics")
    metric = book_of(account, params["Namespace"], params["MetricName"]).find(
        params["Namespace"], params["MetricName"], dimensions_of(params.get("Dimensions"))
    )
    if metric is None or params.get("Unit") not in {None, metric.unit}:
        return {"Label": params["MetricName"], "Datapoints": []}
    span = Span(since_s // 60 * 60, until_s, period, account.now().timestamp())
    found = {stat: values_of(metric, require_stat(stat), span) for stat in [*plain, *extended]}
    return {"Label": metric.name, "Datapoints": _datapoints(metric, found, span, set(extended))}


def _datapoints(metric: CloudMetric, found: Mapping[str, Array], span: Span, extended: set[str]) -> list[Any]:
    points = []
    for index, at in enumerate(span.starts_s()):
        told = {stat: float(values[index]) for stat, values in found.items() if not np.isnan(values[index])}
        if told:
            point: dict[str, Any] = {"Timestamp": datetime.fromtimestamp(float(at), UTC), "Unit": metric.unit}
            point |= {stat: value for stat, value in told.items() if stat not in extended}
            if extended:
                point["ExtendedStatistics"] = {stat: told[stat] for stat in told if stat in extended}
            points.append(point)
    return points


def list_metrics(account: Account, call: Call) -> Answer:
    """One page of what was published in the last two weeks (or three hours)."""
    params, now_s = call.params, account.now().timestamp()
    wanted = [(one["Name"], one.get("Value")) for one in params.get("Dimensions") or []]
    since_s = now_s - (3 * 3600 if params.get("RecentlyActive") else RECENT_S)
    found = [
        one
        for one in book_of(account, params.get("Namespace"), params.get("MetricName")).by_key.values()
        if params.get("Namespace") in {None, one.namespace}
        and params.get("MetricName") in {None, one.name}
        and all(_has(one, name, value) for name, value in wanted)
        and _published(one, since_s, now_s)
    ]
    found.sort(key=lambda one: one.key)
    start = _offset(params.get("NextToken"), len(found))
    answer = {"Metrics": [_listed(one) for one in found[start : start + LISTED]]}
    return answer | {"NextToken": f"page-{start + LISTED}"} if start + LISTED < len(found) else answer


def _has(one: CloudMetric, name: str, value: str | None) -> bool:
    held = dict(one.dimensions)
    return name in held and value in {None, held[name]}


def _published(one: CloudMetric, since_s: float, now_s: float) -> bool:
    """Whether there may be a value in a span."""
    return any(part.alive(since_s, now_s) for part in (*one.streams, *one.distributions))


def _listed(one: CloudMetric) -> dict[str, Any]:
    return {
        "Namespace": one.namespace,
        "MetricName": one.name,
        "Dimensions": [{"Name": name, "Value": value} for name, value in one.dimensions],
    }


def put_metric_data(account: Account, call: Call) -> Answer:
    """Keep single values that a program publishes. Values with counts and statistic sets are refused."""
    namespace, kept = str(call.params["Namespace"]), account.area(Kept)
    for one in call.params.get("MetricData") or []:
        if one.get("Value") is None:
            raise AwsError("InvalidParameterCombination", "The lab takes MetricData with a Value only.")
        labels = dict(dimensions_of(one.get("Dimensions")))
        labels |= {"unit": str(one["Unit"])} if one.get("Unit") else {}
        metric = f"{namespace}/{one['MetricName']}"
        key = (metric, tuple(sorted(labels.items())))
        if key not in kept.by_key:
            kept.by_key[key] = _Published()
            account.area(Telemetry).cloud.add(Signal(metric, labels, kept.by_key[key]))
        at_s = moment_s(one.get("Timestamp") or account.now())
        kept.by_key[key].points[at_s // 60 * 60] = float(one["Value"])
    return {}


@dataclass(slots=True)
class _Published:
    """Values by the minute in which they were published; the last one of a minute stays."""

    points: dict[float, float] = field(default_factory=dict)

    def __call__(self, times_s: Array) -> Array:
        return np.array([self.points.get(float(at), np.nan) for at in times_s.ravel()]).reshape(times_s.shape)


@dataclass(slots=True)
class Kept:
    """What PutMetricData published, by metric and dimensions."""

    by_key: dict[tuple[str, tuple[tuple[str, str], ...]], _Published] = field(default_factory=dict)


def moment_s(told: Any) -> float:
    """A moment of a request, in Unix seconds."""
    if isinstance(told, datetime):
        return (told if told.tzinfo else told.replace(tzinfo=UTC)).timestamp()
    return float(told)
