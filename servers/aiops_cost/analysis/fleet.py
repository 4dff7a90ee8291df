"""A cluster as costs see it: nodes, pods, pools. Plain facts, read by `clients`, reasoned about here.

Quantities: cores, bytes. `used_*` are means over the window that was asked about, None where nobody measured.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from aiops_cost.analysis.pod_rules import NO_RULES, PodRules

ON_DEMAND, SPOT, FARGATE = "on-demand", "spot", "fargate"


@dataclass(frozen=True, slots=True)
class Room:
    """So many cores, bytes of memory and pods."""

    cores: float
    memory_bytes: float
    pods: int = 0


@dataclass(frozen=True, slots=True)
class Node:
    """One worker. `hours`: how long it stood within the window."""

    name: str
    instance_type: str
    zone: str
    capacity_type: str  # on-demand | spot | fargate
    pool: str  # NodePool or node group; empty: neither
    capacity: Room
    allocatable: Room
    architecture: str = "amd64"
    hours: float = 0.0
    labels: Mapping[str, str] = field(default_factory=dict)
    taints: tuple[tuple[str, str, str], ...] = ()  # key, value, effect
    used_cores: float | None = None
    used_memory_bytes: float | None = None
    instance_id: str = ""


@dataclass(frozen=True, slots=True)
class Pod:
    """One pod that holds room on a node, or waits for one (`node` empty)."""

    namespace: str
    name: str
    node: str
    owner_kind: str  # Deployment, StatefulSet, DaemonSet, Job, …; Pod for one without an owner
    owner_name: str
    requests: Room  # what the scheduler counts: containers, init containers, overhead
    memory_limit_bytes: float = 0.0
    cpu_limit_cores: float = 0.0
    used_cores: float | None = None
    used_memory_bytes: float | None = None
    hours: float = 0.0
    labels: Mapping[str, str] = field(default_factory=dict)
    node_selector: Mapping[str, str] = field(default_factory=dict)
    tolerations: tuple[tuple[str, str, str, str], ...] = ()  # key, operator, value, effect
    images: tuple[str, ...] = ()
    priority: int = 0
    evictable: bool = True  # no local storage, not mirrored, karpenter.sh/do-not-disrupt absent
    wants_zones: tuple[str, ...] = ()  # zones its volumes or affinity bind it to; empty: any
    claims: tuple[str, ...] = ()  # PersistentVolumeClaims it mounts, in its namespace
    rules: PodRules = NO_RULES

    @property
    def owner(self) -> tuple[str, str, str]:
        """Namespace, kind and name of its workload."""
        return self.namespace, self.owner_kind, self.owner_name


@dataclass(frozen=True, slots=True)
class Pool:
    """A Karpenter NodePool or an EKS node group. `requirements`: key -> (operator, values)."""

    name: str
    kind: str  # NodePool | Nodegroup
    requirements: Mapping[str, tuple[str, tuple[str, ...]]] = field(default_factory=dict)
    cpu_limit: float = 0.0
    labels: Mapping[str, str] = field(default_factory=dict)
    taints: tuple[tuple[str, str, str], ...] = ()
    node_class: str = ""


@dataclass(frozen=True, slots=True)
class Volume:
    """A PersistentVolume. `namespace` and `claim` are empty for one that nothing claims."""

    name: str
    namespace: str
    claim: str
    storage_class: str
    size_bytes: float
    volume_id: str = ""  # vol-… of EBS, or the driver's handle
    zones: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Budget:
    """A PodDisruptionBudget: which pods it covers and how many of them may go now."""

    namespace: str
    name: str
    labels: Mapping[str, str]  # of its selector's matchLabels
    expressions: tuple[tuple[str, str, tuple[str, ...]], ...] = ()  # key, operator, values
    allowed: int = 0

    def covers(self, pod: Pod) -> bool:
        """Whether its selector fits; an empty selector fits every pod of the namespace (policy/v1)."""
        if pod.namespace != self.namespace:
            return False
        named = all(pod.labels.get(key) == value for key, value in self.labels.items())
        return named and all(_holds(pod.labels, *one) for one in self.expressions)


def _holds(labels: Mapping[str, str], key: str, operator: str, values: tuple[str, ...]) -> bool:
    match operator:
        case "In":
            return labels.get(key) in values
        case "NotIn":
            return labels.get(key) not in values
        case "Exists":
            return key in labels
        case _:
            return key not in labels


@dataclass(frozen=True, slots=True)
class Fleet:
    """A cluster at a moment, with usage over a window.

    `pods` hold room or wait for it; `finished` ended within the window but still stand in the API, `gone`
    are known from metrics alone (their `node` is empty).
    """

    nodes: tuple[Node, ...]
    pods: tuple[Pod, ...]
    pools: tuple[Pool, ...] = ()
    volumes: tuple[Volume, ...] = ()
    budgets: tuple[Budget, ...] = ()
    finished: tuple[Pod, ...] = ()
    gone: tuple[Pod, ...] = ()
