"""Containers that no standard forbids and that still hurt: moving tags, no sizes, no probes.

Sources: the pages named per check. What needs knowledge (a version, a size, a probe) is reported only.
"""

from collections.abc import Iterator
from typing import Any

from aiops_eks.diagnosis.quantities import millicores, whole_bytes
from aiops_eks.diagnosis.scanning.checking import Check, Hit
from aiops_eks.diagnosis.scanning.contexts import context_of, ordered
from aiops_eks.diagnosis.scanning.subjects import Obj, Spot, mapping, mappings
from aiops_shared.results import Severity

_DOCS = "https://kubernetes.io/docs/concepts/"
_IMAGES = f"{_DOCS}containers/images/"
_RESOURCES = f"{_DOCS}configuration/manage-resources-containers/"
_PROBES = f"{_DOCS}configuration/liveness-readiness-startup-probes/"
_CONTEXT = "https://kubernetes.io/docs/tasks/configure-pod-container/security-context/"
LONG_RUNNING = frozenset(
    {"Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "ReplicationController", "Pod"}
)
SCRATCH, SCRATCH_PATH = "tmp", "/tmp"  # noqa: S108  # a path inside the container


def moving_tag(spot: Spot) -> Iterator[Hit]:
    """`:latest`, or no tag at all: which version to pin only the owner knows."""
    image = str((spot.container or {}).get("image", ""))
    name = image.rpartition("/")[2]
    if image and "@sha256:" not in image and name.partition(":")[2] in {"", "latest"}:
        yield Hit(spot.at("image"), f"image {image[:120]} moves: the tag is latest", fixable=False)


def no_requests(spot: Spot) -> Iterator[Hit]:
    """Requests: the numbers come from usage, so none are made up."""
    resources = mapping(spot.container, "resources")
    stand_in = mapping(resources, "limits")  # a limit is the request's default
    missing = [
        one for one in ("cpu", "memory") if one not in mapping(resources, "requests") and one not in stand_in
    ]
    if missing and spot.role != "ephemeralContainers":
        yield Hit(spot.at("resources.requests"), f"no {' and '.join(missing)} request", fixable=False)


def no_limits(spot: Spot) -> Iterator[Hit]:
    """A memory limit; a CPU limit is a matter of taste."""
    limits = mapping(mapping(spot.container, "resources"), "limits")
    if "memory" not in limits and spot.role != "ephemeralContainers":
        yield Hit(spot.at("resources.limits"), "no memory limit: it can take the node's", fixable=False)


def limit_below_request(spot: Spot) -> Iterator[Hit]:
    """A limit under the request: the API server refuses it."""
    resources = mapping(spot.container, "resources")
    limits, requests = mapping(resources, "limits"), mapping(resources, "requests")
    for what, number in (("cpu", millicores), ("memory", whole_bytes)):
        limit, request = number(limits.get(what)), number(requests.get(what))
        if limit is not None and request is not None and limit < request:
            yield Hit(spot.at(f"resources.limits.{what}"), f"{what} limit below its request", fixable=False)


def _serves(spot: Spot) -> bool:
    return spot.kind in LONG_RUNNING and spot.role == "containers"


def no_readiness(spot: Spot) -> Iterator[Hit]:
    """Readiness probe of what serves."""
    if _serves(spot) and not mapping(spot.container, "readinessProbe"):
        yield Hit(spot.at("readinessProbe"), "no readinessProbe: gets traffic before it is up", fixable=False)


def no_liveness(spot: Spot) -> Iterator[Hit]:
    """Liveness probe: a wrong one is worse than none."""
    if _serves(spot) and not mapping(spot.container, "livenessProbe"):
        yield Hit(spot.at("livenessProbe"), "no livenessProbe: a hang is not noticed", fixable=False)


def writable_root(spot: Spot) -> Iterator[Hit]:
    """A root file system that can be written to."""
    if not spot.windows and spot.context.get("readOnlyRootFilesystem") is not True:
        yield Hit(spot.at("securityContext.readOnlyRootFilesystem"), "the root file system is writable")


def _read_only_root(spot: Spot) -> str | None:
    """Read-only, with an emptyDir where most programs write."""
    context_of(spot)["readOnlyRootFilesystem"] = True
    ordered(spot)
    pod, container = spot.pod or {}, spot.container or {}
    if any(mount.get("mountPath") == SCRATCH_PATH for mount in mappings(container, "volumeMounts")):
        return None
    name = _scratch_volume(pod)
    _listed(container, "volumeMounts").append({"name": name, "mountPath": SCRATCH_PATH})
    return (
        f"readOnlyRootFilesystem: an emptyDir is mounted at {SCRATCH_PATH}; mount one at every other path "
        "that it writes to"
    )


def _scratch_volume(pod: Obj) -> str:
    volumes = _listed(pod, "volumes")
    names = {volume.get("name") for volume in volumes if isinstance(volume, dict)}
    for volume in volumes:
        if isinstance(volume, dict) and volume.get("name") == SCRATCH and volume.get("emptyDir") is not None:
            return SCRATCH
    name = next(one for one in (SCRATCH, *(f"{SCRATCH}-{n}" for n in range(2, 99))) if one not in names)
    volumes.append({"name": name, "emptyDir": {}})
    return name


def _listed(obj: Obj, key: str) -> list[Any]:
    if not isinstance(obj.get(key), list):
        obj[key] = []
    found: list[Any] = obj[key]
    return found


def _c(rule: str, severity: Severity, fix: str, source: str, look: Any, repair: Any = None) -> Check:
    return Check(rule, severity, "practice", "container", fix, source, look, repair)


CHECKS = (
    _c("image-tag", "medium", "pin a version or a digest", _IMAGES, moving_tag),
    _c("writable-root", "medium", "readOnlyRootFilesystem: true", _CONTEXT, writable_root, _read_only_root),
    _c("no-requests", "medium", "set them from usage", _RESOURCES, no_requests),
    _c("no-limits", "medium", "set one from usage", _RESOURCES, no_limits),
    _c("limit-below-request", "high", "raise the limit", _RESOURCES, limit_below_request),
    _c("no-readiness-probe", "medium", "add one", _PROBES, no_readiness),
    _c("no-liveness-probe", "info", "add one if hangs happen", _PROBES, no_liveness),
)
