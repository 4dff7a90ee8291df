"""The cheapest fleet: F8's table, and random fleets and prices against every fleet there is."""

from dataclasses import replace
from math import ceil
from random import Random

import pytest

from aiops_cost.analysis.fleet import Pod, Room
from aiops_cost.analysis.fleets import Candidate, Demand, Fitted, by_use, cheapest
from aiops_cost.analysis.packing import allocatable
from aiops_cost.analysis.pod_rules import Apart, PodRules, Selector
from aiops_cost.models.money import nano, shown

GIB = 1024**3
ZONES = ("us-east-1a", "us-east-1b", "us-east-1c")
BOOK = {
    "c5.4xlarge": (16, 32, 234, "0.68"),
    "r5.2xlarge": (8, 64, 58, "0.504"),
    "m5.xlarge": (4, 16, 58, "0.192"),
    "m5.2xlarge": (8, 32, 58, "0.384"),
    "m5.4xlarge": (16, 64, 234, "0.768"),
}


def candidate(name: str, cores: int, gib: float, pods: int, usd: str) -> Candidate:
    return Candidate(name, Room(cores, gib * GIB, pods), nano(usd))


def pod(number: int, cores: float, memory: float, owner: str = "web", **more: object) -> Pod:
    made = Pod(
        "shop", f"{owner}-{number}", "n", "Deployment", owner, Room(cores, memory, 1), labels={"app": owner}
    )
    return replace(made, **more)  # type: ignore[arg-type]  # fields of Pod by name


def spike(pods: tuple[Pod, ...] = ()) -> Demand:
    return Demand(pods, ZONES, Room(32, 220 * GIB), 0.5, 0.65, nodes_now=8, least_nodes=3)


@pytest.mark.row("S38")
def test_the_pages_table_is_what_use_asks_for() -> None:
    found = {name: by_use(candidate(name, *told), spike()) for name, told in BOOK.items()}
    months = {name: (one.nodes, shown(one.nano_per_hour * 730)) for name, one in found.items()}
    assert months["m5.4xlarge"] == (6, 3363.84)
    assert months["m5.2xlarge"] == (11, 3083.52)
    assert months["m5.xlarge"] == (22, 3083.52)
    assert months["r5.2xlarge"] == (8, 2943.36)


@pytest.mark.row("S38")
def test_the_pages_fleet_is_the_cheapest() -> None:
    pods = tuple(pod(at, 1.0, 5 * GIB) for at in range(40))
    best = cheapest([candidate(name, *told) for name, told in BOOK.items()], spike(pods), nano("5.44"))
    assert best is not None
    assert (best.candidate.name, best.nodes, best.packed) == ("r5.2xlarge", 8, True)


def drawn(rng: Random) -> tuple[list[Candidate], Demand]:
    """Pods of one size, so that the test can count how many fit a node; prices and sizes at random."""
    made = [
        candidate(f"t{at}.x", cores, cores * gib, rng.choice([29, 58]), f"{rng.randint(50, 900) / 1000}")
        for at, (cores, gib) in enumerate(
            (rng.choice([2, 4, 8, 16]), rng.choice([2, 4, 8])) for _ in range(5)
        )
    ]
    cores, memory = rng.uniform(0.1, 1.5), rng.uniform(0.2, 5) * GIB
    pods = tuple(pod(at, cores, memory) for at in range(rng.randint(1, 60)))
    used = Room(rng.uniform(1, 40), rng.uniform(1, 200) * GIB)
    now = rng.randint(2, 20)
    daemons = Room(0.1, GIB / 4, 3)
    return made, Demand(pods, ZONES, used, 0.5, 0.65, daemons, nodes_now=now, least_nodes=rng.randint(1, now))


def brute(candidates: list[Candidate], demand: Demand, below: int) -> int | None:
    """The lowest price an hour of any number of nodes of any type, by counting."""
    best = None
    each = demand.pods[0].requests
    for one in candidates:
        free = allocatable(one.capacity)
        cores, memory = free.cores - demand.daemons.cores, free.memory_bytes - demand.daemons.memory_bytes
        places = min(
            int(cores / each.cores), int(memory / each.memory_bytes), free.pods - demand.daemons.pods
        )
        for nodes in range(demand.least_nodes, demand.most_nodes + 1):
            assert demand.used is not None
            enough = nodes * one.capacity.cores >= demand.used.cores / demand.cpu_target * 0.995
            enough = enough and nodes * one.capacity.memory_bytes >= demand.used.memory_bytes / 0.65 * 0.995
            if enough and nodes * places >= len(demand.pods) and nodes * one.nano_usd < below:
                best = min(best or below, nodes * one.nano_usd)
                break
    return best


@pytest.mark.parametrize("first", range(0, 200, 50))
def test_random_fleets_and_prices_have_the_optimum_of_trying_them_all(first: int) -> None:
    found = 0
    for seed in range(first, first + 50):
        candidates, demand = drawn(Random(f"fleet/{seed}"))
        below = nano(f"{Random(seed).uniform(0.5, 12):.4f}")
        best = cheapest(candidates, demand, below)
        assert (best.nano_per_hour if best else None) == brute(candidates, demand, below), seed
        found += best is not None
    assert found > 10


def test_at_one_price_the_number_of_nodes_stays_near_todays() -> None:
    sizes = [candidate(f"r5.{at}", 2 * at, 16 * at, 58, f"{0.126 * at:.3f}") for at in (1, 2, 4, 8)]
    best = cheapest(sizes, spike(), nano("9"))
    assert best is not None
    assert (best.candidate.name, best.nodes) == ("r5.4", 8)


def test_a_type_on_which_a_pod_may_not_stand_is_no_candidate() -> None:
    bound = pod(0, 0.1, GIB, node_selector={"node.kubernetes.io/instance-type": "c5.4xlarge"})
    small = candidate("r5.2xlarge", *BOOK["r5.2xlarge"])
    assert cheapest([small], spike((bound,)), nano("9")) is None


def test_pods_that_keep_apart_ask_for_nodes_that_use_does_not() -> None:
    rules = PodRules(apart=(Apart(Selector((("app", "db"),)), by_zone=False),))
    pods = tuple(pod(at, 0.1, GIB, "db", rules=rules) for at in range(7))
    demand = Demand(pods, ZONES, Room(1, GIB), 0.5, 0.65, nodes_now=8)
    best = cheapest([candidate("m5.xlarge", *BOOK["m5.xlarge"])], demand, nano("5"))
    assert best is not None
    assert best.nodes == 7


def test_what_is_dearer_than_now_is_not_found() -> None:
    assert cheapest([candidate("m5.4xlarge", *BOOK["m5.4xlarge"])], spike(), nano("4.6")) is None


def test_a_fleet_of_thousands_of_pods_is_found() -> None:
    pods = tuple(pod(at, 0.25, GIB / 2, f"o{at % 97}") for at in range(5000))
    demand = Demand(pods, ZONES, Room(900, 1500 * GIB), 0.5, 0.65, nodes_now=300)
    best: Fitted | None = cheapest([candidate(n, *t) for n, t in BOOK.items()], demand, nano("400"))
    assert best is not None
    assert best.nodes >= ceil(5000 / 234)
