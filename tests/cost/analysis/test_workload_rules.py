"""The other rules of workload savings: freed room, autoscalers, zones, volumes, telemetry. Pure."""

from decimal import Decimal
from random import Random

import numpy as np
import pytest

from aiops_cost.analysis.autoscaling import Autoscaler, Metric, Seen, at_most_always, high_floor, wrong_metric
from aiops_cost.analysis.cross_az import Served, concentrated, crossing, crossings, improved, shares
from aiops_cost.analysis.fleet import Fleet, Node, Pod, Room
from aiops_cost.analysis.freed_room import GIB, attributable, emptied, resized, room_price
from aiops_cost.analysis.storage import Disk, disk_cost, gp3_cost, gp3_like, smaller
from aiops_cost.analysis.telemetry_spend import interval_s, loud, marginal, rule_faults, tiered, unused
from aiops_cost.models.money import nano
from aiops_shared.metrics.inventory import MetricSize

ZONES = ("a", "b", "c")


def fleet_of(seed: int) -> Fleet:
    """Some nodes with pods that fit on them; some pods are bound to a zone or may not move."""
    rng = Random(seed)
    nodes, pods = [], []
    for number in range(rng.randint(2, 7)):
        room = Room(4.0, 16.0 * GIB, 20)
        name, zone = f"n{number}", rng.choice(ZONES)
        nodes.append(Node(name, "m5.xlarge", zone, "on-demand", "p", room, room))
        cores, memory = 4.0, 16.0 * GIB
        for place in range(rng.randint(0, 6)):
            asked = Room(rng.uniform(0.1, 1.5), rng.uniform(0.1, 4) * GIB, 1)
            if asked.cores > cores or asked.memory_bytes > memory:
                break
            cores, memory = cores - asked.cores, memory - asked.memory_bytes
            pods.append(
                Pod(
                    "shop",
                    f"{name}-{place}",
                    name,
                    rng.choice(("Deployment", "DaemonSet")),
                    f"w{place}",
                    asked,
                    evictable=rng.random() > 0.1,
                    wants_zones=(zone,) if rng.random() < 0.2 else (),
                )
            )
    return Fleet(tuple(nodes), tuple(pods))


@pytest.mark.parametrize("seed", range(60))
def test_what_stood_on_nodes_that_go_fits_on_the_rest(seed: int) -> None:
    fleet = fleet_of(seed)
    prices = {one.name: 192_000_000 for one in fleet.nodes}
    gone = {one.name for one in emptied(fleet, prices)}
    assert len(gone) < len(fleet.nodes) or not any(one.owner_kind != "DaemonSet" for one in fleet.pods)
    moving = [one for one in fleet.pods if one.node in gone and one.owner_kind != "DaemonSet"]
    assert all(one.evictable for one in moving)
    left = [one for one in fleet.nodes if one.name not in gone]
    needed = sum(one.requests.cores for one in moving)
    free = sum(one.allocatable.cores for one in left) - sum(
        one.requests.cores for one in fleet.pods if one.node not in gone
    )
    assert needed <= free + 1e-6
    for one in moving:
        assert not one.wants_zones or any(node.zone in one.wants_zones for node in left)


def test_freed_room_is_worth_its_share_and_lets_nodes_go_only_when_pods_fit() -> None:
    room = Room(4.0, 16.0 * GIB, 20)
    nodes = tuple(Node(f"n{at}", "m5.xlarge", "a", "on-demand", "p", room, room) for at in range(2))
    pods = tuple(
        Pod("shop", f"web-{at}", f"n{at}", "Deployment", "web", Room(3.0, 4 * GIB, 1)) for at in range(2)
    )
    fleet, prices = Fleet(nodes, pods), {one.name: 192_000_000 for one in nodes}
    owner, freed = ("shop", "Deployment", "web"), Room(2.0, 0.0)
    gone, saved = attributable(fleet, {owner: freed}, prices)
    assert ([one.name for one in gone], saved) == (["n0"], 192_000_000 * 730)
    assert attributable(fleet, {owner: Room(0.5, 0.0)}, prices) == ((), 0)
    assert resized(fleet, {owner: freed}).pods[0].requests.cores == 1.0
    price = room_price(192_000_000, room)
    assert price.monthly(4.0, 16 * GIB) == 192_000_000 * 730
    assert price.core == pytest.approx(9 * price.gib)


ON_CPU = (Metric("Resource", "cpu", "Utilization", 0.7),)


def scaler(least: int = 2, most: int = 10, metrics: tuple[Metric, ...] = ON_CPU) -> Autoscaler:
    """On CPU at 70 %, 2 to 10 pods, unless told."""
    return Autoscaler("shop", "web", "Deployment", "web", least, most, metrics)


def seen(cpu: float, memory: float, replicas: float, points: int = 600) -> Seen:
    """The same all the time."""
    flat = np.ones(points)
    return Seen(300, cpu * flat, memory * flat, replicas * flat, np.linspace(10, 20, points))


def test_an_autoscaler_whose_cpu_never_comes_is_told_to_watch_memory() -> None:
    found = wrong_metric(scaler(), seen(0.3, 0.97, 4), 0.8)
    assert found is not None
    assert (round(found.cpu_most, 2), round(found.memory_p95, 2)) == (0.3, 0.97)
    assert wrong_metric(scaler(), seen(0.66, 0.97, 4), 0.8) is None
    assert wrong_metric(scaler(), seen(0.3, 0.7, 4), 0.8) is None
    assert wrong_metric(scaler(), seen(0.3, 0.97, 4, points=100), 0.8) is None
    both = (*scaler().metrics, Metric("Resource", "memory", "Utilization", 0.8))
    assert wrong_metric(scaler(metrics=both), seen(0.3, 0.97, 4), 0.8) is None


def test_the_ends_of_an_autoscaler_are_seen() -> None:
    assert at_most_always(scaler(), seen(0.9, 0.5, 10)) == 1.0
    assert at_most_always(scaler(), seen(0.9, 0.5, 9)) == 0.0
    assert at_most_always(scaler(least=10), seen(0.9, 0.5, 10)) == 0.0


def test_a_minimum_is_lowered_to_what_the_quiet_hours_need() -> None:
    points = 14 * 288
    hours = np.arange(points) * 300 / 3600 % 24
    night = hours < 8
    cpu = np.where(night, 0.14, 0.7)
    told = Seen(300, cpu, np.full(points, 0.2), np.where(night, 8.0, 9.0), np.ones(points))
    found = high_floor(scaler(least=8), told)
    assert found is not None
    assert (found.needed, round(found.quiet_h)) == (2, 8)
    assert found.spare_pod_hours == pytest.approx(6 * 730 / 3, rel=0.02)
    assert high_floor(scaler(least=2), told) is None
    full = Seen(300, cpu, np.full(points, 0.9), told.replicas, told.requests)
    assert high_floor(scaler(least=8), full) is None


@pytest.mark.row("B15")
def test_requests_cross_zones_as_pods_and_callers_stand() -> None:
    callers = {"a": 0.2, "b": 0.4, "c": 0.4}
    heap = Served("shop", "web", "Deployment", "web", {"a": 5}, 100.0)
    even = Served("shop", "api", "Deployment", "api", {"a": 2, "b": 2, "c": 2}, 50.0)
    near = Served("shop", "near", "Deployment", "near", even.pods, 50.0, prefers=True)
    bound = Served("shop", "db", "StatefulSet", "db", {"a": 2}, 10.0, bound=True)
    assert crossing(heap, callers) == pytest.approx(0.8)
    assert crossing(even, callers) == pytest.approx(2 / 3)
    assert (crossing(near, callers), improved(heap, callers), improved(bound, callers)) == (0, 0, 0.8)
    assert concentrated(heap, ZONES)
    assert not any(concentrated(one, ZONES) for one in (even, near, bound))
    assert not concentrated(heap, ("a",))
    found = crossings([heap, even, near, bound], lambda served: callers)
    assert sum(one.part for one in found) == pytest.approx(1.0)
    assert found[0].served is heap
    assert found[0].part == pytest.approx(80 / (80 + 100 / 3 + 8))
    assert found[0].saved(nano(400)) == pytest.approx(nano(400) * found[0].part, abs=1)
    assert shares(["a", "b", "b", ""]) == {"a": 1 / 3, "b": 2 / 3}


PRICES = {
    name: nano(price)
    for name, price in {
        "gp2": "0.10",
        "gp3": "0.08",
        "io1": "0.125",
        "gp3_iops": "0.005",
        "gp3_throughput": "40.96",
        "io1_iops": "0.065",
    }.items()
}


@pytest.mark.parametrize(("gib", "then"), [(100, "8.00"), (500, "45.00"), (2000, "180.00"), (8000, "710.00")])
def test_gp3_costs_what_keeps_it_as_fast_as_gp2(gib: int, then: str) -> None:
    disk = Disk("vol-1", "gp2", gib)
    made = gp3_like(disk)
    assert made is not None
    assert disk_cost(disk, PRICES) == nano(Decimal(gib) / 10)
    assert gp3_cost(made, PRICES) == nano(then)


def test_provisioned_iops_become_gp3_where_the_peak_allows_it() -> None:
    disk = Disk("vol-1", "io1", 500, 10_000)
    idle = gp3_like(disk, 1200.0)
    assert idle is not None
    assert (idle.iops, gp3_cost(idle, PRICES), disk_cost(disk, PRICES)) == (3000, nano(45), nano("712.50"))
    assert gp3_like(disk, 14_000.0) is None
    assert gp3_like(disk) is None
    assert gp3_like(Disk("vol-2", "st1", 500)) is None
    assert smaller(disk, 50 * 2**30) == 80
    assert smaller(disk, 300 * 2**30) is None


TIERS = ((0.0, 90_000_000), (2000.0, 35_000_000), (252_000.0, 16_000_000))


@pytest.mark.parametrize("seed", range(100))
def test_dropped_samples_save_their_tiers_to_the_billionth(seed: int) -> None:
    rng = Random(seed)
    quantity = rng.randrange(1, 400_000)
    less = rng.randrange(0, quantity + 1)

    def plain(units: int) -> int:
        return sum(
            16_000_000 if unit >= 252 else 35_000_000 if unit >= 2 else 90_000_000 for unit in range(units)
        )

    short = ((0.0, 90_000_000), (2.0, 35_000_000), (252.0, 16_000_000))
    some, fewer = quantity // 1000, less // 1000
    assert marginal(some, fewer, short) == plain(some) - plain(some - fewer)
    assert tiered(quantity, TIERS) >= tiered(quantity - less, TIERS)


@pytest.mark.row("S83")
def test_a_rule_drops_every_unused_metric_and_no_used_one() -> None:
    sizes = (
        MetricSize("http_requests_total", 500, 90),
        MetricSize("go_gc_duration_seconds", 300, 0),
        MetricSize("go_threads", 100, 0),
        MetricSize("http_idle_total", 50, 0),
        MetricSize("process_open_fds", 40, 0, in_rules=True),
        MetricSize("up", 9, 0),
    )
    found = unused(sizes, 1000)
    assert found is not None
    assert (found.series, found.share, found.regex) == (450, 0.45, "go_.*|http_idle_total")
    used = [one.name for one in sizes if one.name not in found.metrics]
    assert rule_faults(found.regex, found.metrics, used) == ()
    assert rule_faults("http_.*", ["go_threads"], used)[0] == "go_threads stays"
    assert unused(sizes[:1], 1000) is None
    assert interval_s(1000, 1000 * 30 * 1440, 30) == 60


@pytest.mark.row("B14")
def test_quiet_lines_are_named_by_service_and_share() -> None:
    found = loud({("api", "debug"): 600, ("api", "info"): 300, ("web", "debug"): 5, ("web", "error"): 95})
    assert [(one.service, one.share) for one in found] == [("api", 0.6)]
    assert loud({}) == ()
