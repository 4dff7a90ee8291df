"""From the wish for a profile to a stored, judged plan. Called by plan_workload_change(action=profile)."""

from dataclasses import dataclass
from typing import Protocol

from aiops_eks.models.changes import PlannedChange, ProfileOf
from aiops_eks.planning.drafts import Around, DryRun, Surroundings, name_of
from aiops_eks.planning.facts import measure, owner_key
from aiops_eks.planning.judging import Judged, plan_of, request_of
from aiops_eks.planning.profiles import chosen, draft
from aiops_eks.tools.desk import shown
from aiops_eks.tools.settling import stamped, verdict_on
from aiops_shared.clock import Clock
from aiops_shared.guardrails.facade import Guardrails
from aiops_shared.guardrails.ids import new_id


class ProfileRights(Protocol):
    """Whether a profile may be read at all. Fulfilled by the clients."""

    async def check(self, cluster: str, namespace: str) -> DryRun:
        """`prechecked`, or `schema_only` naming the right that is missing. Raises ActionRefusedError when
        sensitive reads are off.
        """
        ...


@dataclass(frozen=True)
class ProfileDesk:
    """Plans of profiles."""

    surroundings: Surroundings
    rights: ProfileRights
    guard: Guardrails
    clock: Clock
    plan_ttl_s: int

    async def plan(
        self, cluster: str | None, kind: str, namespace: str, name: str, what: ProfileOf, reason: str
    ) -> PlannedChange:
        """One profile of one pod; of a workload, the pod that uses most memory."""
        around = await self.surroundings.around(cluster, kind, namespace, name, must_exist=True)
        if around.ref.kind != "Pod":
            around = await self._pod_of(around)
        dry = await self.rights.check(around.ref.cluster, namespace)
        plan_id = new_id("pln_")
        pod = chosen(around.pods, {}, str(around.ref))
        made = draft(around.ref, pod, what, plan_id)
        facts = measure(made, around)
        request = request_of(made, facts, self.guard.caller)
        verdict = await verdict_on(self.guard, request, owner_key(around))
        judged = Judged(dry=dry, facts=facts, verdict=verdict, policy_digest=self.guard.policy_digest)
        stamp = stamped(self, reason, plan_id)
        plan = plan_of(made, around, judged, stamp)
        await self.guard.save_plan(plan)
        return shown(plan, made.shows, dry)

    async def _pod_of(self, workload: Around) -> Around:
        used = {pod: memory for pod, (_, memory) in workload.usage.items()}
        pod = chosen(workload.pods, used, str(workload.ref))
        ref = workload.ref
        return await self.surroundings.around(
            ref.cluster, "v1/Pod", ref.namespace, name_of(pod), must_exist=True
        )
