"""Spot: as many nodes as the pods that may be interrupted fill, within what the interruption risk allows.

It stands on the compute advice where that is asked for too, so that both amounts add up: the nodes that are
left on demand must hold the rest by use and by packing.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from aiops_cost.analysis.fleet import ON_DEMAND, SPOT, Pod, Room
from aiops_cost.analysis.fleets import Candidate, Demand, Fitted, by_use, loads_of, room_for_pods, slots_of
from aiops_cost.analysis.packing import pack
from aiops_cost.analysis.patches_nodepool import CAPACITY, CHECKED, nodepool, requirements_with, yaml_of
from aiops_cost.analysis.pool_slices import TYPE, capacity_of, labels_of
from aiops_cost.analysis.scheduling import schedules
from aiops_cost.analysis.spot_risk import SpotRisk, eligible, risk_of, share_of, workloads
from aiops_cost.clients.advice_compute import key_of, per_hour
from aiops_cost.clients.compute_plan import Plans, PoolPlan, plans
from aiops_cost.clients.savings_scene import Scene
from aiops_cost.models.money import HOURS_PER_MONTH, share, shown, worded
from aiops_cost.models.prices import Price, Quotes, Shape, SpotSpan
from aiops_cost.models.savings import Advice, Level, Recommendation, Risk, Scope
from aiops_shared.errors import AiopsError
from aiops_shared.results.wording import brief, counted, quotable

CODE: Final = "SPOT_ELIGIBLE"
LEVELS: Final[tuple[Level, ...]] = ("low", "medium", "high")
MOST_TYPES: Final = 8


@dataclass(frozen=True, slots=True)
class SpotPlan:
    """So many nodes of a fleet on Spot. `base`: the fleet it stands on; `after`: whose key that is."""

    plan: PoolPlan
    base: Fitted
    nodes: int
    nano_usd: int  # an hour of one, mean over the zones
    names: frozenset[tuple[str, str]]
    share: float
    risk: SpotRisk
    types: tuple[str, ...]
    after: str = ""

    @property
    def saved_nano(self) -> int:
        """A month, billionths."""
        return self.nodes * (self.base.candidate.nano_usd - self.nano_usd) * HOURS_PER_MONTH


@dataclass(frozen=True)
class SpotAdviser:
    """Fulfils `savings_scene.Adviser`."""

    scope: Scope = "spot"

    async def advise(self, scene: Scene) -> Advice:
        """One recommendation for each pool with pods that may be interrupted."""
        found = await plans(scene)
        whole = await spot_plans(scene)
        says = "; ".join(f"{name}: {why}" for name, why in whole.why_not[:3])
        return Advice(
            recommendations=tuple(_recommended(one, found) for one in whole.plans),
            says=says and f"spot: {says}",
            warnings=whole.warnings,
        )


@dataclass(frozen=True, slots=True)
class SpotPlans:
    """All of them, and why the other pools have none."""

    plans: tuple[SpotPlan, ...] = ()
    why_not: tuple[tuple[str, str], ...] = ()
    warnings: tuple[str, ...] = ()


async def spot_plans(scene: Scene) -> SpotPlans:
    """Of the cluster's pools. Raises what the fleet and its prices raise."""
    return await scene.once("spot-plans", lambda: _made(scene))


async def _made(scene: Scene) -> SpotPlans:
    found = await plans(scene)
    made: list[SpotPlan] = []
    why_not: list[tuple[str, str]] = []
    warnings: list[str] = []
    for plan in found.pools:
        told = await _plan(scene, found, plan, warnings)
        if isinstance(told, str):
            why_not.append((plan.part.target, told))
        else:
            made.append(told)
    return SpotPlans(tuple(made), tuple(why_not), tuple(dict.fromkeys(warnings)))


def standing(scene: Scene, found: Plans, plan: PoolPlan) -> tuple[Fitted, str] | str:
    """The fleet that a saving stands on: the proposed one where that is asked for too, else today's."""
    if plan.best is not None and scene.ask.scope in {"all", "compute"}:
        return plan.best, key_of(plan.part)
    paid = [one for one in plan.part.nodes if one.capacity_type == ON_DEMAND]
    types = {one.instance_type for one in paid}
    if not paid:
        return "its nodes are Spot already"
    name = next(iter(types))
    if len(types) > 1 or name not in found.shapes or name not in found.offers:
        return f"its nodes are of {counted(len(types), 'type')}: ask for compute first"
    shape = found.shapes[name]
    room = capacity_of(shape, plan.part, found.shapes)
    labels = {**plan.part.labels, **labels_of(shape)}
    candidate = Candidate(name, room, found.offers[name].nano_usd, labels)
    return Fitted(candidate, len(plan.part.nodes), 0, 0, packed=True), ""


async def _plan(scene: Scene, found: Plans, plan: PoolPlan, warnings: list[str]) -> SpotPlan | str:
    stood = standing(scene, found, plan)
    if isinstance(stood, str):
        return stood
    base, after = stood
    fleet = await scene.fleet()
    names = eligible(plan.part.pods, fleet.budgets)
    if not names:
        return "no pods that may be interrupted (stateless, two replicas, a disruption budget, no local data)"
    quotes, spans = await _market(scene, found, plan, base.candidate.name)
    if not quotes:
        return f"no Spot price of {base.candidate.name} is known"
    types = await _alike(scene, found, plan, base.candidate)
    risk = risk_of(await _score(scene, found, types, base.nodes, warnings), list(spans.values()))
    part = share_of(plan.part.pods, names, base.candidate.capacity)
    standing_spot = sum(one.capacity_type == SPOT for one in plan.part.nodes) if not after else 0
    most = min(round(part * base.nodes), int(risk.share * base.nodes), base.nodes - 1) - standing_spot
    nodes = _fitting(plan.demand, base, names, part, most)
    if nodes < 1 and most >= 1:
        return "the rest of its pods would not fit the nodes that stay on demand"
    if nodes < 1:
        return f"pods that may be interrupted fill less than one node ({part:.0%} of what is requested)"
    mean = round(sum(one.nano_usd for one in quotes.values()) / len(quotes))
    if mean >= base.candidate.nano_usd:
        return f"Spot costs no less than on demand for {base.candidate.name}"
    return SpotPlan(plan, base, nodes, mean, names, part, risk, types, after)


async def _market(
    scene: Scene, found: Plans, plan: PoolPlan, name: str
) -> tuple[Quotes[tuple[str, str], Price], Quotes[tuple[str, str], SpotSpan]]:
    at = (await scene.eks()).target  # zones are named by each account for itself
    zones = plan.part.zones
    quotes = await scene.prices.spot([name], found.region, zones, at=at)
    return quotes, await scene.prices.spot_history([name], found.region, zones, at=at)


async def _alike(scene: Scene, found: Plans, plan: PoolPlan, base: Candidate) -> tuple[str, ...]:
    """Types that may stand for the one: as many cores, no less memory, the same processor's architecture."""
    own = found.shapes[base.name]
    more = await scene.prices.instance_shapes([f"{own.family[:1]}*.{own.size}"], found.region)

    def fits(one: Shape) -> bool:
        same = one.vcpus == own.vcpus and one.architecture == own.architecture and one.gpus == own.gpus
        return same and one.memory_bytes >= own.memory_bytes and not one.bare_metal and not one.burstable

    others = sorted(one.name for one in more.values() if fits(one) and one.name != base.name)
    return (base.name, *others)[:MOST_TYPES]


async def _score(
    scene: Scene, found: Plans, types: Sequence[str], nodes: int, warnings: list[str]
) -> int | None:
    """The best of the region's placement scores; None where it may not be asked."""
    try:
        eks = await scene.eks()
        answer: Any = await eks.call(
            "ec2",
            "get_spot_placement_scores",
            InstanceTypes=list(types),
            TargetCapacity=max(1, nodes),
            TargetCapacityUnitType="units",
            RegionNames=[found.region],
        )
    except AiopsError as error:
        warnings.append(f"coverage_gap: ec2:GetSpotPlacementScores: {error.wire()[:200]}")
        return None
    scores = [int(one.get("Score") or 0) for one in answer.get("SpotPlacementScores") or []]
    return max(scores, default=None)


def _fitting(demand: Demand, base: Fitted, names: frozenset[tuple[str, str]], part: float, most: int) -> int:
    """The most Spot nodes, so that what may not be interrupted fits the others by use and by packing."""

    def may(pod: Pod) -> bool:
        return (pod.namespace, pod.name) in names

    labels = {**base.candidate.labels}
    labels.pop(CAPACITY, None)
    fixed = tuple(pod for pod in demand.pods if CAPACITY not in pod.node_selector)
    if len(fixed) < len(demand.pods):
        labels[CAPACITY] = ON_DEMAND
    loads = loads_of(demand, labels, may)
    used = demand.used
    left = Room(used.cores * (1 - part), used.memory_bytes * (1 - part)) if used else None
    by_rest = by_use(base.candidate, replace(demand, used=left, least_nodes=1)).nodes
    room = room_for_pods(base.candidate.capacity, demand)
    for nodes in range(min(most, base.nodes - by_rest), 0, -1):
        slots = slots_of(room, base.nodes, demand, nodes)
        if loads is not None and pack(loads, slots) is not None and schedules(loads, slots):
            return nodes
    return 0


def _recommended(one: SpotPlan, found: Plans) -> Recommendation:
    base, name = one.base, one.base.candidate.name
    before = base.nano_per_hour * HOURS_PER_MONTH
    stay = base.nodes - one.nodes
    after = (stay * base.candidate.nano_usd + one.nodes * one.nano_usd) * HOURS_PER_MONTH
    who = {quotable("/".join(owner[::2])) for owner in workloads(one.plan.part.pods, one.names)}
    return Recommendation(
        key=f"spot/{one.plan.part.name}",
        code=CODE,
        scope="spot",
        target=one.plan.part.target,
        current=f"{base.nodes} x {name} on demand",
        proposed=f"{stay} on demand + {one.nodes} Spot",
        nano_usd=one.saved_nano,
        monthly_usd=shown(one.saved_nano),
        percent=share(one.saved_nano, one.plan.now_month),
        arithmetic=tuple(_lines(one, before, after)),
        assumptions=(
            f"on Spot: {brief(sorted(who), 3)}, which must tolerate its taint and prefer Spot (affinity)",
            f"{counted(len(one.types), 'type')} to choose from; Spot price: mean of 7 days and all its zones",
        ),
        risk=Risk(level=LEVELS[one.risk.level], why=f"two minutes' notice; {one.risk.why}"),
        patch=_patch(one),
        validated=CHECKED if _is_nodepool(one) else "no YAML: a second node group with capacityType SPOT",
        after=(one.after,) if one.after else (),
        sources=(f"EC2 Spot price history {found.region}", "EC2 Spot placement score"),
    )


def _lines(one: SpotPlan, before: int, after: int) -> Iterator[str]:
    base, stay = one.base, one.base.nodes - one.nodes
    yield (
        f"{len(one.names)} of {len(one.plan.part.pods)} pods may be interrupted: {one.share:.1%} of what is"
        f" requested x {base.nodes} nodes = {one.nodes}; the risk allows {one.risk.share:.0%}"
    )
    yield (
        f"({stay} x {per_hour(base.candidate.nano_usd)} + {one.nodes} x {per_hour(one.nano_usd)}) x"
        f" {HOURS_PER_MONTH} h = {worded(after)}"
    )
    yield f"saved: {worded(before)} - {worded(after)} = {worded(one.saved_nano)}"
    if one.after:
        now = one.plan.now_month
        yield (
            f"with the machines above: {worded(now)} - {worded(after)} = {worded(now - after)}"
            f" ({share(now - after, now)} %)"
        )


def _is_nodepool(one: SpotPlan) -> bool:
    return one.plan.part.pool is not None and one.plan.part.pool.kind == "NodePool"


def _patch(one: SpotPlan) -> str:
    """A second NodePool: tainted, so that only who tolerates it comes, and bounded to its share."""
    pool = one.plan.part.pool
    if pool is None or pool.kind != "NodePool":
        return ""
    wanted = requirements_with(pool, (TYPE, "In", one.types), (CAPACITY, "In", (SPOT,)))
    cores = one.nodes * one.base.candidate.capacity.cores
    patch = nodepool(f"{pool.name}-spot", wanted, cores=cores, weight=10, node_class=pool.node_class)
    template = patch["spec"]["template"]
    if pool.labels:
        template["metadata"] = {"labels": dict(pool.labels)}
    template["spec"]["taints"] = [
        {"key": key, "effect": effect, **({"value": value} if value else {})}
        for key, value, effect in (*pool.taints, (CAPACITY, SPOT, "NoSchedule"))
    ]
    return yaml_of(patch)
