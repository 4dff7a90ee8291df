"""The shipped client files: they start what they say, approve reads beforehand, and never a write."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest
import yaml
from fastmcp import Client
from fastmcp.client.transports import StdioTransport, StreamableHttpTransport

from aiops_shared.settings import inherited
from eks_aiops.catalogue import all_tools
from eks_aiops.client_files import client_files
from eks_aiops.client_files_entries import Tools
from tests.agents.serving import http_server

ROOT = Path(__file__).resolve().parents[2]
SERVERS = ("eks", "observability", "cost", "sop")
WRITES = {
    *("execute_plan", "undo_action"),
    *("start_run", "control_run", "submit_event", "record_outcome"),
}
CLIENTS = ROOT / "deploy" / "clients"


@pytest.fixture(scope="module")
def found() -> Tools:
    return anyio.run(lambda: all_tools(write=True))


@pytest.fixture(scope="module")
def made(found: Tools) -> dict[str, Any]:
    """Path -> what a file says, of every generated JSON and YAML file."""
    kinds = (".json", ".example", ".yaml")
    return {path: read(path, text) for path, text in client_files(found).items() if path.endswith(kinds)}


def read(path: str, text: str) -> Any:
    """What a JSON or YAML file says; YAML may hold several documents, tags of CloudFormation stay texts."""
    return [*yaml.load_all(text, Loader)] if path.endswith(".yaml") else json.loads(text)


class Loader(yaml.SafeLoader):
    """Takes CloudFormation's short forms (`!Ref`, `!Sub`, …) as what stands behind them."""


def _tagged(loader: yaml.SafeLoader, tag: str, node: yaml.Node) -> Any:
    del tag
    return loader.construct_sequence(node) if isinstance(node, yaml.SequenceNode) else node.value


Loader.add_multi_constructor("!", _tagged)


def entries(value: Any) -> Iterator[dict[str, Any]]:
    """Every server entry of a file."""
    if isinstance(value, dict):
        if ("command" in value and "args" in value) or str(value.get("url", "")).endswith("/mcp"):
            yield value
        for item in value.values():
            yield from entries(item)


def of_clients(made: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every entry of every client's file."""
    for path, value in made.items():
        if "/agentcore/" not in path and "/bedrock/" not in path:
            for entry in entries(value):
                yield path, entry


def named(found: Tools, *, reads: bool) -> set[str]:
    """`server/tool` of every tool that only reads, or of the others; the gateway's names too."""
    chosen = {
        (server, tool["name"])
        for server, tools in found.items()
        for tool in tools
        if bool(tool["annotations"]["readOnlyHint"]) is reads
    }
    plain = {f"aiops-{server}/{name}" for server, name in chosen}
    return plain | {f"aiops-gateway/{server}_{name}" for server, name in chosen}


@pytest.mark.row("S7")
@pytest.mark.row("S88")
def test_what_is_approved_beforehand_is_exactly_what_only_reads(found: Tools, made: dict[str, Any]) -> None:
    assert {name.partition("/")[2] for name in named(found, reads=False) if "gateway" not in name} == WRITES
    reads = named(found, reads=True)
    claude = made["deploy/clients/claude-code/.claude/settings.json"]["permissions"]["allow"]
    assert {name.removeprefix("mcp__").replace("__", "/") for name in claude} == reads
    rules = made["deploy/clients/kiro/permissions.yaml"][0]["rules"]
    by_effect = {rule["effect"]: set(rule["match"]) for rule in rules}
    assert by_effect == {
        "deny": {"*eks-aiops approve*"},
        "ask": named(found, reads=False),
        "allow": reads,
    }
    for form in ("", "gateway.", "http."):
        servers = made[f"deploy/clients/kiro/.kiro/settings/{form}mcp.json"]["mcpServers"]
        approved = {f"{name}/{tool}" for name, one in servers.items() for tool in one["autoApprove"]}
        assert approved == {name for name in reads if name.partition("/")[0] in servers}
    agents = [path for path in made if "/cli-agents/" in path or "/agents/" in path]
    assert len(agents) == 5
    for path in agents:
        allowed = {name.removeprefix("@") for name in made[path]["allowedTools"]}
        assert allowed == {name for name in reads if name.partition("/")[0] in made[path]["mcpServers"]}


def test_names_are_ours_and_short_enough_for_clients(found: Tools, made: dict[str, Any]) -> None:
    for path, value in made.items():
        for servers in (value.get("mcpServers"), value.get("servers")) if isinstance(value, dict) else ():
            assert all(name.startswith("aiops-") for name in servers or {}), path
    names = [name.replace("/", "__") for name in named(found, reads=True) | named(found, reads=False)]
    assert max(len(f"mcp__{name}") for name in names) <= 64
    assert max(len(f"mcp__plugin_aiops_{name}") for name in names if "gateway" not in name) <= 64


@pytest.mark.threat("T9")
def test_the_clients_shell_is_denied_the_approval_command(made: dict[str, Any]) -> None:
    claude = made["deploy/clients/claude-code/.claude/settings.json"]["permissions"]["deny"]
    assert "Bash(eks-aiops approve:*)" in claude
    q = made["deploy/clients/amazon-q/cli-agents/eks-aiops.json"]["toolsSettings"]["execute_bash"]
    kiro = made["deploy/clients/kiro/.kiro/agents/eks-aiops.json"]["toolsSettings"]["shell"]
    assert q["deniedCommands"] == kiro["deniedCommands"] == [".*eks-aiops approve.*"]
    (rule,) = made["deploy/clients/vscode/.vscode/settings.json"]["chat.tools.terminal.autoApprove"].values()
    assert rule["approve"] is False


@pytest.mark.threat("T9")
@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("eks-aiops approve apr_1", 2),
        ("uvx --from eks-aiops eks-aiops approve apr_1 <<< y", 2),
        ("eks-aiops doctor", 0),
        ("echo approve; kubectl get pods", 0),
    ],
)
def test_the_plugin_s_hook_stops_the_shell_from_approving(
    made: dict[str, Any], command: str, code: int
) -> None:
    (group,) = made["deploy/claude-plugin/hooks/hooks.json"]["hooks"]["PreToolUse"]
    call = json.dumps({"tool_name": "Bash", "tool_input": {"command": command}})
    done = subprocess.run(
        ["sh", "-c", group["hooks"][0]["command"]], input=call, text=True, capture_output=True, check=False
    )
    assert (done.returncode, bool(done.stderr)) == (code, code == 2)


@pytest.mark.row("S86")
def test_kagent_asks_a_person_before_exactly_what_writes(found: Tools, made: dict[str, Any]) -> None:
    hints = {server: {tool["name"]: tool["annotations"] for tool in tools} for server, tools in found.items()}
    files = [f"deploy/kagent/{name}.yaml" for name in ("agents", "agents-stdio")]
    agents = {one["metadata"]["name"]: one for file in files for one in made[file]}
    assert set(agents) == {f"aiops-{who}{how}" for who in ("reader", "operator") for how in ("", "-stdio")}
    for name, agent in agents.items():
        for tool in agent["spec"]["declarative"]["tools"]:
            server = tool["mcpServer"]
            known = hints[server["name"].removeprefix("aiops-")]
            reads = {one for one, hint in known.items() if hint["readOnlyHint"]}
            writes = {one for one, hint in known.items() if hint["destructiveHint"]}
            asked, given = set(server.get("requireApproval", [])), set(server["toolNames"])
            assert server["kind"] == ("MCPServer" if name.endswith("-stdio") else "RemoteMCPServer")
            assert (given, asked) == ((reads, set()) if "reader" in name else (set(known), writes))


@pytest.mark.threat("T16")
def test_every_entry_is_pinned_and_read_only(made: dict[str, Any]) -> None:
    seen = [*of_clients(made)]
    assert len(seen) > 40
    for path, entry in seen:
        if "url" in entry:
            assert entry["url"] == "http://localhost:8000/mcp", path
            continue
        assert entry["args"][1].startswith("eks-aiops=="), path
        assert entry["env"]["AIOPS_WRITE"] == "false", path


@pytest.mark.row("S7")
def test_the_commands_are_the_four_servers_and_the_gateway(made: dict[str, Any]) -> None:
    commands = {tuple(entry["args"][2:]) for _, entry in of_clients(made) if "args" in entry}
    assert commands == {("eks-aiops", server) for server in (*SERVERS, "gateway")}


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.row("S7")
@pytest.mark.parametrize("server", [*SERVERS, "gateway"])
async def test_the_command_of_each_entry_answers(server: str, found: Tools, tmp_path: Path) -> None:
    environment = {
        **inherited("PATH", "HOME"),
        "AIOPS_STATE_DIR": str(tmp_path),
        "AWS_REGION": "us-east-1",
        "AIOPS_WRITE": "true",
    }
    command = ["-m", "eks_aiops", server]
    transport = StdioTransport(sys.executable, command, env=environment, keep_alive=False)
    async with Client(transport) as client:
        assert {tool.name for tool in await client.list_tools()} == expected(found, server)


def expected(found: Tools, server: str) -> set[str]:
    """What tools/list of one entry names."""
    if server in found:
        return {tool["name"] for tool in found[server]}
    return {f"{name}_{tool['name']}" for name, tools in found.items() for tool in tools}


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.row("S7")
async def test_the_url_of_the_http_form_answers_where_the_gateway_listens(
    found: Tools, tmp_path: Path
) -> None:
    environment = {**inherited("PATH", "HOME"), "AIOPS_STATE_DIR": str(tmp_path), "AIOPS_WRITE": "true"}
    async with http_server("gateway", environment, tmp_path) as url:
        port = url.rpartition(":")[2].partition("/")[0]
        said = f"http://localhost:{port}/mcp"
        async with Client(StreamableHttpTransport(said)) as client:
            assert {tool.name for tool in await client.list_tools()} == expected(found, "gateway")


@pytest.mark.row("S7")
def test_front_matter_of_power_steering_and_skills_is_what_their_hosts_read() -> None:
    power = front(ROOT / "deploy/kiro-power/POWER.md")
    assert set(power) == {"name", "displayName", "description", "keywords", "author"}
    assert front(CLIENTS / "kiro/.kiro/steering/eks-aiops.md") == {"inclusion": "always"}
    skills = sorted((ROOT / "deploy/claude-plugin/skills").glob("*/SKILL.md"))
    assert [path.parent.name for path in skills] == sorted(
        path.name.removesuffix(".sop.md") for path in (ROOT / "sops").glob("*.sop.md")
    )
    for path in skills:
        head = front(path)
        assert head["name"] == path.parent.name
        assert 0 < len(head["description"]) <= 1024
    assert os.listdir(ROOT / "deploy/kiro-power/steering") == ["eks-aiops.md"]


def front(path: Path) -> dict[str, Any]:
    """The YAML between the first two `---`."""
    head: dict[str, Any] = yaml.safe_load(path.read_text("utf-8").split("---\n")[1])
    return head
