"""Whether a proposed fleet really holds the pods, and what it costs beside the usual rule of thumb.

Fleets, prices and pods are drawn; a packing of our own (best fit, largest first) and a scheduler of our own
(the emptiest node first, workloads in drawn orders) fill what was proposed. The baseline is the rule that the
issue forbids: as many nodes as the sum of requested vCPU and memory asks for, without what the kubelet keeps,
DaemonSets, the limit of pods, and pods that keep apart.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from random import Random

from aiops_cost.analysis.fleet import Pod, Room
from aiops_cost.analysis.fleets import Candidate, Demand, Fitted, by_use, cheapest
from aiops_cost.analysis.packing import max_pods
from aiops_cost.analysis.pod_rules import Apart, PodRules, Selector
from evals.figures import Row

GIB, FLEETS = 1024**3, 300
ARRIVALS = 5  # orders of a fleet's pods
ZONES = ("z1", "z2", "z3")
# cores, GiB, interfaces, addresses of each: of DescribeInstanceTypes
SHAPES = {
    "c.xlarge": (4, 8, 4, 15),
    "c.2xlarge": (8, 16, 4, 15),
    "c.4xlarge": (16, 32, 8, 30),
    "m.large": (2, 8, 3, 10),
    "m.xlarge": (4, 16, 4, 15),
    "m.2xlarge": (8, 32, 4, 15),
    "m.4xlarge": (16, 64, 8, 30),
    "r.large": (2, 16, 3, 10),
    "r.xlarge": (4, 32, 4, 15),
    "r.2xlarge": (8, 64, 4, 15),
    "r.4xlarge": (16, 128, 8, 30),
}
DAEMONS = Room(0.35, 0.6 * GIB, 5)


@dataclass(slots=True)
class Node:
    """A node of the simulation."""

    cores: float
    memory: float
    pods: int
    owners: Counter[str]


def rows(seed: int) -> list[Row]:
    """Feasible, and how dear."""
    held = proposed = filled = thumb_held = thumb_filled = 0
    dearer: list[float] = []
    bounds: list[float] = []
    for number in range(FLEETS):
        rng = Random(f"{seed}/{number}")
        candidates, demand = _drawn(rng)
        arrivals = [_arrival(demand, rng) for _ in range(ARRIVALS)]
        best = cheapest(candidates, demand, 10**15)
        thumb = _rule_of_thumb(candidates, demand)
        thumb_held += _holds(thumb, demand)
        thumb_filled += _fills(thumb, arrivals)
        if best is not None:
            proposed += 1
            fills = _fills(best, arrivals)
            filled += fills
            held += fills > 0 or _holds(best, demand)
            dearer.append(best.nano_per_hour / _least(candidates, demand, arrivals))
            bounds.append(best.nano_per_hour / _bound(candidates, demand))
    middle, worst = _middle_and_worst(dearer)
    sums, sums_worst = _middle_and_worst(bounds)
    share = filled / (ARRIVALS * proposed)
    return [
        Row(
            f"proposed fleets that hold every pod, of {proposed}",
            "100 %",
            f"{held / proposed:.1%}",
            held == proposed,
            baseline=f"{thumb_held / FLEETS:.1%}",
            note="Baseline: nodes by the sums of vCPU and memory alone.",
        ),
        Row(
            f"orders of arrival ({ARRIVALS} a fleet) in which a spreading scheduler places every pod",
            ">= 99 %",
            f"{share:.1%}",
            share >= 0.99,
            baseline=f"{thumb_filled / (ARRIVALS * FLEETS):.1%}",
            note="The evaluation's own scheduler (least allocated first) and orders. In the others Karpenter"
            " would buy one node more.",
        ),
        Row(
            "fleets proposed where one is possible",
            ">= 99 %",
            f"{proposed / FLEETS:.1%}",
            proposed >= 0.99 * FLEETS,
        ),
        Row(
            f"price beside the cheapest fleet that those {ARRIVALS} orders fill: median, 95th percentile",
            "<= 1.05, 1.35",
            f"{middle:.3f}, {worst:.3f}",
            middle <= 1.05 and worst <= 1.35,
            note=f"Beside what sums over allocatable ask for, which no scheduler reaches: {sums:.3f},"
            f" {sums_worst:.3f}.",
        ),
    ]


def _middle_and_worst(values: list[float]) -> tuple[float, float]:
    values.sort()
    return values[len(values) // 2], values[int(len(values) * 0.95)]


def _drawn(rng: Random) -> tuple[list[Candidate], Demand]:
    candidates = []
    for name, (cores, gib, interfaces, addresses) in SHAPES.items():
        usd = (0.03 * cores + 0.004 * gib) * rng.uniform(0.85, 1.15)
        room = Room(cores, gib * GIB, max_pods(interfaces, addresses))
        candidates.append(Candidate(name, room, round(usd * 10**9)))
    pods: list[Pod] = []
    for owner in range(rng.randint(3, 25)):
        replicas = rng.choice([1, 1, 2, 2, 3, 4, 6, 10])
        asked = rng.choice([0.05, 0.1, 0.25, 0.5, 1, 1.5])
        memory = rng.choice([0.125, 0.25, 0.5, 1, 2, 5]) * GIB
        apart = rng.random() < 0.15 and replicas <= 6
        rule = PodRules(apart=(Apart(Selector((("app", f"o{owner}"),)), by_zone=False),) if apart else ())
        pods += [_pod(f"o{owner}", at, Room(asked, memory, 1), rule) for at in range(replicas)]
    share = rng.uniform(0.2, 0.6)
    used = Room(
        share * sum(one.requests.cores for one in pods),
        share * sum(one.requests.memory_bytes for one in pods),
    )
    return candidates, Demand(tuple(pods), ZONES, used, 0.5, 0.65, DAEMONS, least_nodes=2, nodes_now=30)


def _pod(owner: str, at: int, need: Room, rule: PodRules) -> Pod:
    return Pod("shop", f"{owner}-{at}", "n", "Deployment", owner, need, labels={"app": owner}, rules=rule)


def _free(candidate: Candidate) -> Room:
    """What pods may request: the kubelet's share by the published formula, less the DaemonSets."""
    cores, pods = candidate.capacity.cores, candidate.capacity.pods
    kept = 0.06 + 0.01 * (cores >= 2) + 0.005 * min(2, max(0, cores - 2)) + 0.0025 * max(0, cores - 4)
    memory = candidate.capacity.memory_bytes - (255 + 11 * pods + 100) * 1024**2
    return Room(cores - kept - DAEMONS.cores, memory - DAEMONS.memory_bytes, pods - DAEMONS.pods)


def _holds(found: Fitted, demand: Demand) -> bool:
    """Best fit, largest first, and pods that keep apart on nodes of their own kind."""
    free = _free(found.candidate)
    nodes = [Node(free.cores, free.memory_bytes, free.pods, Counter()) for _ in range(found.nodes)]
    order = sorted(
        demand.pods,
        key=lambda one: (
            not one.rules.apart,
            -max(one.requests.cores / free.cores, one.requests.memory_bytes / free.memory_bytes),
        ),
    )
    return all(_placed(pod, nodes, free) for pod in order)


def _arrival(demand: Demand, rng: Random) -> list[Pod]:
    """Workload by workload, in an order that is drawn."""
    owners = sorted({one.owner_name for one in demand.pods})
    rng.shuffle(owners)
    turn = {name: at for at, name in enumerate(owners)}
    return sorted(demand.pods, key=lambda one: turn[one.owner_name])


def _fills(found: Fitted, arrivals: Sequence[Sequence[Pod]]) -> int:
    """In how many orders a scheduler that spreads finds a place for every pod."""
    return sum(_filled(found.candidate, found.nodes, one) for one in arrivals)


def _filled(candidate: Candidate, count: int, order: Sequence[Pod]) -> bool:
    free = _free(candidate)
    nodes = [Node(free.cores, free.memory_bytes, free.pods, Counter()) for _ in range(count)]
    return all(_placed(pod, nodes, free, spread=True) for pod in order)


def _least(candidates: Sequence[Candidate], demand: Demand, arrivals: Sequence[Sequence[Pod]]) -> int:
    """The price of the cheapest fleet of one type that the scheduler fills in every order."""
    best = 0
    for one in candidates:
        nodes = max(by_use(one, demand).nodes, 1)
        while nodes <= demand.most_nodes and not (best and nodes * one.nano_usd >= best):
            if all(_filled(one, nodes, order) for order in arrivals):
                best = nodes * one.nano_usd
                break
            nodes += 1
    return best


def _placed(pod: Pod, nodes: Sequence[Node], free: Room, *, spread: bool = False) -> bool:
    need, apart = pod.requests, bool(pod.rules.apart)
    fits = [
        node
        for node in nodes
        if node.cores + 1e-6 >= need.cores
        and node.memory >= need.memory_bytes
        and node.pods >= 1
        and not (apart and node.owners[pod.owner_name])
    ]
    if not fits:
        return False
    pick = max if spread else min  # the emptiest, or the best fit
    chosen = pick(fits, key=lambda node: node.cores / free.cores + node.memory / free.memory_bytes)
    chosen.cores -= need.cores
    chosen.memory -= need.memory_bytes
    chosen.pods -= 1
    chosen.owners[pod.owner_name] += 1
    return True


def _sums(demand: Demand) -> tuple[float, float]:
    return (
        sum(one.requests.cores for one in demand.pods),
        sum(one.requests.memory_bytes for one in demand.pods),
    )


def _rule_of_thumb(candidates: Sequence[Candidate], demand: Demand) -> Fitted:
    """The cheapest type by sums of requests over capacity."""
    cores, memory = _sums(demand)
    made = []
    for one in candidates:
        nodes = max(ceil(cores / one.capacity.cores), ceil(memory / one.capacity.memory_bytes), 1)
        made.append(Fitted(one, nodes, nodes, nodes, packed=False))
    return min(made, key=lambda one: one.nano_per_hour)


def _bound(candidates: Sequence[Candidate], demand: Demand) -> int:
    """No fleet of one type costs less."""
    cores, memory = _sums(demand)
    found = []
    for one in candidates:
        free = _free(one)
        nodes = max(
            ceil(cores / free.cores - 1e-9),
            ceil(memory / free.memory_bytes - 1e-9),
            ceil(len(demand.pods) / free.pods),
            demand.least_nodes,
        )
        found.append(nodes * one.nano_usd)
    return min(found)
