"""Sets of tools, and read-only by a switch: what is left out is not listed, not callable, and said."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from fastmcp import Client
from typer.testing import CliRunner

from aiops_shared.app.toolsets import SERVERS, TOOLSETS, left_out, require_known, suite_tools
from aiops_shared.errors import ActionRefusedError, NotConfiguredError
from aiops_shared.settings import Settings, SopSettings, StateSettings
from aiops_sop.clients.library import SopLibrary
from aiops_sop.clients.peer_places import child_of
from aiops_sop.clients.peers import McpPeers
from aiops_sop.clients.run_desk import tools_of
from eks_aiops.cli import app
from eks_aiops.doctor_remote import chosen_tools, remote
from eks_aiops.gateway import make
from eks_aiops.serving import chosen, serve
from eks_aiops.toolset_pages import table
from tests.contracts.snapshots import listed

ROOT = Path(__file__).parents[2]


def settings(folder: Path, **more: Any) -> Settings:
    return Settings(
        **{"write": True, "tools": [], "toolsets": [], "state": StateSettings(dir=folder, url=""), **more}
    )


async def test_every_tool_is_in_a_set_and_every_set_holds_tools_that_are(tmp_path: Path) -> None:
    found = {server: frozenset(tool["name"] for tool in tools) for server, tools in (await listed()).items()}
    assert suite_tools() == found
    assert all(one.names and one.says for one in TOOLSETS.values())
    assert table() in (ROOT / "docs/gateway.md").read_text("utf-8")
    assert left_out(settings(tmp_path), "diagnose") is None


async def test_a_tool_that_is_left_out_is_neither_listed_nor_callable_and_the_refusal_names_its_set(
    tmp_path: Path,
) -> None:
    few = settings(tmp_path, write=False, toolsets=["metrics", "execute", "sop"])
    async with Client(make(few)) as client:
        names = {tool.name for tool in await client.list_tools()}
        metrics = {f"observability_{name}" for name in TOOLSETS["metrics"].names}
        assert names == {*metrics, "eks_get_action", "sop_find_sops", "sop_start_run", "sop_get_run"} | {
            "sop_record_outcome"
        }
        for tool, code in {"eks_diagnose": "[refused]", "eks_execute_plan": "[read_only]"}.items():
            answer = await client.call_tool(tool, {}, raise_on_error=False)
            says = getattr(answer.content[0], "text", "")
            assert answer.is_error
            assert says.startswith(code), says
        refused = await client.call_tool("eks_diagnose", {}, raise_on_error=False)
        assert "sets with it: diagnose" in getattr(refused.content[0], "text", "")
        wish = {"sop": "pod-crashloop", "params": {"namespace": "shop", "name": "web"}, "mode": "plan"}
        run = await client.call_tool("sop_start_run", wish, raise_on_error=False)
        says = getattr(run.content[0], "text", "")
        assert says.startswith("[not_configured] sop pod-crashloop: it needs eks_diagnose"), says
        assert "AIOPS_TOOLSETS" in says


async def test_sop_asks_no_child_for_a_tool_that_is_left_out(tmp_path: Path) -> None:
    peers = McpPeers(settings(tmp_path, toolsets=["cost", "sop"]))
    with pytest.raises(ActionRefusedError, match="AIOPS_TOOLSETS leaves it out; sets with it: diagnose"):
        await peers.call("eks", "diagnose", {})
    assert set(await peers.missing(["eks.diagnose", "cost.get_costs"])) == {"eks.diagnose"}
    far = SopSettings(eks_url="http://127.0.0.1:1/mcp")
    elsewhere = McpPeers(settings(tmp_path, toolsets=["cost"], sop=far))
    assert await elsewhere.missing(["eks.diagnose"]) == {}, "a server at a URL has its operator's own sets"
    await peers.aclose()
    needed = tools_of(SopLibrary(settings(tmp_path)).get("pod-crashloop"), planning=True)
    assert "eks.execute_plan" not in needed
    assert "eks.plan_workload_change" in needed


def test_a_child_runs_under_the_switches_of_its_parent(tmp_path: Path) -> None:
    given: Mapping[str, str] = child_of(
        "cost", settings(tmp_path, write=False, toolsets=["plan", "sop", "cost"])
    ).env
    assert given["AIOPS_WRITE"] == "false"
    assert given["AIOPS_TOOLSETS"] == "cost,plan" or given["AIOPS_TOOLSETS"] == "plan,cost"


def test_the_command_line_stands_instead_of_the_environment(tmp_path: Path) -> None:
    told = settings(tmp_path, toolsets=["cost"])
    made = chosen(told, "diagnose, logs", read_only=True, listen={"host": "127.0.0.1", "port": None})
    assert (made.toolsets, made.write, made.http.host) == (["diagnose", "logs"], False, "127.0.0.1")
    assert chosen(told, "", read_only=False, listen={}) == told


def test_a_wrong_set_stops_the_start_and_names_the_known_ones(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert serve("eks", toolsets="cost") == 1
    said = capsys.readouterr().err
    assert said.startswith(
        "[not_configured] AIOPS_TOOLSETS: no such set of the eks server: cost; known: clus"
    )
    monkeypatch.setenv("AIOPS_TOOLSETS", "everything")
    assert serve("gateway") == 1
    assert ", ".join(TOOLSETS) in capsys.readouterr().err
    for server in SERVERS:
        with pytest.raises(NotConfiguredError):
            require_known(["nothing"], server)


def test_the_sets_are_shown() -> None:
    said = CliRunner().invoke(app, ["tools", "--toolsets"]).output
    assert all(f"\n{name} " in f"\n{said}" for name in TOOLSETS)
    assert "query_logs" in CliRunner().invoke(app, ["tools", "--toolsets", "--json"]).output
    for server in (*SERVERS, "gateway"):
        helped = CliRunner().invoke(app, [server, "--help"]).output
        assert all(option in helped for option in ("--http", "--toolsets", "--read-only"))


async def test_doctor_says_what_would_stop_a_server_that_is_reached_over_http(tmp_path: Path) -> None:
    plain = settings(tmp_path)
    assert [one.state for one in await remote(plain)] == ["note"]
    (tools,) = await chosen_tools(settings(tmp_path, toolsets=["cost"]))
    assert tools.says == "5 of 42; sets: cost"
    http = plain.http.model_copy(update={"host": "0.0.0.0", "public_url": "https://aiops.example.com/"})  # noqa: S104
    found = {one.what: one for one in await remote(plain.model_copy(update={"http": http}))}
    assert found["HTTP"].state == "MISSING"
    assert found["public URL"].says == "its path is /, the endpoint's is /mcp"
    assert found["shared state"].state == "note"
    whose = plain.auth.model_copy(update={"issuer": "http://127.0.0.1:9"})
    state = StateSettings(dir=tmp_path, url="postgresql://aiops@127.0.0.1:9/x")
    far = SopSettings(eks_url="https://eks.example.com/mcp")
    more = {"http": http, "auth": whose, "state": state, "sop": far}
    found = {one.what: one for one in await remote(plain.model_copy(update=more))}
    assert found["issuer"].state == "MISSING"
    assert found["key file"].state == "MISSING"
    assert "without a token" in found["sop's peers"].says
