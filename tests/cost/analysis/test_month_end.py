"""How a month ends, and when a budget is used up."""

from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiops_cost.analysis.bill import Bill
from aiops_cost.analysis.month_end import expected, full_on, under_way

TODAY = date(2026, 11, 22)
DOLLAR = 10**9


def bill(first: date, amounts: list[int], unsettled: int = 0) -> Bill:
    """One key; the newest days unsettled."""
    days = len(amounts)
    return Bill(
        days=tuple(first + timedelta(days=at) for at in range(days)),
        dims=("SERVICE",),
        keys=(("EC2",),),
        amounts=np.array(amounts, dtype=np.int64).reshape(days, 1),
        quantities=np.zeros((days, 1)),
        units=("",),
        unsettled=np.array([at >= days - unsettled for at in range(days)], dtype=np.bool_),
    )


def test_weekends_are_forecast_as_weekends() -> None:
    first = date(2026, 10, 25)
    days = [first + timedelta(days=at) for at in range(28)]
    week = bill(first, [(4 if day.weekday() >= 5 else 10) * DOLLAR for day in days])
    ahead = expected(week, [date(2026, 11, 27), date(2026, 11, 28), date(2026, 11, 29), date(2026, 11, 30)])
    assert ahead is not None
    assert ahead.amount == (10 + 4 + 4 + 10) * DOLLAR
    assert ahead.low == ahead.high == ahead.amount, "nothing was off so far"


def test_unsettled_days_are_not_extrapolated() -> None:
    found = bill(date(2026, 11, 1), [10 * DOLLAR] * 20 + [DOLLAR, DOLLAR], unsettled=2)
    under = under_way(found, TODAY)
    assert (under.settled, under.settled_days, len(under.open_days)) == (200 * DOLLAR, 20, 10)
    ahead = expected(found, under.open_days)
    assert ahead is not None
    assert under.settled + ahead.amount == 300 * DOLLAR
    assert expected(bill(TODAY, [DOLLAR], unsettled=1), under.open_days) is None


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 10**12), min_size=2, max_size=40), st.integers(1, 31))
def test_the_interval_holds_the_forecast(amounts: list[int], days: int) -> None:
    ahead = expected(
        bill(date(2026, 10, 1), amounts), [date(2026, 12, 1) + timedelta(days=at) for at in range(days)]
    )
    assert ahead is not None
    assert ahead.low is not None
    assert ahead.high is not None
    assert ahead.low <= ahead.amount <= ahead.high
    assert min(amounts) * days - days <= ahead.amount <= max(amounts) * days + days


@pytest.mark.parametrize(
    ("limit", "actual", "forecast", "day"),
    [
        (100, 100, 200, TODAY),
        (250, 210, 300, date(2026, 11, 26)),
        (250, 210, None, date(2026, 11, 26)),
        (300, 210, 299, None),
        (250, 0, 0, None),
    ],
)
def test_a_budget_is_used_up_on_the_day_its_forecast_says(
    limit: int, actual: int, forecast: int | None, day: date | None
) -> None:
    assert full_on(limit, actual, forecast, (date(2026, 11, 1), date(2026, 12, 1)), TODAY) == day
