"""F19: what it brought, exactly, from the journal and the bill; and the money formula (B37)."""

from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from aiops_shared.clock import SystemClock
from aiops_shared.errors import AccessDeniedError, InvalidInputError
from aiops_shared.settings import Settings, StateSettings
from aiops_shared.state import StateStore
from aiops_sop.clients.report_desk import ReportDesk
from aiops_sop.clients.report_store import ReportStore
from aiops_sop.models.reports import ReportAsk
from tests.fakes.peers import FakePeers, Reply
from tests.sop.reports.seeding import incident_row, seed_incidents
from tests.sop.reports.tracing import figures_of, leaves, stray, unmade

NOW = datetime(2026, 11, 22, tzinfo=UTC)
B37 = (
    "other_repair_usd_year=30,060",
    "other_downtime_usd_year=$335000",
    "other_engineering_usd_year=156000",
    "other_infrastructure_usd_year=216000",
    "programme_usd_year=110000",
)


class Midnight(SystemClock):
    """World time stands."""

    async def now(self) -> datetime:
        return NOW


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[StateStore]:
    found = StateStore(StateSettings(dir=tmp_path / "state"))
    yield found
    found.close()


def bill(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Ninety days: 10,000 a month and 4,000 of it used before, 6,500 and the same use after."""
    total = 30_000.0 if arguments["period"].startswith("2026-05") else 19_500.0
    rows = [["production", 12_000.0, 60.0], ["(idle)", total - 12_000.0, 40.0]]
    return {
        "summary": "",
        "period": arguments["period"],
        "currency": "USD",
        "total": total,
        "rows": {"columns": ["namespace", "amount", "share"], "rows": rows},
        "method": "split cost allocation data",
    }


def window(
    first: int, *, incidents: int, repeats: int, detect_min: int, repair_min: int, alerts: int
) -> list[dict[str, Any]]:
    """Incidents over ninety days. A tenth of the alerts belongs to those that were acted on."""
    begin = NOW - timedelta(days=180 if first == 0 else 90)
    rows = []
    for place in range(incidents):
        at = begin + timedelta(days=1 + place * 3.4)
        same = place if place < incidents - repeats else 0
        acted = place == 0
        rows.append(
            incident_row(
                first + place,
                at,
                fingerprint=f"w{first}-{same}",
                onset_at=at - timedelta(minutes=detect_min),
                resolved_at=at + timedelta(minutes=repair_min),
                alerts=alerts // 10 if acted else (alerts - alerts // 10) // (incidents - 1),
                confirmed_cause="OOM_KILLED" if acted else "",
            )
        )
    left = alerts - sum(row["alerts"] for row in rows)
    rows[-1]["alerts"] += left
    return rows


async def f19(store: StateStore) -> None:
    """The journal of F19."""
    before = window(0, incidents=25, repeats=10, detect_min=30, repair_min=240, alerts=45_000)
    after = window(1000, incidents=20, repeats=3, detect_min=3, repair_min=45, alerts=4_500)
    await seed_incidents(store, [*before, *after])


async def report(store: StateStore, reply: Reply = bill, **asked: Any) -> dict[str, Any]:
    peers = FakePeers({"cost.get_costs": reply})
    settings = Settings(state=StateSettings(dir=Path("/nonexistent")))
    desk = ReportDesk(settings, peers, ReportStore(store), Midnight(), lambda: pytest.fail("no guard"))
    found = await desk.report(ReportAsk.model_validate({"kind": "roi", "clusters": ("my-cluster",), **asked}))
    return found.model_dump(mode="json")


def value(told: dict[str, Any], name: str) -> float:
    """One figure by its name."""
    return float(next(row["value"] for row in figures_of(told).values() if row["figure"] == name))


@pytest.mark.row("S80")
@pytest.mark.row("S81")
async def test_before_and_after_come_out_exactly(store: StateStore) -> None:
    await f19(store)
    told = await report(store)
    assert value(told, "time to detect, before") == 30
    assert value(told, "time to repair, after") == 45
    for name, change in (
        ("Time to detect", -90.0),
        ("Time to repair", -81.25),
        ("Alerts a day", -90.0),
        ("Recurrence", -62.5),
        ("Cost", -35.0),
    ):
        assert value(told, f"{name}, change") == change, name
    assert value(told, "alerts a day, before") == 500
    assert value(told, "actionable, before") == 10
    assert value(told, "recurrence, before") == 40
    assert value(told, "recurrence, after") == 15
    assert value(told, "paid in 30 days, before") == 10_000
    assert value(told, "cost efficiency, before") == 40
    assert value(told, "cost efficiency, after") == pytest.approx(61.5385)
    for said in ("-90 %", "-81 %", "-62.5 %", "-35 %", "40 %", "61.5 %", "$10,000", "$6,500", "500 per day"):
        assert said in told["text"], said
    assert "-81 %" in told["summary"]
    assert "different quantities" in told["text"]
    assert stray(told) == []
    assert unmade(told) == []
    assert {row["value"] for row in leaves(told, "cost.get_costs")} >= {30_000, 19_500, 18_000, 7_500}


async def test_open_incidents_are_left_out_and_counted(store: StateStore) -> None:
    await f19(store)
    at = NOW - timedelta(days=2)
    await seed_incidents(
        store, [incident_row(9000 + n, at, state="open", resolved_at=None) for n in range(3)]
    )
    told = await report(store)
    assert value(told, "time to repair, after") == 45
    assert value(told, "closed incidents, after") == 20
    assert value(told, "open incidents, after") == 3
    assert "open ones, left out: 0" in told["text"]


async def test_fewer_than_five_incidents_are_called_not_significant(store: StateStore) -> None:
    after = window(1000, incidents=20, repeats=3, detect_min=3, repair_min=45, alerts=4_500)
    before = window(0, incidents=4, repeats=1, detect_min=30, repair_min=240, alerts=400)
    await seed_incidents(store, [*before, *after])
    told = await report(store)
    assert "**Not significant**" in told["text"]
    assert told["summary"].startswith("Not significant")


async def test_other_clusters_incidents_are_not_in_it(store: StateStore) -> None:
    await f19(store)
    await seed_incidents(
        store, [incident_row(5000 + n, NOW - timedelta(days=3), cluster="other") for n in range(9)]
    )
    assert value(await report(store), "closed incidents, after") == 20
    assert value(await report(store, clusters=()), "closed incidents, after") == 29


async def test_without_a_bill_the_rest_is_told_and_the_gap_is_said(store: StateStore) -> None:
    await f19(store)
    told = await report(store, AccessDeniedError("bill", "not allowed", "grant ce:GetCostAndUsage"))
    assert value(told, "Time to repair, change") == -81.25
    assert "Cost efficiency |" not in told["text"]
    assert any("ce:GetCostAndUsage" in one for one in told["warnings"])
    assert stray(told) == []


@pytest.mark.row("B37")
async def test_the_money_formula_is_exact_and_takes_only_what_is_given(store: StateStore) -> None:
    told = await report(store, rates=B37)
    assert value(told, "yearly benefit") == 737_060
    assert "$737,060" in told["text"]
    assert "**570 %" in told["text"]
    assert "**1.8 months" in told["text"]
    assert stray(told) == []
    assert unmade(told) == []


@pytest.mark.row("B37")
async def test_rates_go_over_what_was_measured(store: StateStore) -> None:
    await f19(store)
    rates = (
        "engineer_hour_usd=100",
        "engineers=2",
        "downtime_hour_usd=1000",
        "alert_minutes=1",
        "bill_share=1",
    )
    told = await report(store, rates=rates)
    a_year = 20 / 90 * 365
    assert value(told, "engineers' time") == pytest.approx((240 - 45) / 60 * a_year * 2 * 100)
    assert value(told, "downtime") == pytest.approx((270 - 48) / 60 * a_year * 1000)
    assert value(told, "alerts") == pytest.approx(450 * 365 / 60 * 100)
    assert value(told, "bill") == pytest.approx(3500 / 30 * 365)
    assert stray(told) == []
    assert unmade(told) == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"period": "yesterday"},
        {"period": "2026-13"},
        {"period": "2027-01-01..2027-02-01"},
        {"baseline": "9999d"},
        {"rates": ("wish=1",)},
        {"rates": ("engineers=many",)},
        {"rates": ("engineers=1", "engineers=2")},
        {"rates": ("engineers",)},
        {"rates": ("other_x_usd_year=" + "9" * 14,)},
    ],
)
async def test_bad_input_is_refused_before_anything_is_asked(
    store: StateStore, wrong: dict[str, Any]
) -> None:
    with pytest.raises(InvalidInputError):
        await report(store, lambda _: pytest.fail("nothing is asked"), **wrong)
