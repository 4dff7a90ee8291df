"""A small server behind every layer in a process of its own, for tests that end it, leave it or starve it.

`python -m tests.remote.loaded`: settings from the environment. Its tools count what became of their calls, so
that a test sees from outside what ran, was cancelled, or went on.
"""

import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
from fastmcp import FastMCP

from aiops_shared.clock import SystemClock
from aiops_shared.guardrails.lifetimes import HandOverError, Lifetime
from aiops_shared.remote.running import serve_http
from aiops_shared.settings import Settings

SEEN: Counter[str] = Counter()


def say(text: str) -> None:
    """One line that a test reads."""
    sys.stderr.write(f"seen: {text}\n")
    sys.stderr.flush()


async def carry(lifetime: Lifetime) -> None:
    """A run between two of its steps."""
    try:
        await lifetime.wait(3600)
    except HandOverError:
        say("the run is handed over")


@asynccontextmanager
async def living(_: FastMCP) -> AsyncIterator[dict[str, Any]]:
    """Outlives the requests, and carries a run that waits for an hour."""
    lifetime = Lifetime(SystemClock())
    async with lifetime.open():
        lifetime.launch(carry, lifetime)
        yield {}
    say(f"lifespan ended {dict(sorted(SEEN.items()))}")


def made() -> FastMCP:
    """The server."""
    server = FastMCP("loaded", lifespan=living)

    @server.tool(tags={"read"})
    async def rest(seconds: float) -> str:
        """Answer after a while."""
        SEEN["begun"] += 1
        say("resting")
        try:
            await anyio.sleep(seconds)
        except BaseException:
            SEEN["cancelled"] += 1
            raise
        SEEN["ended"] += 1
        return "rested"

    @server.tool(tags={"read"})
    async def hold(until: str) -> str:
        """Answer when a file is there."""
        say("holding")
        while not await anyio.Path(until).exists():  # noqa: ASYNC110  # a test in another process makes it
            await anyio.sleep(0.02)
        SEEN["ended"] += 1
        return "held"

    @server.tool(tags={"read"})
    async def seen() -> dict[str, int]:
        """What became of the calls so far."""
        return dict(SEEN)

    @server.tool(tags={"read"})
    async def talk(kilobytes: int) -> str:
        """A long answer."""
        return "x" * 1024 * kilobytes

    return server


if __name__ == "__main__":
    serve_http(
        "loaded", made(), Settings(), {"rest": "aiops:read", "seen": "aiops:read", "talk": "aiops:read"}
    )
