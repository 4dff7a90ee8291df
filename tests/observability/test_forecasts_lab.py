"""F6 as a client sees it: the surge of next week, its replicas, and three worlds that only look like it."""

import base64
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from aiops_lab.scenarios.traffic_surge import WEEK_S, last_surge_s, surge
from tests.e2e.stage import Obj
from tests.observability.stage import SEEDS, Stage, watched


async def forecast(stage: Stage, **more: Any) -> Obj:
    told = surge(stage.who)
    asked = {
        "what": "requests_total",
        "kind": "Service",
        "namespace": "production",
        "name": told.service,
        **more,
    }
    return await stage.got("forecast_metric", **asked)


@pytest.mark.row("S72")
@pytest.mark.slow
@pytest.mark.timeout(120)
async def test_the_surge_of_next_week_is_seen_sized_and_timed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with watched(monkeypatch, tmp_path) as stage:
        for seed in SEEDS:
            stage.play("traffic-surge", seed)
            told, t0_s = surge(stage.who), stage.lab.world.telemetry.t0_s
            found = await forecast(stage, capacity_per_pod=told.peak / 10)
            at = datetime.fromtimestamp(last_surge_s(told, t0_s) + WEEK_S, UTC)
            truth = told.peak * told.growth**4.9
            peak, sizing = found["next_peak"], found["sizing"]
            assert peak["at"] == f"{at:%Y-%m-%dT%H:%MZ}"
            assert 2.3 <= peak["ratio_to_before"] <= 2.7
            assert peak["low95"] <= truth <= peak["high95"]
            assert 12 <= sizing["replicas"] <= 14
            assert sizing["ready_by"] == f"{at - timedelta(minutes=30):%Y-%m-%dT%H:%MZ}"
            mape = dict(zip(found["backtest"]["columns"], found["backtest"]["rows"][0], strict=True))[
                "MAPE %"
            ]
            assert mape < 10
            assert sizing["short_hours"] <= 0.03


@pytest.mark.row("S72")
@pytest.mark.slow
@pytest.mark.timeout(120)
async def test_what_happened_once_or_is_too_new_or_was_a_holiday_is_not_believed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with watched(monkeypatch, tmp_path) as stage:
        for seed in SEEDS:
            stage.play("traffic-surge-once", seed)
            told = surge(stage.who)
            found = await forecast(stage)
            assert found["next_peak"]["value"] < 1.5 * told.busy
            stage.play("traffic-surge-new", seed)
            thin = await stage.ask(
                "forecast_metric", what="requests_total", kind="Service", name=told.service
            )
            assert thin.code == "insufficient_data"
            assert ">= 2 full weeks" in thin.error
            stage.play("traffic-surge-holiday", seed)
            found = await forecast(stage)
            assert 2.2 <= found["next_peak"]["ratio_to_before"] <= 2.8


async def test_the_hours_one_by_one_and_a_picture_come_when_asked_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with watched(monkeypatch, tmp_path, "traffic-surge") as stage:
        found = await forecast(stage, detail="full", horizon=48)
        assert len(found["forecast"]["rows"]) == 48
        asked = {"what": "requests_total", "kind": "Service", "name": "shop", "chart": True}
        (picture,) = await stage.pictures("forecast_metric", **asked)
        assert picture.mime_type == "image/png"
        assert base64.b64decode(picture.data).startswith(b"\x89PNG")


async def test_a_question_is_checked_before_anything_is_asked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with watched(monkeypatch, tmp_path) as stage:
        stage.lab.observatory.log.asked.clear()
        both = await stage.ask("forecast_metric", query="up", what="requests_total")
        neither = await stage.ask("forecast_metric")
        wrong = await stage.ask("forecast_metric", what="request_total", name="shop", kind="Service")
        assert (both.code, neither.code, wrong.code) == ("invalid_input",) * 3
        assert "requests_total" in wrong.error
        assert stage.lab.observatory.log.asked == []


@pytest.mark.fault("R21")
async def test_a_backend_that_is_down_is_said_and_nothing_is_guessed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with watched(monkeypatch, tmp_path, "traffic-surge") as stage:
        stage.lab.observatory.fail("prometheus", status=503)
        ask = {"what": "requests_total", "kind": "Service", "name": "shop"}
        down = await stage.ask("forecast_metric", source="prometheus", **ask)
        assert down.code in {"upstream_error", "unreachable"}
        stage.lab.observatory.heal()
        empty = await stage.ask("forecast_metric", what="requests_total", kind="Service", name="nobody")
        assert empty.code == "insufficient_data"
        assert "search=" in empty.error
