"""A cluster's nodes, pods, pools and what they use: read once, used by every analysis that needs a fleet.

Wired as `Wiring.fleets()`. Pages of whole objects become small records at once, so memory is bounded by a
page and 5,000 records; lists run side by side. What may not be read is a warning, except nodes and pods:
without them there is no fleet.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

import anyio

from aiops_cost.analysis.fleet import Budget, Fleet, Node, Pod, Pool, Room, Volume
from aiops_cost.clients import fleet_usage
from aiops_cost.clients.fleet_shapes import (
    DONE,
    NODE_GROUP,
    ZONE,
    Obj,
    Span,
    budget_of,
    groups_of,
    node_of,
    nodepool_of,
    pod_of,
    volume_of,
)
from aiops_cost.clients.fleet_usage import Key, Usage
from aiops_shared.clock import Clock
from aiops_shared.errors import AiopsError, KindUnknownError
from aiops_shared.kube.shapes import mapping, text

if TYPE_CHECKING:
    from aiops_shared.kube.api import KubeApi
    from aiops_shared.kube.clusters import ClusterDirectory
    from aiops_shared.metrics.directory import MetricsDirectory

DAY = timedelta(hours=24)
USAGE_WITHIN_S = 15.0  # s; a metrics store that hangs must not silence what needs none
MOST_PODS = 50_000
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class FleetFacts:
    """A fleet and how it was read. `usage.source` is empty where nobody measured."""

    cluster: str
    fleet: Fleet
    window: tuple[datetime, datetime]
    usage: Usage
    warnings: tuple[str, ...] = ()


class FleetReader:
    """Reads fleets. Raises `AiopsError` only."""

    def __init__(self, clusters: "ClusterDirectory", metrics: "MetricsDirectory", clock: Clock) -> None:
        self._clusters = clusters
        self._metrics = metrics
        self._clock = clock

    async def read(
        self,
        cluster: str | None,
        window: tuple[datetime, datetime] | None = None,
        *,
        usage: bool = True,
        budgets: bool = False,
    ) -> FleetFacts:
        """The fleet now, with hours and usage over the window (the last 24 h when none is given).

        `budgets`: PodDisruptionBudgets too. Raises ClusterNotFoundError, AccessDeniedError when nodes or
        pods may not be listed, UpstreamError.
        """
        kube = await self._clusters.open(cluster)
        now = await self._clock.now()
        window = window or (now - DAY, now)
        found = _Found(kube, Span(window[0].timestamp(), min(window[1], now).timestamp()))
        used = Usage(says="usage was not asked for")
        outcome: list[AiopsError] = []

        async def guarded(act: Callable[[], Any]) -> None:
            try:
                await act()
            except AiopsError as error:
                outcome.append(error)
                tasks.cancel_scope.cancel()

        async def measure() -> None:
            nonlocal used
            late = f"usage: no answer within {USAGE_WITHIN_S:g} s"
            used = Usage(says=late, warnings=(late,))
            with anyio.move_on_after(USAGE_WITHIN_S):  # prices and nodes stand without it
                used = await fleet_usage.measured(self._metrics, kube, cluster, _past(window, now))

        async with anyio.create_task_group() as tasks:
            reads = [found.nodes_read, found.pods_read, found.pools_read, found.volumes_read]
            for act in (*reads, *([found.budgets_read] if budgets else []), *([measure] if usage else [])):
                tasks.start_soon(guarded, act)
        if outcome:
            raise outcome[0]
        gone = await self._gone(cluster, found, used, _past(window, now)) if used.seen else ()
        fleet = found.fleet(used, gone)
        return FleetFacts(kube.cluster, fleet, window, used, (*found.warnings, *used.warnings))

    async def _gone(
        self, cluster: str | None, found: "_Found", used: Usage, window: tuple[datetime, datetime]
    ) -> tuple[Pod, ...]:
        """Pods that metrics saw within the window and the API no longer has."""
        known = {(one.namespace, one.name) for one in (*found.pods, *found.finished)}
        keys = sorted(key for key in used.seen if key not in known)
        if not keys:
            return ()
        backend = await self._metrics.open(cluster, used.source)
        cores, memory = await fleet_usage.gone_requests(backend, window)
        owners = _Owners(found.pods)
        hours = (window[1] - window[0]).total_seconds() / 3600
        return tuple(
            owners.gone(key, Room(cores.get(key, 0.0), memory.get(key, 0.0), 1), used, used.seen[key] * hours)
            for key in keys
        )


def _past(window: tuple[datetime, datetime], now: datetime) -> tuple[datetime, datetime]:
    """The part of the window that has been."""
    return window[0], min(window[1], now)


class _Found:
    """What one reading has so far."""

    def __init__(self, kube: "KubeApi", span: Span) -> None:
        self.kube, self.span = kube, span
        self.nodes: list[Node] = []
        self.pods: list[Pod] = []
        self.finished: list[Pod] = []
        self.pools: list[Pool] = []
        self.volumes: list[Volume] = []
        self.budgets: list[Budget] = []
        self.warnings: list[str] = []

    async def nodes_read(self) -> None:
        async for one in self.kube.every("nodes"):
            self.nodes.append(node_of(one, self.span))

    async def pods_read(self) -> None:
        async for one in self.kube.every("pods", at_most=MOST_PODS):
            done = text(mapping(one.get("status")).get("phase")) in DONE
            pod = pod_of(one, self.span)
            if not done:
                self.pods.append(pod)
            elif pod.hours:
                self.finished.append(pod)

    async def pools_read(self) -> None:
        await self._optional("nodepools.karpenter.sh", "NodePools", nodepool_of, self.pools)

    async def volumes_read(self) -> None:
        await self._optional("persistentvolumes", "volumes", volume_of, self.volumes)

    async def budgets_read(self) -> None:
        await self._optional("poddisruptionbudgets.policy", "disruption budgets", budget_of, self.budgets)

    async def _optional(self, kind: str, said: str, made: Callable[[Obj], T], into: list[T]) -> None:
        try:
            into.extend([made(one) async for one in self.kube.every(kind)])
        except KindUnknownError:
            return  # the cluster has no such thing
        except AiopsError as error:
            self.warnings.append(
                f"coverage_gap: {said} were not read: {error.wire()}"[: fleet_usage.MOST_SAID]
            )

    def fleet(self, used: Usage, gone: tuple[Pod, ...]) -> Fleet:
        """All of it, joined."""
        zones = {(one.namespace, one.claim): one.zones for one in self.volumes if one.claim and one.zones}
        pods = tuple(_joined(one, used, zones) for one in self.pods)
        on_node = _used_of_nodes(pods) if used.source else {}
        nodes = tuple(
            replace(one, used_cores=on_node[one.name][0], used_memory_bytes=on_node[one.name][1])
            if one.name in on_node
            else one
            for one in self.nodes
        )
        if not any(one.labels.get(NODE_GROUP) for one in nodes):
            groups: Iterator[Pool] = iter(())
        else:
            groups = groups_of(nodes)
        return Fleet(
            nodes=tuple(sorted(nodes, key=lambda one: one.name)),
            pods=tuple(sorted(pods, key=lambda one: (one.namespace, one.name))),
            pools=(*sorted(self.pools, key=lambda one: one.name), *groups),
            volumes=tuple(self.volumes),
            budgets=tuple(self.budgets),
            finished=tuple(_joined(one, used, {}) for one in self.finished),
            gone=gone,
        )


def _joined(pod: Pod, used: Usage, zones: Mapping[Key, tuple[str, ...]]) -> Pod:
    """The pod with its usage and with the zones that its volumes and its node selector bind it to."""
    key = pod.namespace, pod.name
    bound = [set(zones[pod.namespace, claim]) for claim in pod.claims if (pod.namespace, claim) in zones]
    if ZONE in pod.node_selector:
        bound.append({pod.node_selector[ZONE]})
    if pod.wants_zones and bound:
        bound.append(set(pod.wants_zones))
    wants = tuple(sorted(set.intersection(*bound))) if bound else pod.wants_zones
    return replace(
        pod, used_cores=used.cores.get(key), used_memory_bytes=used.memory.get(key), wants_zones=wants
    )


def _used_of_nodes(pods: tuple[Pod, ...]) -> dict[str, tuple[float | None, float | None]]:
    """What the measured pods of each node use together; None where none of them was measured."""
    found: dict[str, list[list[float]]] = {}
    for pod in pods:
        cores, memory = found.setdefault(pod.node, [[], []])
        if pod.used_cores is not None:
            cores.append(pod.used_cores)
        if pod.used_memory_bytes is not None:
            memory.append(pod.used_memory_bytes)
    return {
        node: (sum(cores) if cores else None, sum(memory) if memory else None)
        for node, (cores, memory) in found.items()
        if node
    }


class _Owners:
    """Whose pod a name was: the workload there is whose name and form fit, else the name's beginning."""

    def __init__(self, pods: list[Pod]) -> None:
        self._known = {(one.namespace, one.owner_name): one for one in pods}

    def gone(self, key: Key, requests: Room, used: Usage, hours: float) -> Pod:
        namespace, name = key
        kind, owner = self._owner(namespace, name)
        return Pod(
            namespace=namespace,
            name=name,
            node="",
            owner_kind=kind,
            owner_name=owner,
            requests=requests,
            used_cores=used.cores.get(key),
            used_memory_bytes=used.memory.get(key),
            hours=hours,
        )

    def _owner(self, namespace: str, name: str) -> tuple[str, str]:
        parts = name.split("-")
        for dropped in (2, 1, 3):
            found = self._known.get((namespace, "-".join(parts[:-dropped])))
            if found is not None:
                return found.owner_kind, found.owner_name
        # `<deployment>-<hash>-<five letters>`: the form of most pods whose workload is gone too.
        return "Deployment", "-".join(parts[:-2]) or name
