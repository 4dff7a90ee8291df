"""How many requests are answered at once: a few more wait, one more gets 503 and Retry-After at once.

What is turned away costs nothing; what is taken is answered in time.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import anyio

from aiops_shared.remote.asgi import App, Receive, Scope, Send, StoppedError, stop
from aiops_shared.settings import HttpSettings

RETRY_AFTER_S = 2


@dataclass
class Shedding:
    """The layer."""

    inner: App
    settings: HttpSettings
    waiting: int = 0
    places: anyio.CapacityLimiter = field(init=False)

    def __post_init__(self) -> None:
        self.places = anyio.CapacityLimiter(self.settings.concurrency)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self.inner(scope, receive, send)
            return
        try:
            async with self._place():
                await self.inner(scope, receive, send)
        except StoppedError as stopped:
            await stop(send, stopped)

    @asynccontextmanager
    async def _place(self) -> AsyncIterator[None]:
        token = object()
        if self.places.available_tokens <= 0 and self.waiting >= self.settings.queue:
            raise _busy()
        self.waiting += 1
        try:
            with anyio.move_on_after(self.settings.queue_s) as waited:
                await self.places.acquire_on_behalf_of(token)
        finally:
            self.waiting -= 1
        if waited.cancelled_caught:
            raise _busy()
        try:
            yield
        finally:
            self.places.release_on_behalf_of(token)


def _busy() -> StoppedError:
    return StoppedError(
        503, "overloaded", "too many requests at once; again later", {"retry-after": str(RETRY_AFTER_S)}
    )
