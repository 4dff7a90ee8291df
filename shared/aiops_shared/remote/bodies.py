"""How long a request may be, and whether its caller holds the scope that it needs (403, D17).

The body of an MCP request is read here, bounded in bytes and seconds, and handed on whole: the tool that a
call names is looked up in it, never in a header alone (a proxy may have written that; T12). The server asks
for the scope once more (`app.scoping`), by the tool that it is about to run.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from aiops_shared.auth.callers import inbound
from aiops_shared.auth.scopes import READ
from aiops_shared.remote.asgi import (
    App,
    Message,
    Receive,
    Scope,
    Send,
    StoppedError,
    answer,
    header,
    stop,
    whole_body,
)
from aiops_shared.remote.challenges import Challenges

_PARSE_ERROR: Final = {"jsonrpc": "2.0", "id": None, "error": {"code": -32700, "message": "Parse error"}}
_log = logging.getLogger("aiops.remote")


@dataclass(frozen=True)
class Bodies:
    """The layer. `scope_of`: the scope that a tool needs, "" for one that does not exist."""

    inner: App
    path: str
    most_bytes: int
    scope_of: Callable[[str], str]
    challenges: Challenges

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http" or scope["method"] != "POST" or not self._is_endpoint(scope["path"]):
            await self.inner(scope, receive, send)
            return
        try:
            body = await self._read(scope, receive)
            self._check(orjson.loads(body))
        except orjson.JSONDecodeError:  # also what other readers take for JSON: NaN, UTF-16, 2,000 brackets
            await answer(send, 400, _PARSE_ERROR)
            return
        except StoppedError as stopped:
            await stop(send, stopped)
            return
        await self.inner(scope, _again(body, receive), send)

    def _is_endpoint(self, path: str) -> bool:
        return path.rstrip("/") == self.path.rstrip("/")

    async def _read(self, scope: Scope, receive: Receive) -> bytes:
        told = header(scope, b"content-length")
        if len(told) > len(str(self.most_bytes)) or (told.isdecimal() and int(told) > self.most_bytes):
            raise StoppedError(413, "too_large", f"at most {self.most_bytes} bytes")
        if header(scope, b"content-encoding").lower() not in {"", "identity"}:
            raise StoppedError(415, "unsupported_encoding", "send it uncompressed")
        return await whole_body(receive, self.most_bytes)

    def _check(self, sent: Any) -> None:
        """Every message of the body, as the framework would read it."""
        caller = inbound()
        if caller is None or caller.scopes is None:
            return
        for message in sent if isinstance(sent, list) else [sent]:
            needs = _needs(message, self.scope_of)
            if needs not in caller.scopes:
                _log.warning("403 for %s: the token lacks %s", caller.name, needs)
                raise self.challenges.insufficient(caller.scopes, needs)


def _needs(message: Any, scope_of: Callable[[str], str]) -> str:
    """The scope of one JSON-RPC message: that of its tool; reading for everything else."""
    if not isinstance(message, Mapping) or message.get("method") != "tools/call":
        return READ
    params = message.get("params")
    name = params.get("name") if isinstance(params, Mapping) else None
    return (scope_of(name) if isinstance(name, str) else "") or READ


def _again(body: bytes, receive: Receive) -> Receive:
    """`receive` that gives the body that was read, then goes on as before."""
    left: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def go() -> Message:
        return left.pop() if left else await receive()

    return go
