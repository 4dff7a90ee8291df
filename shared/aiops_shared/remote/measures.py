"""GET /metrics on the main port, inside of the tokens: whoever may read may read it (D17)."""

from collections.abc import Callable
from dataclasses import dataclass

from aiops_shared.auth.callers import inbound
from aiops_shared.remote.asgi import App, Receive, Scope, Send, StoppedError, stop
from aiops_shared.remote.exposition import CONTENT_TYPE

PATH = "/metrics"
READ = "aiops:read"


@dataclass(frozen=True)
class Measures:
    """The layer, and by itself (without `inner`) the whole application of a port of its own."""

    page: Callable[[], str]
    inner: App | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] == "http" and scope["path"] == PATH and scope["method"] in {"GET", "HEAD"}:
            await self._answer(send)
        elif self.inner is not None:
            await self.inner(scope, receive, send)
        elif scope["type"] == "http":
            await stop(send, StoppedError(404, "not_found", "GET /metrics"))

    async def _answer(self, send: Send) -> None:
        caller = inbound()
        if caller is not None and caller.scopes is not None and READ not in caller.scopes:
            await stop(send, StoppedError(403, "insufficient_scope", f"the token lacks {READ}"))
            return
        body = self.page().encode()
        headers = {"content-type": CONTENT_TYPE, "content-length": str(len(body))}
        pairs = [(name.encode(), value.encode()) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": 200, "headers": pairs})
        await send({"type": "http.response.body", "body": body})
