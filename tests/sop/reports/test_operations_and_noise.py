"""F10g and F20 in the lab: every number of a report stands in a tool's answer or in the store."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from aiops_shared.state import StateStore
from aiops_sop.clients.peers import McpPeers
from aiops_sop.clients.report_desk import ReportDesk
from aiops_sop.clients.report_store import ReportStore
from aiops_sop.models.reports import ReportAsk
from eks_aiops.guarding import guardrails
from tests.fakes.peers import HeardPeers
from tests.sop.reports.seeding import incident_row, run_row, seed_incidents, seed_runs
from tests.sop.reports.tracing import exact, leaves, numbers_in, stray, unmade
from tests.sop.stage import Stage, in_this_process, operated

pytestmark = [pytest.mark.slow, pytest.mark.timeout(150)]
TOOLS = ("observability.list_alarms", "observability.analyze_logs", "cost.get_costs")


@pytest.fixture
async def stage(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> AsyncIterator[Stage]:
    async with operated(monkeypatch, tmp_path, "log-insights") as found:
        yield found


async def reported(stage: Stage, **asked: Any) -> tuple[dict[str, Any], HeardPeers]:
    """A report, and every answer that it was made of."""
    peers = McpPeers(stage.settings, in_this_process(stage.settings))
    heard, store = HeardPeers(peers), StateStore(stage.settings.state)
    try:
        async with guardrails(stage.settings) as guard:
            desk = ReportDesk(stage.settings, heard, ReportStore(store), guard.clock, lambda: guard)
            found = await desk.report(ReportAsk.model_validate(asked))
    finally:
        await peers.aclose()
        store.close()
    return found.model_dump(mode="json"), heard


def untraced(told: dict[str, Any], heard: HeardPeers) -> list[str]:
    """Figures that name a tool, and whose number that tool never said."""
    found = []
    for tool in TOOLS:
        said = set().union(set(), *(numbers_in(answer) for name, _, answer in heard.heard if name == tool))
        found += [row["figure"] for row in leaves(told, tool) if exact(row["value"]) not in said]
    return found


def quotes(heard: HeardPeers) -> list[str]:
    """Sentences of tools, as a report quotes them."""
    answers = [answer for _, _, answer in heard.heard]
    single = [str(one.get(name, "")) for one in answers for name in ("summary", "read")]
    return [text for text in [*single, *(text for one in answers for text in one.get("actions", ()))] if text]


@pytest.mark.row("S43")
@pytest.mark.row("S47")
@pytest.mark.row("F10g")
async def test_every_number_of_an_operations_report_and_of_a_noise_report_is_traced(stage: Stage) -> None:
    now = stage.lab.clock.now()
    store = StateStore(stage.settings.state)
    await seed_incidents(store, [incident_row(n, now - timedelta(days=n % 12, hours=1)) for n in range(9)])
    await seed_runs(store, [run_row(n, "a" * 64, now - timedelta(days=n)) for n in range(1, 4)])
    store.close()
    texts = {}
    for audience in ("dev", "executive"):
        told, heard = await reported(stage, kind="ops", audience=audience)
        assert stray(told, quotes(heard)) == [], told["text"]
        assert unmade(told) == []
        assert untraced(told, heard) == []
        assert told["warnings"] == []
        texts[audience] = told["text"]
    assert "increase DB connection pool size" in texts["dev"]
    assert "distinct customers" in texts["dev"]
    assert "█" in texts["dev"]
    assert "pod-crashloop" in texts["executive"]
    assert "## Cost" in texts["executive"]
    assert "Errors in logs" not in texts["executive"]

    stage.play("alert-storm", 1)
    told, heard = await reported(stage, kind="noise", period="1d")
    assert stray(told) == [], told["text"]
    assert unmade(told) == []
    assert untraced(told, heard) == []
    ((_, asked, answer),) = heard.heard
    assert asked["history"] == "-24h"
    assert answer["total"] > 300
    (groups,) = [row["value"] for row in leaves(told, TOOLS[0]) if row["figure"] == "groups shown"]
    assert groups <= 50
    assert {step["missing"].split()[0] for step in told["next_steps"]} <= {"duplicate", "flapping", "stale"}
    assert told["next_steps"]
