"""What other detectors say about the same thing: DevOps Guru's insights, CloudWatch's and AMP's detectors.

Called by `anomaly_reading`; heard within a few seconds, never needed: a voice that is off, forbidden or slow
is one line. Two that say the same are one (row S68).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, runtime_checkable

import anyio

from aiops_observability.clients.anomaly_wording import stamp
from aiops_observability.models.anomalies import AnomalyAsk
from aiops_shared.aws import EksCluster
from aiops_shared.errors import AiopsError, NotConfiguredError
from aiops_shared.guardrails.redacting import shortened
from aiops_shared.kube.clusters import ClusterDirectory
from aiops_shared.metrics.ports import MetricsBackend
from aiops_shared.results import Evidence

HEAR_S = 6.0
MOST_INSIGHTS = 5
KINDS = ("REACTIVE", "PROACTIVE")
POD_METRICS = "ContainerInsights"


@runtime_checkable
class HasDetectors(Protocol):
    """A backend that keeps detectors of its own: AMP."""

    async def detectors(self) -> Sequence[Any]:
        """Its detectors."""
        ...


@dataclass(frozen=True, slots=True)
class Said:
    """One statement: who, about which metric, since when."""

    who: str
    metric: str
    since: datetime | None
    text: str


@dataclass(frozen=True)
class Voices:
    """The other detectors of one cluster's account."""

    clusters: ClusterDirectory

    async def hear(
        self, ask: AnomalyAsk, span: tuple[datetime, datetime], backend: MetricsBackend
    ) -> tuple[list[str], list[Evidence]]:
        """Their words about the namespace or workload asked about, and where they were read."""
        if not ask.namespace and not ask.name:
            return [], []
        try:
            eks = await self.clusters.eks(ask.cluster)
        except (AiopsError, NotConfiguredError):
            return [], []
        heard: list[Said] = []
        lost: list[str] = []
        with anyio.move_on_after(HEAR_S) as clock:
            async with anyio.create_task_group() as group:
                group.start_soon(_kept, lost, "DevOps Guru", _guru(eks, ask, span, heard))
                group.start_soon(_kept, lost, "CloudWatch anomaly detectors", _detectors(eks, ask, heard))
                if isinstance(backend, HasDetectors):
                    group.start_soon(_kept, lost, "AMP anomaly detectors", _amp(backend, heard))
        if clock.cancelled_caught:
            lost.append("other detectors did not answer in time")
        return [*_merged(heard), *lost], [
            Evidence(source=one.who, query=one.metric, says=one.text[:200]) for one in heard[:3]
        ]


async def _kept(lost: list[str], who: str, hearing: Any) -> None:
    try:
        await hearing
    except AiopsError as error:
        lost.append(f"{who} not heard: {error.code}")


async def _guru(eks: EksCluster, ask: AnomalyAsk, span: tuple[datetime, datetime], heard: list[Said]) -> None:
    """Insights whose anomalies are about this cluster and namespace or workload."""
    since, until = span
    for kind in KINDS:
        times = {"FromTime": since, "ToTime": until}
        answer = await eks.call(
            "devops-guru", "list_insights", StatusFilter={"Any": {"Type": kind, "StartTimeRange": times}}
        )
        side = "ReactiveInsights" if kind == "REACTIVE" else "ProactiveInsights"
        for insight in (answer.get(side) or [])[:MOST_INSIGHTS]:
            await _insight(eks, ask, insight, heard)


async def _insight(eks: EksCluster, ask: AnomalyAsk, insight: Mapping[str, Any], heard: list[Said]) -> None:
    answer = await eks.call("devops-guru", "list_anomalies_for_insight", InsightId=insight["Id"])
    found = [*(answer.get("ReactiveAnomalies") or ()), *(answer.get("ProactiveAnomalies") or ())]
    about = [metric for one in found for metric in _metrics(one) if _concerns(eks, ask, metric)]
    if not about:
        return
    told = await eks.call("devops-guru", "describe_insight", Id=insight["Id"])
    whole = told.get("ReactiveInsight") or told.get("ProactiveInsight") or insight
    text = whole.get("Description") or insight.get("Name", "")
    since = (insight.get("InsightTimeRange") or {}).get("StartTime")
    metric = ", ".join(dict.fromkeys(str(one.get("MetricName", "")) for one in about))
    severity, status = insight.get("Severity", ""), insight.get("Status", "")
    heard.append(
        Said("DevOps Guru", metric, since, f"{insight.get('Name', '')} ({severity}, {status}): {text}")
    )


def _metrics(anomaly: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return list((anomaly.get("SourceDetails") or {}).get("CloudWatchMetrics") or ())


def _concerns(eks: EksCluster, ask: AnomalyAsk, metric: Mapping[str, Any]) -> bool:
    """The metric's dimensions name this cluster, and the namespace or workload where they name one."""
    named = {one.get("Name"): str(one.get("Value", "")) for one in metric.get("Dimensions") or ()}
    if named.get("ClusterName", eks.name) != eks.name:
        return False
    if ask.namespace and named.get("Namespace", ask.namespace) != ask.namespace:
        return False
    who = named.get("PodName") or named.get("Service") or ""
    return not ask.name or not who or who == ask.name or who.startswith(f"{ask.name}-")


async def _detectors(eks: EksCluster, ask: AnomalyAsk, heard: list[Said]) -> None:
    """CloudWatch's anomaly detectors over this workload's metrics."""
    answer = await eks.call("cloudwatch", "describe_anomaly_detectors", Namespace=POD_METRICS)
    for one in answer.get("AnomalyDetectors") or ():
        metric = one.get("SingleMetricAnomalyDetector") or one
        if not metric.get("MetricName") or not _concerns(eks, ask, metric):
            continue
        state = str(one.get("StateValue", "")).lower().replace("_", " ")
        text = f"a band is kept over {metric['MetricName']} ({state or 'state unknown'})"
        heard.append(Said("CloudWatch", metric["MetricName"], None, text))


async def _amp(backend: "HasDetectors", heard: list[Said]) -> None:
    found = await backend.detectors()
    heard += [
        Said("AMP", one.query or one.alias, None, f"detector {one.alias} is {one.status}") for one in found
    ]


def _merged(heard: list[Said]) -> list[str]:
    """One line for what several say of one metric since the same hour."""
    groups: dict[tuple[str, str], list[Said]] = {}
    for one in heard:
        hour = stamp(one.since)[:13] if one.since else ""
        groups.setdefault((one.metric.lower(), hour), []).append(one)
    lines = []
    for same in groups.values():
        who = ", ".join(dict.fromkeys(one.who for one in same))
        since = next((f" since {stamp(one.since)}" for one in same if one.since), "")
        lines.append(shortened(f"{who}{since}: {same[0].text}", 300))
    return lines
