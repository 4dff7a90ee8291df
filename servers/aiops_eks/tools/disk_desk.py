"""From the wish to clean node disks to a stored, judged plan. Called by plan_node_change.

Its own desk, since its facts (who reaches the node, what was cleaned before) are not those of a drain.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from aiops_eks.models.changes import PlannedChange
from aiops_eks.planning.disk import DiskScene, PastClean, clean_disk, refuse_unfit
from aiops_eks.planning.disk_facts import disk_facts
from aiops_eks.planning.drafts import DryRun
from aiops_eks.planning.judging import Judged
from aiops_eks.planning.nodes import check_fits
from aiops_eks.planning.nodes_facts import measure_nodes
from aiops_eks.planning.nodes_judging import plan_of, request_of
from aiops_eks.planning.nodes_scene import Nodes, NodesAround, NodesAsked, NodesDraft, NodeWish, owner_key
from aiops_eks.tools.desk import remarked, shown
from aiops_eks.tools.settling import stamped, verdict_on
from aiops_shared.clock import Clock
from aiops_shared.guardrails.facade import Guardrails
from aiops_shared.guardrails.history import PastAction
from aiops_shared.guardrails.ids import new_id

DAY = timedelta(days=1)


class DisksAround(Protocol):
    """What stands around the disks of nodes. Fulfilled by the clients."""

    async def scene(self, nodes: Nodes, plan_id: str, past: Sequence[PastClean]) -> DiskScene:
        """Gather. NotConfiguredError when a node can be reached in no way."""
        ...

    async def dry_run(self, draft: NodesDraft, nodes: Nodes) -> DryRun:
        """Try what can be tried."""
        ...


@dataclass(frozen=True)
class DiskDesk:
    """Plans of clean_disk."""

    nodes: NodesAround
    disks: DisksAround
    guard: Guardrails
    clock: Clock
    plan_ttl_s: int

    async def plan(self, asked: NodesAsked, wish: NodeWish, reason: str) -> PlannedChange:
        """One plan over the nodes asked for. Raises what policy denies for good, audited."""
        asked.check()
        check_fits("clean_disk", wish)
        nodes = await self.nodes.around(asked, moves=False)
        for spot in nodes.spots:
            refuse_unfit(spot.obj)
        plan_id = new_id("pln_")
        scene = await self.disks.scene(nodes, plan_id, await self._past(nodes))
        draft = clean_disk(nodes, scene)
        facts = disk_facts(measure_nodes(nodes, "clean_disk", draft.reversible))
        request = request_of(draft, facts, self.guard.caller)
        verdict = await verdict_on(self.guard, request, draft.targets[0].owner)
        dry = await self.disks.dry_run(draft, nodes)
        judged = Judged(
            dry=dry,
            facts=facts,
            verdict=verdict,
            policy_digest=self.guard.policy_digest,
            warnings=remarked(dry),
        )
        stamp = stamped(self, reason, plan_id)
        plan = plan_of(draft, nodes, judged, stamp)
        await self.guard.save_plan(plan)
        return shown(plan, draft.shows, dry)

    async def _past(self, nodes: Nodes) -> list[PastClean]:
        """The cleans of the nodes' pools within a day, newest first."""
        owners = sorted({owner_key(spot.obj) for spot in nodes.spots})
        found: dict[str, PastAction] = {}
        for owner in owners:
            for each in await self.guard.past("clean_disk", nodes.cluster, owner, DAY):
                found[each.action_id] = each
        now = await self.clock.now()
        rows = sorted(found.values(), key=lambda each: each.at, reverse=True)
        return [
            PastClean(
                ago_s=max(0, round((now - each.at).total_seconds())),
                node=", ".join(each.targets)[:200],
                state=each.state,
                said="; ".join(each.said(("snapshot", "verify disk")))[:400],
            )
            for each in rows
        ]
