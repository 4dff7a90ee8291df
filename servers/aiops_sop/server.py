"""Wires the sop server: settings -> peers, store, engine -> tools -> run. No logic.

Every part that costs time to import or needs a network is made by the first call that needs it (D31): a
part is a function here, and `lazily` stands for it.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import anyio
from fastmcp import FastMCP
from fastmcp.tools import Tool

from aiops_shared.app import build
from aiops_shared.app.lazily import lazily
from aiops_shared.app.recording import Recorder
from aiops_shared.app.serving import serve_stdio
from aiops_shared.auth.callers import caller_from
from aiops_shared.errors import ActionRefusedError
from aiops_shared.guardrails import Caller
from aiops_shared.guardrails.facade import Guardrails
from aiops_shared.http.world_clock import make_clock
from aiops_shared.settings import Settings
from aiops_shared.state import StateStore
from aiops_sop.clients.peers import Connect, McpPeers
from aiops_sop.ports import Investigations, Reports
from aiops_sop.tools.investigate import InvestigateTools
from aiops_sop.tools.reports import ReportTools

INSTRUCTIONS = (
    "Procedures (SOPs) and incidents: find a cause over metrics, logs, traces, cost and cluster"
    " (investigate), find and run procedures that verify and undo, answer events, generate configuration,"
    " verify deployments, report."
)


@dataclass
class Wiring:
    """The outside world of one server. Building it opens nothing."""

    settings: Settings
    given: Mapping[str, Connect] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.who = caller_from(self.settings)
        self.clock = make_clock(self.settings)
        self.store = StateStore(self.settings.state)
        self.peers = McpPeers(self.settings, self.given)
        caller = Caller(name=self.who.name, kind=self.who.kind)
        self.guard = Guardrails.open(self.settings, self.clock, no_effects, caller)
        self.recorder = Recorder(self.guard, self.settings.sensitive_reads)

    @property
    def tools(self) -> Sequence[Tool]:
        """Every tool; what it needs is made by the first call."""
        return [
            *InvestigateTools(lazily(self._investigations)).tools(),
            *ReportTools(lazily(self._reports)).tools(),
        ]

    def _investigations(self) -> Investigations:
        from aiops_sop.clients.investigating import Investigator

        return Investigator(self.peers, self.clock)

    def _reports(self) -> Reports:
        from aiops_sop.clients.report_desk import ReportDesk
        from aiops_sop.clients.report_store import ReportStore

        rows = ReportStore(self.store)
        return ReportDesk(self.settings, self.peers, rows, self.clock, lambda: self.guard)

    @asynccontextmanager
    async def running(self, _: FastMCP) -> AsyncIterator[dict[str, Any]]:
        """The server's lifespan: carries runs on, closes what was opened."""
        try:
            yield {}
        finally:
            with anyio.move_on_after(10, shield=True):
                await self.peers.aclose()
                await self.clock.aclose()
            self.store.close()
            self.guard.close()


async def no_effects(cluster: str) -> Any:
    """This server has no hands: it changes a cluster through the eks server's."""
    raise ActionRefusedError(f"change in {cluster}", "the sop server has no hands", "use the eks server")


def make(settings: Settings, given: Mapping[str, Connect] | None = None) -> FastMCP:
    """The server, not yet running. `given`: how to reach servers that are neither children nor at a URL."""
    parts = Wiring(settings, given or {})
    server = build(
        "sop",
        parts.tools,
        settings=settings,
        instructions=INSTRUCTIONS,
        calls=parts.recorder,
        lifespan=parts.running,
    )
    parts.peers.given = {**parts.peers.given, "sop": lambda: server}  # a SOP's steps may call our own reads
    return server


def serve() -> None:
    """Run over stdio until the client closes it, or a signal ends it."""
    serve_stdio("sop", make)
