"""The cheapest nodes of one type that hold a pool's pods: by what is used, and by what is requested. Pure.

Decision D33: what is used, over the target, must fit the nodes' *capacity*; and the pods' requests must pack
onto what is *allocatable*, with their rules, on at least as many nodes as they need to stay apart. Called by
`clients/advice_compute.py` and its kin.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil
from typing import Final

from aiops_cost.analysis.fleet import Pod, Room
from aiops_cost.analysis.packing import Load, Slot, Spread, allocatable, pack
from aiops_cost.analysis.pod_rules import Selector, holds
from aiops_cost.analysis.scheduling import schedules

NOTHING: Final = Room(0, 0, 0)
ZONE: Final = "topology.kubernetes.io/zone"
# Use is measured with noise, and the targets are policy: half a hundredth does not buy another node.
SLACK: Final = 0.005
# How far above the first guess a fleet is tried, before its type is given up.
TRIES: Final = 12
# Many small nodes cost addresses, DaemonSets and watching that no price list shows.
MOST_GROWTH: Final = 2
GIB: Final = 1024**3


@dataclass(frozen=True, slots=True)
class Candidate:
    """An instance type that might be bought. `nano_usd`: an hour on demand; `labels`: of its nodes."""

    name: str
    capacity: Room
    nano_usd: int
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def family(self) -> str:
        """`r5` of r5.2xlarge."""
        return self.name.partition(".")[0]


@dataclass(frozen=True, slots=True)
class Demand:
    """What a pool must hold. `daemons`: the DaemonSets' requests on each node; `kept`: what its nodes reserve
    beyond EKS's formula. Without a measured use only packing decides, and `used` is None.
    """

    pods: tuple[Pod, ...]
    zones: tuple[str, ...]
    used: Room | None
    cpu_target: float
    memory_target: float
    daemons: Room = NOTHING
    kept: Room = NOTHING
    least_nodes: int = 1
    nodes_now: int = 1

    @property
    def most_nodes(self) -> int:
        """No fleet has more."""
        return max(MOST_GROWTH * self.nodes_now, self.least_nodes, 1)

    @property
    def cores_needed(self) -> float:
        """Capacity that brings the CPU to its target."""
        return self.used.cores / self.cpu_target if self.used else 0.0

    @property
    def memory_needed(self) -> float:
        """Capacity that brings the memory to its target, bytes."""
        return self.used.memory_bytes / self.memory_target if self.used else 0.0


@dataclass(frozen=True, slots=True)
class Fitted:
    """So many nodes of a type. `by_*`: what each rule alone asks for; `packed`: the pods were put on them."""

    candidate: Candidate
    nodes: int
    by_cpu: int
    by_memory: int
    packed: bool

    @property
    def nano_per_hour(self) -> int:
        """All of them, on demand."""
        return self.nodes * self.candidate.nano_usd


def room_for_pods(capacity: Room, demand: Demand) -> Room:
    """What pods may request on a node, its DaemonSets and what this cluster reserves besides taken off."""
    free = allocatable(capacity)
    return Room(
        free.cores - demand.daemons.cores - demand.kept.cores,
        free.memory_bytes - demand.daemons.memory_bytes - demand.kept.memory_bytes,
        free.pods - demand.daemons.pods,
    )


def by_use(candidate: Candidate, demand: Demand) -> Fitted:
    """How many nodes what is used asks for; not packed yet."""
    capacity = candidate.capacity
    cpu = _nodes(demand.cores_needed, capacity.cores)
    memory = _nodes(demand.memory_needed, capacity.memory_bytes)
    return Fitted(candidate, max(cpu, memory, demand.least_nodes, 1), cpu, memory, packed=False)


def _nodes(need: float, each: float) -> int:
    return ceil(need * (1 - SLACK) / each) if each > 0 else 0


def slots_of(room: Room, nodes: int, demand: Demand, spot: int = 0) -> tuple[Slot, ...]:
    """Nodes dealt over the zones, those that pods are bound to first; the last `spot` of them are Spot."""
    bound: dict[str, int] = dict.fromkeys(demand.zones, 0)
    for pod in demand.pods:
        for zone in pod.wants_zones:
            if zone in bound:
                bound[zone] += 1
    order = sorted(bound, key=lambda zone: (-bound[zone], zone)) or [""]
    return tuple(Slot(order[at % len(order)], room, at >= nodes - spot) for at in range(nodes))


def fitted(candidate: Candidate, demand: Demand, most: int) -> Fitted | None:
    """The fewest nodes of this type, at most `most`, that use and packing both allow; None for none."""
    first = by_use(candidate, demand)
    loads = loads_of(demand, candidate.labels)
    if loads is None:
        return None
    room = room_for_pods(candidate.capacity, demand)
    begin = max(first.nodes, _by_sums(loads, room))
    for nodes in range(begin, min(most, begin + TRIES) + 1):
        slots = slots_of(room, nodes, demand)
        if pack(loads, slots) is not None and schedules(loads, slots):
            return Fitted(candidate, nodes, first.by_cpu, first.by_memory, packed=True)
    return None


def _by_sums(loads: Sequence[Load], room: Room) -> int:
    """No fewer nodes can hold the sums; what has no room for anything needs more than there are."""
    if room.cores <= 0 or room.memory_bytes <= 0 or room.pods <= 0:
        return 1
    cores = sum(one.cores for one in loads) / room.cores
    memory = sum(one.memory_bytes for one in loads) / room.memory_bytes
    return max(1, ceil(max(cores, memory) - 1e-9), ceil(len(loads) / room.pods))


def cheapest(candidates: Iterable[Candidate], demand: Demand, below_nano: int) -> Fitted | None:
    """The cheapest fleet of one type that costs less than `below_nano` an hour; None when there is none.

    Types are tried by the least they could cost, so the first that no rest can undercut is the answer. At the
    same price the number of nodes nearest to now wins: a node that is lost takes as much with it as today.
    """
    guesses = sorted((by_use(one, demand) for one in candidates), key=lambda one: (one.nano_per_hour,))
    best: Fitted | None = None
    for guess in guesses:
        bound = best.nano_per_hour if best else below_nano - 1
        if guess.nano_per_hour > bound:
            break
        most = min(bound // max(guess.candidate.nano_usd, 1), demand.most_nodes)
        found = fitted(guess.candidate, demand, most) if guess.nodes <= most else None
        if found is not None and (best is None or _rank(found, demand) < _rank(best, demand)):
            best = found
    return best


def _rank(found: Fitted, demand: Demand) -> tuple[int, int, int, str]:
    return (
        found.nano_per_hour,
        abs(found.nodes - demand.nodes_now),
        found.nodes,
        found.candidate.name,
    )


def loads_of(
    demand: Demand, labels: Mapping[str, str], spot: Callable[[Pod], bool] = lambda _: False
) -> tuple[Load, ...] | None:
    """The pods as packing sees them on nodes with these labels; None when one may stand on no such node."""
    groups = _Groups(demand.pods)
    made: list[Load] = []
    for pod in demand.pods:
        zones = [zone for zone in demand.zones or ("",) if may_stand(pod, {**labels, ZONE: zone})]
        if not zones:
            return None
        bound = frozenset(zones) if len(zones) < len(demand.zones) else frozenset()
        made.append(groups.load(pod, bound, spot=spot(pod)))
    return tuple(made)


def may_stand(pod: Pod, labels: Mapping[str, str]) -> bool:
    """Whether its node selector, its required affinity and its volumes allow a node with these labels."""
    if any(labels.get(key) != value for key, value in pod.node_selector.items()):
        return False
    if pod.wants_zones and labels.get(ZONE) not in pod.wants_zones:
        return False
    terms = pod.rules.terms
    return not terms or any(all(holds(labels, one) for one in term) for term in terms)


class _Groups:
    """The sets of pods that the rules of others speak of, by namespace and selector."""

    def __init__(self, pods: Sequence[Pod]) -> None:
        self._names: dict[tuple[str, Selector], str] = {}
        for pod in pods:
            selectors = [one.selector for one in pod.rules.apart] + [one.selector for one in pod.rules.even]
            for selector in selectors:
                self._names.setdefault((pod.namespace, selector), f"{len(self._names)}")

    def load(self, pod: Pod, zones: frozenset[str], *, spot: bool) -> Load:
        space, rules = pod.namespace, pod.rules
        mine = {name for (home, one), name in self._names.items() if home == space and one.fits(pod.labels)}
        return Load(
            name=f"{space}/{pod.name}",
            cores=pod.requests.cores,
            memory_bytes=pod.requests.memory_bytes,
            zones=zones,
            groups=frozenset(mine),
            not_with=frozenset(self._names[space, one.selector] for one in rules.apart if not one.by_zone),
            not_in_zone_with=frozenset(
                self._names[space, one.selector] for one in rules.apart if one.by_zone
            ),
            spreads=tuple(
                Spread(self._names[space, one.selector], one.by_zone, one.max_skew) for one in rules.even
            ),
            ports=frozenset(rules.ports),
            spot=spot,
        )
