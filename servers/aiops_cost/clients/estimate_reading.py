"""Answers `estimate_cost`: what a change does to a month, line by line, before it is made.

Pods are priced twice (`analysis.estimating`): on the room that is free now, with the nodes that are bought or
could go, and at the price of the room they take. Volumes and load balancers cost the same either way.
Traffic, LCUs and what is stored in EFS are not known beforehand: they are named, never guessed.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from aiops_cost.analysis.estimating import FreeRoom, Line, bought, held, how_held, let_go, totals, without
from aiops_cost.analysis.fleet import SPOT, Fleet, Pod
from aiops_cost.clients.estimate_changes import Changes, documents, of_manifest, of_plan
from aiops_cost.clients.estimate_market import MarketReader, Markets
from aiops_cost.clients.estimate_pools import PoolPricer
from aiops_cost.clients.estimate_shapes import MOST_PODS, WORKLOADS, Billed, Change, billed
from aiops_cost.clients.estimate_storage import StoragePricer
from aiops_cost.clients.price_book import PriceBook
from aiops_cost.clients.price_places import place_of
from aiops_cost.models.estimates import Estimate, EstimateAsk
from aiops_cost.models.money import HOURS_PER_MONTH, NANO, to_cents, worded
from aiops_shared.aws.target import AwsTarget
from aiops_shared.errors import InvalidInputError, NotFoundError
from aiops_shared.kube.nearest import nearest
from aiops_shared.results import Evidence, Table
from aiops_shared.results.wording import counted, cut

if TYPE_CHECKING:
    from aiops_cost.clients.fleet_reading import FleetReader
    from aiops_shared.aws.clients import AwsClients
    from aiops_shared.guardrails.facade import Guardrails
    from aiops_shared.kube.clusters import ClusterDirectory

MOST_INSTANCES = 10_000
_PART = re.compile(r"([-+]?)(\d{1,5})\s*x?\s+([a-z0-9-]+\.[a-z0-9-]+)(?:\s+(spot|on-demand))?", re.IGNORECASE)
_SHAPE = "as 3 m5.xlarge, 1 r5.2xlarge spot; a minus takes away: -8 c5.4xlarge"


@dataclass(slots=True)
class _Work:
    """One estimate while it is made."""

    cluster: str = ""
    region: str = ""
    at: AwsTarget | None = None  # the cluster's account, whose zones count
    lines: list[Line] = field(default_factory=list)
    unpriced: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    assumptions: list[str] = field(default_factory=list)
    evidence: list[Evidence] = field(default_factory=list)
    dates: set[str] = field(default_factory=set)
    types: Table | None = None
    says: str = ""


@dataclass(frozen=True)
class Estimator:
    """Estimates changes. Raises `AiopsError` only."""

    clusters: "ClusterDirectory"
    aws: "AwsClients"
    fleets: "FleetReader"
    book: PriceBook
    guard: "Guardrails"

    async def estimate(self, ask: EstimateAsk) -> Estimate:
        """One change. Raises InvalidInputError before anything is asked, PlanNotFoundError, PlanExpiredError,
        ClusterNotFoundError, what prices raise without a kept copy.
        """
        if ask.instances.strip():
            return _answer(await self._instances(ask))
        if ask.plan_id:
            return _answer(await self._plan(ask))
        if ask.nodepool:
            kube = await self.clusters.open(ask.cluster)
            pool = await kube.get("nodepools.karpenter.sh", "", ask.nodepool)
            return _answer(
                await self._changes(ask.cluster, Changes((Change("NodePool", "", ask.nodepool, pool, pool),)))
            )
        found = documents(ask.manifest)
        kube = await self.clusters.open(ask.cluster)
        return _answer(await self._changes(ask.cluster, await of_manifest(kube, found)))

    # the four ways

    async def _plan(self, ask: EstimateAsk) -> _Work:
        plan = await self.guard.read_plan(ask.plan_id)
        kube = await self.clusters.open(ask.cluster or plan.cluster)
        if ask.cluster and kube.cluster != plan.cluster:
            raise InvalidInputError("cluster", f"the plan is for {plan.cluster}", "leave cluster out")
        work = await self._changes(ask.cluster or plan.cluster, await of_plan(kube, plan))
        work.evidence.append(Evidence(source="state store", query=f"plan {plan.plan_id}", says=plan.action))
        return work

    async def _instances(self, ask: EstimateAsk) -> _Work:
        wanted = _parsed(ask.instances)
        work = _Work()
        await self._where(ask.cluster, work)
        names = {name for _, name, _ in wanted}
        plain = await self.book.on_demand(names, work.region)
        on_spot = {name for _, name, spot in wanted if spot}
        spot = await self._spot(on_spot, work) if on_spot else {}
        work.warnings += plain.gaps
        for count, name, by_spot in wanted:
            price = spot.get(name) if by_spot else plain[name].nano_usd if name in plain else None
            if price is None:
                await self._no_price(name, by_spot, work.region)
                continue
            amount = count * price * HOURS_PER_MONTH
            kind = "Spot" if by_spot else "on demand"
            how = f"{count} x ${price / NANO:.6g} x {HOURS_PER_MONTH} h"
            work.lines.append(Line(f"{count:+d} {name} {kind}", amount, amount, how))
        work.dates |= {one.as_of for one in plain.values()}
        work.evidence += _priced(sorted({one.source for one in plain.values()}), work)
        return work

    async def _spot(self, names: set[str], work: _Work) -> dict[str, int]:
        """Spot's mean over the zones, by type."""
        from aiops_cost.analysis.spot_prices import mean_of

        found = await self.book.spot(names, work.region, at=work.at)
        work.warnings += found.gaps
        by_type: dict[str, list[int]] = {}
        for (name, _), price in found.items():
            by_type.setdefault(name, []).append(price.nano_usd)
            work.dates.add(price.as_of)
        work.assumptions.append("Spot costs what it cost on average over the last 7 days in all zones")
        return {name: mean_of(held_) for name, held_ in by_type.items()}

    async def _no_price(self, name: str, by_spot: bool, region: str) -> None:
        family = await self.book.instance_shapes([name.partition(".")[0]], region)
        near = nearest(name, family) or nearest(name, await self.book.known_types(region))
        what = "Spot price" if by_spot else "price"
        hint = f"the nearest are {', '.join(near)}" if near else "list_prices shows what there is"
        raise NotFoundError(f"{what} of {name} in {region}", "no such type there", hint)

    # changes of objects

    async def _changes(self, cluster: str | None, changes: Changes) -> _Work:
        work = _Work(unpriced=list(changes.unpriced), warnings=list(changes.notes))
        if not changes.priced:
            return work
        await self._where(cluster, work)
        workloads = [one for one in changes.priced if one.kind in WORKLOADS]
        facts = await self.fleets.read(cluster, usage=False) if workloads or _pools(changes) else None
        fleet = facts.fleet if facts else Fleet((), ())
        if facts:
            work.warnings += facts.warnings
            work.evidence.append(
                Evidence(source="Kubernetes", query=f"nodes, pods of {facts.cluster}", says=_size(fleet))
            )
        pairs = [
            (one, billed(one.before, one, fleet), billed(one.after, one, fleet)) for one in changes.priced
        ]
        work.warnings += [gap for _, _, after in pairs for gap in after.gaps]
        if workloads:
            await self._compute(fleet, [pair for pair in pairs if pair[0].kind in WORKLOADS], work)
        storage = StoragePricer(self.book, await self.clusters.open(cluster), work.region)
        for change, before, after in pairs:
            await storage.price(change, before, after)
        work.lines += storage.lines
        work.warnings += storage.warnings
        work.unpriced += storage.unpriced
        work.assumptions += storage.assumptions
        work.dates |= storage.dates
        await self._pools(changes, fleet, work)
        if storage.lines and not work.evidence:
            work.evidence += _priced(["price list"], work)
        return work

    async def _pools(self, changes: Changes, fleet: Fleet, work: _Work) -> None:
        for change in _pools(changes):
            pricer = PoolPricer(MarketReader(self.book, work.region, work.at), fleet)
            told = await pricer.price(change)
            work.types = told.table if work.types is None else work.types
            work.warnings += told.warnings
            work.unpriced += told.unpriced
            work.dates |= {told.as_of} - {""}
            work.says = told.says
            work.assumptions.append("a NodePool costs nothing until pods need its nodes")

    async def _compute(
        self, fleet: Fleet, pairs: Sequence[tuple[Change, Billed, Billed]], work: _Work
    ) -> None:
        for change, before, after in pairs:
            if max(len(before.pods), len(after.pods)) > MOST_PODS:
                raise InvalidInputError(
                    change.label, f"more than {MOST_PODS} pods", "estimate fewer replicas and multiply"
                )
        old = [pod for _, before, _ in pairs for pod in before.pods]
        new = [pod for _, _, after in pairs for pod in after.pods]
        buying = [pod for pod in new if pod.owner_kind != "DaemonSet"] or new
        reader = MarketReader(self.book, work.region, work.at)
        known = await reader.markets(fleet, buying or old)
        whole = bought(known.markets, buying or old)
        work.warnings += known.gaps
        work.dates |= {known.as_of} - {""}
        work.evidence += _priced([known.source], work) if known.source else []
        if whole is None:
            work.unpriced.append("pods: no pool of this cluster takes them, or none of its types has a price")
            return
        price = whole.room_price()
        for change, before, after in pairs:
            amount = held(after.pods, price) - held(before.pods, price)
            words = (
                f"{len(before.pods)} -> {len(after.pods)} pods"
                if before.pods
                else counted(len(after.pods), "pod")
            )
            work.lines.append(
                Line(f"{change.label}: {words}", None, amount, how_held(before.pods, after.pods, price))
            )
        work.assumptions.append(
            f"a core and a GiB cost their share of {whole.fitted.candidate.name}"
            f" (${whole.fitted.candidate.nano_usd / NANO:.6g}/h), the cheapest way to buy this room:"
            f" {whole.words}; 9 GiB weigh as much as a core"
        )
        await self._on_nodes(fleet, (pairs, old, new), known, work)

    async def _on_nodes(
        self,
        fleet: Fleet,
        found: tuple[Sequence[tuple[Change, Billed, Billed]], Sequence[Pod], Sequence[Pod]],
        known: Markets,
        work: _Work,
    ) -> None:
        """What happens to the nodes: the free room takes the pods, or nodes are bought, or some could go."""
        pairs, old, new = found
        rest = without(fleet, {change.owner for change, before, _ in pairs if before.pods})
        free = FreeRoom(rest)
        left = [pod for pod in free.put(new) if pod.owner_kind != "DaemonSet"]
        if left:
            more = bought(known.markets, left)
            if more is None:
                work.unpriced.append(f"{counted(len(left), 'pod')} of {len(new)}: no pool takes them")
                return
            how = f"{more.fitted.nodes} x ${more.fitted.candidate.nano_usd / NANO:.6g} x {HOURS_PER_MONTH} h"
            work.lines.append(Line(f"new nodes: {more.words}", more.monthly, None, how))
            work.says = f"{len(new) - len(left)} of {counted(len(new), 'pod')} fit on free room"
            return
        work.says = (
            f"all {counted(len(new), 'pod')} fit on the room that is there" if new else "its room is freed"
        )
        if not old:
            return
        prices = await self._node_prices(fleet, work)
        then = Fleet(rest.nodes, (*rest.pods, *free.placed), rest.pools)
        gone, amount = let_go(fleet, then, prices)
        if gone:
            kinds = ", ".join(sorted({node.instance_type for node in gone}))
            how = " - ".join(f"${prices[node.name] / NANO:.6g}" for node in gone[:4])
            work.lines.append(
                Line(
                    f"nodes that could go: {len(gone)} ({kinds})",
                    amount,
                    None,
                    f"-({how}) x {HOURS_PER_MONTH} h",
                )
            )
            work.assumptions.append("emptied nodes go when consolidation or an autoscaler removes them")

    async def _node_prices(self, fleet: Fleet, work: _Work) -> dict[str, int]:
        """An hour of each node, billionths; those whose price is not known are left out."""
        types = {node.instance_type for node in fleet.nodes if node.instance_type}
        plain = await self.book.on_demand(types, work.region)
        on_spot = {node.instance_type for node in fleet.nodes if node.capacity_type == SPOT}
        spot = await self.book.spot(on_spot, work.region, at=work.at) if on_spot else {}
        found = {}
        for node in fleet.nodes:
            is_spot = node.capacity_type == SPOT
            price = spot.get((node.instance_type, node.zone)) if is_spot else plain.get(node.instance_type)
            if price is not None:
                found[node.name] = price.nano_usd
        return found

    async def _where(self, cluster: str | None, work: _Work) -> None:
        place = await place_of(self.clusters, self.aws, cluster)
        work.cluster, work.region, work.at = place.cluster, place.region, place.at
        work.warnings += place.warnings


def _pools(changes: Changes) -> list[Change]:
    return [one for one in changes.priced if one.kind == "NodePool"]


def _size(fleet: Fleet) -> str:
    return f"{counted(len(fleet.nodes), 'node')}, {counted(len(fleet.pods), 'pod')}"


def _parsed(words: str) -> list[tuple[int, str, bool]]:
    """Counts, types and whether Spot. Raises InvalidInputError."""
    found = []
    for part in words.split(","):
        match = _PART.fullmatch(part.strip())
        if match is None:
            raise InvalidInputError("instances", f"{ascii(part.strip())[:60]} is not understood", _SHAPE)
        count = int(match[2]) * (-1 if match[1] == "-" else 1)
        if not 0 < abs(count) <= MOST_INSTANCES:
            raise InvalidInputError("instances", f"counts are from 1 to {MOST_INSTANCES}", _SHAPE)
        found.append((count, match[3].lower(), (match[4] or "").lower() == "spot"))
    return found


def _priced(sources: Sequence[str], work: _Work) -> list[Evidence]:
    dates = ", ".join(sorted(work.dates)[:2])
    return [
        Evidence(source="AWS prices", query=f"prices of {work.region}", says=f"{one}, read {dates}")
        for one in sources
    ]


def _rows(lines: Sequence[Line]) -> Table:
    """Each line by itself to the cent; where the cents do not add up, the rounding is a line."""
    rows = [
        (
            one.item,
            None if one.now is None else to_cents(one.now) / 100,
            None if one.room is None else to_cents(one.room) / 100,
            one.how,
        )
        for one in lines
    ]
    now, room = totals(lines)
    off_now = to_cents(now) - sum(to_cents(one.now or 0) for one in lines)
    off_room = to_cents(room) - sum(to_cents(one.room or 0) for one in lines)
    if off_now or off_room:
        rows.append(("rounding", off_now / 100, off_room / 100, "each line is rounded by itself"))
    return Table(columns=("item", "now_usd", "room_usd", "how"), rows=tuple(rows))


def _signed(amount: int) -> str:
    return worded(amount) if amount < 0 else f"+{worded(amount)}"


def _summary(work: _Work) -> str:
    now, room = totals(work.lines)
    if not work.lines:
        return work.says or "Nothing in it has a price that can be known beforehand."
    same = to_cents(now) == to_cents(room)
    said = f"{_signed(room)} a month" + (
        "" if same else f" at the price of the room, {_signed(now)} on today's nodes"
    )
    if work.says:
        said += f": {work.says}"
    if work.unpriced:
        said += f"; not priced: {counted(len(work.unpriced), 'part')}"
    return f"{said}. List prices of {work.region}."


def _answer(work: _Work) -> Estimate:
    now, room = totals(work.lines)
    if work.lines:
        work.assumptions.append(
            f"{HOURS_PER_MONTH} h a month, list prices, no discounts; traffic and LCUs are not in it"
        )
    return Estimate(
        summary=cut(_summary(work)),
        cluster=work.cluster,
        region=work.region,
        now_usd=to_cents(now) / 100 if work.lines else None,
        room_usd=to_cents(room) / 100 if work.lines else None,
        lines=_rows(work.lines) if work.lines else None,
        types=work.types,
        unpriced=tuple(dict.fromkeys(work.unpriced)),
        assumptions=tuple(dict.fromkeys(work.assumptions)),
        as_of=min(work.dates, default=""),
        warnings=tuple(dict.fromkeys(work.warnings)),
        evidence=tuple(work.evidence),
    )
