"""How long to wait before a request is sent again, and how the waiting is done (fault R1).

Called by `connection` alone. The API server says in Retry-After how long (apiserver, `filters/maxinflight.go`
and `priority-and-fairness.go`: whole seconds); otherwise each wait is twice the last. Everyone who was turned
away would come back at the same moment, hence the jitter.
"""

import random
from typing import Protocol

import anyio

FIRST_WAIT_S = 0.2
JITTER = 0.2  # as a share of the wait, either way


class Pace(Protocol):
    """The waiting of a connection: real in a server, recorded in a test."""

    def jitter(self) -> float:
        """A number in [-1, 1]: where in the band this wait falls."""
        ...

    async def wait(self, seconds: float) -> None:
        """Wait so long."""
        ...


class RealPace:
    """Real time and real chance."""

    def jitter(self) -> float:
        """Evenly spread over [-1, 1]."""
        return random.uniform(-1.0, 1.0)

    async def wait(self, seconds: float) -> None:
        """Real seconds."""
        await anyio.sleep(seconds)


def asked_wait_s(header: str) -> float | None:
    """The seconds of a Retry-After header; None for a date (Kubernetes sends none) and for nonsense."""
    return float(header) if header.isascii() and header.isdigit() and len(header) < 6 else None


def wait_s(number: int, asked_s: float | None, jitter: float) -> float:
    """How long to wait after try `number` (from 1): as asked or doubled each time, ± 20 %."""
    base = asked_s if asked_s is not None else FIRST_WAIT_S * 2 ** (number - 1)
    return base * (1 + JITTER * jitter)


def when_again(tries: int, asked_s: float | None) -> str:
    """What to tell a caller who was turned away for good."""
    given_up = f"given up after {tries} tries; " if tries > 1 else ""
    if asked_s is None:
        return f"{given_up}the server names no time: wait a minute, then again"
    return f"{given_up}try again in {asked_s:g} s"
