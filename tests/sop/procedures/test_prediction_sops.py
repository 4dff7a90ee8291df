"""Procedures that look ahead, at the bill and at the logs: what they prepare and say, and from where."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml

from aiops_lab.scenarios.traffic_surge import HOME, LEAST, surge
from tests.e2e.stage import Obj
from tests.sop import stage as staging
from tests.sop.generating.replaying import pending_seconds
from tests.sop.procedures.playing import AUTO, begun, numbers, played, states, step, written
from tests.sop.stage import START, Stage, operated

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]
SEEDS = (0, 1)
SURGE = "traffic-surge-preprovision"


async def rights_given(stage: Stage, service: str) -> None:
    """A person applies the ServiceAccount, Role and RoleBinding of the generated files."""
    made = await stage.got(
        "generate_config",
        workload=f"deployment/{service}",
        namespace=HOME,
        kinds=["hpa_schedule"],
        detail="full",
    )
    for file in made["files"]:
        found = yaml.safe_load(file["content"])
        if found["kind"] in {"ServiceAccount", "Role", "RoleBinding"}:
            stage.lab.store.create(found)


def schedules(stage: Stage, service: str) -> dict[str, str]:
    """CronJob -> schedule, of the service."""
    found = stage.lab.store.list("CronJob", HOME)
    return {
        one["metadata"]["name"]: one["spec"]["schedule"]
        for one in found
        if one["metadata"]["name"].startswith(f"{service}-")
    }


@pytest.mark.row("S71")
@pytest.mark.row("S64")
@pytest.mark.parametrize("seed", SEEDS)
async def test_a_weekly_surge_is_prepared_and_nothing_else_is(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, seed: int
) -> None:
    if seed == 0:  # an hour before the surge, so that its morning is short to play
        monkeypatch.setattr(staging, "START", datetime(2026, 11, 23, 8, 0, 12, tzinfo=UTC))
    async with operated(monkeypatch, tmp_path, autonomy=AUTO) as stage:
        await _prepared(stage, seed)
        await _unprepared(stage, seed)


async def _unprepared(stage: Stage, seed: int) -> None:
    """F6 n1 to n3: a spike of one week, thin history, a holiday that was named."""
    for scenario, more, ends in (
        ("traffic-surge-once", {}, "succeeded"),
        ("traffic-surge-new", {}, "escalated"),
        ("traffic-surge-holiday", {"holidays": _days()}, "succeeded"),
    ):
        begun(stage, scenario, seed)
        told = surge(stage.who)
        params = {"cluster": "my-cluster", "namespace": HOME, "name": told.service}
        run = await played(stage, SURGE, {**params, "rps_per_pod": told.per_pod, **more})
        assert run["state"] == ends, (scenario, run)
        assert written(stage) == [], scenario
        assert states(run)["schedule"] in {"skipped", "pending"}, scenario


def _days() -> list[str]:
    """Every day of the coming week."""
    return [f"{START + timedelta(days=ahead):%Y-%m-%d}" for ahead in range(9)]


async def _prepared(stage: Stage, seed: int) -> None:
    """F6: one schedule each way, placeholders, room in the pool; without rights nothing."""
    begun(stage, "traffic-surge", seed)
    told = surge(stage.who)
    params = {"namespace": HOME, "name": told.service, "rps_per_pod": told.per_pod}
    declined = await played(stage, SURGE, params, answers={"rights": "no"})
    assert declined["state"] == "escalated", declined
    assert written(stage) == []
    await rights_given(stage, told.service)
    run = await played(stage, SURGE, params)
    assert run["state"] == "succeeded", run
    when = schedules(stage, told.service)
    raised = f"30 {told.hour - 1} * * {told.weekday + 1}"
    assert raised in when.values(), when
    assert len(when) == 2, "it is lowered again"
    scaler = stage.lab.store.get("HorizontalPodAutoscaler", HOME, told.service)
    assert scaler is not None
    assert scaler["spec"]["minReplicas"] == LEAST, "nothing is raised before its time"
    held = stage.lab.store.get("Deployment", HOME, f"{told.service}-placeholder")
    assert held is not None
    priority = held["spec"]["template"]["spec"]["priorityClassName"]
    found = stage.lab.store.get("PriorityClass", "", priority)
    assert found is not None
    assert found["value"] == -10
    pool = stage.lab.store.get("NodePool", "", "default")
    assert pool is not None
    assert int(pool["spec"]["limits"]["cpu"]) >= 40
    if seed == 0:
        assert 12 <= held["spec"]["replicas"] + LEAST <= 14
        assert "0 11 * * 1" in when.values()
        _played_on(stage, told.service)


def _played_on(stage: Stage, service: str) -> None:
    """Monday 09:00 comes: no pod of the surge waits for a node. (Without the plan some do: test_replay.)"""
    nine = datetime(2026, 11, 23, 9, tzinfo=UTC)
    stage.lab.clock.advance((nine - stage.lab.clock.now()).total_seconds())
    scaler = stage.lab.store.get("HorizontalPodAutoscaler", HOME, service)
    assert scaler is not None
    assert 12 <= scaler["spec"]["minReplicas"] <= 14
    assert pending_seconds(stage.lab, HOME, service, 600) == 0
    stage.lab.clock.advance(2 * 3600)
    scaler = stage.lab.store.get("HorizontalPodAutoscaler", HOME, service)
    assert scaler is not None
    assert scaler["spec"]["minReplicas"] == LEAST


@pytest.mark.row("S38")
@pytest.mark.parametrize("seed", SEEDS)
async def test_a_bill_is_explained_and_growth_is_left_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, seed: int
) -> None:
    """F8, F8n."""
    async with operated(monkeypatch, tmp_path, autonomy=AUTO) as stage:
        begun(stage, "cost-spike", seed)
        run = await played(stage, "cost-spike", {"cluster": "my-cluster"})
        assert run["state"] == "succeeded", run
        causes = {one["code"] for one in step(run, "why")["output"]["causes"]}
        assert "INSTANCE_FAMILY_MISMATCH" in causes
        advice = {one["code"] for name in ("machines", "scalers") for one in _advice(run, name)}
        assert {"INSTANCE_FAMILY_MISMATCH", "SPOT_ELIGIBLE", "HPA_METRIC_MISMATCH"} <= advice
        if seed == 0:
            saved = step(run, "machines")["output"]
            assert 1150 <= saved["monthly_usd"] <= 1280
            assert 29 <= saved["percent"] <= 33
        begun(stage, "cost-growth", seed)
        grown = await played(stage, "cost-spike", {"cluster": "my-cluster"})
        assert grown["state"] == "succeeded", grown
        assert states(grown)["machines"] == "skipped", "growth explains it"
        assert written(stage) == []


def _advice(run: Obj, name: str) -> list[Obj]:
    found: list[Obj] = step(run, name)["output"]["recommendations"]
    return found


@pytest.mark.row("S42")
@pytest.mark.row("S47")
@pytest.mark.parametrize("seed", SEEDS)
async def test_every_number_that_is_told_is_a_tools_number(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, seed: int
) -> None:
    """F10 a to c, g."""
    async with operated(monkeypatch, tmp_path, autonomy=AUTO) as stage:
        begun(stage, "log-insights", seed)
        run = await played(stage, "log-insights", {})
        assert run["state"] == "succeeded", run
        said = numbers(step(run, "tell")["output"]["text"])
        known = numbers(" ".join(str(step(run, name)["output"]) for name in ("patterns", "worst", "impact")))
        assert said - known <= {"24"}, "24 is the window that was asked for"
        if seed == 0:
            assert {"3117", "41.2", "12.4", "430"} <= said
        report = await played(stage, "weekly-ops-report", {"audience": "executive"})
        assert report["state"] == "succeeded", report
        made = step(report, "write")["output"]
        text = step(report, "send")["output"]["text"]
        assert text == made["text"]
        sources = {str(row[-1]) for row in made["figures"]["rows"]}
        assert "" not in sources
        assert written(stage) == []
