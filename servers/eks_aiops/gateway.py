"""All four servers behind one endpoint, in one process: `eks-aiops gateway`, over stdio or HTTP (S4, S6).

A tool is named by its server: `eks_diagnose`, `cost_get_costs`. The sop server reaches the other three in
this process (D23); each still has its own guardrails, which share one state store.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import fastmcp
from fastmcp import FastMCP

from aiops_shared.settings import Settings

SERVERS = ("eks", "observability", "cost", "sop")
INSTRUCTIONS = (
    "An EKS platform whole. Tools are named by server: eks_ (clusters, diagnosis, changes),"
    " observability_ (metrics, logs, traces, alarms), cost_ (spend, savings), sop_ (investigations,"
    " procedures, incidents, reports)."
)


def make(settings: Settings) -> FastMCP:
    """The gateway, not yet running."""
    from aiops_cost.server import make as cost
    from aiops_eks.server import make as eks
    from aiops_observability.server import make as observability
    from aiops_sop.server import make as sop

    fastmcp.settings.enable_rich_tracebacks = False
    leaves = {"eks": eks(settings), "observability": observability(settings), "cost": cost(settings)}
    given = {name: (lambda server=server: server) for name, server in leaves.items()}
    every = {**leaves, "sop": sop(settings, given)}

    @asynccontextmanager
    async def running(_: FastMCP) -> AsyncIterator[dict[str, Any]]:
        yield {}

    root = FastMCP(
        "aiops-gateway",
        instructions=INSTRUCTIONS,
        version=every["sop"].version,
        mask_error_details=True,
        on_duplicate="error",
        cache_ttl=60,
        cache_scope="private",
        lifespan=running,
    )
    for name, server in every.items():
        root.mount(server, namespace=name)
    return root
