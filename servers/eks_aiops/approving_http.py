"""Adds /approvals to a server that is reached over HTTP: plans of the store, and questions of its runs.

Any of them shows all that waits in its store, whichever server asked: people approve in one place.
"""

from typing import Final

from fastmcp import FastMCP

from aiops_shared.auth.callers import caller_from
from aiops_shared.errors import NotConfiguredError
from aiops_shared.guardrails import Effects
from aiops_shared.guardrails.facade import Guardrails
from aiops_shared.guardrails.speaking import speaking
from aiops_shared.settings import Settings

SERVERS: Final = ("eks", "sop", "gateway")


def add_approvals(name: str, server: FastMCP, settings: Settings) -> None:
    """The routes, for those of the servers that ask people."""
    if name not in SERVERS:
        return
    from aiops_shared.app.lazily import lazily
    from aiops_shared.http.world_clock import make_clock
    from aiops_shared.remote.approvals import serve_approvals
    from aiops_shared.remote.approvals_deciding import Asks

    clock = make_clock(settings)
    guard = Guardrails.open(settings, clock, _no_cluster, speaking(caller_from(settings)))

    def asks() -> Asks:
        from aiops_shared.state import StateStore
        from aiops_sop.clients.run_parts import asks_of

        return asks_of(settings, StateStore(settings.state), clock, guard)

    serve_approvals(server, guard, settings, lazily(asks))


async def _no_cluster(cluster: str) -> Effects:
    raise NotConfiguredError(cluster, "approving reaches no cluster", "use the server's tools")
