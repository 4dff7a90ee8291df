"""How much comes in at once: open connections, and the bytes of all request bodies together.

One body is bounded by `bodies`; two thousand that are allowed one by one would still be four gigabytes.
Connections are counted here and not by uvicorn, whose limit would turn probes away too.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from aiops_shared.remote.asgi import App, Message, Receive, Scope, Send, StoppedError, header, stop


@dataclass
class Intake:
    """The layer, around whatever reads bodies. What it raises inside of `receive`, `bodies` answers."""

    inner: App
    most_bytes: int
    most_connections: int
    shed: Callable[[str], None]
    held_bytes: int = 0
    connections: Callable[[], int] = field(default=lambda: 0)  # `running` knows

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self.inner(scope, receive, send)
            return
        if self.connections() > self.most_connections:
            self.shed("connections")
            await stop(send, _full("too many connections; again later", connection="close"))
            return
        mine = 0

        async def counted() -> Message:
            nonlocal mine
            message = await receive()
            size = len(message.get("body", b""))
            if size and self.held_bytes + size > self.most_bytes:
                self.shed("bodies")
                raise _full()
            mine += size
            self.held_bytes += size
            return message

        try:
            told = header(scope, b"content-length")
            if told.isdigit() and self.held_bytes + int(told) > self.most_bytes:
                self.shed("bodies")
                raise _full()
            await self.inner(scope, counted, send)
        except StoppedError as stopped:
            await stop(send, stopped)
        finally:
            self.held_bytes -= mine


def _full(says: str = "too much is sent at once; again later", **more: str) -> StoppedError:
    return StoppedError(503, "overloaded", says, {"retry-after": "2", **more})
