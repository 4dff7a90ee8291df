"""The own allocation: the cluster's bill from Cost Explorer over what its pods hold and use.

The last of the sources, and the one that needs nothing set up but a cluster tag that is active for cost
allocation. Where the bill cannot be read or knows no such tag, the nodes' list prices are divided, and the
answer says that this is no bill.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from aiops_cost.analysis.allocation import CORE_WEIGHT, GIB_WEIGHT, allocate
from aiops_cost.analysis.bill import Bill
from aiops_cost.analysis.charges import Charge, Of, charges_of
from aiops_cost.analysis.fleet import FARGATE, SPOT, Fleet
from aiops_cost.analysis.splitting import split
from aiops_cost.clients.allocation_logs import LogSharer, LogShares
from aiops_cost.clients.allocation_source import Asked, Divided, unsettled_of
from aiops_cost.clients.fleet_reading import FleetFacts, FleetReader
from aiops_cost.models.bills import BillQuestion
from aiops_cost.models.money import nano
from aiops_shared.errors import (
    ActionRefusedError,
    AiopsError,
    InvalidInputError,
    NotConfiguredError,
    NotFoundError,
)
from aiops_shared.results import Evidence

if TYPE_CHECKING:
    from aiops_cost.clients.cost_explorer import CostExplorer
    from aiops_cost.clients.price_book import PriceBook

CLOUDWATCH = "AmazonCloudWatch"
BILL_DIMS = ("SERVICE", "USAGE_TYPE")
WEIGHTS = f"CPU {CORE_WEIGHT} : memory {GIB_WEIGHT} per vCPU and GiB, as AWS's split cost data"


class OwnAllocation:
    """Fulfils `allocation_source.Source`."""

    name = "own"

    def __init__(
        self,
        fleets: FleetReader,
        explorer: "Callable[[], CostExplorer]",
        prices: "Callable[[], PriceBook]",
        logs: LogSharer,
        tags: Sequence[str],
    ) -> None:
        self._fleets = fleets
        self._explorer = explorer
        self._prices = prices
        self._logs = logs
        self._tags = tuple(tags)

    async def divided(self, asked: Asked) -> Divided:
        """One cluster's bill by owner. Raises AccessDeniedError for nodes and pods, UpstreamError."""
        facts = await self._fleets.read(asked.word, asked.window)
        bill, why = await self.bill(asked)
        if bill is None:
            return await self._by_price(asked, facts, why)
        logs, shares = await self.logs(asked, facts.fleet)
        charges = (*charges_of(bill), *logs)
        hours = (asked.window[1] - asked.window[0]).total_seconds() / 3600
        made = allocate(charges, facts.fleet, hours, shares.shares)
        return Divided(
            source=self.name,
            method=_method(facts, shares),
            allocation=made,
            unsettled=unsettled_of(bill),
            currency=bill.currency,
            evidence=(*_evidence(asked, facts), *shares.evidence),
            warnings=(*made.notes, *facts.warnings, *shares.warnings),
        )

    async def bill(self, asked: Asked) -> tuple[Bill | None, str]:
        """The cluster's bill by service and usage type, or why there is none."""
        question = BillQuestion(
            asked.period.first, asked.period.end, BILL_DIMS, cluster=asked.name, metric=asked.metric
        )
        try:
            bill = await self._explorer().bill(question, asked.counted)
        except InvalidInputError:
            raise
        except AiopsError as error:
            return None, error.wire()
        if not bill.keys:
            return None, (
                f"no line of the bill carries a cluster tag with the value {asked.name}"
                " (AIOPS_COST_CLUSTER_TAGS; a tag must be activated for cost allocation)"
            )
        return bill, ""

    async def logs_of(self, asked: Asked) -> tuple[tuple[Charge, ...], LogShares]:
        """The same for a caller that has no fleet. Without its pods, logs are one row."""
        try:
            facts = await self._fleets.read(asked.word, asked.window, usage=False)
        except AiopsError as error:
            logs, shares = await self.logs(asked, Fleet((), ()))
            said = f"who writes logs is open: {error.wire()}"[:300]
            return logs, replace(shares, warnings=(*shares.warnings, said))
        return await self.logs(asked, facts.fleet)

    async def logs(self, asked: Asked, fleet: Fleet) -> tuple[tuple[Charge, ...], LogShares]:
        """Logs carry no cluster tag: of the account's the part that the cluster's log groups took in."""
        if asked.eks is None:
            return (), LogShares()
        tags = ((f"TAG:{tag}", (asked.name,)) for tag in self._tags)
        question = BillQuestion(
            asked.period.first,
            asked.period.end,
            BILL_DIMS,
            only=(("SERVICE", (CLOUDWATCH,)), ("REGION", (asked.eks.target.region,))),
            without=tuple(tags),
            metric=asked.metric,
        )
        try:
            bill = await self._explorer().bill(question, asked.counted)
        except AiopsError as error:
            return (), LogShares(warnings=(f"logs are missing: {error.wire()}"[:300],))
        amount = sum(one.amount for one in charges_of(bill) if one.of is Of.LOGS)
        if not amount:
            return (), LogShares()
        shares = await self._logs.read(asked.eks, fleet, asked.window, asked.now)
        if not shares.cluster_bytes:
            return (), shares
        part, _ = split(amount, [shares.cluster_bytes, shares.account_bytes - shares.cluster_bytes])
        return (Charge(Of.LOGS, "logs", part),), shares

    async def _by_price(self, asked: Asked, facts: FleetFacts, why: str) -> Divided:
        """The nodes' list prices for their hours, divided the same way."""
        if asked.eks is None:
            raise NotConfiguredError(
                "the bill", why, "name the cluster by its ARN, so that its region is known"
            )
        region = asked.eks.target.region
        fleet = facts.fleet
        types = sorted({node.instance_type for node in fleet.nodes if node.instance_type})
        spots = sorted({node.instance_type for node in fleet.nodes if node.capacity_type == SPOT})
        if not types:
            raise NotFoundError(
                f"costs of {asked.name}", f"it has no nodes, and its bill is not known: {why}"
            )
        plain = await self._prices().on_demand(types, region)
        spot = await self._prices().spot(spots, region) if spots else None
        charges: dict[tuple[str, bool], tuple[int, float]] = {}
        unpriced = set[str]()
        for node in fleet.nodes:
            on_spot = node.capacity_type == SPOT
            price = (
                spot.get((node.instance_type, node.zone))
                if on_spot and spot is not None
                else plain.get(node.instance_type)
            )
            if price is None or node.capacity_type == FARGATE:
                unpriced.add(node.instance_type or node.capacity_type)
                continue
            key = node.instance_type, on_spot
            amount, hours = charges.get(key, (0, 0.0))
            cost = nano(str(price.nano_usd * node.hours / 1e9))
            charges[key] = amount + cost, hours + node.hours
        if not charges:
            raise ActionRefusedError(
                f"costs of {asked.name}", f"neither its bill ({why}) nor a price of its nodes is known"
            )
        listed = [
            Charge(Of.INSTANCES, "instances", amount, hours, kind, on_spot)
            for (kind, on_spot), (amount, hours) in charges.items()
        ]
        made = allocate(listed, fleet, asked.period.days * 24.0)
        said = f"no bill: list prices of the nodes there are now, divided; {why}"
        missing = (f"no price is known of {', '.join(sorted(unpriced)[:5])}",) if unpriced else ()
        return Divided(
            source=self.name,
            method=f"list prices of nodes, not the bill; {_method(facts, LogShares())}",
            allocation=made,
            evidence=_evidence(asked, facts),
            warnings=(said[:400], *missing, *made.notes, *facts.warnings),
        )


def _method(facts: FleetFacts, shares: LogShares) -> str:
    held = "max(request, mean usage)" if facts.usage.source else "requests (nobody measured usage)"
    logs = f"; logs by bytes of the cluster's log groups ({shares.says})" if shares.says else ""
    return (
        f"own allocation: each node's bill by {held} of its pods for the hours they lived; {WEIGHTS};"
        f" usage: {facts.usage.says}{logs}"
    )


def _evidence(asked: Asked, facts: FleetFacts) -> tuple[Evidence, ...]:
    fleet = facts.fleet
    pods = len(fleet.pods) + len(fleet.finished)
    says = f"{len(fleet.nodes)} nodes, {pods} pods, {len(fleet.gone)} pods that are gone"
    return (
        Evidence(source=f"Kubernetes API of {facts.cluster}", query="nodes, pods, volumes", says=says),
        Evidence(
            source="Cost Explorer",
            query=f"{asked.period} by SERVICE and USAGE_TYPE, cluster tag {asked.name}",
            says=f"{asked.counted.requests} billed requests",
        ),
    )
