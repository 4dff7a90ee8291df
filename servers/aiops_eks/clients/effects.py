"""The executor's hand over the Kubernetes API: fulfils `aiops_shared.guardrails.ports.Effects`.

Every write carries the uid and resourceVersion of the object that was read, so that a change by somebody
else in between is a conflict and never overwritten.
"""

import copy
from collections.abc import Iterable
from dataclasses import dataclass

from aiops_eks.clients.surroundings import KubeSurroundings, kind_word, owned_by, selector_text
from aiops_eks.clients.watching import (
    canary_ready,
    canary_started,
    replicas_ready,
    rollout_complete,
    written_at,
)
from aiops_eks.planning.autoscaling import hpa_active
from aiops_eks.planning.drafts import Draft, Obj, at, uid_of
from aiops_eks.planning.facts import measure
from aiops_eks.ports import KubeReadWrite
from aiops_shared.errors import ActionRefusedError, NotFoundError, PlanStaleError, ThrottledError
from aiops_shared.guardrails.environments import stricter
from aiops_shared.guardrails.models import Facts, GateCheck, GateResult, Json, ObjectRef, Plan, Step
from aiops_shared.guardrails.paths import write
from aiops_shared.guardrails.permits import Permit
from aiops_shared.kube.models import FIELD_MANAGER

_HASH = "pod-template-hash"
_REVISION = "controller-revision-hash"


@dataclass(frozen=True)
class KubeEffects:
    """Effects on one cluster."""

    kube: KubeReadWrite
    surroundings: KubeSurroundings

    async def read(self, ref: ObjectRef) -> Json | None:
        """The object now, or None when it is gone."""
        try:
            return await self.kube.get(kind_word(ref), ref.namespace, ref.name)
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
            bound = _with_precondition(step.body, current)
            return await self.kube.apply(bound, force=step.takes_over, dry_run=False, permit=permit)
        if step.verb == "evict":
            await self._evict(ref, uid_of(current), permit)
            return None
        if step.verb != "delete":
            raise ActionRefusedError(str(ref), f"the Kubernetes hand knows no step {step.verb}", "plan again")
        await self.kube.delete(
            kind_word(ref), ref.namespace, ref.name, uid=uid_of(current), dry_run=False, permit=permit
        )
        return None

    async def _evict(self, ref: ObjectRef, uid: str, permit: Permit) -> None:
        """A 429 of the Eviction API is a budget's no, with its name: nothing was done, and nothing is tried
        another way (R13).
        """
        try:
            await self.kube.evict(ref.namespace, ref.name, uid=uid, dry_run=False, permit=permit)
        except ThrottledError as refused:
            raise ActionRefusedError(
                str(ref), refused.reason, refused.hint or "wait until its PodDisruptionBudget has headroom"
            ) from refused

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
        await self.kube.delete(kind_word(ref), ref.namespace, ref.name, uid=uid, dry_run=False, permit=permit)

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
        if check.check == "hpa_active":
            return hpa_active(obj)
        if check.check == "replicas_ready":
            return replicas_ready(obj, int(check.args["replicas"]))
        pods, since = await self._new_pods(ref, obj), written_at(obj, FIELD_MANAGER)
        if check.check == "canary_started":
            return canary_started(obj, pods)
        if check.check == "canary_ready":
            return canary_ready(obj, pods, since)
        return rollout_complete(obj, pods, since)

    async def _new_pods(self, ref: ObjectRef, obj: Obj) -> list[Obj]:
        """The pods that run the workload's template as it is now."""
        chosen = selector_text(at(obj, "spec", "selector"))
        if ref.kind == "Deployment":
            sets = [item async for item in self.kube.every("ReplicaSet", ref.namespace, selector=chosen)]
            owner = newest_set(obj, owned_by(sets, uid_of(obj)))
            if owner is None:
                return []
            mark = at(owner, "metadata", "labels", _HASH)
            more = f"{_HASH}={mark}" if mark else ""
            pods = await self._pods(ref, chosen, more)
            return list(owned_by(pods, uid_of(owner)))
        pods = list(owned_by(await self._pods(ref, chosen), uid_of(obj)))
        revision = at(obj, "status", "updateRevision") or _newest_revision(obj, pods)
        return [pod for pod in pods if at(pod, "metadata", "labels", _REVISION) == revision]

    async def _pods(self, ref: ObjectRef, *selectors: str) -> list[Obj]:
        chosen = ",".join(filter(None, selectors))
        return [pod async for pod in self.kube.every("Pod", ref.namespace, selector=chosen)]

    async def measure(self, plan: Plan) -> Facts:
        """The plan's facts, measured again now; what the plan itself decides stays as planned."""
        target = plan.targets[0]
        around = await self.surroundings.around_ref(self.kube, target.ref, room=False)
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
                # A relabelled namespace may make the judgement stricter, never milder.
                "env": stricter(plan.facts.env, fresh.env),
                "node_fits": plan.facts.node_fits,
                "hpa_change_pct": max(plan.facts.hpa_change_pct, fresh.hpa_change_pct),
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


def _template(obj: Obj) -> Obj:
    """The pod template as the Deployment controller compares it: without its own hash label."""
    template: Obj = copy.deepcopy(at(obj, "spec", "template") or {})
    (at(template, "metadata", "labels") or {}).pop(_HASH, None)
    (at(template, "metadata") or {}).pop("creationTimestamp", None)
    return template


def newest_set(deployment: Obj, sets: Iterable[Obj]) -> Obj | None:
    """The ReplicaSet that runs the Deployment's template as it is now, whatever its number.

    Before the controller has seen a change there is none; after a rollback it is an old one. The oldest
    wins, as in Kubernetes' `pkg/controller/deployment/util` FindNewReplicaSet.
    """
    wanted = _template(deployment)
    found = [item for item in sets if _template(item) == wanted]
    return min(found, key=lambda item: str(at(item, "metadata", "creationTimestamp") or ""), default=None)


def _newest_revision(obj: Obj, pods: list[Obj]) -> str:
    """A DaemonSet does not say its revision, but whatever pod it makes is of its newest one."""
    if not at(obj, "status", "updatedNumberScheduled"):
        return ""
    newest = max(pods, key=lambda pod: str(at(pod, "metadata", "creationTimestamp") or ""), default=None)
    return str(at(newest, "metadata", "labels", _REVISION) or "")
