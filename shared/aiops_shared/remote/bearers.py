"""Who calls: every request but the probes shows a token, and what follows knows its caller (D17, T3, T4).

Without an issuer there are no tokens: then the server listens on loopback only (`running` refuses to start
otherwise) and calls are those of the process's own identity, as over stdio.
"""

import logging
from dataclasses import dataclass

from aiops_shared.auth.callers import called_by
from aiops_shared.errors import UnreachableError
from aiops_shared.remote.asgi import App, Receive, Scope, Send, StoppedError, header, stop
from aiops_shared.remote.tokens import BadTokenError, Tokens

_log = logging.getLogger("aiops.remote")


@dataclass(frozen=True)
class Bearers:
    """The layer. `tokens` None: no issuer. `challenge`: where the OAuth metadata is."""

    inner: App
    tokens: Tokens | None
    metadata_url: str

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http" or self.tokens is None:
            await self.inner(scope, receive, send)
            return
        try:
            identity = await self.tokens.caller(_token(scope))
        except BadTokenError as error:
            _log.info("a token was not taken: %s", error)
            await stop(send, self.challenge(str(error) != "none"))
            return
        except StoppedError as stopped:
            await stop(send, stopped)
            return
        except UnreachableError as error:
            _log.warning("%s", error.wire())
            says = StoppedError(503, "issuer_unreachable", "tokens cannot be checked", {"retry-after": "5"})
            await stop(send, says)
            return
        with called_by(identity):
            await self.inner(scope, receive, send)

    def challenge(self, shown: bool) -> StoppedError:
        """401 as RFC 6750 and RFC 9728 have it."""
        error = 'error="invalid_token", ' if shown else ""
        says = f'Bearer {error}resource_metadata="{self.metadata_url}", scope="aiops:read"'
        return StoppedError(401, "invalid_token", "show a valid access token", {"www-authenticate": says})


def _token(scope: Scope) -> str:
    """Of the Authorization header alone: never of the query (RFC 6750, section 2.3)."""
    kind, _, token = header(scope, b"authorization").partition(" ")
    if kind.lower() != "bearer" or not token.strip():
        raise BadTokenError("none")
    return token.strip()
