"""A cluster as costs see it: nodes, pods, pools. Plain facts, read by `clients`, reasoned about here.

Quantities: cores, bytes. `used_*` are means over the window that was asked about, None where nobody measured.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

ON_DEMAND, SPOT = "on-demand", "spot"


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
    capacity_type: str  # on-demand | spot
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


@dataclass(frozen=True, slots=True)
class Pool:
    """A Karpenter NodePool or an EKS node group. `requirements`: key -> (operator, values)."""

    name: str
    kind: str  # NodePool | Nodegroup
    requirements: Mapping[str, tuple[str, tuple[str, ...]]] = field(default_factory=dict)
    cpu_limit: float = 0.0
    labels: Mapping[str, str] = field(default_factory=dict)
    taints: tuple[tuple[str, str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Fleet:
    """A cluster at a moment, with usage over a window."""

    nodes: tuple[Node, ...]
    pods: tuple[Pod, ...]
    pools: tuple[Pool, ...] = ()
