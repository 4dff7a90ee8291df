"""Changes of one object as a whole: apply (server-side), delete, evict."""

from aiops_eks.planning.diffing import changed_fields
from aiops_eks.planning.drafts import Around, Draft, Obj, at, replicas_of, uid_of
from aiops_shared.errors import InvalidInputError
from aiops_shared.guardrails.models import FieldChange, GateCheck, Step
from aiops_shared.guardrails.paths import Key, join

_WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet")
_NOT_WRITTEN = ("apiVersion", "kind", "metadata", "status")


def written_paths(manifest: Obj) -> tuple[str, ...]:
    """The fields that an apply may write: whole top-level fields, single labels and annotations."""
    paths = [join((Key(key),)) for key in manifest if key not in _NOT_WRITTEN]
    for group in ("labels", "annotations"):
        paths += [
            join((Key("metadata"), Key(group), Key(key))) for key in at(manifest, "metadata", group) or {}
        ]
    return tuple(paths)


def _gate_of(kind: str) -> GateCheck:
    if kind in _WORKLOADS:
        return GateCheck(check="rollout_complete", within_s=1800)
    return GateCheck(check="present", within_s=30)


def apply(around: Around, manifest: Obj, applied: Obj) -> Draft:
    """`applied` is what a server-side dry run of `manifest` answered."""
    step = Step(name="apply", verb="apply", body=manifest, gate=_gate_of(around.ref.kind))
    if around.obj is None:
        return Draft(
            action="apply",
            ref=around.ref,
            confirm=f"create {around.ref}",
            steps=(step.model_copy(update={"verb": "create"}),),
            paths=written_paths(manifest),
            diff=changed_fields({"metadata": {}}, applied),
            reversible="full",
        )
    diff = changed_fields(around.obj, applied)
    if not diff:
        raise InvalidInputError(str(around.ref), "already is as the manifest says", "nothing to plan")
    fields = ", ".join(dict.fromkeys(change.path.split("[")[0] for change in diff))
    disrupted = 0
    if around.ref.kind in _WORKLOADS and any(change.path.startswith("spec.template") for change in diff):
        disrupted = max(1, replicas_of(around.obj) // 4)  # Kubernetes' default maxUnavailable is 25 %
    return Draft(
        action="apply",
        ref=around.ref,
        confirm=f"apply {around.ref}: {fields[:160]}",
        steps=(step,),
        paths=written_paths(manifest),
        diff=diff,
        reversible="full",
        at_once=disrupted,
        replicas_after=replicas_of(applied) if at(applied, "spec", "replicas") is not None else None,
    )


def _existing(around: Around, verb: str) -> Obj:
    if around.obj is None:
        raise InvalidInputError(f"{verb} {around.ref}", "is not there", "nothing to plan")
    return around.obj


def delete(around: Around) -> Draft:
    """Delete one object; it can be created again from its snapshot, with a new identity."""
    obj = _existing(around, "delete")
    is_pod = around.ref.kind == "Pod"
    controlled = any(item.get("controller") for item in at(obj, "metadata", "ownerReferences") or [])
    lost = ["the object's identity (uid) and status"]
    if is_pod:
        lost = ["the pod's local data and its logs"]
    gone = GateCheck(check="absent", within_s=120, args={"uid": uid_of(obj)})
    return Draft(
        action="delete",
        ref=around.ref,
        confirm=f"delete {around.ref}",
        steps=(Step(name="delete", verb="delete", gate=gone),),
        reads=("metadata.ownerReferences", "metadata.labels", *(() if is_pod else ("spec",))),
        diff=(FieldChange(path=str(around.ref), before="exists", after="deleted"),),
        reversible="none" if is_pod else "partial",
        lost=tuple(lost),
        at_once=1 if is_pod else len(around.pods),
        warnings=()
        if controlled or not is_pod
        else ("No controller owns this pod: nothing makes it again.",),
    )


def evict(around: Around) -> Draft:
    """Ask the API to evict one pod; its PodDisruptionBudgets decide."""
    if around.ref.kind != "Pod":
        raise InvalidInputError(f"evict {around.ref}", "only pods can be evicted", "kind=Pod")
    obj = _existing(around, "evict")
    gone = GateCheck(check="absent", within_s=300, args={"uid": uid_of(obj)})
    emptied = [
        str(volume.get("name"))
        for volume in at(obj, "spec", "volumes") or []
        if volume.get("emptyDir") is not None
    ]
    return Draft(
        action="evict",
        ref=around.ref,
        confirm=f"evict {around.ref}",
        steps=(Step(name="evict", verb="evict", gate=gone),),
        reads=("metadata.ownerReferences", "metadata.labels"),
        diff=(FieldChange(path=str(around.ref), before="running", after="evicted"),),
        reversible="none",
        lost=tuple(f"emptyDir {name}" for name in emptied) or ("the pod's local data and its logs",),
        at_once=1,
    )
