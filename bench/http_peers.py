"""Other servers of the field that speak HTTP, started beside ours.

AWS Labs' servers are stdio only, so none of them is here. Each is started on a free port of loopback with the
lab's kubeconfig, and asked for the same list.
"""

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Event
from typing import Any, Final

from bench.http_client import Client
from bench.peers import KUBERNETES_MCP, MCP_KUBERNETES, Package
from bench.processes import INITIALIZE

START_S: Final = 40.0


@dataclass(frozen=True)
class Peer:
    """One server: how it is told its port, where it answers, what is asked of it."""

    package: Package
    arguments: tuple[str, ...]
    environment: Mapping[str, str]
    path: str
    tool: str
    asks: Mapping[str, Any]
    sessions: bool  # whether a call needs an Mcp-Session-Id


SERVED: Final = (
    Peer(
        package=KUBERNETES_MCP,
        arguments=("--port", "{port}", "--bind-address", "127.0.0.1", "--read-only", "--stateless"),
        environment={},
        path="/mcp",
        tool="resources_list",
        asks={"apiVersion": "v1", "kind": "Service", "namespace": "default"},
        sessions=False,
    ),
    Peer(
        package=MCP_KUBERNETES,
        arguments=(),
        environment={
            "ENABLE_UNSAFE_STREAMABLE_HTTP_TRANSPORT": "1",
            "PORT": "{port}",
            "HOST": "127.0.0.1",
            "ALLOW_ONLY_READONLY_TOOLS": "true",
        },
        path="/mcp",
        tool="kubectl_get",
        asks={"resourceType": "services", "namespace": "default"},
        sessions=False,
    ),
)


@contextmanager
def running(
    peer: Peer, program: Sequence[str], environment: Mapping[str, str]
) -> Iterator[tuple[str, int] | None]:
    """Its URL and process id once it listens; None when it does not."""
    port = _free_port()
    own = {name: value.format(port=port) for name, value in peer.environment.items()}
    process = subprocess.Popen(
        [*program, *(one.format(port=port) for one in peer.arguments)],
        env={**environment, **own},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        listens = _listens(port, process)
        yield (f"http://127.0.0.1:{port}{peer.path}", process.pid) if listens else None
    finally:
        process.terminate()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return int(sock.getsockname()[1])


def _listens(port: int, process: "subprocess.Popen[bytes]") -> bool:
    until = time.monotonic() + START_S
    while time.monotonic() < until and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            Event().wait(0.1)
        else:
            return True
    sys.stderr.write("bench: a peer does not listen\n")
    return False


async def opened(client: Client) -> None:
    """Make the handshake of a server that keeps sessions. Raises KeyError when it gives none."""
    answer = await client.post(json.dumps(INITIALIZE).encode())
    client.headers["mcp-session-id"] = answer.headers["mcp-session-id"]
