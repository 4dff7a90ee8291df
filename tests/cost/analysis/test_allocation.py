"""Allocations sum to the bill, for any cluster and any bill; and shares against sums by hand."""

from dataclasses import replace
from fractions import Fraction
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from aiops_cost.analysis.allocation import EARLIER, IDLE, SYSTEM, allocate, shared
from aiops_cost.analysis.charges import Charge, Of
from aiops_cost.analysis.fleet import FARGATE, ON_DEMAND, SPOT, Fleet, Node, Pod, Room, Volume
from aiops_cost.analysis.split_rows import SplitRow, divided
from aiops_cost.analysis.splitting import split

GIB = 2.0**30
KINDS = ("m5.xlarge", "c5.large", "")
MONEY = st.integers(-(10**13), 10**14)
REAL = st.floats(0, 200, allow_nan=False)
NAMES = st.sampled_from(("a", "b", "kube-system"))
USED = st.none() | REAL


@st.composite
def nodes(draw: st.DrawFn, number: int) -> Node:
    return Node(
        name=f"n{number}",
        instance_type=draw(st.sampled_from(KINDS)),
        zone="a",
        capacity_type=draw(st.sampled_from((ON_DEMAND, SPOT, FARGATE))),
        pool="",
        capacity=Room(draw(REAL), draw(REAL) * GIB),
        allocatable=Room(0, 0),
        hours=draw(REAL),
    )


@st.composite
def pods(draw: st.DrawFn, number: int, homes: int) -> Pod:
    home = draw(st.integers(-1, homes))
    return Pod(
        namespace=draw(NAMES),
        name=f"p{number}",
        node=f"n{home}" if home >= 0 else "",
        owner_kind=draw(st.sampled_from(("Deployment", "DaemonSet", "Job"))),
        owner_name=draw(st.sampled_from(("x", "y"))),
        requests=Room(draw(REAL), draw(REAL) * GIB, 1),
        used_cores=draw(USED),
        used_memory_bytes=draw(USED),
        hours=draw(REAL),
        claims=draw(st.sampled_from(((), ("c",)))),
    )


@st.composite
def fleets(draw: st.DrawFn) -> Fleet:
    count = draw(st.integers(0, 4))
    many = [draw(pods(number, count)) for number in range(draw(st.integers(0, 8)))]
    cut = draw(st.integers(0, len(many)))
    gone = tuple(replace(one, node="") for one in many[cut:]) if draw(st.booleans()) else ()
    volume = Volume("v", draw(NAMES), draw(st.sampled_from(("c", "d", ""))), "gp3", draw(REAL) * GIB)
    return Fleet(
        nodes=tuple(draw(nodes(number)) for number in range(count)),
        pods=tuple(many[:cut]),
        finished=() if gone else tuple(many[cut:]),
        gone=gone,
        volumes=draw(st.sampled_from(((), (volume,)))),
    )


CHARGES = st.lists(
    st.builds(
        Charge,
        of=st.sampled_from(list(Of)),
        label=st.sampled_from(("control plane", "logs")),
        amount=MONEY,
        quantity=REAL,
        instance_type=st.sampled_from(KINDS),
        spot=st.booleans(),
    ),
    max_size=8,
)
SHARES = st.dictionaries(
    st.tuples(NAMES, st.just("Deployment"), st.sampled_from(("x", ""))), REAL, max_size=3
)


@settings(max_examples=150, deadline=None)
@given(fleet=fleets(), charges=CHARGES, hours=REAL, shares=SHARES)
def test_rows_sum_to_the_bill_whatever_the_cluster_and_the_bill(
    fleet: Fleet, charges: list[Charge], hours: float, shares: dict[tuple[str, str, str], float]
) -> None:
    made = allocate(charges, fleet, hours, shares)
    assert made.total == sum(one.amount for one in charges)


ROWS = st.lists(
    st.builds(
        SplitRow,
        product=st.sampled_from(("AmazonEC2", "AmazonEKS", "AmazonCloudWatch")),
        usage_type=st.sampled_from(("BoxUsage:m5.large", "EKS-EC2-GB-Hours", "DataProcessing-Bytes", "")),
        namespace=st.sampled_from(("", "a", "kube-system")),
        kind=st.sampled_from(("", "ReplicaSet", "DaemonSet")),
        name=st.sampled_from(("", "x")),
        deployment=st.sampled_from(("", "x")),
        cost=MONEY,
        split=st.none() | MONEY,
        unused=MONEY,
    ),
    max_size=8,
)


@settings(max_examples=100, deadline=None)
@given(rows=ROWS, shares=SHARES)
def test_rows_of_cost_and_usage_data_sum_to_the_cost_of_its_lines(
    rows: list[SplitRow], shares: dict[tuple[str, str, str], float]
) -> None:
    assert divided(rows, shares).total == sum(row.cost for row in rows)


@given(amount=MONEY, weights=st.lists(st.integers(0, 10**18), min_size=1, max_size=9))
def test_parts_are_within_one_unit_of_their_exact_share(amount: int, weights: list[int]) -> None:
    parts = split(amount, weights)
    assert sum(parts) == amount
    if whole := sum(weights):
        exact = [Fraction(amount * weight, whole) for weight in weights]
        assert all(abs(part - one) < 1 for part, one in zip(parts, exact, strict=True))


NODE = Node("n0", "m5.xlarge", "a", ON_DEMAND, "", Room(4, 16 * GIB), Room(4, 16 * GIB), hours=10)
BILL = Charge(Of.INSTANCES, "instances", 52_000_000_000, 10, "m5.xlarge")  # 36 for CPU, 16 for memory


def pod(name: str, cores: float, gib: float, hours: float = 10, **more: Any) -> Pod:
    made = Pod("shop", name, "n0", "Deployment", name, Room(cores, gib * GIB, 1), hours=hours)
    return replace(made, **more)


def test_the_larger_of_request_and_usage_counts_and_what_nobody_holds_is_idle() -> None:
    fleet = Fleet(
        (NODE,), (pod("asks", 1, 4), pod("uses", 0.5, 1, used_cores=2.0, used_memory_bytes=2 * GIB))
    )
    made = allocate([BILL], fleet, 10)
    assert made.rows["shop", "Deployment", "asks"] == {"cpu": 9_000_000_000, "memory": 4_000_000_000}
    assert made.rows["shop", "Deployment", "uses"] == {"cpu": 18_000_000_000, "memory": 2_000_000_000}
    assert made.of(shared(IDLE)) == 9_000_000_000 + 10_000_000_000


def test_a_pod_that_lived_for_half_the_window_costs_half() -> None:
    made = allocate([BILL], Fleet((NODE,), (pod("half", 1, 4, hours=5),)), 10)
    assert made.of(("shop", "Deployment", "half")) == 6_500_000_000


def test_pods_that_hold_more_than_there_is_share_what_there_is() -> None:
    fleet = Fleet((NODE,), (pod("one", 6, 24), pod("two", 2, 8)))
    made = allocate([BILL], fleet, 10)
    assert made.of(("shop", "Deployment", "one")) == 39_000_000_000
    assert made.of(("shop", "Deployment", "two")) == 13_000_000_000
    assert shared(IDLE) not in made.rows


def test_daemons_and_kube_system_are_the_systems() -> None:
    fleet = Fleet(
        (NODE,), (pod("agent", 1, 0, owner_kind="DaemonSet"), pod("dns", 1, 0, namespace="kube-system"))
    )
    assert allocate([BILL], fleet, 10).of(shared(SYSTEM)) == 18_000_000_000


def test_spot_and_on_demand_nodes_of_a_type_have_their_own_price() -> None:
    spot = replace(NODE, name="n1", capacity_type=SPOT)
    cheap = replace(BILL, amount=20_800_000_000, spot=True)
    fleet = Fleet((NODE, spot), (pod("dear", 4, 16), pod("cheap", 4, 16, node="n1")))
    made = allocate([BILL, cheap], fleet, 10)
    assert made.of(("shop", "Deployment", "dear")) == BILL.amount
    assert made.of(("shop", "Deployment", "cheap")) == cheap.amount


def test_nodes_that_are_gone_are_a_row_unless_metrics_know_their_pods() -> None:
    bill = replace(BILL, amount=2 * BILL.amount, quantity=20)
    made = allocate([bill], Fleet((NODE,), (pod("here", 4, 16),)), 10)
    assert made.of(shared(EARLIER)) == BILL.amount
    assert "no longer stand" in made.notes[0]
    told = allocate([bill], Fleet((NODE,), (pod("here", 4, 16),), gone=(pod("gone", 2, 8, node=""),)), 10)
    assert told.of(("shop", "Deployment", "gone")) == BILL.amount // 2
    assert told.of(shared(IDLE)) == BILL.amount // 2


def test_nodes_without_a_line_of_the_bill_are_told() -> None:
    other = replace(NODE, name="n1", instance_type="c5.large")
    made = allocate([BILL], Fleet((NODE, other), ()), 10)
    assert "1 of 2 nodes have no line" in made.notes[0]


def test_volumes_go_to_who_mounts_them_and_the_rest_is_the_nodes_disks() -> None:
    held = Volume("v", "shop", "data", "gp3", 73 * GIB)
    loose = Volume("w", "", "", "gp3", 73 * GIB)
    charge = Charge(Of.VOLUMES, "node disks", 4_000_000_000, 4 * 73 * 10 / 730)
    fleet = Fleet((NODE,), (pod("db", 1, 1, claims=("data",)),), volumes=(held, loose))
    made = allocate([charge], fleet, 10)
    assert made.rows["shop", "Deployment", "db"] == {"storage": 1_000_000_000}
    assert made.of(shared("volumes nobody claims")) == 1_000_000_000
    assert made.of(shared("node disks")) == 2_000_000_000


def test_fargate_is_paid_by_who_asks_for_it() -> None:
    node = replace(NODE, capacity_type=FARGATE, instance_type="")
    charges = [Charge(Of.FARGATE_CPU, "Fargate", 3_000), Charge(Of.FARGATE_MEMORY, "Fargate", 4_000)]
    made = allocate(charges, Fleet((node,), (pod("one", 1, 1), pod("two", 2, 1))), 10)
    assert made.rows["shop", "Deployment", "one"] == {"cpu": 1_000, "memory": 2_000}
    assert made.rows["shop", "Deployment", "two"] == {"cpu": 2_000, "memory": 2_000}
