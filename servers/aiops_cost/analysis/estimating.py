"""What pods cost before they run: the free room that takes them, the nodes that must be bought. Pure.

Two answers, since they differ: what the next bill shows (room that is free costs nothing more, a node that is
bought costs all of its hours) and what the room is worth that is taken from others (its share of the cheapest
node that the cluster would buy for it). A node's price is shared out over what pods may request on it.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil

from aiops_cost.analysis.fleet import FARGATE, Fleet, Node, Pod, Room
from aiops_cost.analysis.fleets import (
    GIB,
    ZONE,
    Candidate,
    Demand,
    Fitted,
    fitted,
    may_stand,
    room_for_pods,
)
from aiops_cost.analysis.freed_room import RoomPrice, emptied, room_price
from aiops_cost.analysis.pool_slices import PER_NODE, tolerates
from aiops_cost.models.money import HOURS_PER_MONTH, NANO

TINY = 1e-9
Owner = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the arithmetic, billionths a month. None: it is no part of that sum."""

    item: str
    now: int | None
    room: int | None
    how: str


@dataclass(frozen=True, slots=True)
class Market:
    """What one pool may buy. `spot`: the prices are Spot's."""

    pool: str
    candidates: tuple[Candidate, ...]
    zones: tuple[str, ...]
    daemons: Room
    kept: Room
    labels: Mapping[str, str]
    taints: tuple[tuple[str, str, str], ...] = ()
    spot: bool = False

    def demand(self, pods: Sequence[Pod]) -> Demand:
        """These pods as its nodes would have to hold them; by their requests alone."""
        return Demand(tuple(pods), self.zones, None, 1.0, 1.0, self.daemons, self.kept)


@dataclass(frozen=True, slots=True)
class Bought:
    """The cheapest nodes that hold some pods."""

    market: Market
    fitted: Fitted

    @property
    def monthly(self) -> int:
        """All of them, billionths."""
        return self.fitted.nano_per_hour * HOURS_PER_MONTH

    @property
    def words(self) -> str:
        """`2 x c5.4xlarge (pool default, Spot)`."""
        spot = ", Spot" if self.market.spot else ""
        pool = f"pool {self.market.pool}" if self.market.pool else "no pool"
        return f"{self.fitted.nodes} x {self.fitted.candidate.name} ({pool}{spot})"

    def room_price(self) -> RoomPrice:
        """What a core and a GiB cost that pods may request there."""
        candidate = self.fitted.candidate
        return room_price(candidate.nano_usd, room_for_pods(candidate.capacity, self.market.demand(())))


def bought(markets: Iterable[Market], pods: Sequence[Pod]) -> Bought | None:
    """The cheapest fleet of one type of one pool that holds all the pods; None when no pool takes them."""
    best: Bought | None = None
    for market in markets:
        if not all(tolerates(pod, market.taints) for pod in pods):
            continue
        found = _cheapest(market, pods, best.fitted.nano_per_hour if best else None)
        best = Bought(market, found) if found is not None else best
    return best


def _cheapest(market: Market, pods: Sequence[Pod], below: int | None) -> Fitted | None:
    """The cheapest of one pool that undercuts `below`; of equal ones the one with fewer nodes.

    Types are tried by what their sums cost at least, so that the first that no rest can undercut is found.
    """
    demand, asked = market.demand(pods), room_of(pods)
    least = sorted(
        (nodes * one.nano_usd, nodes, one.name, one)
        for one in market.candidates
        if (nodes := _at_least(room_for_pods(one.capacity, demand), asked))
    )
    best: Fitted | None = None
    for bound, _, _, one in least:
        known = best.nano_per_hour if best else below
        if known is not None and bound >= known:
            break
        found = fitted(one, demand, len(pods))
        if found is not None and (known is None or found.nano_per_hour < known):
            best = found
    return best


def _at_least(room: Room, asked: Room) -> int:
    """No fewer nodes with so much room hold so much; 0 when a node has no room at all."""
    if room.cores <= 0 or room.memory_bytes <= 0 or room.pods <= 0:
        return 0
    shares = (asked.cores / room.cores, asked.memory_bytes / room.memory_bytes, asked.pods / room.pods)
    return max(1, ceil(max(shares) - TINY))


def without(fleet: Fleet, owners: Collection[Owner]) -> Fleet:
    """The fleet as if these workloads' pods were gone."""
    return replace(fleet, pods=tuple(pod for pod in fleet.pods if pod.owner not in owners))


class FreeRoom:
    """What is left on the nodes, as pods are put there. Pods that wait for room already take theirs first."""

    def __init__(self, fleet: Fleet) -> None:
        held: dict[str, list[Pod]] = {}
        for pod in fleet.pods:
            held.setdefault(pod.node, []).append(pod)
        self._nodes = [
            _Node(one, held.get(one.name, ())) for one in fleet.nodes if one.capacity_type != FARGATE
        ]
        self.placed: list[Pod] = []
        self.put([pod for pod in held.get("", []) if pod.owner_kind not in PER_NODE])
        self.placed.clear()

    def put(self, pods: Iterable[Pod]) -> tuple[Pod, ...]:
        """Put pods on nodes, the largest first; those that find no room are given back."""
        largest_first = sorted(pods, key=lambda pod: (-pod.requests.cores, -pod.requests.memory_bytes))
        return tuple(pod for pod in largest_first if not self._one(pod))

    def _one(self, pod: Pod) -> bool:
        found = next((node for node in self._nodes if node.takes(pod)), None)
        if found is not None:
            found.hold(pod)
            self.placed.append(replace(pod, node=found.node.name))
        return found is not None


class _Node:
    """A node and what is taken of it."""

    def __init__(self, node: Node, pods: Iterable[Pod]) -> None:
        self.node = node
        self.pods = list(pods)
        self.cores = sum(one.requests.cores for one in self.pods)
        self.memory = sum(one.requests.memory_bytes for one in self.pods)

    def takes(self, pod: Pod) -> bool:
        room = self.node.allocatable
        return (
            self.cores + pod.requests.cores <= room.cores + TINY
            and self.memory + pod.requests.memory_bytes <= room.memory_bytes
            and (not room.pods or len(self.pods) < room.pods)
            and tolerates(pod, self.node.taints)
            and may_stand(pod, {**self.node.labels, ZONE: self.node.zone})
            and not self._apart(pod)
        )

    def _apart(self, pod: Pod) -> bool:
        """A host port that is taken, or a required anti-affinity on the host, either way round."""
        taken = {port for one in self.pods for port in one.rules.ports}
        return bool(taken & set(pod.rules.ports)) or any(
            _avoids(pod, one) or _avoids(one, pod) for one in self.pods
        )

    def hold(self, pod: Pod) -> None:
        self.pods.append(pod)
        self.cores += pod.requests.cores
        self.memory += pod.requests.memory_bytes


def _avoids(one: Pod, other: Pod) -> bool:
    same_space = one.namespace == other.namespace
    return same_space and any(
        rule.selector.fits(other.labels) for rule in one.rules.apart if not rule.by_zone
    )


def let_go(before: Fleet, after: Fleet, prices: Mapping[str, int]) -> tuple[tuple[Node, ...], int]:
    """Nodes that could go because of a change, and their price a month (billionths, negative)."""
    then, now = emptied(before, prices), emptied(after, prices)
    saved = sum(prices[one.name] for one in now) - sum(prices[one.name] for one in then)
    if saved <= 0:
        return (), 0
    names = {one.name for one in then}
    return tuple(one for one in now if one.name not in names), -saved * HOURS_PER_MONTH


def room_of(pods: Sequence[Pod]) -> Room:
    """What pods request together."""
    return Room(
        sum(one.requests.cores for one in pods), sum(one.requests.memory_bytes for one in pods), len(pods)
    )


def held(pods: Sequence[Pod], price: RoomPrice) -> int:
    """What the pods' room is worth a month, billionths."""
    room = room_of(pods)
    return price.monthly(room.cores, room.memory_bytes)


def how_held(before: Sequence[Pod], after: Sequence[Pod], price: RoomPrice) -> str:
    """The arithmetic of `held` in a line."""
    was, will = room_of(before), room_of(after)
    cores, gib = will.cores - was.cores, (will.memory_bytes - was.memory_bytes) / GIB
    return (
        f"({cores:+g} cores x ${price.core / NANO:.6f} {gib:+g} GiB x ${price.gib / NANO:.6f})"
        f" x {HOURS_PER_MONTH} h"
    )


def totals(lines: Sequence[Line]) -> tuple[int, int]:
    """Both sums, exact."""
    return sum(one.now or 0 for one in lines), sum(one.room or 0 for one in lines)
