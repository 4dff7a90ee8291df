"""Rows sum to the bill whatever the bill; what is no usage is never mixed into what is."""

from datetime import date, timedelta

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from aiops_cost.analysis.bill import Bill
from aiops_cost.analysis.cost_rows import apart, cut, is_usage, ranked, settled_mean, shown
from aiops_cost.models.money import to_cents

FIRST = date(2026, 10, 1)
RECORDS = ("Usage", "DiscountedUsage", "SavingsPlanCoveredUsage", "Credit", "Refund", "Tax")
AMOUNTS = st.integers(-(10**13), 10**13)


@st.composite
def bills(draw: st.DrawFn) -> Bill:
    """A bill by service and record type; amounts of either sign, days settled or not."""
    keys = draw(
        st.lists(st.tuples(st.sampled_from("abcdefgh"), st.sampled_from(RECORDS)), unique=True, max_size=12)
    )
    days = draw(st.integers(1, 8))
    cells = draw(st.lists(AMOUNTS, min_size=days * len(keys), max_size=days * len(keys)))
    open_ = draw(st.lists(st.booleans(), min_size=days, max_size=days))
    shape = (days, len(keys))
    return Bill(
        days=tuple(FIRST + timedelta(days=at) for at in range(days)),
        dims=("SERVICE", "RECORD_TYPE"),
        keys=tuple(keys),
        amounts=np.array(cells, dtype=np.int64).reshape(shape),
        quantities=np.zeros(shape),
        units=("",) * len(keys),
        unsettled=np.array(open_, dtype=np.bool_),
    )


@settings(max_examples=60, deadline=None)
@given(bills(), bills(), st.integers(1, 12))
def test_rows_rest_and_rounding_sum_to_the_bill(now: Bill, before: Bill, most: int) -> None:
    rows = ranked(apart(now), apart(before))
    assert sum(row.amount for row in rows) == now.total
    assert sum(row.before or 0 for row in rows) == before.total
    head, rest, left_out = cut(rows, most)
    kept = [*head, *([rest] if rest else [])]
    assert sum(row.amount for row in kept) == now.total
    assert len(head) + left_out == len(rows)
    lines = shown(kept, now.total)
    assert sum(line.cents for line in lines) == to_cents(now.total)
    residual = sum(line.cents for line in lines if line.row is None)
    assert abs(residual) <= (len(lines) + 1) / 2
    assert [abs(row.amount) for row in head] == sorted((abs(row.amount) for row in head), reverse=True)


@settings(max_examples=60, deadline=None)
@given(bills())
def test_what_is_no_usage_is_a_key_of_its_own_and_nothing_is_lost(bill: Bill) -> None:
    told = apart(bill)
    assert told.dims == ("SERVICE",)
    assert told.total == bill.total
    assert told.of_days() == bill.of_days()
    own = sum(amount for key, amount in zip(told.keys, told.of_keys(), strict=True) if key[0].startswith("["))
    assert own == bill.where(lambda key: not is_usage(key[-1])).total


@settings(max_examples=60, deadline=None)
@given(bills())
def test_unsettled_days_are_in_no_mean(bill: Bill) -> None:
    settled = [day for day, open_ in zip(bill.of_days(), bill.unsettled, strict=True) if not open_]
    mean = settled_mean(bill)
    if not settled:
        assert mean is None
    else:
        assert mean is not None
        assert abs(mean - sum(settled) / len(settled)) <= 1
    for row in ranked(bill, None):
        assert (row.daily is None) is (not settled)
        assert row.change is None
