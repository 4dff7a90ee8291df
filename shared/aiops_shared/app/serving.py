"""Serves one server over stdio as its process's whole life: logs, signals, telemetry, then the server."""

from collections.abc import Callable, Sequence

import anyio
from fastmcp import FastMCP
from fastmcp.server.context import reset_transport, set_transport
from mcp.server.stdio import stdio_server

from aiops_shared.app.ending import end_on_signals
from aiops_shared.app.logs import log_to_stderr
from aiops_shared.app.starting import end_loading
from aiops_shared.app.telemetry import export_telemetry
from aiops_shared.app.unreadable import AnsweredInput
from aiops_shared.app.warming import Warming
from aiops_shared.settings import Settings


def serve_stdio(name: str, make: Callable[[Settings], FastMCP], own: Sequence[str] = ()) -> None:
    """Run until the client closes it, or a signal ends it. Raises what the settings or `make` raise.

    `own`: modules that most calls of this server need (`warming`).
    """
    settings = Settings()
    log_to_stderr(settings.log_level)
    end_on_signals()
    export_telemetry(settings, name)
    server = make(settings)
    server.add_middleware(Warming(own, by_aws=not settings.kube.context))
    end_loading()
    anyio.run(_serve, server)


async def _serve(server: FastMCP) -> None:
    """As `FastMCP.run_stdio_async`, with an answer to every line; it has no public way to its streams."""
    token = set_transport("stdio")
    try:
        async with server._lifespan_manager(), stdio_server() as (reading, writing):
            inside = server._mcp_server
            await inside.run(AnsweredInput(reading, writing), writing, inside.create_initialization_options())
    finally:
        reset_transport(token)
