"""F18: five clusters, one per level, and the traps; in the lab, through the tools (S1, S78, S79)."""

import json
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from aiops_shared.guardrails.policy import Policy
from aiops_shared.settings import PolicySettings
from aiops_shared.state import StateStore
from aiops_shared.state.schema import call_journal, journal_watches
from aiops_shared.state.sop_schema import drills, sop_runs
from bench.tokens import tokens
from tests.sop.reports.seeding import run_row, seed_drill, seed_runs
from tests.sop.reports.tracing import stray, unmade
from tests.sop.stage import Stage, operated

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(150),
    pytest.mark.filterwarnings("ignore:open_binary is deprecated:DeprecationWarning"),
]
CLUSTER = "my-cluster"
AUTO = PolicySettings(autonomy_prod="auto-safe", autonomy_staging="auto-safe")


@pytest.fixture
async def stage(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> AsyncIterator[Stage]:
    async with operated(monkeypatch, tmp_path, "maturity-0", autonomy={"prod": "auto-safe"}) as found:
        yield found


async def level(stage: Stage) -> dict[str, Any]:
    """The report; each number of it is a figure."""
    told = await stage.got("get_report", kind="maturity", cluster=CLUSTER)
    assert stray(told) == [], told["text"]
    assert unmade(told) == []
    assert tokens(json.dumps(told, separators=(",", ":"))) <= 4_000
    return told


async def supervised(store: StateStore, now: datetime, *, drill_days: float) -> None:
    """What makes level 4: runs, a drill, a forwarder."""
    await store.run(lambda conn: (conn.execute(sop_runs.delete()), conn.execute(drills.delete())))
    await seed_runs(store, [run_row(number, "a" * 64, now - timedelta(days=number)) for number in range(10)])
    await seed_drill(store, now - timedelta(days=drill_days), Policy(PolicySettings()).digest)
    watch = {"cluster": CLUSTER, "kind": "Pod", "since_at": now - timedelta(days=1), "seen_at": now}
    await store.run(
        lambda conn: (
            conn.execute(journal_watches.delete()),
            conn.execute(journal_watches.insert().values(**watch)),
        )
    )


@pytest.mark.row("S1")
@pytest.mark.row("S78")
@pytest.mark.row("S79")
async def test_five_clusters_one_per_level_and_the_traps(stage: Stage) -> None:
    found = await level(stage)
    assert found["levels"] == {CLUSTER: 0}, "an agent on a bare cluster"
    assert any("add-on" in step["missing"] for step in found["next_steps"])
    assert not any("drill" in step["do"] for step in found["next_steps"]), "no level is leapt over"

    stage.play("maturity-1", 1)
    assert (await level(stage))["levels"] == {CLUSTER: 1}

    stage.play("maturity-1-degraded", 2)
    ill = await level(stage)
    assert ill["levels"] == {CLUSTER: 0}, "an add-on that is DEGRADED is not counted"
    assert "DEGRADED" in ill["text"]

    stage.play("maturity-2", 3)
    second = await level(stage)
    assert second["levels"] == {CLUSTER: 2}
    assert "80 %" in second["text"]
    assert any("forecast" in step["missing"] for step in second["next_steps"])

    stage.play("maturity-3", 4)
    assert (await level(stage))["levels"] == {CLUSTER: 2}, "detectors alone: nobody forecasts"
    store = StateStore(stage.settings.state)
    now = stage.lab.clock.now()
    journalled = {
        "at": now,
        "caller": "anna",
        "tool": "forecast_metric",
        "arguments": f'{{"cluster":"{CLUSTER}"}}',
    }
    await store.run(lambda conn: conn.execute(call_journal.insert(), [journalled, journalled]))
    third = await level(stage)
    assert third["levels"] == {CLUSTER: 3}
    assert {"eks-aiops drill", f"eks-aiops forward {CLUSTER}"} <= {step["do"] for step in third["next_steps"]}

    await supervised(store, now, drill_days=3)
    assert (await level(stage))["levels"] == {CLUSTER: 4}
    await supervised(store, now, drill_days=31)
    old = await level(stage)
    assert old["levels"] == {CLUSTER: 3}, "a drill older than thirty days"
    assert [step["do"] for step in old["next_steps"]] == ["eks-aiops drill"]
    store.close()


async def test_what_cannot_be_asked_is_a_gap_and_counts_as_absent(stage: Stage) -> None:
    stage.play("maturity-1", 0)
    stage.lab.fail_aws("eks", "ListAddons", code="AccessDeniedException", status=403)
    told = await stage.got("get_report", kind="maturity", cluster=CLUSTER)
    assert told["levels"] == {CLUSTER: 0}
    unknown = await stage.ask("get_report", kind="maturity", cluster="nowhere")
    assert unknown.code == "cluster_not_found", unknown.text
