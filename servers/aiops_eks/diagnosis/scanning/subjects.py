"""Where in an object the pods and containers stand.

Called by every check and by the fixes, which write at the same places.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

Obj = dict[str, Any]

_POD_SPECS: dict[str, tuple[str, ...]] = {
    "Pod": ("spec",),
    "CronJob": ("spec", "jobTemplate", "spec", "template", "spec"),
    "PodTemplate": ("template", "spec"),
    **dict.fromkeys(
        ("Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "Job", "ReplicationController"),
        ("spec", "template", "spec"),
    ),
}
CONTAINER_LISTS = ("initContainers", "containers", "ephemeralContainers")


def mapping(obj: object, key: str) -> Obj:
    """A nested mapping, or an empty one that belongs to nobody."""
    found = obj.get(key) if isinstance(obj, dict) else None
    return found if isinstance(found, dict) else {}


def mappings(obj: object, key: str) -> list[Obj]:
    """The mappings of a nested list."""
    found = obj.get(key) if isinstance(obj, dict) else None
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


def ensured(obj: Obj, key: str) -> Obj:
    """A nested mapping, made when it is not there."""
    if not isinstance(obj.get(key), dict):
        obj[key] = {}
    found: Obj = obj[key]
    return found


@dataclass(frozen=True, slots=True)
class Spot:
    """One place that a check looks at: an object, its pod spec or one container."""

    obj: Obj
    path: str = ""
    pod: Obj | None = None
    container: Obj | None = None
    role: str = ""  # the list the container stands in

    @property
    def kind(self) -> str:
        """The object's kind."""
        return str(self.obj.get("kind", ""))

    @property
    def context(self) -> Obj:
        """The securityContext at this place."""
        return mapping(self.container if self.container is not None else self.pod, "securityContext")

    def effective(self, field: str) -> Any:
        """A securityContext field as the kubelet reads it: the container's, else the pod's."""
        own = mapping(self.container, "securityContext").get(field)
        return own if own is not None else mapping(self.pod, "securityContext").get(field)

    def at(self, tail: str) -> str:
        """A path below this place."""
        return f"{self.path}.{tail}" if self.path else tail


def identity(obj: Obj) -> str:
    """`Kind namespace/name`, as far as the manifest says it."""
    meta = mapping(obj, "metadata")
    name = str(meta.get("name") or meta.get("generateName") or "?")
    namespace = meta.get("namespace")
    return f"{obj.get('kind', '?')} {f'{namespace}/{name}' if namespace else name}"


def pod_spot(obj: Obj) -> Spot | None:
    """The pod spec of an object that makes pods."""
    path = _POD_SPECS.get(str(obj.get("kind", "")))
    if path is None:
        return None
    found: Any = obj
    for key in path:
        found = found.get(key) if isinstance(found, dict) else None
    return Spot(obj, ".".join(path), found) if isinstance(found, dict) else None


def container_spots(pod: Spot) -> Iterator[Spot]:
    """Every container of a pod spec."""
    for role in CONTAINER_LISTS:
        found = (pod.pod or {}).get(role)
        for place, item in enumerate(found if isinstance(found, list) else []):
            if isinstance(item, dict):
                yield Spot(pod.obj, f"{pod.path}.{role}[{place}]", pod.pod, item, role)


def flattened(documents: list[Obj]) -> list[Obj]:
    """The objects of a text, a List's items instead of the List."""
    found: list[Obj] = []
    for document in documents:
        is_list = str(document.get("kind", "")).endswith("List") and isinstance(document.get("items"), list)
        found.extend(mappings(document, "items") if is_list else [document])
    return found
