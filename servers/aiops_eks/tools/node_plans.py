"""Plans of changes to nodes: cordon, uncordon, taint, drain, clean_disk. It only reads; execute_plan acts.

One tool for all of them, since they name nodes in the same ways; each action has a room in `planning`.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from fastmcp.tools import Tool
from pydantic import BeforeValidator, Field

from aiops_eks.models.changes import PlannedChange
from aiops_eks.tools.plans import Reason
from aiops_shared.params import PLANS, AnyName, Cluster, ObjectName, Selector, to_list

if TYPE_CHECKING:
    from aiops_eks.tools.disk_desk import DiskDesk
    from aiops_eks.tools.node_desk import NodeDesk

NodeNames = Annotated[list[ObjectName] | None, BeforeValidator(to_list), Field(description="Node names")]
PoolName = Annotated[AnyName, Field(description="NodePool or node group")]
Taint = Annotated[
    str | None,
    Field(max_length=400, description="taint: key=value:NoSchedule; a - at its end removes it"),
]
WaitMinutes = Annotated[
    int | None, Field(ge=1, le=120, description="drain: wait for budgets, a node; default 10")
]


@dataclass(frozen=True)
class NodePlanTools:
    """The tool; `desk` plans what the Kubernetes API does, `disks` what runs on the nodes themselves."""

    desk: "NodeDesk"
    disks: "DiskDesk"

    async def plan_node_change(
        self,
        action: Literal["cordon", "uncordon", "taint", "drain", "clean_disk"],
        names: NodeNames = None,
        selector: Selector = None,
        nodepool: PoolName = None,
        taint: Taint = None,
        wait_minutes: WaitMinutes = None,
        cluster: Cluster = None,
        reason: Reason = None,
    ) -> PlannedChange:
        """Plan to cordon, uncordon, taint, drain (empty) nodes or clean their disks, by names,
        selector or nodepool.

        Changes nothing. Says which pods move, which budget blocks now and what is lost.
        """
        from aiops_eks.planning.nodes_scene import NodesAsked, NodeWish

        asked = NodesAsked(
            cluster=cluster, names=tuple(names or ()), selector=selector or "", pool=nodepool or ""
        )
        wish = NodeWish(taint=taint or "", wait_s=wait_minutes * 60.0 if wait_minutes else None)
        if action == "clean_disk":
            return await self.disks.plan(asked, wish, reason or "")
        return await self.desk.plan(action, asked, wish, reason or "")

    def tools(self) -> list[Tool]:
        """The tools of this module."""
        return [Tool.from_function(self.plan_node_change, annotations=PLANS, tags={"plan"})]
