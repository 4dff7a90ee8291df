"""Listens, and ends well: at SIGTERM takes no more, lets what is under way finish, hands runs over (R22).

signal      /readyz 503, every new request 503 and `connection: close`; the listener stays open; no step of
            an action or a run begins any more, those under way finish, the rest is handed over
drain_s     requests under way finish, beside that; what is not done is cut, and told so
then        the listener closes, the server's lifespan ends; exit code 0
second      signal: the process ends at once
"""

import asyncio
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from typing import Any, Final
from urllib.parse import urlsplit

import anyio
import uvicorn
from fastmcp import FastMCP
from sse_starlette.sse import AppStatus

from aiops_shared.app.logs import log_to_stderr
from aiops_shared.app.starting import end_loading
from aiops_shared.app.telemetry import export_telemetry
from aiops_shared.errors import NotConfiguredError
from aiops_shared.guardrails.lifetimes import stop_all
from aiops_shared.http.client import is_loopback
from aiops_shared.remote.application import Application, around, resource_url
from aiops_shared.remote.exposition import page
from aiops_shared.remote.hasty_http import hasty
from aiops_shared.remote.measures import Measures
from aiops_shared.settings import HttpSettings, Settings

CUT_S: Final = 2.0  # what is cut has so long to end
BEYOND: Final = 1.1  # connections above the limit, as a share of it, whose requests are told so still
ECHO_S: Final = 0.3  # a second signal within it is the first one again
MOST_HEAD_BYTES: Final = 32_768  # request line and headers together


class Server(uvicorn.Server):
    """uvicorn, that says where it listens, drains before it closes, and ends with code 0."""

    def __init__(
        self,
        config: uvicorn.Config,
        app: Application,
        name: str,
        settings: Settings,
        metrics: socket.socket | None = None,
    ) -> None:
        super().__init__(config)
        self._app, self._name, self._settings, self._metrics = app, name, settings, metrics
        self._told_at: float | None = None
        app.intake.connections = lambda: len(self.server_state.connections)

    def handle_exit(self, sig: int, frame: object) -> None:
        """A signal: not ready from now on. The next one ends the process as if nobody listened to it.

        Launchers pass on what a terminal sent to everybody anyway: the same signal twice is one.
        """
        now = time.monotonic()
        if self._told_at is None:
            self._told_at = now
            self._app.readiness.draining = True
            self.should_exit = True
        elif now - self._told_at > ECHO_S:
            signal.signal(sig, signal.SIG_DFL)
            signal.raise_signal(sig)

    async def startup(self, sockets: list[Any] | None = None) -> None:
        """Listen, say where."""
        # The library of streams would end each of them half a second after the signal; `draining` lets
        # them finish, and cuts what takes longer.
        AppStatus.enable_automatic_graceful_drain = False
        await super().startup(sockets)
        for server in self.servers:
            for sock in server.sockets:
                host, port = sock.getsockname()[:2]
                where = f"http://{_spelled(host)}:{port}{self._settings.http.path}"
                sys.stderr.write(f"{self._name}: listening on {where}\n")
                sys.stderr.flush()

    async def main_loop(self) -> None:
        """Serve, then drain while the listener is open still; runs are handed over meanwhile, not after."""
        async with _measured(self._app, self._settings.http, self._metrics):
            await super().main_loop()
            stop_all()
            with anyio.move_on_after(self._settings.http.drain_s):
                await self._app.draining.empty()
            if self._app.draining.cut():
                with anyio.move_on_after(CUT_S):
                    await self._app.draining.empty()

    async def shutdown(self, sockets: list[Any] | None = None) -> None:
        """Close the listener and what is connected; the lifespan ends after that."""
        closing = asyncio.get_running_loop().call_later(CUT_S, self._abort)
        try:
            await super().shutdown(sockets)
        finally:
            closing.cancel()

    def _abort(self) -> None:
        """Whoever does not read its last answer keeps nobody here."""
        for connection in list(self.server_state.connections):
            connection.transport.abort()


def serve_http(name: str, server: FastMCP, settings: Settings, scopes: Mapping[str, str]) -> None:
    """Serve until a signal ends it. Raises NotConfiguredError where it would be open to anybody (T11)."""
    require_safe(settings)
    log_to_stderr(settings.log_level)
    app = around(server, settings, scopes)
    app.meter.suite = export_telemetry(settings, name, readable=True)
    end_loading()
    Server(configured(app, settings.http), app, name, settings, metrics_socket(settings.http)).run()


def configured(app: Any, http: HttpSettings) -> uvicorn.Config:
    """How uvicorn serves: its own limits are off where a layer has a better one."""
    return uvicorn.Config(
        app,
        host=http.host,
        port=http.port,
        http=hasty(http.head_s, http.write_s, int(http.connections * BEYOND) + 1),
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        h11_max_incomplete_event_size=MOST_HEAD_BYTES,
        timeout_keep_alive=http.idle_s,
        timeout_graceful_shutdown=int(CUT_S) + 1,
    )


def metrics_socket(http: HttpSettings) -> socket.socket | None:
    """Where /metrics has a port of its own, if the operator wants that. Raises NotConfiguredError."""
    if not http.metrics_listen:
        return None
    name = "AIOPS_HTTP_METRICS_LISTEN"
    host, _, port = http.metrics_listen.rpartition(":")
    if not host or not port.isdigit() or int(port) > 65_535:
        raise NotConfiguredError(name, f"{http.metrics_listen[:60]!r} is no address", "as 127.0.0.1:9464")
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host.strip("[]"), int(port)), family=family)
    except OSError as error:
        raise NotConfiguredError(name, f"cannot listen there ({error.strerror})", "another port") from error


@asynccontextmanager
async def _measured(app: Application, http: HttpSettings, at: socket.socket | None) -> AsyncIterator[None]:
    """/metrics on a port of its own, until the server has drained."""
    if at is None:
        yield
        return
    config = configured(Measures(partial(page, app.meter)), http)
    config.lifespan = "off"
    beside = _Beside(config)
    serving = asyncio.get_running_loop().create_task(beside.serve([at]), name="aiops-metrics")
    try:
        yield
    finally:
        beside.should_exit = True
        await serving


class _Beside(uvicorn.Server):
    """A server beside the main one, which takes the signals."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """None."""
        yield


def _spelled(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def require_safe(settings: Settings) -> None:
    """Raises NotConfiguredError for an address that others reach, without an issuer of tokens.

    A public URL off loopback counts as one: then something in front of us lets others in.
    """
    http = settings.http
    public = urlsplit(http.public_url).hostname
    if settings.auth.issuer or (is_loopback(http.host) and (public is None or is_loopback(public))):
        return
    raise NotConfiguredError(
        f"listen on {http.host or 'every address'}{f' for {public}' if public else ''}",
        "anybody who reaches it could call, since no tokens are asked for",
        "set AIOPS_AUTH_ISSUER and AIOPS_HTTP_PUBLIC_URL, or listen on 127.0.0.1 without a public URL",
    )


__all__ = ["Server", "configured", "require_safe", "resource_url", "serve_http"]
