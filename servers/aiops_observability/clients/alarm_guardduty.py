"""GuardDuty: findings about the clusters and what runs on them, as alarms (row B13).

Called by `alarm_reading`. A finding that is not archived fires since it was first seen. Findings about other
things of the account are left out; so is everything where GuardDuty has no detector.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aiops_observability.clients.alarm_source import Told, Window, is_of, moment, needs, plain, workload_of
from aiops_observability.models.alarms import Alarm, Episode, Source, Where
from aiops_shared.aws.eks_cluster import EksCluster
from aiops_shared.errors import AccessDeniedError
from aiops_shared.kube.clusters import ClusterDirectory
from aiops_shared.results import Evidence, Severity

MOST, PAGE = 200, 50  # GetFindings takes at most 50 ids
_CLUSTER_TAG = "kubernetes.io/cluster/"


@dataclass(frozen=True, slots=True)
class GuardDutyFindings:
    """Fulfils `alarm_source.AlarmSource`."""

    clusters: ClusterDirectory

    @property
    def name(self) -> Source:
        """Which source this is."""
        return "guardduty"

    async def aclose(self) -> None:
        """Nothing is open; AWS's clients are shared."""

    async def read(self, cluster: str | None, window: Window) -> Told:
        """The findings about clusters, of every detector of the region."""
        eks = await self.clusters.eks(cluster)
        try:
            detectors = (await eks.every("guardduty", "list_detectors", "DetectorIds", at_most=10)).items
        except AccessDeniedError as error:
            raise needs(error, "guardduty:ListDetectors") from error
        alarms: list[Alarm] = []
        warnings: list[str] = []
        for detector in detectors:
            found, cut = await _findings(eks, str(detector))
            alarms += [one for row in found if (one := _alarm(row, window)) and is_of(one.where, cluster)]
            if cut:
                warnings.append(f"GuardDuty: only the newest {MOST} findings were read")
        says = f"{len(alarms)} findings about clusters" if detectors else "no detector in this region"
        query = "ListFindings service.archived=false; GetFindings"
        return Told(
            tuple(alarms),
            (Evidence(source=f"GuardDuty in {eks.target}", query=query, says=says),),
            tuple(warnings),
        )


async def _findings(eks: EksCluster, detector: str) -> tuple[list[Mapping[str, Any]], bool]:
    try:
        ids = await eks.every(
            "guardduty",
            "list_findings",
            "FindingIds",
            at_most=MOST,
            DetectorId=detector,
            FindingCriteria={"Criterion": {"service.archived": {"Equals": ["false"]}}},
            SortCriteria={"AttributeName": "updatedAt", "OrderBy": "DESC"},
        )
    except AccessDeniedError as error:
        raise needs(error, "guardduty:ListFindings") from error
    found: list[Mapping[str, Any]] = []
    for start in range(0, len(ids.items), PAGE):
        wanted = list(ids.items[start : start + PAGE])
        try:
            answer = await eks.call("guardduty", "get_findings", DetectorId=detector, FindingIds=wanted)
        except AccessDeniedError as error:
            raise needs(error, "guardduty:GetFindings") from error
        found += answer.get("Findings") or []
    return found, ids.truncated


def _alarm(row: Mapping[str, Any], window: Window) -> Alarm | None:
    """A finding about a cluster; None for one about something else."""
    resource = row.get("Resource") or {}
    where = _where(resource)
    if not (where.cluster or where.namespace):
        return None
    service = row.get("Service") or {}
    since = moment(service.get("EventFirstSeen")) or moment(row.get("CreatedAt")) or window.now
    return Alarm(
        name=plain(row.get("Type"), 128),
        source="guardduty",
        state="ALARM",
        since=since,
        where=where,
        severity=_severity(row.get("Severity")),
        threshold="",
        value=float(service["Count"]) if isinstance(service.get("Count"), int) else None,
        labels={"finding": plain(row.get("Id"), 64), "resource": plain(resource.get("ResourceType"), 40)},
        episodes=(Episode(since),),
        says=plain(row.get("Title")),
    )


def _where(resource: Mapping[str, Any]) -> Where:
    kubernetes = resource.get("KubernetesDetails") or {}
    workload = kubernetes.get("KubernetesWorkloadDetails") or {}
    instance = resource.get("InstanceDetails") or {}
    name = plain(workload.get("Name"), 253)
    is_pod = str(workload.get("Type", "")).lower() in {"pod", "pods"}
    return Where(
        cluster=plain((resource.get("EksClusterDetails") or {}).get("Name"), 100) or _tagged(instance),
        namespace=plain(workload.get("Namespace"), 63),
        workload=workload_of(name) if is_pod else name,
        pod=name if is_pod else "",
        node=_node(instance),
    )


def _tagged(instance: Mapping[str, Any]) -> str:
    """The cluster that an instance's tags say."""
    for tag in instance.get("Tags") or ():
        key, value = plain(tag.get("Key"), 128), plain(tag.get("Value"), 100)
        if key in {"eks:cluster-name", "aws:eks:cluster-name"}:
            return value
        if key.startswith(_CLUSTER_TAG):
            return key.removeprefix(_CLUSTER_TAG)
    return ""


def _node(instance: Mapping[str, Any]) -> str:
    interfaces: Sequence[Mapping[str, Any]] = instance.get("NetworkInterfaces") or ()
    return next((plain(one.get("PrivateDnsName"), 253).partition(".")[0] for one in interfaces), "")


def _severity(value: object) -> Severity:
    """GuardDuty's bands: critical from 9, high from 7, medium from 4 ("Severity levels of findings")."""
    score = float(value) if isinstance(value, int | float) else 0.0
    bands: tuple[tuple[float, Severity], ...] = ((9, "critical"), (7, "high"), (4, "medium"))
    return next((word for least, word in bands if score >= least), "info")
