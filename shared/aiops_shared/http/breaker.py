"""A circuit breaker for one upstream: after five calls without an answer it is left alone for a minute.

Each `kube.connection` has one. What counts is that nobody answered: a refusal, a 404 or a 500 is an answer,
and so is the beginning of a list that is too slow to end in time. A call that spent its time
waiting for a free connection, and had no second left on the wire, says nothing about the server.
While it is open a call fails at once and says for how long; then one call is let through, and the next state
hangs on it (Nygard, Release It!, "Circuit Breaker"; row B29 of the requirements).
"""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import anyio

from aiops_shared.errors import AiopsError, UnreachableError, UpstreamError, UpstreamTimeoutError

FAILURES, OPEN_S, SILENCE_S = 5, 60.0, 1.0


@dataclass(slots=True)
class Call:
    """One call under the breaker's eyes: whoever sends it, and sees the first bytes of an answer, says so."""

    now: Callable[[], float]
    sent_at: float = math.inf
    heard: bool = False

    async def trace(self, event: str, _: object) -> None:
        """httpcore's `trace` extension: notes when something went out, if only the attempt to connect."""
        if event.endswith(("connect_tcp.started", "send_request_headers.started")):
            self.sent_at = min(self.sent_at, self.now())

    def says_nothing(self, error: UpstreamError) -> bool:
        """Whether its failure is no sign of the server's: it ran out of time before it could be answered."""
        return isinstance(error, UpstreamTimeoutError) and self.now() - self.sent_at < SILENCE_S


class Breaker:
    """Counts calls without an answer in a row. Times are monotonic: safety time (decision D19)."""

    def __init__(
        self,
        failures: int = FAILURES,
        open_s: float = OPEN_S,
        now: Callable[[], float] = anyio.current_time,
    ) -> None:
        self._most = failures
        self._open_s = open_s
        self._now = now
        self._failed = 0
        self._opened_at: float | None = None
        self._probing = False

    @contextmanager
    def guarding(self, thing: str) -> Iterator["Call"]:
        """Around one call. Raises UnreachableError without calling while the circuit is open."""
        probing = self._let_through(thing)
        call = Call(self._now)
        try:
            yield call
        except UpstreamError as error:
            if call.heard:
                self._answered()
            elif not call.says_nothing(error):
                self._unanswered()
            raise
        except AiopsError:
            self._answered()
            raise
        else:
            self._answered()
        finally:
            self._probing = self._probing and not probing  # a cancelled probe lets the next one through

    def _let_through(self, thing: str) -> bool:
        """Whether this call is the one that finds out. Raises UnreachableError for all others meanwhile."""
        if self._opened_at is None:
            return False
        left_s = self._opened_at + self._open_s - self._now()
        if left_s > 0 or self._probing:
            when = f"in {left_s:.0f} s" if left_s > 0 else "when the call under way has ended"
            said = f"{self._failed} calls in a row got no answer; it is asked again {when}"
            raise UnreachableError(thing, said, "check the network and the endpoint, then try later")
        self._probing = True
        return True

    def _unanswered(self) -> None:
        self._failed += 1
        if self._failed >= self._most:
            self._opened_at = self._now()

    def _answered(self) -> None:
        self._failed, self._opened_at = 0, None
