"""Whether a proposed fleet really holds the pods, and what it costs beside the usual rule of thumb.

Fleets, prices and pods are drawn; a packing of our own (best fit, largest first) fills what was proposed. The
baseline is the rule that the issue forbids: as many nodes as the sum of requested vCPU and memory asks for,
without what the kubelet keeps, DaemonSets, the limit of pods, and pods that keep apart.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from random import Random

from aiops_cost.analysis.fleet import Pod, Room
from aiops_cost.analysis.fleets import Candidate, Demand, Fitted, cheapest
from aiops_cost.analysis.packing import max_pods
from aiops_cost.analysis.pod_rules import Apart, PodRules, Selector
from evals.figures import Row

GIB, FLEETS = 1024**3, 300
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
    held = proposed = thumb_held = 0
    dearer: list[float] = []
    for number in range(FLEETS):
        rng = Random(f"{seed}/{number}")
        candidates, demand = _drawn(rng)
        best = cheapest(candidates, demand, 10**15)
        thumb = _rule_of_thumb(candidates, demand)
        thumb_held += _holds(thumb, demand)
        if best is not None:
            proposed += 1
            held += _holds(best, demand)
            bound = _bound(candidates, demand)
            dearer.append(best.nano_per_hour / bound)
    dearer.sort()
    middle, worst = dearer[len(dearer) // 2], dearer[int(len(dearer) * 0.95)]
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
            "fleets proposed where one is possible",
            ">= 99 %",
            f"{proposed / FLEETS:.1%}",
            proposed >= 0.99 * FLEETS,
        ),
        Row(
            "price beside the lower bound of any fleet of one type: median, 95th percentile",
            "<= 1.05, 1.35",
            f"{middle:.3f}, {worst:.3f}",
            middle <= 1.05 and worst <= 1.35,
            note="The bound counts sums over what is allocatable; no packing reaches it always.",
        ),
    ]


def _drawn(rng: Random) -> tuple[list[Candidate], Demand]:
    candidates = []
    for name, (cores, gib, interfaces, addresses) in SHAPES.items():
        usd = (0.03 * cores + 0.004 * gib) * rng.uniform(0.85, 1.15)
        room = Room(cores, gib * GIB, max_pods(interfaces, addresses))
        candidates.append(Candidate(name, room, round(usd * 10**9)))
    pods: list[Pod] = []
    for owner in range(rng.randint(3, 25)):
        replicas = rng.choice([1, 1, 2, 2, 3, 4, 6, 10])
        cores, memory = (
            rng.choice([0.05, 0.1, 0.25, 0.5, 1, 1.5]),
            rng.choice([0.125, 0.25, 0.5, 1, 2, 5]) * GIB,
        )
        apart = rng.random() < 0.15 and replicas <= 6
        rule = PodRules(apart=(Apart(Selector((("app", f"o{owner}"),)), by_zone=False),) if apart else ())
        pods += [_pod(f"o{owner}", at, Room(cores, memory, 1), rule) for at in range(replicas)]
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


def _placed(pod: Pod, nodes: Sequence[Node], free: Room) -> bool:
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
    chosen = min(fits, key=lambda node: node.cores / free.cores + node.memory / free.memory_bytes)
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
