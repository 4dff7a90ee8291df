"""What freed requests are worth: their share of the nodes' price, and the nodes that they let go.

Two numbers, since they differ. The share says what the room costs while it is held; money is saved when nodes
go, and whole nodes go only when the pods on them fit elsewhere. A node's price is shared out between CPU and
memory as AWS does it for split cost allocation data: a vCPU weighs nine times a GiB (Cost and Usage Report
guide, "Understanding split cost allocation data"). Called by the advisers of requests and autoscaling.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from aiops_cost.analysis.fleet import FARGATE, Fleet, Node, Pod, Room
from aiops_cost.models.money import HOURS_PER_MONTH

CPU_OVER_GIB: Final = 9.0
GIB: Final = 2**30
Owner = tuple[str, str, str]  # namespace, kind, name


@dataclass(frozen=True, slots=True)
class RoomPrice:
    """What a core and a GiB of memory cost an hour, billionths."""

    core: float
    gib: float

    def monthly(self, cores: float, memory_bytes: float) -> int:
        """A month of so much room, billionths."""
        return round((cores * self.core + memory_bytes / GIB * self.gib) * HOURS_PER_MONTH)


def room_price(nano_hour: int, capacity: Room) -> RoomPrice:
    """The price of a node, shared out over its cores and its memory."""
    weights = CPU_OVER_GIB * capacity.cores + capacity.memory_bytes / GIB
    if weights <= 0:
        return RoomPrice(0.0, 0.0)
    return RoomPrice(CPU_OVER_GIB * nano_hour / weights, nano_hour / weights)


def mean_price(nodes: Sequence[Node], prices: Mapping[str, int]) -> RoomPrice | None:
    """Of several nodes by their number; None where none of them has a known price (billionths an hour)."""
    found = [room_price(prices[one.name], one.capacity) for one in nodes if one.name in prices]
    if not found:
        return None
    return RoomPrice(sum(one.core for one in found) / len(found), sum(one.gib for one in found) / len(found))


def resized(fleet: Fleet, freed: Mapping[Owner, Room]) -> Fleet:
    """The fleet with each pod of some workloads asking for so much less."""
    pods = tuple(_less(pod, freed.get(pod.owner)) for pod in fleet.pods)
    return replace(fleet, pods=pods)


def _less(pod: Pod, freed: Room | None) -> Pod:
    if freed is None:
        return pod
    held = pod.requests
    room = Room(
        max(0.0, held.cores - freed.cores), max(0.0, held.memory_bytes - freed.memory_bytes), held.pods
    )
    return replace(pod, requests=room)


def emptied(fleet: Fleet, prices: Mapping[str, int]) -> tuple[Node, ...]:
    """Nodes whose pods all fit on the others, one after another, the emptiest first.

    What consolidation does (Karpenter, "Consolidation": deletion). Pods keep to node selectors, taints and
    zones, and one that may not be evicted, or that needs more than we know of, keeps its node. Pods on nodes
    that run alone (DaemonSets, mirrors) go with theirs. A node without a known price stays.
    """
    held: dict[str, list[Pod]] = {}
    for pod in fleet.pods:
        held.setdefault(pod.node, []).append(pod)
    left = {one.name: _Left(one, held.get(one.name, [])) for one in fleet.nodes}
    gone: list[Node] = []
    order = sorted(left.values(), key=lambda one: (one.filled(), one.node.name))
    for one in order:
        if one.node.name in prices and one.node.capacity_type != FARGATE and _moved(one, left):
            del left[one.node.name]
            gone.append(one.node)
    return tuple(gone)


def attributable(
    fleet: Fleet, freed: Mapping[Owner, Room], prices: Mapping[str, int]
) -> tuple[tuple[Node, ...], int]:
    """The nodes that go because of the freed room and their price a month, billionths: those that could go
    before it are not its merit.
    """
    before, after = emptied(fleet, prices), emptied(resized(fleet, freed), prices)
    more = sum(prices[one.name] for one in after) - sum(prices[one.name] for one in before)
    if more <= 0:
        return (), 0
    return after[len(before) :] or after, more * HOURS_PER_MONTH


class _Left:
    """A node and how much of it is taken."""

    def __init__(self, node: Node, pods: Sequence[Pod]) -> None:
        self.node, self.pods = node, list(pods)
        self.cores = sum(pod.requests.cores for pod in pods)
        self.memory_bytes = sum(pod.requests.memory_bytes for pod in pods)
        self.count = len(pods)

    def filled(self) -> float:
        room = self.node.allocatable
        return max(self.cores / max(room.cores, 1e-9), self.memory_bytes / max(room.memory_bytes, 1.0))

    def takes(self, pod: Pod) -> bool:
        room = self.node.allocatable
        return (
            self.cores + pod.requests.cores <= room.cores + 1e-9
            and self.memory_bytes + pod.requests.memory_bytes <= room.memory_bytes
            and (not room.pods or self.count < room.pods)
            and all(self.node.labels.get(key) == value for key, value in pod.node_selector.items())
            and (not pod.wants_zones or self.node.zone in pod.wants_zones)
            and all(_tolerated(taint, pod) for taint in self.node.taints if taint[2] != "PreferNoSchedule")
        )

    def hold(self, pod: Pod, sign: int = 1) -> None:
        self.cores += sign * pod.requests.cores
        self.memory_bytes += sign * pod.requests.memory_bytes
        self.count += sign


def _tolerated(taint: tuple[str, str, str], pod: Pod) -> bool:
    """core/v1 Toleration.ToleratesTaint."""
    key, value, effect = taint
    return any(
        (not whose or whose == key)
        and (not when or when == effect)
        and (operator == "Exists" or bool(whose and what == value))
        for whose, operator, what, when in pod.tolerations
    )


def _moved(one: _Left, left: Mapping[str, _Left]) -> bool:
    """Whether all that must move found a place; then it is there."""
    moving = [pod for pod in one.pods if pod.owner_kind not in {"DaemonSet", "Node"}]
    if not all(pod.evictable for pod in moving):
        return False
    others = [other for other in left.values() if other is not one]
    placed: list[tuple[_Left, Pod]] = []
    largest_first = sorted(
        moving, key=lambda pod: (pod.requests.cores, pod.requests.memory_bytes), reverse=True
    )
    for pod in largest_first:
        place = next((other for other in others if other.takes(pod)), None)
        if place is None:
            for where, moved in placed:
                where.hold(moved, -1)
            return False
        place.hold(pod)
        placed.append((place, pod))
    for where, moved in placed:
        where.pods.append(moved)
    return True
