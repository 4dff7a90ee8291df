"""The parts of a change: exact for any two bills, and what each part means."""

from datetime import date, timedelta
from math import nan

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiops_cost.analysis.decomposition import (
    Charge,
    Decomposition,
    Effect,
    Side,
    Usage,
    decompose,
    effect_of_record,
)
from aiops_cost.models.money import NANO, nano

WEEK = tuple(date(2026, 11, 8) + timedelta(days) for days in range(7))
NEXT = tuple(date(2026, 11, 15) + timedelta(days) for days in range(7))
EC2 = "Amazon Elastic Compute Cloud - Compute"


def month(year: int, number: int) -> tuple[date, ...]:
    first = date(year, number, 1)
    return tuple(first + timedelta(days) for days in range(31) if (first + timedelta(days)).month == number)


def hours(kind: str, before: tuple[str, float], after: tuple[str, float], unit: str = "Hrs") -> Usage:
    sides = [Side(nano(amount), quantity) for amount, quantity in (before, after)]
    return Usage(EC2, kind, unit, *sides)


def parts(found: Decomposition) -> dict[str, float]:
    return {effect.value: amount / NANO for effect, amount in found.effects.items() if abs(amount) > 1}


AMOUNTS = st.integers(-(10**15), 10**15)
QUANTITIES = st.one_of(
    st.just(0.0), st.just(nan), st.floats(-1e9, 1e9, allow_subnormal=False), st.floats(1e-9, 1e6)
)
SIDES = st.builds(Side, AMOUNTS, QUANTITIES)
NAMES = st.sampled_from(
    ["BoxUsage:c5.4xlarge", "BoxUsage:r5.2xlarge", "SpotUsage:c5.4xlarge", "EBS:VolumeUsage.gp3", "X-Bytes"]
)
USAGES = st.lists(
    st.builds(Usage, st.sampled_from(["a", "b"]), NAMES, st.sampled_from(["Hrs", "GB-Mo", ""]), SIDES, SIDES),
    max_size=8,
)
CHARGES = st.lists(
    st.builds(
        Charge,
        st.just("a"),
        st.sampled_from(["Credit", "Tax", "SavingsPlanNegation", "Refund"]),
        AMOUNTS,
        AMOUNTS,
    ),
    max_size=3,
)
SPANS = st.integers(1, 62).map(lambda days: tuple(date(2026, 1, 20) + timedelta(n) for n in range(days)))


@settings(max_examples=150, deadline=None)
@given(USAGES, CHARGES, SPANS, SPANS)
def test_the_parts_of_any_two_bills_sum_exactly_to_the_change(
    usages: list[Usage], charges: list[Charge], before: tuple[date, ...], after: tuple[date, ...]
) -> None:
    found = decompose(usages, charges, before, after)
    assert sum(found.effects.values()) == found.after - found.before
    assert found.before == sum(one.before.amount for one in usages) + sum(one.before for one in charges)
    for cell in found.cells:
        assert sum(cell.effects.values()) == cell.change
    for service in found.services():
        own = found.of_service(service)
        assert sum(own.effects.values()) == own.after - own.before


def test_more_hours_at_the_same_price_are_quantity_and_nothing_else() -> None:
    found = decompose([hours("BoxUsage:c5.4xlarge", ("652.80", 960), ("913.92", 1344))], [], WEEK, NEXT)
    assert found.effects == {Effect.QUANTITY: nano("261.12")}


def test_a_price_that_rises_is_price() -> None:
    found = decompose([hours("BoxUsage:c5.large", ("8.50", 100), ("10.20", 100))], [], WEEK, NEXT)
    assert found.effects == {Effect.PRICE: nano("1.70")}


def test_hours_that_move_to_a_dearer_type_are_mix_even_when_the_type_is_new() -> None:
    small = hours("BoxUsage:m5.large", ("9.60", 100), ("4.80", 50))
    large = hours("BoxUsage:m5.xlarge", ("0", 0), ("9.60", 50))
    assert parts(decompose([small, large], [], WEEK, NEXT)) == {"mix": 4.8}


def test_spot_hours_that_become_on_demand_hours_are_mix() -> None:
    spot = hours("SpotUsage:m5.large", ("3.00", 100), ("0", 0))
    full = hours("BoxUsage:m5.large", ("0", 0), ("9.60", 100))
    assert parts(decompose([spot, full], [], WEEK, NEXT)) == {"mix": 6.6}


def test_price_and_quantity_together_leave_no_rest() -> None:
    found = decompose([hours("BoxUsage:m5.large", ("10", 100), ("24", 120))], [], WEEK, NEXT)
    assert parts(found) == {"quantity": 3.0, "price": 11.0}  # 20 * (0.1 + 0.2) / 2, 0.1 * (100 + 120) / 2


def test_a_service_that_comes_is_new_and_one_that_goes_is_gone() -> None:
    came = Usage("AWS Lambda", "Lambda-GB-Second", "Lambda-GB-Second", Side(), Side(nano("5"), 300_000.0))
    went = Usage("Amazon MQ", "mq.m5", "Hrs", Side(nano("7"), 168.0), Side())
    assert parts(decompose([came, went], [], WEEK, NEXT)) == {"new": 5.0, "gone": -7.0}


def test_an_amount_without_a_quantity_or_in_mixed_units_is_told_apart() -> None:
    free = Usage("Other", "Thing", "Hrs", Side(nano("1"), 0.0), Side(nano("3"), 0.0))
    mixed = Usage("Other", "Stuff", "", Side(nano("2"), nan), Side(nano("1"), nan))
    assert parts(decompose([free, mixed], [], WEEK, NEXT)) == {"unmeasured": 1.0}


def test_what_is_no_usage_is_never_price() -> None:
    usage = hours("BoxUsage:m5.large", ("10", 100), ("10", 100))
    charges = [
        Charge(EC2, "Credit", nano("-8"), 0),
        Charge(EC2, "Tax", nano("1"), nano("1.5")),
        Charge(EC2, "Refund", 0, nano("-2")),
        Charge(EC2, "SavingsPlanNegation", nano("-4"), 0),
        Charge("AWS Support (Business)", "Fee", 0, nano("100")),
    ]
    found = parts(decompose([usage], charges, WEEK, NEXT))
    assert found == {"credits": 8.0, "tax": 0.5, "refunds": -2.0, "commitments": 4.0, "fees": 100.0}


@pytest.mark.parametrize(
    ("record", "effect"),
    [
        ("Usage", Effect.QUANTITY),
        ("DiscountedUsage", Effect.QUANTITY),
        ("SavingsPlanCoveredUsage", Effect.QUANTITY),
        ("Savings Plan Recurring Fee", Effect.COMMITMENT),
        ("Recurring reservation fee", Effect.COMMITMENT),
        ("RIFee", Effect.COMMITMENT),
        ("Enterprise Discount Program Discount", Effect.DISCOUNT),
        ("Support fee", Effect.FEE),
        ("Something that AWS invents", Effect.FEE),
    ],
)
def test_record_types_are_read_in_both_spellings(record: str, effect: Effect) -> None:
    assert effect_of_record(record) is effect


def test_a_longer_month_is_calendar_not_quantity() -> None:
    daily = hours("BoxUsage:m5.large", ("64.512", 672), ("71.424", 744))
    found = decompose([daily], [], month(2026, 2), month(2026, 3))
    assert parts(found) == {"calendar": 6.912}


def test_what_is_paid_by_the_month_has_no_calendar_between_two_months() -> None:
    volume = Usage("EC2 - Other", "EBS:VolumeUsage.gp3", "GB-Mo", *(Side(nano("8"), 100.0),) * 2)
    assert parts(decompose([volume], [], month(2026, 2), month(2026, 3))) == {}
