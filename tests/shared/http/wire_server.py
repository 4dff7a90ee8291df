"""A server of one's own on loopback that says exactly what a test wants, down to the reset of a socket.

    async with WireServer(lambda seen: Reply(b'{"kind":"Status"}', status=503)) as server:
        …
        assert [one.target for one in server.seen] == ["/api/v1/pods"]

It speaks just enough HTTP/1.1, on purpose: no framework would let it lie as a hostile server does.
"""

import asyncio
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import parse_qsl, urlsplit

import anyio.lowlevel
import orjson

JSON = "application/json"


@dataclass(frozen=True)
class Seen:
    """One request as it came over the wire; `target` is the raw path and query."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, str]:
        return dict(parse_qsl(urlsplit(self.target).query, keep_blank_values=True))


@dataclass(frozen=True)
class Reply:
    """What to answer. `pieces` streams without a length; `reset` drops the connection instead."""

    body: bytes = b"{}"
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    content_type: str = JSON
    pieces: Callable[[], AsyncIterator[bytes]] | None = None
    reset: bool = False


def as_json(value: object, status: int = 200, **headers: str) -> Reply:
    """A JSON answer."""
    return Reply(
        orjson.dumps(value), status, {name.replace("_", "-"): text for name, text in headers.items()}
    )


def status(code: int, reason: str = "", message: str = "", **headers: str) -> Reply:
    """A Kubernetes Status."""
    body = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason, "message": message}
    return as_json(body | {"code": code}, code, **headers)


class WireServer:
    """An async context manager; `url` once entered, `seen` every request in order. Over TLS with `tls`."""

    def __init__(self, answer: Callable[[Seen], Reply], tls: ssl.SSLContext | None = None) -> None:
        self._answer = answer
        self._tls = tls
        self._open: set[asyncio.StreamWriter] = set()
        self.seen: list[Seen] = []
        self.url = ""

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._tls)
        scheme = "https" if self._tls else "http"
        self.url = f"{scheme}://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        await self._server.wait_closed()
        await anyio.lowlevel.checkpoint()  # what was just accepted begins to be served
        for writer in self._open:  # … and would outlive the loop
            writer.transport.abort()
        await anyio.lowlevel.checkpoint()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            seen = await _read(reader)
            self.seen.append(seen)
            await self._write(writer, self._answer(seen))
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self._open.discard(writer)
            writer.close()

    async def _write(self, writer: asyncio.StreamWriter, reply: Reply) -> None:
        if reply.reset:
            connection: socket.socket = writer.get_extra_info("socket")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return
        length = {} if reply.pieces else {"content-length": str(len(reply.body))}
        headers = {"content-type": reply.content_type, "connection": "close"} | length | reply.headers
        lines = [f"HTTP/1.1 {reply.status} x", *(f"{name}: {text}" for name, text in headers.items()), "", ""]
        writer.write("\r\n".join(lines).encode())
        if reply.pieces is None:
            writer.write(reply.body)
            await writer.drain()
            return
        async for piece in reply.pieces():
            writer.write(piece)
            await writer.drain()


async def _read(reader: asyncio.StreamReader) -> Seen:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *rest = head.strip().split("\r\n")
    headers = {name.lower(): text.strip() for name, _, text in (line.partition(":") for line in rest)}
    method, target, _ = first.split(" ")
    return Seen(method, target, headers, await reader.readexactly(int(headers.get("content-length", "0"))))
