"""Runs in the lab, through the client: a person approves, an approval expires, a freeze holds, an undo."""

import json
import sqlite3
from pathlib import Path

import anyio
import pytest

from eks_aiops.guarding import guardrails
from tests.e2e.stage import Obj
from tests.sop.stage import Stage, operated

pytestmark = [pytest.mark.slow, pytest.mark.timeout(90)]
WAITING = frozenset({"waiting"})


async def asked(stage: Stage) -> Obj:
    """A run in production that waits for its approval."""
    params = {"namespace": "production", "name": stage.who.worker}
    started = await stage.got("start_run", sop="oom-raise-limits", params=params, mode="supervised")
    run = await stage.finished(started["run_id"], also=WAITING)
    assert run["waiting"]["kind"] == "approval"
    assert run["waiting"]["how"] == f"eks-aiops approve {run['waiting']['id']}"
    assert not stage.lab.requests.writes()
    return run


async def waits_so(stage: Stage, run_id: str, word: str) -> Obj:
    """Wait until what it waits for says so."""
    with anyio.fail_after(20):
        while True:
            run = await stage.got("get_run", run_id=run_id)
            if word in (run.get("waiting") or {}).get("says", ""):
                return run
            await anyio.sleep(0.1)


async def goes_on(stage: Stage, run_id: str) -> Obj:
    """Wait until it waits no more, and for its end."""
    with anyio.fail_after(40):
        run = {"state": "waiting"}
        while run["state"] == "waiting":
            await anyio.sleep(0.1)  # the engine looks once a second
            run = await stage.got("get_run", run_id=run_id)
    return await stage.finished(run_id)


@pytest.mark.fault("R17")
@pytest.mark.threat("T9")
@pytest.mark.row("S34")
async def test_an_approval_that_expired_or_a_freeze_pauses_the_run_and_it_goes_on_afterwards(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    everywhere = {"prod": "auto-safe", "staging": "auto-safe", "dev": "auto-safe"}
    async with operated(monkeypatch, tmp_path, "oom-raise-limits", autonomy=everywhere) as stage:
        run = await asked(stage)
        run_id, first = run["run_id"], run["waiting"]["id"]
        store = sqlite3.connect(stage.settings.state.dir / "state.db", timeout=10)
        with store:
            store.execute("UPDATE approvals SET expires_at = created_at WHERE id = ?", (first,))
        store.close()
        paused = await waits_so(stage, run_id, "expired")
        assert "resume" in paused["waiting"]["how"]
        await stage.got("control_run", run_id=run_id, action="resume")
        with anyio.fail_after(20):
            while run["waiting"]["id"] == first:
                run = await stage.finished(run_id, also=WAITING)
        # Approved while everything is frozen: nothing is written until the freeze is lifted.
        async with guardrails(stage.settings) as guard:
            await guard.freeze_on("anna", "an incident elsewhere")
            await stage.approved_by("anna", run["waiting"]["id"])
            frozen = await waits_so(stage, run_id, "frozen by anna")
            assert (frozen["waiting"]["kind"], stage.lab.requests.writes()) == ("freeze", [])
            await guard.freeze_off("anna")
        done = await goes_on(stage, run_id)
        assert done["state"] == "succeeded", done["summary"]
        written = len(stage.lab.requests.writes())  # the new limit, and the rollout let go
        assert written == 2
        assert done["human_inputs"] == 2  # the start and one approval
        whole = json.loads((await stage.client.read_resource(f"run://{run_id}"))[0].text)  # type: ignore[union-attr]
        told = [row[2] for row in whole["audit"]["rows"]]
        assert {"run_started", "approval_asked", "approved", "intent", "outcome", "run_ended"} <= set(told)
        assert whole["audit_chain"].startswith("valid")
        assert whole["phases_s"]["act"] > 0

        await stage.got("control_run", run_id=run_id, action="undo")
        undone = await stage.finished(run_id)
        assert undone["state"] == "undone", undone["summary"]
        assert len(stage.lab.requests.writes()) > written
