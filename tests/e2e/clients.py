"""Three clients that others wrote, each driving our server process the same way: one call, one answer.

async with CLIENTS["mcp sdk"](environment, folder) as call:
    answer = await call("diagnose", {"namespace": "production"})
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import anyio
import pytest
from fastmcp import Client
from fastmcp.client.transports import StdioTransport
from mcp import ClientSession
from mcp.client.stdio import StdioServerParameters, stdio_client

from aiops_shared.settings import inherited
from tests.contracts.repository import ROOT
from tests.e2e.processes import SERVER

INSPECTOR = "@modelcontextprotocol/inspector@0.15.0"  # the last one that runs on Node 20
NPM_CACHE = ROOT / ".cache" / "npm"


@dataclass(frozen=True)
class Said:
    """One tool's answer as a client shows it."""

    error: bool
    data: dict[str, Any]
    text: str


class Call(Protocol):
    """Calls one tool."""

    async def __call__(self, tool: str, arguments: dict[str, str]) -> Said: ...


def missing(what: str) -> None:
    """Skip outside CI, saying why; in CI nothing may be missing."""
    if inherited("CI"):
        pytest.fail(what)
    pytest.skip(what)


def inspector() -> Path:
    """The npm inspector, installed once into a cache that git ignores."""
    command = NPM_CACHE / "node_modules" / ".bin" / "mcp-inspector"
    if command.exists():
        return command
    npm = shutil.which("npm")
    if npm is None:
        missing("npm is not installed: the inspector cannot be tried")
    NPM_CACHE.mkdir(parents=True, exist_ok=True)
    options = ["--no-package-lock", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", str(NPM_CACHE)]
    done = subprocess.run(
        [str(npm), "install", *options, INSPECTOR], capture_output=True, text=True, check=False, cwd=NPM_CACHE
    )
    if done.returncode:
        missing(f"npm cannot install the inspector: {done.stderr[-300:]}")
    return command


@asynccontextmanager
async def through_fastmcp(env: dict[str, str], folder: Path) -> AsyncIterator[Call]:
    """FastMCP's client."""
    transport = StdioTransport(sys.executable, list(SERVER), env=env, cwd=str(folder), keep_alive=False)

    async with Client(transport) as client:

        async def call(tool: str, arguments: dict[str, str]) -> Said:
            done = await client.call_tool(tool, arguments, raise_on_error=False)
            return Said(done.is_error, dict(done.structured_content or {}), _text(done.content))

        yield call


@asynccontextmanager
async def through_the_sdk(env: dict[str, str], folder: Path) -> AsyncIterator[Call]:
    """The protocol's own Python client."""
    command = StdioServerParameters(command=sys.executable, args=list(SERVER), env=env, cwd=str(folder))
    async with stdio_client(command) as (read, write), ClientSession(read, write) as session:
        await session.initialize()

        async def call(tool: str, arguments: dict[str, str]) -> Said:
            done = await session.call_tool(tool, arguments)
            return Said(bool(done.is_error), dict(done.structured_content or {}), _text(done.content))

        yield call


def _text(content: list[Any]) -> str:
    return "".join(getattr(block, "text", "") for block in content)


@asynccontextmanager
async def through_the_inspector(env: dict[str, str], folder: Path) -> AsyncIterator[Call]:
    """The npm inspector's command line: a process and a server for each call."""
    command = [str(await anyio.to_thread.run_sync(inspector)), "--cli", sys.executable, *SERVER]

    async def call(tool: str, arguments: dict[str, str]) -> Said:
        words = [word for name, value in arguments.items() for word in ("--tool-arg", f"{name}={value}")]
        asked = ["--method", "tools/call", "--tool-name", tool, *words]
        path = env.get("PATH", os.defpath)
        done = await anyio.run_process([*command, *asked], env={**env, "PATH": path}, check=False, cwd=folder)
        assert done.returncode == 0, done.stderr.decode()[-2000:]
        found = json.loads(done.stdout)
        text = "".join(block.get("text", "") for block in found["content"])
        return Said(bool(found.get("isError")), found.get("structuredContent") or {}, text)

    yield call


CLIENTS: dict[str, Callable[[dict[str, str], Path], AbstractAsyncContextManager[Call]]] = {
    "fastmcp": through_fastmcp,
    "mcp sdk": through_the_sdk,
    "npm inspector": through_the_inspector,
}
