"""F17c: the same trouble waits for a person in production and is mended in staging; what earns more."""

from pathlib import Path
from typing import Any

import pytest

from aiops_lab.scenarios import SCENARIOS
from aiops_shared.guardrails.policy import Policy
from aiops_shared.settings import PolicySettings, SopSettings
from aiops_shared.state import StateStore
from aiops_sop.analysis.codifying import Done, drafted
from aiops_sop.clients.library import SopLibrary
from tests.e2e.stage import Obj
from tests.sop.reports.seeding import run_row, seed_drill, seed_runs
from tests.sop.stage import Stage, operated

pytestmark = [pytest.mark.slow, pytest.mark.timeout(150)]
SOP, OWN = "oom-raise-limits", "one-more-replica"
WAITS = frozenset({"waiting"})


def own_procedure(folder: Path) -> SopSettings:
    """A SOP whose change policy allows in production without a person: a replica more."""
    folder.mkdir()
    about = {"namespace": "x", "kind": "Deployment", "name": "x"}
    plan = Done("eks", "plan_workload_change", {"action": "scale", **about, "replicas": 1}, executed=True)
    (folder / f"{OWN}.sop.md").write_text(drafted(OWN, "One more replica", [plan]).text, encoding="utf-8")
    return SopSettings(dirs=[str(folder)], supervised_runs=3)


async def run(stage: Stage, sop: str, **params: Any) -> Obj:
    """A run in mode auto, until it ends or waits for a person."""
    started = await stage.got("start_run", sop=sop, params=params, mode="auto")
    return await stage.finished(started["run_id"], also=WAITS)


def hurt(stage: Stage, scenario: str) -> Obj:
    """The workload that is in trouble."""
    (expected, *_) = SCENARIOS[scenario].expect(stage.who)
    return {"namespace": expected.namespace, "name": expected.name, "kind": expected.kind}


@pytest.mark.row("S34")
@pytest.mark.row("S58")
@pytest.mark.row("F17c")
async def test_staging_mends_production_waits_and_a_procedure_earns_mode_auto_there(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    levels = {"prod": "auto-safe", "staging": "auto-safe"}
    sop = own_procedure(tmp_path / "sops")
    story = "oom-raise-limits-staging"
    async with operated(monkeypatch, tmp_path, story, autonomy=levels, sop=sop) as stage:
        mended = await run(stage, SOP, **hurt(stage, story))
        assert mended["state"] == "succeeded", mended
        assert mended["human_inputs"] == 1, "who started it, and nobody else"
        assert stage.lab.requests.writes()

        stage.play("oom-raise-limits", 1)
        before = len(stage.lab.requests.writes())
        waits = await run(stage, SOP, **hurt(stage, "oom-raise-limits"))
        assert (waits["state"], waits["waiting"]["kind"]) == ("waiting", "approval"), waits
        assert len(stage.lab.requests.writes()) == before

        stage.play("guardrail-drill", 2)
        wish = {"namespace": "production", "kind": "Deployment", "name": stage.who.api, "replicas": 11}
        unproven = await run(stage, OWN, **wish)
        assert unproven["state"] == "waiting", "policy allows it; the procedure has not earned it"
        cancelled = await stage.ask("control_run", run_id=unproven["run_id"], action="cancel")
        assert not cancelled.error, cancelled.error
        await stage.finished(unproven["run_id"])

        document = SopLibrary(stage.settings).get(OWN)
        now, store = stage.lab.clock.now(), StateStore(stage.settings.state)
        await seed_runs(store, [run_row(9000 + n, document.digest, now, sop=OWN) for n in range(3)])
        await seed_drill(store, now, Policy(PolicySettings()).digest)
        store.close()
        proven = await run(stage, OWN, **wish)
        assert proven["state"] == "succeeded", proven
