"""The Pod Security Standard `restricted`, control by control, in its newest version; see `baseline.py`.

Together its repairs write the block that the guide asks for: runAsNonRoot, runAsUser, no privilege
escalation, no capabilities; `containers.py` adds the read-only root file system.
"""

from collections.abc import Iterator
from typing import Any

from aiops_eks.diagnosis.scanning.checking import STANDARDS, Check, Hit, Scope
from aiops_eks.diagnosis.scanning.contexts import (
    USER,
    added_capabilities,
    context_of,
    is_zero,
    keep_capabilities,
    ordered,
)
from aiops_eks.diagnosis.scanning.subjects import Spot, container_spots, ensured, mapping, numbered, texts
from aiops_shared.results import Severity

CAPABILITIES = frozenset({"NET_BIND_SERVICE"})
VOLUMES = frozenset(
    {
        "configMap",
        "csi",
        "downwardAPI",
        "emptyDir",
        "ephemeral",
        "image",
        "persistentVolumeClaim",
        "projected",
        "secret",
    }
)
_READABLE = f"runs as user {USER} now: the image's files must be readable by it (fsGroup for volumes)"


def root_user(spot: Spot) -> Iterator[Hit]:
    """Running as Non-root user: an explicit user 0, of the pod or of a container."""
    if is_zero(spot.context.get("runAsUser")):
        yield Hit(spot.at("securityContext.runAsUser"), "runs as root")


def _be_somebody(spot: Spot) -> str | None:
    context = context_of(spot)
    context["runAsUser"] = USER
    if spot.container is not None:
        context["runAsNonRoot"] = True
        ordered(spot)
    return _READABLE


def non_root(spot: Spot) -> Iterator[Hit]:
    """Running as Non-root: nobody says false, and every container is covered by a true."""
    own = spot.context.get("runAsNonRoot")
    if own is False:
        yield Hit(spot.at("securityContext.runAsNonRoot"), "runAsNonRoot is false")
    elif spot.container is not None and spot.effective("runAsNonRoot") is not True:
        yield Hit(spot.at("securityContext.runAsNonRoot"), "runAsNonRoot is not true: the image decides")


def _never_root(spot: Spot) -> str | None:
    context = context_of(spot)
    context["runAsNonRoot"] = True
    if spot.container is None:
        return None
    note = None
    user = spot.effective("runAsUser")
    if not spot.windows and (user is None or is_zero(user)):
        context["runAsUser"] = USER
        note = _READABLE
    ordered(spot)
    return note


def escalation(spot: Spot) -> Iterator[Hit]:
    """Privilege Escalation."""
    if not spot.windows and spot.context.get("allowPrivilegeEscalation") is not False:
        path = spot.at("securityContext.allowPrivilegeEscalation")
        yield Hit(path, "allowPrivilegeEscalation is not false")


def _no_escalation(spot: Spot) -> str | None:
    context_of(spot)["allowPrivilegeEscalation"] = False
    ordered(spot)
    return None


def capabilities(spot: Spot) -> Iterator[Hit]:
    """Capabilities: drop ALL, add back at most NET_BIND_SERVICE."""
    if spot.windows:
        return
    if "ALL" not in texts(mapping(spot.context, "capabilities"), "drop"):
        yield Hit(spot.at("securityContext.capabilities.drop"), "does not drop ALL capabilities")
    if wrong := [one for one in added_capabilities(spot) if one not in CAPABILITIES]:
        yield Hit(spot.at("securityContext.capabilities.add"), f"adds {', '.join(wrong[:5])}")


def _drop_all(spot: Spot) -> str | None:
    removed = [one for one in added_capabilities(spot) if one not in CAPABILITIES]
    keep_capabilities(spot, CAPABILITIES)
    found = ensured(context_of(spot), "capabilities")
    added = found.pop("add", None)
    found["drop"] = ["ALL"]
    if added:
        found["add"] = added
    ordered(spot)
    return f"capabilities {', '.join(removed[:5])} were removed: test what needs them" if removed else None


def seccomp(spot: Spot) -> Iterator[Hit]:
    """Seccomp: the pod's profile, or each container's."""
    if spot.windows or isinstance(spot.context.get("seccompProfile"), dict):
        return
    own = [mapping(one.context, "seccompProfile") for one in container_spots(spot)]
    if not own or not all(own):
        yield Hit(spot.at("securityContext.seccompProfile"), "no seccompProfile")


def _default_seccomp(spot: Spot) -> str | None:
    context_of(spot)["seccompProfile"] = {"type": "RuntimeDefault"}
    return None


def volume_types(spot: Spot) -> Iterator[Hit]:
    """Volume Types; hostPath has its own rule. A volume without a type becomes an emptyDir."""
    for place, volume in numbered(spot.pod, "volumes"):
        kinds = {key for key, value in volume.items() if key != "name" and value is not None}
        if kinds and not kinds & VOLUMES and "hostPath" not in kinds:
            yield Hit(spot.at(f"volumes[{place}]"), f"volume type {min(kinds)[:40]}", fixable=False)


def _c(
    control: str, rule: str, severity: Severity, scope: Scope, fix: str, look: Any, repair: Any = None
) -> Check:
    return Check(rule, severity, "restricted", scope, fix, STANDARDS, look, repair, control)


_TRUE, _NOBODY = "runAsNonRoot: true", f"runAsUser: {USER}"
CHECKS = (
    _c("runAsUser", "runs-as-root", "high", "container", _NOBODY, root_user, _be_somebody),
    _c("runAsUser", "runs-as-root", "high", "pod", _NOBODY, root_user, _be_somebody),
    _c("runAsNonRoot", "may-run-as-root", "medium", "container", _TRUE, non_root, _never_root),
    _c("runAsNonRoot", "may-run-as-root", "medium", "pod", _TRUE, non_root, _never_root),
    _c(
        "allowPrivilegeEscalation",
        "privilege-escalation",
        "medium",
        "container",
        "allowPrivilegeEscalation: false",
        escalation,
        _no_escalation,
    ),
    _c(
        "capabilities_restricted",
        "capabilities",
        "medium",
        "container",
        "capabilities.drop: [ALL]",
        capabilities,
        _drop_all,
    ),
    _c(
        "seccompProfile_restricted",
        "no-seccomp",
        "medium",
        "pod",
        "pod seccompProfile: RuntimeDefault",
        seccomp,
        _default_seccomp,
    ),
    _c(
        "restrictedVolumes",
        "volume-type",
        "medium",
        "pod",
        "use a type that the standard lists",
        volume_types,
    ),
)
