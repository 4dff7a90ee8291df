"""Charts and the host's page of costs through a client: a PNG where asked for, a page where a host draws."""

import base64
from pathlib import Path
from typing import Any

import pytest
from fastmcp import Client
from mcp_types import ImageContent

from aiops_cost.charts.pages import money_page
from aiops_cost.models.pages import MONEY_PAGE
from aiops_cost.server import make
from aiops_shared.app.views import DATA_KEY
from aiops_shared.settings import Settings
from tests.asking import drawing
from tests.cost.stage import Stage, billed
from tests.e2e.stage import settings_on

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]
DRAWN = {"explain_cost_change", "get_costs"}
OTHERS = {"rest", "rounding"}


async def test_the_page_is_named_only_to_hosts_that_draw_pages() -> None:
    server = make(Settings())
    async with Client(server) as plain, drawing(server) as host:
        assert {tool.name for tool in await plain.list_tools() if tool.meta} == set()
        named = {tool.name: tool.meta for tool in await host.list_tools() if tool.meta}
        assert named == {tool: {"ui": {"resourceUri": MONEY_PAGE}} for tool in DRAWN}
        (content,) = await host.read_resource(MONEY_PAGE)
        assert getattr(content, "text", "") == money_page()


async def shown(
    stage: Stage, folder: Path, tool: str, **arguments: Any
) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the page gets to draw, and the answer that comes with a picture elsewhere."""
    plain = await stage.client.call_tool(tool, {**arguments, "chart": True})
    assert DATA_KEY not in (plain.meta or {})
    _, png = plain.content
    assert isinstance(png, ImageContent)
    assert base64.b64decode(png.data).startswith(b"\x89PNG")
    async with drawing(make(settings_on(stage.lab, folder, write=False))) as host:
        drawn = await host.call_tool(tool, arguments)
    assert [block.type for block in drawn.content] == ["text"]
    assert drawn.meta
    assert drawn.structured_content
    (row,) = drawn.meta[DATA_KEY]["rows"]
    return row, drawn.structured_content


async def test_a_change_is_drawn_as_the_waterfall_of_the_answer(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with billed(monkeypatch, tmp_path / "one", "cost-cross-zone") as stage:
        row, answer = await shown(stage, tmp_path / "two", "explain_cost_change")
        told = {name: amount for name, amount, *_ in answer["effects"]["rows"]}
        assert row["kind"] == "waterfall"
        assert row["before"]["value"] == told.pop("baseline")
        assert row["after"]["value"] == told.pop("period")
        assert {one["name"]: one["value"] for one in row["parts"]} == {
            name: amount for name, amount in told.items() if name not in OTHERS
        }


async def test_a_bill_is_drawn_as_stacked_days_that_add_up_to_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with billed(monkeypatch, tmp_path / "one") as stage:
        row, answer = await shown(stage, tmp_path / "two", "get_costs", period="14d")
        assert row["kind"] == "stacked"
        assert len(row["days"]) == len(row["unsettled"]) == 14
        drawn = sum(sum(one["values"]) for one in row["series"])
        assert drawn == pytest.approx(answer["total"], abs=0.01 * 14 * len(row["series"]))
        assert [day for day, open_ in zip(row["days"], row["unsettled"], strict=True) if open_] == answer[
            "unsettled"
        ]
