"""In every mode the listed tools are the callable ones, and no others (T2)."""

from pathlib import Path
from typing import Any

import pytest
from fastmcp import Client
from fastmcp.exceptions import McpError

from aiops_cost.server import make as make_cost
from aiops_eks.server import make
from aiops_observability.server import make as make_observability
from aiops_shared.errors import NotConfiguredError
from aiops_shared.settings import Settings, StateSettings
from aiops_sop.server import make as make_sop
from tests.contracts.snapshots import listed

NOT_AN_ARGUMENT = {"not_an_argument": 1}  # stops every tool behind the door, before anything upstream
OTHERS: dict[str, Any] = {"observability": make_observability, "cost": make_cost, "sop": make_sop}
MODES: list[dict[str, Any]] = [
    {"write": False},
    {"write": True},
    {"write": False, "sensitive_reads": True},
    {"write": True, "sensitive_reads": True},
    {"write": False, "tools": ["list_resources", "diagnose"]},
    {"write": True, "tools": ["get_action", "undo_action"]},
    {"write": False, "tools": ["execute_plan", "get_action"]},
]


def settings(mode: dict[str, Any], folder: Path) -> Settings:
    return Settings(state=StateSettings(dir=folder), **{"tools": [], **mode})


@pytest.mark.threat("T2")
@pytest.mark.parametrize("mode", MODES, ids=str)
@pytest.mark.parametrize("generation", ["auto", "legacy"])
async def test_the_listed_set_is_the_callable_set(
    mode: dict[str, Any], generation: Any, tmp_path: Path
) -> None:
    everything = {tool["name"] for tool in (await listed())["eks"]}
    async with Client(make(settings(mode, tmp_path)), mode=generation) as client:
        shown = {tool.name for tool in await client.list_tools()}
        reached = set()
        for name in everything:
            answer = await client.call_tool(name, NOT_AN_ARGUMENT, raise_on_error=False)
            assert answer.is_error
            text = getattr(answer.content[0], "text", "")
            if text.startswith("[invalid_input]"):
                reached.add(name)
            else:
                assert text.startswith(("[read_only]", "[refused]")), text
    assert reached == shown
    assert shown <= set(mode.get("tools") or everything)
    if not mode["write"]:
        assert not shown & {"execute_plan", "undo_action"}


@pytest.mark.threat("T2")
@pytest.mark.parametrize("write", [False, True])
@pytest.mark.parametrize("server", OTHERS)
async def test_in_the_other_servers_too(server: str, write: bool, tmp_path: Path) -> None:
    everything = {tool["name"] for tool in (await listed())[server]}
    async with Client(OTHERS[server](settings({"write": write}, tmp_path))) as client:
        shown = {tool.name for tool in await client.list_tools()}
        refused = set()
        for name in everything:
            answer = await client.call_tool(name, NOT_AN_ARGUMENT, raise_on_error=False)
            text = getattr(answer.content[0], "text", "")
            assert text.startswith(("[invalid_input]", "[read_only]")), text
            refused |= {name} if text.startswith("[read_only]") else set()
    assert refused == everything - shown
    assert bool(refused) is (not write and server == "sop")


@pytest.mark.threat("T2")
@pytest.mark.row("BI-041")
async def test_a_hidden_tool_called_by_name_is_read_only_and_audited(tmp_path: Path) -> None:
    async with Client(make(settings({"write": False}, tmp_path))) as client:
        for name in ("execute_plan", "undo_action"):
            answer = await client.call_tool(name, {}, raise_on_error=False)
            assert getattr(answer.content[0], "text", "").startswith(f"[read_only] {name}: ")
    assert (tmp_path / "state.db").exists()


@pytest.mark.threat("T2")
@pytest.mark.parametrize(
    "name", ["delete_resource", "kubectl", "execute_plan ", "EXECUTE_PLAN", "../execute_plan"]
)
async def test_an_unknown_tool_is_an_error_of_the_protocol(name: str, tmp_path: Path) -> None:
    async with Client(make(settings({"write": True}, tmp_path))) as client:
        with pytest.raises(McpError) as refused:
            await client.call_tool(name, {})
    assert refused.value.error.code == -32602


def test_a_wrong_name_in_the_operator_s_list_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(NotConfiguredError, match="no such tool: list_everything"):
        make(settings({"tools": ["list_everything"]}, tmp_path))
