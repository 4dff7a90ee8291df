"""The kit that writes bills, the columns that add them up, and bills drawn from a seed."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiops_lab.billing.drawn import currency, drawn, total
from aiops_lab.billing.everyday import everyday
from aiops_lab.billing.fleets import Kit
from aiops_lab.billing.ledger import Ledger
from aiops_lab.billing.lines import EC2, Line, Quantity, rounded
from aiops_lab.billing.quantities import (
    added,
    at,
    between,
    flat,
    growing,
    hours,
    monthly,
    noisy,
    spread,
    steps,
)
from aiops_lab.billing.sheet import SCALE, Sheet, part_of_day

FIRST = date(2026, 11, 8)
WEEK = [FIRST + timedelta(days=place) for place in range(7)]


def over(quantity: Quantity, days: list[date]) -> Decimal:
    return sum((Decimal(repr(quantity(day))) for day in days), Decimal())


@pytest.mark.parametrize("uneven", [0.0, 0.1])
def test_a_week_of_960_hours_costs_to_the_cent_what_the_page_says(uneven: float) -> None:
    node = Kit().nodes("c5.4xlarge", "0.68", spread(FIRST, 7, 960, uneven=uneven, seed=3))
    assert total((node,), FIRST, FIRST + timedelta(days=7))[()] == Decimal("652.80")
    assert over(node.quantity, WEEK) == 960
    assert total((Kit().control_plane(),), FIRST, FIRST + timedelta(days=7))[()] == Decimal("16.80")


@pytest.mark.parametrize(
    ("quantity", "wanted"),
    [
        (hours(8), [192.0] * 7),
        (steps(hours(1), (WEEK[2], hours(2)), (WEEK[5], flat(0))), [24.0, 24.0, 48.0, 48.0, 48.0, 0.0, 0.0]),
        (between(WEEK[1], WEEK[3], flat(5), flat(1)), [1.0, 5.0, 5.0, 1.0, 1.0, 1.0, 1.0]),
        (at({WEEK[0]: 3.0}), [3.0, 0, 0, 0, 0, 0, 0]),
        (growing(WEEK[4], 100, 0.01), [100.0] * 5 + [101.0, 102.0]),
        (added(flat(1), hours(1)), [25.0] * 7),
    ],
)
def test_quantities_follow_the_day(quantity: Quantity, wanted: list[float]) -> None:
    assert [quantity(day) for day in WEEK] == wanted


def test_a_month_of_storage_is_the_same_whatever_its_length() -> None:
    for month, days in ((2, 28), (3, 31)):
        whole = over(monthly(100), [date(2026, month, place + 1) for place in range(days)])
        assert abs(whole - 100) < Decimal("0.0001")


def test_noise_is_the_same_for_the_same_day_and_stays_in_its_share() -> None:
    quantity = noisy(flat(100), 0.05, seed=9)
    assert [quantity(day) for day in WEEK] == [quantity(day) for day in WEEK]
    assert len({quantity(day) for day in WEEK}) == 7
    assert all(95 <= quantity(day) <= 105 for day in WEEK)


@pytest.mark.parametrize(
    ("line", "service", "usage_type", "operation"),
    [
        (Kit().nodes("m5.xlarge", "0.192", hours(1)), EC2, "BoxUsage:m5.xlarge", "RunInstances"),
        (
            Kit(region="us-west-2").nodes("m5.xlarge", "0.07", hours(1), spot=True),
            EC2,
            "USW2-SpotUsage:m5.xlarge",
            "RunInstances:SV001",
        ),
        (
            Kit().control_plane(),
            "Amazon Elastic Container Service for Kubernetes",
            "USE1-AmazonEKS-Hours:perCluster",
            "CreateOperation",
        ),
        (Kit(region="eu-west-1").disks(80), "EC2 - Other", "EU-EBS:VolumeUsage.gp3", "CreateVolume-Gp3"),
        (Kit().nat(flat(1))[1], "EC2 - Other", "NatGateway-Bytes", "NatGateway"),
        (Kit().cross_zone(flat(1))[1], "EC2 - Other", "DataTransfer-Regional-Bytes", "InterZone-In"),
        (Kit().logs(flat(1)), "AmazonCloudWatch", "USE1-DataProcessing-Bytes", "PutLogEvents"),
    ],
)
def test_lines_are_named_as_cost_explorer_names_them(
    line: Line, service: str, usage_type: str, operation: str
) -> None:
    assert (line.service, line.usage_type, line.operation) == (service, usage_type, operation)


def test_tags_stand_on_what_the_cluster_owns() -> None:
    kit = Kit("shop", tags={"team": "web"})
    assert kit.control_plane().tags == {"eks:cluster-name": "shop", "team": "web"}
    assert kit.nat(flat(1))[0].tags == {}
    assert Kit("").control_plane().tags == {}


@settings(max_examples=40, deadline=None)
@given(
    st.decimals(-10, 10_000, places=10),
    st.lists(st.floats(0, 3000), min_size=28, max_size=28),
    st.integers(0, 24),
)
def test_columns_are_the_lines_own_amounts_to_the_last_decimal(
    price: Decimal, amounts: list[float], hour: int
) -> None:
    def quantity(day: date) -> float:
        return amounts[day.day - 1]

    first, end = date(2026, 2, 1), date(2026, 3, 1)
    line = Line("S", "U", price, quantity)
    columns = Sheet((line, Line("S", "V", lambda day: price / 2, quantity))).columns(first, end)
    for place in range(28):
        wanted = line.amount(first + timedelta(days=place))
        assert int(columns.unblended[0, place]) == int(wanted * SCALE)
        assert columns.unblended[0, place] == columns.amortized[0, place]
        part = int(part_of_day(columns.unblended[:, place], hour)[0])
        assert part == int(rounded(wanted * hour / 24) * SCALE)


def test_the_columns_of_a_ledger_are_made_once_for_the_same_lines() -> None:
    ledger = Ledger()
    first = ledger.sheet()
    assert ledger.sheet() is first
    assert ledger.lines is everyday()
    ledger.lines = (*ledger.lines,)[:3]
    assert ledger.sheet() is not first


def test_hours_come_onto_the_bill_after_a_while() -> None:
    ledger, now = Ledger(), datetime(2026, 11, 22, 18, 30, tzinfo=UTC)
    days = (date(2026, 11, 21), date(2026, 11, 22), date(2026, 11, 23), date(2025, 5, 31))
    assert [ledger.hours_billed(day, now) for day in days] == [24, 12, 0, 0]


def test_unsettled_days_may_still_grow() -> None:
    ledger, now = Ledger(unsettled_days=2, late_h=6), datetime(2026, 11, 22, 5, tzinfo=UTC)
    days = [now.date() - timedelta(days=away) for away in (3, 2, 1, 0)]
    assert [ledger.hours_billed(day, now) for day in days] == [24, 18, 18, 0]
    assert ledger.hours_billed(days[2], now + timedelta(days=2)) == 24


def test_drawn_bills_are_the_same_for_a_seed_and_of_all_kinds() -> None:
    first, end = date(2026, 9, 1), date(2026, 11, 22)
    kinds: set[str] = set()
    negative = 0
    for seed in range(40):
        lines = drawn(seed)
        again = drawn(seed)
        assert [line.usage_type for line in lines] == [line.usage_type for line in again]
        kinds |= {line.record_type for line in lines}
        negative += any(line.record_type in {"Credit", "Refund"} for line in lines)

    def whole(seed: int) -> Decimal:
        return total(drawn(seed), first, end)[()]

    assert whole(1) == whole(1) != whole(2)
    assert kinds >= {
        "Usage",
        "Credit",
        "Refund",
        "Tax",
        "SavingsPlanRecurringFee",
        "RIFee",
        "DiscountedUsage",
    }
    assert 10 < negative < 40
    assert {currency(seed) for seed in range(40)} == {"USD", "EUR", "CNY"}
