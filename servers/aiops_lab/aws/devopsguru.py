"""DevOps Guru as far as it is read: insights, what each stands on, and the anomalies behind it.

A scenario writes `stage.aws.area(DevOpsGuru).insights`; nothing is computed: the real service's models are
not public. Shapes by botocore's `devops-guru`; only insights whose time has come are told.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from aiops_lab.aws.account import Account
from aiops_lab.aws.errors import AwsError
from aiops_lab.aws.overlay import Call, Operations

PAGE = 100
KINDS = ("REACTIVE", "PROACTIVE")


@dataclass(frozen=True, slots=True)
class GuruMetric:
    """A CloudWatch metric that an anomaly was seen in."""

    namespace: str
    name: str
    dimensions: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class GuruInsight:
    """One insight; `start_s` in Unix seconds, `end_s` 0 while it goes on."""

    insight_id: str
    name: str
    description: str
    start_s: float
    metrics: tuple[GuruMetric, ...]
    kind: str = "REACTIVE"
    severity: str = "HIGH"
    end_s: float = 0.0


@dataclass(slots=True)
class DevOpsGuru:
    """What it has found in the account."""

    insights: list[GuruInsight] = field(default_factory=list)
    resources: int = 0  # that it analyses; none where nobody set it up


def devopsguru_operations(account: Account) -> Operations:
    """The operations, bound to one account."""

    def told() -> list[GuruInsight]:
        now = account.now().timestamp()
        return [one for one in account.area(DevOpsGuru).insights if one.start_s <= now]

    def find(insight_id: str) -> GuruInsight:
        for one in told():
            if one.insight_id == insight_id:
                return one
        raise AwsError("ResourceNotFoundException", f"Insight {insight_id} does not exist.", 404)

    def list_insights(call: Call) -> dict[str, Any]:
        asked = call.params
        status = asked["StatusFilter"]
        if len(status) != 1:
            raise AwsError("ValidationException", "Specify exactly one status filter.", 400)
        ((which, rule),) = status.items()
        kind = rule.get("Type")
        if kind not in KINDS:
            raise AwsError("ValidationException", f"Invalid insight type: {kind}", 400)
        found = [
            _insight(one, account) for one in told() if one.kind == kind and _fits(one, which, rule, account)
        ]
        return {_side(kind, "Insights"): found[: asked.get("MaxResults") or PAGE]}

    def describe_insight(call: Call) -> dict[str, Any]:
        one = find(call.params["Id"])
        return {_side(one.kind, "Insight"): {**_insight(one, account), "Description": one.description}}

    def list_anomalies_for_insight(call: Call) -> dict[str, Any]:
        one = find(call.params["InsightId"])
        return {_side(one.kind, "Anomalies"): [_anomaly(one, account)]}

    return {
        ("devops-guru", "DescribeAccountHealth"): lambda _: _health(account, told()),
        ("devops-guru", "ListInsights"): list_insights,
        ("devops-guru", "DescribeInsight"): describe_insight,
        ("devops-guru", "ListAnomaliesForInsight"): list_anomalies_for_insight,
    }


def _health(account: Account, told: list[GuruInsight]) -> dict[str, Any]:
    resources = account.area(DevOpsGuru).resources
    ongoing = Counter(one.kind for one in told if _ongoing(one, account))
    return {
        "OpenReactiveInsights": ongoing["REACTIVE"],
        "OpenProactiveInsights": ongoing["PROACTIVE"],
        "MetricsAnalyzed": resources * 12,
        "ResourceHours": resources,
        "AnalyzedResourceCount": resources,
    }


def _side(kind: str, noun: str) -> str:
    return f"{kind.capitalize()}{noun}"


def _ongoing(one: GuruInsight, account: Account) -> bool:
    return not one.end_s or one.end_s > account.now().timestamp()


def _fits(one: GuruInsight, which: str, rule: Mapping[str, Any], account: Account) -> bool:
    ongoing = _ongoing(one, account)
    if which == "Ongoing":
        return ongoing
    if which == "Closed":
        return not ongoing and _inside(one.end_s, rule["EndTimeRange"])
    return _inside(one.start_s, rule["StartTimeRange"])


def _inside(moment_s: float, span: Mapping[str, Any]) -> bool:
    first, last = span.get("FromTime"), span.get("ToTime")
    return (first is None or _seconds(first) <= moment_s) and (last is None or moment_s <= _seconds(last))


def _seconds(given: Any) -> float:
    return given.timestamp() if isinstance(given, datetime) else float(given)


def _times(one: GuruInsight, account: Account) -> dict[str, datetime]:
    span = {"StartTime": datetime.fromtimestamp(one.start_s, UTC)}
    if not _ongoing(one, account):
        span["EndTime"] = datetime.fromtimestamp(one.end_s, UTC)
    return span


def _insight(one: GuruInsight, account: Account) -> dict[str, Any]:
    return {
        "Id": one.insight_id,
        "Name": one.name,
        "Severity": one.severity,
        "Status": "ONGOING" if _ongoing(one, account) else "CLOSED",
        "InsightTimeRange": _times(one, account),
        "ServiceCollection": {"ServiceNames": ["EKS"]},
    }


def _anomaly(one: GuruInsight, account: Account) -> dict[str, Any]:
    metrics = [
        {
            "MetricName": metric.name,
            "Namespace": metric.namespace,
            "Dimensions": [{"Name": name, "Value": value} for name, value in metric.dimensions],
            "Stat": "Average",
            "Unit": "Percent",
            "Period": 300,
        }
        for metric in one.metrics
    ]
    return {
        "Id": f"{one.insight_id[:-1]}a",
        "Severity": one.severity,
        "Status": "ONGOING" if _ongoing(one, account) else "CLOSED",
        "AnomalyTimeRange": _times(one, account),
        "SourceDetails": {"CloudWatchMetrics": metrics},
        "AssociatedInsightId": one.insight_id,
    }
