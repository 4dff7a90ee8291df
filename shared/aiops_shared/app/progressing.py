"""Progress notifications of long calls: always, where the client sent a progress token (decision D34).

What the work tells (`aiops_shared.results.progress`) is sent a few times a second at most; a call that tells
nothing for a while says that it is still at work, so that no client gives up on it. A client that cannot be
told harms no call.
"""

import logging
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import anyio
from fastmcp import Context
from fastmcp.server.dependencies import get_context

from aiops_shared.guardrails.redacting import escape_untrusted, redact
from aiops_shared.results.progress import reporting

T = TypeVar("T")
Told = tuple[float, float | None, str]

EVERY_S: Final = 0.2
BEAT_S: Final = 5.0
LAST_WORD_S: Final = 0.5  # that a finished call waits for a client to take what is left
MOST_KEPT: Final = 32  # between two looks; older ones are dropped
LONGEST: Final = 200
_STEP: Final = 1e-3  # the protocol wants every value above the last
_log = logging.getLogger("aiops.app")


async def telling(work: Callable[[], Awaitable[T]]) -> T:
    """`work`, with its client told how far it is. Raises what `work` raises."""
    context = _asked_for()
    if context is None:
        return await work()
    teller = Teller(context)
    failed: Exception | None = None
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(teller.run)
        try:
            with reporting(teller.hear):
                found = await work()
        except Exception as error:  # noqa: BLE001  # carried around the task group, which would wrap it
            failed = error
        teller.over.set()
        tasks.cancel_scope.deadline = anyio.current_time() + LAST_WORD_S
    if failed is not None:
        raise failed
    return found


def _asked_for() -> Context | None:
    """The request's context where its client sent a progress token."""
    try:
        context = get_context()
        request = context.request_context
    except RuntimeError:  # no request, as in tests of a tool alone
        return None
    meta = (request.meta if request is not None else None) or {}
    return context if meta.get("progressToken") is not None else None


class Teller:
    """One call's."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._heard: deque[Told] = deque(maxlen=MOST_KEPT)
        self._last = -_STEP
        self._said: Told = (0.0, None, "")
        self._deaf = False
        self.over = anyio.Event()

    def hear(self, done: float, total: float | None, what: str) -> None:
        """From any thread."""
        self._heard.append((done, total, what))

    async def run(self) -> None:
        """Until the call is over and all was said."""
        began = silent_since = anyio.current_time()
        while True:
            if self._heard:
                silent_since = anyio.current_time()
                await self._say_all()
            elif anyio.current_time() - silent_since >= BEAT_S:
                silent_since = anyio.current_time()
                done, total, what = self._said
                still = f"at work for {silent_since - began:.0f} s"
                await self._say((done, total, f"{what}; {still}" if what else still))
            if self.over.is_set():
                await self._say_all()
                return
            with anyio.move_on_after(EVERY_S):
                await self.over.wait()

    async def _say_all(self) -> None:
        while self._heard:
            self._said = self._heard.popleft()
            await self._say(self._said)

    async def _say(self, told: Told) -> None:
        done, total, what = told
        self._last = max(done, self._last + _STEP)
        top = None if total is None else max(total, self._last)
        if self._deaf:
            return
        try:
            says = escape_untrusted(redact(what))[:LONGEST]
            await self._context.report_progress(self._last, top, says or None)
        except Exception as error:  # noqa: BLE001  # whatever keeps a client from hearing, the call goes on
            self._deaf = True
            _log.info("progress is not heard: %s", type(error).__name__)
