"""plan_addon_change: from the wish to change an EKS add-on to a stored, judged plan. Changes nothing."""

import re
from dataclasses import dataclass
from typing import Annotated, Literal, Protocol

from fastmcp.tools import Tool
from pydantic import Field

from aiops_eks.models.changes import PlannedChange
from aiops_eks.planning.addons import check_fits, draft, refuse_unfit
from aiops_eks.planning.addons_scene import (
    AddonScene,
    AddonWish,
    Resolve,
    around_of,
    compatible,
    compatible_list,
    measure,
)
from aiops_eks.planning.drafts import DryRun
from aiops_eks.planning.judging import Judged, plan_of, request_of
from aiops_eks.tools.desk import shown
from aiops_eks.tools.plans import Reason
from aiops_eks.tools.settling import stamped, verdict_on
from aiops_shared.clock import Clock
from aiops_shared.errors import InvalidInputError
from aiops_shared.guardrails import Verdict
from aiops_shared.guardrails.facade import Guardrails
from aiops_shared.guardrails.models import Facts, Request
from aiops_shared.params import PLANS, Cluster, ObjectName

_FORMS = {
    "name": re.compile(r"[a-z0-9][a-z0-9_-]{0,99}"),
    "version": re.compile(r"v?[0-9][A-Za-z0-9._+-]{0,80}"),
    "role": re.compile(
        r"([a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?=)?arn:aws[a-z-]{0,20}:iam::[0-9]{12}:role/[A-Za-z0-9+=,.@_/-]{1,200}"
    ),
}
_ADVICE = {
    "name": "for example vpc-cni",
    "version": "for example v1.20.4-eksbuild.2",
    "role": "an IAM role's ARN, or serviceaccount=ARN",
}
Version = Annotated[str | None, Field(description="Absent: EKS's default")]
Configuration = Annotated[
    str | None, Field(max_length=20_000, description="JSON, replaces all values; {} for none")
]
Role = Annotated[str | None, Field(description="ARN (IRSA) or serviceaccount=ARN (Pod Identity)")]


def _checked(**given: str | None) -> None:
    """Raises InvalidInputError for a value of a form AWS would not take (a pattern costs tokens)."""
    for word, value in given.items():
        if value and not _FORMS[word].fullmatch(value):
            raise InvalidInputError(word, "is not of its form", _ADVICE[word])


class AddonsAround(Protocol):
    """What stands around an add-on. Fulfilled by the clients."""

    async def installed(self, cluster: str | None) -> tuple[str, ...]:
        """Names of the cluster's EKS add-ons."""
        ...

    async def scene(self, cluster: str | None, wish: AddonWish) -> AddonScene:
        """Gather. NotFoundError names the nearest."""
        ...


@dataclass(frozen=True)
class AddonPlanTools:
    """The tool."""

    surroundings: AddonsAround
    guard: Guardrails
    clock: Clock
    plan_ttl_s: int

    async def plan_addon_change(
        self,
        action: Literal["create", "update", "delete"],
        name: ObjectName,
        version: Version = None,
        configuration: Configuration = None,
        resolve_conflicts: Annotated[Resolve | None, Field(description="Absent: none")] = None,
        role: Role = None,
        preserve: Annotated[bool | None, Field(description="delete: keep what it runs")] = None,
        cluster: Cluster = None,
        reason: Reason = None,
    ) -> PlannedChange:
        """Plan to install, update, configure or delete an EKS add-on.

        Changes nothing. Shows compatible versions, prerequisites, conflicts with self-managed installs.
        """
        _checked(name=name, version=version, role=role)
        account, _, arn = (role or "").rpartition("=arn:")
        wish = AddonWish(
            action=action,
            name=name,
            version=version or "",
            configuration=configuration,
            resolve=resolve_conflicts,
            role=f"arn:{arn}" if account else role or "",
            service_account=account,
            preserve=preserve,
        )
        check_fits(wish)
        scene = await self.surroundings.scene(cluster, wish)
        missing = wish.action != "create" and scene.obj is None
        refuse_unfit(scene, wish, await self.surroundings.installed(cluster) if missing else ())
        return await self._plan(scene, wish, reason or "")

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

    def tools(self) -> list[Tool]:
        """The tools of this module."""
        return [Tool.from_function(self.plan_addon_change, annotations=PLANS, tags={"plan"})]


def _radius(facts: Facts) -> str:
    if not facts.total_pods:
        return "1 add-on; no pods of it yet"
    return f"1 add-on; {facts.affected_pods} of {facts.total_pods} pods at once"
