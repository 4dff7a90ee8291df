"""A server process spoken to in raw JSON-RPC of 2026-07-28: what a client could send that no SDK sends."""

import json
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
from anyio.abc import Process
from anyio.streams.buffered import BufferedByteReceiveStream

from aiops_lab.run import Lab
from tests.e2e.processes import SERVER, environment

Message = dict[str, Any]
ASKABLE: Message = {"elicitation": {"form": {}}}
_MAX_LINE = 8_000_000


@dataclass
class Wire:
    """One process and its pipe."""

    process: Process
    capabilities: Message = field(default_factory=lambda: ASKABLE)
    sent: int = 0

    def __post_init__(self) -> None:
        stdout = self.process.stdout
        assert stdout is not None
        self._lines = BufferedByteReceiveStream(stdout)

    async def request(self, method: str, **params: Any) -> Message:
        """Send one request, wait for its answer."""
        self.sent += 1
        meta = {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": self.capabilities,
            "io.modelcontextprotocol/clientInfo": {"name": "wire", "version": "1"},
        }
        message = {"jsonrpc": "2.0", "id": self.sent, "method": method, "params": {**params, "_meta": meta}}
        stdin = self.process.stdin
        assert stdin is not None
        await stdin.send((json.dumps(message) + "\n").encode())
        with anyio.fail_after(60):
            while True:
                answer: Message = json.loads(await self._lines.receive_until(b"\n", _MAX_LINE))
                if answer.get("id") == self.sent:
                    return answer

    async def call(self, tool: str, arguments: Message, **more: Any) -> Message:
        """Call one tool; the result, or the protocol's error."""
        answer = await self.request("tools/call", name=tool, arguments=arguments, **more)
        found: Message = answer.get("result") or answer["error"]
        return found


@asynccontextmanager
async def wired(
    lab: Lab, folder: Path, capabilities: Message | None = None, **more: str
) -> AsyncIterator[Wire]:
    """A server process on a lab."""
    with (folder / "server.log").open("ab") as log:
        process = await anyio.open_process(
            [sys.executable, *SERVER],
            env=environment(lab, folder, **more),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
        )
    try:
        yield Wire(process, ASKABLE if capabilities is None else capabilities)
    finally:
        with anyio.CancelScope(shield=True):
            if process.returncode is None:
                process.terminate()
            with anyio.move_on_after(10):
                await process.wait()
            if process.returncode is None:
                process.kill()
            await process.aclose()


def text_of(result: Message) -> str:
    """The text of a tool's result."""
    return "".join(str(block.get("text", "")) for block in result.get("content", ()))
