"""Where in an object the pods and containers stand.

Called by every check and by the fixes, which write at the same places.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
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


def numbered(obj: object, key: str) -> Iterator[tuple[int, Obj]]:
    """The mappings of a nested list with their places in it."""
    found = obj.get(key) if isinstance(obj, dict) else None
    for place, item in enumerate(found if isinstance(found, list) else []):
        if isinstance(item, dict):
            yield place, item


def texts(obj: object, key: str) -> list[str]:
    """The words of a nested list."""
    found = obj.get(key) if isinstance(obj, dict) else None
    return [str(item) for item in found] if isinstance(found, list) else []


def ensured(obj: Obj, key: str) -> Obj:
    """A nested mapping, made when it is not there."""
    if not isinstance(obj.get(key), dict):
        obj[key] = {}
    found: Obj = obj[key]
    return found


@dataclass(frozen=True)
class Together:
    """The objects that were sent together: what one says of another can be checked."""

    objects: tuple[Obj, ...] = ()
    may_hide: bool = True  # whether the text could hold characters that nobody sees

    @cached_property
    def _by_kind(self) -> dict[tuple[str, str], list[Obj]]:
        found: dict[tuple[str, str], list[Obj]] = {}
        for obj in self.objects:
            found.setdefault((str(obj.get("kind")), namespace_of(obj)), []).append(obj)
        return found

    def of(self, kind: str, namespace: str) -> list[Obj]:
        """The objects of a kind in a namespace."""
        return self._by_kind.get((kind, namespace), [])

    def named(self, kind: str, namespace: str, name: object) -> Obj | None:
        """One object by name."""
        return next((one for one in self.of(kind, namespace) if name_of(one) == name), None)

    @cached_property
    def first_of_namespace(self) -> dict[str, Obj]:
        """The first object with pods of each namespace."""
        found: dict[str, Obj] = {}
        for obj in self.objects:
            if str(obj.get("kind")) in _POD_SPECS:
                found.setdefault(namespace_of(obj), obj)
        return found


ALONE = Together()


@dataclass(frozen=True, slots=True)
class Spot:
    """One place that a check looks at: an object, its pod spec or one container."""

    obj: Obj
    path: str = ""
    pod: Obj | None = None
    container: Obj | None = None
    role: str = ""  # the list the container stands in
    file: Together = ALONE
    about: Obj | None = None  # metadata of the pod
    about_path: str = ""

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

    @property
    def windows(self) -> bool:
        """Whether the pod says that it runs on Windows, where Linux settings may not be set."""
        return mapping(self.pod, "os").get("name") == "windows"

    def at(self, tail: str) -> str:
        """A path below this place."""
        return f"{self.path}.{tail}" if self.path else tail


def identity(obj: Obj) -> str:
    """`Kind namespace/name`, as far as the manifest says it."""
    meta = mapping(obj, "metadata")
    name = str(meta.get("name") or meta.get("generateName") or "?")
    namespace = meta.get("namespace")
    return f"{obj.get('kind', '?')} {f'{namespace}/{name}' if namespace else name}"


def name_of(obj: Obj) -> str:
    """metadata.name, as text."""
    return str(mapping(obj, "metadata").get("name") or "")


def namespace_of(obj: Obj) -> str:
    """metadata.namespace, empty when the manifest leaves it to who applies it."""
    return str(mapping(obj, "metadata").get("namespace") or "")


def labels_of(about: object) -> Obj:
    """The labels of a metadata."""
    return mapping(about, "labels")


def covers(selector: object, labels: Obj) -> bool:
    """Whether a LabelSelector's matchLabels hold; expressions are not judged and count as holding."""
    wanted = mapping(selector, "matchLabels")
    return all(labels.get(key) == value for key, value in wanted.items())


def pod_spot(obj: Obj, file: Together = ALONE) -> Spot | None:
    """The pod spec of an object that makes pods."""
    path = _POD_SPECS.get(str(obj.get("kind", "")))
    if path is None:
        return None
    found: Any = obj
    above: Any = obj
    for key in path:
        above, found = found, found.get(key) if isinstance(found, dict) else None
    if not isinstance(found, dict):
        return None
    about_path = ".".join((*path[:-1], "metadata"))
    return Spot(
        obj, ".".join(path), found, file=file, about=mapping(above, "metadata"), about_path=about_path
    )


def container_spots(pod: Spot) -> Iterator[Spot]:
    """Every container of a pod spec."""
    for role in CONTAINER_LISTS:
        found = (pod.pod or {}).get(role)
        for place, item in enumerate(found if isinstance(found, list) else []):
            if isinstance(item, dict):
                path = f"{pod.path}.{role}[{place}]"
                yield Spot(pod.obj, path, pod.pod, item, role, pod.file, pod.about, pod.about_path)
