"""Requests that nobody uses: what a workload should ask for, and what the freed room is worth.

The workloads that hold most unused room are looked at, each over two weeks; what would be risky to lower is
kept and said. Room is money only when nodes go, so both numbers stand in the arithmetic.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from aiops_cost.analysis.autoscaling import Autoscaler
from aiops_cost.analysis.fleet import Fleet, Pod, Room
from aiops_cost.analysis.freed_room import GIB, Owner, RoomPrice, attributable, mean_price
from aiops_cost.analysis.patches_workload import CHECKED, faults, resources_patch, written
from aiops_cost.analysis.sizing import (
    Container,
    Used,
    Verdict,
    is_flat,
    judged,
    replicas_at,
    used,
)
from aiops_cost.clients.node_prices import NodePrices, node_prices
from aiops_cost.clients.savings_scene import Scene
from aiops_cost.clients.workload_objects import WorkloadObjects, require_namespace
from aiops_cost.clients.workload_shapes import containers_of, oom_kills
from aiops_cost.clients.workload_usage import WorkloadUsage
from aiops_cost.models.money import nano, share, shown, worded
from aiops_cost.models.savings import Advice, Recommendation, Risk, Scope
from aiops_shared.errors import AiopsError
from aiops_shared.kube.gathering import gather_outcomes
from aiops_shared.kube.sizes import cores, mebibytes
from aiops_shared.metrics.ports import Target
from aiops_shared.results.wording import brief, counted, quotable

CODE: Final = "REQUESTS_OVERSIZED"
KINDS: Final = ("Deployment", "StatefulSet", "DaemonSet")
SYSTEM: Final = "kube-system"
MOST: Final = {False: 10, True: 25}
AT_ONCE: Final = 4
LEAST: Final = nano(5)  # a month; less is not worth a rollout
SPARE: Final = 0.4  # of CPU or memory asked for and not used, before a workload is looked at closely
FEW_PODS: Final = 1000  # up to here the nodes that go are computed for each workload by itself


@dataclass(frozen=True, slots=True)
class Held:
    """A workload and the room it holds: the mean pod's unused part is `spare`."""

    owner: Owner
    pods: tuple[Pod, ...]
    worth: int

    @property
    def target(self) -> Target:
        """As a named question is asked about it."""
        namespace, kind, name = self.owner
        return Target(namespace=namespace, kind=kind, name=name)

    @property
    def said(self) -> str:
        """`Deployment shop/web`."""
        namespace, kind, name = self.owner
        return f"{kind} {namespace}/{name}"


@dataclass(frozen=True, slots=True)
class Judged:
    """A workload after a closer look."""

    held: Held
    verdict: Verdict
    used: Used
    containers: tuple[Container, ...]
    scaler: Autoscaler | None = None
    gaps: tuple[str, ...] = ()

    @property
    def main(self) -> Container:
        """The container that changes, as it stands."""
        made = self.verdict.container
        return next((one for one in self.containers if made and one.name == made.name), Container(""))

    @property
    def made(self) -> Container:
        """The same as it should be; as it is where nothing changes."""
        return self.verdict.container or self.main

    @property
    def freed(self) -> Room:
        """What each pod would ask for less."""
        return Room(self.main.cpu - self.made.cpu, self.main.memory - self.made.memory)


class RequestsAdviser:
    """Fulfils `savings_scene.Adviser`."""

    scope: Scope = "requests"

    async def advise(self, scene: Scene) -> Advice:
        """Smaller requests where use allows it. Raises what fleet, prices and metrics raise."""
        await require_namespace(scene)
        fleet, prices = await scene.fleet(), await node_prices(scene)
        price = mean_price(fleet.nodes, prices.by_node)
        if price is None:
            return Advice(warnings=tuple(f"coverage_gap: requests: {gap}" for gap in prices.gaps))
        await WorkloadUsage(scene).backend()
        objects = WorkloadObjects(scene)
        held = spare(fleet, prices, price, scene.ask.namespace)
        look = partial(_judged, scene, objects)
        outcomes = await gather_outcomes(look, held[: MOST[scene.ask.full]], at_once=AT_ONCE)
        found = [one for one in outcomes if isinstance(one, Judged)]
        lost = [
            f"coverage_gap: requests: {one.wire()}"[:300] for one in outcomes if isinstance(one, AiopsError)
        ]
        made = [one for one in (_priced(fleet, prices, one) for one in found) if one is not None]
        notes = await _resizing(scene) if made else ()
        return Advice(
            recommendations=tuple(made),
            says="; ".join((_says(fleet, prices, found, made), *notes)),
            warnings=(*_warnings(found), *lost, *(f"coverage_gap: requests: {gap}" for gap in prices.gaps)),
        )


def spare(fleet: Fleet, prices: NodePrices, price: RoomPrice, namespace: str) -> list[Held]:
    """Workloads by what their unused room is worth. The cluster's own (kube-system) are left to add-ons."""
    pods: dict[Owner, list[Pod]] = {}
    for pod in fleet.pods:
        wanted = pod.namespace == namespace if namespace else pod.namespace != SYSTEM
        if wanted and pod.owner_kind in KINDS and pod.node in prices.by_node:
            pods.setdefault(pod.owner, []).append(pod)
    found = []
    for owner, own in pods.items():
        idle = sum(price.monthly(*_idle(pod)) for pod in own)
        if idle >= LEAST:
            found.append(Held(owner, tuple(own), idle))
    return sorted(found, key=lambda one: (-one.worth, one.owner))


def _idle(pod: Pod) -> tuple[float, float]:
    """Cores and bytes asked for and not used, where that is a large part; nothing is known: all of it."""
    asked = pod.requests
    burnt, filled = pod.used_cores or 0.0, pod.used_memory_bytes or 0.0
    cpu, memory = asked.cores - burnt, asked.memory_bytes - filled
    return cpu if cpu > SPARE * asked.cores else 0.0, memory if memory > SPARE * asked.memory_bytes else 0.0


async def _judged(scene: Scene, objects: WorkloadObjects, held: Held) -> Judged:
    namespace, kind, name = held.owner
    if mode := (await objects.verticals()).get(held.owner):
        why = f"a VerticalPodAutoscaler ({mode}) sets its requests: bound it there"
        return Judged(held, Verdict("fits", why=why), Used(), ())
    workload = await objects.workload(kind, namespace, name)
    scaler = (await objects.autoscalers()).get(held.owner)
    usage, target = WorkloadUsage(scene), held.target
    cpu, memory = await usage.told("cpu", target), await usage.told("memory", target)
    containers = containers_of(workload)

    def verdict(found: Used) -> Verdict:
        aims = (scaler.cpu_target, scaler.memory_target) if scaler else (0.0, 0.0)
        return judged(containers, found, hpa_target=aims[0], hpa_memory=aims[1])

    found = used(cpu.series, memory.series, memory.step_s)
    gaps = [one.gap for one in (cpu, memory) if one.gap]
    if verdict(found).kind in {"insufficient", "fits"}:  # what guards against lowering needs no question
        return Judged(held, verdict(found), found, containers, scaler, tuple(gaps))
    short, restarts = await usage.told("cpu_throttled", target), await usage.told("restarts", target)
    found = used(
        cpu.series,
        memory.series,
        memory.step_s,
        throttled=short.series,
        restarts=restarts.series,
        oom_kills=oom_kills(await objects.pods(workload)),
    )
    gaps += [one.gap for one in (short, restarts) if one.gap]
    return Judged(held, verdict(found), found, containers, scaler, tuple(gaps))


def _priced(fleet: Fleet, prices: NodePrices, one: Judged) -> Recommendation | None:
    """The recommendation; None where nothing is freed that is worth a rollout."""
    made = one.made
    if one.verdict.kind not in {"smaller", "larger"}:
        return None
    own = [node for node in fleet.nodes if node.name in {pod.node for pod in one.held.pods}]
    price = mean_price(own, prices.by_node)
    freed, count = one.freed, len(one.held.pods)
    each = price.monthly(freed.cores, freed.memory_bytes) if price else 0
    if price is None or each * count < LEAST:
        return None
    namespace, kind, name = one.held.owner
    patch = resources_patch(kind, namespace, name, one.main, made)
    if faults(patch, one.containers):  # never shown: a patch that an API server refuses
        return None
    before = price.monthly(one.main.cpu, one.main.memory)
    return Recommendation(
        key=f"requests/{kind}/{namespace}/{name}",
        code=CODE,
        scope="requests",
        target=one.held.said,
        current=_sizes(one.main),
        proposed=_sizes(made),
        nano_usd=each * count,
        monthly_usd=shown(each * count),
        percent=share(each, before),
        arithmetic=(*one.verdict.lines, *_money(fleet, prices, one, price, each)),
        assumptions=(*one.verdict.kept, *_assumed(one), *_hpa(one)),
        risk=_risk(one),
        patch=written(patch),
        validated=f"{CHECKED}; plan it with plan_manifest(action=apply), which dry-runs it",
        sources=(f"{one.used.hours / 24:.1f} days of metrics", f"list prices of {prices.as_of}"),
    )


def _money(fleet: Fleet, prices: NodePrices, one: Judged, price: RoomPrice, each: int) -> tuple[str, ...]:
    freed, count = one.freed, len(one.held.pods)
    worth = (
        f"freed {cores(freed.cores)} x {worded(round(price.core * 730))} a core"
        f" + {freed.memory_bytes / GIB:.2f} GiB x {worded(round(price.gib * 730))} a GiB a month"
        f" = {worded(each)} a pod; {counted(count, 'pod')}: {worded(each * count)}"
    )
    if len(fleet.pods) > FEW_PODS:
        return (worth,)
    gone, saved = attributable(fleet, {one.held.owner: freed}, prices.by_node)
    if not gone:
        return worth, "the bill falls when nodes go: by this change alone none can be emptied today"
    return (
        worth,
        f"the bill falls when nodes go: {counted(len(gone), 'node')} can then, {worded(saved)} a month",
    )


def _sizes(one: Container) -> str:
    limits = ", ".join(
        text
        for text in (
            one.cpu_limit and f"cpu {cores(one.cpu_limit)}",
            one.memory_limit and f"memory {mebibytes(one.memory_limit)}",
        )
        if text
    )
    memory = mebibytes(one.memory) if one.memory else "none"
    asked = f"cpu {cores(one.cpu) if one.cpu else 'none'}, memory {memory}"
    return f"{one.name}: requests {asked}" + (f"; limits {limits}" if limits else "")


def _assumed(one: Judged) -> tuple[str, ...]:
    found = ["its pods are replaced by a rollout; use stays as in the window"]
    if len(one.containers) > 1:
        found.append(f"{one.main.name} alone changes: use is known of the pod, not of its containers")
    if one.main.cpu and not one.main.cpu_limit:
        found.append("no CPU limit: it may burst beyond its request")
    if is_flat(one.used):
        found.append("memory does not move at all: a heap may have been taken at the start; check it")
    if one.used.restarts and not one.used.oom_kills:
        found.append(f"its containers restarted {one.used.restarts:.0f} times, none seen as OOMKilled")
    return tuple(found)


def _hpa(one: Judged) -> tuple[str, ...]:
    """What the autoscaler makes of the new request."""
    scaler, now, made = one.scaler, one.main, one.made
    if scaler is None:
        return ()
    found = []
    if scaler.cpu_target and made.cpu != now.cpu and made.cpu:
        count, target = len(one.held.pods), scaler.cpu_target
        at_p95 = replicas_at(count, one.used.cpu_p95, made.cpu, target)
        found.append(
            f"HPA {quotable(scaler.name)} keeps {target:.0%} of the request: {cores(now.cpu * target)} a pod"
            f" until now, {cores(made.cpu * target)} then; at p95 it makes {counted(at_p95, 'pod')} (now"
            f" {count}); to let it act as until now its target would be {target * now.cpu / made.cpu:.0%}"
        )
    if scaler.memory_target and made.memory != now.memory and made.memory:
        found.append(
            f"HPA {quotable(scaler.name)} keeps {scaler.memory_target:.0%} of the memory request:"
            f" {mebibytes(made.memory * scaler.memory_target)} a pod then"
        )
    return tuple(found)


def _risk(one: Judged) -> Risk:
    made, now = one.made, one.main
    if made.memory < now.memory and (is_flat(one.used) or one.used.restarts):
        return Risk(level="medium", why="memory is lowered; see what is assumed of its heap and restarts")
    if made.memory < now.memory:
        return Risk(level="low", why="a peak above the new memory limit ends in an OOM kill")
    return Risk(level="low", why="a burst of CPU beyond the request waits where the node is full")


def _says(fleet: Fleet, prices: NodePrices, found: Sequence[Judged], made: Sequence[Recommendation]) -> str:
    """What was looked at, and what all of it together lets go."""
    fits = [one for one in found if one.verdict.kind == "fits" and not one.verdict.why]
    text = f"requests: {counted(len(found), 'workload')} with spare room looked at, {len(fits)} well sized"
    names = {one.target for one in made}
    freed: Mapping[Owner, Room] = {one.held.owner: one.freed for one in found if one.held.said in names}
    if not freed:
        return text
    gone, saved = attributable(fleet, freed, prices.by_node)
    worth = sum(one.nano_usd for one in made)
    return (
        f"{text}; all changes together free room worth {worded(worth)} a month and let"
        f" {counted(len(gone), 'node')} go ({worded(saved)}) by consolidation alone"
    )


def _warnings(found: Sequence[Judged]) -> tuple[str, ...]:
    short = [one.held.said for one in found if one.verdict.kind == "insufficient"]
    said = [f"{brief(short, 3)}: too little history ({_first(found)}): left alone"] if short else []
    for one in found:
        if one.verdict.kind == "larger":
            limit = mebibytes(one.made.memory_limit or one.made.memory)
            said.append(f"{one.held.said}: {one.verdict.why}: raise it to {limit}, do not lower it")
        elif one.verdict.why and one.verdict.kind == "fits":
            said.append(f"{one.held.said}: {one.verdict.why}")
    gaps = [gap for one in found for gap in one.gaps]
    return (*said, *(f"coverage_gap: requests: {gap}" for gap in gaps[:3]))


def _first(found: Sequence[Judged]) -> str:
    return next(one.verdict.why for one in found if one.verdict.kind == "insufficient")


async def _resizing(scene: Scene) -> tuple[str, ...]:
    """What may be changed without a new pod, by the cluster's version."""
    try:
        version = await (await scene.kube()).version()
        minor = int("".join(letter for letter in version.split(".")[1] if letter.isdigit()))
    except (AiopsError, IndexError, ValueError):
        return ()
    if minor < 33:
        return ()
    said = (
        f"Kubernetes 1.{minor} can resize running pods (subresource resize): CPU without a restart, a memory"
        " limit down only with resizePolicy RestartContainer (1.33) or while use is below it, never to"
        " another QoS class"
    )
    return (said,)
