"""The object tools: which objects there are and how they are, and one object whole."""

from dataclasses import dataclass
from typing import Annotated

from fastmcp.tools.function_tool import FunctionTool
from pydantic import Field

from aiops_eks.models.answers import ListAsk, ObjectAsk, ResourceList, ResourceView, View
from aiops_eks.ports import Dossiers, Inventory
from aiops_shared.params import (
    READS,
    AnyNamespace,
    Cluster,
    Clusters,
    Cursor,
    KindName,
    Limit,
    ObjectName,
    Selector,
)


@dataclass(frozen=True)
class ResourceTools:
    """Tools about objects of any kind."""

    inventory: Inventory
    dossiers: Dossiers

    async def list_resources(
        self,
        kind: KindName,
        cluster: Clusters = None,
        namespace: AnyNamespace = None,
        selector: Selector = None,
        unhealthy_only: Annotated[
            bool,
            Field(
                description="Only unhealthy ones; pods with cause, `alike`: endings of equal replicas' names"
            ),
        ] = False,
        limit: Limit = 50,
        cursor: Cursor = None,
    ) -> ResourceList:
        """Show objects of any kind (pods, deployments, nodes, CRDs), worst first: which are healthy,
        pending, restarting, not ready.

        For the cause of one use diagnose; for one whole object get_resource.
        """
        ask = ListAsk(kind, cluster, namespace or "", selector or "", unhealthy_only, limit, cursor or "")
        return await self.inventory.resources(ask)

    async def get_resource(
        self,
        kind: KindName,
        name: ObjectName,
        cluster: Cluster = None,
        namespace: AnyNamespace = None,
        view: Annotated[View, Field(description="yaml: the object itself, without noise")] = "summary",
    ) -> ResourceView:
        """Show one object: what matters of it, owners, related Services, HPA, PDB, ConfigMaps, events.

        Use it to see spec, limits, probes or YAML of a named object; Secrets show key names only.
        """
        return await self.dossiers.resource(ObjectAsk(kind, name, cluster, namespace or "", view))

    def tools(self) -> list[FunctionTool]:
        """The tools of this module."""
        return [
            FunctionTool.from_function(self.list_resources, annotations=READS, tags={"read"}),
            FunctionTool.from_function(self.get_resource, annotations=READS, tags={"read"}),
        ]
