"""POST /events: where EventBridge, Alertmanager and the forwarder send to; an ASGI app inside the worker.

A sender shows a token of the tokens file and is an agent of that name from there on. Nothing is listened to
without tokens; a browser's request (Origin, a foreign Host) is refused (T11). The answer comes when the event
is committed, before anything is done about it. Bodies are bounded before they are read.
"""

import hashlib
import hmac
import logging
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol

import anyio
import orjson

from aiops_shared.errors import (
    AiopsError,
    InvalidInputError,
    NotConfiguredError,
    QueueFullError,
    UpstreamError,
)
from aiops_shared.http.client import is_loopback
from aiops_shared.settings import Settings
from aiops_sop.ports import Intake

MOST_BYTES: Final = 1_048_576
HEAD_S, BODY_S = 10.0, 10.0
AT_ONCE, CONNECTIONS = 64, 512  # requests that are read and taken; sockets that may be open
WAIT_S: Final = 5.0  # for one of these places
FULL_AFTER_S, DOWN_AFTER_S = 30, 5
SHORTEST_TOKEN: Final = 16
_ONCE: Final = frozenset({b"authorization", b"x-api-key", b"host", b"content-type", b"content-encoding"})
_TYPES: Final = re.compile(r"application/(?:[a-z0-9.+-]+\+)?json|text/plain")  # SNS sends the latter
_NAME: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._@-]{0,126}[A-Za-z0-9])?")
_log = logging.getLogger("aiops.events")
Scope = Mapping[str, Any]
Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


class Desk(Intake, Protocol):
    """The queue, with somebody who works it off."""

    def begin(self) -> None:
        """Work the queue off from now on."""
        ...


class Ears(Protocol):
    """What of a server is needed to listen."""

    settings: Settings

    @property
    def event_desk(self) -> Desk:
        """Events."""
        ...


class NotTakenError(Exception):
    """A request that is answered without an event: status, what it says, further headers."""

    def __init__(self, status: int, says: str, **headers: str) -> None:
        super().__init__(status, says)
        self.status, self.says, self.headers = status, says, headers


@dataclass(frozen=True)
class Tokens:
    """Who sends: sha256 of each token -> name."""

    names: Mapping[bytes, str]

    @classmethod
    def of(cls, path: Path | None) -> "Tokens":
        """Read the file. Raises NotConfiguredError without one, or when a line of it is none."""
        if path is None:
            raise NotConfiguredError(
                "POST /events",
                "no tokens",
                "give AIOPS_EVENTS_TOKEN_FILE, a line as name:token for each sender",
            )
        try:
            lines = path.read_text("utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise NotConfiguredError("AIOPS_EVENTS_TOKEN_FILE", "cannot be read", "check the file") from error
        found: dict[bytes, str] = {}
        for number, line in enumerate(lines, 1):
            if not line.strip() or line.lstrip().startswith("#"):
                continue
            name, _, token = (part.strip() for part in line.partition(":"))
            if not _NAME.fullmatch(name) or len(token) < SHORTEST_TOKEN or _digest(token) in found:
                raise NotConfiguredError(
                    "AIOPS_EVENTS_TOKEN_FILE",
                    f"line {number} is no `name:token` of its own with {SHORTEST_TOKEN} characters or more",
                )
            found[_digest(token)] = name
        if not found:
            raise NotConfiguredError("AIOPS_EVENTS_TOKEN_FILE", "holds no token")
        return cls(found)

    def sender(self, token: str) -> str:
        """Whose token it is, "" for nobody's. Every token is compared, each in constant time."""
        asked, found = _digest(token), ""
        for digest, name in self.names.items():
            if hmac.compare_digest(digest, asked):
                found = name
        return found


@dataclass(frozen=True)
class EventsApp:
    """The ASGI application. `hosts`: what requests may call this server; empty: anything."""

    intake: Intake
    tokens: Tokens
    hosts: frozenset[str]
    places: anyio.CapacityLimiter = field(default_factory=lambda: anyio.CapacityLimiter(AT_ONCE))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            return
        try:
            if scope["path"] in {"/healthz", "/readyz"} and scope["method"] in {"GET", "HEAD"}:
                await _answer(send, 200, {"status": "ok"})
                return
            await _answer(send, 202, await self._taken(scope, receive))
        except NotTakenError as stop:
            await _answer(send, stop.status, {"error": stop.says}, stop.headers)
        except AiopsError as error:
            status, headers = _status_of(error)
            await _answer(send, status, {"error": error.code}, headers)

    async def _taken(self, scope: Scope, receive: Receive) -> dict[str, Any]:
        headers = _headers(scope)
        self._check_place(scope, headers)
        sender = self._sender(headers)
        _check_form(headers)
        async with self._place():
            body = await _body(headers, receive)
            sent = await anyio.to_thread.run_sync(_parsed, body)
            taken = await self.intake.submit(sent, sender)
        rows = [one.model_dump(include={"event_id", "incident_id", "became", "count"}) for one in taken]
        return {"events": rows}

    @asynccontextmanager
    async def _place(self) -> AsyncIterator[None]:
        """One of the places of those that are taken at once: a burst waits a little, then comes again."""
        token = object()
        with anyio.move_on_after(WAIT_S) as waited:
            await self.places.acquire_on_behalf_of(token)
        if waited.cancelled_caught:
            raise NotTakenError(503, "busy", **{"retry-after": str(DOWN_AFTER_S)})
        try:
            yield
        finally:
            self.places.release_on_behalf_of(token)

    def _check_place(self, scope: Scope, headers: Mapping[bytes, str]) -> None:
        if b"origin" in headers:
            raise NotTakenError(403, "browsers may not send events")
        host = headers.get(b"host", "").rpartition(":")[0] or headers.get(b"host", "")
        if self.hosts and host.strip("[]").lower() not in self.hosts:
            raise NotTakenError(403, "not a name of this server")
        if scope["path"] != "/events":
            raise NotTakenError(404, "POST /events")
        if scope["method"] != "POST":
            raise NotTakenError(405, "POST /events", allow="POST")

    def _sender(self, headers: Mapping[bytes, str]) -> str:
        kind, _, token = headers.get(b"authorization", "").partition(" ")
        shown = token.strip() if kind.lower() == "bearer" else headers.get(b"x-api-key", "").strip()
        sender = self.tokens.sender(shown) if shown else ""
        if not sender:
            raise NotTakenError(401, "no valid token", **{"www-authenticate": "Bearer"})
        return sender


async def serve_events(ears: Ears) -> None:
    """Listen as AIOPS_EVENTS_LISTEN says, until cancelled. Raises NotConfiguredError before it listens."""
    settings = ears.settings.events
    host, port = address(settings.listen)
    app = EventsApp(ears.event_desk, Tokens.of(settings.token_file), hosts_of(host))
    ears.event_desk.begin()
    await listen(app, host, port)


async def listen(
    app: EventsApp,
    host: str,
    port: int,
    *,
    started: Callable[[int], None] | None = None,
    head_s: float = HEAD_S,
    connections: int = CONNECTIONS,
) -> None:
    """Serve until cancelled. `started` is told the port. Raises NotConfiguredError for one that is taken."""
    import socket

    import uvicorn

    from aiops_shared.remote.hasty_http import hasty

    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        sock = socket.create_server((host, port), family=family, backlog=256)
    except OSError as error:
        raise NotConfiguredError(
            "AIOPS_EVENTS_LISTEN",
            f"cannot listen on {host}:{port} ({error.strerror})",
            "free it, or another port",
        ) from error

    class Quiet(uvicorn.Server):
        @contextmanager
        def capture_signals(self) -> Iterator[None]:
            """The worker takes the signals."""
            yield

    server = Quiet(
        uvicorn.Config(
            app,
            http=hasty(head_s),
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            limit_concurrency=connections,
            timeout_keep_alive=30,
            timeout_graceful_shutdown=5,
        )
    )

    async def serve() -> None:
        with anyio.CancelScope(shield=True):  # it ends by itself, when the requests under way are answered
            await server.serve([sock])

    _log.info("events are taken at %s:%s", host, sock.getsockname()[1])
    if started is not None:
        started(int(sock.getsockname()[1]))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(serve)
        try:
            await anyio.sleep_forever()
        finally:
            server.should_exit = True


def address(text: str) -> tuple[str, int]:
    """`127.0.0.1:8790`, `[::1]:8790`. Raises NotConfiguredError."""
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit() or int(port) > 65_535:
        raise NotConfiguredError("AIOPS_EVENTS_LISTEN", f"{text[:60]!r} is no address", "as 127.0.0.1:8790")
    return host.strip("[]"), int(port)


def hosts_of(host: str) -> frozenset[str]:
    """What a request may call a server on loopback; elsewhere a load balancer gives it any name."""
    return frozenset({"127.0.0.1", "localhost", "::1", host}) if is_loopback(host) else frozenset()


def _headers(scope: Scope) -> dict[bytes, str]:
    """By name. What two readers could read differently is refused."""
    found: dict[bytes, str] = {}
    for name, value in scope["headers"]:
        if name.lower() in _ONCE & set(found):
            raise NotTakenError(400, "a header stands there twice")
        found[name.lower()] = value.decode("latin-1")
    return found


def _check_form(headers: Mapping[bytes, str]) -> None:
    """Only plain JSON: nothing is unpacked, no form is read."""
    kind = headers.get(b"content-type", "").partition(";")[0].strip().lower()
    if headers.get(b"content-encoding", "identity").strip().lower() not in {"", "identity"}:
        raise NotTakenError(415, "send it uncompressed")
    if kind and not _TYPES.fullmatch(kind):
        raise NotTakenError(415, "send application/json")


async def _body(headers: Mapping[bytes, str], receive: Receive) -> bytes:
    told = headers.get(b"content-length", "")
    if told.isdigit() and int(told) > MOST_BYTES:
        raise NotTakenError(413, f"at most {MOST_BYTES} bytes")
    body = bytearray()
    try:
        with anyio.fail_after(BODY_S):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise NotTakenError(400, "the body ends too early")
                body += message.get("body", b"")
                if len(body) > MOST_BYTES:
                    raise NotTakenError(413, f"at most {MOST_BYTES} bytes")
                if not message.get("more_body"):
                    return bytes(body)
    except TimeoutError:
        raise NotTakenError(408, f"no whole body within {BODY_S:.0f} s") from None


def _parsed(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        raise InvalidInputError("event", "is no JSON, or nested too deeply") from None


def _status_of(error: AiopsError) -> tuple[int, dict[str, str]]:
    if isinstance(error, QueueFullError):
        return 429, {"retry-after": str(FULL_AFTER_S)}
    if isinstance(error, InvalidInputError):
        return 400, {}
    _log.warning("an event was not taken: %s", error.wire())
    if isinstance(error, UpstreamError):
        return 503, {"retry-after": str(DOWN_AFTER_S)}
    return 500, {}


async def _answer(send: Send, status: int, says: Any, more: Mapping[str, str] | None = None) -> None:
    body = orjson.dumps(says)
    headers = {
        "content-type": "application/json",
        "content-length": str(len(body)),
        "cache-control": "no-store",
        "x-content-type-options": "nosniff",
        **(more or {}),
    }
    pairs = [(name.encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": pairs})
    await send({"type": "http.response.body", "body": body})


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "replace")).digest()
