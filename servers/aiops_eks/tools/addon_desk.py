"""From the wish to change an EKS add-on to a stored, judged plan. Called by plan_addon_change."""

from dataclasses import dataclass
from typing import Protocol

from aiops_eks.models.changes import PlannedChange
from aiops_eks.planning.addons import check_fits, draft, refuse_unfit
from aiops_eks.planning.addons_scene import (
    AddonScene,
    AddonWish,
    around_of,
    compatible,
    compatible_list,
    measure,
)
from aiops_eks.planning.drafts import DryRun
from aiops_eks.planning.judging import Judged, plan_of, request_of
from aiops_eks.tools.desk import shown
from aiops_eks.tools.settling import stamped, verdict_on
from aiops_shared.clock import Clock
from aiops_shared.guardrails import Verdict
from aiops_shared.guardrails.facade import Guardrails
from aiops_shared.guardrails.models import Facts, Request


class AddonsAround(Protocol):
    """What stands around an add-on. Fulfilled by the clients."""

    async def installed(self, cluster: str | None) -> tuple[str, ...]:
        """Names of the cluster's EKS add-ons."""
        ...

    async def scene(self, cluster: str | None, wish: AddonWish) -> AddonScene:
        """Gather. NotFoundError names the nearest."""
        ...


@dataclass(frozen=True)
class AddonDesk:
    """One way from a wish about an add-on to a plan."""

    surroundings: AddonsAround
    guard: Guardrails
    clock: Clock
    plan_ttl_s: int

    async def plan(self, cluster: str | None, wish: AddonWish, reason: str) -> PlannedChange:
        """Gather, refuse what does not fit, judge, store. Raises what policy denies for good, audited."""
        check_fits(wish)
        scene = await self.surroundings.scene(cluster, wish)
        missing = wish.action != "create" and scene.obj is None
        refuse_unfit(scene, wish, await self.surroundings.installed(cluster) if missing else ())
        return await self._plan(scene, wish, reason)

    async def _plan(self, scene: AddonScene, wish: AddonWish, reason: str) -> PlannedChange:
        made = draft(scene, wish)
        facts = measure(scene, wish, made.reversible)
        request = request_of(made, facts, self.guard.caller)
        verdict = await self._judge(request, scene, wish)
        dry = DryRun(validation="prechecked")
        around = around_of(scene)
        judged = Judged(dry=dry, facts=facts, verdict=verdict, policy_digest=self.guard.policy_digest)
        stamp = stamped(self, reason)
        plan = plan_of(made, around, judged, stamp)
        radius = _radius(facts)
        plan = plan.model_copy(update={"blast_radius": plan.blast_radius.model_copy(update={"says": radius})})
        await self.guard.save_plan(plan)
        return shown(plan, made.shows, dry)

    async def _judge(self, request: Request, scene: AddonScene, wish: AddonWish) -> Verdict:
        """The policy's answer; a lasting no names the versions that fit, and is audited."""

        def advised(denied: Verdict) -> Verdict:
            if wish.action == "delete" or compatible(scene, wish):
                return denied
            return denied.model_copy(update={"advice": f"{compatible_list(scene)}. {denied.advice}"})

        return await verdict_on(self.guard, request, str(scene.ref), advised)


def _radius(facts: Facts) -> str:
    if not facts.total_pods:
        return "1 add-on; no pods of it yet"
    return f"1 add-on; {facts.affected_pods} of {facts.total_pods} pods at once"
