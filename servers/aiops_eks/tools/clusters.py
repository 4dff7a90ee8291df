"""The cluster tools: which clusters there are, and one of them from both sides, AWS and Kubernetes."""

from dataclasses import dataclass
from typing import Annotated

from fastmcp.tools.function_tool import FunctionTool
from pydantic import BeforeValidator, Field

from aiops_eks.models.answers import ClusterAsk, ClusterList, ClusterView, Include
from aiops_eks.ports import ClusterViews, Inventory
from aiops_shared.params import READS, Cluster, Detail, Principal, to_list

Includes = Annotated[
    list[Include],
    BeforeValidator(to_list),
    Field(min_length=1, max_length=8, description="Parts to show"),
]


@dataclass(frozen=True)
class ClusterTools:
    """Tools about clusters as a whole."""

    inventory: Inventory
    views: ClusterViews

    async def list_clusters(self) -> ClusterList:
        """List the EKS clusters that may be used: version, end of support, status, health, reachability.

        Call it first when a cluster's name is unknown or refused.
        """
        return await self.inventory.clusters()

    async def describe_cluster(
        self,
        include: Includes = ["nodes", "addons"],  # noqa: B006  # fastmcp copies defaults; a schema wants a list
        principal: Principal = None,
        cluster: Cluster = None,
        detail: Detail = "summary",
    ) -> ClusterView:
        """Show a cluster: nodes by zone and type, add-ons (missing ones too), capabilities, NodePools, free
        subnet addresses and /28 blocks, insights, access, control plane. With `principal`, access says why it
        gets 403.
        """
        ask = ClusterAsk(
            cluster=cluster,
            include=tuple(dict.fromkeys(include)),
            principal=principal or "",
            full=detail == "full",
        )
        return await self.views.describe(ask)

    def tools(self) -> list[FunctionTool]:
        """The tools of this module."""
        return [
            FunctionTool.from_function(self.list_clusters, annotations=READS, tags={"read"}),
            FunctionTool.from_function(self.describe_cluster, annotations=READS, tags={"read"}),
        ]
