"""A cluster's nodes counted: what each is, how it does, and what of it is asked for.

Called by the view of nodes with node objects, and with the requests of pods by node. Pure, and an object may
be misshapen (T14). One small record per node is kept, so thousands of nodes cost little.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from aiops_eks.diagnosis.quantities import millicores, whole_bytes
from aiops_eks.models.fields import (
    Obj,
    conditions_of,
    items,
    labels_of,
    moment,
    name_of,
    parsed,
    part,
    text,
    word,
)

ZONE = "topology.kubernetes.io/zone"
INSTANCE_TYPE = "node.kubernetes.io/instance-type"
COMPUTE_TYPE = "eks.amazonaws.com/compute-type"
NODE_GROUP = "eks.amazonaws.com/nodegroup"
NODE_POOL = "karpenter.sh/nodepool"
# Conditions of the EKS node monitoring agent (EKS guide, "Node health"): False is bad.
AGENT = frozenset(
    {"AcceleratedHardwareReady", "ContainerRuntimeReady", "KernelReady", "NetworkingReady", "StorageReady"}
)
PRESSURE = frozenset({"MemoryPressure", "DiskPressure", "PIDPressure"})
_MINOR = re.compile(r"v?1\.(\d{1,3})")


@dataclass(frozen=True, slots=True)
class Trouble:
    """A condition that is not as it should be. `agent`: said by the node monitoring agent."""

    condition: str
    reason: str
    message: str
    since: datetime | None
    agent: bool = False


@dataclass(frozen=True, slots=True)
class NodeSeen:
    """One node."""

    name: str
    zone: str
    instance_type: str
    run_by: str  # karpenter default | node group x | auto mode x | fargate | hybrid | self-managed
    market: str  # on-demand | spot | capacity-block | reserved
    version: str  # the kubelet's
    ready: bool
    troubles: tuple[Trouble, ...]
    cordoned: bool
    cordoned_at: datetime | None
    cordoned_by: str
    taints: tuple[str, ...]
    cpu_m: int
    memory: int
    pods: int
    agent: bool  # the monitoring agent reports on it

    @property
    def group(self) -> tuple[str, str, str, str]:
        """What it is counted with."""
        return self.zone, self.run_by, self.market, self.instance_type

    @property
    def badness(self) -> tuple[int, ...]:
        """Worst first when sorted downwards."""
        pressed = sum(one.condition in PRESSURE for one in self.troubles)
        return (not self.ready, pressed, len(self.troubles), self.cordoned)

    @property
    def well(self) -> bool:
        """Ready, without trouble, and open to pods."""
        return self.ready and not self.troubles and not self.cordoned


@dataclass(slots=True)
class Asked:
    """What pods ask of one node."""

    cpu_m: int = 0
    memory: int = 0
    pods: int = 0


@dataclass(slots=True)
class Group:
    """Nodes of a kind."""

    nodes: int = 0
    unwell: int = 0
    cordoned: int = 0
    cpu_m: int = 0
    memory: int = 0
    pods: int = 0
    asked: Asked = field(default_factory=Asked)


def seen_node(node: Obj) -> NodeSeen:
    """What matters of one node object."""
    labels, spec = labels_of(node), part(node, "spec")
    conditions = conditions_of(node)
    room = part(node, "status", "allocatable")
    cordoned = spec.get("unschedulable") is True
    at, by = _cordon(node) if cordoned else (None, "")
    return NodeSeen(
        name=name_of(node),
        zone=labels.get(ZONE, ""),
        instance_type=labels.get(INSTANCE_TYPE, ""),
        run_by=_run_by(labels),
        market=_market(labels),
        version=text(node, "status", "nodeInfo", "kubeletVersion"),
        ready=text(conditions.get("Ready", {}), "status") == "True",
        troubles=tuple(_troubles(conditions)),
        cordoned=cordoned,
        cordoned_at=at,
        cordoned_by=by,
        taints=tuple(text(one, "key") for one in items(spec, "taints") if text(one, "key") != _CORDON),
        cpu_m=millicores(room.get("cpu")) or 0,
        memory=whole_bytes(room.get("memory")) or 0,
        pods=whole_bytes(room.get("pods")) or 0,
        agent=not AGENT.isdisjoint(conditions),
    )


_CORDON = "node.kubernetes.io/unschedulable"


def _run_by(labels: Mapping[str, str]) -> str:
    kind = labels.get(COMPUTE_TYPE, "")
    if kind in {"fargate", "hybrid"}:
        return kind
    if kind == "auto":
        return f"auto mode {labels.get(NODE_POOL, '')}".strip()
    if NODE_POOL in labels:
        return f"karpenter {labels[NODE_POOL]}"
    return f"node group {labels[NODE_GROUP]}" if NODE_GROUP in labels else "self-managed"


def _market(labels: Mapping[str, str]) -> str:
    found = labels.get("karpenter.sh/capacity-type") or labels.get("eks.amazonaws.com/capacityType", "")
    return found.lower().replace("_", "-")


def _troubles(conditions: Mapping[str, Obj]) -> Iterable[Trouble]:
    for name, each in conditions.items():
        status = text(each, "status")
        good = "True" if name.endswith("Ready") else "False"
        if status and status != good:
            yield Trouble(
                word({"type": name}, "type"),
                word(each, "reason"),
                text(each, "message"),
                moment(each, "lastTransitionTime"),
                agent=name in AGENT,
            )


def _cordon(node: Obj) -> tuple[datetime | None, str]:
    """Since when and by what client: the taint's time, else the field's owner."""
    taint = next((one for one in items(node, "spec", "taints") if text(one, "key") == _CORDON), {})
    for owner in items(node, "metadata", "managedFields"):
        if "f:unschedulable" in part(owner, "fieldsV1", "f:spec"):
            return moment(taint, "timeAdded") or parsed(text(owner, "time")), text(owner, "manager")
    return moment(taint, "timeAdded"), ""


def add_pod(asked: dict[str, Asked], pod: Obj) -> None:
    """Add what a pod asks for to its node: the larger of its containers together and each init container.

    As the scheduler counts (k8s.io/component-helpers/resource, PodRequests); sidecars count as containers.
    """
    node = text(pod, "spec", "nodeName")
    if not node or text(pod, "status", "phase") in {"Succeeded", "Failed"}:
        return
    spec = part(pod, "spec")
    cpu, memory = _sums(items(spec, "containers"))
    inits = items(spec, "initContainers")
    side_cpu, side_memory = _sums(one for one in inits if text(one, "restartPolicy") == "Always")
    firsts = [_request(one) for one in inits if text(one, "restartPolicy") != "Always"]
    found = asked.setdefault(node, Asked())
    over = part(spec, "overhead")
    found.cpu_m += max([cpu + side_cpu, *(each[0] for each in firsts)]) + (millicores(over.get("cpu")) or 0)
    found.memory += max([memory + side_memory, *(each[1] for each in firsts)]) + (
        whole_bytes(over.get("memory")) or 0
    )
    found.pods += 1


def _sums(containers: Iterable[Obj]) -> tuple[int, int]:
    pairs = [_request(one) for one in containers]
    return sum(pair[0] for pair in pairs), sum(pair[1] for pair in pairs)


def _request(container: Obj) -> tuple[int, int]:
    wants = part(container, "resources", "requests")
    return millicores(wants.get("cpu")) or 0, whole_bytes(wants.get("memory")) or 0


def grouped(nodes: Iterable[NodeSeen], asked: Mapping[str, Asked]) -> dict[tuple[str, str, str, str], Group]:
    """Nodes by zone, what runs them, market and type; the largest groups first."""
    found: defaultdict[tuple[str, str, str, str], Group] = defaultdict(Group)
    for node in nodes:
        _add(found[node.group], node, asked.get(node.name, Asked()))
    return dict(sorted(found.items(), key=lambda pair: (-pair[1].nodes, pair[0])))


def merged(groups: Iterable[Group]) -> Group:
    """Several groups as one: what no table has room for."""
    total = Group()
    for one in groups:
        for name in ("nodes", "unwell", "cordoned", "cpu_m", "memory", "pods"):
            setattr(total, name, getattr(total, name) + getattr(one, name))
        for name in ("cpu_m", "memory", "pods"):
            setattr(total.asked, name, getattr(total.asked, name) + getattr(one.asked, name))
    return total


def _add(group: Group, node: NodeSeen, asked: Asked) -> None:
    group.nodes += 1
    group.unwell += not node.ready or bool(node.troubles)
    group.cordoned += node.cordoned
    group.cpu_m += node.cpu_m
    group.memory += node.memory
    group.pods += node.pods
    group.asked.cpu_m += asked.cpu_m
    group.asked.memory += asked.memory
    group.asked.pods += asked.pods


def versions(nodes: Iterable[NodeSeen], control_plane: str) -> list[tuple[str, int, int | None]]:
    """Kubelet version, nodes, and how many minors it is behind the control plane (None: not known)."""
    counted = Counter(node.version for node in nodes)
    plane = minor(control_plane)

    def behind(version: str) -> int | None:
        own = minor(version)
        return plane - own if plane is not None and own is not None else None

    found = [(version, count, behind(version)) for version, count in counted.items()]
    return sorted(found, key=lambda row: (-(row[2] or 0), row[0]))


def minor(version: str) -> int | None:
    """The minor of `1.35` or `v1.35.0-eks-1`; None for anything else."""
    match = _MINOR.match(version)
    return int(match[1]) if match else None


def by_condition(nodes: Iterable[NodeSeen]) -> dict[tuple[str, str], list[tuple[NodeSeen, Trouble]]]:
    """Condition and reason -> the nodes that have it."""
    found: defaultdict[tuple[str, str], list[tuple[NodeSeen, Trouble]]] = defaultdict(list)
    for node in nodes:
        for one in node.troubles:
            found[one.condition, one.reason].append((node, one))
    return dict(sorted(found.items(), key=lambda pair: -len(pair[1])))
