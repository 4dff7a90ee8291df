"""What an API server would refuse in any case, told without one: the schema half of a validation.

Only what every version demands, and only of kinds that people write: the whole schema is the API server's.
"""

import re
from collections.abc import Iterator
from typing import Any

from aiops_eks.diagnosis.scanning.checking import Check, Hit
from aiops_eks.diagnosis.scanning.subjects import Spot, mapping, numbered

_SOURCE = "https://kubernetes.io/docs/concepts/overview/working-with-objects/"
_NAME = re.compile(r"[a-z0-9]([a-z0-9.:-]{0,251}[a-z0-9])?")
_ENTRY = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_SELECTED = frozenset({"Deployment", "StatefulSet", "DaemonSet", "ReplicaSet"})


def _no(path: str, says: str) -> Hit:
    return Hit(path, says, fixable=False)


def identity(spot: Spot) -> Iterator[Hit]:
    """apiVersion, and a name that may be one."""
    version = spot.obj.get("apiVersion")
    if not isinstance(version, str) or not version:
        yield _no("apiVersion", "apiVersion is missing")
    meta = mapping(spot.obj, "metadata")
    name = meta.get("name")
    if name is None:
        if not meta.get("generateName"):
            yield _no("metadata.name", "metadata.name is missing")
    elif not isinstance(name, str) or not _NAME.fullmatch(name):
        yield _no("metadata.name", "metadata.name is no name that Kubernetes takes")
    if spot.kind in _SELECTED and not isinstance(mapping(spot.obj, "spec").get("selector"), dict):
        yield _no("spec.selector", "spec.selector is missing")


def containers(spot: Spot) -> Iterator[Hit]:
    """A pod has containers, with names of their own, and images."""
    found = (spot.pod or {}).get("containers")
    if not isinstance(found, list) or not found:
        yield _no(spot.at("containers"), "containers is no list of containers")
        return
    seen: set[Any] = set()
    for role in ("initContainers", "containers"):
        for place, one in numbered(spot.pod, role):
            name, at = one.get("name"), spot.at(f"{role}[{place}]")
            if not isinstance(name, str) or not _ENTRY.fullmatch(name):
                yield _no(f"{at}.name", "a container without a name that Kubernetes takes")
            elif name in seen:
                yield _no(f"{at}.name", "two containers of one name")
            else:
                seen.add(name)
            if not isinstance(one.get("image"), str) or not one["image"]:
                yield _no(f"{at}.image", "a container without an image")
            yield from _mounts(spot, one, at)


def _mounts(spot: Spot, container: dict[str, Any], at: str) -> Iterator[Hit]:
    volumes = {str(volume.get("name")) for _, volume in numbered(spot.pod, "volumes")}
    claims = mapping(spot.obj, "spec").get("volumeClaimTemplates")
    for claim in claims if isinstance(claims, list) else []:
        volumes.add(str(mapping(claim, "metadata").get("name")))
    paths: set[str] = set()
    for place, mount in numbered(container, "volumeMounts"):
        if str(mount.get("name")) not in volumes:
            yield _no(f"{at}.volumeMounts[{place}].name", "mounts a volume that the pod does not have")
        if (path := str(mount.get("mountPath"))) in paths:
            yield _no(f"{at}.volumeMounts[{place}].mountPath", "two mounts at one path")
        paths.add(path)


# Direction marks, invisible signs and control characters: the text reads other than it is (Unicode TR 36).
_HIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")


def may_hide(text: str) -> bool:
    """Whether a YAML text can hold such characters, as they are or escaped: a cheap first look."""
    return "\\" in text or _HIDDEN.search(text) is not None


def hidden(spot: Spot) -> Iterator[Hit]:
    """Characters that a reviewer does not see."""
    for path, text in _words(spot.obj, "") if spot.file.may_hide else ():
        if (not text.isascii() or not text.isprintable()) and (found := _HIDDEN.search(text)):
            says = f"holds the hidden character U+{ord(found[0]):04X}: it reads other than it is"
            yield Hit(path[:200], says, fixable=False)


def _words(value: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for key, item in value.items():
            below = f"{path}.{key}" if path else key
            yield path or "metadata", key
            yield from _words(item, below)
    elif isinstance(value, list):
        for place, item in enumerate(value):
            yield from _words(item, f"{path}[{place}]")


_FIX = "correct it: the API server refuses it"
CHECKS = (
    Check("invalid", "high", "practice", "object", _FIX, _SOURCE, identity),
    Check("invalid", "high", "practice", "pod", _FIX, _SOURCE, containers),
    Check(
        "hidden-characters",
        "high",
        "practice",
        "object",
        "write the text without them",
        "https://www.unicode.org/reports/tr36/",
        hidden,
    ),
)
