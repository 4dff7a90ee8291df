"""Kubernetes APIs made up page by page: `python -m bench.scale_api FOLDER CLUSTERS NODES NAMESPACES PODS`.

A lab plays a world and holds it; these hold nothing but the number of each thing, so that 150,000 pods, or
200 clusters, cost no memory and hardly any time beside the server that is measured. PODS is per namespace.
Every cluster has a port of its own, over TLS, with connections that are kept, as a real API server has.

Its first line on stdout says the kubeconfig and the operator's table of clusters. To each line on stdin it
answers what it has seen since the last; it ends when its stdin closes.
"""

import asyncio
import json
import ssl
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

import anyio
import anyio.lowlevel
import anyio.to_thread
import orjson
import yaml

from aiops_lab.kube.tls import make_certificates
from bench.scale_pages import Cluster

TOKEN: Final = "scale-token-worth-nothing"  # noqa: S105  # of servers that live for minutes on loopback
_HEAD: Final = "HTTP/1.1 {} x\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n"


@dataclass
class Seen:
    """What the APIs have seen since they were last asked."""

    requests: int = 0
    sent_bytes: int = 0
    pages: int = 0
    most_page: int = 0  # items of the largest page that was asked for
    by_kind: dict[str, int] = field(default_factory=dict)
    open: dict[str, int] = field(default_factory=dict)  # connections by cluster, now
    most_open: int = 0
    most_clusters: int = 0
    held: anyio.Event | None = None  # answers wait for it
    writers: set[asyncio.StreamWriter] = field(default_factory=set)

    def opened(self, cluster: str, change: int) -> None:
        """A connection came or went."""
        self.open[cluster] = self.open.get(cluster, 0) + change
        if not self.open[cluster]:
            del self.open[cluster]
        self.most_open = max(self.most_open, sum(self.open.values()))
        self.most_clusters = max(self.most_clusters, len(self.open))

    def told(self) -> dict[str, Any]:
        """As one line, and begun anew."""
        said = {
            "requests": self.requests,
            "sent_bytes": self.sent_bytes,
            "pages": self.pages,
            "most_page": self.most_page,
            "by_kind": dict(sorted(self.by_kind.items())),
            "open": sum(self.open.values()),
            "open_clusters": len(self.open),
            "most_open": self.most_open,
            "most_clusters": self.most_clusters,
        }
        self.requests = self.sent_bytes = self.pages = self.most_page = 0
        self.by_kind = {}
        self.most_open, self.most_clusters = sum(self.open.values()), len(self.open)
        return said


@dataclass(frozen=True)
class Api:
    """One cluster's API server."""

    cluster: Cluster
    seen: Seen

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, until the client closes it."""
        self.seen.opened(self.cluster.name, 1)
        self.seen.writers.add(writer)
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                await self._answer(head, reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self.seen.opened(self.cluster.name, -1)
            self.seen.writers.discard(writer)
            writer.close()

    async def _answer(self, head: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first, *lines = head.split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        if length := int(headers.get("content-length", 0)):
            await reader.readexactly(length)
        method, target, _ = first.split(" ", 2)
        at = urlsplit(target)
        query = dict(parse_qsl(at.query))
        if self.seen.held is not None:
            await self.seen.held.wait()
        code, body = self.cluster.answer(method, at.path, query, headers.get("accept", ""))
        self._note(at.path, query, len(body))
        writer.write(_HEAD.format(code, len(body)).encode() + body)
        await writer.drain()

    def _note(self, path: str, query: dict[str, str], size: int) -> None:
        kind = path.rsplit("/", 1)[-1]
        self.seen.requests += 1
        self.seen.sent_bytes += size
        self.seen.by_kind[kind] = self.seen.by_kind.get(kind, 0) + 1
        if "limit" in query:
            self.seen.pages += 1
            self.seen.most_page = max(self.seen.most_page, int(query["limit"]))


def _kubeconfig(urls: dict[str, str], ca_base64: str) -> dict[str, Any]:
    def cluster(url: str) -> dict[str, str]:
        return {"server": url, "certificate-authority-data": ca_base64}

    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": cluster(url)} for name, url in urls.items()],
        "users": [{"name": "scale", "user": {"token": TOKEN}}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": "scale"}} for name in urls],
        "current-context": next(iter(urls)),
    }


def _say(message: object) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


@asynccontextmanager
async def serving(
    folder: Path, clusters: int, nodes: int, namespaces: int, pods: int
) -> AsyncIterator[tuple[Seen, Path, Path]]:
    """The APIs in this process: what they see, the kubeconfig, the operator's table of clusters."""
    made = make_certificates(folder / "tls", datetime.fromtimestamp(time.time(), UTC))
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(made.certificate_path, made.key_path)
    seen, urls, servers = Seen(), dict[str, str](), list[asyncio.Server]()
    for number in range(clusters):
        name = f"c{number:03}"
        api = Api(Cluster(name, nodes, namespaces, pods), seen)
        server = await asyncio.start_server(api.serve, "127.0.0.1", 0, ssl=tls)
        servers.append(server)
        urls[name] = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    kubeconfig, table = folder / "kubeconfig.json", folder / "clusters.yaml"
    kubeconfig.write_bytes(orjson.dumps(_kubeconfig(urls, made.ca_base64)))
    rows = [{"name": name, "context": name, "environment": "prod"} for name in urls]
    table.write_text(yaml.safe_dump({"clusters": rows}), encoding="utf-8")
    try:
        yield seen, kubeconfig, table
    finally:
        await _ended(seen, servers)


async def _ended(seen: Seen, servers: Sequence[asyncio.Server]) -> None:
    """Close the ports, and what is connected would outlive the loop."""
    for server in servers:
        server.close()
    if seen.held is not None:
        seen.held.set()
    with anyio.CancelScope(shield=True), anyio.move_on_after(5):
        await anyio.lowlevel.checkpoint()  # what was just accepted begins to be served
        while seen.writers:
            for writer in seen.writers:
                writer.transport.abort()
            await anyio.sleep(0.01)


async def main(folder: Path, clusters: int, nodes: int, namespaces: int, pods: int) -> None:
    """Serve until stdin closes."""
    async with serving(folder, clusters, nodes, namespaces, pods) as (seen, kubeconfig, table):
        _say({"kubeconfig": str(kubeconfig), "table": str(table), "first": "c000"})
        while await anyio.to_thread.run_sync(sys.stdin.readline):
            _say(seen.told())


if __name__ == "__main__":
    anyio.run(partial(main, Path(sys.argv[1]), *(int(word) for word in sys.argv[2:6])))
