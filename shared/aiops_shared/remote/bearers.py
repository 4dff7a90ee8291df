"""Who calls: every request but the probes shows a token, and what follows knows its caller (D17, T3, T4).

What follows never sees the token itself: it could only pass it on (MCP 2026-07-28 forbids that). Without an
issuer there are no tokens: then the server listens on loopback only (`running` refuses to start otherwise)
and calls are those of the process's own identity, as over stdio.
"""

import logging
from dataclasses import dataclass
from typing import Final

from aiops_shared.auth.callers import called_by
from aiops_shared.errors import UnreachableError
from aiops_shared.remote.asgi import App, Receive, Scope, Send, StoppedError, stop
from aiops_shared.remote.challenges import Challenges
from aiops_shared.remote.tokens import BadTokenError, Tokens

_log = logging.getLogger("aiops.remote")
_HEADER: Final = b"authorization"


@dataclass(frozen=True)
class Bearers:
    """The layer. `tokens` None: no issuer."""

    inner: App
    tokens: Tokens | None
    challenges: Challenges

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self.inner(scope, receive, send)
            return
        shown = [value for name, value in scope["headers"] if name == _HEADER]
        scope["headers"] = [pair for pair in scope["headers"] if pair[0] != _HEADER]
        if self.tokens is None:
            await self.inner(scope, receive, send)
            return
        try:
            identity = await self.tokens.caller(_token(shown))
        except BadTokenError as error:
            _log.log(logging.WARNING if shown else logging.INFO, "401 for %s: %s", _peer(scope), error)
            await stop(send, self.challenges.unauthenticated(shown=bool(shown)))
            return
        except UnreachableError:
            says = StoppedError(503, "issuer_unreachable", "tokens cannot be checked", {"retry-after": "10"})
            await stop(send, says)
            return
        with called_by(identity):
            await self.inner(scope, receive, send)


def _token(shown: list[bytes]) -> str:
    """Of one Authorization header alone: never of the query (RFC 6750, section 2.3)."""
    if len(shown) != 1:
        raise BadTokenError("two Authorization headers" if shown else "no token")
    kind, _, token = shown[0].decode("latin-1").partition(" ")
    if kind.lower() != "bearer":
        raise BadTokenError("no bearer token")
    return token.strip(" ")


def _peer(scope: Scope) -> str:
    client = scope.get("client")
    return str(client[0]) if client else "somebody"
