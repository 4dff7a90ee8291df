"""A clock that stands still until it is told to move; waiting in world time moves it."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import anyio.lowlevel

T0 = datetime(2026, 11, 22, 2, 0, tzinfo=UTC)


class FakeClock:
    """World time and safety time, apart. `after`: what happens once world time passed a moment."""

    def __init__(self, start: datetime = T0) -> None:
        self.world = start
        self.safe = start
        self.after: tuple[datetime, Callable[[], object]] | None = None

    async def now(self) -> datetime:
        return self.world

    async def sleep(self, seconds: float) -> None:
        self.world += timedelta(seconds=seconds)
        if self.after is not None and self.world > self.after[0]:
            happens, self.after = self.after[1], None
            happens()
        await anyio.lowlevel.checkpoint()

    def safe_now(self) -> datetime:
        return self.safe

    def pass_safely(self, seconds: float) -> None:
        """Let safety time pass."""
        self.safe += timedelta(seconds=seconds)
