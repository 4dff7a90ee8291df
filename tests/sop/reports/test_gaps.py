"""Servers that fail in every way: the report says what is missing, tells the rest, and traces it."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from aiops_shared.clock import SystemClock
from aiops_shared.errors import (
    AccessDeniedError,
    AiopsError,
    ClusterNotFoundError,
    NotConfiguredError,
    ThrottledError,
    UnreachableError,
    UpstreamTimeoutError,
)
from aiops_shared.settings import Settings, StateSettings
from aiops_shared.state import StateStore
from aiops_sop.clients.report_desk import ReportDesk
from aiops_sop.clients.report_store import ReportStore
from aiops_sop.models.reports import ReportAsk
from tests.fakes.peers import FakePeers, Reply
from tests.sop.reports.seeding import incident_row, seed_incidents
from tests.sop.reports.tracing import stray, unmade

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
TOOLS = (
    "cost.get_costs",
    "eks.describe_cluster",
    "observability.analyze_logs",
    "observability.list_alarms",
    "observability.query_metrics",
)
FAILURES = [
    AccessDeniedError("it", "not allowed", "grant cloudwatch:DescribeAlarms"),
    ThrottledError("it", "too many requests", "wait"),
    UpstreamTimeoutError("it", "no answer within 55 s", "narrow the call"),
    UnreachableError("it", "it does not start", "start it by hand"),
    NotConfiguredError("it", "it is not configured", "set it"),
]


class Noon(SystemClock):
    """World time stands."""

    async def now(self) -> datetime:
        return NOW


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[StateStore]:
    found = StateStore(StateSettings(dir=tmp_path / "state"))
    await seed_incidents(found, [incident_row(n, NOW - timedelta(days=n % 14, hours=1)) for n in range(12)])
    yield found
    found.close()


async def report(
    store: StateStore, replies: dict[str, Reply], **asked: Any
) -> tuple[dict[str, Any], FakePeers]:
    peers = FakePeers(replies)
    settings = Settings(state=StateSettings(dir=Path("/nonexistent")))
    desk = ReportDesk(settings, peers, ReportStore(store), Noon(), lambda: pytest.fail("no guard"))
    found = await desk.report(ReportAsk.model_validate({"clusters": ("shop",), **asked}))
    return found.model_dump(mode="json"), peers


@pytest.mark.parametrize("error", FAILURES, ids=lambda error: error.code)
@pytest.mark.parametrize("kind", ["maturity", "roi", "noise", "ops"])
async def test_a_server_that_fails_is_a_gap_and_the_rest_is_told(
    store: StateStore, kind: str, error: AiopsError
) -> None:
    told, _ = await report(store, dict.fromkeys(TOOLS, error), kind=kind)
    assert told["warnings"]
    assert all(one.startswith("coverage_gap: ") and error.code in one for one in told["warnings"])
    assert stray(told) == []
    assert unmade(told) == []
    if kind in {"roi", "ops"}:
        assert "incidents" in told["text"]
    if kind == "maturity":
        assert told["levels"] == {"shop": 0}


@pytest.mark.parametrize("kind", ["maturity", "roi", "noise", "ops"])
async def test_an_unknown_cluster_is_refused_with_its_neighbours(store: StateStore, kind: str) -> None:
    error = ClusterNotFoundError("cluster shop", "there is none of that name", "nearest: shop-prod")
    with pytest.raises(ClusterNotFoundError, match="there is none"):
        await report(store, dict.fromkeys(TOOLS, error), kind=kind)


async def test_answers_that_lack_half_their_fields_are_read_as_far_as_they_go(store: StateStore) -> None:
    half: dict[str, Reply] = {
        "cost.get_costs": {"summary": "", "total": None},
        "eks.describe_cluster": {"summary": "", "sections": {}},
        "observability.list_alarms": {"summary": ""},
        "observability.analyze_logs": {"summary": ""},
        "observability.query_metrics": {"summary": ""},
    }
    for kind in ("maturity", "roi", "noise", "ops"):
        told, _ = await report(store, half, kind=kind)
        assert stray(told, [""]) == [], told["text"]


async def test_a_glob_is_every_cluster_that_fits_and_nine_are_eight_and_a_word(store: StateStore) -> None:
    rows = [[f"shop-{n}"] for n in range(9)] + [["other"]]
    replies: dict[str, Reply] = {"eks.list_clusters": {"clusters": {"columns": ["name"], "rows": rows}}}
    told, peers = await report(store, replies, kind="maturity", clusters=("shop-*",))
    assert set(told["levels"]) == {f"shop-{n}" for n in range(8)}
    assert any("8 of 9" in one for one in told["warnings"])
    assert not any(asked.get("cluster") == "other" for _, asked in peers.asked)
