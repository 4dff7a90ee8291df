"""Who else scales in a namespace: VerticalPodAutoscalers and KEDA's ScaledObjects. Fulfils `RivalsAround`.

Both are custom kinds: a cluster that does not know them has none.
"""

from dataclasses import dataclass

from aiops_eks.planning.autoscaling import Rivals
from aiops_eks.planning.drafts import Obj
from aiops_eks.ports import Clusters, Kube
from aiops_shared.errors import AiopsError, KindUnknownError

_MOST = 500


@dataclass(frozen=True)
class KubeRivals:
    """Over the clusters' APIs."""

    clusters: Clusters

    async def rivals(self, cluster: str, namespace: str) -> Rivals:
        """Both kinds of one namespace; what could not be read is a gap."""
        kube = await self.clusters.open(cluster)
        gaps: list[str] = []
        vpas = await _all(kube, "verticalpodautoscalers.autoscaling.k8s.io", namespace, gaps)
        scaled = await _all(kube, "scaledobjects.keda.sh", namespace, gaps)
        return Rivals(vpas=vpas, scaled_objects=scaled, gaps=tuple(gaps))


async def _all(kube: Kube, kind: str, namespace: str, gaps: list[str]) -> tuple[Obj, ...]:
    try:
        return tuple([obj async for obj in kube.every(kind, namespace, at_most=_MOST)])
    except KindUnknownError:
        return ()
    except AiopsError as error:
        gaps.append(f"{kind} in {namespace}: {error.wire()[:160]}")
        return ()
