"""From a wish about nodes to a stored, judged plan. Called by plan_node_change for all but clean_disk."""

from dataclasses import dataclass

from aiops_eks.models.changes import PlannedChange
from aiops_eks.planning import nodes as node_changes
from aiops_eks.planning.judging import Judged
from aiops_eks.planning.nodes_facts import measure_nodes
from aiops_eks.planning.nodes_judging import plan_of, request_of
from aiops_eks.planning.nodes_scene import NodesAround, NodesAsked, NodesDraft, NodeWish
from aiops_eks.tools.desk import remarked, shown
from aiops_eks.tools.settling import stamped, verdict_on
from aiops_shared.clock import Clock
from aiops_shared.guardrails.facade import Guardrails


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
