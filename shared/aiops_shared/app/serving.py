"""Serves one server over stdio as its process's whole life: logs, signals, telemetry, then the server."""

from collections.abc import Callable

from fastmcp import FastMCP

from aiops_shared.app.ending import end_on_signals
from aiops_shared.app.logs import log_to_stderr
from aiops_shared.app.telemetry import export_telemetry
from aiops_shared.settings import Settings


def serve_stdio(name: str, make: Callable[[Settings], FastMCP]) -> None:
    """Run until the client closes it, or a signal ends it. Raises what the settings or `make` raise."""
    settings = Settings()
    log_to_stderr(settings.log_level)
    end_on_signals()
    export_telemetry(settings, name)
    make(settings).run(show_banner=False)
