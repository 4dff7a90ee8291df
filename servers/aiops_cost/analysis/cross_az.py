"""Which Services make pods talk across zones, and how much of the bill for it is theirs.

The bill says what crossing costs, not who crosses. Who does is estimated from where pods stand: kube-proxy
picks any endpoint (kubernetes, pkg/proxy), unless the Service prefers its caller's zone
(`spec.trafficDistribution`), and then one of that zone where there is one. Called by the adviser of networks.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

PREFERS = frozenset({"PreferClose", "PreferSameZone", "PreferSameNode"})
TOPOLOGY_MODE = "service.kubernetes.io/topology-mode"


@dataclass(frozen=True, slots=True)
class Served:
    """A Service and the pods behind it, by zone. `bound`: they may not stand in other zones.

    `rate`: requests a second; None where nobody counts them.
    """

    namespace: str
    name: str
    owner_kind: str
    owner_name: str
    pods: Mapping[str, int]
    rate: float | None = None
    prefers: bool = False
    bound: bool = False

    @property
    def count(self) -> int:
        """Its pods."""
        return sum(self.pods.values())


def crossing(served: Served, callers: Mapping[str, float]) -> float:
    """The share of its requests that cross a zone, with so many callers in each zone (shares, sum 1)."""
    if not served.count:
        return 0.0
    if served.prefers:
        return sum(share for zone, share in callers.items() if not served.pods.get(zone))
    return 1.0 - sum(share * served.pods.get(zone, 0) / served.count for zone, share in callers.items())


def improved(served: Served, callers: Mapping[str, float]) -> float:
    """The share that still crosses when its pods stand in as many zones as they can and prefer their own.

    Those that may not move stay; a Service with fewer pods than zones serves the zones with most callers.
    """
    if served.bound:
        zones = set(served.pods)
    else:
        zones = set(sorted(callers, key=lambda zone: (-callers[zone], zone))[: served.count])
    return sum(share for zone, share in callers.items() if zone not in zones)


def concentrated(served: Served, zones: Iterable[str]) -> bool:
    """All pods in one zone, though there are others and nothing binds them to it."""
    return served.count >= 2 and len(served.pods) == 1 and len(set(zones)) >= 2 and not served.bound


@dataclass(frozen=True, slots=True)
class Crossing:
    """A Service's part of the traffic between zones: shares of its requests now and then, of the bill."""

    served: Served
    callers: Mapping[str, float]
    now: float
    then: float
    part: float

    def saved(self, nano_usd: int) -> int:
        """What of a bill it would not cause any more."""
        return round(nano_usd * self.part * (1 - self.then / self.now)) if self.now else 0


def crossings(
    found: Sequence[Served], callers_of: Callable[[Served], Mapping[str, float]]
) -> tuple[Crossing, ...]:
    """Every Service's part, largest first. Requests weigh alike; where none are counted, pods do."""
    counted = any(one.rate for one in found)
    made = []
    for one in found:
        callers = callers_of(one)
        rate = (one.rate or 0.0) if counted else float(one.count)
        now, then = crossing(one, callers), improved(one, callers)
        made.append(Crossing(one, callers, now, then, rate * now))
    whole = sum(one.part for one in made)
    parts = [replace(one, part=one.part / whole if whole else 0.0) for one in made]
    return tuple(sorted(parts, key=lambda one: (-one.part, one.served.namespace, one.served.name)))


def shares(zones: Iterable[str]) -> dict[str, float]:
    """How things are spread over zones; sums to 1."""
    found = Counter(zone for zone in zones if zone)
    whole = sum(found.values())
    return {zone: count / whole for zone, count in sorted(found.items())}
