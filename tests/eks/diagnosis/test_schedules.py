"""Cron schedules are read as the CronJob controller reads them."""

from datetime import UTC, datetime
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiops_eks.diagnosis.schedules import readable, schedule

SUNDAY = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "zone", "last"),
    [
        ("*/5 * * * *", "", datetime(2026, 11, 22, 3, 0, tzinfo=UTC)),
        ("30 2 * * *", "", datetime(2026, 11, 22, 2, 30, tzinfo=UTC)),
        ("0 0 1 * *", "", datetime(2026, 11, 1, tzinfo=UTC)),
        ("0 12 * * mon-fri", "", datetime(2026, 11, 20, 12, tzinfo=UTC)),
        ("0 0 1 * 3", "", datetime(2026, 11, 18, tzinfo=UTC)),  # the first, or any Wednesday
        ("0 3 * jan,nov 0", "", datetime(2026, 11, 22, 3, tzinfo=UTC)),
        ("@hourly", "", datetime(2026, 11, 22, 3, tzinfo=UTC)),
        ("0 22 * * *", "America/New_York", datetime(2026, 11, 22, 3, tzinfo=UTC)),
        ("10-20/5 1 * * *", "", datetime(2026, 11, 22, 1, 20, tzinfo=UTC)),
    ],
)
def test_the_last_start_that_was_due_is_known(text: str, zone: str, last: datetime) -> None:
    read = schedule(text, zone)
    assert read is not None
    assert next(read.dues(SUNDAY)) == last


def test_earlier_starts_follow_newest_first() -> None:
    read = schedule("0 6,18 * * *")
    assert read is not None
    assert [due.day for due in islice(read.dues(SUNDAY), 3)] == [21, 21, 20]


@pytest.mark.parametrize("text", ["0 0 31 2 *", "0 0 30 2 *", "0 0 31 4,6 *"])
def test_a_day_that_never_comes_is_seen(text: str) -> None:
    read = schedule(text)
    assert read is not None
    assert not read.ever(SUNDAY)


@pytest.mark.parametrize("text", ["0 0 29 2 *", "0 0 31 2 1", "0 0 31 12 *"])
def test_a_day_that_seldom_comes_comes(text: str) -> None:
    read = schedule(text)
    assert read is not None
    assert read.ever(SUNDAY)


@pytest.mark.parametrize(
    "text", ["", "* * * *", "60 * * * *", "* * * * 7", "*/0 * * * *", "5-1 * * * *", "a b c d e", "@often"]
)
def test_what_the_controller_cannot_read_is_not_read(text: str) -> None:
    assert schedule(text) is None
    assert not readable(text)


def test_every_so_often_is_readable_though_its_starts_are_not_known() -> None:
    assert readable("@every 5m")
    assert readable("CRON_TZ=Europe/Rome 0 5 * * *")
    assert schedule("@every 5m") is None
    assert schedule("0 5 * * *", "No/Where") is None
    assert schedule("0 5 * * *", "../../etc") is None


@pytest.mark.threat("T14")
@given(st.text(max_size=300))
def test_any_text_is_read_or_refused_and_never_crashes(text: str) -> None:
    assert schedule(text) is None or readable(text)
    schedule("0 5 * * *", text)
