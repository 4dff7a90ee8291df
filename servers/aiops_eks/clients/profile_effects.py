"""The executor's hand for profiles: reads pprof of one pod with the permit, seals it, draws the top.

Fulfils `Effects` for targets `profile.aiops/v1/Pod`. What was kept says itself that the step is in place, so
a process that takes the action over reads no second profile.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Protocol

from aiops_eks.clients.one_way import OneWay
from aiops_eks.clients.surroundings import KubeSurroundings
from aiops_eks.planning.drafts import Draft, Obj
from aiops_eks.planning.facts import measure
from aiops_eks.planning.pprof import Profile, read_profile
from aiops_eks.planning.profiles import PATHS, collected_text, top_text
from aiops_eks.ports import KubeReadWrite, SensitiveReads
from aiops_shared.errors import ActionRefusedError, NotFoundError, PlanStaleError
from aiops_shared.guardrails.artefacts import Artefacts
from aiops_shared.guardrails.environments import stricter
from aiops_shared.guardrails.models import Facts, GateCheck, GateResult, Json, ObjectRef, Plan, Step
from aiops_shared.guardrails.permits import Permit


class KubeThrough(KubeReadWrite, Protocol):
    """A cluster's API with its door to programs in pods."""

    async def through(
        self,
        namespace: str,
        pod: str,
        port: int,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        permit: object | None,
    ) -> bytes:
        """The body of a GET through `pods/proxy`."""
        ...


@dataclass(frozen=True)
class ProfileEffects(OneWay):
    """Profiles of one cluster's pods."""

    never: ClassVar = ("a profile changes nothing", "nothing to do")

    kube: KubeThrough
    surroundings: KubeSurroundings
    artefacts: Artefacts
    sensitive: SensitiveReads

    async def read(self, ref: ObjectRef) -> Json | None:
        """The pod now, or None when it is gone."""
        try:
            return await self.kube.get("v1/Pod", ref.namespace, ref.name)
        except NotFoundError as error:
            if error.code != NotFoundError.code:
                raise
            return None

    async def apply_step(
        self, ref: ObjectRef, step: Step, current: Json | None, permit: Permit
    ) -> Json | None:
        """Collect, unless it is kept already; the later steps only say what was drawn from it."""
        permit.covers(ref)
        if current is None:
            raise PlanStaleError(str(ref), "is gone", "plan again")
        if step.verb != "run":
            raise ActionRefusedError(str(ref), f"a profile knows no {step.verb}", "plan again")
        if await self.artefacts.find(step.body["key"]) is None:
            await self._collect(ref, step, permit)
        return _with_run(current, step)

    async def _collect(self, ref: ObjectRef, step: Step, permit: Permit) -> None:
        what = step.body["what"]
        await self.sensitive.allow(f"{what} profile of pod {ref.namespace}/{ref.name}")
        path, params = PATHS[what]
        data = await self.kube.through(
            ref.namespace, ref.name, int(step.body["port"]), path, params=params, permit=permit
        )
        drawn = read_profile(data)
        await self.artefacts.keep(step.body["key"], data, drawn.model_dump(mode="json"))

    async def look(self, ref: ObjectRef, check: GateCheck) -> GateResult:
        """What was kept, in words."""
        kept = await self.artefacts.find(str(check.args["key"]))
        if kept is None:
            return GateResult(state="failed", says="the profile was not kept")
        drawn, part = Profile.model_validate(kept.note), str(check.args["part"])
        if part == "collect":
            return GateResult(state="met", says=collected_text(drawn, kept.sha256, kept.size_bytes))
        return GateResult(state="met", says=top_text(drawn, part))

    async def measure(self, plan: Plan) -> Facts:
        """The pod's environment and owners, now."""
        target = plan.targets[0]
        ref = target.ref.model_copy(update={"api_version": "v1"})
        around = await self.surroundings.around_ref(self.kube, ref, room=False)
        draft = Draft(
            action="profile", ref=ref, confirm=plan.confirm, steps=target.steps, diff=(), reversible="full"
        )
        fresh = measure(draft, around)
        return fresh.model_copy(update={"env": stricter(plan.facts.env, fresh.env)})


def _with_run(pod: Obj, step: Step) -> Obj:
    """The pod with the step in place, as `in_place` looks for it."""
    return {**pod, "status": {**(pod.get("status") or {}), "runs": {step.name: {"handle": step.body["key"]}}}}
