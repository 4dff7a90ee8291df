"""Changes of one object as a whole: apply (server-side), delete, evict."""

from typing import Any

from aiops_eks.planning.diffing import changed_fields
from aiops_eks.planning.drafts import Around, Draft, Obj, at, replicas_of, uid_of
from aiops_eks.planning.rollouts import widest
from aiops_shared.errors import ActionRefusedError, InvalidInputError
from aiops_shared.guardrails.models import FieldChange, GateCheck, Step
from aiops_shared.guardrails.paths import Key, join

_WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet")
_NOT_WRITTEN = ("apiVersion", "kind", "metadata", "status")
_SERVER_MADE = ("uid", "resourceVersion", "creationTimestamp", "generation", "managedFields", "selfLink")
_OWNERS_LIST = ("ownerReferences", "finalizers")
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def one_of(text: str) -> Obj:
    """The one object of a YAML text, cleaned. Raises InvalidInputError for several, or unsafe YAML."""
    from aiops_shared.kube.manifests import load_manifests

    documents = load_manifests(text)
    if len(documents) != 1:
        raise InvalidInputError(
            "manifest", f"holds {len(documents)} objects", "one object a plan: call once for each"
        )
    return cleaned(documents[0])


def cleaned(manifest: Obj) -> Obj:
    """The manifest without what only the server writes, so that what was read can be sent back."""
    metadata = at(manifest, "metadata")
    if not isinstance(metadata, dict):
        return manifest
    kept = {key: item for key, item in metadata.items() if key not in _SERVER_MADE}
    if isinstance(notes := kept.get("annotations"), dict):
        kept["annotations"] = {key: item for key, item in notes.items() if key != _LAST_APPLIED}
    return {**{key: item for key, item in manifest.items() if key != "status"}, "metadata": kept}


def overlaid(obj: Obj, manifest: Obj) -> Obj:
    """About what applying the manifest would give, where the API server was not asked."""
    merged: Obj = _merged(obj, manifest)
    return merged


def _merged(before: Any, wish: Any) -> Any:
    if isinstance(before, dict) and isinstance(wish, dict):
        return {**before, **{key: _merged(before.get(key), item) for key, item in wish.items()}}
    if isinstance(before, list) and isinstance(wish, list) and wish and all(map(_named, (*before, *wish))):
        changed = {item["name"]: item for item in wish}
        kept = [_merged(item, changed.pop(item["name"], item)) for item in before]
        return [*kept, *changed.values()]
    return wish


def _named(item: Any) -> bool:
    return isinstance(item, dict) and isinstance(item.get("name"), str)


def written_paths(manifest: Obj) -> tuple[str, ...]:
    """The fields that an apply may write: whole top-level fields, single labels and annotations, and the
    lists of owners and finalizers when it names them.
    """
    paths = [join((Key(key),)) for key in manifest if key not in _NOT_WRITTEN]
    for group in ("labels", "annotations"):
        paths += [
            join((Key("metadata"), Key(group), Key(key))) for key in at(manifest, "metadata", group) or {}
        ]
    about = at(manifest, "metadata") or {}
    paths += [
        join((Key("metadata"), Key(each))) for each in ("ownerReferences", "finalizers") if each in about
    ]
    return tuple(paths)


def _gate_of(kind: str) -> GateCheck:
    if kind in _WORKLOADS:
        return GateCheck(check="rollout_complete", within_s=1800)
    return GateCheck(check="present", within_s=30)


def apply(around: Around, manifest: Obj, applied: Obj, *, takes_over: bool = False) -> Draft:
    """`applied` is what a server-side dry run of `manifest` answered; `takes_over`: by force, from people.

    Raises ActionRefusedError for a Secret: its values would be stored with the plan.
    """
    if around.ref.kind == "Secret" or manifest.get("kind") == "Secret":
        raise ActionRefusedError(
            str(around.ref), "a Secret is never part of a plan", "change it where it is kept"
        )
    _keeps_owners(around.obj, applied)
    gate = _gate_of(around.ref.kind)
    step = Step(name="apply", verb="apply", body=manifest, takes_over=takes_over, gate=gate)
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
        disrupted = widest(around.ref.kind, applied)
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


def _keeps_owners(obj: Obj | None, applied: Obj) -> None:
    """An owner that is gone has the garbage collector delete the object: that is no way round a delete.

    Raises InvalidInputError; controllers set owners and finalizers themselves.
    """
    for field in _OWNERS_LIST:
        if (at(applied, "metadata", field) or []) != (at(obj, "metadata", field) or []):
            raise InvalidInputError(
                f"manifest, metadata.{field}", "would be changed", "remove it: controllers set it themselves"
            )


def _existing(around: Around, verb: str) -> Obj:
    if around.obj is None:
        raise InvalidInputError(f"{verb} {around.ref}", "is not there", "nothing to plan")
    return around.obj


def delete(around: Around) -> Draft:
    """Delete one object; it can be created again from its snapshot, with a new identity."""
    obj, kind = _existing(around, "delete"), around.ref.kind
    gone = GateCheck(check="absent", within_s=120, args={"uid": uid_of(obj)})
    content = sorted(key for key in obj if key not in _NOT_WRITTEN and kind not in {"Pod", "Secret"})
    return Draft(
        action="delete",
        ref=around.ref,
        confirm=f"delete {around.ref}",
        steps=(Step(name="delete", verb="delete", gate=gone),),
        reads=(
            "metadata.ownerReferences",
            "metadata.labels",
            "metadata.finalizers",
            *(join((Key(key),)) for key in content),
        ),
        diff=(FieldChange(path=str(around.ref), before="exists", after="deleted"),),
        reversible="none" if kind in _LOST else "partial",
        lost=(_LOST.get(kind, "the object's identity (uid) and status"),),
        at_once=1 if kind == "Pod" else len(around.pods),
        warnings=_delete_warnings(obj, kind),
    )


_LOST = {
    "Pod": "the pod's local data and its logs",
    "Job": "the Job's record, its pods and their logs; creating it again would run it again",
}


def _delete_warnings(obj: Obj, kind: str) -> tuple[str, ...]:
    controlled = any(item.get("controller") for item in at(obj, "metadata", "ownerReferences") or [])
    said = []
    if kind == "Pod" and not controlled:
        said.append("No controller owns this pod: nothing makes it again.")
    if kind != "Pod" and controlled:
        said.append("A controller owns it and may make it again.")
    if names := [str(each) for each in at(obj, "metadata", "finalizers") or []]:
        said.append(f"It goes only when its finalizers are done: {', '.join(names)[:200]}")
    return tuple(said)


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
