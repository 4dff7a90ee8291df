"""F23c and F14 as a client sees them: a release is worse, or chance, or only met more traffic."""

from pathlib import Path
from typing import Any

import pytest

from aiops_lab.scenarios.releases import release
from tests.e2e.stage import Obj
from tests.observability.stage import SEEDS, Stage, watched


async def compared(stage: Stage, **more: Any) -> Obj:
    told = release(stage.who)
    minutes = int(told.since_s / 60)
    spans = {"a": f"-1500m/-{minutes + 5}m", "b": f"-{minutes - 5}m/"}
    return await stage.got("compare_windows", name=told.service, namespace="production", **spans, **more)


def rows(found: Obj) -> list[Obj]:
    table = found["differences"]
    return [dict(zip(table["columns"], row, strict=True)) for row in table["rows"]]


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.row("S44")
async def test_a_release_is_told_from_chance_and_from_load(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with watched(monkeypatch, tmp_path) as stage:
        for seed in SEEDS:
            stage.play("release-worse", seed)
            found = await compared(stage)
            worst = rows(found)[0]
            assert (found["verdict"], worst["measure"], worst["verdict"]) == ("worse", "errors", "worse")
            stage.play("release-noise", seed)
            found = await compared(stage)
            assert found["verdict"] == "same", rows(found)
            stage.play("release-slow", seed)
            by_version = await compared(stage, by="version")
            assert {one["group"] for one in rows(by_version)} == {
                release(stage.who).before,
                release(stage.who).after,
            }
            stage.play("release-busy", seed)
            found = await compared(stage)
            assert found["traffic_ratio"] == pytest.approx(2.2, rel=0.1)
            assert any("may be load" in one for one in found["warnings"])


async def test_windows_that_are_none_are_refused_before_anything_is_asked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with watched(monkeypatch, tmp_path) as stage:
        for a, b in (
            ("-3h", "-1h/"),
            ("-3h/-1h", "-2h/"),
            ("-1h/-3h", "-30m/"),
            ("-3h/-175m", "-1h/"),
            ("x/y", "-1h/"),
        ):
            refused = await stage.ask("compare_windows", name="shop", a=a, b=b)
            assert refused.code == "invalid_input", (a, b)
        assert stage.lab.observatory.log.asked == []


@pytest.mark.fault("R21")
async def test_a_measure_that_fails_is_a_warning_and_all_failing_an_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with watched(monkeypatch, tmp_path, "release-worse") as stage:
        nobody = await stage.ask("compare_windows", name="nobody", a="-26h/-2h", b="-50m/")
        assert nobody.code == "insufficient_data"
        stage.lab.observatory.fail("prometheus", status=503)
        ask = {"name": release(stage.who).service, "a": "-26h/-2h", "b": "-50m/"}
        down = await stage.ask("compare_windows", source="prometheus", **ask)
        assert down.code in {"upstream_error", "unreachable"}
