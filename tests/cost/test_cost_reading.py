"""The reader of costs on a bill that a test wrote down: currencies, throttling, nothing but what is kept."""

from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import pytest

from aiops_cost.clients.cost_reading import CostReader
from aiops_cost.models.costs import CostAsk, CostReport
from aiops_shared.auth.callers import caller_from
from aiops_shared.errors import ActionRefusedError, NotConfiguredError, ThrottledError
from aiops_shared.kube.clusters import ClusterDirectory
from tests.cost.test_cost_explorer import House
from tests.fakes.bills import Group, WrittenBill


def by_service(day: date) -> list[Group]:
    return [
        (("EC2", "Usage"), "10.004", "USD", "24", "Hrs"),
        (("S3", "Usage"), "1.004", "USD", "24", "GB"),
    ]


def with_euros(day: date) -> list[Group]:
    return [*by_service(day), (("Marketplace", "Usage"), "3", "EUR", "1", "Units")]


class Desk(House):
    """A reader on the house."""

    async def told(self, period: str = "2026-10", **changed: object) -> CostReport:
        """One answer."""
        clusters = ClusterDirectory(self.settings, self.aws, self.clock, caller_from(self.settings))
        reader = CostReader(self.settings, self.explorer(), self.aws, clusters, self.clock)
        asked = {
            "group_by": "service",
            "period": period,
            "tag": "",
            "cluster": None,
            "namespace": "",
            "only": (),
            "without": (),
            "metric": "unblended",
            "granularity": "total",
            "limit": 10,
            "chart": False,
        }
        return await reader.costs(CostAsk.model_validate(asked | changed))


@pytest.fixture
def desk(tmp_path: Path) -> Callable[..., Desk]:
    def make(bill: WrittenBill | None = None, **more: int) -> Desk:
        return Desk(tmp_path, bill or WrittenBill(by_service), **more)

    return make


async def test_each_currency_has_its_own_table_and_none_is_added_to_another(
    desk: Callable[..., Desk],
) -> None:
    answer = await desk(WrittenBill(with_euros)).told()
    assert (answer.currency, answer.total) == ("USD", 341.25)
    assert [row[0] for row in answer.rows.rows] == ["EC2", "S3", "(rounding)"]
    (euros,) = answer.other_currencies
    assert (euros.currency, euros.total, euros.rows.rows[0][0]) == ("EUR", 93.0, "Marketplace")
    assert "several currencies: each has its own table, nothing is added up across them" in answer.warnings


async def test_what_rounding_leaves_is_a_row(desk: Callable[..., Desk]) -> None:
    answer = await desk().told("2026-10-01")
    assert answer.total == 11.01
    assert [(row[0], row[1]) for row in answer.rows.rows] == [
        ("EC2", 10.0),
        ("S3", 1.0),
        ("(rounding)", 0.01),
    ]


async def test_our_own_forecast_is_said_to_be_ours_when_cost_explorer_gives_none(
    desk: Callable[..., Desk],
) -> None:
    answer = await desk(WrittenBill(by_service, estimated=lambda day: day >= date(2026, 11, 20))).told("mtd")
    assert answer.month is not None
    assert answer.month.by == "our own, of usage"
    assert answer.month.to_date == pytest.approx(19 * 11.008, abs=0.01)
    assert answer.month.forecast == pytest.approx(30 * 11.008, abs=0.01)
    assert any("no forecast of Cost Explorer's" in one for one in answer.warnings)


async def test_with_no_requests_allowed_only_what_is_kept_is_answered(desk: Callable[..., Desk]) -> None:
    ours = desk(most=0)
    with pytest.raises(ActionRefusedError, match="AIOPS_COST_MAX_BILLED_REQUESTS"):
        await ours.told()
    rich = desk()
    before = await rich.told()
    poor = desk(most=0)
    poor.clock.world += timedelta(hours=1)
    after = await poor.told()
    assert (after.total, after.billed_requests) == (before.total, 0)


async def test_a_throttled_bill_is_an_error_and_a_kept_one_is_an_answer(desk: Callable[..., Desk]) -> None:
    ours = desk(WrittenBill(by_service, broken_after=0))
    with pytest.raises(ThrottledError):
        await ours.told()
    ours.aws.broken_after = None
    await ours.told()
    ours.aws.broken_after = 0
    assert (await ours.told()).total == 341.25


async def test_without_credentials_it_says_what_can_still_be_answered(desk: Callable[..., Desk]) -> None:
    missing = NotConfiguredError("AWS", "Unable to locate credentials", "give credentials")
    ours = desk(WrittenBill(by_service, broken_after=0, nobody=missing))
    with pytest.raises(NotConfiguredError, match=r"kept prices still answer list_prices and estimate_cost"):
        await ours.told()
