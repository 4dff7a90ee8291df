"""From a clean machine: the built wheel and npm tarball, not the checkout, through uvx, npx and a plain venv.

Issue 8, Done when 6. uv's cache is shared, which CI's setup has filled with the same versions.
"""

import os
import re
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import httpx
import pytest
from anyio.abc import Process
from anyio.streams.text import TextReceiveStream
from fastmcp import Client
from fastmcp.client.transports import StdioTransport

from tests.contracts.repository import ROOT
from tests.launch.conftest import Built, Machine, npx

pytestmark = [pytest.mark.slow, pytest.mark.row("S29"), pytest.mark.timeout(240)]
HELLO = (
    b'{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},'
    b'"clientInfo":{"name":"launch","version":"1"}}}\n'
)
LAUNCHER = ("node", str(ROOT / "deploy" / "npm" / "bin" / "eks-aiops.mjs"))
# Run by the interpreter of the launched environment: where the suite comes from.
WHERE = "import aiops_shared, aiops_sop, eks_aiops; print(*(one.__file__ for one in (aiops_sop, eks_aiops)))"


async def tools_over_stdio(command: list[str], machine: Machine) -> tuple[str, set[str]]:
    """Name of the server and of its tools, as a client sees them that starts it so."""
    transport = StdioTransport(
        command[0], command[1:], env=machine.env, cwd=str(machine.folder), keep_alive=False
    )
    async with Client(transport, timeout=180, init_timeout=180) as client:
        assert client.server_info is not None
        return client.server_info.name, {one.name for one in await client.list_tools()}


@asynccontextmanager
async def started(command: list[str], machine: Machine) -> AsyncIterator[Process]:
    """The process, ended at the end whatever became of it."""
    async with await anyio.open_process(command, env=machine.env, cwd=machine.folder) as process:
        try:
            yield process
        finally:
            if process.returncode is None:
                process.kill()


async def until(process: Process, pattern: str) -> str:
    """The first match in what it writes to stderr."""
    assert process.stderr is not None
    said = ""
    async for text in TextReceiveStream(process.stderr):
        said += text
        if found := re.search(pattern, said):
            return found.group(1)
    raise AssertionError(said)


def children(pid: int) -> list[int]:
    """Every process below it."""
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    return [one for child in map(int, found) for one in (child, *children(child))]


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


async def gone(pids: list[int]) -> None:
    with anyio.fail_after(60):
        while any(alive(pid) for pid in pids):  # noqa: ASYNC110  # not our children: there is nothing to wait on
            await anyio.sleep(0.05)


async def test_uvx_serves_what_the_wheel_holds(built: Built, machine: Machine) -> None:
    command = ["uvx", "--quiet", "--from", str(built.wheel), "eks-aiops", "eks"]
    name, tools = await tools_over_stdio(command, machine)
    assert name == "aiops-eks"
    assert {"list_clusters", "diagnose"} <= tools
    python = ["uvx", "--quiet", "--from", str(built.wheel), "python", "-P", "-c", WHERE]
    done = await anyio.run_process(python, env=machine.env, cwd=machine.folder)
    for module in done.stdout.decode().split():
        assert "site-packages" in module
        assert str(ROOT) not in module


async def test_npx_serves_through_uvx(built: Built, machine: Machine) -> None:
    machine.env["EKS_AIOPS_FROM"] = str(built.wheel)
    name, tools = await tools_over_stdio([*npx(built), "sop"], machine)
    assert name == "aiops-sop"
    assert "investigate" in tools


async def test_the_launcher_serves_the_gateway_over_http_ends_by_term_and_passes_exit_codes(
    built: Built, machine: Machine
) -> None:
    machine.env["EKS_AIOPS_FROM"] = str(built.wheel)
    async with started([*LAUNCHER, "gateway", "--http", "--port", "0"], machine) as process:
        url = await until(process, r"gateway: listening on (\S+)\n")
        async with httpx.AsyncClient(trust_env=False) as plain:
            assert (await plain.get(url.replace("/mcp", "/healthz"))).status_code == 200
        async with Client(url) as client:
            assert {"eks_diagnose", "sop_investigate"} <= {one.name for one in await client.list_tools()}
        below = children(process.pid)
        process.terminate()
        await gone([process.pid, *below])
    wrong = await anyio.run_process([*npx(built), "nosuch"], env=machine.env, cwd=machine.folder, check=False)
    assert (wrong.returncode, wrong.stdout) == (2, b"")


async def test_a_killed_launcher_leaves_a_server_that_ends_with_its_client(
    built: Built, machine: Machine
) -> None:
    machine.env["EKS_AIOPS_FROM"] = str(built.wheel)
    async with started([*LAUNCHER, "cost"], machine) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        await process.stdin.send(HELLO)
        assert b'"serverInfo"' in await process.stdout.receive()
        below = children(process.pid)
        os.kill(process.pid, signal.SIGKILL)
        await process.wait()
        assert all(alive(pid) for pid in below)
        await process.stdin.aclose()
        await gone(below)


async def test_the_steps_of_the_image_make_a_plain_environment_that_serves(machine: Machine) -> None:
    """What the Dockerfile runs, without an engine; pip and pipx make such an environment too."""
    where = machine.folder / "image"
    build = ["sh", "deploy/container/build.sh", str(where)]
    await anyio.run_process(build, env=machine.env, cwd=ROOT)
    assert not {"hatchling", "pip", "pytest", "uv"} & {one.name for one in (where / "bin").iterdir()}
    name, _ = await tools_over_stdio([str(where / "bin" / "eks-aiops"), "observability"], machine)
    assert name == "aiops-observability"
    listed = await anyio.run_process(
        [str(where / "bin" / "eks-aiops"), "sops", "list"], env=machine.env, cwd=machine.folder
    )
    assert b"oom-raise-limits" in listed.stdout, listed.stderr
