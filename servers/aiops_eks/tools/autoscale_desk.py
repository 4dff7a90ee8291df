"""From the wish to autoscale a workload to a stored, judged plan. Called by plan_workload_change."""

from dataclasses import dataclass
from typing import Protocol

from aiops_eks.models.changes import PlannedChange
from aiops_eks.planning.autoscaling import Bounds, Rivals, change_pct, current_of, draft, hpa_ref
from aiops_eks.planning.drafts import Surroundings
from aiops_eks.planning.facts import measure, owner_key
from aiops_eks.planning.judging import Judged, plan_of, request_of
from aiops_eks.tools.desk import remarked, shown
from aiops_eks.tools.settling import stamped, verdict_on
from aiops_shared.clock import Clock
from aiops_shared.guardrails.facade import Guardrails


class RivalsAround(Protocol):
    """Who else scales. Fulfilled by the clients."""

    async def rivals(self, cluster: str, namespace: str) -> Rivals:
        """Of one namespace."""
        ...


@dataclass(frozen=True)
class AutoscaleDesk:
    """Plans of HorizontalPodAutoscalers."""

    surroundings: Surroundings
    around_rivals: RivalsAround
    guard: Guardrails
    clock: Clock
    plan_ttl_s: int

    async def plan(
        self, cluster: str | None, kind: str, namespace: str, name: str, bounds: Bounds, reason: str
    ) -> PlannedChange:
        """One HPA made or changed. Raises what policy denies for good, audited."""
        workload = await self.surroundings.around(cluster, kind, namespace, name, must_exist=True)
        rivals = await self.around_rivals.rivals(workload.ref.cluster, namespace)
        hpa = current_of(workload)
        ref = hpa_ref(workload, hpa)
        made = draft(workload, hpa, rivals, bounds)
        around = await self.surroundings.around(
            ref.cluster, f"{ref.api_version}/{ref.kind}", namespace, ref.name, must_exist=hpa is not None
        )
        facts = measure(made, around).model_copy(
            update={"hpa_change_pct": change_pct(workload, hpa, made), "total_pods": len(workload.pods)}
        )
        request = request_of(made, facts, self.guard.caller)
        verdict = await verdict_on(self.guard, request, owner_key(around))
        dry = await self.surroundings.dry_run(made, around)
        judged = Judged(
            dry=dry,
            facts=facts,
            verdict=verdict,
            policy_digest=self.guard.policy_digest,
            warnings=(*remarked(dry), *(f"not measured: {gap}" for gap in workload.gaps)),
        )
        stamp = stamped(self, reason)
        plan = plan_of(made, around, judged, stamp)
        await self.guard.save_plan(plan)
        return shown(plan, made.shows, dry)
