"""A NodePool before it has nodes: the cheapest, middle and dearest type that it may buy, up to its limits.

Called by `estimate_reading`. How much of it will be bought is the pods' doing: there is a range, no number.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from aiops_cost.analysis.fleet import Fleet
from aiops_cost.clients.estimate_market import MarketReader, allowed, takes_spot
from aiops_cost.clients.estimate_shapes import GIB, Change
from aiops_cost.clients.fleet_shapes import nodepool_of, number
from aiops_cost.models.money import HOURS_PER_MONTH, NANO, to_cents, worded
from aiops_cost.models.prices import Price, Shape
from aiops_shared.kube.shapes import mapping
from aiops_shared.results import Cell, Table

COLUMNS = ("which", "type", "vcpus", "gib", "hour_usd", "month_usd", "most_nodes", "at_limit_usd")


@dataclass(frozen=True, slots=True)
class PoolPrices:
    """What one pool may cost."""

    says: str
    table: Table | None = None
    unpriced: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    as_of: str = ""


@dataclass(frozen=True)
class PoolPricer:
    """Prices NodePools."""

    market: MarketReader
    fleet: Fleet

    async def price(self, change: Change) -> PoolPrices:
        """The range of one pool. Raises what prices and shapes raise."""
        if change.after is None:
            return PoolPrices(
                "", unpriced=(f"{change.label}: its nodes go with it, as pods find other room",)
            )
        pool = nodepool_of(change.after)
        shapes = await self.market.shapes(pool, None)
        limits = mapping(mapping(change.after.get("spec")).get("limits"))
        # A node that alone is larger than the limits is never bought.
        fits = {name: one for name, one in allowed(pool, shapes).items() if most_nodes(one, limits) != 0}
        plain = await self.market.on_demand(fits)
        ranked = sorted(plain.values(), key=lambda one: (one.nano_usd, one.what))
        chosen = {one.what: fits[one.what] for one in _three(ranked)}
        prices = await self.market.prices(pool, chosen) if takes_spot(pool) else plain
        if not all(name in prices for name in chosen) or not chosen:
            why = "no instance type meets its requirements" if not fits else "none of its types has a price"
            return PoolPrices("", unpriced=(f"{change.label}: {why}",), warnings=(*shapes.gaps, *prices.gaps))
        rows = tuple(
            _row(which, prices[name], shape, limits)
            for which, (name, shape) in zip(("cheapest", "middle", "dearest"), chosen.items(), strict=False)
        )
        ends = [
            most
            for name, shape in chosen.items()
            if (most := _at_limit(prices[name], shape, limits)) is not None
        ]
        how = "as Spot (chosen by their price on demand)" if takes_spot(pool) else "on demand"
        hours = [prices[name].nano_usd for name in chosen]
        low, high = (worded(one * HOURS_PER_MONTH) for one in (min(hours), max(hours)))
        says = f"{change.label} may buy {len(ranked)} types {how}, {low} to {high} a month each"
        says += f"; at its limits {worded(min(ends))} to {worded(max(ends))}" if ends else "; it has no limit"
        return PoolPrices(
            says,
            Table(columns=COLUMNS, rows=rows),
            warnings=(*shapes.gaps, *prices.gaps),
            as_of=min(prices[name].as_of for name in chosen),
        )


def _three(ranked: Sequence[Price]) -> tuple[Price, ...]:
    """The cheapest, the middle and the dearest; fewer where there are fewer."""
    places = sorted({0, (len(ranked) - 1) // 2, len(ranked) - 1}) if ranked else []
    return tuple(ranked[place] for place in places)


def most_nodes(shape: Shape, limits: dict[str, Any]) -> int | None:
    """How many nodes of a type its limits of CPU and memory allow; None without such a limit."""
    found = []
    if limits.get("cpu") is not None and shape.vcpus:
        found.append(int(number(limits["cpu"]) // shape.vcpus))
    if limits.get("memory") is not None and shape.memory_bytes:
        found.append(int(number(limits["memory"]) // shape.memory_bytes))
    return min(found) if found else None


def _at_limit(price: Price, shape: Shape, limits: dict[str, Any]) -> int | None:
    nodes = most_nodes(shape, limits)
    return None if nodes is None else nodes * price.nano_usd * HOURS_PER_MONTH


def _row(which: str, price: Price, shape: Shape, limits: dict[str, Any]) -> tuple[Cell, ...]:
    nodes, most = most_nodes(shape, limits), _at_limit(price, shape, limits)
    return (
        which,
        price.what,
        shape.vcpus,
        round(shape.memory_bytes / GIB, 2),
        price.nano_usd / NANO,
        to_cents(price.nano_usd * HOURS_PER_MONTH) / 100,
        nodes,
        None if most is None else to_cents(most) / 100,
    )
