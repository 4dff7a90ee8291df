"""The host's page of runs through a client: named and filled only where a host draws."""

from pathlib import Path

import pytest
from fastmcp import Client

from aiops_shared.app.views import DATA_KEY
from aiops_shared.settings import Settings
from aiops_sop.charts.pages import story_page
from aiops_sop.models.pages import STORY_PAGE
from aiops_sop.server import make
from tests.asking import drawing
from tests.fakes.runhouses import RunHouse
from tests.sop.runs.test_answering import ASKING
from tests.sop.runs.test_asking_clients import server

DRAWN = {"investigate", "start_run", "get_run", "control_run"}


async def test_the_page_is_named_only_to_hosts_that_draw_pages() -> None:
    made = make(Settings(write=True, tools=[]))
    async with Client(made) as plain, drawing(made) as host:
        assert {tool.name for tool in await plain.list_tools() if tool.meta} == set()
        named = {tool.name: tool.meta for tool in await host.list_tools() if tool.meta}
        assert named == {tool: {"ui": {"resourceUri": STORY_PAGE}} for tool in DRAWN}
        (content,) = await host.read_resource(STORY_PAGE)
        assert getattr(content, "text", "") == story_page()


@pytest.mark.threat("T7")
async def test_a_run_is_drawn_step_by_step_with_what_it_waits_for(tmp_path: Path) -> None:
    async with RunHouse(tmp_path).running() as house:
        house.library.add(ASKING)
        run = await house.did("asking", "supervised")
        async with Client(server(house)) as plain, drawing(server(house)) as host:
            told = await plain.call_tool("get_run", {"run_id": run.run_id})
            assert DATA_KEY not in (told.meta or {})
            shown = await host.call_tool("get_run", {"run_id": run.run_id})
        assert shown.structured_content == told.structured_content
        assert shown.meta
        (row,) = shown.meta[DATA_KEY]["rows"]
        (step,) = row["steps"]
        assert (row["kind"], row["state"], step["state"]) == ("run", "waiting", "waiting")
        assert step["from_s"] >= row["from_s"]
        assert "out of traffic?" in row["waiting"]["says"]
        assert row["waiting"]["how"].startswith("eks-aiops approve ask_")
