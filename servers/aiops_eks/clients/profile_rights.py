"""Whether a profile may be read: the operator's switch for sensitive reads, and our right to `pods/proxy`."""

from dataclasses import dataclass

from aiops_eks.planning.drafts import DryRun
from aiops_eks.ports import SensitiveReads, WritableClusters


@dataclass(frozen=True)
class KubeProfileRights:
    """Fulfils `ProfileRights` of the profile desk."""

    clusters: WritableClusters
    sensitive: SensitiveReads

    async def check(self, cluster: str, namespace: str) -> DryRun:
        """A right cannot be tried without reading: it is asked for."""
        if not self.sensitive.allowed:
            await self.sensitive.allow("a profile")  # raises what the operator must set
        kube = await self.clusters.open(cluster)
        if await kube.can("get", "v1/Pod", namespace, "proxy"):
            return DryRun(validation="prechecked")
        return DryRun(validation="schema_only", missing=(f"may not get pods/proxy in namespace {namespace}",))
