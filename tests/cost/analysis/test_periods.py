"""What a text means as days, and which days may still change."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiops_cost.analysis.periods import earliest, period_of
from aiops_cost.analysis.settling import good_until, next_month, unsettled_days
from aiops_shared.errors import InvalidInputError

TODAY = date(2026, 11, 22)
DAYS = st.dates(date(2020, 1, 1), date(2035, 12, 31))


@pytest.mark.parametrize(
    ("text", "first", "last", "before"),
    [
        ("7d", "2026-11-15", "2026-11-21", "2026-11-08..2026-11-14"),
        ("30d", "2026-10-23", "2026-11-21", "2026-09-23..2026-10-22"),
        ("mtd", "2026-11-01", "2026-11-22", "2026-10-01..2026-10-31"),
        ("last_month", "2026-10-01", "2026-10-31", "2026-09-01..2026-09-30"),
        ("2026-03", "2026-03-01", "2026-03-31", "2026-02-01..2026-02-28"),
        ("2026-11", "2026-11-01", "2026-11-22", "2026-10-01..2026-10-31"),
        ("2026-11-20", "2026-11-20", "2026-11-20", "2026-11-19..2026-11-19"),
        ("2026-11-10..2026-11-12", "2026-11-10", "2026-11-12", "2026-11-07..2026-11-09"),
        ("2026-11-10/2026-12-24", "2026-11-10", "2026-11-22", "2026-10-28..2026-11-09"),
    ],
)
def test_a_text_means_whole_days_and_has_an_equal_period_before(
    text: str, first: str, last: str, before: str
) -> None:
    found = period_of(text, TODAY)
    assert (str(found.first), str(found.end - timedelta(days=1))) == (first, last)
    assert str(found.before()) == before


@pytest.mark.parametrize(
    "text", ["", "0d", "7", "-", "2026-13", "2026-02-30", "2025-09-30", "2026-11-23", "12-2026", "7d; drop"]
)
def test_what_is_no_period_or_has_no_days_is_refused(text: str) -> None:
    with pytest.raises(InvalidInputError):
        period_of(text, TODAY)


@settings(max_examples=80, deadline=None)
@given(DAYS)
def test_cost_explorer_has_thirteen_months_and_the_one_under_way(today: date) -> None:
    oldest = earliest(today)
    assert oldest.day == 1
    assert (today.year * 12 + today.month) - (oldest.year * 12 + oldest.month) == 13
    assert period_of(oldest.isoformat(), today).first == oldest
    with pytest.raises(InvalidInputError):
        period_of((oldest - timedelta(days=1)).isoformat(), today)


@settings(max_examples=80, deadline=None)
@given(DAYS)
def test_the_next_month_begins_where_this_one_ends(day: date) -> None:
    found = next_month(day)
    assert found.day == 1
    assert (found - timedelta(days=1)).month == day.month


@settings(max_examples=80, deadline=None)
@given(st.lists(st.booleans(), min_size=1, max_size=40), st.integers(0, 20))
def test_a_day_that_is_no_estimate_is_settled_unless_it_is_today(marks: list[bool], ahead: int) -> None:
    days = [TODAY - timedelta(days=len(marks) - 1 - at - ahead) for at in range(len(marks))]
    for day, guess, open_ in zip(days, marks, unsettled_days(days, marks, TODAY), strict=True):
        if day >= TODAY:
            assert open_
        elif not guess:
            assert not open_
        elif (TODAY - day).days <= 3:
            assert open_


def test_only_a_month_that_was_closed_is_kept_for_good() -> None:
    asked, day = datetime(2026, 11, 9, tzinfo=UTC), date(2026, 10, 5)

    def until(at: datetime, *, estimated: bool = False, unsettled: bool = False) -> timedelta:
        return good_until(day, at, estimated=estimated, unsettled=unsettled, keep_h=12) - at

    assert until(asked, unsettled=True, estimated=True) == timedelta(hours=12)
    assert until(asked, estimated=True) == timedelta(days=7)
    assert until(asked) == timedelta(days=30)
    assert until(asked + timedelta(days=2)) > timedelta(days=10_000)
