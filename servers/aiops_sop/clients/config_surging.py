"""The kinds that prepare for a surge: schedule, placeholders, room in the NodePool.

Called by `config_making`. Without a surge nothing is made and the answer says why: what happened once, or is
within the usual, is nothing to prepare for (F6n1).
"""

from typing import Final

from aiops_shared.errors import AiopsError
from aiops_sop.analysis.configs.facts import Pool, Scaler
from aiops_sop.analysis.configs.pools import new_pool
from aiops_sop.analysis.configs.surges import (
    Surge,
    by_cron_jobs,
    by_keda,
    is_surge,
    placeholders,
    pool_limit,
    room,
)
from aiops_sop.analysis.tables import rows_of
from aiops_sop.clients.config_scene import Scene

KEDA: Final = "scaledobjects.keda.sh"


async def schedule(scene: Scene) -> None:
    """The minimum raised before the surge and given back after it."""
    found = await _surge(scene)
    if found is None:
        return
    surge, scaler = found
    if await scene.reader.has_kind(scene.ask, KEDA):
        scene.drafts += by_keda(scene.workload, scaler, surge, scene.reasons)
        scene.decisions.append(
            f"KEDA makes an autoscaler of its own: {scaler.name} must be deleted with this change."
        )
    else:
        version = await scene.reader.version(scene.ask)
        scene.drafts += by_cron_jobs(scene.workload, scaler, surge, version, scene.reasons)
    scene.decisions.append(
        f"minReplicas {scaler.least} -> {surge.replicas} at {surge.ready_by:%a %H:%M} UTC, back at"
        f" {surge.until:%a %H:%M}: more than a step of 50 %, so the schedule itself needs one approval."
    )
    scene.decisions.append(await _miss(scene, surge, scaler))


async def placeholder(scene: Scene) -> None:
    """Pods that hold room for the surge."""
    found = await _surge(scene)
    if found is None:
        return
    surge, scaler = found
    if not scene.workload.container.cpu:
        scene.lacks(
            "requests of the workload: without them a placeholder has no size; generate resources first"
        )
        return
    scene.drafts += placeholders(scene.workload, scaler, surge, scene.reasons)
    extra = surge.replicas - scaler.least
    scene.decisions.append(
        f"{extra} placeholders hold {extra * scene.workload.container.cpu:g} cores for as long as they"
        " stand: scale them to 0 when the surge is over."
    )


async def nodepool(scene: Scene) -> None:
    """Room in the pool that stands; a pool of its own where there is none."""
    pools = await scene.pools()
    if not pools:
        await own_pool(scene)
        return
    found = await _surge(scene)
    if found is None:
        return
    surge, scaler = found
    needed = room(scene.workload, scaler, surge, _largest(pools))
    if not needed.short:
        limit = f"limits.cpu {needed.pool.limit_cpu:g}" if needed.pool.limit_cpu else "no limit"
        scene.decisions.append(
            f"NodePool {needed.pool.name} has room ({limit}): {needed.arithmetic} cores are enough."
        )
        return
    scene.drafts.append(pool_limit(scene.workload, needed, scene.reasons))
    scene.decisions.append(
        f"NodePool {needed.pool.name}: limits.cpu {needed.pool.limit_cpu:g} -> {needed.wanted_cpu}: without"
        f" it pods of the surge stay pending ({needed.arithmetic})."
    )


async def own_pool(scene: Scene) -> None:
    """A NodePool from the measured ratio of CPU and memory, in the zones that are in use."""
    cpu, memory = await scene.pods("cpu"), await scene.pods("memory")
    if not cpu or not memory:
        return
    pools = await scene.pools()
    zones = (
        _largest(pools).zones
        if pools
        else tuple(
            sorted({str(row["zone"]) for row in await scene.reader.nodes(scene.ask) if row.get("zone")})
        )
    )
    node_class = _largest(pools).node_class if pools else {}
    most = scene.workload.scaler.most if scene.workload.scaler else scene.workload.replicas * 2
    scene.drafts.append(new_pool(scene.workload, (cpu, memory), zones, node_class, most, scene.reasons))


def _largest(pools: tuple[Pool, ...]) -> Pool:
    return max(pools, key=lambda one: (one.used_cpu, one.name))


async def _surge(scene: Scene) -> tuple[Surge, Scaler] | None:
    scaler = scene.workload.scaler
    if scaler is None:
        scene.lacks("an HPA of the workload: generate hpa first, a schedule moves its minimum")
        return None
    found = await scene.surge()
    if found is None:
        return None
    if not is_surge(found, scaler):
        scene.quiet = (
            f"Nothing to prepare: the next peak ({found.at:%a %Y-%m-%d %H:%M} UTC, {found.value:.4g}"
            f" requests/s) is {found.value / found.usual:.1f} x a usual day's and takes {found.replicas}"
            f" replicas; the HPA keeps {scaler.least}."
        )
        return None
    return found, scaler


async def _miss(scene: Scene, surge: Surge, scaler: Scaler) -> str:
    """What a surge that does not come costs (F6n3): pods and, where a price is known, money."""
    hours = (surge.until - surge.ready_by).total_seconds() / 3600
    extra = surge.replicas - scaler.least
    text = (
        f"If the surge does not come (a holiday), {extra} pods run {hours:g} h for nothing ="
        f" {extra * hours:g} pod-hours"
    )
    pools = await scene.pools()
    price = await _price(scene)
    if pools and price:
        nodes = room(scene.workload, scaler, surge, _largest(pools)).nodes
        cost = nodes * hours * price[1]
        text += f", {nodes} nodes x {hours:g} h x {price[1]:g} USD ({price[0]}) = {cost:.2f} USD"
    return f"{text}; the revert comes at {surge.until:%a %H:%M} UTC either way."


async def _price(scene: Scene) -> tuple[str, float] | None:
    """The type of most of its nodes and its price an hour on demand; None where no price is known."""
    rows = await scene.reader.nodes(scene.ask)
    kinds = [str(row["type"]) for row in rows if row.get("type")]
    if not kinds:
        return None
    kind = max(kinds, key=kinds.count)
    try:
        found = await scene.reader.asked("cost", "list_prices", scene.ask, what=kind, limit=1)
    except AiopsError:
        return None
    for row in rows_of(found, "prices"):
        for name, value in row.items():
            if "demand" in name and isinstance(value, int | float | str):
                return kind, float(value)
    return None
