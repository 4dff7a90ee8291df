"""Two times, kept apart (decision D19).

*World time* is what queries, ages, waits and limits are about; a lab may give it. *Safety time* is what
approvals, leases and tokens live by; it is this machine's own and never virtual. Everything that needs a
time takes a `Clock`; nothing else reads one.
"""

from datetime import UTC, datetime
from typing import Protocol

import anyio


class Clock(Protocol):
    """The time source handed to whatever waits or compares times."""

    async def now(self) -> datetime:
        """World time, UTC."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait in world time."""
        ...

    def safe_now(self) -> datetime:
        """Safety time, UTC: real, never virtual."""
        ...


class SystemClock:
    """World time is this machine's time."""

    async def now(self) -> datetime:
        """World time, UTC."""
        return self.safe_now()

    async def sleep(self, seconds: float) -> None:
        """Wait in real time."""
        await anyio.sleep(seconds)

    async def aclose(self) -> None:
        """Nothing is open; a clock that asks somebody else closes its connection here."""

    def safe_now(self) -> datetime:
        """Safety time, UTC."""
        return datetime.now(UTC)  # noqa: TID251  # the one place that reads the system clock
