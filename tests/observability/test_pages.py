"""Charts and the host's page through a client: a PNG where asked for, a page only where a host draws."""

import base64
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from fastmcp import Client
from mcp_types import ImageContent

from aiops_lab.scenarios.profiles import leaker
from aiops_lab.scenarios.traffic_surge import surge
from aiops_observability.charts.page_data import MOST_POINTS
from aiops_observability.charts.pages import series_page
from aiops_observability.models.pages import SERIES_PAGE
from aiops_observability.server import make
from aiops_shared.app.views import DATA_KEY
from aiops_shared.settings import Settings
from tests.asking import drawing
from tests.e2e.stage import settings_on
from tests.observability.stage import Stage, watched

DRAWN = {"detect_anomalies", "forecast_metric"}


async def test_the_page_is_named_only_to_hosts_that_draw_pages() -> None:
    server = make(Settings())
    async with Client(server) as plain, drawing(server) as host:
        assert {tool.name for tool in await plain.list_tools() if tool.meta} == set()
        named = {tool.name: tool.meta for tool in await host.list_tools() if tool.meta}
        assert named == {tool: {"ui": {"resourceUri": SERIES_PAGE}} for tool in DRAWN}
        (listed,) = (one for one in await host.list_resources() if str(one.uri) == SERIES_PAGE)
        assert listed.mime_type == "text/html;profile=mcp-app"
        assert listed.meta
        assert listed.meta["ui"]["csp"] == {"connectDomains": [], "resourceDomains": []}
        (content,) = await host.read_resource(SERIES_PAGE)
        assert getattr(content, "text", "") == series_page()


@pytest.fixture
async def stage(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> AsyncIterator[Stage]:
    async with watched(monkeypatch, tmp_path / "one", "memory-leak-slow") as made:
        yield made


async def shown(
    stage: Stage, folder: Path, tool: str, **arguments: Any
) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the page gets to draw, and the answer, which is the same without a page and with a picture."""
    plain = await stage.client.call_tool(tool, {**arguments, "chart": True})
    assert DATA_KEY not in (plain.meta or {})
    _, png = plain.content
    assert isinstance(png, ImageContent)
    assert png.mime_type == "image/png"
    assert base64.b64decode(png.data).startswith(b"\x89PNG")
    async with drawing(make(settings_on(stage.lab, folder, write=False))) as host:
        drawn = await host.call_tool(tool, arguments)
    assert drawn.structured_content == plain.structured_content
    assert [block.type for block in drawn.content] == ["text"]
    assert drawn.meta
    data: dict[str, Any] = drawn.meta[DATA_KEY]
    assert len(str(data)) < 60_000
    for row in data["rows"]:
        assert 10 < len(row["values"]) <= MOST_POINTS
        assert row["step_s"] >= 60
    assert plain.structured_content
    return data, plain.structured_content


async def test_anomalies_come_with_a_picture_and_a_page(stage: Stage, tmp_path: Path) -> None:
    ask = {"what": "memory", "namespace": "production", "kind": "Deployment", "name": leaker(stage.who)}
    data, answer = await shown(stage, tmp_path / "two", "detect_anomalies", **ask)
    (memory,) = data["rows"]
    growth = answer["growth"]
    assert memory["limit"] == growth["limit_bytes"]
    assert memory["verdict"] == f"{growth['grade']} leak"
    onset = datetime.fromisoformat(growth["onset"].replace("Z", "+00:00")).timestamp()
    assert memory["onset_s"] == pytest.approx(onset, abs=60)


async def test_a_forecast_comes_with_a_page(stage: Stage, tmp_path: Path) -> None:
    stage.play("traffic-surge")
    service = surge(stage.who).service
    ask = {"what": "requests_total", "kind": "Service", "name": service, "horizon": 48}
    data, _ = await shown(stage, tmp_path / "two", "forecast_metric", **ask)
    (row,) = data["rows"]
    ahead = row["ahead"]
    assert len(ahead["mean"]) == len(ahead["low95"]) == 48
    hours = zip(ahead["low95"], ahead["mean"], ahead["high95"], strict=True)
    assert all(low <= mean <= high for low, mean, high in hours)
    assert ahead["first_s"] == pytest.approx(row["first_s"] + row["step_s"] * len(row["values"]), abs=3600)


async def test_what_cannot_be_judged_draws_nothing(stage: Stage, tmp_path: Path) -> None:
    async with drawing(make(settings_on(stage.lab, tmp_path / "two", write=False))) as host:
        failed = await host.call_tool(
            "detect_anomalies", {"query": "nosuch", "chart": True}, raise_on_error=False
        )
    assert failed.is_error
    assert DATA_KEY not in (failed.meta or {})
    assert [block.type for block in failed.content] == ["text"]
