"""Serves the lab's ASGI applications on loopback inside the lab's own loop, and nothing else."""

import ipaddress
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import uvicorn

if TYPE_CHECKING:
    from starlette.types import ASGIApp


class LabStartError(Exception):
    """The lab cannot start; the message says why and what to do."""


def require_loopback(host: str) -> None:
    """Raises LabStartError for an address that other machines reach: the lab has no real secrets."""
    try:
        loopback = ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = False
    if not loopback:
        raise LabStartError(f"lab: {host} is not a loopback address; listen on 127.0.0.1 or ::1")


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes a free one. Raises LabStartError for a port already in use."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        sock = socket.create_server((host, port), family=family, backlog=256)
    except OSError as error:
        raise LabStartError(
            f"lab: cannot listen on {host}:{port}: {error.strerror}; free the port, or leave it at 0"
        ) from error
    # Connections inherit it. asyncio sets it only on sockets that name TCP as their protocol; without it a
    # body that follows its head waits 40 ms for the client's delayed acknowledgement.
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def port_of(sock: socket.socket) -> int:
    """The port a socket listens on."""
    port: int = sock.getsockname()[1]
    return port


class LoopbackServer(uvicorn.Server):
    """uvicorn without its signal handlers: the lab's owner ends it. `up` is set once it answers."""

    def __init__(self, app: "ASGIApp", tls: tuple[Path, Path] | None = None) -> None:
        self.up = anyio.Event()
        certificate, key = tls or (None, None)
        super().__init__(
            uvicorn.Config(
                app,
                http="h11",
                ws="none",
                lifespan="off",
                log_config=None,
                log_level="critical",
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=1,
                timeout_keep_alive=90,  # as kube-apiserver; kubectl comes again after 5 s, the default
                ssl_certfile=certificate,
                ssl_keyfile=key,
            )
        )

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to answer, and say so."""
        await super().startup(sockets)
        self.up.set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the process's signal handlers alone."""
        yield
