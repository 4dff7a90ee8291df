"""The lab's time: it runs by itself at real speed and jumps ahead on demand.

Everything that happens in the simulated world happens at a moment of this clock: the controllers put their
next step into its queue, `tick` (called about ten times a second by the lab) lets real time flow in, and
`advance` plays minutes or hours at once, step by step in order, so that controllers react in between.
The API simulator stamps its objects with `now`. One thread only: the lab's event loop.
"""

import heapq
import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta


@dataclass(slots=True, eq=False)
class Timer:
    """One thing to do at one moment; `cancel` makes it do nothing."""

    due: datetime
    act: Callable[[], None]
    cancelled: bool = False

    def cancel(self) -> None:
        """Forget it; a timer already played is not harmed."""
        self.cancelled = True


class VirtualClock:
    """A moment in UTC that moves with real time while `running`, and by `advance` at any time."""

    def __init__(
        self, start: datetime, *, running: bool = True, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._moment = start.astimezone(UTC)
        self._monotonic = monotonic
        self._mark = monotonic()
        self._running = running
        self._stepping = False
        self._orders = itertools.count()
        # By moment, then by order of planning: compared without a line of Python, as a world plans thousands
        self._timers: list[tuple[datetime, int, Timer]] = []

    @property
    def running(self) -> bool:
        """Whether it moves by itself."""
        return self._running

    def now(self) -> datetime:
        """This moment; inside a timer's call, the moment at which it was due."""
        if self._running and not self._stepping:
            return self._moment + timedelta(seconds=self._monotonic() - self._mark)
        return self._moment

    def call_at(self, when: datetime, act: Callable[[], None]) -> Timer:
        """Do `act` at `when`; a moment already past means the next step."""
        timer = Timer(max(when, self._moment), act)
        heapq.heappush(self._timers, (timer.due, next(self._orders), timer))
        return timer

    def call_later(self, seconds: float, act: Callable[[], None]) -> Timer:
        """Do `act` after so many seconds of this clock."""
        now = self.now()
        return self.call_at(now + timedelta(seconds=seconds) if seconds > 0 else now, act)

    def tick(self) -> None:
        """Let the real time that passed since the last step into the world."""
        self._play_until(self.now())

    def advance(self, seconds: float) -> None:
        """Play the next `seconds` at once. Raises ValueError for a negative number: time never runs back."""
        if not 0 <= seconds < float("inf"):
            raise ValueError(f"advance: {seconds} s; give a number of seconds from 0 up")
        self._play_until(self.now() + timedelta(seconds=seconds))

    def pause(self) -> None:
        """Stand still until `resume`; `advance` still works."""
        self._moment, self._running = self.now(), False

    def resume(self) -> None:
        """Move with real time again, from this moment on."""
        self._mark, self._running = self._monotonic(), True

    def rewind(self, to: datetime) -> None:
        """Forget every timer and stand at `to`: a world that is being built plays its own past first."""
        self._timers.clear()
        self._moment, self._mark = to.astimezone(UTC), self._monotonic()

    def next_due(self) -> datetime | None:
        """When the next thing happens, or None when nothing is planned."""
        while self._timers and self._timers[0][2].cancelled:
            heapq.heappop(self._timers)
        return self._timers[0][0] if self._timers else None

    def _play_until(self, target: datetime) -> None:
        if self._stepping:
            raise RuntimeError("clock: advanced from inside a timer; plan the next step with call_later")
        self._stepping, self._mark = True, self._monotonic()
        try:
            while (due := self.next_due()) is not None and due <= target:
                self._moment = max(self._moment, due)
                heapq.heappop(self._timers)[2].act()
            self._moment = max(self._moment, target)
        finally:
            self._stepping = False
