"""Changes of a workload: scale, restart, rollback, resources, image: facts and wish -> Draft.

Raises InvalidInputError when the wish does not fit the object, with what would.
"""

from collections.abc import Callable
from typing import Any

from aiops_eks.diagnosis.quantities import memory_text, whole_bytes
from aiops_eks.diagnosis.quantities import millicores as cpu_of
from aiops_eks.planning.diffing import changed_fields
from aiops_eks.planning.drafts import Around, Draft, Obj, Wish, at, containers_of, name_of, replicas_of
from aiops_eks.planning.facts import images_of, revision_of, revisions_of
from aiops_eks.planning.rollouts import STEADY_S, Rollout, rollout
from aiops_eks.planning.sizing import (
    RESOURCE_FIELDS,
    check_order,
    check_sizes,
    lives_before_oom_s,
    memory_story,
    quality_warnings,
    raise_pct_of,
    request_of,
    wanted_resources,
)
from aiops_eks.planning.wording import one_line
from aiops_shared.errors import InvalidInputError
from aiops_shared.guardrails.models import ActionName, GateCheck, Step
from aiops_shared.guardrails.paths import Key, Pick, join, write
from aiops_shared.results import Frozen

SCALABLE = ("Deployment", "StatefulSet", "ReplicaSet")
ROLLING = ("Deployment", "StatefulSet", "DaemonSet")
_RESTARTED_AT = 'spec.template.metadata.annotations."kubectl.kubernetes.io/restartedAt"'
_POD_SPEC = (Key("spec"), Key("template"), Key("spec"))


def _target(around: Around) -> Obj:
    if around.obj is None:
        raise InvalidInputError(str(around.ref), "is not there", "name an existing workload")
    return around.obj


def _of_kind(around: Around, kinds: tuple[str, ...], action: str) -> Obj:
    if around.ref.kind not in kinds:
        raise InvalidInputError(
            f"{action} {around.ref}",
            f"not possible for a {around.ref.kind}",
            f"possible for {', '.join(kinds)}",
        )
    return _target(around)


class _Chosen(Frozen):
    """A container and the path it stands at."""

    path: str
    container: Obj

    @property
    def name(self) -> str:
        return str(self.container.get("name"))


def _container(obj: Obj, wanted: str) -> _Chosen:
    """The named container, init containers too; without a name the only ordinary one."""
    spec = at(obj, "spec", "template", "spec") or {}
    found = {
        str(item.get("name", "")): _Chosen(
            path=join((*_POD_SPEC, Key(group), Pick("name", str(item.get("name", ""))))), container=item
        )
        for group in ("initContainers", "containers")
        for item in spec.get(group) or []
        if isinstance(item, dict)
    }
    ordinary = [str(item.get("name", "")) for item in containers_of(obj)]
    if wanted and wanted not in found:
        raise InvalidInputError(
            "container", f"no container {wanted!r} in {name_of(obj)}", f"it has {', '.join(found)}"
        )
    if not wanted and len(ordinary) != 1:
        raise InvalidInputError(
            "container", f"{name_of(obj)} has {len(ordinary)} containers", f"name one of {', '.join(found)}"
        )
    return found[wanted or ordinary[0]]


def _hpa_warnings(around: Around) -> tuple[str, ...]:
    for hpa in around.hpas:
        target = at(hpa, "spec", "scaleTargetRef") or {}
        if target.get("kind") == around.ref.kind and target.get("name") == around.ref.name:
            low, high = at(hpa, "spec", "minReplicas") or 1, at(hpa, "spec", "maxReplicas")
            return (
                f"HorizontalPodAutoscaler {name_of(hpa)} ({low}-{high}) sets the replicas, overriding this.",
            )
    return ()


def _not_anothers(around: Around) -> None:
    above = next(iter(around.owners), None)
    if above is not None:
        what = f"{str(above.get('kind', '')).lower()} {name_of(above)}"
        raise InvalidInputError(f"scale {around.ref}", f"{what} sets its replicas", f"scale {what}")


def scale(around: Around, wish: Wish) -> Draft:
    """Set the number of replicas."""
    obj = _of_kind(around, SCALABLE, "scale")
    _not_anothers(around)
    before, after = replicas_of(obj), wish.replicas or 0
    if before == after:
        raise InvalidInputError("replicas", f"{around.ref} already has {before}", "nothing to plan")
    values = {"spec.replicas": after}
    gate = GateCheck(check="replicas_ready", within_s=600, args={"replicas": after})
    return Draft(
        action="scale",
        ref=around.ref,
        confirm=f"scale {around.ref} from {before} to {after} replicas",
        steps=(Step(name="scale", verb="write", values=values, gate=gate),),
        paths=("spec.replicas",),
        diff=changed_fields(obj, write(obj, values)),
        reversible="full",
        replicas_after=after,
        shows={"removes": f"{before - after} of {before} replicas"} if after < before else {},
        warnings=_hpa_warnings(around),
    )


def _rolling(around: Around, action: ActionName, confirm: str, values: dict[str, Any], **more: Any) -> Draft:
    """A draft of a template change, staged."""
    obj = _target(around)
    staged: Rollout = rollout(around.ref.kind, obj, values, more.pop("steady_s", STEADY_S))
    if not staged.rolls and action in {"restart", "rollback"} and replicas_of(obj):
        raise InvalidInputError(f"{action} {around.ref}", "it would replace no pod", staged.says)
    shows = {"rollout": staged.says, **more.pop("shows", {})}
    return Draft(
        action=action,
        ref=around.ref,
        confirm=confirm,
        steps=staged.steps,
        paths=staged.paths,
        reads=("spec.replicas", *_READ_OF.get(around.ref.kind, ())),
        diff=changed_fields(obj, write(obj, values)),
        reversible="full",
        at_once=staged.at_once,
        warnings=(*staged.warnings, *more.pop("warnings", ())),
        shows=shows,
        **more,
    )


_READ_OF = {  # beside what is written: the rollout was chosen by them
    "Deployment": ("spec.paused", "spec.strategy"),
    "StatefulSet": ("spec.updateStrategy",),
    "DaemonSet": ("spec.updateStrategy",),
}


def restart(around: Around, wish: Wish) -> Draft:
    """Replace every pod (`kubectl rollout restart`'s annotation)."""
    del wish
    obj = _of_kind(around, ROLLING, "restart")
    pods = len(around.pods) or replicas_of(obj)
    values = {_RESTARTED_AT: around.now.isoformat(timespec="seconds").replace("+00:00", "Z")}
    draft = _rolling(around, "restart", f"restart {around.ref}", values)
    how = {0: "none replaced now", 1: "one at a time"}.get(draft.at_once, f"{draft.at_once} at a time")
    return draft.model_copy(update={"confirm": f"{draft.confirm} ({pods} pods, {how})"})


def rollback(around: Around, wish: Wish) -> Draft:
    """Give a Deployment the pod template of an earlier revision."""
    _of_kind(around, ("Deployment",), "roll back")
    found = [item for item in revisions_of(around) if revision_of(item)]
    if len(found) < 2:
        raise InvalidInputError(
            f"roll back {around.ref}", "there is no earlier revision", "plan an image change"
        )
    numbers = [revision_of(item) for item in found]
    wanted = numbers[1] if wish.to_revision is None else wish.to_revision
    if wanted not in numbers[1:]:
        known = ", ".join(map(str, numbers[1:]))
        raise InvalidInputError("to_revision", f"{wanted} is not an earlier revision", f"it has {known}")
    chosen = found[numbers.index(wanted)]
    template = write(at(chosen, "spec", "template"), {'metadata.labels."pod-template-hash"': None})
    image_then = one_line(images_of(chosen), 200)
    confirm = f"roll back {around.ref} from revision {numbers[0]} to {wanted} (image {image_then})"
    history = [f"{revision_of(item)}: {one_line(images_of(item), 120)}" for item in found[:5]]
    return _rolling(
        around,
        "rollback",
        confirm,
        {"spec.template": template},
        revisions_back=numbers.index(wanted),
        shows={"revisions": "; ".join(history)},
    )


def image(around: Around, wish: Wish) -> Draft:
    """Set the image of one container."""
    obj = _of_kind(around, ROLLING, "image")
    chosen = _container(obj, wish.container)
    name, before = chosen.name, str(chosen.container.get("image", ""))
    if before == wish.image:
        raise InvalidInputError("image", f"container {name} already runs it", "nothing to plan")
    confirm = f"set image of container {name} in {around.ref} from {one_line(before, 200)} to {wish.image}"
    values = {f"{chosen.path}.image": wish.image}
    return _rolling(around, "image", confirm, values, warnings=_image_warnings(wish.image))


def _image_warnings(image: str) -> tuple[str, ...]:
    """A tag that moves (or none, which means latest) may be another image tomorrow, after an undo too."""
    tag = image.rpartition("/")[2].partition(":")[2]
    if "@sha256:" in image or tag not in {"", "latest"}:
        return ()
    return (f"{image} names no fixed version: what runs may change at any restart.",)


def resources(around: Around, wish: Wish) -> Draft:
    """Set requests and limits of one container; without values the memory limit is raised by half."""
    obj = _of_kind(around, ROLLING, "resources")
    found = _container(obj, wish.container)
    chosen, name = found.container, found.name
    wanted = wanted_resources(chosen, wish)
    check_order(chosen, wanted)
    values = {f"{found.path}.resources.{kind}.{unit}": text for (kind, unit), text in wanted.items()}
    says = ", ".join(
        f"{unit} {kind[:-1]} {at(chosen, 'resources', kind, unit) or 'none'} -> {text}"
        for (kind, unit), text in wanted.items()
    )
    if not changed_fields(obj, write(obj, values)):
        raise InvalidInputError("resources", f"container {name} already has them", "nothing to plan")
    shows, warnings, steady_s = memory_story(around, chosen)
    free = around.free_memory_bytes
    shows["node headroom"] = (
        "not measured" if free is None else f"{memory_text(free)} free on the roomiest node"
    )
    return _rolling(
        around,
        "resources",
        f"set resources of container {name} in {around.ref}: {says}",
        values,
        raise_pct=raise_pct_of(chosen, wanted),
        needs_bytes=request_of(chosen, wanted, "memory", whole_bytes),
        needs_millicores=request_of(chosen, wanted, "cpu", cpu_of),
        shows=shows,
        warnings=(*warnings, *_below_need(around, name, wanted), *quality_warnings(chosen, wanted)),
        steady_s=steady_s,
    )


def _below_need(around: Around, container: str, wanted: dict[tuple[str, str], str]) -> tuple[str, ...]:
    """A limit at which it was killed before, or less, cannot do."""
    limit = whole_bytes(wanted.get(("limits", "memory")))
    obj = _target(around)
    before = whole_bytes(at(_container(obj, container).container, "resources", "limits", "memory"))
    if limit is None or before is None or limit > before or not lives_before_oom_s(around, container):
        return ()
    return (f"It was OOMKilled at {memory_text(before)}; this is no more.",)


_ACTIONS: dict[str, tuple[Callable[[Around, Wish], Draft], frozenset[str]]] = {
    "scale": (scale, frozenset({"replicas"})),
    "restart": (restart, frozenset()),
    "rollback": (rollback, frozenset({"to_revision"})),
    "resources": (resources, frozenset({"container", *(field for field, _, _ in RESOURCE_FIELDS)})),
    "image": (image, frozenset({"container", "image"})),
}


_NEEDS = {
    "scale": ("replicas", "say how many replicas there shall be"),
    "image": ("image", "say which image, with its tag or digest"),
}


def check_fits(action: str, wish: Wish) -> None:
    """What can be refused before anything is asked of the cluster.

    Raises InvalidInputError for a missing argument, a size that cannot be one, and arguments of another
    action: to ignore them would plan something else.
    """
    _, takes = _ACTIONS[action]
    needed, hint = _NEEDS.get(action, ("", ""))
    if needed and needed not in wish.given():
        raise InvalidInputError(needed, "missing", hint)
    check_sizes(wish)
    if foreign := sorted(wish.given() - takes):
        raise InvalidInputError(
            ", ".join(foreign),
            f"not an argument of {action}",
            f"{action} takes {', '.join(sorted(takes)) or 'none of them'}; plan each action by its own call",
        )


def draft(action: str, around: Around, wish: Wish) -> Draft:
    """The change that the wish asks for."""
    return _ACTIONS[action][0](around, wish)
