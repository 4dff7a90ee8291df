"""A server process, spoken to in bytes: over its pipes, or over HTTP with a token.

    async with open_talk(lane, environment, folder) as talk:
        heard = await talk.call("list_resources", '{"kind": "Pod", "kind": "Node"}')

No SDK in between, so that what no SDK sends can be sent. Called by `fuzz.tools.playing`.
"""

import asyncio
import json
import re
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol

import anyio
from anyio.abc import Process
from anyio.streams.buffered import BufferedByteReceiveStream

from bench.http_client import Client
from bench.http_client import GoneError as GoneError
from bench.processes import rss_bytes

Obj = dict[str, Any]
MODERN: Final = "2026-07-28"
PATIENCE_S: Final = 75.0  # the product's own deadline is 50 s; a busy machine gets the rest
STARTS_S: Final = 180.0
_MOST: Final = 16_000_000
_LATER_S: Final = 10.0
_SAYS: Final = re.compile(r"listening on (http://\S+)")
META: Final[Obj] = {
    "io.modelcontextprotocol/protocolVersion": MODERN,
    "io.modelcontextprotocol/clientCapabilities": {},
    "io.modelcontextprotocol/clientInfo": {"name": "fuzz", "version": "1"},
}


@dataclass(frozen=True, slots=True)
class Heard:
    """What came back: the answer, the HTTP status (0 over stdio), how long it took."""

    answer: Obj
    status: int
    took_s: float
    raw: str
    others: tuple[Obj, ...] = ()

    @property
    def result(self) -> Obj:
        """The result; {} for an error."""
        found = self.answer.get("result")
        return found if isinstance(found, dict) else {}

    @property
    def error(self) -> Obj:
        """The protocol's error; {} for a result."""
        found = self.answer.get("error")
        return found if isinstance(found, dict) else {}

    @property
    def text(self) -> str:
        """The texts of a tool's answer."""
        blocks = self.result.get("content") or self.result.get("contents") or ()
        return "".join(str(block.get("text", "")) for block in blocks if isinstance(block, dict))

    @property
    def code(self) -> str:
        """The code of a tool's error; `rpc CODE` for the protocol's; "" for an answer."""
        if self.error:
            return f"rpc {self.error.get('code')}"
        if not self.result.get("isError"):
            return ""
        return self.text[1:].partition("]")[0] if self.text.startswith("[") else "no code"


class Talk(Protocol):
    """One server process and a way to it."""

    @property
    def pid(self) -> int:
        """Of the process."""
        ...

    async def call(self, tool: str, arguments: str) -> Heard:
        """Call a tool with arguments as JSON text."""
        ...

    async def request(self, method: str, **params: Any) -> Heard:
        """Any other request, well formed."""
        ...

    async def send(self, raw: bytes, headers: Mapping[str, str] | None = None) -> Heard:
        """Bytes that may be no message; what comes back before the answer to a well-formed request."""
        ...

    def alive(self) -> bool:
        """Whether the process runs."""
        ...


def message(number: int, method: str, params: str) -> str:
    """A JSON-RPC request whose params are JSON text without the closing brace."""
    joint = ", " if params.strip() != "{" else ""
    return (
        f'{{"jsonrpc": "2.0", "id": {number}, "method": {json.dumps(method)},'
        f' "params": {params}{joint}"_meta": {json.dumps(META)}}}}}'
    )


def call_params(tool: str, arguments: str) -> str:
    """Params of tools/call, without the closing brace."""
    return f'{{"name": {json.dumps(tool)}, "arguments": {arguments}'


def _id_of(raw: bytes) -> int | None:
    """The id that an answer will carry, of what is JSON-RPC as far as that; None where none can be told."""
    try:
        found = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    given = found.get("id") if isinstance(found, dict) and "method" in found else None
    return given if isinstance(given, int) and not isinstance(given, bool) else None


@dataclass
class StdioTalk:
    """Over pipes."""

    process: Process
    sent: int = 0

    def __post_init__(self) -> None:
        assert self.process.stdout is not None
        self._lines = BufferedByteReceiveStream(self.process.stdout)

    @property
    def pid(self) -> int:
        """Of the process."""
        return self.process.pid

    def alive(self) -> bool:
        """Whether it runs."""
        return self.process.returncode is None

    async def call(self, tool: str, arguments: str) -> Heard:
        """Call a tool."""
        return await self._asked("tools/call", call_params(tool, arguments))

    async def request(self, method: str, **params: Any) -> Heard:
        """Any other request."""
        return await self._asked(method, json.dumps(params)[:-1])

    async def _asked(self, method: str, params: str) -> Heard:
        self.sent += 1
        began = time.monotonic()
        await self._write(message(self.sent, method, params).encode() + b"\n")
        answer, raw, others = await self._until({self.sent, None})  # null: what was sent was no message
        return Heard(answer, 0, time.monotonic() - began, raw, others)

    async def send(self, raw: bytes, headers: Mapping[str, str] | None = None) -> Heard:
        """The bytes as a line, then a well-formed request; what came before its answer is in `others`."""
        del headers
        began = time.monotonic()
        await self._write(raw.replace(b"\n", b" ") + b"\n")
        self.sent += 1
        await self._write(message(self.sent, "prompts/list", "{").encode() + b"\n")
        _, _, others = await self._until({self.sent})
        found = next((one for one in others if "error" in one or "result" in one), {})
        waits = _id_of(raw)
        if not found and waits is not None:  # a request that is told apart by its id may be answered later
            with anyio.move_on_after(_LATER_S):
                found, _, more = await self._until({waits})
                others += more
        return Heard(found, 0, time.monotonic() - began, json.dumps(found), others)

    async def _write(self, raw: bytes) -> None:
        assert self.process.stdin is not None
        with anyio.fail_after(PATIENCE_S):
            await self.process.stdin.send(raw)

    async def _until(self, ids: set[int | None]) -> tuple[Obj, str, tuple[Obj, ...]]:
        others: list[Obj] = []
        with anyio.fail_after(PATIENCE_S):
            while True:
                raw = (await self._lines.receive_until(b"\n", _MOST)).decode()
                found = json.loads(raw)
                if "method" not in found and found.get("id") in ids:
                    return found, raw, tuple(others)
                others.append(found)


@dataclass
class HttpTalk:
    """Over HTTP on one connection that is kept; a token from `token` for each request."""

    process: Process
    client: Client
    token: Callable[[], str]
    sent: int = 0
    kept: dict[str, str] = field(default_factory=dict)

    @property
    def pid(self) -> int:
        """Of the process."""
        return self.process.pid

    def alive(self) -> bool:
        """Whether it runs."""
        return self.process.returncode is None

    async def call(self, tool: str, arguments: str) -> Heard:
        """Call a tool."""
        params = call_params(tool, arguments)
        return await self._asked("tools/call", params, {"mcp-name": tool})

    async def request(self, method: str, **params: Any) -> Heard:
        """Any other request."""
        named = params.get("name") or params.get("uri")
        return await self._asked(method, json.dumps(params)[:-1], {"mcp-name": named} if named else {})

    async def _asked(self, method: str, params: str, more: Mapping[str, str]) -> Heard:
        self.sent += 1
        raw = message(self.sent, method, params).encode()
        return await self.send(raw, {"mcp-method": method, **more})

    async def send(self, raw: bytes, headers: Mapping[str, str] | None = None) -> Heard:
        """The bytes as a body."""
        self.client.headers = {"authorization": f"Bearer {self.token()}"}
        began = time.monotonic()
        with anyio.fail_after(PATIENCE_S):
            try:
                answer = await self.client.post(raw, headers or {})
            except GoneError:  # an idle connection that the server closed meanwhile, once
                answer = await self.client.post(raw, headers or {})
            except (asyncio.LimitOverrunError, ConnectionError):
                self.client.abort()
                answer = await self.client.post(raw, headers or {})
        text = answer.body.decode("utf-8", "replace")
        return Heard(_in_stream(text, answer.headers), answer.status, time.monotonic() - began, text)


def _in_stream(text: str, headers: Mapping[str, str]) -> Obj:
    """The JSON-RPC answer in a body, plain or as the last event of a stream; {} when it holds none."""
    if headers.get("content-type", "").startswith("text/event-stream"):
        data = [line[5:].strip() for line in text.splitlines() if line.startswith("data:")]
        text = next((line for line in reversed(data) if line), "{}")
    try:
        found = json.loads(text or "{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


@asynccontextmanager
async def open_talk(
    server: str, environment: Mapping[str, str], folder: Path, token: Callable[[], str] | None = None
) -> AsyncIterator[Talk]:
    """A server process; over HTTP where there is a token. Its stderr is in `folder/server.log`."""
    http = ["--http", "--port", "0"] if token else []
    with (folder / "server.log").open("ab") as log:
        process = await anyio.open_process(
            [sys.executable, "-m", "eks_aiops", server, *http],
            env=dict(environment),
            cwd=folder,
            stdin=subprocess.DEVNULL if token else subprocess.PIPE,
            stdout=subprocess.DEVNULL if token else subprocess.PIPE,
            stderr=log,
        )
    try:
        if token:
            client = Client(await _url(process, folder / "server.log"), MODERN)
            try:
                yield HttpTalk(process, client, token)
            finally:
                client.abort()
        else:
            yield StdioTalk(process)
    finally:
        await _ended(process)


async def _url(process: Process, log: Path) -> str:
    with anyio.fail_after(STARTS_S):
        while not (said := _SAYS.search(text := await anyio.Path(log).read_text("utf-8"))):
            if process.returncode is not None:
                raise RuntimeError(f"the server did not start: {text[-600:]}")
            await anyio.sleep(0.05)
    return said[1]


async def _ended(process: Process) -> None:
    with anyio.CancelScope(shield=True):
        if process.returncode is None:
            process.terminate()
        with anyio.move_on_after(15):
            await process.wait()
        if process.returncode is None:
            process.kill()
        await process.aclose()


def memory_bytes(talk: Talk) -> int:
    """What the process holds now."""
    return rss_bytes(talk.pid)
