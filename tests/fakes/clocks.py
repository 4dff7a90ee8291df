"""A clock that stands still until it is told to move; waiting in world time moves it."""

from datetime import UTC, datetime, timedelta

import anyio.lowlevel

T0 = datetime(2026, 11, 22, 2, 0, tzinfo=UTC)


class FakeClock:
    """World time and safety time, apart."""

    def __init__(self, start: datetime = T0) -> None:
        self.world = start
        self.safe = start

    async def now(self) -> datetime:
        return self.world

    async def sleep(self, seconds: float) -> None:
        self.world += timedelta(seconds=seconds)
        await anyio.lowlevel.checkpoint()

    def safe_now(self) -> datetime:
        return self.safe

    def pass_safely(self, seconds: float) -> None:
        """Let safety time pass."""
        self.safe += timedelta(seconds=seconds)
