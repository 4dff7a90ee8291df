"""The executor's hand over the Kubernetes API: fulfils `aiops_shared.guardrails.ports.Effects`.

Every write carries the uid and resourceVersion of the object that was read, so that a change by somebody
else in between is a conflict and never overwritten.
"""

import copy
from dataclasses import dataclass

from aiops_eks.clients.surroundings import KubeSurroundings, owned_by
from aiops_eks.clients.watching import canary_ready, replicas_ready, rollout_complete
from aiops_eks.planning.drafts import Draft, Obj, at, uid_of
from aiops_eks.planning.facts import measure, revision_of
from aiops_eks.ports import KubeReadWrite
from aiops_shared.errors import NotFoundError, PlanStaleError
from aiops_shared.guardrails.models import Facts, GateCheck, GateResult, Json, ObjectRef, Plan, Step
from aiops_shared.guardrails.paths import write
from aiops_shared.guardrails.permits import Permit


@dataclass(frozen=True)
class KubeEffects:
    """Effects on one cluster."""

    kube: KubeReadWrite
    surroundings: KubeSurroundings

    async def read(self, ref: ObjectRef) -> Json | None:
        """The object now, or None when it is gone."""
        try:
            return await self.kube.get(ref.kind, ref.namespace, ref.name)
        except NotFoundError as error:
            if error.code != NotFoundError.code:
                raise
            return None

    async def apply_step(
        self, ref: ObjectRef, step: Step, current: Json | None, permit: Permit
    ) -> Json | None:
        """One effect, with the object read as precondition."""
        permit.covers(ref)
        if step.verb == "create":
            return await self.kube.create(step.body, dry_run=False, permit=permit)
        if current is None:
            raise PlanStaleError(str(ref), "is gone", "plan again")
        if step.verb == "write":
            return await self.kube.replace(write(current, step.values), dry_run=False, permit=permit)
        if step.verb == "apply":
            return await self.kube.apply(_with_precondition(step.body, current), dry_run=False, permit=permit)
        if step.verb == "evict":
            await self.kube.evict(ref.namespace, ref.name, uid=uid_of(current), dry_run=False, permit=permit)
            return None
        await self.kube.delete(
            ref.kind, ref.namespace, ref.name, uid=uid_of(current), dry_run=False, permit=permit
        )
        return None

    async def replace(self, ref: ObjectRef, body: Json, permit: Permit) -> Json:
        """Put `body` in place: the way back of an undo."""
        permit.covers(ref)
        return await self.kube.replace(body, dry_run=False, permit=permit)

    async def create(self, ref: ObjectRef, body: Json, permit: Permit) -> Json:
        """Create again what was deleted, as a new object."""
        permit.covers(ref)
        fresh = copy.deepcopy(body)
        for field in (
            "uid",
            "resourceVersion",
            "creationTimestamp",
            "generation",
            "managedFields",
            "selfLink",
        ):
            fresh.get("metadata", {}).pop(field, None)
        fresh.pop("status", None)
        return await self.kube.create(fresh, dry_run=False, permit=permit)

    async def delete(self, ref: ObjectRef, uid: str, permit: Permit) -> None:
        """Delete what was created, only if it still is that object."""
        permit.covers(ref)
        await self.kube.delete(ref.kind, ref.namespace, ref.name, uid=uid, dry_run=False, permit=permit)

    async def look(self, ref: ObjectRef, check: GateCheck) -> GateResult:
        """One look at what must hold."""
        obj = await self.read(ref)
        if check.check == "absent":
            gone = obj is None or uid_of(obj) != check.args.get("uid")
            return GateResult(state="met" if gone else "waiting", says="gone" if gone else "still there")
        if obj is None:
            return GateResult(state="failed", says=f"{ref} is gone")
        if check.check == "present":
            return GateResult(state="met", says="there")
        if check.check == "replicas_ready":
            return replicas_ready(obj, int(check.args["replicas"]))
        if check.check == "canary_ready":
            return canary_ready(obj, await self._new_pods(ref, obj))
        return rollout_complete(obj, await self._new_pods(ref, obj))

    async def _new_pods(self, ref: ObjectRef, obj: Obj) -> list[Obj]:
        """The pods of the newest revision."""
        mark = await self._revision_label(ref, obj)
        if mark is None:
            return []
        key, value = mark
        return [
            pod
            async for pod in self.kube.every("Pod", ref.namespace, selector=f"{key}={value}")
            if _owned(pod, obj)
        ]

    async def _revision_label(self, ref: ObjectRef, obj: Obj) -> tuple[str, str] | None:
        if ref.kind == "Deployment":
            sets = [item async for item in self.kube.every("ReplicaSet", ref.namespace)]
            newest = max(owned_by(sets, uid_of(obj)), key=revision_of, default=None)
            value = (at(newest, "metadata", "labels") or {}).get("pod-template-hash")
            return ("pod-template-hash", str(value)) if value else None
        revision = at(obj, "status", "updateRevision")
        return ("controller-revision-hash", str(revision)) if revision else None

    async def measure(self, plan: Plan) -> Facts:
        """The plan's facts, measured again now; what the plan itself decides stays as planned."""
        target = plan.targets[0]
        around = await self.surroundings.around_ref(self.kube, target.ref)
        draft = Draft(
            action=plan.action,
            ref=target.ref,
            confirm=plan.confirm,
            steps=target.steps,
            diff=(),
            reversible=plan.reversible,
            at_once=plan.facts.affected_pods,
            replicas_after=plan.facts.replicas_after,
            revisions_back=plan.facts.revisions_back,
            raise_pct=plan.facts.raise_pct,
        )
        wanted = next((step.body for step in target.steps if step.verb in {"apply", "create"}), None)
        fresh = measure(draft, around, wanted=wanted)
        return fresh.model_copy(
            update={
                "node_fits": plan.facts.node_fits,
                "confidence_pct": plan.facts.confidence_pct,
                "sop": plan.facts.sop,
            }
        )


def _with_precondition(body: Obj, current: Obj) -> Obj:
    """The manifest bound to the object that was read (a moved resourceVersion is a conflict)."""
    bound = copy.deepcopy(body)
    bound.setdefault("metadata", {})["resourceVersion"] = at(current, "metadata", "resourceVersion")
    bound["metadata"]["uid"] = uid_of(current)
    return bound


def _owned(pod: Obj, obj: Obj) -> bool:
    """Whether a pod carries the labels that the workload selects by."""
    wanted = at(obj, "spec", "selector", "matchLabels") or {}
    labels = at(pod, "metadata", "labels") or {}
    return all(labels.get(key) == value for key, value in wanted.items())
