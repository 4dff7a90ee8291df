"""Who sends events: a monitoring system shows a token of its own instead of one of the issuer.

EventBridge and Alertmanager can keep one secret, and cannot refresh an OAuth token. A server that takes
events has a route at PATH whose endpoint knows such tokens (`Door`); for that path alone this layer, which
stands outside of `bearers`, looks at the token first. A known one makes its sender the caller, an agent that
may execute and nothing else; every other request goes on to `bearers` as it came. The route asks for
`aiops:execute` whoever calls.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, Protocol, runtime_checkable

from aiops_shared.auth.callers import CallerIdentity, called_by
from aiops_shared.remote.asgi import App, Receive, Scope, Send

PATH: Final = "/events"
EXECUTE: Final = "aiops:execute"
_SECRETS: Final = (b"authorization", b"x-api-key")


@runtime_checkable
class Door(Protocol):
    """An endpoint that takes events."""

    def known(self, token: str) -> str:
        """The sender whose token it is, "" for nobody's."""
        ...


def door_of(routes: Iterable[Any]) -> Door | None:
    """The endpoint of a server that takes events; None where none does."""
    found = (getattr(route, "endpoint", None) for route in routes if getattr(route, "path", "") == PATH)
    return next((endpoint for endpoint in found if isinstance(endpoint, Door)), None)


@dataclass(frozen=True)
class Senders:
    """The layer. `outer`: with `bearers`; `behind`: what stands behind it."""

    outer: App
    behind: App
    door: Door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        name = self.door.known(_shown(scope)) if scope["type"] == "http" and scope["path"] == PATH else ""
        if not name:
            await self.outer(scope, receive, send)
            return
        scope["headers"] = [pair for pair in scope["headers"] if pair[0] not in _SECRETS]
        with called_by(CallerIdentity(name, "agent", frozenset({EXECUTE}))):
            await self.behind(scope, receive, send)


def _shown(scope: Scope) -> str:
    """The one token that a request shows, "" for none or several."""
    headers: list[tuple[bytes, bytes]] = list(scope["headers"])
    shown = [(name, value.decode("latin-1")) for name, value in headers if name in _SECRETS]
    if len(shown) != 1:
        return ""
    name, value = shown[0]
    if name == b"x-api-key":
        return value.strip()
    kind, _, token = value.partition(" ")
    return token.strip() if kind.lower() == "bearer" else ""
