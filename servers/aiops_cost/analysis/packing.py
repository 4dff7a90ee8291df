"""Whether pods fit on nodes: the scheduler's hard rules, without its preferences. Pure.

Called by `fleets.py`, which proposes no fleet that `pack` cannot fill. Rules as kube-scheduler's filters have
them (NodeResourcesFit, NodeAffinity by zone, VolumeZone, InterPodAffinity, PodTopologySpread, NodePorts).
What a node leaves for pods: `allocatable`, by the formula of EKS's own images.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from aiops_cost.analysis.fleet import Room

MIB: Final = 1024 * 1024
# amazon-eks-ami, nodeadm/internal/kubelet/config.go: getMemoryMebibytesToReserve, evictionHard.
RESERVED_MIB, RESERVED_MIB_PER_POD, EVICTION_MIB = 255, 11, 100
# The same file, getCPUMillicoresToReserve: of the first core, of the second, of the third and fourth.
CPU_SHARES: Final = ((1, 0.06), (1, 0.01), (2, 0.005))
CPU_SHARE_OF_THE_REST: Final = 0.0025
TINY: Final = 1e-6  # cores; sums of thousandths in floats


def max_pods(interfaces: int, addresses: int) -> int:
    """Pods that the VPC CNI has addresses for: each interface keeps one for itself, two pods need none.

    amazon-vpc-cni-k8s, scripts/gen_vpc_ip_limits.go; without prefix delegation, which only raises it.
    """
    return interfaces * (addresses - 1) + 2


def reserved_cores(cores: float) -> float:
    """What the kubelet and the system keep of so many cores."""
    left, kept = cores, 0.0
    for step, share in CPU_SHARES:
        kept += min(left, step) * share
        left = max(0.0, left - step)
    return kept + left * CPU_SHARE_OF_THE_REST


def allocatable(capacity: Room) -> Room:
    """What pods may request of a node of this capacity, its `pods` known."""
    kept = (RESERVED_MIB + RESERVED_MIB_PER_POD * capacity.pods + EVICTION_MIB) * MIB
    return Room(
        capacity.cores - reserved_cores(capacity.cores), max(0.0, capacity.memory_bytes - kept), capacity.pods
    )


@dataclass(frozen=True, slots=True)
class Spread:
    """A topology spread constraint (DoNotSchedule) over the pods of one `group`."""

    group: str
    by_zone: bool  # else by host
    max_skew: int


@dataclass(frozen=True, slots=True)
class Load:
    """A pod as packing sees it. `groups`: the sets of pods it counts in; it shares no host with one of
    `not_with`, no zone with one of `not_in_zone_with`. `spot`: it may stand on Spot capacity.
    """

    name: str
    cores: float
    memory_bytes: float
    zones: frozenset[str] = frozenset()  # empty: any
    groups: frozenset[str] = frozenset()
    not_with: frozenset[str] = frozenset()
    not_in_zone_with: frozenset[str] = frozenset()
    spreads: tuple[Spread, ...] = ()
    ports: frozenset[int] = frozenset()
    spot: bool = False


@dataclass(frozen=True, slots=True)
class Slot:
    """An empty node: what pods may request on it (its DaemonSets already taken off)."""

    zone: str
    room: Room
    spot: bool = False


@dataclass
class _Place:
    """What pods together did to a host or a zone."""

    groups: Counter[str] = field(default_factory=Counter)
    avoided: set[str] = field(default_factory=set)

    def takes(self, groups: frozenset[str], avoids: frozenset[str]) -> bool:
        return not (avoids & self.groups.keys()) and not (groups & self.avoided)

    def put(self, groups: frozenset[str], avoids: frozenset[str]) -> None:
        self.groups.update(groups)
        self.avoided |= avoids


@dataclass
class _Host(_Place):
    """A node being filled."""

    cores: float = 0.0
    memory: float = 0.0
    pods: int = 0
    ports: set[int] = field(default_factory=set)

    def has_room(self, load: Load) -> bool:
        roomy = self.pods >= 1 and self.cores + TINY >= load.cores and self.memory >= load.memory_bytes
        return roomy and not (load.ports & self.ports)


class Filling:
    """Nodes while pods are put on them; `scheduling.py` fills them in another order."""

    def __init__(self, slots: Sequence[Slot]) -> None:
        self.slots = slots
        self.hosts = [
            _Host(cores=one.room.cores, memory=one.room.memory_bytes, pods=one.room.pods) for one in slots
        ]
        self.zones = {slot.zone: _Place() for slot in slots}

    def takes(self, load: Load, at: int) -> bool:
        """Whether the hard rules allow it there now."""
        slot, host = self.slots[at], self.hosts[at]
        if (slot.spot and not load.spot) or (load.zones and slot.zone not in load.zones):
            return False
        if not host.has_room(load) or not host.takes(load.groups, load.not_with):
            return False
        if not self.zones[slot.zone].takes(load.groups, load.not_in_zone_with):
            return False
        return all(self._even(load, one, at) for one in load.spreads)

    def _even(self, load: Load, spread: Spread, at: int) -> bool:
        """PodTopologySpread: the domain's count with this pod, less the lowest, is within the skew."""
        if spread.by_zone:
            domains: list[_Place] = [
                place for zone, place in self.zones.items() if not load.zones or zone in load.zones
            ]
            mine: _Place = self.zones[self.slots[at].zone]
        else:
            domains, mine = [*self.hosts], self.hosts[at]
        lowest = min(place.groups[spread.group] for place in domains)
        return mine.groups[spread.group] + 1 - lowest <= spread.max_skew

    def put(self, load: Load, at: int) -> None:
        """It stands there from now on."""
        host = self.hosts[at]
        host.cores -= load.cores
        host.memory -= load.memory_bytes
        host.pods -= 1
        host.ports |= load.ports
        host.put(load.groups, load.not_with)
        self.zones[self.slots[at].zone].put(load.groups, load.not_in_zone_with)


def pack(loads: Sequence[Load], slots: Sequence[Slot]) -> tuple[int, ...] | None:
    """The slot of each load, or None when no order that is tried fits them all.

    First fit, decreasing by dominant share; then with the choosy pods first; then onto the emptiest. A None
    may be wrong (packing is hard), a placement never is: `holds` has looked at it.
    """
    if not loads:
        return ()
    if not slots or not _could(loads, slots):
        return None
    sizes = [_dominant(load, slots[0].room) for load in loads]
    by_size = sorted(range(len(loads)), key=lambda at: (-sizes[at], loads[at].name))
    choosy = sorted(by_size, key=lambda at: -_choosiness(loads[at]))
    for order, emptiest in ((by_size, False), (choosy, False), (choosy, True)):
        found = _filled(loads, slots, order, emptiest=emptiest)
        if found is not None and holds(loads, slots, found):
            return found
    return None


def _could(loads: Sequence[Load], slots: Sequence[Slot]) -> bool:
    """The bounds that need no trying: sums, and the largest pod."""
    cores, memory = sum(one.cores for one in loads), sum(one.memory_bytes for one in loads)
    have = [one.room for one in slots]
    return (
        cores <= sum(one.cores for one in have) + TINY
        and memory <= sum(one.memory_bytes for one in have)
        and len(loads) <= sum(one.pods for one in have)
    )


def _dominant(load: Load, room: Room) -> float:
    """The larger share of a node that it asks for."""
    return max(load.cores / max(room.cores, TINY), load.memory_bytes / max(room.memory_bytes, 1.0))


def _choosiness(load: Load) -> int:
    """How many rules bind it."""
    return sum(map(bool, (load.zones, load.not_with, load.not_in_zone_with, load.spreads, load.ports)))


def _filled(
    loads: Sequence[Load], slots: Sequence[Slot], order: Iterable[int], *, emptiest: bool
) -> tuple[int, ...] | None:
    filling, placed = Filling(slots), [-1] * len(loads)
    # Who may stand on Spot goes there first: on-demand room is for the others.
    first = sorted(range(len(slots)), key=lambda at: not slots[at].spot)
    for number in order:
        load = loads[number]
        turns = sorted(first, key=lambda at: -filling.hosts[at].memory) if emptiest else first
        at = next((one for one in turns if filling.takes(load, one)), None)
        if at is None:
            return None
        filling.put(load, at)
        placed[number] = at
    return tuple(placed)


def holds(loads: Sequence[Load], slots: Sequence[Slot], placed: Sequence[int]) -> bool:
    """Whether a placement keeps every rule, checked from the rules and not from how it was made."""
    hosts: dict[int, list[Load]] = {}
    zones: dict[str, list[Load]] = {}
    for load, at in zip(loads, placed, strict=True):
        hosts.setdefault(at, []).append(load)
        zones.setdefault(slots[at].zone, []).append(load)
        if (slots[at].spot and not load.spot) or (load.zones and slots[at].zone not in load.zones):
            return False
    return (
        all(_fits(slots[at].room, inside) for at, inside in hosts.items())
        and all(_apart(inside, [one.not_in_zone_with for one in inside]) for inside in zones.values())
        and all(_even(load, one, slots, hosts) for load, one in _spreads(loads))
    )


def _spreads(loads: Sequence[Load]) -> set[tuple[Load, Spread]]:
    """Every constraint once: pods of one group and the same zones share it."""
    found = {(one, load.zones): (load, one) for load in loads for one in load.spreads}
    return set(found.values())


def _even(load: Load, spread: Spread, slots: Sequence[Slot], hosts: Mapping[int, Sequence[Load]]) -> bool:
    """The fullest and the emptiest domain of a spread differ by its skew at most."""
    counts: Counter[str] = Counter()
    for at, slot in enumerate(slots):
        if not (spread.by_zone and load.zones and slot.zone not in load.zones):
            inside = sum(spread.group in one.groups for one in hosts.get(at, ()))
            counts[slot.zone if spread.by_zone else str(at)] += inside
    return max(counts.values()) - min(counts.values()) <= spread.max_skew


def _fits(room: Room, inside: Sequence[Load]) -> bool:
    ports = [port for one in inside for port in one.ports]
    return (
        sum(one.cores for one in inside) <= room.cores + TINY * len(inside)
        and sum(one.memory_bytes for one in inside) <= room.memory_bytes + 1.0
        and len(inside) <= room.pods
        and len(ports) == len(set(ports))
        and _apart(inside, [one.not_with for one in inside])
    )


def _apart(inside: Sequence[Load], avoided: Sequence[frozenset[str]]) -> bool:
    """No pod stands where another one of a group that it avoids stands."""
    present = Counter(group for one in inside for group in one.groups)
    for one, avoids in zip(inside, avoided, strict=True):
        if any(present[group] - (group in one.groups) > 0 for group in avoids):
            return False
    return True
