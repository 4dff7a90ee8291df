"""A lab's world as it stands, to be laid into a real API server: every stored object, once."""

from dataclasses import dataclass
from typing import Any

from aiops_lab.kube.resources import Resource
from aiops_lab.run import Lab

Obj = dict[str, Any]
# What the API server makes or serves itself; a Lease says nothing that a diagnosis reads.
_NOT_LOADED = frozenset({"Lease", "PodMetrics", "NodeMetrics", "APIService", "ComponentStatus"})
# Definitions before their objects, names before what lies in them; what others refuse by comes last.
_FIRST = (
    "CustomResourceDefinition",
    "Namespace",
    "StorageClass",
    "PriorityClass",
    "Node",
    "PersistentVolume",
)


@dataclass(frozen=True, slots=True)
class Recorded:
    """One object with the kind that serves it."""

    resource: Resource
    obj: Obj


def recorded(lab: Lab) -> list[Recorded]:
    """Every object of the lab's store, in an order in which a server takes them."""
    found: list[Recorded] = []
    seen: set[str] = set()
    for resource in lab.store.registry.all():
        if resource.storage in seen or resource.kind in _NOT_LOADED or "create" not in resource.verbs:
            continue
        seen.add(resource.storage)
        found.extend(Recorded(resource, obj) for obj in lab.store.select(resource))
    return sorted(found, key=_order)


def _order(one: Recorded) -> int:
    kind = one.resource.kind
    return _FIRST.index(kind) if kind in _FIRST else len(_FIRST)
