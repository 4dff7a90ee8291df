"""How many requests are answered at once: a few more wait, one more gets 503 or 429 and Retry-After at once.

What is turned away costs nothing; what is taken is answered in time. It stands inside of tokens and bodies: a
caller is known by then, and a slow sender of a body holds no place. Whoever leaves while waiting leaves the
queue; an answer that streams holds its place to its end.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import anyio

from aiops_shared.auth.callers import inbound
from aiops_shared.remote.asgi import App, Message, Receive, Scope, Send, StoppedError, stop
from aiops_shared.remote.turns import BusyError, Turns
from aiops_shared.settings import HttpSettings

RETRY_AFTER_S = 2


def _uncounted(_reason: str) -> None:
    """Where nobody counts."""


@dataclass
class Shedding:
    """The layer. `shed` is told why a request was turned away."""

    inner: App
    settings: HttpSettings
    by_caller: bool = True  # False: no tokens, so everybody is the same caller
    shed: Callable[[str], None] = _uncounted
    turns: Turns = field(init=False)

    def __post_init__(self) -> None:
        http = self.settings
        self.turns = Turns(http.concurrency, http.queue, http.caller_share if self.by_caller else 1.0)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self.inner(scope, receive, send)
            return
        caller = inbound()
        name = caller.name if caller else ""
        heard: list[Message] = []
        try:
            if not self.turns.take(name) and not await self._waited(name, receive, heard):
                self.shed("left")
                return
        except BusyError as busy:
            reason = "caller_busy" if busy.own else "overloaded"
            self.shed(reason)
            await stop(send, _busy(own=busy.own))
            return
        try:
            await self.inner(scope, _again(heard, receive), send)
        finally:
            self.turns.leave(name)

    async def _waited(self, name: str, receive: Receive, heard: list[Message]) -> bool:
        """Whether the place came before the client left. Raises BusyError."""
        has_place, busy = False, None
        try:
            async with anyio.create_task_group() as tasks:

                async def watch() -> None:
                    while not heard or heard[-1]["type"] != "http.disconnect":
                        heard.append(await receive())
                    tasks.cancel_scope.cancel()

                tasks.start_soon(watch)
                try:
                    await self.turns.wait(name, self.settings.queue_s)
                    has_place = True
                except BusyError as error:
                    busy = error
                tasks.cancel_scope.cancel()
        except BaseException:
            if has_place:
                self.turns.leave(name)
            raise
        if busy is not None:
            raise busy
        return has_place


def _again(heard: list[Message], receive: Receive) -> Receive:
    """`receive` that gives what was heard while waiting, then goes on as before."""

    async def go() -> Message:
        return heard.pop(0) if heard else await receive()

    return go if heard else receive


def _busy(*, own: bool) -> StoppedError:
    headers = {"retry-after": str(RETRY_AFTER_S)}
    if own:
        return StoppedError(
            429, "too_many_requests", "too many of your requests at once; again later", headers
        )
    return StoppedError(503, "overloaded", "too many requests at once; again later", headers)
