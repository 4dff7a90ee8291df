"""Each request has an id, is counted, and is one line of the access log, whatever layer answered it.

The id is the caller's `x-request-id` where it can stand in a log, else a new one; the answer carries it, and
so does every log line of the request. The line says method, route, status, seconds, bytes and caller: never
a token, a query, a body or an address.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from aiops_shared.app.request_ids import fitting_id, request_id
from aiops_shared.auth.callers import inbound
from aiops_shared.remote.asgi import App, Message, Receive, Scope, Send
from aiops_shared.remote.metering import Meter

_log = logging.getLogger("aiops.access")
_CALLER = "aiops.caller"  # of the scope: who called, known further in


@dataclass(frozen=True)
class Observing:
    """The layer. `route_of`: a path as a label, "other" for what the server does not have."""

    inner: App
    meter: Meter
    route_of: Callable[[str], str]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self.inner(scope, receive, send)
            return
        given = next((value for name, value in scope["headers"] if name == b"x-request-id"), b"")
        mine = fitting_id(given.decode("latin-1"))
        status, size, began = 0, 0, time.monotonic()

        async def noting(message: Message) -> None:
            nonlocal status, size
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = [*message.get("headers", ()), (b"x-request-id", mine.encode())]
                message = {**message, "headers": headers}
            else:
                size += len(message.get("body", b""))
            await send(message)

        token = request_id.set(mine)
        try:
            await self.inner(scope, receive, noting)
        finally:
            took_s = time.monotonic() - began
            route = self.route_of(scope["path"])
            self.meter.answered(route, scope["method"], status, took_s)
            self._tell(scope, route, status, took_s, size)
            request_id.reset(token)

    def _tell(self, scope: Scope, route: str, status: int, took_s: float, size: int) -> None:
        if not _log.isEnabledFor(logging.INFO):
            return
        line = {
            "method": scope["method"][:16],
            "route": route,
            "status": status,
            "seconds": round(took_s, 4),
            "bytes": size,
            "caller": scope.get(_CALLER, ""),
        }
        _log.info("request", extra={"aiops": line})


@dataclass(frozen=True)
class Naming:
    """A layer inside of the tokens: tells the outer one who called."""

    inner: App

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        caller = inbound() if scope["type"] == "http" else None
        if caller is not None:
            scope[_CALLER] = caller.name
        await self.inner(scope, receive, send)
