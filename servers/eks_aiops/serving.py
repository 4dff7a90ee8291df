"""Starts a server for the command line; what stops it is one line on stderr and exit code 1."""

import sys
from importlib import import_module
from typing import Any

from aiops_shared.errors import AiopsError


def serve(server: str, *, http: bool = False, **listen: Any) -> int:
    """Serve one of the four, or the gateway, until the client closes it or a signal ends it.

    Over stdio, or with `http` over streamable HTTP; `listen`: host and port instead of the settings'.
    """
    try:
        if http:
            _serve_http(server, {name: value for name, value in listen.items() if value is not None})
        elif server == "gateway":
            from aiops_shared.app.serving import serve_stdio
            from eks_aiops.gateway import make

            serve_stdio("gateway", make)
        else:
            import_module(f"aiops_{server}.server").serve()
    except AiopsError as error:
        sys.stderr.write(error.wire() + "\n")
        return 1
    return 0


def _serve_http(server: str, listen: dict[str, Any]) -> None:
    import anyio

    from aiops_shared.remote.running import require_safe, serve_http
    from aiops_shared.remote.scopes import scopes_of
    from aiops_shared.settings import Settings
    from eks_aiops.approving_http import add_approvals

    settings = Settings()
    settings = settings.model_copy(update={"http": settings.http.model_copy(update=listen)})
    require_safe(settings)
    module = "eks_aiops.gateway" if server == "gateway" else f"aiops_{server}.server"
    made = import_module(module).make(settings)
    add_approvals(server, made, settings)
    serve_http(server, made, settings, anyio.run(scopes_of, made))
