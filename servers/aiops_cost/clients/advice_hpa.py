"""Autoscalers that watch the wrong thing or hold too many pods: the metric to scale on, the minimum to keep.

A change of metric saves nothing by itself; it lets the fleet be chosen by what the pods need. Called by
`recommend_savings`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import numpy as np

from aiops_cost.analysis.autoscaling import (
    Autoscaler,
    Floor,
    Seen,
    WrongMetric,
    at_most_always,
    high_floor,
    wrong_metric,
)
from aiops_cost.analysis.freed_room import RoomPrice, mean_price
from aiops_cost.analysis.patches_workload import manifest, written
from aiops_cost.analysis.sizing import Samples, replicas_at
from aiops_cost.clients.node_prices import node_prices
from aiops_cost.clients.savings_scene import Scene
from aiops_cost.clients.workload_objects import WorkloadObjects, require_namespace
from aiops_cost.clients.workload_shapes import containers_of
from aiops_cost.clients.workload_usage import WorkloadUsage, averaged, summed
from aiops_cost.models.money import nano, share, shown, worded
from aiops_cost.models.savings import Advice, Recommendation, Risk, Scope
from aiops_shared.errors import AiopsError
from aiops_shared.kube.gathering import gather_outcomes
from aiops_shared.metrics.ports import Target
from aiops_shared.results import Table
from aiops_shared.results.wording import counted, quotable

WRONG_METRIC: Final = "HPA_METRIC_MISMATCH"
HIGH_FLOOR: Final = "HPA_MINIMUM_HIGH"
MOST: Final = {False: 10, True: 40}
AT_ONCE: Final = 4
MEMORY_GOAL: Final = 0.8  # of the request: room for a new pod to start before the others are full
LEAST: Final = nano(1)
KINDS: Final = ("Deployment", "StatefulSet")


@dataclass(frozen=True, slots=True)
class Watched:
    """An autoscaler and how its workload lived; `room` is what one pod requests: cores, bytes."""

    scaler: Autoscaler
    seen: Seen
    room: tuple[float, float]
    gaps: tuple[str, ...] = ()

    @property
    def said(self) -> str:
        """`HPA shop/web`."""
        return f"HPA {self.scaler.namespace}/{self.scaler.name}"


class HpaAdviser:
    """Fulfils `savings_scene.Adviser`."""

    scope: Scope = "hpa"

    async def advise(self, scene: Scene) -> Advice:
        """Metrics and minimums. Raises what the Kubernetes API and the metrics raise."""
        await require_namespace(scene)
        objects = WorkloadObjects(scene)
        scalers = [one for one in (await objects.autoscalers()).values() if one.target_kind in KINDS]
        if not scalers:
            return Advice(says="hpa: there is no HorizontalPodAutoscaler of a Deployment or StatefulSet")
        await WorkloadUsage(scene).backend()
        asked = sorted(scalers, key=lambda one: (-one.current, one.namespace, one.name))
        look = partial(_watched, scene, objects)
        outcomes = await gather_outcomes(look, asked[: MOST[scene.ask.full]], at_once=AT_ONCE)
        found = [one for one in outcomes if isinstance(one, Watched)]
        price, gaps = await _price(scene)
        made = [one for each in found for one in _advised(each, price)]
        lost = [f"coverage_gap: hpa: {one.wire()}"[:300] for one in outcomes if isinstance(one, AiopsError)]
        good = len(found) - len({one.target for one in made})
        return Advice(
            recommendations=tuple(made),
            says=f"hpa: {counted(len(found), 'autoscaler')} looked at, {good} fit their workload",
            warnings=(*_ends(found), *lost, *gaps, *_gaps(found)),
        )


async def _price(scene: Scene) -> tuple[RoomPrice | None, tuple[str, ...]]:
    """What room costs; None where prices are not known: the advice stands without amounts then."""
    try:
        fleet, prices = await scene.fleet(), await node_prices(scene)
    except AiopsError as error:
        return None, (f"coverage_gap: hpa: no prices: {error.wire()}"[:300],)
    return mean_price(fleet.nodes, prices.by_node), tuple(f"coverage_gap: hpa: {gap}" for gap in prices.gaps)


async def _watched(scene: Scene, objects: WorkloadObjects, scaler: Autoscaler) -> Watched:
    """How the workload of an autoscaler lived over the window."""
    workload = await objects.workload(scaler.target_kind, scaler.namespace, scaler.target_name)
    containers = containers_of(workload)
    room = sum(one.cpu for one in containers), sum(one.memory for one in containers)
    target = Target(scaler.namespace, scaler.target_kind, scaler.target_name)
    usage = WorkloadUsage(scene)
    cpu, memory = await usage.told("cpu", target), await usage.told("memory", target)
    requests = await usage.told("requests_total", target)
    points = memory.points
    seen = Seen(
        step_s=memory.step_s,
        cpu=_over(averaged(cpu, points), room[0]),
        memory=_over(averaged(memory, points), room[1]),
        replicas=_count(memory.series, points),
        requests=summed(requests, points),
    )
    return Watched(scaler, seen, room, tuple(one.gap for one in (cpu, memory) if one.gap))


def _over(values: Samples, request: float) -> Samples:
    return values / request if request else np.full(values.shape, np.nan)


def _count(series: Sequence[Samples], points: int) -> Samples:
    """How many pods there were; NaN where none was seen, since that is a gap."""
    if not series:
        return np.full(points, np.nan)
    found = np.isfinite(np.vstack(series)).sum(axis=0).astype(np.float64)
    return np.where(found > 0, found, np.nan)


def _advised(one: Watched, price: RoomPrice | None) -> list[Recommendation]:
    found = []
    if wrong := wrong_metric(one.scaler, one.seen, MEMORY_GOAL):
        found.append(_metric(one, wrong))
    floor = high_floor(one.scaler, one.seen)
    if floor is not None and price is not None:
        saved = round(price.monthly(*one.room) / 730 * floor.spare_pod_hours)
        if saved >= LEAST:
            found.append(_minimum(one, floor, saved, price))
    return found


def _patch(scaler: Autoscaler, **spec: Any) -> tuple[str, str]:
    """YAML and how it was checked; none for an autoscaler that something else writes."""
    if scaler.owner.startswith("keda"):
        return "", "KEDA writes this autoscaler: change its ScaledObject's triggers instead"
    made = manifest("HorizontalPodAutoscaler", scaler.namespace, scaler.name, spec=spec)
    return written(
        made
    ), "fields of autoscaling/v2; plan it with plan_manifest(action=apply), which dry-runs it"


def _metric(one: Watched, wrong: WrongMetric) -> Recommendation:
    scaler = one.scaler
    more = min(scaler.most, replicas_at(wrong.pods, wrong.memory_p95, 1.0, wrong.memory_target))
    aim = {"type": "Utilization", "averageUtilization": round(100 * wrong.memory_target)}
    keep = {"type": "Utilization", "averageUtilization": round(100 * scaler.cpu_target)}
    patch, checked = _patch(
        scaler,
        metrics=[
            {"type": "Resource", "resource": {"name": "memory", "target": aim}},
            {"type": "Resource", "resource": {"name": "cpu", "target": keep}},
        ],
    )
    return Recommendation(
        key=f"hpa/{scaler.namespace}/{scaler.name}/metric",
        code=WRONG_METRIC,
        scope="hpa",
        target=one.said,
        current=f"scales on CPU at {scaler.cpu_target:.0%} of the request alone",
        proposed=f"scale on memory at {wrong.memory_target:.0%} of the request, CPU kept as second metric",
        arithmetic=(
            f"CPU p99 {wrong.cpu_most:.0%} of the request: it scales from {0.9 * scaler.cpu_target:.0%} on",
            f"memory p95 {wrong.memory_p95:.0%} of the request: what fills up first",
            f"at once it makes {more} pods of {wrong.pods}, if the load stays: they need room",
            "saves nothing by itself: nodes can then be chosen by what the pods need",
        ),
        assumptions=(
            "several metrics: the autoscaler takes the one that wants most pods",
            "memory must fall when more pods share the load: a heap that never shrinks keeps its pods",
        ),
        risk=Risk(level="medium", why="memory that does not fall after scaling out never scales in again"),
        patch=patch,
        validated=checked,
        alternatives=_by_requests(wrong),
    )


def _by_requests(wrong: WrongMetric) -> Table | None:
    """Requests per pod, where memory follows them: it needs a metrics adapter."""
    if not wrong.requests_per_pod:
        return None
    row = (
        "requests per pod (Pods metric, needs an adapter or KEDA)",
        round(wrong.requests_per_pod, 2),
        round(wrong.follows, 2),
    )
    return Table(columns=("metric", "target per second", "correlation with memory"), rows=(row,))


def _minimum(one: Watched, floor: Floor, saved: int, price: RoomPrice) -> Recommendation:
    scaler, each = one.scaler, price.monthly(*one.room)
    patch, checked = _patch(scaler, minReplicas=floor.needed)
    return Recommendation(
        key=f"hpa/{scaler.namespace}/{scaler.name}/minimum",
        code=HIGH_FLOOR,
        scope="hpa",
        target=one.said,
        current=f"at least {floor.least} pods",
        proposed=f"at least {floor.needed} pods",
        nano_usd=saved,
        monthly_usd=shown(saved),
        percent=share(saved, each * floor.least),
        arithmetic=(
            f"{floor.quiet_h:.1f} h a day at the minimum; the 95th percentile of need is {floor.needed} pods",
            f"{floor.spare_pod_hours:,.0f} pod hours a month x {worded(round(each / 730))} = {worded(saved)}",
        ),
        assumptions=("the room is money only when nodes go at night: consolidation must be on",),
        risk=Risk(level="medium", why="a sudden rise meets fewer pods until the autoscaler has acted"),
        patch=patch,
        validated=checked,
        excludes=(f"requests/{scaler.target_kind}/{scaler.namespace}/{scaler.target_name}",),
    )


def _ends(found: Sequence[Watched]) -> tuple[str, ...]:
    """Autoscalers that have nothing left to give."""
    said = []
    for one in found:
        if share := at_most_always(one.scaler, one.seen):
            most = one.scaler.most
            said.append(
                f"{quotable(one.said)}: at its maximum of {most} pods {share:.0%} of the time: raise it,"
                " or it does not scale"
            )
    return tuple(said)


def _gaps(found: Sequence[Watched]) -> tuple[str, ...]:
    gaps = dict.fromkeys(gap for one in found for gap in one.gaps)
    return tuple(f"coverage_gap: hpa: {gap}" for gap in list(gaps)[:3])
