"""Prices as pure functions: means over time, tiers, which product of the Price List is meant."""

from datetime import UTC, datetime, timedelta
from fractions import Fraction
from itertools import pairwise
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from aiops_cost.analysis.price_kinds import OTHER
from aiops_cost.analysis.price_lists import cost_of, first_paid, is_linux_node, tiers_of, used_as
from aiops_cost.analysis.spot_prices import SpotChange, by_place, figures

START = datetime(2026, 11, 1, tzinfo=UTC)


def product(usage: str = "", *tiers: tuple[str, str], **attributes: str) -> dict[str, Any]:
    rates = {
        str(at): {"beginRange": begin, "pricePerUnit": {"USD": usd}} for at, (begin, usd) in enumerate(tiers)
    }
    terms = {"OnDemand": {"offer": {"priceDimensions": rates}}}
    return {"product": {"attributes": {"usagetype": usage, **attributes}}, "terms": terms}


@settings(max_examples=50)
@given(st.lists(st.tuples(st.integers(-3 * 3600, 47 * 3600), st.integers(1, 10**9)), min_size=1, max_size=12))
def test_a_mean_weighs_each_price_by_how_long_it_held(changes: list[tuple[int, int]]) -> None:
    """Against a sum over every second of two days, hour by hour where nothing changes within one."""
    end = START + timedelta(hours=48)
    distinct = dict(changes)
    told = [
        SpotChange("m5.large", "a", START + timedelta(seconds=at), price) for at, price in distinct.items()
    ]
    (held,) = by_place(told).values()
    found = figures(held, START, end)
    edges = sorted({0, 48 * 3600, *(at for at in distinct if at > 0)})
    weighed = known = 0
    for begin, until in pairwise(edges):
        before = [at for at in distinct if at <= begin]
        if before:
            weighed += (until - begin) * distinct[max(before)]
            known += until - begin
    if not known:
        assert found is None
        return
    assert found is not None
    assert found.mean_nano == round(Fraction(weighed, known))
    assert found.low_nano <= found.mean_nano <= found.high_nano


def test_tiers_are_paid_in_turn_and_free_units_first() -> None:
    tiers = tiers_of(product("x", ("0", "0"), ("100", "0.30"), ("1000", "0.10")))
    assert first_paid(tiers) == 300_000_000
    assert [cost_of(tiers, units) for units in (50, 100, 101, 1000, 1500)] == [
        0,
        0,
        300_000_000,
        270 * 10**9,
        320 * 10**9,
    ]
    millions = tiers_of(product("x", ("0", "0.00000009"), ("2000000000", "0.000000035")), 1_000_000)
    assert millions == ((0.0, 90_000_000), (2000.0, 35_000_000))
    assert (
        tiers_of({"terms": {"OnDemand": {"o": {"priceDimensions": {"r": {"pricePerUnit": {"CNY": "1"}}}}}}})
        == ()
    )
    assert tiers_of({}) == ()


def test_a_usage_type_is_meant_with_and_without_its_region() -> None:
    balancer = OTHER["alb_hour"].pattern
    for usage in (
        "LoadBalancerUsage",
        "EUC1-LoadBalancerUsage",
        "EU-LoadBalancerUsage",
        "USE2-LoadBalancerUsage",
    ):
        assert used_as(product(usage), balancer), usage
    for usage in (
        "TS-LoadBalancerUsage",
        "EUC1-TS-LoadBalancerUsage",
        "Outposts-LoadBalancerUsage",
        "LCUUsage",
    ):
        assert not used_as(product(usage), balancer), usage


def test_only_a_plain_linux_machine_is_a_node() -> None:
    plain = {
        "operatingSystem": "Linux",
        "tenancy": "Shared",
        "preInstalledSw": "NA",
        "capacitystatus": "Used",
    }
    assert is_linux_node(product("BoxUsage:m5.large", **plain))
    for changed in (
        {"operatingSystem": "Windows"},
        {"tenancy": "Dedicated"},
        {"preInstalledSw": "SQL Std"},
        {"capacitystatus": "UnusedCapacityReservation"},
        {"marketoption": "CapacityBlock"},
    ):
        assert not is_linux_node(product("BoxUsage:m5.large", **{**plain, **changed}))
