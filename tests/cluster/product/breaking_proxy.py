"""A proxy between the product and a real kube-apiserver that loses answers (fault R2).

It ends TLS itself, passes each request on, and on demand resets the product's connection before the request
is passed on (nothing was done) or after the server carried it out (done, and nobody was told).
"""

import asyncio
import json
import socket
import ssl
import struct
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import httpx

from aiops_lab.kube.tls import Certificates, make_certificates
from tests.cluster.control_plane import ControlPlane

Lost = Literal["before", "after"]
_READS = frozenset({"GET", "HEAD", "OPTIONS"})
_HOP = frozenset({"host", "connection", "content-length", "transfer-encoding", "accept-encoding"})


@dataclass
class BreakingProxy:
    """`lose` takes what happens to the next changes, in order; `lost` is what happened."""

    plane: ControlPlane
    certificates: Certificates
    upstream: httpx.AsyncClient
    lose: list[Lost] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    port: int = 0

    def kubeconfig(self, identity: str) -> Path:
        """A kubeconfig that leads through the proxy."""
        found = json.loads(self.plane.kubeconfig(identity).read_text(encoding="utf-8"))
        cluster = found["clusters"][0]["cluster"]
        cluster["server"] = f"https://127.0.0.1:{self.port}"
        cluster["certificate-authority-data"] = self.certificates.ca_base64
        path = self.certificates.ca_path.parent / f"kubeconfig-{identity}.json"
        path.write_text(json.dumps(found), encoding="utf-8")
        return path

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, one request."""
        try:
            request = await self._request(reader)
            fate = self._fate(request)
            if fate == "before":
                return _reset(writer)
            answer = await self.upstream.send(request)
            if fate == "after":
                return _reset(writer)
            writer.write(_wire(answer))
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            pass  # the product went away
        finally:
            writer.close()
        return None

    async def _request(self, reader: asyncio.StreamReader) -> httpx.Request:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").strip()
        first, *rest = head.split("\r\n")
        method, target, _ = first.split(" ")
        headers = [(name.lower(), text.strip()) for name, _, text in (line.partition(":") for line in rest)]
        length = int(dict(headers).get("content-length", "0"))
        body = await reader.readexactly(length)
        kept = [(name, text) for name, text in headers if name not in _HOP]
        return self.upstream.build_request(method, target, headers=kept, content=body)

    def _fate(self, request: httpx.Request) -> Lost | None:
        dry = b"dryRun" in request.content or b"dryRun=All" in request.url.query
        if request.method in _READS or dry or not self.lose or "selfsubject" in request.url.path:
            return None
        fate = self.lose.pop(0)
        self.lost.append(f"{fate} {request.method}")
        return fate


def _reset(writer: asyncio.StreamWriter) -> None:
    connection: socket.socket = writer.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def _wire(answer: httpx.Response) -> bytes:
    kept = [(name, text) for name, text in answer.headers.items() if name not in {*_HOP, "content-encoding"}]
    lines = [f"HTTP/1.1 {answer.status_code} x", *(f"{name}: {text}" for name, text in kept)]
    lines += ["connection: close", f"content-length: {len(answer.content)}", "", ""]
    return "\r\n".join(lines).encode("latin-1") + answer.content


@asynccontextmanager
async def breaking_proxy(plane: ControlPlane, folder: Path) -> AsyncIterator[BreakingProxy]:
    """The proxy, listening."""
    certificates = make_certificates(folder / "proxy", datetime.fromtimestamp(time.time(), UTC))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.certificate_path, certificates.key_path)
    trust = ssl.create_default_context(cafile=str(plane.ca_path))
    async with httpx.AsyncClient(
        base_url=plane.kube_url, verify=trust, trust_env=False, timeout=30
    ) as upstream:
        proxy = BreakingProxy(plane, certificates, upstream)
        server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0, ssl=context)
        proxy.port = server.sockets[0].getsockname()[1]
        try:
            yield proxy
        finally:
            server.close()
            await server.wait_closed()
