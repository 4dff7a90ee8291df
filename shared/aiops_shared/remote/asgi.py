"""The words of ASGI that every layer uses, and how a layer answers by itself."""

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any, Final

import anyio
import orjson

BODY_S: Final = 15.0  # for a whole body

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


class StoppedError(Exception):
    """A request that a layer answers by itself: status, what it says, further headers."""

    def __init__(self, status: int, code: str, says: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(status, says)
        self.status = status
        self.code = code
        self.says = says
        self.headers = dict(headers or {})


async def stop(send: Send, stopped: StoppedError) -> None:
    """Answer as the error says."""
    body = {"error": stopped.code, "error_description": stopped.says}
    await answer(send, stopped.status, body, stopped.headers)


async def answer(send: Send, status: int, says: Any, headers: Mapping[str, str] | None = None) -> None:
    """A JSON answer that nobody keeps."""
    body = orjson.dumps(says)
    every = {
        "content-type": "application/json",
        "content-length": str(len(body)),
        "cache-control": "no-store",
        "x-content-type-options": "nosniff",
        **(headers or {}),
    }
    pairs = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in every.items()]
    await send({"type": "http.response.start", "status": status, "headers": pairs})
    await send({"type": "http.response.body", "body": body})


def header(scope: Scope, name: bytes) -> str:
    """A header of a request, "" without it. Raises StoppedError when it stands there twice."""
    found = [value for key, value in scope["headers"] if key == name]
    if len(found) > 1:
        raise StoppedError(400, "invalid_request", f"header {name.decode()} stands there twice")
    return found[0].decode("latin-1") if found else ""


async def whole_body(receive: Receive, most_bytes: int) -> bytes:
    """A request's body, bounded in bytes and seconds. Raises StoppedError."""
    body = bytearray()
    try:
        with anyio.fail_after(BODY_S):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise StoppedError(400, "invalid_request", "the body ends too early")
                body += message.get("body", b"")
                if len(body) > most_bytes:
                    raise StoppedError(413, "too_large", f"at most {most_bytes} bytes")
                if not message.get("more_body"):
                    return bytes(body)
    except TimeoutError:
        raise StoppedError(408, "timeout", f"no whole body within {BODY_S:.0f} s") from None
