"""Procedures of governance: reports with their evidence, work that becomes a procedure, the drill."""

from pathlib import Path

import pytest

from tests.sop.procedures.playing import AUTO, begun, played, states, step, written
from tests.sop.stage import operated

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]
LEVELS = {"maturity-0": 0, "maturity-1": 1, "maturity-2": 2}


@pytest.mark.row("S78")
@pytest.mark.row("S79")
async def test_the_level_is_what_works_and_the_next_step_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """F18 by the procedure; the report itself is asked on every level in tests/sop/reports."""
    async with operated(monkeypatch, tmp_path, autonomy=AUTO) as stage:
        for scenario in ("maturity-0", "maturity-2"):
            begun(stage, scenario, 0)
            run = await played(stage, "maturity-assessment", {})
            assert run["state"] == "succeeded", run
            found = step(run, "level")["output"]
            assert set(found["levels"].values()) == {LEVELS[scenario]}, found["summary"]
            assert found["next_steps"][0]["missing"] in step(run, "tell")["output"]["text"]
        begun(stage, "cost-spike", 0)
        worth = await played(stage, "roi-review", {"period": "-7d"})
        assert worth["state"] == "succeeded", worth
        made = step(worth, "compute")["output"]
        assert step(worth, "tell")["output"]["text"] == made["text"]
        assert all(str(row[-1]) for row in made["figures"]["rows"])
        assert written(stage) == []


@pytest.mark.row("S58")
@pytest.mark.row("S74")
async def test_people_codify_and_drill_and_their_no_ends_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """F21b, F17: what the commands themselves do stands in test_codify and test_drill."""
    async with operated(monkeypatch, tmp_path, autonomy=AUTO) as stage:
        begun(stage, "oom-raise-limits-staging", 0)
        params = {"caller": "anna", "since": "-1h", "name": "raise-a-limit"}
        run = await played(stage, "codify-incident", params)
        assert run["state"] == "succeeded", run
        assert run["human_inputs"] >= 2
        declined = await played(stage, "codify-incident", params, answers={"review": "no"})
        assert declined["state"] == "escalated", declined
        assert states(declined)["tell"] == "pending", "an unread draft is not announced"
        drill = await played(stage, "guardrail-drill", {})
        assert drill["state"] == "succeeded", drill
        failed = await played(stage, "guardrail-drill", {}, answers={"drill": "no"})
        assert failed["state"] == "escalated", failed
        assert written(stage) == []
