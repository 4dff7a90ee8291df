"""Which alerts are one incident: a forest of "this one is explained best by those".

Called by `clients.alarm_groups`. Each alert joins at most one tree, the one whose alerts explain it best: the
same place earlier, a place that it calls (errors climb from callee to caller, never down), a machine that it
stands on. Groups are the trees. Since an alert has one explanation and not several, two incidents that happen
at the same time stay two although their neighbourhoods touch; time alone, or "within one hop" in both
directions, hides one in the other. Measured by `evals.observability.alerts`. Pure: no clock, no I/O.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from math import exp

SAME_PLACE_S = 30 * 60.0  # another alert of the same place belongs to the same trouble
SAME_ALERT_S = 40 * 60.0  # the same alert again, while the trouble lasts
NEIGHBOUR_S = 15 * 60.0
EARLY_S = 5 * 60.0  # rules wait differently long: a caller's alert may precede its callee's
MACHINE_EARLY_S = 5 * 60.0  # … and a node's condition is often found out after its pods' troubles
MOST_HOPS = 3
PER_HOP = 0.55  # each call away halves, about, what a place explains
LAG_S = 90.0  # what a call away shows, it shows so much later
FADES_S = 6 * 60.0
PLACE_FADES_S = 15 * 60.0
ON_MACHINE, AT_CALLEE, AT_SAME, CALLER_OF_MACHINE, IN_SPACE = 1.5, 1.2, 1.0, 1.0, 0.3
LEAST = 0.02
LEADS = 4  # of a tree the strongest explanation leads; several of like strength outweigh a lone one

FLAP_STARTS, FLAP_SPAN_S, FLAP_GAP_S = 8, 24 * 3600.0, 20 * 60.0
FLAP_BURST, FLAP_BURST_S = 10, 3 * 3600.0


@dataclass(frozen=True, slots=True)
class Firing:
    """One alert that began to fire at `at_s`. `key`: the same for the same alert; `place`: where, a name of
    the topology. `climbs`: callers of the place may suffer from it and show alerts of this kind.
    """

    at_s: float
    key: str
    place: str
    climbs: bool = True


@dataclass(frozen=True, slots=True)
class Topology:
    """What stands where and calls whom. Places are any names.

    `calls`: caller to callees. `machines`: place to the machines it stands on (themselves places).
    `spaces`: place to its neighbourhood (a namespace), used only for places that no call names.
    """

    calls: Mapping[str, frozenset[str]] = field(default_factory=dict)
    machines: Mapping[str, frozenset[str]] = field(default_factory=dict)
    spaces: Mapping[str, str] = field(default_factory=dict)

    def reach(self, place: str) -> dict[str, int]:
        """The places that a place calls, directly or not, with the number of calls between."""
        found = {place: 0}
        edge = [place]
        for hops in range(1, MOST_HOPS + 1):
            edge = [one for near in edge for one in self.calls.get(near, ()) if one not in found]
            for one in edge:
                found.setdefault(one, hops)
        return found

    @property
    def called(self) -> frozenset[str]:
        """Every place that a call names."""
        return frozenset(self.calls).union(*self.calls.values())


def groups_of(firings: Sequence[Firing], topology: Topology) -> list[int]:
    """A group's number for each alert, which need not be in order of time; numbers begin with 0."""
    order = sorted(range(len(firings)), key=lambda at: firings[at].at_s)
    forest = _Forest([firings[at] for at in order], topology)
    roots = forest.roots()
    numbers: dict[int, int] = {}
    found = [0] * len(firings)
    for at, root in zip(order, roots, strict=True):
        found[at] = numbers.setdefault(root, len(numbers))
    return found


def flapping(firings: Sequence[Firing]) -> frozenset[str]:
    """The keys of alerts that come and go by themselves: eight separate times a day, or ten in three hours.

    Repeats within 20 minutes are one time: an alert may be sent again and again while one trouble lasts.
    """
    times: dict[str, list[float]] = defaultdict(list)
    for one in firings:
        times[one.key].append(one.at_s)
    return frozenset(key for key, at in times.items() if len(at) >= FLAP_STARTS and _flaps(sorted(at)))


def _flaps(at: Sequence[float]) -> bool:
    starts = [at[0], *(later for before, later in pairwise(at) if later - before > FLAP_GAP_S)]
    return _dense(starts, FLAP_STARTS, FLAP_SPAN_S) or _dense(at, FLAP_BURST, FLAP_BURST_S)


def _dense(at: Sequence[float], count: int, span_s: float) -> bool:
    return any(at[first + count - 1] - at[first] <= span_s for first in range(len(at) - count + 1))


class _Forest:
    """Alerts in order of time, and who explains whom."""

    def __init__(self, firings: Sequence[Firing], topology: Topology) -> None:
        self._firings, self._topology = firings, topology
        self._called = topology.called
        self._at = [one.at_s for one in firings]
        self._of_place = self._index(lambda one: one.place)
        self._times = {place: [self._at[at] for at in shelf] for place, shelf in self._of_place.items()}
        self._of_key = self._index(lambda one: one.key)
        self._of_space = self._index(lambda one: self._space(one.place))
        self._reach: dict[str, dict[str, int]] = {}
        self._parents = list(range(len(firings)))

    def _index(self, name: Callable[[Firing], str]) -> dict[str, list[int]]:
        found: dict[str, list[int]] = defaultdict(list)
        for at, one in enumerate(self._firings):
            if key := name(one):
                found[key].append(at)
        return found

    def _space(self, place: str) -> str:
        return "" if place in self._called else self._topology.spaces.get(place, "")

    def roots(self) -> list[int]:
        for at in range(len(self._firings)):
            self._parents[self._root(at)] = self._joined(at)
        return [self._root(at) for at in range(len(self._firings))]

    def _joined(self, at: int) -> int:
        """The root of the tree whose alerts together explain this one best; its own where none does."""
        weights: dict[int, float] = {}
        for weight, there in self._explanations(at):
            weights[there] = max(weight, weights.get(there, LEAST))
        trees: dict[int, float] = defaultdict(float)
        for there, weight in weights.items():
            if weight > LEAST:
                trees[self._root(there)] += weight**LEADS
        return max(trees, key=lambda root: (trees[root], root)) if trees else self._root(at)

    def _root(self, at: int) -> int:
        while self._parents[at] != at:
            self._parents[at] = self._parents[self._parents[at]]
            at = self._parents[at]
        return at

    def _explanations(self, at: int) -> Iterator[tuple[float, int]]:
        yield from self._same_place(at)
        yield from self._machine(at)
        if self._firings[at].climbs:
            yield from self._callees(at)
            yield from self._space_mates(at)

    def _same_place(self, at: int) -> Iterator[tuple[float, int]]:
        one = self._firings[at]
        shelves = ((self._of_place.get(one.place), SAME_PLACE_S), (self._of_key.get(one.key), SAME_ALERT_S))
        for shelf, within_s in shelves:
            before = _before(shelf, at)
            if before is not None and (passed_s := one.at_s - self._at[before]) <= within_s:
                yield AT_SAME * exp(-passed_s / PLACE_FADES_S), before

    def _machine(self, at: int) -> Iterator[tuple[float, int]]:
        """The place's machine; the other way round, a machine explains nothing of another."""
        one = self._firings[at]
        for machine in self._topology.machines.get(one.place, ()):
            for there in self._near(machine, one.at_s):
                passed_s = one.at_s - self._at[there]
                if -MACHINE_EARLY_S <= passed_s <= NEIGHBOUR_S and there != at:
                    yield ON_MACHINE * exp(-abs(passed_s) / PLACE_FADES_S), there

    def _callees(self, at: int) -> Iterator[tuple[float, int]]:
        one = self._firings[at]
        mine = self._topology.machines.get(one.place, frozenset())
        for place, hops in self._reached(one.place).items():
            if not hops:
                continue
            yield from self._later(at, place, AT_CALLEE * PER_HOP ** (hops - 1), hops)
            for machine in self._topology.machines.get(place, frozenset()) - mine:
                yield from self._later(at, machine, CALLER_OF_MACHINE * PER_HOP**hops, hops)

    def _space_mates(self, at: int) -> Iterator[tuple[float, int]]:
        """Where no call is known, what else fires in the namespace, earlier only."""
        one = self._firings[at]
        before = _before(self._of_space.get(self._space(one.place)), at)
        if before is not None and (passed_s := one.at_s - self._at[before]) <= NEIGHBOUR_S:
            yield IN_SPACE * exp(-passed_s / FADES_S), before

    def _later(self, at: int, place: str, weight: float, hops: int) -> Iterator[tuple[float, int]]:
        """Alerts of a place whose trouble would show here about now, most telling for `hops` lags ago."""
        one = self._firings[at]
        expected_s = one.at_s - LAG_S * hops
        for there in self._near(place, expected_s):
            passed_s = one.at_s - self._at[there]
            if -EARLY_S <= passed_s <= NEIGHBOUR_S:
                yield weight * exp(-abs(passed_s - LAG_S * hops) / FADES_S), there

    def _reached(self, place: str) -> dict[str, int]:
        """The places with alerts, or on machines with alerts, that a place calls."""
        if place not in self._reach:
            self._reach[place] = {
                name: hops for name, hops in self._topology.reach(place).items() if self._is_told(name)
            }
        return self._reach[place]

    def _is_told(self, place: str) -> bool:
        machines = self._topology.machines.get(place, ())
        return place in self._of_place or any(one in self._of_place for one in machines)

    def _near(self, place: str, at_s: float) -> Iterator[int]:
        """The alerts of a place around a moment: the last before it and the first after."""
        if shelf := self._of_place.get(place):
            after = bisect_left(self._times[place], at_s)
            yield from shelf[max(0, after - 1) : after + 1]


def _before(shelf: Sequence[int] | None, at: int) -> int | None:
    if not shelf:
        return None
    place = bisect_left(shelf, at)
    return shelf[place - 1] if place else None
