"""POST /events of a server that is reached over HTTP, behind every layer of `aiops_shared.remote`.

The layers said who calls: a sender by a token of AIOPS_EVENTS_TOKEN_FILE (`remote.senders`), or whom an
access token names. Either needs `aiops:execute`, as `submit_event` does. What is taken, how long it may be
and what is answered is as at `eks-aiops worker` (`events_http`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fastmcp import FastMCP

from aiops_shared.auth.callers import inbound
from aiops_shared.settings import Settings
from aiops_sop.clients.events_http import EventsApp, NotTakenError, Tokens
from aiops_sop.ports import Intake

PATH = "/events"
EXECUTE = "aiops:execute"


@dataclass(frozen=True)
class EventsRoute(EventsApp):
    """The route's endpoint, an ASGI application."""

    def known(self, token: str) -> str:
        """The sender whose token it is, "" for nobody's."""
        return self.tokens.sender(token) if token else ""

    def _sender(self, headers: Mapping[bytes, str]) -> str:
        del headers  # the layers took the token away
        caller = inbound()
        if caller is None:
            raise NotTakenError(401, "no valid token", **{"www-authenticate": "Bearer"})
        if caller.scopes is not None and EXECUTE not in caller.scopes:
            says = f'Bearer error="insufficient_scope", scope="{EXECUTE}"'
            raise NotTakenError(403, f"the token lacks {EXECUTE}", **{"www-authenticate": says})
        return caller.name


def serve_posts(server: FastMCP, settings: Settings, intake: Intake) -> None:
    """Add the route where senders have tokens. Raises NotConfiguredError when their file is wrong."""
    if settings.events.token_file is not None:
        tokens = Tokens.of(settings.events.token_file)
        endpoint: Any = EventsRoute(intake, tokens, frozenset())  # Starlette takes an ASGI application too
        server.custom_route(PATH, methods=["POST"])(endpoint)
