"""What AWS and the cluster itself say of one cluster: version, health, end of support, reachability."""

from typing import Any

from aiops_shared.aws import AwsClients
from aiops_shared.errors import AccessDeniedError, AiopsError
from aiops_shared.kube.api import KubeApi
from aiops_shared.kube.cluster_sources import Entry
from aiops_shared.kube.models import ClusterInfo

REACH_S = 8.0
GAP_CHARS = 200
# EKS's versionStatus (and the older `status`) -> our word, and which end of support comes next.
_SUPPORT = {
    "STANDARD_SUPPORT": ("standard", "Standard"),
    "EXTENDED_SUPPORT": ("extended", "Extended"),
    "UNSUPPORTED": ("ended", "Extended"),
    "standard-support": ("standard", "Standard"),
    "extended-support": ("extended", "Extended"),
    "unsupported": ("ended", "Extended"),
}


async def describe(entry: Entry, aws: AwsClients, api: KubeApi) -> ClusterInfo:
    """One cluster. Never raises for what AWS or the cluster answers: it stands in `problem`."""
    told: dict[str, Any] = {
        "name": entry.name,
        "account_id": entry.target.account,
        "region": entry.target.region,
        "environment": entry.environment,
        "source": entry.source,
    }
    if entry.on_eks:
        try:
            told |= await _from_eks(entry, aws)
        except AiopsError as error:
            return ClusterInfo(**told, problem=str(error))
    return ClusterInfo(**(told | await _reach(told, api)))


async def _from_eks(entry: Entry, aws: AwsClients) -> dict[str, Any]:
    answer = await aws.call(entry.target, "eks", "describe_cluster", name=entry.name)
    cluster = answer.get("cluster") or {}
    issues = (cluster.get("health") or {}).get("issues") or []
    version = str(cluster.get("version") or "")
    return {
        "arn": str(cluster.get("arn") or ""),
        "version": version,
        "status": str(cluster.get("status") or ""),
        "endpoint": str(cluster.get("endpoint") or ""),
        "platform_version": str(cluster.get("platformVersion") or ""),
        "health_issues": tuple(f"{one.get('code')}: {one.get('message')}" for one in issues),
        **await _support(entry, aws, version),
    }


async def _support(entry: Entry, aws: AwsClients, version: str) -> dict[str, Any]:
    """Which support the version has and the day that ends (DescribeClusterVersions), or why not."""
    if not version:
        return {}
    try:
        answer = await aws.call(entry.target, "eks", "describe_cluster_versions", clusterVersions=[version])
    except AiopsError as error:
        reason = error.wire()[:GAP_CHARS]
        return {"gaps": (f"{entry.name}: end of support unknown (eks:DescribeClusterVersions): {reason}",)}
    for row in answer.get("clusterVersions") or []:
        if row.get("clusterVersion") == version:
            return _told_support(row)
    return {}


def _told_support(row: dict[str, Any]) -> dict[str, Any]:
    word, ends = _SUPPORT.get(str(row.get("versionStatus") or row.get("status") or ""), ("", "Standard"))
    day = row.get(f"endOf{ends}SupportDate")
    return {"support": word, "support_ends_on": day.date().isoformat() if day is not None else ""}


async def _reach(told: dict[str, Any], api: KubeApi) -> dict[str, Any]:
    """Whether the API server answers; a refusal is an answer, and is said."""
    try:
        version = await api.version(timeout_s=REACH_S)
    except AccessDeniedError as error:
        return {"reachable": True, "problem": str(error)}
    except AiopsError as error:
        return {"reachable": False, "problem": str(error)}
    return {"reachable": True, "version": told.get("version") or version.removeprefix("v")}
