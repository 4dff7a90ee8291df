"""What a person should know of an add-on change before saying yes, and of how it ended.

Used by `planning.addons` and by the hand that looks at add-ons. Pure.
"""

from collections.abc import Iterator

from aiops_eks.models.addon_roles import ROLES
from aiops_eks.models.aws_addons import AddonVersion
from aiops_eks.planning.addons_configuration import leaves_of
from aiops_eks.planning.addons_scene import (
    NEEDS,
    AddonScene,
    AddonWish,
    chosen,
    compatible_list,
    is_core,
    preserves,
)
from aiops_eks.planning.drafts import Obj, at

MOST_NAMED = 6


def warnings_of(scene: AddonScene, wish: AddonWish, spec: Obj) -> Iterator[str]:
    """What may go wrong, and what to do about it."""
    if wish.action == "create":
        yield from _missing_needs(scene, wish)
    yield from _missing_rights(scene, wish, spec)
    yield from _conflicts(scene, wish)
    if wish.configuration and scene.schema is None:
        yield "The configuration was not checked: its schema could not be read; EKS checks it."
    if wish.configuration is not None and (dropped := _dropped(scene, spec)):
        yield f"Configuration is replaced whole; no longer set: {', '.join(dropped[:MOST_NAMED])}."


def _missing_needs(scene: AddonScene, wish: AddonWish) -> Iterator[str]:
    for need in NEEDS.get(wish.name, ()):
        if need not in scene.works:
            word = "is not there" if scene.works_known else "was not seen"
            yield f"Prerequisite: {need} {word}; install it first: plan_addon_change(create, {need})."


def _missing_rights(scene: AddonScene, wish: AddonWish, spec: Obj) -> Iterator[str]:
    release = _release(scene, wish)
    if release is None or not release.requires_iam or spec.get("role") or spec.get("podIdentities"):
        return
    accounts = "; ".join(f"{name} with {', '.join(_short(p) for p in each)}" for name, each in scene.accounts)
    yield (
        "It needs IAM rights and gets neither a role (role=ARN) nor a Pod Identity association "
        f"(role=serviceaccount=ARN): it would use the node's role. Wanted: {accounts or 'see its page'}."
    )


def _short(arn: str) -> str:
    return arn.rpartition("/")[2]


def _release(scene: AddonScene, wish: AddonWish) -> AddonVersion | None:
    version = chosen(scene, wish)
    return next(
        (one for one in (scene.offered.versions if scene.offered else ()) if one.version == version), None
    )


def _conflicts(scene: AddonScene, wish: AddonWish) -> Iterator[str]:
    whose = scene.self_managed if wish.action == "create" else ", ".join(scene.foreign[:MOST_NAMED])
    if not whose:
        return
    what = f"{whose} does its work already" if wish.action == "create" else f"others manage {whose}"
    if wish.resolve == "overwrite":
        yield f"{what}: resolve_conflicts=overwrite gives those fields EKS's values."
    elif wish.resolve == "preserve":
        yield f"{what}: resolve_conflicts=preserve keeps them; test it first where it does not matter."
    else:
        choice = "overwrite" if wish.action == "create" else "overwrite (EKS's values) or preserve (theirs)"
        yield (
            f"{what}: with resolve_conflicts=none EKS may end with ConfigurationConflict; choose {choice}."
        )


def _dropped(scene: AddonScene, spec: Obj) -> list[str]:
    old = leaves_of(str(at(scene.obj, "spec", "configuration") or ""))
    return sorted(set(old) - set(leaves_of(str(spec.get("configuration") or ""))))


def shows_of(scene: AddonScene, wish: AddonWish) -> dict[str, str]:
    """What else to look at."""
    role = ROLES.get(wish.name)
    shown = {
        "compatible": compatible_list(scene),
        "what for": role.role if role else "",
        "prerequisites": ", ".join(NEEDS.get(wish.name, ())),
        "rollout": "EKS replaces its pods; ACTIVE within 30 min and its pods Ready, or it is undone",
        "data": "that data arrives is not verified here: Ready pods are; look at it where it goes",
    }
    return {key: text for key, text in shown.items() if text}


def newer(scene: AddonScene) -> str:
    """Versions that could be taken instead."""
    found = scene.offered.newer_than(scene.version) if scene.offered else ()
    return f"newer: {', '.join(found[:MOST_NAMED])}" if found else ""


def explained(issues: str) -> str:
    """What a health issue means and what to do, before EKS's own words, which may be long."""
    if "ConfigurationConflict" in issues:
        return (
            "others manage fields of it; plan again with resolve_conflicts=overwrite (EKS's values) or, for "
            "an update, preserve (theirs). "
        )
    if "InsufficientNumberOfReplicas" in issues:
        return "its pods do not become Ready; diagnose its namespace (rights, image, room). "
    if "AccessDenied" in issues or "AddonPermissionFailure" in issues:
        return "EKS or its role lacks rights; check the role's trust and policies. "
    return ""


def delete_warnings(scene: AddonScene, wish: AddonWish) -> Iterator[str]:
    """What a delete takes away."""
    if is_core(wish.name) and not preserves(wish):
        yield f"The cluster does not work without {wish.name}: {ROLES[wish.name].without}."
    needed_by = [name for name, needs in NEEDS.items() if wish.name in needs and name in scene.works]
    if needed_by:
        yield f"{', '.join(needed_by)} needs it."
