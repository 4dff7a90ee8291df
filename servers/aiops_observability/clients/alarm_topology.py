"""Where alarms are and what stands on what: from their labels, and from the cluster where it answers.

Called by `alarm_reading`. Labels give namespace, workload and node. Kubernetes adds the nodes of workloads
and of failed pods, Prometheus the calls between services (the service-graph metric of OpenTelemetry's
connector and of Tempo). What does not answer within a few seconds is left out and said.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import anyio

from aiops_observability.analysis.alert_classes import Places
from aiops_observability.analysis.grouping import Topology
from aiops_observability.clients.alarm_source import Window, plain, short_node, workload_of
from aiops_observability.models.alarms import Alarm, Where
from aiops_shared.errors import AiopsError
from aiops_shared.kube.clusters import ClusterDirectory

if TYPE_CHECKING:
    from aiops_observability.ports import Metrics
    from aiops_shared.kube.api import KubeApi

CALLS = "group by (client, server) (traces_service_graph_request_total)"
ANSWER_S = 5.0  # an aid, not the answer: what is slower is left out
MOST_SPACES, MOST_PODS, MOST_FAILED = 5, 2_000, 500
SHARE = 0.5  # of the failed pods that one node must have had to be named
_FAILED = ("failed", "evict")
_WORDS = {"Evicted": "evictions", "OOMKilled": "memory kills", "NodeLost": "a lost node"}


@dataclass(frozen=True, slots=True)
class Ground:
    """What is known besides labels. `failed`: namespace ("" for all) -> nodes of failed pods with the
    reason in a word."""

    nodes_of: Mapping[tuple[str, str], frozenset[str]] = field(default_factory=dict)
    failed: Mapping[str, tuple[frozenset[str], str]] = field(default_factory=dict)
    calls: Mapping[str, frozenset[str]] = field(default_factory=dict)
    says: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Topologist:
    """Reads the ground of alarms."""

    clusters: ClusterDirectory
    metrics: "Metrics | None"

    async def ground(self, cluster: str | None, alarms: Sequence[Alarm], window: Window) -> Ground:
        """What the cluster and its metrics add to the labels of these alarms."""
        parts: list[Ground] = []

        async def add(what: str, ask: Any) -> None:
            try:
                with anyio.fail_after(ANSWER_S):
                    parts.append(await ask())
            except TimeoutError:
                parts.append(Ground(warnings=(f"{what} are not known: no answer in {ANSWER_S:g} s",)))
            except AiopsError as error:
                parts.append(Ground(warnings=(f"{what} are not known: {error}",)))

        async with anyio.create_task_group() as tasks:
            if _asks_kubernetes(alarms):
                tasks.start_soon(add, "the pods' nodes", lambda: self._pods(cluster, alarms))
            if self.metrics is not None and _asks_calls(alarms):
                known = self.metrics
                tasks.start_soon(
                    add, "calls between services", lambda: _service_calls(known, cluster, window)
                )
        return _joined(parts)

    async def _pods(self, cluster: str | None, alarms: Sequence[Alarm]) -> Ground:
        kube = await self.clusters.open(cluster)
        spaces = Counter(one.where.namespace for one in alarms if one.where.workload and not one.where.node)
        asked = [space for space, _ in spaces.most_common(MOST_SPACES) if space]
        nodes: dict[tuple[str, str], set[str]] = defaultdict(set)
        for space in asked:
            for pod in await _some(kube, space, "", MOST_PODS):
                nodes[space, workload_of(pod["metadata"]["name"])].add(_node(pod))
        failed: list[Mapping[str, Any]] = []
        if any(_is_of_failed(one) for one in alarms):
            failed = await _some(kube, "", "status.phase=Failed", MOST_FAILED)
        said = [f"pods of {', '.join(asked)}"] if asked else []
        said += [f"{len(failed)} failed pods"] if failed else []
        return Ground(
            {key: frozenset(found - {""}) for key, found in nodes.items()},
            _failed(failed),
            says=tuple(said),
        )


async def _service_calls(metrics: "Metrics", cluster: str | None, window: Window) -> Ground:
    from aiops_shared.metrics.series import Window as Grid

    backend = await metrics.open(cluster, "auto")
    if backend.name not in {"prometheus", "amp"}:
        return Ground()
    span = Grid.over(window.now - timedelta(minutes=10), window.now, 300)
    answer = await backend.range(CALLS, span)
    calls: dict[str, set[str]] = defaultdict(set)
    for one in answer.series:
        client, server = one.labels.get("client", ""), one.labels.get("server", "")
        if client and server and client != server:
            calls[client].add(server)
    count = sum(len(one) for one in calls.values())
    said = (f"{count} calls between services",) if count else ()
    return Ground(calls={name: frozenset(one) for name, one in calls.items()}, says=said)


async def _some(kube: "KubeApi", space: str, fields: str, most: int) -> list[Mapping[str, Any]]:
    page = await kube.list("Pod", space, fields=fields, limit=most)
    return list(page.items)


def _node(pod: Mapping[str, Any]) -> str:
    return short_node(str((pod.get("spec") or {}).get("nodeName") or ""))


def _failed(pods: Iterable[Mapping[str, Any]]) -> dict[str, tuple[frozenset[str], str]]:
    """By namespace and over all: the nodes on which most failed pods were, and why they failed."""
    shelves: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for pod in pods:
        shelves[""].append(pod)
        shelves[str(pod["metadata"].get("namespace"))].append(pod)
    found = {}
    for space, shelf in shelves.items():
        nodes = Counter(node for pod in shelf if (node := _node(pod)))
        shared = frozenset(node for node, count in nodes.items() if count >= SHARE * len(shelf))
        reasons = Counter(plain((pod.get("status") or {}).get("reason"), 40) for pod in shelf)
        reason = reasons.most_common(1)[0][0]
        if shared:
            found[space] = (shared, _WORDS.get(reason, reason))
    return found


def _is_of_failed(alarm: Alarm) -> bool:
    words = f"{alarm.name} {alarm.threshold}".lower()
    return not alarm.where.node and any(word in words for word in _FAILED)


def _asks_kubernetes(alarms: Sequence[Alarm]) -> bool:
    """Only where a node could be what alarms share: one names a node, another could stand on it."""
    return any(one.where.node for one in alarms) and any(
        _is_of_failed(one) or (one.where.workload and not one.where.node) for one in alarms
    )


def _asks_calls(alarms: Sequence[Alarm]) -> bool:
    return len({one.where.workload for one in alarms if one.where.workload}) > 1


def _joined(parts: Iterable[Ground]) -> Ground:
    nodes: dict[tuple[str, str], frozenset[str]] = {}
    failed: dict[str, tuple[frozenset[str], str]] = {}
    calls: dict[str, frozenset[str]] = {}
    says: list[str] = []
    warnings: list[str] = []
    for part in parts:
        nodes.update(part.nodes_of)
        failed.update(part.failed)
        calls.update(part.calls)
        says += part.says
        warnings += part.warnings
    return Ground(nodes, failed, calls, tuple(says), tuple(warnings))


@dataclass(frozen=True, slots=True)
class Mapped:
    """The topology of some alarms. `nodes`: by id() of an alarm, those it stands on; `why`: in a word."""

    places: Places
    nodes: Mapping[int, frozenset[str]]
    why: Mapping[int, str]
    calls: Mapping[str, frozenset[str]] = field(default_factory=dict)  # workload -> workloads it calls


def mapped(
    alarms: Sequence[Alarm], ground: Ground, parents: Mapping[str, tuple[str, ...]], cluster: str
) -> Mapped:
    """The topology that labels and ground give. `cluster`: the one that the ground is of."""
    place_of: dict[int, str] = {}
    nodes: dict[int, frozenset[str]] = {}
    why: dict[int, str] = {}
    machines: dict[str, frozenset[str]] = defaultdict(frozenset)
    spaces: dict[str, str] = {}
    for one in alarms:
        place = place_of[id(one)] = _place(one, cluster)
        own, word = _nodes(one, ground, cluster)
        nodes[id(one)], why[id(one)] = own, word
        standing = frozenset(_machine(one.where.cluster or cluster, node) for node in own)
        machines[place] |= standing - {place}
        if one.where.namespace and one.where.workload:
            spaces[place] = f"{one.where.cluster or cluster}/{one.where.namespace}"
    _of_parents(alarms, parents, place_of, machines)
    calls = _calls(alarms, place_of, ground.calls, cluster)
    return Mapped(Places(Topology(calls, dict(machines), spaces), place_of), nodes, why, ground.calls)


def _place(alarm: Alarm, cluster: str) -> str:
    """The most telling thing an alarm names; one that names none stands alone."""
    where = alarm.where
    home = where.cluster or cluster
    if where.workload:
        return f"{home}/{where.namespace}/{where.workload}"
    return _machine(home, where.node) if where.node else alarm.key


def _machine(cluster: str, node: str) -> str:
    return f"{cluster}/node/{node}"


def _nodes(alarm: Alarm, ground: Ground, cluster: str) -> tuple[frozenset[str], str]:
    where: Where = alarm.where
    if where.node:
        return frozenset({where.node}), ""
    if where.cluster not in {"", cluster}:
        return frozenset(), ""
    if where.workload:
        found = ground.nodes_of.get((where.namespace, where.workload), frozenset())
        return (found, "") if len(found) == 1 else (frozenset(), "")
    if _is_of_failed(alarm):
        return ground.failed.get(where.namespace, (frozenset(), ""))
    return frozenset(), ""


def _of_parents(
    alarms: Sequence[Alarm],
    parents: Mapping[str, tuple[str, ...]],
    place_of: Mapping[int, str],
    machines: dict[str, frozenset[str]],
) -> None:
    """A composite alarm stands on the alarms of its rule."""
    places = {one.name: place_of[id(one)] for one in alarms if one.source == "cloudwatch"}
    for one in alarms:
        children = parents.get(one.name, ()) if one.source == "cloudwatch" else ()
        own = place_of[id(one)]
        machines[own] |= frozenset(places[child] for child in children if child in places) - {own}


def _calls(
    alarms: Sequence[Alarm], place_of: Mapping[int, str], calls: Mapping[str, frozenset[str]], cluster: str
) -> dict[str, frozenset[str]]:
    """Calls between services as calls between places; a service without an alarm is a place too."""
    by_name: dict[tuple[str, str], set[str]] = defaultdict(set)
    for one in alarms:
        if one.where.workload:
            by_name[one.where.cluster or cluster, one.where.workload].add(place_of[id(one)])
    found: dict[str, frozenset[str]] = {}
    for of in {name for name, _ in by_name} | {cluster}:
        for client, servers in calls.items():
            ends = frozenset(end for server in servers for end in _ends(by_name, of, server))
            for begin in _ends(by_name, of, client):
                found[begin] = found.get(begin, frozenset()) | ends
    return found


def _ends(by_name: Mapping[tuple[str, str], set[str]], cluster: str, name: str) -> Iterable[str]:
    return by_name.get((cluster, name)) or (f"{cluster}//{name}",)
