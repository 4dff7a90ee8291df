"""Wires the cost server: settings -> clients -> tools -> run. No logic.

A tool is given a function that makes its reader; the reader's module, and what is heavy in it (numpy, boto3,
SQLAlchemy, DuckDB), loads with the first call (decision D31). The server has no tool that writes; what it
keeps are billed answers in the state store.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import anyio
from fastmcp import FastMCP
from fastmcp.tools import Tool

from aiops_cost.models.pages import MONEY_PAGE
from aiops_cost.ports import CostChanges, Costs, Estimates, PriceLists, Savings
from aiops_cost.tools.changes import ChangeTools
from aiops_cost.tools.costs import CostTools
from aiops_cost.tools.estimates import EstimateTools
from aiops_cost.tools.prices import PriceTools
from aiops_cost.tools.savings import SavingsTools
from aiops_shared.app import build
from aiops_shared.app.page_files import serve_page
from aiops_shared.app.recording import Recorder
from aiops_shared.app.serving import serve_stdio
from aiops_shared.auth.callers import caller_from
from aiops_shared.aws.clients import AwsClients
from aiops_shared.errors import ActionRefusedError
from aiops_shared.guardrails.facade import Guardrails
from aiops_shared.guardrails.speaking import speaking
from aiops_shared.http.world_clock import make_clock
from aiops_shared.kube.clusters import ClusterDirectory
from aiops_shared.metrics.directory import MetricsDirectory
from aiops_shared.settings import Settings
from aiops_shared.state.answers import Answers
from aiops_shared.state.store import StateStore

if TYPE_CHECKING:
    from aiops_cost.clients.cost_explorer import CostExplorer
    from aiops_cost.clients.fleet_reading import FleetReader
    from aiops_cost.clients.price_book import PriceBook

INSTRUCTIONS = (
    "What EKS costs: the bill by service, cluster, namespace or workload, why it moved, what to change and"
    " what that saves, what a change will cost."
)


@dataclass
class Wiring:
    """The outside world of one server. Building it opens nothing."""

    settings: Settings

    def __post_init__(self) -> None:
        self.who = caller_from(self.settings)
        self.clock = make_clock(self.settings)
        self.aws = AwsClients(self.settings.aws)
        self.clusters = ClusterDirectory(self.settings, self.aws, self.clock, self.who)
        self.metrics = MetricsDirectory(self.settings, self.aws, self.clusters, self.clock)
        self.store = StateStore(self.settings.state)
        self.guard = Guardrails.open(self.settings, self.clock, no_effects, speaking(self.who))
        self.recorder = Recorder(self.guard, self.settings.sensitive_reads)
        self._prices: PriceBook | None = None
        self._explorer: CostExplorer | None = None

    @cached_property
    def tools(self) -> Sequence[Tool]:
        """Every tool, each given functions that make what it needs."""
        return [
            *CostTools(self.costs, self.allocations).tools(),
            *ChangeTools(self.changes).tools(),
            *SavingsTools(self.savings).tools(),
            *PriceTools(self.price_lists).tools(),
            *EstimateTools(self.estimates).tools(),
        ]

    def costs(self) -> Costs:
        """What things cost, by the bill's own groups."""
        from aiops_cost.clients.cost_reading import CostReader

        return CostReader(self.settings, self.explorer(), self.aws, self.clusters, self.clock)

    def changes(self) -> CostChanges:
        """Why the bill moved."""
        from aiops_cost.clients.change_reading import ChangeReader

        return ChangeReader(self.explorer(), self.clusters, self.metrics, self.clock, self.settings.cost)

    def explorer(self) -> "CostExplorer":
        """The bill; one for the process, since it holds who is asking which question."""
        if self._explorer is None:
            from aiops_cost.clients.cost_explorer import CostExplorer

            kept = self.kept("cost-explorer")
            self._explorer = CostExplorer(self.settings, self.aws, kept, self.clock, self.who)
        return self._explorer

    def fleets(self) -> "FleetReader":
        """A cluster's nodes, pods and pools, and what they use."""
        from aiops_cost.clients.fleet_reading import FleetReader

        return FleetReader(self.clusters, self.metrics, self.clock)

    def prices(self) -> "PriceBook":
        """What AWS asks for things; one for the process, since it holds who is reading which sheet."""
        if self._prices is None:
            from aiops_cost.clients.price_book import PriceBook

            kept = self.kept("prices")
            self._prices = PriceBook(self.settings, self.aws, kept, self.clock, self.who)
        return self._prices

    def savings(self) -> Savings:
        """What could cost less."""
        from aiops_cost.clients.savings_reading import SavingsReader
        from aiops_cost.clients.savings_scene import Sources

        cost, doors = self.settings.cost, (self.clusters, self.metrics, self.clock)
        return SavingsReader(Sources(*doors, cost, self.fleets(), self.prices(), self.explorer()))

    def allocations(self) -> "Costs":
        """What namespaces and workloads cost."""
        from aiops_cost.clients.allocation_making import make_allocations

        return make_allocations(self)

    def price_lists(self) -> PriceLists:
        """Prices as tables."""
        from aiops_cost.clients.price_listing import PriceReader

        return PriceReader(self.prices(), self.aws, self.clusters)

    def estimates(self) -> Estimates:
        """What changes will cost."""
        from aiops_cost.clients.estimate_reading import Estimator

        return Estimator(self.clusters, self.aws, self.fleets(), self.prices(), self.guard)

    def kept(self, room: str) -> Answers:
        """The kept answers of one room: `cost-explorer`, `prices`."""
        return Answers(self.store, self.clock, room)

    @asynccontextmanager
    async def running(self, _: FastMCP) -> AsyncIterator[dict[str, Any]]:
        """The server's lifespan: closes what was opened."""
        try:
            yield {}
        finally:
            with anyio.move_on_after(5, shield=True):
                await self.metrics.aclose()
                await self.clusters.aclose()
                await self.clock.aclose()
            self.store.close()
            self.guard.close()


async def no_effects(cluster: str) -> Any:
    """This server has no hands."""
    raise ActionRefusedError(f"change in {cluster}", "the cost server only reads", "use the eks server")


def make(settings: Settings) -> FastMCP:
    """The server, not yet running."""
    parts = Wiring(settings)
    server = build(
        "cost",
        parts.tools,
        settings=settings,
        instructions=INSTRUCTIONS,
        calls=parts.recorder,
        lifespan=parts.running,
    )
    serve_page(server, MONEY_PAGE, "Draws costs and what moved them", _money_page)
    return server


def _money_page() -> str:
    from aiops_cost.charts.pages import money_page

    return money_page()


def serve() -> None:
    """Run over stdio until the client closes it, or a signal ends it."""
    serve_stdio("cost", make)
