"""What the cluster could buy for pods: the types that each pool allows, with their prices and what they hold.

Called by `estimate_reading`. A NodePool that allows Spot is priced at Spot's mean, since Karpenter takes Spot
first where both are allowed (karpenter.sh, "NodePools", capacity type); one that says nothing buys on demand.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aiops_cost.analysis.estimating import Market
from aiops_cost.analysis.fleet import FARGATE, SPOT, Fleet, Pod, Pool, Room
from aiops_cost.analysis.fleets import ZONE, Candidate
from aiops_cost.analysis.pool_slices import (
    ARCH,
    KARPENTER,
    TYPE,
    PoolSlice,
    allows,
    capacity_of,
    kept,
    labels_of,
    slices,
    tolerates,
)
from aiops_cost.analysis.spot_prices import mean_of
from aiops_cost.clients.price_book import PriceBook
from aiops_cost.models.prices import Price, Quotes, Shape
from aiops_shared.aws.target import AwsTarget
from aiops_shared.errors import AiopsError

CAPACITY = "karpenter.sh/capacity-type"
CATEGORY, FAMILY = KARPENTER + "category", KARPENTER + "family"
MOST_ON_SPOT = 60  # types of one pool whose history is read: the cheapest that hold the largest pod
GIB = 1024**3


@dataclass(frozen=True, slots=True)
class Markets:
    """What may be bought, and what could not be asked."""

    markets: tuple[Market, ...]
    gaps: tuple[str, ...] = ()
    as_of: str = ""
    source: str = ""


class MarketReader:
    """Types and prices of pools. Raises `AiopsError` only."""

    def __init__(self, book: PriceBook, region: str, at: AwsTarget | None) -> None:
        self._book, self._region, self._at = book, region, at

    async def markets(self, fleet: Fleet, pods: Sequence[Pod]) -> Markets:
        """Every pool that tolerates the pods. Raises what prices and shapes raise."""
        parts = {part.name: part for part in slices(fleet)}
        pools: list[tuple[str, Pool | None]] = [(one.name, one) for one in fleet.pools]
        pools += [(name, None) for name in parts if name not in {one.name for one in fleet.pools}]
        taken = [
            (name, pool)
            for name, pool in pools
            if all(tolerates(pod, pool.taints if pool else ()) for pod in pods)
        ]
        found: list[Market] = []
        gaps: list[str] = []
        days: list[Price] = []
        for name, pool in taken:
            part = parts.get(name)
            shapes = await self.shapes(pool, part)
            fits = _roomy(self._allowed(pool, part, shapes), pods)
            prices = await self.prices(pool, fits)
            gaps += [*shapes.gaps, *prices.gaps]
            days += prices.values()
            found.append(_market(name, pool, part, parts, fits, prices, shapes))
        oldest = min(days, key=lambda one: one.as_of, default=None)
        return Markets(
            tuple(one for one in found if one.candidates),
            tuple(dict.fromkeys(gaps)),
            oldest.as_of if oldest else "",
            oldest.source if oldest else "",
        )

    async def shapes(self, pool: Pool | None, part: PoolSlice | None) -> Quotes[str, Shape]:
        """The types that may fit a pool's words, and those it has."""
        words = _words(pool) if pool else set()
        words |= {node.instance_type for node in part.nodes} if part else set()
        return await self._book.instance_shapes(words or {"*"}, self._region, at=self._at)

    def _allowed(
        self, pool: Pool | None, part: PoolSlice | None, shapes: Mapping[str, Shape]
    ) -> dict[str, Shape]:
        if pool is None:
            mine = part.main_type if part else ""
            return {name: one for name, one in shapes.items() if name == mine}
        return allowed(pool, shapes)

    async def on_demand(self, fits: Mapping[str, Shape]) -> Quotes[str, Price]:
        """By the hour, on demand."""
        return await self._book.on_demand(fits, self._region) if fits else Quotes()

    async def prices(self, pool: Pool | None, fits: Mapping[str, Shape]) -> Quotes[str, Price]:
        """By the hour: Spot's mean over the zones for a pool that takes it, else on demand."""
        plain = await self.on_demand(fits)
        if not takes_spot(pool) or not plain:
            return plain
        cheapest = sorted(plain, key=lambda name: (plain[name].nano_usd, name))[:MOST_ON_SPOT]
        try:
            spans = await self._book.spot(cheapest, self._region, zones_of(pool), at=self._at)
        except AiopsError as error:
            said = f"Spot prices were not read, on-demand prices stand in: {error.wire()}"
            return Quotes(dict(plain), (*plain.gaps, said))
        by_type: dict[str, list[Price]] = {}
        for (name, _), price in spans.items():
            by_type.setdefault(name, []).append(price)
        made = {
            name: held[0].model_copy(update={"nano_usd": mean_of([one.nano_usd for one in held]), "zone": ""})
            for name, held in by_type.items()
        }
        return Quotes(made, (*plain.gaps, *spans.gaps))


def _roomy(shapes: Mapping[str, Shape], pods: Sequence[Pod]) -> dict[str, Shape]:
    """The types that could hold each of the pods."""
    cores = max((one.requests.cores for one in pods), default=0.0)
    memory = max((one.requests.memory_bytes for one in pods), default=0.0)
    return {name: one for name, one in shapes.items() if one.vcpus >= cores and one.memory_bytes >= memory}


def takes_spot(pool: Pool | None) -> bool:
    """Whether its nodes are bought as Spot when they can be."""
    if pool is None:
        return False
    operator, values = pool.requirements.get(CAPACITY, ("", ()))
    return (operator == "In" and SPOT in values) or (operator == "NotIn" and SPOT not in values)


def zones_of(pool: Pool | None) -> tuple[str, ...]:
    """The zones that its requirements name; empty: any."""
    operator, values = pool.requirements.get(ZONE, ("", ())) if pool else ("", ())
    return values if operator == "In" else ()


def allowed(pool: Pool, shapes: Mapping[str, Shape]) -> dict[str, Shape]:
    """The types that a pool's requirements let it buy; metal, GPUs and old ones only where it names them.

    A pool that speaks of no architecture counts as amd64: whether images run on arm64 is not known here.
    """
    any_processor = ARCH in pool.requirements
    named = set(pool.requirements.get(TYPE, ("", ()))[1])
    families = set(pool.requirements.get(FAMILY, ("", ()))[1])
    found = {}
    for name, shape in shapes.items():
        if not any_processor and shape.architecture != "amd64":
            continue
        usual = not shape.bare_metal and not shape.gpus and shape.current
        if not usual and name not in named and shape.family not in families:
            continue
        if allows(pool, {**pool.labels, **labels_of(shape)}, ()):
            found[name] = shape
    return found


def _words(pool: Pool) -> set[str]:
    """The narrowest names for what a pool may buy, as EC2's filter takes them."""
    for key, pattern in ((TYPE, "{}"), (FAMILY, "{}.*"), (CATEGORY, "{}*")):
        operator, values = pool.requirements.get(key, ("", ()))
        if operator == "In" and values:
            return {
                pattern.format(value) for value in values if value.replace("-", "").replace(".", "").isalnum()
            }
    return {"*"}


def _market(
    name: str,
    pool: Pool | None,
    part: PoolSlice | None,
    parts: Mapping[str, PoolSlice],
    fits: Mapping[str, Shape],
    prices: Mapping[str, Price],
    shapes: Mapping[str, Shape],
) -> Market:
    # A pool without nodes will look as the largest one does: the same DaemonSets, the same kubelet.
    like = part or next(iter(parts.values()), None)
    own = dict(part.labels) if part else dict(pool.labels) if pool else {}
    if pool is not None and pool.kind == "NodePool":
        own |= {"karpenter.sh/nodepool": pool.name, CAPACITY: SPOT if takes_spot(pool) else "on-demand"}
    candidates = tuple(
        Candidate(
            one.name,
            capacity_of(one, like, shapes)
            if like
            else Room(float(one.vcpus), float(one.memory_bytes), one.max_pods),
            prices[one.name].nano_usd,
            {**own, **labels_of(one)},
        )
        for one in sorted(fits.values(), key=lambda one: one.name)
        if one.name in prices and one.vcpus
    )
    zones = zones_of(pool) or tuple(sorted({zone for each in parts.values() for zone in each.zones}))
    return Market(
        name,
        candidates,
        zones,
        like.daemons if like else Room(0, 0, 0),
        kept(like) if like else Room(0, 0, 0),
        own,
        pool.taints if pool else (),
        takes_spot(pool),
    )


def fargate_only(fleet: Fleet) -> bool:
    """Whether the cluster has no node of EC2."""
    return all(one.capacity_type == FARGATE for one in fleet.nodes)
