"""Money is whole billionths: sums are exact, cents are rounded once and half to even."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiops_cost.models.money import NANO, nano, shown, to_cents, worded
from aiops_shared.errors import UpstreamError

AMOUNTS = st.decimals(
    min_value=-9_000_000_000, max_value=9_000_000_000, places=9, allow_nan=False, allow_infinity=False
)


@given(AMOUNTS)
def test_an_amount_of_nine_decimals_is_exact(amount: Decimal) -> None:
    assert Decimal(nano(str(amount))) / NANO == amount


@given(AMOUNTS)
def test_cents_are_rounded_as_decimal_rounds_half_to_even(amount: Decimal) -> None:
    assert to_cents(nano(amount)) == int((amount * 100).to_integral_value())


@pytest.mark.parametrize(
    ("text", "cents"),
    [("0.005", 0), ("0.015", 2), ("-0.005", 0), ("-0.015", -2), ("0.005000001", 1), ("652.80", 65280)],
)
def test_half_a_cent_goes_to_the_even_one(text: str, cents: int) -> None:
    assert to_cents(nano(text)) == cents


@pytest.mark.parametrize("text", ["", "abc", "NaN", "Infinity", "1e30", "--1", "1,000.00"])
def test_what_is_no_amount_is_refused(text: str) -> None:
    with pytest.raises(UpstreamError):
        nano(text)


def test_amounts_in_sentences() -> None:
    assert worded(nano("1211.8")) == "$1,211.80"
    assert worded(nano("-3")) == "-$3.00"
    assert worded(nano("1211.8"), "EUR") == "1,211.80 EUR"
    assert worded(nano("-0.004")) == "$0.00"
    assert shown(nano("913.92")) == 913.92
