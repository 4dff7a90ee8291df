"""Listens, and ends well: at SIGTERM takes no more, lets what is under way finish, hands runs over (R22)."""

import sys
from collections.abc import Mapping

import uvicorn
from fastmcp import FastMCP

from aiops_shared.app.logs import log_to_stderr
from aiops_shared.app.telemetry import export_telemetry
from aiops_shared.errors import NotConfiguredError
from aiops_shared.http.client import is_loopback
from aiops_shared.remote.application import Application, around, resource_url
from aiops_shared.settings import Settings


class Server(uvicorn.Server):
    """uvicorn, that says when it drains and where it listens."""

    def __init__(self, config: uvicorn.Config, app: Application, name: str, settings: Settings) -> None:
        super().__init__(config)
        self._app, self._name, self._settings = app, name, settings

    def handle_exit(self, sig: int, frame: object) -> None:
        """A signal: not ready from now on."""
        self._app.readiness.draining = True
        super().handle_exit(sig, frame)  # type: ignore[arg-type]

    async def startup(self, sockets: list[object] | None = None) -> None:  # type: ignore[override]
        """Listen, say where."""
        await super().startup(sockets)  # type: ignore[arg-type]
        for server in self.servers:
            for sock in server.sockets:
                host, port = sock.getsockname()[:2]
                where = f"http://{host}:{port}{self._settings.http.path}"
                sys.stderr.write(f"{self._name}: listening on {where}\n")
                sys.stderr.flush()


def serve_http(name: str, server: FastMCP, settings: Settings, scopes: Mapping[str, str]) -> None:
    """Serve until a signal ends it. Raises NotConfiguredError where it would be open to anybody (T11)."""
    require_safe(settings)
    log_to_stderr(settings.log_level)
    export_telemetry(settings, name)
    app = around(server, settings, scopes)
    http = settings.http
    config = uvicorn.Config(
        app,
        host=http.host,
        port=http.port,
        http="h11",
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        limit_concurrency=http.connections,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=int(http.drain_s),
    )
    Server(config, app, name, settings).run()


def require_safe(settings: Settings) -> None:
    """Raises NotConfiguredError for an address that others reach, without an issuer of tokens."""
    if not is_loopback(settings.http.host) and not settings.auth.issuer:
        raise NotConfiguredError(
            f"listen on {settings.http.host}",
            "anybody who reaches it could call, since no tokens are asked for",
            "set AIOPS_AUTH_ISSUER and AIOPS_HTTP_PUBLIC_URL, or listen on 127.0.0.1",
        )


__all__ = ["Server", "require_safe", "resource_url", "serve_http"]
