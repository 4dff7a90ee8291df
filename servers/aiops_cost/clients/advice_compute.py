"""Compute: another family or size, or fewer nodes, for each pool whose pods a cheaper fleet would hold.

The plan is `compute_plan`'s; here it is put into words: what it costs now, what use and packing ask for, what
it would cost, what was compared, and the NodePool's patch.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from aiops_cost.analysis.fleet import FARGATE
from aiops_cost.analysis.fleets import GIB, Fitted
from aiops_cost.analysis.patches_nodepool import CHECKED, machines, nodepool, requirements_with, yaml_of
from aiops_cost.analysis.pool_slices import PoolSlice
from aiops_cost.analysis.scheduling import tried
from aiops_cost.clients.compute_plan import Plans, PoolPlan, plans
from aiops_cost.clients.savings_scene import Scene
from aiops_cost.models.money import HOURS_PER_MONTH, NANO, share, shown, worded
from aiops_cost.models.savings import Advice, Recommendation, Risk, Scope
from aiops_shared.results import Cell, Table
from aiops_shared.results.wording import brief, counted

FAMILY, SIZE, IDLE = "INSTANCE_FAMILY_MISMATCH", "NODES_OVERSIZED", "NODES_IDLE"
GUESSED: Final = Risk(
    level="high", why="use is one day of the pods alone: measure the nodes for a week (AIOPS_METRICS_*) first"
)
COLUMNS: Final = ("type", "nodes", "by CPU", "by memory", "USD/month", "packs")


def key_of(part: PoolSlice) -> str:
    """The key of a pool's recommendation, on which those of Spot and Graviton stand."""
    return f"compute/{part.name}"


def per_hour(nano: int) -> str:
    """`$0.504`: a price with all its digits."""
    return f"${nano / NANO:.6f}".rstrip("0").rstrip(".")


@dataclass(frozen=True)
class ComputeAdviser:
    """Fulfils `savings_scene.Adviser`."""

    scope: Scope = "compute"

    async def advise(self, scene: Scene) -> Advice:
        """One recommendation for each pool that could cost less; why not, for the others."""
        found = await plans(scene)
        made = tuple(_recommended(plan, plan.best, found) for plan in found.pools if plan.best is not None)
        others = [plan for plan in found.pools if plan.best is None]
        says = "; ".join(f"{plan.part.target}: {plan.why_not}" for plan in others[:3])
        if not found.pools:
            fargate = any(one.capacity_type == FARGATE for one in (await scene.fleet()).nodes)
            says = "no EC2 nodes" + (" (Fargate only)" if fargate else "")
        return Advice(recommendations=made, says=says and f"compute: {says}", warnings=found.warnings)


def _recommended(plan: PoolPlan, best: Fitted, found: Plans) -> Recommendation:
    month = best.nano_per_hour * HOURS_PER_MONTH
    saved = plan.now_month - month
    families = {one.instance_type.partition(".")[0] for one in plan.part.nodes}
    code = FAMILY if best.candidate.family not in families else SIZE
    if {best.candidate.name} == {one.instance_type for one in plan.part.nodes}:
        code = IDLE
    proposed = f"{best.nodes} x {best.candidate.name}"
    return Recommendation(
        key=key_of(plan.part),
        code=code,
        scope="compute",
        target=plan.part.target,
        current=mix(plan.part),
        proposed=proposed,
        nano_usd=saved,
        monthly_usd=shown(saved),
        percent=share(saved, plan.now_month),
        arithmetic=(*now_lines(plan, found), *_need(plan, best), *_then(plan, best, month)),
        assumptions=(*([] if found.use.whole else [f"use: {found.use.says}"]), *_assumptions(plan, best)),
        risk=_risk(plan, code) if found.use.whole else GUESSED,
        patch=_patch(plan, best),
        validated=CHECKED if plan.part.pool and plan.part.pool.kind == "NodePool" else _by_hand(best),
        alternatives=_alternatives(plan),
        sources=found.sources,
    )


def mix(part: PoolSlice) -> str:
    """`8 x c5.4xlarge`, `3 x m5.large (spot)`."""
    counts: dict[str, int] = {}
    for node in part.nodes:
        name = node.instance_type + (" (spot)" if node.capacity_type == "spot" else "")
        counts[name] = counts.get(name, 0) + 1
    return brief(
        [f"{number} x {name}" for name, number in sorted(counts.items(), key=lambda one: -one[1])], 4
    )


def now_lines(plan: PoolPlan, found: Plans) -> Iterator[str]:
    """What it costs now, by type and price."""
    groups: dict[tuple[str, int], int] = {}
    for node in plan.part.nodes:
        key = node.instance_type, found.prices.by_node.get(node.name, 0)
        groups[key] = groups.get(key, 0) + 1
    for (name, nano), number in sorted(groups.items(), key=lambda one: -one[1]):
        month = worded(number * nano * HOURS_PER_MONTH)
        yield f"now: {number} x {name} x {per_hour(nano)} x {HOURS_PER_MONTH} h = {month}"


def _need(plan: PoolPlan, best: Fitted) -> Iterator[str]:
    demand, room = plan.demand, best.candidate.capacity
    if demand.used is None:
        return
    yield (
        f"CPU: {demand.used.cores:g} used / {demand.cpu_target:g} = {demand.cores_needed:.4g} vCPU"
        f" / {room.cores:g} = {best.by_cpu} nodes"
    )
    gib, have = demand.memory_needed / GIB, best.nodes * room.memory_bytes / GIB
    sign = "<=" if gib <= have else "~"
    yield (
        f"memory: {demand.used.memory_bytes / GIB:g} GiB used / {demand.memory_target:g} = {gib:.4g} GiB"
        f" {sign} {have:.4g} GiB: {best.by_memory} nodes suffice"
    )
    least = max(best.by_cpu, best.by_memory)
    more = f", {best.nodes - least} more than use asks for" if best.nodes > least else ""
    waits = f" ({len(plan.part.waiting)} of them wait now)" if plan.part.waiting else ""
    yield (
        f"packing: {counted(len(demand.pods), 'pod')}{waits} and the DaemonSets fit what is allocatable of"
        f" {counted(best.nodes, 'node')}{more}, by the default scheduler in {tried(len(demand.pods))} orders"
    )


def _then(plan: PoolPlan, best: Fitted, month: int) -> Iterator[str]:
    each = per_hour(best.candidate.nano_usd)
    yield f"then: {best.nodes} x {best.candidate.name} x {each} x {HOURS_PER_MONTH} h = {worded(month)}"
    yield f"saved: {worded(plan.now_month)} - {worded(month)} = {worded(plan.now_month - month)}"


def _assumptions(plan: PoolPlan, best: Fitted) -> Iterator[str]:
    demand = plan.demand
    yield (
        f"targets: CPU {demand.cpu_target:.0%}, memory {demand.memory_target:.0%} of capacity; at most"
        f" {demand.most_nodes} nodes; list prices"
    )
    bare = sum(pod.owner_kind == "Pod" for pod in plan.part.pods)
    if bare:
        yield f"{counted(bare, 'pod')} without a controller must be started again by hand"
    fixed = sum(not pod.evictable for pod in plan.part.pods)
    if fixed:
        yield f"{counted(fixed, 'pod')} not to be disrupted: their nodes stay until they go"
    if best.candidate.capacity.pods and len(demand.pods) > 0.8 * best.nodes * best.candidate.capacity.pods:
        yield "the number of pods a node can hold is nearly reached"


def _risk(plan: PoolPlan, code: str) -> Risk:
    if code == IDLE:
        return Risk(level="low", why="the same machines, fewer of them; pods of the ones that go move once")
    kinds = {pod.owner_kind for pod in plan.part.pods}
    if "StatefulSet" in kinds or any(pod.claims for pod in plan.part.pods):
        return Risk(level="medium", why="every pod moves once, those with volumes or an identity too")
    return Risk(level="low", why="every pod moves once, as when nodes are updated")


def _patch(plan: PoolPlan, best: Fitted) -> str:
    pool = plan.part.pool
    if pool is None or pool.kind != "NodePool":
        return ""
    family, _, size = best.candidate.name.partition(".")
    wanted = best.nodes * best.candidate.capacity.cores
    raised = wanted if 0 < pool.cpu_limit < wanted else 0.0
    return yaml_of(nodepool(pool.name, requirements_with(pool, *machines(family, size)), cores=raised))


def _by_hand(best: Fitted) -> str:
    """A node group's type cannot be changed: another group takes its place."""
    return (
        f"no YAML: create a node group of {best.candidate.name} with {best.nodes} nodes, drain the old one"
        " (plan_node_change), delete it"
    )


def _alternatives(plan: PoolPlan) -> Table | None:
    rows: list[tuple[Cell, ...]] = [
        (
            one.candidate.name,
            one.nodes,
            one.by_cpu,
            one.by_memory,
            shown(one.nano_per_hour * HOURS_PER_MONTH),
            one.packed,
        )
        for one in plan.others
    ]
    return Table(columns=COLUMNS, rows=tuple(rows)) if rows else None
