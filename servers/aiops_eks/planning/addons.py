"""Add-on changes: what stands around an add-on -> one exact change.

Rows S13 and S16 (F13, F13b). EKS has no dry run, so version, configuration, prerequisites and conflicts are
looked at here, before a call changes anything. Pure. Sources: EKS user guide, "Create an Amazon EKS add-on",
"Determine fields you can customize for Amazon EKS add-ons", "Troubleshoot add-ons".
"""

import json
from collections.abc import Iterator

from aiops_eks.models.addon_roles import ROLES
from aiops_eks.planning.addons_configuration import leaves_of, problems_of, values_of
from aiops_eks.planning.addons_scene import API, BUSY, AddonScene, AddonWish, at_once, chosen, preserves
from aiops_eks.planning.addons_words import MOST_NAMED, delete_warnings, newer, shows_of, warnings_of
from aiops_eks.planning.drafts import Draft, Obj, at
from aiops_eks.planning.wording import one_line, pair
from aiops_shared.errors import ActionRefusedError, InvalidInputError, NotFoundError
from aiops_shared.guardrails.models import FieldChange, GateCheck, Step
from aiops_shared.kube.nearest import nearest

ACTIVE_WITHIN_S, GONE_WITHIN_S, PODS_WITHIN_S, EVERY_S = 1800.0, 900.0, 600.0, 15.0
_PATHS = {
    "version": "spec.version",
    "configuration": "spec.configuration",
    "role": "spec.role",
    "podIdentities": "spec.podIdentities",
}


def check_fits(wish: AddonWish) -> None:
    """Raises InvalidInputError for arguments that the action does not take."""
    given = {
        "version": bool(wish.version),
        "configuration": wish.configuration is not None,
        "resolve_conflicts": wish.resolve is not None,
        "role": bool(wish.role),
    }
    if wish.action == "delete" and (wrong := [name for name, there in given.items() if there]):
        raise InvalidInputError(wrong[0], "a delete takes none", "name and preserve only")
    if wish.action != "delete" and wish.preserve is not None:
        raise InvalidInputError("preserve", f"means nothing to {wish.action}", "resolve_conflicts=preserve?")
    if wish.action == "create" and wish.resolve == "preserve":
        raise InvalidInputError(
            "resolve_conflicts", "preserve is for updates (EKS refuses it on create)", "none or overwrite"
        )
    if wish.configuration:
        values_of(wish.configuration)


def refuse_unfit(scene: AddonScene, wish: AddonWish, installed: tuple[str, ...]) -> None:
    """Raises NotFoundError, ActionRefusedError or InvalidInputError where no plan makes sense."""
    thing, status = f"add-on {wish.name}", str(at(scene.obj, "status", "status") or "")
    if wish.action == "create":
        if scene.obj is not None:
            raise ActionRefusedError(
                thing, f"is installed already: {scene.version}, {status}", "plan action=update"
            )
    elif scene.obj is None:
        near = nearest(wish.name, installed) or installed
        raise NotFoundError(thing, "is no EKS add-on of this cluster", f"installed: {', '.join(near[:10])}")
    if status in BUSY:
        raise ActionRefusedError(thing, f"EKS is at work on it: {status}", "wait until it is ACTIVE")
    if wish.action == "delete" or scene.schema is None or not wish.configuration:
        return
    if wrong := problems_of(scene.schema, values_of(wish.configuration)):
        raise InvalidInputError(
            "configuration",
            f"{wish.name} {chosen(scene, wish)} does not take it: {one_line('; '.join(wrong), 600)}",
            "see aws eks describe-addon-configuration",
        )


def draft(scene: AddonScene, wish: AddonWish) -> Draft:
    """One exact change. Raises InvalidInputError for an update that changes nothing."""
    if wish.action == "delete":
        return _delete(scene, wish)
    spec = _wanted(scene, wish)
    return _create(scene, wish, spec) if wish.action == "create" else _update(scene, wish, spec)


def _wanted(scene: AddonScene, wish: AddonWish) -> Obj:
    """The spec as it is to be."""
    spec: Obj = dict(at(scene.obj, "spec") or {"configuration": "", "role": "", "podIdentities": []})
    spec["version"] = chosen(scene, wish)
    if wish.configuration is not None:
        spec["configuration"] = plain(wish.configuration)
    if wish.service_account:
        kept = [one for one in spec["podIdentities"] if one["serviceAccount"] != wish.service_account]
        spec["podIdentities"] = [*kept, {"serviceAccount": wish.service_account, "role": wish.role}]
    elif wish.role:
        spec["role"] = wish.role
    return spec


def plain(text: str) -> str:
    """Configuration in one spelling; empty for none; as it is when it is no JSON (YAML by others)."""
    if not text.strip():
        return ""
    try:
        values = json.loads(text)
    except ValueError:
        return text
    return json.dumps(values, sort_keys=True, separators=(",", ":")) if values else ""


def _create(scene: AddonScene, wish: AddonWish, spec: Obj) -> Draft:
    takes_over = wish.resolve == "overwrite" and bool(scene.self_managed)
    options: Obj = {"resolveConflicts": (wish.resolve or "none").upper(), "tookOver": takes_over}
    body = {
        "apiVersion": API,
        "kind": "Addon",
        "metadata": {"name": wish.name},
        "spec": {key: value for key, value in spec.items() if value},
    }
    first = Step(
        name="create add-on",
        verb="create",
        values=options,
        body=body,
        gate=GateCheck(check="addon_active", within_s=ACTIVE_WITHIN_S, every_s=EVERY_S),
    )
    lost = (f"settings of {scene.self_managed} that EKS overwrites",) if takes_over else ()
    return Draft(
        action=wish.policy_action,
        ref=scene.ref,
        confirm=f"install add-on {wish.name} {spec['version']} on cluster {scene.ref.cluster}"
        + (f", taking over {scene.self_managed}" if takes_over else ""),
        steps=(first, _pods_step()),
        paths=("spec",),
        diff=tuple(_rows({}, spec)),
        reversible="partial" if takes_over else "full",
        lost=lost,
        at_once=at_once(scene, wish),
        warnings=tuple(warnings_of(scene, wish, spec)),
        shows=shows_of(scene, wish),
    )


def _update(scene: AddonScene, wish: AddonWish, spec: Obj) -> Draft:
    before: Obj = at(scene.obj, "spec") or {}
    changed = [key for key in _PATHS if before.get(key) != spec.get(key)]
    if not changed:
        raise InvalidInputError(
            f"add-on {wish.name}", f"is as asked already ({scene.version})", newer(scene) or "nothing to do"
        )
    values = {_PATHS[key]: spec[key] for key in changed}
    first = Step(
        name="update add-on",
        verb="write",
        values=values,
        body={"resolveConflicts": (wish.resolve or "none").upper()},
        gate=GateCheck(check="addon_active", within_s=ACTIVE_WITHIN_S, every_s=EVERY_S),
    )
    lost = [*_lost_by_overwriting(scene, wish)]
    if "version" in changed and not (scene.offered and scene.offered.offers(scene.version)):
        lost.append(f"{scene.version}: EKS offers it no more for Kubernetes {scene.kubernetes}, no way back")
    return Draft(
        action=wish.policy_action,
        ref=scene.ref,
        confirm=f"update add-on {wish.name} of cluster {scene.ref.cluster}: "
        + (
            f"{scene.version} to {spec['version']}"
            if "version" in changed
            else f"change {', '.join(changed)}"
        ),
        steps=(first, _pods_step()),
        paths=tuple(values),
        reads=("spec",),
        diff=tuple(_rows(before, spec)),
        reversible="partial" if lost else "full",
        lost=tuple(lost),
        at_once=at_once(scene, wish),
        warnings=tuple(warnings_of(scene, wish, spec)),
        shows=shows_of(scene, wish),
    )


def _lost_by_overwriting(scene: AddonScene, wish: AddonWish) -> Iterator[str]:
    if wish.resolve == "overwrite" and scene.foreign:
        yield f"what others set: {', '.join(scene.foreign[:MOST_NAMED])}"


def _delete(scene: AddonScene, wish: AddonWish) -> Draft:
    stays, role = preserves(wish), ROLES.get(wish.name)
    gone = f"what it does: {role.without}" if role else "what it does, and what it keeps in the cluster"
    step = Step(
        name="delete add-on",
        verb="delete",
        body={"preserve": stays},
        gate=GateCheck(check="addon_gone", within_s=GONE_WITHIN_S, every_s=EVERY_S),
    )
    end = "what it runs stays, unmanaged" if stays else "with all that it runs"
    return Draft(
        action=wish.policy_action,
        ref=scene.ref,
        confirm=f"delete add-on {wish.name} {scene.version} of cluster {scene.ref.cluster}, {end}",
        steps=(step,),
        paths=("spec",),
        diff=tuple(_rows(at(scene.obj, "spec") or {}, {})),
        reversible="partial",
        lost=("updates by EKS",) if stays else (gone, "custom resources and data that go with it"),
        at_once=at_once(scene, wish),
        warnings=tuple(delete_warnings(scene, wish)),
        shows={"undo": "installs the same version and configuration again; what it kept is not given back"},
    )


def _pods_step() -> Step:
    """Data can only arrive from pods that are Ready: looked at once EKS says ACTIVE."""
    return Step(
        name="pods ready",
        verb="run",
        body={"command": "look"},
        gate=GateCheck(check="addon_pods", within_s=PODS_WITHIN_S, every_s=EVERY_S),
    )


def _rows(before: Obj, after: Obj) -> Iterator[FieldChange]:
    for key in ("version", "role"):
        if (was := str(before.get(key) or "")) != (now := str(after.get(key) or "")):
            yield FieldChange(path=f"addon.{key}", before=one_line(was), after=one_line(now))
    was, now = _identities(before), _identities(after)
    if was != now:
        yield FieldChange(path="addon.podIdentity", before=one_line(was), after=one_line(now))
    old, new = (leaves_of(str(one.get("configuration") or "")) for one in (before, after))
    for path in sorted({*old, *new}):
        if old.get(path) != new.get(path):
            first, second = pair(one_line(old.get(path, "")), one_line(new.get(path, "")))
            yield FieldChange(path=one_line(f"configuration.{path}", 160), before=first, after=second)


def _identities(spec: Obj) -> str:
    return ", ".join(f"{one['serviceAccount']}={one['role']}" for one in spec.get("podIdentities") or ())
