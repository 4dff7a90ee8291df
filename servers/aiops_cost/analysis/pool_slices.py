"""A cluster cut into what is bought together: each pool's nodes, the pods on them, what waits for them. Pure.

Called by `clients/compute_plan.py`. A pool is a NodePool, a node group, or the nodes of neither.
"""

import re
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from aiops_cost.analysis.fleet import FARGATE, Fleet, Node, Pod, Pool, Room
from aiops_cost.analysis.fleets import ZONE, may_stand
from aiops_cost.analysis.packing import allocatable
from aiops_cost.analysis.pod_rules import holds
from aiops_cost.models.prices import Shape
from aiops_shared.results.wording import quotable

TYPE, ARCH = "node.kubernetes.io/instance-type", "kubernetes.io/arch"
KARPENTER: Final = "karpenter.k8s.aws/instance-"
HOST: Final = "kubernetes.io/hostname"
# What a proposal changes, so that a pool's own words about them do not bind it.
CHANGED: Final = frozenset({TYPE, *(KARPENTER + word for word in ("category", "family", "size"))})
CATEGORIES: Final = ("c", "m", "r")  # two, four and eight GiB for a vCPU
_FAMILY = re.compile(r"([a-z]+?)(\d+)([a-z]*(?:-[a-z0-9]+)?)")
PER_NODE: Final = frozenset({"DaemonSet", "Node"})  # a Node owns its static pods
# EKS's advice for prefix delegation (EKS guide, "Assign more IP addresses"): 110, from 30 vCPU on 250.
PREFIXED_PODS, PREFIXED_PODS_LARGE, LARGE_CORES = 110, 250, 30


@dataclass(frozen=True, slots=True)
class PoolSlice:
    """One pool, its nodes, the pods that could move with it, and the DaemonSets' requests on each node."""

    name: str
    pool: Pool | None
    nodes: tuple[Node, ...]
    pods: tuple[Pod, ...]
    waiting: tuple[Pod, ...]
    daemons: Room

    @property
    def target(self) -> str:
        """How an answer names it."""
        return f"{self.pool.kind} {quotable(self.name)}" if self.pool else "nodes of no pool"

    @property
    def zones(self) -> tuple[str, ...]:
        """Where it stands."""
        return tuple(sorted({one.zone for one in self.nodes if one.zone}))

    @property
    def main_type(self) -> str:
        """The type that most of its nodes have."""
        counts = Counter(one.instance_type for one in self.nodes)
        return max(sorted(counts), key=lambda name: counts[name])

    @property
    def labels(self) -> dict[str, str]:
        """What all its nodes carry with the same value, the machine's own words left out."""
        first, *others = [one.labels for one in self.nodes]
        same = {key: value for key, value in first.items() if all(one.get(key) == value for one in others)}
        return {key: value for key, value in same.items() if not _of_machine(key)}

    @property
    def allocatable(self) -> Room:
        """All its nodes together."""
        rooms = [one.allocatable for one in self.nodes]
        return Room(sum(one.cores for one in rooms), sum(one.memory_bytes for one in rooms), 0)


def _of_machine(key: str) -> bool:
    return key.startswith(KARPENTER) or key in {TYPE, ZONE, HOST, "beta.kubernetes.io/instance-type"}


def slices(fleet: Fleet) -> tuple[PoolSlice, ...]:
    """Every pool that has nodes of EC2, the largest first."""
    by_pool: dict[str, list[Node]] = {}
    for node in fleet.nodes:
        if node.capacity_type != FARGATE and node.instance_type:
            by_pool.setdefault(node.pool, []).append(node)
    pools = {one.name: one for one in fleet.pools}
    order = sorted(by_pool, key=lambda name: (-len(by_pool[name]), name))
    waiting = _waiting(fleet, [(name, by_pool[name]) for name in order])
    on_node: dict[str, list[Pod]] = {}
    for pod in fleet.pods:
        on_node.setdefault(pod.node, []).append(pod)
    return tuple(
        _slice(name, pools.get(name), by_pool[name], on_node, waiting.get(name, [])) for name in order
    )


def _slice(
    name: str,
    pool: Pool | None,
    nodes: Sequence[Node],
    on_node: Mapping[str, Sequence[Pod]],
    waiting: Sequence[Pod],
) -> PoolSlice:
    there = [pod for node in nodes for pod in on_node.get(node.name, ())]
    each: dict[tuple[str, str, str], Room] = {}
    for pod in there:
        if pod.owner_kind in PER_NODE:
            key = pod.owner if pod.owner_kind == "DaemonSet" else (pod.namespace, "Node", _static(pod))
            known = each.get(key, Room(0, 0))
            each[key] = Room(
                max(known.cores, pod.requests.cores), max(known.memory_bytes, pod.requests.memory_bytes)
            )
    daemons = Room(
        sum(one.cores for one in each.values()), sum(one.memory_bytes for one in each.values()), len(each)
    )
    moving = tuple(pod for pod in there if pod.owner_kind not in PER_NODE)
    return PoolSlice(name, pool, tuple(nodes), (*moving, *waiting), tuple(waiting), daemons)


def _static(pod: Pod) -> str:
    """A static pod's name without its node's."""
    return pod.name.removesuffix(f"-{pod.node}")


def _waiting(fleet: Fleet, pools: Sequence[tuple[str, Sequence[Node]]]) -> dict[str, list[Pod]]:
    """Pods without a node, each with the largest pool on whose nodes it may stand."""
    found: dict[str, list[Pod]] = {}
    for pod in fleet.pods:
        if pod.node or pod.owner_kind in PER_NODE:
            continue
        for name, nodes in pools:
            if any(may_stand(pod, one.labels) and tolerates(pod, one.taints) for one in nodes):
                found.setdefault(name, []).append(pod)
                break
    return found


def tolerates(pod: Pod, taints: Collection[tuple[str, str, str]]) -> bool:
    """Whether taints let it in (component-helpers, scheduling/corev1, ToleratesTaint)."""
    return all(
        effect == "PreferNoSchedule" or any(_covers(one, key, value, effect) for one in pod.tolerations)
        for key, value, effect in taints
    )


def _covers(toleration: tuple[str, str, str, str], key: str, value: str, effect: str) -> bool:
    named, operator, wanted, how = toleration
    if (how and how != effect) or (named and named != key):
        return False
    return operator == "Exists" or (bool(named) and wanted == value)


def siblings(instance_type: str) -> tuple[str, ...]:
    """Families of the same generation and processor with less and with more memory: c5 -> c5, m5, r5.

    Other generations and makers of processors are other machines; they are another recommendation.
    """
    match = _FAMILY.fullmatch(instance_type.partition(".")[0])
    if match is None or match[1] not in CATEGORIES:
        return (instance_type.partition(".")[0],)
    return tuple(f"{category}{match[2]}{match[3]}" for category in CATEGORIES)


def labels_of(shape: Shape) -> dict[str, str]:
    """What Karpenter and the kubelet write on a node of this shape (karpenter.sh, well-known labels)."""
    match = _FAMILY.fullmatch(shape.family)
    found = {
        TYPE: shape.name,
        ARCH: shape.architecture,
        KARPENTER + "family": shape.family,
        KARPENTER + "size": shape.size,
        KARPENTER + "cpu": f"{shape.vcpus}",
        KARPENTER + "memory": f"{shape.memory_bytes // 2**20}",
        KARPENTER + "hypervisor": "nitro",
        "kubernetes.io/os": "linux",
    }
    if match is not None:
        found |= {KARPENTER + "category": match[1], KARPENTER + "generation": match[2]}
    return found


def allows(pool: Pool | None, labels: Mapping[str, str], but: Collection[str] = CHANGED) -> bool:
    """Whether a pool's requirements, but for those that a proposal changes, take nodes with these labels.

    A requirement about a label that is not known of the machine refuses it.
    """
    if pool is None:
        return True
    bound = {key: said for key, said in pool.requirements.items() if key not in but and key != ZONE}
    return all(
        holds(labels, (key, operator, values))
        for key, (operator, values) in bound.items()
        if key != "karpenter.sh/capacity-type"
    )


def capacity_of(shape: Shape, part: PoolSlice, known: Mapping[str, Shape]) -> Room:
    """What a node of this shape would say it has, as this pool's nodes differ from their own shapes."""
    return Room(
        float(shape.vcpus), shape.memory_bytes * memory_share(part, known), pods_of(shape, part, known)
    )


def memory_share(part: PoolSlice, known: Mapping[str, Shape]) -> float:
    """How much of a shape's memory its nodes see: the hypervisor and the kernel keep some."""
    shares = [
        node.capacity.memory_bytes / known[node.instance_type].memory_bytes
        for node in part.nodes
        if node.instance_type in known and known[node.instance_type].memory_bytes
    ]
    return min(1.0, *shares) if shares else 1.0


def pods_of(shape: Shape, part: PoolSlice, known: Mapping[str, Shape]) -> int:
    """Most pods of such a node: by its interfaces, more with prefix delegation, fewer where set so."""
    told = [
        (node.capacity.pods, known[node.instance_type].max_pods)
        for node in part.nodes
        if node.instance_type in known
    ]
    if told and all(has > by_interfaces for has, by_interfaces in told):
        return PREFIXED_PODS if shape.vcpus < LARGE_CORES else PREFIXED_PODS_LARGE
    lowered = [has for has, by_interfaces in told if 0 < has < by_interfaces]
    return min([shape.max_pods, *lowered])


def kept(part: PoolSlice) -> Room:
    """What its nodes reserve beyond EKS's formula: a kubelet set up by hand reserves more on new ones too."""
    more = [_more(node.capacity, node.allocatable) for node in part.nodes]
    return Room(
        max((one.cores for one in more), default=0.0), max((one.memory_bytes for one in more), default=0.0), 0
    )


def _more(capacity: Room, free: Room) -> Room:
    formula = allocatable(capacity)
    return Room(max(0.0, formula.cores - free.cores), max(0.0, formula.memory_bytes - free.memory_bytes), 0)


def stays(part: PoolSlice) -> tuple[str, ...]:
    """Rules of its pods that packing cannot judge."""
    return tuple(dict.fromkeys(rule for pod in part.pods for rule in pod.rules.unread))


def least_nodes(part: PoolSlice, budgets: Callable[[Pod], bool]) -> int:
    """One in each zone that it has now, and two where a budget or replicas ask for another place."""
    owners = Counter(pod.owner for pod in part.pods)
    several = any(owners[pod.owner] > 1 or budgets(pod) for pod in part.pods)
    return min(len(part.nodes), max(len(part.zones), 2 if several else 1, 1))
