"""Pictures of money hold what the answer says: steps add up, credits are below zero, open days are seen."""

import io
from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.image import imread

from aiops_cost.charts.drawing import (
    REST,
    Part,
    Stack,
    draw_stacked,
    draw_waterfall,
    fewer_parts,
    fewer_stacks,
)
from aiops_cost.charts.page_data import MOST_DAYS, stacked_page, waterfall_page
from aiops_cost.models.money import nano
from aiops_shared.app.pictures import MOST_BYTES

ORANGE, BLUE = (0xD5, 0x5E, 0x00), (0x00, 0x72, 0xB2)
DAYS = tuple(date(2026, 11, 1) + timedelta(days=at) for at in range(14))
AMOUNTS = st.integers(-(10**15), 10**15)


def pixels(png: bytes, colour: tuple[int, int, int]) -> int:
    """How many pixels have a colour."""
    found = np.round(np.asarray(imread(io.BytesIO(png)))[:, :, :3] * 255).astype(int)
    return int(np.count_nonzero(np.all(found == colour, axis=2)))


def part(name: str, usd: str) -> Part:
    return Part(name, nano(usd))


def test_what_got_dearer_is_orange_and_what_got_cheaper_is_blue() -> None:
    before = part("before", "700")
    dearer = draw_waterfall("t", before, [part("quantity", "260")], part("after", "960"), "USD")
    cheaper = draw_waterfall("t", before, [part("price", "-260")], part("after", "440"), "USD")
    assert pixels(dearer, ORANGE) > 1000
    assert pixels(dearer, BLUE) == 0
    assert pixels(cheaper, BLUE) > 1000
    assert pixels(cheaper, ORANGE) == 0
    assert max(len(dearer), len(cheaper)) < MOST_BYTES


@given(st.lists(AMOUNTS, max_size=40))
def test_fewer_steps_add_up_to_the_same_change(amounts: list[int]) -> None:
    shown = fewer_parts([Part(f"p{at}", amount) for at, amount in enumerate(amounts)])
    assert sum(one.nano for one in shown) == sum(amounts)
    assert len(shown) <= 10


@given(st.lists(st.tuples(AMOUNTS, AMOUNTS), min_size=1, max_size=20))
def test_fewer_stacks_add_up_to_the_same_days(rows: list[tuple[int, int]]) -> None:
    shown = fewer_stacks([Stack(f"s{at}", row) for at, row in enumerate(rows)])
    for day in (0, 1):
        assert sum(one.nanos[day] for one in shown) == sum(row[day] for row in rows)
    assert len(shown) <= 6


def test_stacked_days_are_drawn_with_credits_and_days_that_may_still_change() -> None:
    compute = Stack("compute", tuple(nano("120") for _ in DAYS))
    credits = Stack("credits", tuple(nano("-15") for _ in DAYS))
    settled = draw_stacked("t", DAYS, [compute, credits], [False] * 14, "USD")
    open_end = draw_stacked("t", DAYS, [compute, credits], [False] * 12 + [True] * 2, "USD")
    assert pixels(settled, ORANGE) > 500
    assert pixels(settled, BLUE) > pixels(open_end, BLUE) > 1000


@pytest.mark.parametrize("days", [0, 1, 500])
def test_a_page_gets_the_newest_days_and_cents(days: int) -> None:
    many = [date(2025, 1, 1) + timedelta(days=at) for at in range(days)]
    stacks = [Stack(f"s{at}", tuple(nano("1.005") for _ in many)) for at in range(9)]
    (row,) = stacked_page("t", many, stacks, [False] * days, "EUR")["rows"]
    assert len(row["days"]) == min(days, MOST_DAYS)
    assert row["days"][-1:] == [day.isoformat() for day in many[-1:]]
    assert {len(one["values"]) for one in row["series"]} == {min(days, MOST_DAYS)}
    assert row["series"][-1]["name"] == REST


def test_a_waterfall_page_has_its_ends_and_its_parts() -> None:
    parts = [part("quantity", "261.12"), part("credits", "-20.5")]
    (row,) = waterfall_page("t", part("before", "10"), parts, part("after", "250.62"), "USD")["rows"]
    assert row["before"] == {"name": "before", "value": 10.0}
    assert row["parts"] == [{"name": "quantity", "value": 261.12}, {"name": "credits", "value": -20.5}]
    assert row["after"]["value"] == 250.62


def test_names_are_not_mathematics() -> None:
    assert draw_waterfall("$x_1$ of $y", part("$a$", "1"), [part("$\\frac", "1")], part("b", "2"), "USD")
