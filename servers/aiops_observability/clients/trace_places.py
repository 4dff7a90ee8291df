"""Where spans ran, asked of Kubernetes where the traces themselves do not say it.

Called by `trace_reading`. An aid: a cluster that does not answer in a few seconds is a warning.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import anyio

from aiops_observability.clients.trace_groups import Served
from aiops_shared.errors import AiopsError

if TYPE_CHECKING:
    from aiops_shared.kube.clusters import ClusterDirectory

ANSWER_S = 5.0
MOST_NODES, MOST_PODS = 2_000, 5_000
ZONE = "topology.kubernetes.io/zone"


@dataclass(frozen=True)
class Places:
    """The clusters, as far as spans need them."""

    clusters: "ClusterDirectory"

    async def cluster_name(self, cluster: str | None) -> str:
        """The name that spans carry; "" where AWS does not know the cluster."""
        try:
            return (await self.clusters.eks(cluster)).name
        except AiopsError:
            return ""

    async def zoned(self, cluster: str | None, requests: Sequence[Served]) -> tuple[list[Served], list[str]]:
        """The requests with the zone of their node, or of their pod's node."""
        if not any(one.span.facet("node") or one.span.facet("pod") for one in requests):
            return list(requests), ["spans name no zone, node or pod: set cloud.availability_zone on them"]
        try:
            with anyio.fail_after(ANSWER_S):
                zones, nodes = await self._known(cluster, requests)
        except TimeoutError:
            return list(requests), [f"zones are not known: Kubernetes gave no answer in {ANSWER_S:g} s"]
        except AiopsError as error:
            return list(requests), [f"zones are not known: {error}"]
        found = []
        for one in requests:
            pod = (one.span.facet("namespace"), one.span.facet("pod"))
            node = one.span.facet("node") or nodes.get(pod, "")
            found.append(replace(one, az=zones.get(node, "")))
        return found, []

    async def _known(
        self, cluster: str | None, requests: Sequence[Served]
    ) -> tuple[dict[str, str], dict[tuple[str, str], str]]:
        """Zones of nodes, nodes of pods."""
        kube = await self.clusters.open(cluster)
        zones: dict[str, str] = {}
        async for node in kube.every("Node", at_most=MOST_NODES):
            meta = node.get("metadata") or {}
            zones[str(meta.get("name"))] = str((meta.get("labels") or {}).get(ZONE) or "")
        nodes: dict[tuple[str, str], str] = {}
        spaces = {one.span.facet("namespace") for one in requests if not one.span.facet("node")} - {""}
        for space in sorted(spaces)[:5]:
            async for pod in kube.every("Pod", space, at_most=MOST_PODS):
                name = str((pod.get("metadata") or {}).get("name"))
                nodes[space, name] = str((pod.get("spec") or {}).get("nodeName") or "")
        return zones, nodes
