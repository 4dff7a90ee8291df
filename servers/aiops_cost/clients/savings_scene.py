"""What every adviser of `recommend_savings` is given: one cluster, its bill and its prices, each read once.

Advisers (`advice_*.py`) run at the same time and share what is slow or billed: the fleet, the bill, prices.
`Scene.once` is that memory; an adviser uses it for what another one may need too.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import anyio

from aiops_cost.analysis.fleet import Fleet
from aiops_cost.models.bills import BillQuestion, Spent
from aiops_cost.models.savings import Advice, SavingsAsk, Scope
from aiops_shared.aws import EksCluster
from aiops_shared.clock import Clock
from aiops_shared.errors import AiopsError
from aiops_shared.settings import CostSettings

if TYPE_CHECKING:
    from aiops_cost.analysis.bill import Bill
    from aiops_cost.clients.cost_explorer import CostExplorer
    from aiops_cost.clients.fleet_reading import FleetFacts, FleetReader
    from aiops_cost.clients.price_book import PriceBook
    from aiops_shared.kube.api import KubeApi
    from aiops_shared.kube.clusters import ClusterDirectory
    from aiops_shared.metrics.directory import MetricsDirectory

Found = TypeVar("Found")


class Adviser(Protocol):
    """One kind of saving. Modules `advice_*.py` have one each; `savings_reading.ADVISERS` lists them."""

    @property
    def scope(self) -> Scope:
        """Which question it answers."""
        ...

    async def advise(self, scene: "Scene") -> Advice:
        """What could be saved. Raises `AiopsError` where its sources do not answer: a warning then."""
        ...


@dataclass(frozen=True)
class Sources:
    """What answers the questions, wired once per server."""

    clusters: "ClusterDirectory"
    metrics: "MetricsDirectory"
    clock: Clock
    settings: CostSettings
    fleets: "FleetReader"
    prices: "PriceBook"
    costs: "CostExplorer"


@dataclass
class Scene:
    """One cluster, for one call."""

    ask: SavingsAsk
    now: datetime
    sources: Sources
    spent: Spent = field(default_factory=Spent)
    _kept: dict[str, Any] = field(default_factory=dict, repr=False)
    _locks: dict[str, anyio.Lock] = field(default_factory=dict, repr=False)

    @property
    def settings(self) -> CostSettings:
        """The operator's policy: targets, bounds."""
        return self.sources.settings

    async def once(self, key: str, make: Callable[[], Awaitable[Found]]) -> Found:
        """What `make` brings, made by the first who asks; its error is every asker's."""
        async with self._locks.setdefault(key, anyio.Lock()):
            if key not in self._kept:
                try:
                    self._kept[key] = await make()
                except AiopsError as error:
                    self._kept[key] = error
        found = self._kept[key]
        if isinstance(found, AiopsError):
            raise found
        return found  # type: ignore[no-any-return]  # one key, one type: that of its `make`

    def known(self, key: str) -> Any:
        """What `once` keeps under a key; None where nobody asked, or it failed. Never asks."""
        found = self._kept.get(key)
        return None if isinstance(found, AiopsError) else found

    async def kube(self) -> "KubeApi":
        """The cluster's API. Raises ClusterNotFoundError and its kin."""
        return await self.once("kube", lambda: self.sources.clusters.open(self.ask.cluster))

    async def eks(self) -> EksCluster:
        """The cluster's AWS side. Raises NotConfiguredError for a bare kubeconfig context."""
        return await self.once("eks", lambda: self.sources.clusters.eks(self.ask.cluster))

    async def facts(self) -> "FleetFacts":
        """The cluster now, with its disruption budgets and what its pods used over the last day."""
        return await self.once("fleet", lambda: self.sources.fleets.read(self.ask.cluster, budgets=True))

    async def fleet(self) -> Fleet:
        """Nodes, pods, pools and budgets of `facts`."""
        return (await self.facts()).fleet

    async def bill(self, question: BillQuestion) -> "Bill":
        """A bill; its billed requests are counted in `spent`, and its notes said."""
        return await self.sources.costs.bill(question, self.spent)

    @property
    def prices(self) -> "PriceBook":
        """What AWS asks for things."""
        return self.sources.prices

    async def region(self) -> str:
        """Where the cluster stands: whose prices count."""
        return (await self.eks()).target.region
