"""The cluster tool: which clusters there are."""

from dataclasses import dataclass

from fastmcp.tools.function_tool import FunctionTool

from aiops_eks.models.answers import ClusterList
from aiops_eks.ports import Inventory
from aiops_shared.params import READS


@dataclass(frozen=True)
class ClusterTools:
    """Tools about clusters as a whole."""

    inventory: Inventory

    async def list_clusters(self) -> ClusterList:
        """List the EKS clusters that may be used: version, end of support, status, health, reachability.

        Call it first when a cluster's name is unknown or refused.
        """
        return await self.inventory.clusters()

    def tools(self) -> list[FunctionTool]:
        """The tools of this module."""
        return [FunctionTool.from_function(self.list_clusters, annotations=READS, tags={"read"})]
