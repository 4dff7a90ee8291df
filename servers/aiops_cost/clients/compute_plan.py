"""For each pool: what it holds, what it costs, and the cheapest fleet that may take its place. Read once.

The advisers of compute, Spot, Graviton and commitments start from the same plans, so that their amounts add
up. `PoolPlan.why_not` says why a pool has none.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Final

from anyio import to_thread

from aiops_cost.analysis.fleet import Fleet, Pod, Room
from aiops_cost.analysis.fleets import GIB, Candidate, Demand, Fitted, by_use, cheapest, fitted
from aiops_cost.analysis.pool_slices import (
    PoolSlice,
    allows,
    capacity_of,
    kept,
    labels_of,
    least_nodes,
    siblings,
    slices,
    stays,
)
from aiops_cost.clients.node_prices import NodePrices, node_prices
from aiops_cost.clients.node_use import NodeUse, node_use
from aiops_cost.clients.savings_scene import Scene
from aiops_cost.models.money import HOURS_PER_MONTH
from aiops_cost.models.prices import Price, Quotes, Shape
from aiops_shared.results.wording import brief

# A migration that saves less is not worth its risk, and is within what use and prices wobble by.
WORTH: Final = 0.05
MOST_POOLS: Final = 8
ROWS: Final = 4  # of each family; of all in a summary
ALL: Final = 10**6


@dataclass(frozen=True, slots=True)
class PoolPlan:
    """One pool. `best` is None where nothing cheaper holds its pods; `others` are what was compared."""

    part: PoolSlice
    now_nano: int  # an hour, all nodes
    demand: Demand
    candidates: tuple[Candidate, ...] = ()
    best: Fitted | None = None
    others: tuple[Fitted, ...] = ()
    why_not: str = ""

    @property
    def now_month(self) -> int:
        """What it costs a month, billionths."""
        return self.now_nano * HOURS_PER_MONTH


@dataclass(frozen=True, slots=True)
class Plans:
    """All pools, and what they were made from."""

    pools: tuple[PoolPlan, ...]
    use: NodeUse
    prices: NodePrices
    shapes: Mapping[str, Shape]
    offers: Mapping[str, Price]
    region: str
    warnings: tuple[str, ...] = ()

    @property
    def sources(self) -> tuple[str, ...]:
        """Where the numbers are from."""
        dates = sorted({one.as_of for one in self.offers.values()})
        priced = f"price list {self.region}, {dates[0]}" if dates else f"price list {self.region}"
        return priced, self.use.says


async def plans(scene: Scene) -> Plans:
    """The plans of the cluster's pools. Raises what the fleet, its prices and shapes raise."""
    return await scene.once("compute-plans", lambda: _made(scene))


async def _made(scene: Scene) -> Plans:
    fleet, region = await scene.fleet(), await scene.region()
    parts = slices(fleet)[:MOST_POOLS]
    use, priced = await node_use(scene), await node_prices(scene)
    if not parts:
        return Plans((), use, priced, {}, {}, region)
    families = {name for part in parts for name in _families(scene, part)}
    types = {node.instance_type for part in parts for node in part.nodes}
    shapes = await scene.prices.instance_shapes({*families, *types}, region)
    offers = await scene.prices.on_demand(shapes, region)

    def computed() -> list[PoolPlan]:
        return [_plan(scene, fleet, part, use, priced, (shapes, offers)) for part in parts]

    made = await to_thread.run_sync(computed)  # packing thousands of pods takes seconds
    warnings = (*use.warnings, *priced.gaps, *shapes.gaps, *offers.gaps)
    return Plans(tuple(made), use, priced, shapes, offers, region, warnings)


def _families(scene: Scene, part: PoolSlice) -> tuple[str, ...]:
    """Families that may be compared: the operator's, else those of the same generation and processor."""
    return tuple(scene.settings.families) or siblings(part.main_type)


def _plan(
    scene: Scene,
    fleet: Fleet,
    part: PoolSlice,
    use: NodeUse,
    priced: NodePrices,
    market: tuple[Quotes[str, Shape], Quotes[str, Price]],
) -> PoolPlan:
    shapes, offers = market
    names = frozenset(one.name for one in part.nodes)
    now = sum(priced.by_node.get(name, 0) for name in names)
    found = PoolPlan(part, now, _demand(scene, fleet, part, use.of(names)))
    if missing := _unjudged(found, use, names <= priced.by_node.keys()):
        return replace(found, why_not=missing)
    candidates = candidates_of(part, shapes, offers, _families(scene, part))
    return planned(replace(found, candidates=candidates), _compared(scene))


def _compared(scene: Scene) -> int:
    """How many other fleets are packed too: those that the answer shows."""
    if scene.ask.full:
        return ALL
    return 0 if scene.ask.scope == "all" else ROWS


def planned(found: PoolPlan, rows: int) -> PoolPlan:
    """The plan with its cheapest fleet, and so many others that were compared. Pure."""
    best = cheapest(found.candidates, found.demand, found.now_nano)
    worth = best is not None and found.now_nano - best.nano_per_hour >= WORTH * found.now_nano
    compared = sorted(
        (by_use(one, found.demand) for one in found.candidates),
        key=lambda one: (one.nano_per_hour, abs(one.nodes - found.demand.nodes_now), one.candidate.name),
    )
    if best is None or not worth:
        return replace(found, others=tuple(compared), why_not="no cheaper fleet holds its pods")
    return replace(found, best=best, others=_checked(best, compared, found.demand, rows))


def _checked(best: Fitted, compared: Sequence[Fitted], demand: Demand, most: int) -> tuple[Fitted, ...]:
    """Of each family the cheapest sizes, the cheapest of all first; packed too where they can be."""
    families: dict[str, list[Fitted]] = {}
    for one in compared:
        if one.candidate.name != best.candidate.name:
            families.setdefault(one.candidate.family, []).append(one)
    shown = [one for rows in families.values() for one in rows[:ROWS]]
    shown.sort(key=lambda one: (one.nano_per_hour, one.candidate.name))
    return tuple(fitted(one.candidate, demand, one.nodes) or one for one in shown[:most])


def _demand(scene: Scene, fleet: Fleet, part: PoolSlice, used: Room | None) -> Demand:
    def budgeted(pod: Pod) -> bool:
        return any(one.covers(pod) for one in fleet.budgets)

    return Demand(
        pods=part.pods,
        zones=part.zones,
        used=rounded(used) if used else None,
        cpu_target=scene.settings.cpu_target,
        memory_target=scene.settings.memory_target,
        daemons=part.daemons,
        kept=kept(part),
        least_nodes=least_nodes(part, budgeted),
        nodes_now=len(part.nodes),
    )


def rounded(used: Room) -> Room:
    """Three digits, as the answer shows them: the lines of the arithmetic can be done by hand."""
    return Room(float(f"{used.cores:.3g}"), float(f"{used.memory_bytes / GIB:.3g}") * GIB, used.pods)


def _unjudged(plan: PoolPlan, use: NodeUse, priced: bool) -> str:
    """Why nothing may be proposed for a pool, if so."""
    if not priced:
        return "the price of its nodes is not known"
    if plan.demand.used is None:
        return f"{use.says}: without it a smaller fleet would be a guess"
    if rules := stays(plan.part):
        return f"pods with rules that packing cannot judge ({brief(rules, 3)})"
    return ""


def candidates_of(
    part: PoolSlice,
    shapes: Mapping[str, Shape],
    offers: Mapping[str, Price],
    families: Sequence[str],
    architecture: str = "",
) -> tuple[Candidate, ...]:
    """The types that a pool could buy: allowed families, its architecture, priced, of its own kind."""
    arch = architecture or part.nodes[0].architecture
    now = [shapes[one.instance_type] for one in part.nodes if one.instance_type in shapes]
    gpus, burst = any(one.gpus for one in now), any(one.burstable for one in now)
    made = []
    for name, shape in sorted(shapes.items()):
        fits_family = any(fnmatchcase(shape.family, word) for word in families)
        same_kind = shape.architecture == arch and not shape.bare_metal and bool(shape.gpus) == gpus
        if not fits_family or not same_kind or (shape.burstable and not burst) or name not in offers:
            continue
        labels = {**part.labels, **labels_of(shape)}
        if allows(part.pool, labels):
            made.append(Candidate(name, capacity_of(shape, part, shapes), offers[name].nano_usd, labels))
    return tuple(made)
