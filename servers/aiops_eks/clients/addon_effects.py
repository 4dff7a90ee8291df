"""The executor's hand for EKS add-ons: CreateAddon, UpdateAddon, DeleteAddon, and what came of it.

Every create and update carries a client token of its action and step, so a call whose answer was lost can be
sent again without doing anything twice. EKS works in the background: an outcome is read back, never assumed.
Rights: eks:CreateAddon, eks:UpdateAddon, eks:DeleteAddon, eks:DescribeAddon, eks:ListUpdates,
eks:DescribeUpdate; iam:PassRole for a role; eks:*PodIdentityAssociation for an association.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aiops_eks.clients.addon_reading import AddonReader, workloads_of
from aiops_eks.clients.addon_surroundings import AddonClusters, AddonSurroundings
from aiops_eks.planning.addons_scene import TOOK_OVER, AddonWish, is_core, measure
from aiops_eks.planning.addons_words import explained
from aiops_eks.planning.drafts import Obj, at
from aiops_eks.ports import Kube
from aiops_shared.errors import (
    AccessDeniedError,
    ActionRefusedError,
    NotFoundError,
    PlanStaleError,
    UnauthenticatedError,
)
from aiops_shared.guardrails.canonical import sha256_of
from aiops_shared.guardrails.models import Facts, GateCheck, GateResult, Json, ObjectRef, Plan, Step
from aiops_shared.guardrails.paths import write
from aiops_shared.guardrails.permits import Permit

_FAILED = frozenset({"CREATE_FAILED", "UPDATE_FAILED", "DELETE_FAILED", "DEGRADED"})


@dataclass(frozen=True)
class AddonEffects:
    """Fulfils `Effects` for targets `eks.amazonaws.com/v1/Addon`."""

    clusters: AddonClusters
    cluster: str
    kube: Kube
    surroundings: AddonSurroundings

    async def read(self, ref: ObjectRef) -> Json | None:
        """The add-on now."""
        return await AddonReader(await self.clusters.eks(self.cluster)).read(ref.name)

    async def apply_step(
        self, ref: ObjectRef, step: Step, current: Json | None, permit: Permit
    ) -> Json | None:
        """Begin one change; its end is the gate's business."""
        permit.covers(ref)
        token = sha256_of([permit.action_id, str(ref), step.name])[:64]
        if step.verb == "create":
            return await self._create(ref, step, token)
        if current is None:
            raise PlanStaleError(str(ref), "is gone", "plan again")
        if step.verb == "write":
            wanted = write(current, step.values)
            await self._update(
                ref, current["spec"], wanted["spec"], token, str(step.body["resolveConflicts"])
            )
            return wanted
        if step.verb == "delete":
            await self._delete(ref, preserve=step.body["preserve"] is True)
            return None
        if step.verb == "run" and step.body["command"] == "look":
            return {**current, "status": {**current["status"], "runs": {step.name: {}}}}
        raise ActionRefusedError(str(ref), f"an add-on knows no {step.verb}", "plan again")

    async def _create(self, ref: ObjectRef, step: Step, token: str) -> Json | None:
        options: Obj = {"resolveConflicts": step.values["resolveConflicts"]}
        if step.values["tookOver"]:
            options["tags"] = {TOOK_OVER: "true"}
        await self._install(ref, step.body["spec"], token, options)
        return await self.read(ref)

    async def _install(self, ref: ObjectRef, spec: Obj, token: str, options: Obj) -> None:
        await self._call(
            "create_addon",
            ref,
            addonVersion=spec["version"],
            clientRequestToken=token,
            **_given(spec),
            **_associations(spec.get("podIdentities") or []),
            **options,
        )

    async def _update(self, ref: ObjectRef, before: Obj, spec: Obj, token: str, resolve: str) -> None:
        """All that is set is sent again: what is left out, EKS takes as not wanted."""
        given = _given(spec)
        if before.get("configuration") and not spec.get("configuration"):
            given["configurationValues"] = "{}"
        if before.get("podIdentities") != spec.get("podIdentities"):
            given["podIdentityAssociations"] = _pairs(spec.get("podIdentities") or [])
        await self._call(
            "update_addon",
            ref,
            addonVersion=spec["version"],
            clientRequestToken=token,
            resolveConflicts=resolve,
            **given,
        )

    async def _delete(self, ref: ObjectRef, *, preserve: bool) -> None:
        await self._call("delete_addon", ref, preserve=preserve)

    async def _call(self, operation: str, ref: ObjectRef, **asked: Any) -> Mapping[str, Any]:
        eks = await self.clusters.eks(self.cluster)
        found: Mapping[str, Any] = await eks.call(
            "eks", operation, clusterName=eks.name, addonName=ref.name, **asked
        )
        return found

    async def replace(self, ref: ObjectRef, body: Json, permit: Permit) -> Json:
        """The way back of an update: what others manage keeps their values."""
        permit.covers(ref)
        now = await self.read(ref)
        if now is None:
            raise NotFoundError(str(ref), "is gone")
        token = sha256_of([permit.action_id, str(ref), "undo", body["spec"]])[:64]
        await self._update(ref, now["spec"], body["spec"], token, "PRESERVE")
        return body

    async def create(self, ref: ObjectRef, body: Json, permit: Permit) -> Json:
        """Install again what was deleted; what others run meanwhile is not overwritten."""
        permit.covers(ref)
        token = sha256_of([permit.action_id, str(ref), "undo", body["spec"]])[:64]
        await self._install(ref, body["spec"], token, {"resolveConflicts": "NONE"})
        return body

    async def delete(self, ref: ObjectRef, uid: str, permit: Permit) -> None:
        """Take away what was installed; what stood there before, or what no cluster works without, stays."""
        permit.covers(ref)
        now = await self.read(ref)
        if now is None or at(now, "metadata", "uid") != uid or at(now, "metadata", "deletionTimestamp"):
            return
        conflict = "ConfigurationConflict" in " ".join(now["status"]["issues"])
        took_over = at(now, "metadata", "annotations", TOOK_OVER) == "true"
        await self._delete(ref, preserve=conflict or took_over or is_core(ref.name))

    async def look(self, ref: ObjectRef, check: GateCheck) -> GateResult:
        """One look at the add-on, or at its pods."""
        try:
            now = await self.read(ref)
            if check.check == "addon_gone":
                return _gone(now)
            if now is None:
                return GateResult(state="failed", says=f"{ref} is gone")
            return await self._pods(ref, now) if check.check == "addon_pods" else _active(now)
        except UnauthenticatedError:
            raise
        except AccessDeniedError as error:  # names the action that is missing; waiting would not bring it
            return GateResult(state="failed", says=f"what became of it cannot be read: {error}")

    async def _pods(self, ref: ObjectRef, now: Obj) -> GateResult:
        found = await workloads_of(self.kube, ref.name, str(now["status"]["namespace"]))
        if not found:
            return GateResult(state="met", says="EKS says ACTIVE; no workload of it is known by name")
        ready, wanted = sum(one.ready for one in found), sum(one.wanted for one in found)
        late = [f"{one.where} {one.ready} of {one.wanted}" for one in found if one.ready < one.wanted]
        says = f"{ready} of {wanted} pods Ready"
        if late:
            return GateResult(state="waiting", says=f"{says}: {', '.join(late[:4])}")
        return GateResult(state="met", says=f"{says} ({', '.join(one.where for one in found[:4])})")

    async def measure(self, plan: Plan) -> Facts:
        """Whether EKS still offers the version, now."""
        target = plan.targets[0]
        verb = plan.action.removeprefix("addon_")
        version = _version_of(target.steps[0])
        wish = AddonWish.model_validate({"action": verb, "name": target.ref.name, "version": version})
        scene = await self.surroundings.scene(target.ref.cluster, wish)
        return measure(scene, wish, plan.reversible)


def _version_of(step: Step) -> str:
    """The version that a step asks for; empty where it leaves it as it is."""
    return str(at(step.body, "spec", "version") or step.values.get("spec.version") or "")


def _given(spec: Obj) -> Obj:
    asked = {"serviceAccountRoleArn": spec.get("role"), "configurationValues": spec.get("configuration")}
    return {key: value for key, value in asked.items() if value}


def _associations(identities: list[Obj]) -> Obj:
    return {"podIdentityAssociations": _pairs(identities)} if identities else {}


def _pairs(identities: list[Obj]) -> list[Obj]:
    return [{"serviceAccount": one["serviceAccount"], "roleArn": one["role"]} for one in identities]


def _gone(now: Obj | None) -> GateResult:
    if now is None:
        return GateResult(state="met", says="it is gone")
    status = str(now["status"]["status"])
    if status == "DELETE_FAILED":
        return GateResult(state="failed", says=f"{status}: {_issues(now)}")
    return GateResult(state="waiting", says=f"EKS says {status}")


def _active(now: Obj) -> GateResult:
    """ACTIVE without an issue and with the version that was asked for."""
    status, told = str(now["status"]["status"]), now["status"]
    if status in _FAILED and told["update"] != "InProgress":
        issues = _issues(now)
        return GateResult(state="failed", says=f"{status}: {explained(issues)}{issues}")
    if status == "ACTIVE" and told["version"] == at(now, "spec", "version"):
        issues = _issues(now)
        says = f"ACTIVE, {told['version']}"
        return GateResult(state="waiting" if issues else "met", says=f"{says} {issues}".strip())
    return GateResult(state="waiting", says=f"EKS says {status}")


def _issues(now: Obj) -> str:
    return "; ".join(str(one) for one in now["status"]["issues"])[:600]
