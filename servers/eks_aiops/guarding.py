"""The guardrails of the configured store, for commands that touch no cluster."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiops_shared.auth.callers import caller_from
from aiops_shared.errors import NotConfiguredError
from aiops_shared.guardrails import Caller, Effects
from aiops_shared.guardrails.facade import Guardrails
from aiops_shared.http.world_clock import make_clock
from aiops_shared.settings import Settings


async def _no_cluster(cluster: str) -> Effects:
    raise NotConfiguredError(cluster, "this command reaches no cluster", "use the server's tools")


def operator(settings: Settings) -> Caller:
    """Who sits at the terminal. Being there is what makes them a person (decision D5)."""
    return Caller(name=caller_from(settings).name, kind="human")


@asynccontextmanager
async def guardrails(settings: Settings | None = None) -> AsyncIterator[Guardrails]:
    """Open, and close what was opened."""
    found = settings or Settings()
    clock = make_clock(found)
    guard = Guardrails.open(found, clock, _no_cluster, operator(found))
    try:
        yield guard
    finally:
        guard.close()
        await clock.aclose()
