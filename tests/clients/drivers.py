"""Clients that others wrote, each asked for the same: what there is, a diagnosis, a write that is refused."""

import json
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import anyio
import fastmcp
import httpx2
import mcp
from fastmcp.client.transports import StdioTransport, StreamableHttpTransport
from mcp.client.stdio import StdioServerParameters
from mcp.client.streamable_http import streamable_http_client

from tests.clients.packages import packages, sdk_1
from tests.clients.places import DIAGNOSE, EXECUTE, How, Place

SDK_1_PROGRAM: Final = Path(__file__).parent / "sdk_1_program.py"

UNLISTED: Final = "not sent"  # the inspector calls nothing that is not listed


@dataclass(frozen=True)
class Seen:
    """What a client got. `protocol`: the revision that it agreed on, "" where it does not say."""

    protocol: str
    tools: frozenset[str]
    findings: str
    refused: str


Driver = Callable[[Place, How], Awaitable[Seen]]


def _seen(protocol: str, tools: list[str], found: Any, refused: str) -> Seen:
    return Seen(protocol, frozenset(tools), found["findings"][0]["code"], refused)


def _text(content: list[Any]) -> str:
    return "".join(getattr(block, "text", "") for block in content)


def with_fastmcp(mode: Any) -> Driver:
    """FastMCP's client in a mode: auto, legacy."""

    async def drive(place: Place, how: How) -> Seen:
        transport: Any = (
            StdioTransport(
                place.command[0],
                place.command[1:],
                env=place.environment,
                cwd=str(place.folder),
                keep_alive=False,
            )
            if how == "stdio"
            else StreamableHttpTransport(place.urls[how], headers=place.headers(how))
        )
        async with fastmcp.Client(transport, mode=mode) as client:
            tools = [tool.name for tool in await client.list_tools()]
            found = await client.call_tool(*DIAGNOSE)
            refused = await client.call_tool(*EXECUTE, raise_on_error=False)
            return _seen(
                client.protocol_version or "", tools, found.structured_content, _text(refused.content)
            )

    return drive


async def with_sdk(place: Place, how: How) -> Seen:
    """The protocol's own Python client, as it is by default."""
    async with httpx2.AsyncClient(headers=place.headers(how), timeout=60) as web:
        server: Any = (
            StdioServerParameters(
                command=place.command[0],
                args=place.command[1:],
                env=place.environment,
                cwd=str(place.folder),
            )
            if how == "stdio"
            else streamable_http_client(place.urls[how], http_client=web)
        )
        async with mcp.Client(server) as client:
            tools = [tool.name for tool in (await client.list_tools()).tools]
            found = await client.call_tool(*DIAGNOSE)
            refused = await client.call_tool(*EXECUTE)
            return _seen(client.protocol_version, tools, found.structured_content, _text(refused.content))


async def with_sdk_1(place: Place, how: How) -> Seen:
    """Its newest 1.x, in a Python of its own."""
    asked = {
        "command": place.command,
        "environment": place.environment,
        "folder": str(place.folder),
        "url": "" if how == "stdio" else place.urls[how],
        "headers": place.headers(how),
        "calls": [DIAGNOSE, EXECUTE],
    }
    python = await anyio.to_thread.run_sync(sdk_1)
    said = await _said([python, str(SDK_1_PROGRAM)], place, json.dumps(asked).encode())
    found, refused = said["answers"]
    return _seen(said["protocol"], said["tools"], found["structured"], refused["text"])


def with_inspector(era: str) -> Driver:
    """The inspector's command line, with its strictest look at schemas."""

    async def drive(place: Place, how: How) -> Seen:
        # It gives the server a few variables of its own choice, and those that it is told.
        told = [word for pair in place.environment.items() if pair[1] for word in ("-e", "=".join(pair))]
        server = [*place.command, *told]
        if how != "stdio":
            told = [word for pair in place.headers(how).items() for word in ("--header", ": ".join(pair))]
            server = ["--transport", "http", "--server-url", place.urls[how], *told]
        command = [*await anyio.to_thread.run_sync(lambda: packages().inspector), *server]
        further = ["--protocol-era", era, "--connect-timeout", "60000"]

        async def ask(*words: str) -> dict[str, Any]:
            return await _said([*command, *further, *words], place)

        def call(tool: str, arguments: dict[str, str]) -> list[str]:
            told = [word for pair in arguments.items() for word in ("--tool-arg", "=".join(pair))]
            return ["--method", "tools/call", "--tool-name", tool, *told]

        listed = await ask("--method", "tools/list", "--strict")
        found = await ask(*call(*DIAGNOSE))
        tools = [tool["name"] for tool in listed["tools"]]
        return _seen("", tools, found["structuredContent"], UNLISTED)

    return drive


async def _said(command: list[str], place: Place, asked: bytes = b"") -> dict[str, Any]:
    """A program's answer in JSON. What it starts over stdio inherits its environment."""
    env = {**place.environment, "PATH": place.environment.get("PATH", os.defpath)}
    done = await anyio.run_process(command, input=asked, env=env, check=False, cwd=place.folder)
    assert done.returncode == 0, (done.stdout[-1500:], done.stderr[-1500:])
    said: dict[str, Any] = json.loads(done.stdout)
    return said


DRIVERS: Final[dict[str, Driver]] = {
    "fastmcp, auto": with_fastmcp("auto"),
    "fastmcp, legacy": with_fastmcp("legacy"),
    "mcp": with_sdk,
    "mcp 1.x": with_sdk_1,
    "inspector, modern": with_inspector("modern"),
    "inspector, legacy": with_inspector("legacy"),
}
