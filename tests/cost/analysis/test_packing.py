"""Whether pods fit on nodes: against a simulation of the test, and by EKS's formula of what is left."""

from collections import Counter
from collections.abc import Sequence
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiops_cost.analysis.fleet import Room
from aiops_cost.analysis.packing import Load, Slot, Spread, allocatable, max_pods, pack, reserved_cores
from aiops_cost.analysis.scheduling import Cluster, orders, schedules, tried

GIB = 1024**3
ZONES = ("a", "b", "c")


@pytest.mark.parametrize(("cores", "millicores"), [(1, 60), (2, 70), (4, 80), (8, 90), (16, 110), (96, 310)])
def test_the_kubelet_keeps_the_cores_that_eks_says(cores: int, millicores: int) -> None:
    assert reserved_cores(cores) * 1000 == pytest.approx(millicores)


def test_what_is_allocatable_of_a_node_is_its_memory_less_what_its_pods_and_the_eviction_take() -> None:
    room = allocatable(Room(8, 64 * GIB, max_pods(4, 15)))
    assert room.pods == 58
    assert room.memory_bytes == 64 * GIB - (255 + 11 * 58 + 100) * 1024**2
    assert room.cores == pytest.approx(7.91)


def _keeps_the_rules(loads: Sequence[Load], slots: Sequence[Slot], placed: Sequence[int]) -> None:
    """The test's own judge: adds up each node, and looks at every pair."""
    for at, slot in enumerate(slots):
        here = [load for load, where in zip(loads, placed, strict=True) if where == at]
        assert sum(one.cores for one in here) <= slot.room.cores + 1e-3
        assert sum(one.memory_bytes for one in here) <= slot.room.memory_bytes + 1
        assert len(here) <= slot.room.pods
        assert all(not one.zones or slot.zone in one.zones for one in here)
        assert all(one.spot for one in here) or not slot.spot
    for first, left in enumerate(loads):
        for second, right in enumerate(loads):
            if first == second or not left.groups & right.groups:
                continue
            same_host = placed[first] == placed[second]
            assert not (same_host and left.not_with & right.groups)
            same_zone = slots[placed[first]].zone == slots[placed[second]].zone
            assert not (same_zone and left.not_in_zone_with & right.groups)
    for load in loads:
        for spread in load.spreads:
            counts = Counter(dict.fromkeys((slot.zone for slot in slots), 0))
            for other, where in zip(loads, placed, strict=True):
                counts[slots[where].zone] += spread.group in other.groups
            assert max(counts.values()) - min(counts.values()) <= spread.max_skew


def drawn(rng: Random) -> tuple[list[Load], list[Slot]]:
    room = Room(rng.choice([3.9, 7.9, 15.9]), rng.choice([7, 14, 29]) * GIB, rng.choice([8, 29, 58]))
    slots = [Slot(ZONES[at % 3], room, spot=rng.random() < 0.2) for at in range(rng.randint(1, 8))]
    loads: list[Load] = []
    for owner in range(rng.randint(1, 6)):
        group, rule = (
            frozenset({f"g{owner}"}),
            rng.choice(("none", "none", "host", "zone", "spread", "bound")),
        )
        cores, memory = rng.uniform(0, 3), rng.uniform(0, 6) * GIB
        loads.extend(
            Load(
                f"{owner}-{number}",
                cores,
                memory,
                zones=frozenset({rng.choice(ZONES)}) if rule == "bound" else frozenset(),
                groups=group,
                not_with=group if rule == "host" else frozenset(),
                not_in_zone_with=group if rule == "zone" else frozenset(),
                spreads=(Spread(f"g{owner}", by_zone=True, max_skew=1),) if rule == "spread" else (),
                spot=owner % 2 == 0,
            )
            for number in range(rng.randint(1, 3 if rule == "zone" else 6))
        )
    return loads, slots


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 10**9))
def test_a_placement_keeps_every_rule_whatever_the_pods(seed: int) -> None:
    loads, slots = drawn(Random(seed))
    placed = pack(loads, slots)
    if placed is not None:
        _keeps_the_rules(loads, slots, placed)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**9))
def test_where_the_scheduler_puts_pods_every_rule_is_kept(seed: int) -> None:
    loads, slots = drawn(Random(seed))
    whole = list(orders(loads))
    assert len(whole) == tried(len(loads))
    for order in whole:
        cluster = Cluster(slots)
        placed = [cluster.place(one) for one in order]
        if -1 not in placed:
            _keeps_the_rules(order, slots, placed)


def test_a_fleet_that_only_a_clever_order_fills_does_not_schedule() -> None:
    loads = [*(Load(f"small-{at}", 1, GIB) for at in range(2)), Load("large-0", 4, GIB)]
    slots = [Slot("a", Room(4, 8 * GIB, 10))] * 2
    assert pack(loads, slots) is not None
    assert not schedules(loads, slots)
    assert schedules(loads, [*slots, slots[0]])


def test_the_scheduler_takes_the_node_with_most_left_and_spot_first_for_who_may() -> None:
    room = Room(4, 8 * GIB, 10)
    cluster = Cluster([Slot("a", room), Slot("b", room), Slot("b", room, spot=True)])
    assert cluster.place(Load("big", 2, 4 * GIB)) == 0
    assert cluster.place(Load("next", 1, GIB)) == 1
    assert cluster.place(Load("light", 0, 0, spot=True)) == 2
    assert cluster.place(Load("bound", 0, 0, zones=frozenset({"c"}))) == -1
    assert cluster.place(Load("firm", 3.5, 0)) == -1


def test_what_fits_is_placed_and_what_does_not_is_refused() -> None:
    room = Room(4, 8 * GIB, 10)
    halves = [Load(f"p{at}", 2, 4 * GIB) for at in range(4)]
    assert pack(halves, [Slot("a", room)] * 2) is not None
    assert pack([*halves, Load("more", 0.1, GIB)], [Slot("a", room)] * 2) is None
    assert pack([Load(f"n{at}", 0, 0) for at in range(21)], [Slot("a", room)] * 2) is None


def test_pods_that_keep_apart_need_as_many_nodes_as_they_are() -> None:
    room, group = Room(64, 64 * GIB, 100), frozenset({"db"})
    loads = [Load(f"db-{at}", 0.1, GIB, groups=group, not_with=group) for at in range(3)]
    assert pack(loads, [Slot("a", room)] * 2) is None
    assert pack(loads, [Slot("a", room)] * 3) is not None


def test_a_pod_bound_to_a_zone_without_nodes_fits_nowhere() -> None:
    bound = Load("db", 0.1, GIB, zones=frozenset({"c"}))
    assert pack([bound], [Slot("a", Room(4, 8 * GIB, 10)), Slot("b", Room(4, 8 * GIB, 10))]) is None


def test_two_pods_with_one_host_port_take_two_nodes() -> None:
    loads = [Load(f"p{at}", 0.1, GIB, ports=frozenset({80})) for at in range(2)]
    room = Room(4, 8 * GIB, 10)
    assert pack(loads, [Slot("a", room)]) is None
    assert pack(loads, [Slot("a", room)] * 2) is not None
