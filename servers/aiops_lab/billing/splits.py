"""What each pod of the world held of its node over a span: the base of split costs and of OpenCost's answer.

By reservation alone, as AWS splits where usage is not measured ("Example of split cost allocation data").
Pods that are gone are in no store, so they are in no file. Written apart from the product's own allocation.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from aiops_lab.instance_types import TYPES
from aiops_lab.resources import quantity, requested

Obj = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Machine:
    """One node: its instance type's size, and since when it stands."""

    name: str
    instance: str
    kind: str
    spot: bool
    cores: float
    memory_gib: float  # of the type, not what a kubelet sees
    seen_bytes: float  # what the kubelet sees
    born: datetime

    def hours(self, since: datetime, until: datetime) -> float:
        """Of a span."""
        return hours_of(self.born, since, until)


@dataclass(frozen=True, slots=True)
class Held:
    """One pod: what it asks for, and since when it runs on its machine."""

    namespace: str
    name: str
    uid: str
    owner_kind: str
    owner: str
    deployment: str
    machine: Machine
    cores: float
    memory_bytes: float
    born: datetime

    def hours(self, since: datetime, until: datetime) -> float:
        """Of a span."""
        return hours_of(self.born, since, until)


def machines(nodes: Iterable[Obj]) -> Iterator[Machine]:
    """The nodes that stand."""
    for node in nodes:
        labels, capacity = node["metadata"]["labels"], node["status"]["capacity"]
        kind = labels["node.kubernetes.io/instance-type"]
        yield Machine(
            node["metadata"]["name"],
            node["spec"]["providerID"].rpartition("/")[2],
            kind,
            labels.get("karpenter.sh/capacity-type") == "spot",
            quantity(capacity["cpu"]),
            TYPES[kind].memory_gib if kind in TYPES else quantity(capacity["memory"]) / 2**30,
            quantity(capacity["memory"]),
            datetime.fromisoformat(node["metadata"]["creationTimestamp"]),
        )


def held(pods: Iterable[Obj], found: Iterable[Machine]) -> Iterator[Held]:
    """The pods that run."""
    by_name = {one.name: one for one in found}
    for pod in pods:
        about, spec, status = pod["metadata"], pod["spec"], pod.get("status") or {}
        machine = by_name.get(spec.get("nodeName") or "")
        if machine is None or status.get("phase") != "Running":
            continue
        owner = next(iter(about.get("ownerReferences") or ()), {"kind": "", "name": ""})
        digest = about.get("labels", {}).get("pod-template-hash", "")
        of_deployment = owner["kind"] == "ReplicaSet" and digest
        yield Held(
            about["namespace"],
            about["name"],
            about["uid"],
            owner["kind"],
            owner["name"],
            owner["name"].removesuffix(f"-{digest}") if of_deployment else "",
            machine,
            requested(spec, "cpu"),
            requested(spec, "memory"),
            datetime.fromisoformat(status.get("startTime") or about["creationTimestamp"]),
        )


def hours_of(born: datetime, since: datetime, until: datetime) -> float:
    """Of a span, what something lived that is still there."""
    return max(0.0, (until - max(since, born)).total_seconds()) / 3600
