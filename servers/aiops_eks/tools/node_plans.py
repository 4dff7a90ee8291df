"""Plans of changes to nodes: cordon, uncordon, taint, drain, clean_disk. It only reads; execute_plan acts.

One tool for all of them, since they name nodes in the same ways; each action has a room in `planning`.
"""

from dataclasses import dataclass
from typing import Annotated, Literal

from fastmcp.tools import Tool
from pydantic import BeforeValidator, Field

from aiops_eks.models.changes import PlannedChange
from aiops_eks.planning import nodes as node_changes
from aiops_eks.planning.judging import Judged
from aiops_eks.planning.nodes_facts import measure_nodes
from aiops_eks.planning.nodes_judging import plan_of, request_of
from aiops_eks.planning.nodes_scene import NodesAround, NodesAsked, NodesDraft, NodeWish
from aiops_eks.tools.desk import remarked, shown
from aiops_eks.tools.disk_desk import DiskDesk
from aiops_eks.tools.plans import Reason
from aiops_eks.tools.settling import stamped, verdict_on
from aiops_shared.clock import Clock
from aiops_shared.guardrails.facade import Guardrails
from aiops_shared.params import PLANS, AnyName, Cluster, ObjectName, Selector, to_list

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
class NodeDesk:
    """One way from a wish about nodes to a stored, judged plan."""

    surroundings: NodesAround
    guard: Guardrails
    clock: Clock
    plan_ttl_s: int

    async def plan(self, action: str, asked: NodesAsked, wish: NodeWish, reason: str) -> PlannedChange:
        """cordon, uncordon, taint, drain. Raises what policy denies for good, audited."""
        asked.check()
        node_changes.check_fits(action, wish)
        moves = action == "drain"
        nodes = await self.surroundings.around(asked, moves=moves)
        draft: NodesDraft = node_changes.draft(action, nodes, wish)
        facts = measure_nodes(nodes, action, draft.reversible)
        request = request_of(draft, facts, self.guard.caller)
        verdict = await verdict_on(self.guard, request, draft.targets[0].owner)
        dry = await self.surroundings.dry_run(draft, nodes)
        judged = Judged(
            dry=dry,
            facts=facts,
            verdict=verdict,
            policy_digest=self.guard.policy_digest,
            warnings=remarked(dry),
        )
        stamp = stamped(self, reason)
        plan = plan_of(draft, nodes, judged, stamp)
        await self.guard.save_plan(plan)
        return shown(plan, draft.shows, dry)


@dataclass(frozen=True)
class NodePlanTools:
    """The tool; `desk` plans what the Kubernetes API does, `disks` what runs on the nodes themselves."""

    desk: NodeDesk
    disks: DiskDesk

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
        """Plan to cordon, uncordon, taint, drain nodes or clean their disks, by names, selector or nodepool.

        Changes nothing. Shows which pods move, which budget blocks now and what is lost.
        """
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
