"""All four servers behind one endpoint, as a client sees them: nothing is lost but the tools' short names."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from fastmcp import Client, FastMCP
from mcp.shared.exceptions import MCPError
from mcp_types import INVALID_PARAMS

import aiops_cost.server
import aiops_eks.server
import aiops_observability.server
import aiops_sop.server
from aiops_shared.settings import Settings, StateSettings
from bench.tokens import tokens
from eks_aiops.gateway import INSTRUCTIONS, make
from eks_aiops.naming import Names
from tests.asking import drawing
from tests.contracts.snapshots import listed

pytestmark = pytest.mark.filterwarnings("ignore:open_binary is deprecated:DeprecationWarning")
Obj = dict[str, Any]
MODULES = {
    "eks": aiops_eks.server,
    "observability": aiops_observability.server,
    "cost": aiops_cost.server,
    "sop": aiops_sop.server,
}
ALL_FOUR = 16_000


def settings(folder: Path, **more: Any) -> Settings:
    """A gateway's that needs nothing outside."""
    return Settings(**{"write": True, "tools": [], "state": StateSettings(dir=folder, url=""), **more})


async def tools_of(client: Client[Any]) -> list[Obj]:
    found = await client.list_tools()
    return [tool.model_dump(mode="json", by_alias=True, exclude_none=True) for tool in found]


def recorded(name: str, running: Callable[..., Any], seen: list[str]) -> Callable[..., Any]:
    """A lifespan that says when it begins and ends."""

    @asynccontextmanager
    async def told(self: Any, server: FastMCP) -> AsyncIterator[Obj]:
        seen.append(f"+{name}")
        try:
            async with running(self, server) as given:
                yield given
        finally:
            seen.append(f"-{name}")

    return told


@pytest.mark.row("S4")
async def test_the_gateway_lists_what_its_servers_list_and_each_of_them_lives_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    leaves = await listed()
    seen: list[str] = []
    for name, module in MODULES.items():
        monkeypatch.setattr(module.Wiring, "running", recorded(name, module.Wiring.running, seen))
    names = Names({server: frozenset(tool["name"] for tool in tools) for server, tools in leaves.items()})
    root = make(settings(tmp_path))
    async with Client(root) as client, Client(root) as another:
        tools = await tools_of(client)
        assert await tools_of(another) == tools
        assert {tool["name"] for tool in tools} == {
            f"{server}_{tool['name']}" for server, found in leaves.items() for tool in found
        }
        own = {f"{server}_{tool['name']}": tool for server, found in leaves.items() for tool in found}
        for tool in tools:
            leaf = own[tool["name"]]
            renamed = {**leaf, "name": tool["name"], "description": names.in_text(leaf["description"])}
            assert tool == renamed
        paid = tokens(json.dumps(tools, separators=(",", ":"), ensure_ascii=False))
        assert paid <= ALL_FOUR, f"{paid} tokens"
        assert tokens(INSTRUCTIONS) <= 200
    assert seen == [*(f"+{name}" for name in MODULES), *(f"-{name}" for name in reversed(MODULES))]


async def test_pages_templates_prompts_and_schemas_are_found_where_texts_say(tmp_path: Path) -> None:
    async with Client(make(settings(tmp_path))) as client:
        templates = [one.uri_template for one in await client.list_resource_templates()]
        assert len(templates) == len(set(templates))
        assert {"schema://{tool}", "plan://{plan_id}", "run://{run_id}", "incident://{incident_id}"} <= {
            *templates
        }
        for name in ("eks_diagnose", "diagnose", "sop_get_run"):
            (schema,) = await client.read_resource(f"schema://{name}")
            assert "summary" in json.loads(getattr(schema, "text", ""))["properties"], name
        for stranger in ("schema://delete_it", "plan://pln_nowhere", "run://run_nowhere"):
            with pytest.raises(MCPError):
                await client.read_resource(stranger)
        (guide,) = await client.read_resource("guide://backend-choice")
        assert getattr(guide, "text", "")
        assert {"triage", "pod-crashloop"} <= {one.name for one in await client.list_prompts()}
        asked = (await client.get_prompt("triage", {})).messages[0].content
        assert "observability_list_alarms" in getattr(asked, "text", "")
        assert "eks.diagnose" not in getattr(asked, "text", "")
        given = {"namespace": "shop", "name": "web"}
        assert "sop_start_run(" in str((await client.get_prompt("pod-crashloop", given)).messages)


async def test_a_page_that_a_tool_names_is_read_through_the_gateway(tmp_path: Path) -> None:
    async with drawing(make(settings(tmp_path))) as client:
        pages = {(tool.meta or {}).get("ui", {}).get("resourceUri") for tool in await client.list_tools()}
        pages.discard(None)
        assert len(pages) >= 2
        for page in pages:
            (found,) = await client.read_resource(page)
            assert "<html" in getattr(found, "text", "")


async def test_unknown_forbidden_and_wrong_calls_are_answered_as_by_a_server(tmp_path: Path) -> None:
    chosen = settings(tmp_path, write=False, tools=["eks_diagnose", "execute_plan", "eks_list_clusters"])
    async with Client(make(chosen)) as client:
        assert {tool["name"] for tool in await tools_of(client)} == {"eks_diagnose", "eks_list_clusters"}
        for name, says in {
            "execute_plan": "here it is eks_execute_plan",
            "eks.execute_plan": "here it is eks_execute_plan",
            "eks_nothing": "Unknown tool: 'eks_nothing'",
            "cost_diagnose": "Unknown tool: 'cost_diagnose'",
            "nothing": "Unknown tool: 'nothing'",
        }.items():
            with pytest.raises(MCPError, match=says) as refused:
                await client.call_tool(name, {})
            assert refused.value.error.code == INVALID_PARAMS
        for name, code in {
            "eks_execute_plan": "[read_only]",
            "cost_get_costs": "[refused]",
            "eks_diagnose": "[invalid_input]",
        }.items():
            answer = await client.call_tool(name, {"wrong": 1}, raise_on_error=False)
            assert answer.is_error
            assert answer.content[0].text.startswith(code), name


def test_our_texts_get_the_gateways_names_and_nothing_else_does() -> None:
    names = Names({"eks": frozenset({"diagnose", "execute_plan"}), "sop": frozenset({"find_sops"})})
    for text, named in {
        "call eks.diagnose, then execute_plan(plan_id=p)": (
            "call eks_diagnose, then eks_execute_plan(plan_id=p)"
        ),
        "diagnose(namespace=shop) or `diagnose`": "eks_diagnose(namespace=shop) or `eks_diagnose`",
        "to diagnose it, see /var/execute_plan.log": "to diagnose it, see /var/execute_plan.log",
        "eks_execute_plan, its_execute_plan, eks.diagnoses": (
            "eks_execute_plan, its_execute_plan, eks.diagnoses"
        ),
        "eks.amazonaws.com": "eks.amazonaws.com",
    }.items():
        assert names.in_text(text) == named
    answer = {
        "summary": "see execute_plan",
        "confirm": "execute_plan",
        "warnings": ["find_sops"],
        "untrusted": ["warnings"],
        "findings": {"columns": ["name", "next_step"], "rows": [["execute_plan", "execute_plan"]]},
    }
    assert names.in_answer(answer) == {
        **answer,
        "summary": "see eks_execute_plan",
        "findings": {"columns": ["name", "next_step"], "rows": [["execute_plan", "eks_execute_plan"]]},
    }
