"""Reads one cluster from both sides for `describe_cluster`: opens the scene, runs the views, joins them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import anyio

from aiops_eks.clients.cluster_views import VIEWS
from aiops_eks.clients.cluster_views.base import Scene, Section
from aiops_eks.clients.gathering import gathered
from aiops_eks.models.answers import ClusterAsk, ClusterView
from aiops_eks.ports import Clusters, Kube
from aiops_shared.aws import EksCluster
from aiops_shared.clock import Clock
from aiops_shared.errors import AiopsError, NotConfiguredError
from aiops_shared.results import Evidence, Table

WITHIN_S = 25.0  # a view; they run at the same time


@dataclass(frozen=True)
class ClusterReader:
    """Fulfils the port of `tools/clusters.py`."""

    clusters: Clusters
    clock: Clock
    redact: Callable[[str], str]

    async def describe(self, ask: ClusterAsk) -> ClusterView:
        """The cluster with the views asked for. Raises ClusterNotFoundError and its kin."""
        kube = await self.clusters.open(ask.cluster)
        aws, why = await self._aws_side(ask.cluster)
        told: dict[str, Any] = {}
        warnings: list[str] = []
        if aws is not None:
            try:
                told = await aws.describe()
            except AiopsError as error:
                warnings.append(f"coverage_gap: eks DescribeCluster: {error.wire()[:240]}")
        else:
            warnings.append(f"coverage_gap: AWS: {why}")
        scene = Scene(
            kube=kube,
            now=await self.clock.now(),
            aws=aws,
            no_aws=why,
            cluster=told,
            principal=ask.principal,
            full=ask.full,
            redact=self.redact,
        )
        sections: dict[str, Section] = {}
        await gathered([partial(_look, scene, name, sections) for name in ask.include])
        return _joined(kube, ask.include, scene, sections, warnings)

    async def _aws_side(self, cluster: str | None) -> tuple[EksCluster | None, str]:
        try:
            return await self.clusters.eks(cluster), ""
        except NotConfiguredError as error:
            return None, error.wire()


async def _look(scene: Scene, name: str, into: dict[str, Section]) -> None:
    """One view; whatever goes wrong in it stays in it."""
    with anyio.move_on_after(WITHIN_S):
        try:
            into[name] = await VIEWS[name](scene)
        except AiopsError as error:
            into[name] = Section(
                says=f"{name} unknown", warnings=[f"coverage_gap: {name}: {error.wire()[:300]}"]
            )
        return
    into[name] = Section(warnings=[f"coverage_gap: {name}: no answer within {WITHIN_S:.0f} s"])


def _joined(
    kube: Kube, include: Sequence[str], scene: Scene, sections: dict[str, Section], warnings: list[str]
) -> ClusterView:
    found = [sections[name] for name in include if name in sections]
    says = "; ".join(section.says for section in found if section.says)
    evidence = [item for section in found for item in section.evidence]
    if scene.cluster:
        evidence.insert(0, Evidence(source="eks", query=f"DescribeCluster {kube.cluster}"))
    return ClusterView(
        summary=f"{kube.cluster}: {says or 'described'}."[:400],
        facts=_facts(scene.cluster),
        sections={name: table for section in found for name, table in section.tables.items()},
        evidence=tuple(evidence),
        warnings=(*warnings, *(warning for section in found for warning in section.warnings)),
        untrusted=("sections", "warnings"),
    )


def _facts(cluster: dict[str, Any]) -> Table:
    """What DescribeCluster says in a few rows."""
    network = cluster.get("resourcesVpcConfig") or {}
    issues = (cluster.get("health") or {}).get("issues") or []
    rows = {
        "version": cluster.get("version"),
        "platform_version": cluster.get("platformVersion"),
        "status": cluster.get("status"),
        "support": (cluster.get("upgradePolicy") or {}).get("supportType"),
        "endpoint_access": _access(network) if network else None,
        "authentication": (cluster.get("accessConfig") or {}).get("authenticationMode"),
        "vpc": network.get("vpcId"),
        "auto_mode": (cluster.get("computeConfig") or {}).get("enabled"),
        "health_issues": "; ".join(f"{one.get('code')}: {one.get('message')}" for one in issues) or None,
    }
    return Table(
        columns=("fact", "value"),
        rows=tuple((key, value) for key, value in rows.items() if value is not None),
    )


def _access(network: dict[str, Any]) -> str:
    ways = [word for word in ("Public", "Private") if network.get(f"endpoint{word}Access")]
    cidrs = ", ".join(network.get("publicAccessCidrs") or [])
    return " and ".join(ways).lower() + (f" (public from {cidrs})" if cidrs else "")
