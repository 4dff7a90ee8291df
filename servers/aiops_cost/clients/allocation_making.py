"""Puts the sources of allocations together as the settings say. Loads with the first question (D31)."""

from typing import TYPE_CHECKING, Protocol

from aiops_cost.clients.allocation_logs import LogSharer
from aiops_cost.clients.allocation_own import OwnAllocation
from aiops_cost.clients.allocation_reading import AllocationReader
from aiops_cost.clients.allocation_source import Source
from aiops_cost.clients.opencost import OpenCost
from aiops_cost.clients.split_costs import SplitCosts

if TYPE_CHECKING:
    from aiops_cost.clients.cost_explorer import CostExplorer
    from aiops_cost.clients.fleet_reading import FleetReader
    from aiops_cost.clients.price_book import PriceBook
    from aiops_shared.auth.callers import CallerIdentity
    from aiops_shared.aws.clients import AwsClients
    from aiops_shared.clock import Clock
    from aiops_shared.kube.clusters import ClusterDirectory
    from aiops_shared.settings import Settings
    from aiops_shared.state.answers import Answers


class Parts(Protocol):
    """What `Wiring` has of what the sources need."""

    @property
    def settings(self) -> "Settings":
        """What the operator set."""
        ...

    @property
    def clusters(self) -> "ClusterDirectory":
        """The clusters that may be named."""
        ...

    @property
    def clock(self) -> "Clock":
        """World time."""
        ...

    @property
    def aws(self) -> "AwsClients":
        """AWS."""
        ...

    @property
    def who(self) -> "CallerIdentity":
        """Who calls."""
        ...

    def fleets(self) -> "FleetReader":
        """Nodes, pods and pools."""
        ...

    def explorer(self) -> "CostExplorer":
        """The bill."""
        ...

    def prices(self) -> "PriceBook":
        """What AWS asks for things."""
        ...

    def kept(self, room: str) -> "Answers":
        """The kept answers of a room."""
        ...


def make_allocations(parts: Parts) -> AllocationReader:
    """The reader with its sources in order."""
    logs, tags = LogSharer(parts.kept("log-shares")), parts.settings.cost.cluster_tags
    own = OwnAllocation(parts.fleets(), parts.explorer, parts.prices, logs, tags)
    sources: list[Source] = []
    cost = parts.settings.cost
    if cost.cur:
        kept = parts.kept("split-costs")
        sources.append(SplitCosts(parts.settings, parts.aws, kept, parts.who, (logs, parts.fleets())))
    if cost.opencost_url:
        sources.append(OpenCost(cost.opencost_url, own))
    sources.append(own)
    return AllocationReader(parts.clusters, parts.clock, sources)
