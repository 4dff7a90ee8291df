"""The shipped client files: they start what they say, approve reads beforehand, and never a write."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastmcp import Client
from fastmcp.client.transports import StdioTransport

from aiops_shared.settings import inherited
from eks_aiops.catalogue import all_tools
from eks_aiops.client_files import FILES

ROOT = Path(__file__).resolve().parents[2]
WRITES = {
    *("execute_plan", "undo_action"),
    *("start_run", "control_run", "submit_event", "record_outcome"),
}


def entries(value: Any) -> Iterator[dict[str, Any]]:
    """Every server entry of a file."""
    if isinstance(value, dict):
        if "command" in value and "args" in value:
            yield value
        for item in value.values():
            yield from entries(item)


def read(path: str) -> Any:
    return json.loads((ROOT / path).read_text(encoding="utf-8"))


@pytest.mark.row("S7")
async def test_what_is_approved_beforehand_is_exactly_what_only_reads() -> None:
    every = await all_tools(write=True)
    listed = [tool for tools in every.values() for tool in tools]
    only_reads = {tool["name"] for tool in listed if tool["annotations"]["readOnlyHint"]}
    assert {tool["name"] for tool in listed} - only_reads == WRITES
    servers = read("deploy/clients/kiro/.kiro/settings/mcp.json")["mcpServers"]
    assert set(servers) == {f"aiops-{name}" for name in every}
    kiro = [tool for one in servers.values() for tool in one["autoApprove"]]
    agent = read("deploy/clients/amazon-q/cli-agents/eks-aiops.json")["allowedTools"]
    claude = read("deploy/clients/claude-code/.claude/settings.json")["permissions"]["allow"]
    assert set(kiro) == only_reads
    assert {name.rsplit("/", 1)[1] for name in agent} == only_reads
    assert {name.rsplit("__", 1)[1] for name in claude} == only_reads


@pytest.mark.threat("T9")
def test_the_clients_shell_is_denied_the_approval_command() -> None:
    claude = read("deploy/clients/claude-code/.claude/settings.json")["permissions"]["deny"]
    agent = read("deploy/clients/amazon-q/cli-agents/eks-aiops.json")["toolsSettings"]["execute_bash"]
    assert "Bash(eks-aiops approve:*)" in claude
    assert agent["deniedCommands"] == [".*eks-aiops approve.*"]


@pytest.mark.threat("T16")
@pytest.mark.parametrize("path", FILES)
def test_every_entry_is_pinned_and_read_only(path: str) -> None:
    for entry in entries(read(path)):
        assert entry["args"][1].startswith("eks-aiops==")
        assert entry["env"]["AIOPS_WRITE"] == "false"


@pytest.mark.slow
@pytest.mark.row("S7")
async def test_the_command_of_each_file_answers(tmp_path: Path) -> None:
    commands = {
        tuple(entry["args"][2:])
        for path in FILES
        if "settings.json" not in path
        for entry in entries(read(path))
    }
    every = await all_tools(write=False)
    assert commands == {("eks-aiops", server) for server in every}
    environment = {**inherited("PATH", "HOME"), "AIOPS_STATE_DIR": str(tmp_path), "AWS_REGION": "us-east-1"}
    for command in commands:
        transport = StdioTransport(
            sys.executable, ["-m", "eks_aiops", *command[1:]], env=environment, keep_alive=False
        )
        async with Client(transport) as client:
            assert len(await client.list_tools()) == len(every[command[1]])
