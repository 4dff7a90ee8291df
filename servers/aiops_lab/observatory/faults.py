"""A telemetry backend that fails on demand, and the log of what each was asked."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import anyio
from starlette.responses import Response

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

MOST = 10_000


@dataclass(frozen=True, slots=True)
class Illness:
    """How a room fails: after a delay, with a status and a body; status 0: only the delay."""

    status: int
    delay_s: float = 0.0
    body: bytes = b""


@dataclass(slots=True)
class RoomLog:
    """What was asked, oldest first: (room, method, path with query)."""

    asked: list[tuple[str, str, str]] = field(default_factory=list)

    def take(self, room: str, method: str, target: str) -> None:
        """Keep one request."""
        if len(self.asked) < MOST:
            self.asked.append((room, method, target))


class HasIllness(Protocol):
    """The observatory, as far as this module needs it."""

    ill: dict[str, Illness]
    log: RoomLog


class Sick:
    """ASGI: logs a request, plays the room's illness, else lets the room answer."""

    def __init__(self, observatory: HasIllness, room: str, app: "ASGIApp") -> None:
        self._observatory, self._room, self._app = observatory, room, app

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        """One request."""
        if scope["type"] == "http":
            query = scope.get("query_string", b"").decode("latin-1")
            path = scope.get("path", "")
            self._observatory.log.take(self._room, scope["method"], f"{path}?{query}" if query else path)
        illness = self._observatory.ill.get(self._room)
        if illness is None:
            await self._app(scope, receive, send)
            return
        await anyio.sleep(illness.delay_s)
        if illness.status:
            await Response(illness.body, status_code=illness.status)(scope, receive, send)
        else:
            await self._app(scope, receive, send)
