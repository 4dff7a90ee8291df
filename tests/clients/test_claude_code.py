"""Claude Code's own binary: its health check of what we ship, and a run of it with a scripted model."""

import json
import re
import shutil
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import pytest
import pytest_asyncio

from tests.clients.model_stand_in import Turn, scripted
from tests.clients.packages import packages
from tests.clients.places import CAUSE, HOME, Place, standing
from tests.contracts.repository import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(500), pytest.mark.asyncio(loop_scope="module")]
SHIPPED = ROOT / "deploy" / "clients" / "claude-code"
PLUGIN = ROOT / "deploy" / "claude-plugin"
NOWHERE = "http://127.0.0.1:9"  # all traffic but loopback's ends here
MOST_BYTES = 40_000


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def place(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Place]:
    async with standing(tmp_path_factory.mktemp("place")) as found:
        yield found


class Claude:
    """Claude Code with a home and a project of the test's own, on the lab."""

    def __init__(self, place: Place, folder: Path) -> None:
        self.project, home, bin_ = (folder / name for name in ("project", "home", "bin"))
        for made in (self.project, home, bin_):
            made.mkdir()
        (home / "settings.json").write_text('{"enableAllProjectMcpServers": true}', encoding="utf-8")
        # What a person says once, when they open the project: only then its settings' permissions count.
        trusted = {"projects": {str(self.project): {"hasTrustDialogAccepted": True}}}
        (home / ".claude.json").write_text(json.dumps(trusted), encoding="utf-8")
        # The package is not on a registry while it is tested: `uvx --from eks-aiops==X eks-aiops eks` is this
        # checkout's. That the wheel starts so, tests/launch hold.
        uvx = bin_ / "uvx"
        uvx.write_text(f'#!/bin/sh\nshift 3\nexec {sys.executable} -m eks_aiops "$@"\n', encoding="utf-8")
        uvx.chmod(0o755)
        self.env = {
            **place.environment,
            "HOME": str(home),
            "CLAUDE_CONFIG_DIR": str(home),
            "PATH": f"{bin_}:/usr/bin:/bin",
            "MCP_TIMEOUT": "120000",
            "ANTHROPIC_API_KEY": "not-a-key",
            "ENABLE_TOOL_SEARCH": "false",
            "HTTP_PROXY": NOWHERE,
            "HTTPS_PROXY": NOWHERE,
            "NO_PROXY": "127.0.0.1,localhost",
            **dict.fromkeys(
                (
                    "DISABLE_TELEMETRY",
                    "DISABLE_AUTOUPDATER",
                    "DISABLE_ERROR_REPORTING",
                    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC",
                ),
                "1",
            ),
        }

    async def run(self, *words: str, **more: str) -> str:
        """Run it; what it wrote."""
        binary = await anyio.to_thread.run_sync(lambda: packages().claude)
        done = await anyio.run_process(
            [binary, *words], cwd=self.project, env={**self.env, **more}, input=b"", check=False
        )
        said = (done.stdout + done.stderr).decode()
        assert done.returncode == 0, said
        return said

    async def healthy(self) -> dict[str, str]:
        """Server -> what `claude mcp list` says of it; its exit code is always 0."""
        said = await self.run("mcp", "list")
        lines = re.findall(r"^(\S+): .* - ([✔✘!⏸].*)$", said, re.MULTILINE)
        return {name.rstrip(":"): state for name, state in lines}


@pytest.fixture
def claude(place: Place, tmp_path: Path) -> Claude:
    return Claude(place, tmp_path)


@pytest.mark.row("S7")
async def test_the_health_check_finds_what_is_shipped_and_what_is_added_in_one_line(
    place: Place, claude: Claude
) -> None:
    shutil.copy(SHIPPED / "gateway.mcp.json", claude.project / ".mcp.json")
    await claude.run("mcp", "add", "-s", "user", "by-hand", "--", *place.command)
    await claude.run("mcp", "add", "-s", "user", "-t", "http", "by-url", place.urls["http"])
    header = f"Authorization: Bearer {place.token()}"
    await claude.run("mcp", "add", "-s", "user", "-t", "http", "signed", place.urls["bearer"], "-H", header)
    await claude.run("mcp", "add", "-s", "user", "-t", "http", "unsigned", place.urls["bearer"])
    found = await claude.healthy()
    assert not found.pop("unsigned").startswith("✔"), "without a token nothing connects"
    assert found == dict.fromkeys(("aiops-gateway", "by-hand", "by-url", "signed"), "✔ Connected")


@pytest.mark.row("S7")
async def test_the_plugin_is_valid_installs_and_its_servers_connect(claude: Claude) -> None:
    assert "passed" in (await claude.run("plugin", "validate", str(PLUGIN))).lower()
    await claude.run("plugin", "marketplace", "add", str(PLUGIN))
    await claude.run("plugin", "install", "aiops@eks-aiops")
    servers = ("eks", "observability", "cost", "sop")
    found = await claude.healthy()
    assert found == {f"plugin:aiops:aiops-{server}": "✔ Connected" for server in servers}
    # The project's file starts the same, and Claude Code starts an equal entry once.
    shipped = [json.loads((where / ".mcp.json").read_text(encoding="utf-8")) for where in (PLUGIN, SHIPPED)]
    assert shipped[0] == shipped[1]


def _servers(place: Place) -> dict[str, Any]:
    """Two ways to the same server: as shipped over stdio, and over HTTP with a token."""
    entry = json.loads((SHIPPED / ".mcp.json").read_text(encoding="utf-8"))["mcpServers"]["aiops-eks"]
    url = {"type": "http", "url": place.urls["bearer"], "headers": place.headers("bearer")}
    return {"mcpServers": {"aiops-eks": {**entry, "env": {"AIOPS_WRITE": "true"}}, "remote": url}}


@pytest.mark.row("S7")
@pytest.mark.threat("T9")
async def test_a_scripted_run_reads_without_asking_and_may_not_write_by_itself(
    place: Place, claude: Claude
) -> None:
    shutil.copytree(SHIPPED / ".claude", claude.project / ".claude")
    config = claude.project / "servers.json"
    config.write_text(json.dumps(_servers(place)), encoding="utf-8")
    plan = {"plan_id": "pln_" + "x" * 20, "confirm": "yes"}
    turns: list[Turn] = [
        ("mcp__aiops-eks__diagnose", {"namespace": HOME}),
        ("mcp__remote__diagnose", {"namespace": HOME}),
        ("mcp__aiops-eks__execute_plan", plan),
        "done",
    ]
    with scripted(turns) as model:
        said = await claude.run(
            *("-p", "What is wrong?", "--output-format", "json", "--strict-mcp-config"),
            *("--mcp-config", str(config), "--allowedTools", "mcp__remote__diagnose"),
            ANTHROPIC_BASE_URL=model.url,
        )
    told = next(line for line in said.splitlines() if line.startswith("{"))
    assert json.loads(told)["result"] == "done", said
    offered = {tool["name"] for tool in model.requests[0]["tools"]}
    assert {turn[0] for turn in turns if isinstance(turn, tuple)} <= offered
    local, remote, refused = (_sent(result) for result in model.results())
    for sent in (local, remote):
        assert len(sent.encode()) < MOST_BYTES
        answer = json.loads(sent)
        assert answer["summary"]
        assert answer["findings"][0]["code"] == CAUSE
    assert "permission" in refused.lower(), refused
    assert place.lab.requests.writes() == []


def _sent(result: dict[str, Any]) -> str:
    """A tool result's text, as the model was sent it."""
    content = result["content"]
    return content if isinstance(content, str) else "".join(block.get("text", "") for block in content)
