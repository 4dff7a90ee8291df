"""The end of a server (R22): at SIGTERM it is not ready and takes nothing new; what is under way finishes.

The listener stays open meanwhile, so that a load balancer that has not noticed yet is answered with 503 and
`connection: close`, not with a refused connection. What is not done after `drain_s` is cut, and told so.
"""

import logging
from dataclasses import dataclass, field
from typing import Any, Final

import anyio
import orjson

from aiops_shared.remote.asgi import App, Message, Receive, Scope, Send, StoppedError, stop
from aiops_shared.remote.probes import Readiness

SAYS: Final = "this server ends; call again, another one answers"
_MOST_REMEMBERED: Final = 16_384  # bytes of a body; a longer one's id is not told
_SERVER_ENDS: Final = -32_000  # JSON-RPC: left to implementations
_log = logging.getLogger("aiops.remote")


@dataclass(eq=False)
class _Exchange:
    """One request under way, and enough of it to say in its own words that it was cut."""

    receive_: Receive
    send_: Send
    scope: anyio.CancelScope = field(default_factory=anyio.CancelScope)
    body: bytes = b""
    content_type: str = ""
    begun: bool = False
    ended: bool = False
    cut: bool = False

    async def receive(self) -> Message:
        message = await self.receive_()
        piece = message.get("body", b"")
        self.body = self.body + piece if len(self.body) + len(piece) <= _MOST_REMEMBERED else b""
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.begun = True
            headers = dict(message.get("headers", ()))
            self.content_type = headers.get(b"content-type", b"").decode("latin-1")
        elif not message.get("more_body"):
            self.ended = True
        await self.send_(message)

    async def say_cut(self) -> None:
        """A whole answer where none began; the last event of a stream; nothing where neither can be said."""
        if not self.begun:
            await stop(self.send_, _ending())
        elif not self.ended and self.content_type.startswith("text/event-stream"):
            await self.send_({"type": "http.response.body", "body": self._event(), "more_body": False})

    def _event(self) -> bytes:
        error = {"code": _SERVER_ENDS, "message": SAYS}
        says = orjson.dumps({"jsonrpc": "2.0", "id": _id_of(self.body), "error": error})
        return b"event: message\r\ndata: " + says + b"\r\n\r\n"


@dataclass
class Draining:
    """The layer; `readiness` says whether the end has begun."""

    inner: App
    readiness: Readiness
    _under_way: set[_Exchange] = field(default_factory=set)
    _emptied: anyio.Event = field(default_factory=anyio.Event)

    @property
    def under_way(self) -> int:
        """Requests that are being answered."""
        return len(self._under_way)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self.inner(scope, receive, send)
            return
        if self.readiness.draining:
            await stop(send, _ending())
            return
        one = _Exchange(receive, send)
        self._under_way.add(one)
        try:
            with one.scope:
                await self.inner(scope, one.receive, one.send)
            if one.cut:
                await one.say_cut()
        finally:
            self._under_way.discard(one)
            if not self._under_way:
                self._emptied.set()

    async def empty(self) -> None:
        """Come back when nothing is under way."""
        if self._under_way:
            self._emptied = anyio.Event()
            await self._emptied.wait()

    def cut(self) -> int:
        """End what is under way; how many they were. Effects of changes go on: they are no part of a call."""
        for one in self._under_way:
            one.cut = True
            one.scope.cancel()
        if self._under_way:
            _log.warning("%d requests were cut at the end", len(self._under_way))
        return len(self._under_way)


def _ending() -> StoppedError:
    return StoppedError(503, "shutting_down", SAYS, {"retry-after": "1", "connection": "close"})


def _id_of(body: bytes) -> Any:
    try:
        sent = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    return sent.get("id") if isinstance(sent, dict) else None
