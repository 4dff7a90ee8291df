"""The bill is asked for once: what was billed is kept, and only what is missing is paid for."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path

import anyio
import numpy as np
import pytest
from sqlalchemy import Connection

from aiops_cost.clients.cost_explorer import CostExplorer
from aiops_cost.models.bills import BillQuestion, Spent
from aiops_cost.models.money import NANO
from aiops_shared.auth.callers import caller_from
from aiops_shared.errors import (
    ActionRefusedError,
    InvalidInputError,
    ThrottledError,
    UnreachableError,
    UpstreamTimeoutError,
)
from aiops_shared.settings import CostSettings, Settings, StateSettings
from aiops_shared.state.answers import Answers
from aiops_shared.state.schema import answers
from aiops_shared.state.store import StateStore
from tests.fakes.bills import Group, WrittenBill
from tests.fakes.clocks import FakeClock

NOW = datetime(2026, 11, 22, 13, 40, tzinfo=UTC)
TODAY = NOW.date()
BY_SERVICE = ("SERVICE",)


def two_services(day: date) -> list[Group]:
    """One and a half dollars a day."""
    return [(("EC2",), "1.25", "USD", "24", "Hrs"), (("S3",), "0.25", "USD", "10", "GB")]


def _spoil(body: bytes, conn: Connection) -> None:
    conn.execute(answers.update().values(body=body))


class House:
    """An explorer with its store, its clock and its bill."""

    def __init__(self, folder: Path, bill: WrittenBill, most: int = 20) -> None:
        self.aws = bill
        self.clock = FakeClock(NOW)
        self.store = StateStore(StateSettings(dir=folder))
        self.settings = Settings(cost=CostSettings(max_billed_requests=most))

    def explorer(self) -> CostExplorer:
        """As a new process has it."""
        kept = Answers(self.store, self.clock, "cost-explorer")
        return CostExplorer(self.settings, self.aws, kept, self.clock, caller_from(self.settings))

    async def spent(self, first: date, end: date, dims: tuple[str, ...] = BY_SERVICE) -> int:
        """Ask, check the sum, and say what it cost."""
        counted = Spent()
        bill = await self.explorer().bill(BillQuestion(first, end, dims), counted)
        assert bill.days == tuple(first + timedelta(days=at) for at in range((end - first).days))
        assert bill.total == (end - first).days * 3 * NANO // 2
        return counted.requests


@pytest.fixture
def house(tmp_path: Path) -> Callable[..., House]:
    def make(bill: WrittenBill | None = None, **more: int) -> House:
        return House(tmp_path, bill or WrittenBill(two_services), **more)

    return make


async def test_a_repeated_question_and_every_part_of_it_cost_nothing(house: Callable[..., House]) -> None:
    ours = house()
    assert await ours.spent(date(2026, 9, 10), date(2026, 11, 1)) == 1
    assert await ours.spent(date(2026, 9, 10), date(2026, 11, 1)) == 0
    assert await ours.spent(date(2026, 9, 25), date(2026, 10, 3)) == 0
    assert await ours.spent(date(2026, 9, 25), date(2026, 10, 3), ("REGION",)) == 1, "another question"


async def test_a_longer_question_asks_only_for_the_days_that_are_missing(house: Callable[..., House]) -> None:
    ours = house()
    await ours.spent(date(2026, 10, 10), date(2026, 10, 20))
    await ours.spent(date(2026, 10, 5), date(2026, 10, 20))
    assert ours.aws.asked[1:] == [("2026-10-05", "2026-10-10")]
    await ours.spent(date(2026, 10, 1), date(2026, 10, 31))
    assert ours.aws.asked[2:] == [("2026-10-01", "2026-10-31")], "one request around few kept days, not two"
    await ours.spent(date(2026, 8, 1), date(2026, 11, 10))
    assert ours.aws.asked[3:] == [("2026-08-01", "2026-11-10")]
    await ours.spent(date(2026, 1, 1), date(2026, 2, 1))
    await ours.spent(date(2025, 12, 20), date(2026, 11, 12))
    assert ours.aws.asked[5:] == [
        ("2025-12-20", "2026-01-01"),
        ("2026-02-01", "2026-08-01"),
        ("2026-11-10", "2026-11-12"),
    ], "January is long enough to go around"


async def test_unsettled_days_are_asked_again_after_a_while_and_settled_ones_are_not(
    house: Callable[..., House],
) -> None:
    ours = house(WrittenBill(two_services, estimated=lambda day: day >= date(2026, 11, 21)))
    first, end = date(2026, 11, 1), TODAY
    assert await ours.spent(first, end) == 1
    ours.clock.world += timedelta(hours=11)
    assert await ours.spent(first, end) == 0
    ours.clock.world += timedelta(hours=2)
    assert await ours.spent(first, end) == 1
    assert ours.aws.asked[-1] == ("2026-11-21", "2026-11-22")
    ours.clock.world += timedelta(days=29)
    assert await ours.spent(first, date(2026, 11, 21)) == 0
    ours.clock.world += timedelta(days=2)
    assert await ours.spent(first, date(2026, 11, 21)) == 1, "credits come until a month is closed"
    ours.clock.world += timedelta(days=200)
    assert await ours.spent(first, date(2026, 11, 21)) == 0, "its bill was closed when it was asked"


async def test_a_month_that_is_not_closed_is_estimated_as_a_whole_and_still_settled_but_for_its_newest_days(
    house: Callable[..., House],
) -> None:
    ours = house(WrittenBill(two_services, estimated=lambda day: day >= date(2026, 11, 1)))
    bill = await ours.explorer().bill(BillQuestion(date(2026, 10, 28), TODAY, BY_SERVICE), Spent())
    assert [day for day, open_ in zip(bill.days, bill.unsettled, strict=True) if open_] == [
        date(2026, 11, 19),
        date(2026, 11, 20),
        date(2026, 11, 21),
    ]


async def test_two_equal_questions_at_once_ask_once(house: Callable[..., House]) -> None:
    ours = house()
    explorer, counted = ours.explorer(), Spent()
    question = BillQuestion(date(2026, 10, 1), date(2026, 11, 1), BY_SERVICE)
    async with anyio.create_task_group() as group:
        for _ in range(3):
            group.start_soon(explorer.bill, question, counted)
    assert (counted.requests, ours.aws.requests) == (1, 1)


async def test_an_answer_that_takes_too_many_requests_is_refused_and_what_was_billed_is_kept(
    house: Callable[..., House],
) -> None:
    ours = house(WrittenBill(two_services, page=13), most=4)
    first, end = date(2026, 9, 1), date(2026, 10, 31)  # 120 groups: ten pages
    counted = Spent()
    with pytest.raises(ActionRefusedError, match=r"about (9|10) billed requests, one call may make 4"):
        await ours.explorer().bill(BillQuestion(first, end, BY_SERVICE), counted)
    assert counted.requests == ours.aws.requests == 4
    with pytest.raises(ActionRefusedError):
        await ours.spent(first, end)
    assert ours.aws.asked[1][0] == "2026-09-26", "it goes on where the whole days end"
    assert await ours.spent(first, end) <= 3
    assert await ours.spent(first, end) == 0


async def test_pages_that_break_off_leave_whole_days_only(house: Callable[..., House]) -> None:
    ours = house(WrittenBill(two_services, page=5, broken_after=2))
    with pytest.raises(ThrottledError):
        await ours.spent(date(2026, 10, 1), date(2026, 10, 20))
    ours.aws.broken_after = None
    await ours.spent(date(2026, 10, 1), date(2026, 10, 20))
    assert ours.aws.asked[-1] == ("2026-10-05", "2026-10-20"), "ten groups are four whole days and one more"


async def test_paging_ends_before_a_client_gives_up_and_the_next_call_goes_on(
    house: Callable[..., House],
) -> None:
    ours = house(WrittenBill(two_services, page=13))
    question = BillQuestion(date(2026, 9, 1), date(2026, 9, 30), BY_SERVICE)
    late = Spent(until=anyio.current_time() - 1)
    with pytest.raises(UpstreamTimeoutError, match="ask again: what came is kept"):
        await ours.explorer().bill(question, late)
    assert ours.aws.requests == 0
    assert await ours.spent(question.first, question.end) == 5


async def test_what_cannot_be_asked_again_is_answered_as_it_was_and_said(house: Callable[..., House]) -> None:
    ours = house(WrittenBill(two_services, estimated=lambda day: day >= date(2026, 11, 21)))
    question = BillQuestion(date(2026, 11, 1), TODAY, BY_SERVICE)
    await ours.explorer().bill(question, Spent())
    ours.clock.world += timedelta(hours=13)
    ours.aws.broken_after = 0
    counted = Spent()
    assert (await ours.explorer().bill(question, counted)).total == 21 * 3 * NANO // 2
    assert counted.notes == ["2026-11-21..2026-11-21 as answered on 2026-11-22 13:40 UTC: Rate exceeded"]
    assert counted.requests == 0, "what is throttled is not billed"


async def test_a_kept_answer_that_cannot_be_read_is_asked_again(house: Callable[..., House]) -> None:
    ours = house()
    first, end = date(2026, 10, 1), date(2026, 10, 20)
    await ours.spent(first, end)
    for body in (b"", b"\x00" * 50, b"x\x9c"):
        ours.store.run_now(partial(_spoil, body))
        assert await ours.spent(first, end) == 1
        assert await ours.spent(first, end) == 0


async def test_a_store_that_fails_costs_the_next_question_and_not_this_one(
    house: Callable[..., House], monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = house()

    async def broken(*_: object, **__: object) -> None:
        raise UnreachableError("the state store", "disk full")

    monkeypatch.setattr(ours.store, "run", broken)
    counted = Spent()
    question = BillQuestion(date(2026, 9, 20), date(2026, 10, 20), BY_SERVICE)
    assert (await ours.explorer().bill(question, counted)).total == 30 * 3 * NANO // 2
    assert counted.notes == ["answers cannot be kept, every question is billed: disk full"]
    monkeypatch.setattr(ours.store, "read", broken)
    assert (await ours.explorer().bill(question, counted)).total == 30 * 3 * NANO // 2
    assert counted.requests == 2


async def test_currencies_are_never_added_up(house: Callable[..., House]) -> None:
    def mixed(day: date) -> list[Group]:
        return [*two_services(day), (("EC2",), "7", "EUR", "1", "Hrs")]

    ours, counted = house(WrittenBill(mixed)), Spent()
    question = BillQuestion(date(2026, 10, 1), date(2026, 10, 3), BY_SERVICE)
    euros, dollars = await ours.explorer().bills(question, counted)
    assert (euros.currency, euros.total, dollars.currency, dollars.total) == (
        "EUR",
        14 * NANO,
        "USD",
        3 * NANO,
    )
    assert (await ours.explorer().bill(question, counted)).total == 14 * NANO
    assert counted.notes == ["the bill has amounts in USD too: they are not in these figures"]


async def test_quantities_in_mixed_units_are_no_quantity(house: Callable[..., House]) -> None:
    def mixed(day: date) -> list[Group]:
        unit = "Hrs" if day.day % 2 else "GB"
        return [(("EC2",), "1", "USD", "24", unit), (("S3",), "1", "USD", "3", "N/A")]

    bill = (
        await house(WrittenBill(mixed))
        .explorer()
        .bill(BillQuestion(date(2026, 10, 1), date(2026, 10, 3), BY_SERVICE), Spent())
    )
    assert bill.units == ("", "")
    assert np.isnan(bill.quantities).all()


async def test_days_that_nobody_has_and_dimensions_that_are_none_are_refused_before_any_request(
    house: Callable[..., House],
) -> None:
    ours = house()
    for question in (
        BillQuestion(date(2025, 9, 30), TODAY),
        BillQuestion(date(2026, 11, 23), date(2026, 11, 30)),
        BillQuestion(date(2026, 11, 3), date(2026, 11, 3)),
        BillQuestion(date(2026, 10, 1), TODAY, ("POD",)),
        BillQuestion(date(2026, 10, 1), TODAY, ("SERVICE", "REGION", "AZ")),
        BillQuestion(date(2026, 10, 1), TODAY, only=(("TAG:", ("x",)),)),
    ):
        with pytest.raises(InvalidInputError):
            await ours.explorer().bills(question, Spent())
    assert ours.aws.requests == 0


async def test_another_account_never_gets_what_was_kept_of_the_first(house: Callable[..., House]) -> None:
    ours = house()
    await ours.spent(date(2026, 10, 1), date(2026, 10, 20))
    ours.aws.account = "444455556666"
    assert await ours.spent(date(2026, 10, 1), date(2026, 10, 20)) == 1
