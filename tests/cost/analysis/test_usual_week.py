"""Beside the usual weeks: what is expected, what is unusual, and when nothing can be said."""

from datetime import date, timedelta
from random import Random

import pytest

from aiops_cost.analysis.usual_week import usual

FIRST = date(2026, 11, 9)  # a Monday
WEEK = [FIRST + timedelta(day) for day in range(7)]


def history(
    weeks: int, *, level: float = 1e11, weekend: float = 1.0, grows: float = 0.0, noise: float = 0.0
) -> dict[date, int]:
    rng = Random(7)
    made = {}
    for back in range(-7 * weeks, 14):
        day = FIRST + timedelta(back)
        amount = level * (1 + grows) ** (back / 7) * (weekend if day.weekday() >= 5 else 1)
        made[day] = round(amount * (1 + noise * rng.uniform(-1, 1)))
    return made


@pytest.mark.parametrize("noise", [0.0, 0.01, 0.05])
def test_a_week_like_the_others_is_usual_whatever_the_weekend(noise: float) -> None:
    found = usual(history(6, weekend=0.5, noise=noise), WEEK)
    assert found.known
    assert not found.unusual


def test_a_week_that_costs_two_fifths_more_is_not() -> None:
    amounts = history(5, noise=0.02)
    found = usual(amounts | {day: round(1.4 * amounts[day]) for day in WEEK}, WEEK)
    assert found.unusual
    assert found.score > 10


def test_steady_growth_is_what_was_to_be_expected() -> None:
    found = usual(history(8, grows=0.03, noise=0.002), WEEK)
    assert not found.unusual
    assert found.trend == pytest.approx(0.03, abs=0.005)


def test_one_odd_week_among_the_usual_ones_does_not_hide_an_unusual_one() -> None:
    amounts = history(6, noise=0.01)
    odd = {FIRST - timedelta(21 - day): 3 * 10**11 for day in range(7)}
    found = usual(amounts | odd | {day: round(1.2 * amounts[day]) for day in WEEK}, WEEK)
    assert found.unusual


def test_two_weeks_are_too_few() -> None:
    found = usual(history(2), WEEK)
    assert not found.known
    assert not found.unusual
    assert found.weeks == 2


def test_a_weekend_alone_is_beside_weekends() -> None:
    found = usual(history(5, weekend=0.3, noise=0.01), WEEK[5:])
    assert not found.unusual


def test_a_bill_of_nothing_is_usual() -> None:
    assert not usual(dict.fromkeys(history(4), 0), WEEK).unusual
