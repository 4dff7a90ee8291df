"""Starts a server for the command line; what stops it is one line on stderr and exit code 1."""

import sys
from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from aiops_shared.app.serving import serve_stdio
from aiops_shared.app.toolsets import require_known
from aiops_shared.errors import AiopsError
from aiops_shared.settings import Settings

if TYPE_CHECKING:
    from fastmcp import FastMCP

REACHES_ALL: Final = ("gateway", "sop")  # any set may be chosen for these: their calls go to every server

# What most calls of a server load at first; it is loaded while the model reads the list of tools.
FIRST_NEEDED: Final[Mapping[str, tuple[str, ...]]] = {
    "eks": ("aiops_eks.clients.facts", "aiops_eks.diagnosis.answering"),
    "observability": ("numpy", "aiops_shared.metrics.prometheus"),
    "cost": ("numpy",),
}


def serve(
    server: str, *, http: bool = False, toolsets: str = "", read_only: bool = False, **listen: Any
) -> int:
    """Serve one of the four, or the gateway, until the client closes it or a signal ends it.

    Over stdio, or with `http` over streamable HTTP. `toolsets`, `read_only`, and host and port in `listen`
    stand instead of what the settings say.
    """
    try:
        settings = chosen(Settings(), toolsets, read_only=read_only, listen=listen)
        require_known(settings.toolsets, "" if server in REACHES_ALL else server)
        if http:
            _serve_http(server, settings)
        else:
            serve_stdio(server, lambda _: made(server, settings), FIRST_NEEDED.get(server, ()))
    except AiopsError as error:
        sys.stderr.write(error.wire() + "\n")
        return 1
    return 0


def chosen(settings: Settings, toolsets: str, *, read_only: bool, listen: Mapping[str, Any]) -> Settings:
    """The settings with what the command line says instead."""
    update: dict[str, Any] = {}
    if names := [name.strip() for name in toolsets.split(",") if name.strip()]:
        update["toolsets"] = names
    if read_only:
        update["write"] = False
    if given := {name: value for name, value in listen.items() if value is not None}:
        update["http"] = settings.http.model_copy(update=given)
    return settings.model_copy(update=update)


def made(server: str, settings: Settings) -> "FastMCP":
    """The server, not yet running. Raises NotConfiguredError."""
    module = "eks_aiops.gateway" if server == "gateway" else f"aiops_{server}.server"
    found: FastMCP = import_module(module).make(settings)
    return found


def _serve_http(server: str, settings: Settings) -> None:
    import anyio

    from aiops_shared.remote.running import require_safe, serve_http
    from aiops_shared.remote.scopes import scopes_of
    from eks_aiops.approving_http import add_approvals

    require_safe(settings)
    running = made(server, settings)
    add_approvals(server, running, settings)
    serve_http(server, running, settings, anyio.run(scopes_of, running))
