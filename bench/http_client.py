"""HTTP clients of an MCP endpoint, cheap enough that a hundred of them fit beside the server on two cores.

Kept apart from the SDK's client, whose own time would be most of what is measured. Used by `bench.http_load`.
"""

import asyncio
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

MODERN: Final = "2026-07-28"
HANDSHAKE: Final = "2025-11-25"
_META: Final = "io.modelcontextprotocol/"


class GoneError(RuntimeError):
    """The server closed the connection before its answer was whole."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer to one request."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def result(self) -> dict[str, Any]:
        """The result of a JSON-RPC answer, plain or as an event stream; {} when it holds none."""
        text = self.body.decode()
        if self.headers.get("content-type", "").startswith("text/event-stream"):
            lines = [line[5:].strip() for line in text.splitlines() if line.startswith("data:")]
            text = next((line for line in reversed(lines) if line), "{}")
        found: dict[str, Any] = json.loads(text or "{}")
        result: dict[str, Any] = found.get("result") or {}
        return result

    @property
    def good(self) -> bool:
        """Whether a tool answered, and not with an error."""
        result = self.result() if self.status == 200 else {}
        return bool(result) and not result.get("isError")


def call_body(tool: str, arguments: Mapping[str, Any], number: int, version: str) -> bytes:
    """A tools/call as a client of that protocol version sends it."""
    params: dict[str, Any] = {"name": tool, "arguments": dict(arguments)}
    if version == MODERN:
        params["_meta"] = {
            f"{_META}protocolVersion": version,
            f"{_META}clientCapabilities": {},
            f"{_META}clientInfo": {"name": "bench", "version": "1"},
        }
    message = {"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": params}
    return json.dumps(message).encode()


@dataclass
class Client:
    """One client with one connection that it keeps. `headers`: more than every request carries."""

    url: str
    version: str = MODERN
    headers: dict[str, str] = field(default_factory=dict)
    _streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def call(self, tool: str, number: int = 1, **arguments: Any) -> Answer:
        """Call a tool."""
        more = {"mcp-method": "tools/call", "mcp-name": tool} if self.version == MODERN else {}
        return await self.post(call_body(tool, arguments, number, self.version), more)

    async def post(self, body: bytes, more: Mapping[str, str] | None = None) -> Answer:
        """One POST of the endpoint. Raises GoneError, OSError."""
        await self.send(body, more)
        return await self.receive()

    async def send(self, body: bytes, more: Mapping[str, str] | None = None) -> None:
        """The request alone."""
        _, writer = await self.connected()
        at = urlsplit(self.url)
        headers = {
            "host": at.netloc,
            "accept": "application/json, text/event-stream",
            "content-type": "application/json",
            "content-length": str(len(body)),
            "mcp-protocol-version": self.version,
            **self.headers,
            **(more or {}),
        }
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        writer.write(f"POST {at.path} HTTP/1.1\r\n{head}\r\n".encode() + body)
        await writer.drain()

    async def receive(self) -> Answer:
        """The answer alone."""
        reader, _ = await self.connected()
        try:
            answer = await _read(reader)
        except asyncio.IncompleteReadError as error:
            self.abort()
            raise GoneError(str(error)) from error
        if answer.headers.get("connection", "").lower() == "close":
            self.abort()
        return answer

    async def connected(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """The connection, opened when there is none."""
        if self._streams is None:
            at = urlsplit(self.url)
            self._streams = await asyncio.open_connection(at.hostname, at.port)
        return self._streams

    @property
    def is_open(self) -> bool:
        """Whether it is connected, as far as this side has heard."""
        return self._streams is not None and not self._streams[0].at_eof()

    def abort(self) -> None:
        """Close the connection at once, whatever is under way."""
        if self._streams is not None:
            self._streams[1].transport.abort()
            self._streams = None


async def _read(reader: asyncio.StreamReader) -> Answer:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    pairs = (line.partition(":") for line in head[1:] if line)
    headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
    status = int(head[0].split(" ", 2)[1])
    if headers.get("transfer-encoding", "").lower() == "chunked":
        body = bytearray()
        while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
            body += (await reader.readexactly(size + 2))[:-2]
        await reader.readexactly(2)
        return Answer(status, headers, bytes(body))
    return Answer(status, headers, await reader.readexactly(int(headers.get("content-length", 0))))


@dataclass
class Tally:
    """What came of many calls: seconds of the good ones, how many ended how."""

    took_s: list[float] = field(default_factory=list)
    ended: dict[str, int] = field(default_factory=dict)

    def note(self, kind: str, seconds: float = 0.0) -> None:
        """One more call."""
        self.ended[kind] = self.ended.get(kind, 0) + 1
        if kind == "ok":
            self.took_s.append(seconds)

    def quantile_ms(self, share: float) -> float:
        """Of the good ones, in milliseconds."""
        ordered = sorted(self.took_s)
        return 1000 * ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float("inf")


async def timed(client: Client, tally: Tally, tool: str, arguments: Mapping[str, Any]) -> Answer | None:
    """One call, noted as `ok`, `shed` (503 or 429 with Retry-After), `error NNN` or `gone`."""
    began = time.perf_counter()
    try:
        answer = await client.call(tool, **arguments)
    except (GoneError, OSError):
        client.abort()
        tally.note("gone")
        return None
    kind = "ok" if answer.good else f"error {answer.status}"
    if answer.status in {429, 503} and answer.headers.get("retry-after"):
        kind = "shed"
    tally.note(kind, time.perf_counter() - began)
    return answer
