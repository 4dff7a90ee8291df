"""Who is answered next: a bounded number at once, a bounded number waiting, and nobody takes it all.

One caller may hold a share of the places only, so that a place becomes free for others however long the calls
of one are. Whoever holds the fewest is next. Where the queue is full, the newest request of the caller with
the most waiting ones makes room for a caller with fewer. Used by the `shedding` layer, in one event loop.
"""

from collections import Counter, deque
from dataclasses import dataclass, field

import anyio


class BusyError(Exception):
    """No turn in time. `own`: because of this caller's own requests, not because of everybody's."""

    def __init__(self, *, own: bool) -> None:
        super().__init__(own)
        self.own = own


@dataclass(eq=False, slots=True)
class _Waiting:
    caller: str
    called: anyio.Event = field(default_factory=anyio.Event)
    granted: bool = False


@dataclass
class Turns:
    """`places` at once, `most_waiting` behind them, `share` of the places for one caller."""

    places: int
    most_waiting: int
    share: float = 1.0
    held: Counter[str] = field(default_factory=Counter)
    _queues: dict[str, deque[_Waiting]] = field(default_factory=dict)

    @property
    def under_way(self) -> int:
        """Places taken."""
        return self.held.total()

    @property
    def waiting(self) -> int:
        """Requests that wait."""
        return sum(len(queue) for queue in self._queues.values())

    @property
    def most_each(self) -> int:
        """Places that one caller may hold."""
        return max(1, int(self.places * self.share))

    def take(self, caller: str) -> bool:
        """A place at once: one is free, this caller may have it, and nobody who may is waiting for it."""
        free = self.under_way < self.places and self.held[caller] < self.most_each
        if free and self._next() is None:
            self.held[caller] += 1
            return True
        return False

    async def wait(self, caller: str, wait_s: float) -> None:
        """Come back with a place. Raises BusyError; who is cancelled while waiting leaves nothing behind."""
        one = _Waiting(caller)
        self._queue(one)
        try:
            with anyio.move_on_after(wait_s):
                await one.called.wait()
        except BaseException:
            if one.granted:
                self.leave(caller)
            raise
        finally:
            self._forget(one)
        if not one.granted:
            raise self._busy(caller)

    def leave(self, caller: str) -> None:
        """Give a place back: who holds the fewest gets it."""
        self.held[caller] -= 1
        if not self.held[caller]:
            del self.held[caller]
        while self.under_way < self.places and (one := self._next()) is not None:
            self._queues[one.caller].popleft()
            self.held[one.caller] += 1
            one.granted = True
            one.called.set()

    def _busy(self, caller: str) -> BusyError:
        """Its own requests are in its way where others would have got a place."""
        return BusyError(own=self.held[caller] >= self.most_each and self.under_way < self.places)

    def _queue(self, one: _Waiting) -> None:
        if self.waiting >= self.most_waiting:
            longest = max(self._queues.values(), key=len, default=deque())
            if len(longest) <= len(self._queues.get(one.caller, ())) + 1:
                raise self._busy(one.caller)
            longest.pop().called.set()  # without a grant: it makes room
        self._queues.setdefault(one.caller, deque()).append(one)

    def _forget(self, one: _Waiting) -> None:
        queue = self._queues.get(one.caller)
        if queue is not None and one in queue:
            queue.remove(one)
        if not queue:
            self._queues.pop(one.caller, None)

    def _next(self) -> _Waiting | None:
        """Of the callers that may have another place the one that holds the fewest; its oldest request."""
        may = [name for name, queue in self._queues.items() if queue and self.held[name] < self.most_each]
        return self._queues[min(may, key=self.held.__getitem__)][0] if may else None
