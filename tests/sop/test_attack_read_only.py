"""A read-only process: it reads and plans, and nothing else of it can be reached by any name (T2)."""

from pathlib import Path

import pytest

from tests.sop.stage import Stage, operated

pytestmark = [pytest.mark.slow, pytest.mark.timeout(90)]
WRITES = {"submit_event", "control_run"}


async def listed(stage: Stage) -> set[str]:
    return {tool.name for tool in await stage.client.list_tools()}


@pytest.mark.threat("T2")
async def test_a_read_only_process_plans_and_does_nothing_else(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with operated(
        monkeypatch, tmp_path, "oom-raise-limits", autonomy={"prod": "auto-safe"}, write=False
    ) as stage:
        assert not WRITES & await listed(stage)
        event = {"reason": "OOMKilled", "cluster": "my-cluster", "namespace": "production", "name": "web"}
        params = {"namespace": "production", "name": stage.who.worker}
        for tool, arguments in (
            ("submit_event", {"event": event}),
            ("control_run", {"run_id": "run_" + "a" * 20, "action": "undo"}),
            ("start_run", {"sop": "oom-raise-limits", "params": params, "mode": "supervised"}),
            ("start_run", {"sop": "oom-raise-limits", "params": params, "mode": "auto"}),
        ):
            answer = await stage.ask(tool, **arguments)
            assert answer.code == "read_only", (tool, answer.text)
        run = await stage.got("start_run", sop="oom-raise-limits", params=params, mode="plan")
        done = await stage.finished(run["run_id"])
        assert done["state"] == "succeeded", done["summary"]
        assert {step["state"] for step in done["steps"]} <= {"done", "planned", "skipped"}
        assert any(step["state"] == "planned" for step in done["steps"])
        assert not any(step.get("action_id") for step in done["steps"])
        assert stage.lab.requests.writes() == []
