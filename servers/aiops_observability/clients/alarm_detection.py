"""Who watches for what nobody wrote a threshold for: anomaly detectors, and whether DevOps Guru is on.

Called by `list_alarms(state=all)`: who lists everything wants to know what stands, as a maturity report.
Two AWS calls; one that is refused or fails is a warning and its number is absent.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from aiops_observability.clients.alarm_source import needs
from aiops_shared.aws.eks_cluster import EksCluster
from aiops_shared.errors import AccessDeniedError, AiopsError
from aiops_shared.kube.clusters import ClusterDirectory
from aiops_shared.kube.gathering import gather_outcomes
from aiops_shared.results import Evidence

MOST = 1_000
DETECTORS, GURU = "anomaly_detectors", "devops_guru_resources"
ASKED = {
    DETECTORS: "cloudwatch:DescribeAnomalyDetectors",
    # How many resources it analyses; none where it is not set up (DevOps Guru API, DescribeAccountHealth).
    GURU: "devops-guru:DescribeAccountHealth",
}


@dataclass(frozen=True, slots=True)
class Watched:
    """What watches a cluster's account: name -> number."""

    numbers: Mapping[str, int] = field(default_factory=dict)
    evidence: tuple[Evidence, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Detection:
    """Asks AWS. Without AWS nothing is known, and nothing is said."""

    clusters: ClusterDirectory

    async def read(self, cluster: str | None) -> Watched:
        """The numbers."""
        try:
            eks = await self.clusters.eks(cluster)
        except AiopsError as error:
            return Watched(warnings=(f"coverage_gap: anomaly detectors: {error}",))
        names = tuple(ASKED)
        outcomes = await gather_outcomes(lambda name: _asked(eks, name), names, at_once=len(names))
        pairs = tuple(zip(names, outcomes, strict=True))
        return Watched(
            {name: one for name, one in pairs if isinstance(one, int)},
            (Evidence(source=f"AWS in {eks.target}", query=", ".join(ASKED.values())),),
            tuple(f"coverage_gap: {name}: {one}" for name, one in pairs if isinstance(one, AiopsError)),
        )


async def _asked(eks: EksCluster, name: str) -> int:
    try:
        if name == GURU:
            return int(
                (await eks.call("devops-guru", "describe_account_health")).get("AnalyzedResourceCount") or 0
            )
        kinds = ["SINGLE_METRIC", "METRIC_MATH"]
        found = await eks.every(
            "cloudwatch",
            "describe_anomaly_detectors",
            "AnomalyDetectors",
            at_most=MOST,
            AnomalyDetectorTypes=kinds,
        )
    except AccessDeniedError as error:
        raise needs(error, ASKED[name]) from error
    return sum(1 for one in found.items if _concerns(one, eks.name))


def _concerns(detector: Mapping[str, Any], cluster: str) -> bool:
    """Its dimensions name this cluster, or none."""
    metric = detector.get("SingleMetricAnomalyDetector") or detector
    named = {one.get("Name"): one.get("Value") for one in metric.get("Dimensions") or ()}
    return bool(named.get("ClusterName", cluster) == cluster)
