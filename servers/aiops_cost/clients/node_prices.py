"""What each node costs an hour: its type's list price, or the Spot price of its zone.

Read once for a scene. A node whose price is not known has none: what depends on it says so. Called by the
advisers that put a price on room.
"""

from dataclasses import dataclass

from aiops_cost.analysis.fleet import FARGATE, SPOT, Fleet
from aiops_cost.clients.savings_scene import Scene


@dataclass(frozen=True, slots=True)
class NodePrices:
    """Billionths of a dollar an hour by node; `gaps` say what is missing, `as_of` the day of the prices."""

    by_node: dict[str, int]
    gaps: tuple[str, ...] = ()
    as_of: str = ""


async def node_prices(scene: Scene) -> NodePrices:
    """The prices of the cluster's nodes. Raises what the fleet and the Price List raise."""
    return await scene.once("node-prices", lambda: _read(scene))


async def _read(scene: Scene) -> NodePrices:
    fleet, region = await scene.fleet(), await scene.region()
    types = {one.instance_type for one in fleet.nodes if one.instance_type}
    spot_types = {one.instance_type for one in fleet.nodes if one.capacity_type == SPOT}
    plain = await scene.sources.prices.on_demand(types, region) if types else None
    spot = await scene.sources.prices.spot(spot_types, region) if spot_types else None
    found: dict[str, int] = {}
    days: set[str] = set()
    for node in fleet.nodes:
        price = None
        if node.capacity_type == SPOT and spot is not None:
            price = spot.get((node.instance_type, node.zone))
        elif node.capacity_type != FARGATE and plain is not None:
            price = plain.get(node.instance_type)
        if price is not None:
            found[node.name] = price.nano_usd
            days.add(price.as_of)
    gaps = (*(plain.gaps if plain is not None else ()), *(spot.gaps if spot is not None else ()))
    return NodePrices(found, (*gaps, *_missing(fleet, found)), min(days, default=""))


def _missing(fleet: Fleet, found: dict[str, int]) -> tuple[str, ...]:
    types = sorted({one.instance_type or one.capacity_type for one in fleet.nodes if one.name not in found})
    return (f"no price is known of nodes of {', '.join(types[:5])}",) if types else ()
