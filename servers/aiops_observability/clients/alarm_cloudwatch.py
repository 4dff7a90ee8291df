"""CloudWatch: metric and composite alarms with their thresholds, values and past.

Called by `alarm_reading`. DescribeAlarms knows a region, not a cluster: what names another cluster in its
dimensions is left out when one is asked for. An alarm's past is DescribeAlarmHistory's StateUpdate items.
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from aiops_observability.clients.alarm_source import Told, Window, is_of, moment, needs, plain, where_of
from aiops_observability.models.alarms import Alarm, Episode, Source, State, Where
from aiops_shared.aws.clients import AwsItems
from aiops_shared.aws.eks_cluster import EksCluster
from aiops_shared.errors import AccessDeniedError, AiopsError
from aiops_shared.kube.clusters import ClusterDirectory
from aiops_shared.kube.gathering import gather_outcomes
from aiops_shared.results import Evidence, Severity

MOST, MOST_HISTORY = 5_000, 3_000
ALARM: State = "ALARM"
STATES: Mapping[str, State] = {"ALARM": "ALARM", "OK": "OK"}
OPERATORS = {
    "GreaterThanOrEqualToThreshold": ">=",
    "GreaterThanThreshold": ">",
    "LessThanThreshold": "<",
    "LessThanOrEqualToThreshold": "<=",
    "LessThanLowerOrGreaterThanUpperThreshold": "outside the band of",
    "LessThanLowerThreshold": "below the band of",
    "GreaterThanUpperThreshold": "above the band of",
}
# Dimensions of Container Insights and Application Signals. PodName is a workload's name there; FullPodName is
# the pod ("Amazon EKS and Kubernetes Container Insights metrics").
NAMES = {
    "cluster": ("ClusterName", "Cluster"),
    "namespace": ("Namespace", "K8s.Namespace"),
    "workload": ("PodName", "Service", "K8s.Workload"),
    "pod": ("FullPodName",),
    "node": ("NodeName",),
}
_CHILD = re.compile(
    r"\b(?:ALARM|OK|INSUFFICIENT_DATA)\s*\(\s*(\"[^\"]{1,255}\"|'[^']{1,255}'|[^)\"']{1,255})\s*\)"
)
_SAID_VALUE = re.compile(r"\[(-?\d+(?:\.\d+)?(?:E-?\d+)?)")
_WORST = re.compile(r"(?i)(?:^|[^a-z])(critical|crit|sev-?1|p1)(?:$|[^a-z0-9])")


@dataclass(frozen=True, slots=True)
class CloudWatchAlarms:
    """Fulfils `alarm_source.AlarmSource`."""

    clusters: ClusterDirectory

    @property
    def name(self) -> Source:
        """Which source this is."""
        return "cloudwatch"

    async def aclose(self) -> None:
        """Nothing is open; AWS's clients are shared."""

    async def read(self, cluster: str | None, window: Window) -> Told:
        """The alarms of the cluster's account and region."""
        eks = await self.clusters.eks(cluster)
        kinds = ("MetricAlarm", "CompositeAlarm")
        metric, composite, past = await gather_outcomes(
            lambda what: _history(eks, window) if what == "history" else _described(eks, what),
            (*kinds, "history"),
            at_once=3,
        )
        if isinstance(metric, AiopsError):
            raise metric
        warnings = [
            f"CloudWatch: {what}: {one}"
            for what, one in (("composite alarms", composite), ("history", past))
            if isinstance(one, AiopsError)
        ]
        rows = [*_items(metric), *_items(composite)]
        updates = _updates(_items(past))
        alarms = [_alarm(row, updates.get(str(row.get("AlarmName")), ()), window) for row in rows]
        alarms = [one for one in alarms if is_of(one.where, cluster)]
        warnings += [
            f"CloudWatch: only {MOST} {kind}s were read"
            for kind, one in zip(kinds, (metric, composite), strict=True)
            if isinstance(one, AwsItems) and one.truncated
        ]
        if isinstance(past, AwsItems) and past.truncated:
            warnings.append(f"CloudWatch: only the newest {MOST_HISTORY} state changes were read")
        return Told(
            tuple(alarms),
            (_evidence(eks, len(alarms), len(_items(past)), window),),
            tuple(warnings),
            _parents(rows),
        )


async def _described(eks: EksCluster, kind: str) -> AwsItems:
    try:
        return await eks.every("cloudwatch", "describe_alarms", f"{kind}s", at_most=MOST, AlarmTypes=[kind])
    except AccessDeniedError as error:
        raise needs(error, "cloudwatch:DescribeAlarms") from error


async def _history(eks: EksCluster, window: Window) -> AwsItems:
    try:
        return await eks.every(
            "cloudwatch",
            "describe_alarm_history",
            "AlarmHistoryItems",
            at_most=MOST_HISTORY,
            AlarmTypes=["MetricAlarm", "CompositeAlarm"],
            HistoryItemType="StateUpdate",
            StartDate=window.since,
            EndDate=window.now,
            ScanBy="TimestampDescending",
        )
    except AccessDeniedError as error:
        raise needs(error, "cloudwatch:DescribeAlarmHistory") from error


def _items(answer: AwsItems | AiopsError | None) -> Sequence[Mapping[str, Any]]:
    return answer.items if isinstance(answer, AwsItems) else ()


def _updates(items: Iterable[Mapping[str, Any]]) -> dict[str, list[tuple[datetime, str, str]]]:
    """Alarm -> its changes of state, oldest first: when, from, to."""
    found: dict[str, list[tuple[datetime, str, str]]] = defaultdict(list)
    for item in items:
        at, data = moment(item.get("Timestamp")), _json(item.get("HistoryData"))
        before, after = data.get("oldState"), data.get("newState")
        if at and isinstance(after, Mapping):
            was = before.get("stateValue") if isinstance(before, Mapping) else ""
            found[str(item.get("AlarmName"))].append((at, str(was), str(after.get("stateValue"))))
    return {name: sorted(changes) for name, changes in found.items()}


def _json(text: object) -> Mapping[str, Any]:
    try:
        found = json.loads(text) if isinstance(text, str) else {}
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _alarm(row: Mapping[str, Any], changes: Sequence[tuple[datetime, str, str]], window: Window) -> Alarm:
    name, state = (
        plain(row.get("AlarmName"), 255),
        STATES.get(str(row.get("StateValue")), "INSUFFICIENT_DATA"),
    )
    since = moment(row.get("StateTransitionedTimestamp")) or moment(row.get("StateUpdatedTimestamp"))
    labels = _dimensions(row)
    return Alarm(
        name=name,
        source="cloudwatch",
        state=state,
        since=since or window.now,
        where=_where(labels),
        severity=_severity(name),
        threshold=_threshold(row),
        value=_value(row),
        labels=labels,
        episodes=_episodes(state, since or window.now, changes, window),
        muted_by=_muted(row),
        says=plain(row.get("AlarmDescription")),
    )


def _severity(name: str) -> Severity:
    return "critical" if _WORST.search(name) else "medium"


def _where(labels: Mapping[str, str]) -> Where:
    where = where_of(labels, NAMES)
    # Application Signals: Environment is `eks:<cluster>/<namespace>`.
    kind, _, rest = labels.get("Environment", "").partition(":")
    if kind != "eks" or where.cluster:
        return where
    cluster, _, namespace = rest.partition("/")
    return Where(cluster, where.namespace or namespace, where.workload, where.pod, where.node)


def _dimensions(row: Mapping[str, Any]) -> dict[str, str]:
    """The alarm's dimensions; those of an expression's first metric that has some."""
    metrics = [(one.get("MetricStat") or {}).get("Metric") or {} for one in row.get("Metrics") or ()]
    shelves = [one.get("Dimensions") or () for one in (row, *metrics)]
    pairs = next((shelf for shelf in shelves if shelf), ())
    return {plain(one.get("Name"), 255): plain(one.get("Value"), 253) for one in pairs}


def _threshold(row: Mapping[str, Any]) -> str:
    if "AlarmRule" in row:
        return plain(row.get("AlarmRule"), 120)
    sign = OPERATORS.get(str(row.get("ComparisonOperator")), "")
    metric = plain(row.get("MetricName"), 80) or "expression"
    bound = row.get("Threshold")
    words = f"{bound:g}" if isinstance(bound, int | float) else plain(row.get("ThresholdMetricId"), 40)
    return f"{metric} {sign} {words}".strip()


def _value(row: Mapping[str, Any]) -> float | None:
    """The newest datapoint that decided the state; StateReasonData first, else StateReason's words."""
    points = _json(row.get("StateReasonData")).get("recentDatapoints")
    for point in points if isinstance(points, list) else ():
        if isinstance(point, int | float) and not isinstance(point, bool):
            return float(point)
    found = _SAID_VALUE.search(str(row.get("StateReason") or "")[:1024])
    return float(found[1]) if found else None


def _muted(row: Mapping[str, Any]) -> tuple[str, ...]:
    """Suppressed by another alarm, or without actions: nobody is told."""
    found = []
    if row.get("ActionsSuppressedBy"):
        found.append(f"suppressed by {plain(row.get('ActionsSuppressor'), 120)}")
    if row.get("ActionsEnabled") is False:
        found.append("actions disabled")
    return tuple(found)


def _episodes(
    state: State, since: datetime, changes: Sequence[tuple[datetime, str, str]], window: Window
) -> tuple[Episode, ...]:
    """The times it fired: from its changes, and what the state at the window's start and now imply."""
    found: list[Episode] = []
    began = window.since if changes and changes[0][1] == ALARM else None
    for at, _, after in changes:
        if began is not None and after != ALARM:
            found.append(Episode(began, at))
            began = None
        elif began is None and after == ALARM:
            began = at
    if state == "ALARM":
        found.append(Episode(min(since, began) if began else since))
    elif state == "INSUFFICIENT_DATA":
        found.append(Episode(since))
    elif began is not None:
        found.append(Episode(began, since))
    return tuple(found)


def _parents(rows: Iterable[Mapping[str, Any]]) -> dict[str, tuple[str, ...]]:
    """Composite alarm -> the alarms that its rule names (names or ARNs)."""
    found = {}
    for row in rows:
        if rule := str(row.get("AlarmRule") or "")[:10_240]:
            names = (one.strip().strip("\"'") for one in _CHILD.findall(rule))
            found[str(row.get("AlarmName"))] = tuple(one.rpartition(":alarm:")[2] for one in names)
    return found


def _evidence(eks: EksCluster, alarms: int, changes: int, window: Window) -> Evidence:
    return Evidence(
        source=f"CloudWatch in {eks.target}",
        query=f"DescribeAlarms; DescribeAlarmHistory StateUpdate since {window.since:%Y-%m-%dT%H:%MZ}",
        says=f"{alarms} alarms, {changes} changes of state",
    )
