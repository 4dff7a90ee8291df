"""Clients that others wrote, and the commands that the README and mcp.json.example tell a user to run."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
from fastmcp import Client
from fastmcp.client.transports import StdioTransport
from mcp import ClientSession
from mcp.client.stdio import StdioServerParameters, stdio_client

from aiops_lab.run import Lab
from aiops_lab.scenarios.names import cast
from aiops_shared.settings import inherited
from tests.contracts.repository import ROOT
from tests.contracts.snapshots import listed
from tests.e2e.clients import inspector, missing
from tests.e2e.processes import SERVER, environment, served
from tests.e2e.stage import Era, asked
from tests.lab_fixture import running_lab

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]
HOME = "production"
READ_ONLY = {"execute_plan", "undo_action"}
# What package managers need to find their registry here; never anything of the suite's own.
REGISTRIES = (
    *(
        "HOME",
        "PATH",
        "SSL_CERT_FILE",
        "REQUESTS_CA_BUNDLE",
        "NODE_EXTRA_CA_CERTS",
        "HTTPS_PROXY",
        "HTTP_PROXY",
    ),
    *(
        "NO_PROXY",
        "https_proxy",
        "http_proxy",
        "no_proxy",
        "UV_INDEX_URL",
        "UV_DEFAULT_INDEX",
        "UV_FIND_LINKS",
    ),
    *("UV_NATIVE_TLS", "UV_CACHE_DIR", "NPM_CONFIG_REGISTRY", "npm_config_registry", "PIP_INDEX_URL", "LANG"),
)


async def names_of(client: Client[Any]) -> set[str]:
    """What it lists."""
    return {tool.name for tool in await client.list_tools()}


async def every_name() -> set[str]:
    """What the committed listing has."""
    return {tool["name"] for tool in (await listed())["eks"]}


@pytest.mark.parametrize("era", ["auto", "legacy"])
async def test_fastmcp_s_client_reads_a_cluster_in_both_generations(era: Era, tmp_path: Path) -> None:
    async with running_lab("pod-crashloop", 4) as lab, served(lab, tmp_path, None, era) as client:
        assert await names_of(client) == await every_name() - READ_ONLY
        clusters = await asked(client, "list_clusters", {})
        assert lab.account.cluster in clusters.text
        pods = await asked(client, "list_resources", {"kind": "Pod", "namespace": HOME})
        assert pods.data["resources"]["rows"][0][pods.data["resources"]["columns"].index("name")].startswith(
            cast(4).api
        ), "worst first"
        assert lab.requests.writes() == []


async def test_the_protocol_s_own_client_reads_a_cluster(tmp_path: Path) -> None:
    async with running_lab("pod-crashloop", 4) as lab:
        command = StdioServerParameters(
            command=sys.executable, args=list(SERVER), env=environment(lab, tmp_path), cwd=str(tmp_path)
        )
        async with stdio_client(command) as (read, write), ClientSession(read, write) as session:
            started = await session.initialize()
            assert started.server_info.name == "aiops-eks"
            tools = (await session.list_tools()).tools
            assert {tool.name for tool in tools} == await every_name() - READ_ONLY
            found = await session.call_tool("diagnose", {"namespace": HOME})
            assert found.structured_content is not None
            assert found.structured_content["findings"][0]["code"] == "CONFIGMAP_MISSING"
            wrong = await session.call_tool(
                "get_resource", {"kind": "Pod", "namespace": HOME, "name": "../x"}
            )
            assert wrong.is_error
        assert lab.requests.writes() == []


async def test_the_inspector_lists_and_calls(tmp_path: Path) -> None:
    command = await anyio.to_thread.run_sync(inspector)
    async with running_lab("pod-crashloop", 4) as lab:
        start = [str(command), "--cli", sys.executable, *SERVER]

        async def inspect(*words: str) -> dict[str, Any]:
            done = await anyio.run_process(
                [*start, *words], env=environment(lab, tmp_path), check=False, cwd=tmp_path
            )
            assert done.returncode == 0, done.stderr.decode()[-2000:]
            found: dict[str, Any] = json.loads(done.stdout)
            return found

        tools = (await inspect("--method", "tools/list"))["tools"]
        assert {tool["name"] for tool in tools} == await every_name() - READ_ONLY
        arguments = ["--tool-arg", f"namespace={HOME}", "--tool-arg", "kind=Pod"]
        called = await inspect("--method", "tools/call", "--tool-name", "list_resources", *arguments)
        assert called["structuredContent"]["resources"]["rows"]
        assert lab.requests.writes() == []


def uvx() -> str:
    """The uvx beside this Python, or of the machine."""
    beside = Path(sys.executable).parent / "uvx"
    found = str(beside) if beside.exists() else shutil.which("uvx")
    if not found:
        missing("uv is not installed")
    return str(found)


def without_registry(log: Path) -> bool:
    """Whether a start failed for want of a network, and not of anything of ours."""
    text = log.read_text(encoding="utf-8") if log.exists() else ""
    return any(
        word in text
        for word in ("Failed to fetch", "Could not connect", "dns error", "error sending request")
    )


@asynccontextmanager
async def started(
    command: str, arguments: list[str], given: dict[str, str], lab: Lab, folder: Path
) -> AsyncIterator[Client[StdioTransport]]:
    """A client of a command that a user would put into a client's configuration."""
    ours = environment(lab, folder)
    env = {**ours, **inherited(*REGISTRIES), **given}
    log = folder / "server.log"
    transport = StdioTransport(command, arguments, env=env, cwd=str(ROOT), keep_alive=False, log_file=log)
    async with AsyncExitStack() as stack:
        try:
            client = await stack.enter_async_context(Client(transport, init_timeout=240))
        except Exception:
            if without_registry(log):
                missing("no package registry can be reached")
            raise
        yield client


@pytest.mark.row("C12")
async def test_uvx_starts_the_server_from_a_checkout(tmp_path: Path) -> None:
    async with (
        running_lab("pod-crashloop", 4) as lab,
        started(uvx(), ["--from", str(ROOT), "eks-aiops", "eks"], {}, lab, tmp_path) as client,
    ):
        assert await names_of(client) == await every_name() - READ_ONLY


@pytest.mark.row("C12")
async def test_the_command_of_the_example_starts_the_built_package_read_only(tmp_path: Path) -> None:
    wheels = tmp_path / "wheels"
    built = await anyio.run_process(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(wheels)], cwd=ROOT, check=False
    )
    assert built.returncode == 0, built.stderr.decode()
    assert len(list(wheels.glob("eks_aiops-*.whl"))) == 1
    entry = json.loads((ROOT / "mcp.json.example").read_text(encoding="utf-8"))["mcpServers"]["aiops-eks"]
    path = f"{Path(uvx()).parent}{os.pathsep}{inherited('PATH').get('PATH', os.defpath)}"
    given = {**entry["env"], "UV_FIND_LINKS": str(wheels), "PATH": path}
    async with (
        running_lab("pod-crashloop", 4) as lab,
        started(entry["command"], entry["args"], given, lab, tmp_path) as client,
    ):
        assert await names_of(client) == await every_name() - READ_ONLY
        found = await asked(client, "diagnose", {"namespace": HOME})
        assert found.data["findings"][0]["code"] == "CONFIGMAP_MISSING"
        refused = await asked(client, "execute_plan", {"plan_id": "pln_" + "x" * 20, "confirm": "x"})
        assert refused.code == "read_only"
        assert lab.requests.writes() == []


def _end_of_input(process: "subprocess.Popen[bytes]") -> None:
    assert process.stdin is not None
    process.stdin.close()


ENDS: dict[str, Callable[["subprocess.Popen[bytes]"], None]] = {
    "end of input": _end_of_input,
    "SIGTERM": lambda process: process.send_signal(signal.SIGTERM),
}


@pytest.mark.fault("R22")
@pytest.mark.parametrize("end", list(ENDS))
@pytest.mark.parametrize("used", [False, True], ids=["unused", "used"])
async def test_a_server_ends_well_and_soon(end: str, used: bool, tmp_path: Path) -> None:
    async with running_lab("pod-crashloop", 4) as lab:
        env = environment(lab, tmp_path, AIOPS_WRITE="true")
        code, took_s, log = await anyio.to_thread.run_sync(_lives, env, end, used)
    assert code == 0, log
    assert took_s < 20  # a hanging server would wait for its client for ever
    assert "Traceback" not in log


def _lives(env: dict[str, str], end: str, used: bool) -> tuple[int, float, str]:
    """Start, answer, end; exit code, seconds from the end's cause, stderr."""
    process = subprocess.Popen(
        [sys.executable, *SERVER],
        env=env,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        for line in _HELLO[: 4 if used else 3]:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write((json.dumps(line) + "\n").encode())
            process.stdin.flush()
            if "id" in line:
                assert process.stdout.readline()
        began = time.monotonic()
        ENDS[end](process)
        code = process.wait(timeout=30)
        took_s = time.monotonic() - began
        assert process.stderr is not None
        return code, took_s, process.stderr.read().decode()
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()


_HELLO: list[dict[str, Any]] = [
    {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "initialize",
        "params": {
            "protocolVersion": "2025-11-25",
            "capabilities": {},
            "clientInfo": {"name": "test", "version": "1"},
        },
    },
    {"jsonrpc": "2.0", "method": "notifications/initialized"},
    {"jsonrpc": "2.0", "id": 2, "method": "tools/list"},
    {
        "jsonrpc": "2.0",
        "id": 3,
        "method": "tools/call",
        "params": {"name": "list_resources", "arguments": {"kind": "Pod", "namespace": HOME}},
    },
]
