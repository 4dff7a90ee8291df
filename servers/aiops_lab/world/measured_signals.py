"""The series of what runs in the world, computed when a backend asks for a metric.

Built from the past that `Measured` keeps and the numbers of `Usage`; a source of the world's `Signals`, put
there by `World`.
"""

from collections.abc import Callable, Iterable, Iterator

import numpy as np

from aiops_lab.resources import quantity
from aiops_lab.telemetry.signals import Array, Signal, Signals, Values, counted
from aiops_lab.telemetry.workloads import (
    CONDITIONS,
    PHASES,
    NodeFacts,
    PodFacts,
    emit_dns,
    emit_node,
    pod_state,
    stepped,
)
from aiops_lab.world.disks import SIZE_BYTES, Disk
from aiops_lab.world.measured import UNKNOWN, Measured, ObjectPast, PodPast
from aiops_lab.world.measured_usage import Usage, during, sizes
from aiops_lab.world.objects import Obj, labels_of, meta
from aiops_lab.world.steps import Steps

DNS, DNS_PREFIX = "kube-dns", "coredns_dns_request_duration_seconds"
_HPA = ("spec_min_replicas", "spec_max_replicas", "status_current_replicas", "status_desired_replicas")
_CNI = ("awscni_assigned_ip_addresses", "awscni_total_ip_addresses", "awscni_eni_allocated")
Make = Callable[[], Iterator[Signal]]


class MeasuredSignals:
    """A `Source`: one builder for each metric."""

    def __init__(self, measured: Measured, usage: Usage) -> None:
        self._past, self._usage = measured, usage
        self._kept: dict[tuple[str, ...], list[Signal]] = {}  # built once: their counters remember sums
        self._rates: dict[tuple[str, str, int], Values] = {}
        self._makes: dict[str, Make] = {
            "container_memory_working_set_bytes": lambda: self._containers(self._memory_of),
            "container_cpu_usage_seconds_total": lambda: self._containers(self._cpu_of),
            "kube_pod_container_status_restarts_total": lambda: self._containers(_restarts),
            "kube_pod_container_status_waiting_reason": lambda: self._containers(_waiting),
            "kube_pod_container_status_last_terminated_reason": lambda: self._containers(_terminated),
            "kube_pod_container_status_ready": lambda: self._containers(_readiness),
            "kube_pod_status_phase": self._phases,
            "kube_pod_status_ready": self._pods_ready,
            "kube_replicaset_owner": self._replica_sets,
            "kube_node_spec_unschedulable": self._unschedulable,
            "karpenter_nodes_created_total": self._karpenter,
            "awscni_ipamd_error_count": self._cni_errors,
            "kube_deployment_spec_replicas": lambda: self._deployments("replicas"),
            "kube_deployment_status_replicas_available": lambda: self._deployments("available"),
        }
        for name in ("kube_pod_info", "kube_pod_container_info", "kube_pod_owner", "kube_pod_labels"):
            self._makes[name] = self._still(name)
        for what in ("limits", "requests"):
            self._makes[f"kube_pod_container_resource_{what}"] = self._still(
                f"kube_pod_container_resource_{what}"
            )
        for place, name in enumerate(_CNI):
            self._makes[name] = self._addresses(name, place)
        for what in _HPA:
            self._makes[f"kube_horizontalpodautoscaler_{what}"] = self._autoscalers(what)
        for name in _NODE_METRICS:
            self._makes[name] = self._nodes(name)
        for end in ("bucket", "count", "sum"):
            self._makes[f"{DNS_PREFIX}_{end}"] = self._dns(f"{DNS_PREFIX}_{end}")

    def forget(self) -> None:
        """A new world."""
        self._kept = {}
        self._rates = {}

    def names(self) -> Iterable[str]:
        """Every metric that somebody in the world emits now or did."""
        return self._makes

    def of(self, metric: str) -> Iterable[Signal]:
        """The series of a metric."""
        make = self._makes.get(metric)
        return list(make()) if make is not None else []

    # pods

    def _pods(self) -> list[PodPast]:
        return list(self._past.pods.values())

    def _containers(self, make: Callable[[PodPast, str, PodFacts], Iterable[Signal]]) -> Iterator[Signal]:
        for past in self._pods():
            for name in list(past.containers):
                yield from make(past, name, self._facts(past, past.containers[name].spec))

    def _facts(self, past: PodPast, container: Obj) -> PodFacts:
        pod = past.obj
        kind, name = self._past.owner(pod)
        return PodFacts(
            namespace=meta(pod)["namespace"],
            pod=meta(pod)["name"],
            container=container["name"],
            node=past.node,
            owner_kind=kind,
            owner_name=name,
            labels=labels_of(pod),
            image=container.get("image", ""),
            since_s=past.since_s,
            until_s=past.until_s,
            **sizes(container),
        )

    def _still(self, metric: str) -> Make:
        """What does not change while a pod lives."""

        def make() -> Iterator[Signal]:
            for past in self._pods():
                places = past.obj["spec"]["containers"]
                told = [each for one in places for each in pod_state(self._facts(past, one))]
                found = {tuple(sorted(each.labels.items())): each for each in told if each.metric == metric}
                yield from found.values()

        return make

    def _memory_of(self, past: PodPast, name: str, facts: PodFacts) -> Iterator[Signal]:
        yield facts.signal("container_memory_working_set_bytes", self._usage.memory(past, name))

    def _cpu_of(self, past: PodPast, name: str, facts: PodFacts) -> Iterator[Signal]:
        runs = past.containers[name].runs

        def values(times_s: Array) -> Array:
            found = np.full(times_s.shape, np.nan)
            for place, run in enumerate(list(runs)):
                here = during(run, times_s)
                if here.any():
                    found[here] = self._counter(past, name, place)(times_s[here])
            return found

        yield facts.signal("container_cpu_usage_seconds_total", values, "counter")

    def _counter(self, past: PodPast, name: str, place: int) -> Values:
        key = meta(past.obj)["uid"], name, place
        if key not in self._rates:
            run = past.containers[name].runs[place]
            self._rates[key] = counted(self._usage.cpu(past, name, place), run.started_at.timestamp())
        return self._rates[key]

    def _phases(self) -> Iterator[Signal]:
        for past in self._pods():
            facts = self._facts(past, past.obj["spec"]["containers"][0])
            for phase in PHASES:
                yield facts.pod_signal("kube_pod_status_phase", _is(past.phase, phase), phase=phase)

    def _pods_ready(self) -> Iterator[Signal]:
        for past in self._pods():
            facts = self._facts(past, past.obj["spec"]["containers"][0])
            for status in ("true", "false", "unknown"):
                yield facts.pod_signal("kube_pod_status_ready", _is(past.ready, status), condition=status)

    def _dns(self, metric: str) -> Make:
        def make() -> Iterator[Signal]:
            for past in self._pods():
                if labels_of(past.obj).get("k8s-app") == DNS and past.containers:
                    yield from (one for one in self._dns_pod(past) if one.metric == metric)

        return make

    def _dns_pod(self, past: PodPast) -> list[Signal]:
        """Its counters begin when it began; a CoreDNS of the furniture never restarts."""
        key = ("dns", meta(past.obj)["uid"])
        if key not in self._kept:
            made = Signals()
            emit_dns(made, self._facts(past, past.obj["spec"]["containers"][0]))
            self._kept[key] = [*made.all()]
        return [_until(one, past.until_s) for one in self._kept[key]]

    # objects

    def _objects(self, kind: str) -> list[ObjectPast]:
        return list(self._past.objects.get(kind, {}).values())

    def _replica_sets(self) -> Iterator[Signal]:
        for past in self._objects("ReplicaSet"):
            kind, name = self._past.owner(past.obj)
            labels = {"replicaset": meta(past.obj)["name"], "owner_kind": kind, "owner_name": name}
            yield _object(past, "kube_replicaset_owner", lambda t: np.ones(np.shape(t)), **labels)

    def _deployments(self, what: str) -> Iterator[Signal]:
        metric = {"replicas": "spec_replicas", "available": "status_replicas_available"}[what]
        for past in self._objects("Deployment"):
            values = stepped(past.numbers[what].told) if what in past.numbers else _nothing
            yield _object(past, f"kube_deployment_{metric}", values, deployment=meta(past.obj)["name"])

    def _autoscalers(self, what: str) -> Make:
        def make() -> Iterator[Signal]:
            for past in self._objects("HorizontalPodAutoscaler"):
                values = stepped(past.numbers[what].told) if what in past.numbers else _nothing
                labels = {"horizontalpodautoscaler": meta(past.obj)["name"]}
                yield _object(past, f"kube_horizontalpodautoscaler_{what}", values, **labels)

        return make

    # nodes

    def _nodes(self, metric: str) -> Make:
        def make() -> Iterator[Signal]:
            for past in self._objects("Node"):
                yield from (one for one in self._node(past) if one.metric == metric)

        return make

    def _node(self, past: ObjectPast) -> list[Signal]:
        key = ("node", meta(past.obj)["uid"])
        if key not in self._kept:
            made, facts = Signals(), node_facts(past)
            cores, memory = self._usage.node(facts.node)
            told = {name: _condition(past, name) for name in CONDITIONS}
            disk = self._disk(facts.node)
            emit_node(made, facts, cpu=cores, memory=memory, disk_used=disk, conditions=told, sigma=0.0)
            self._kept[key] = [*made.all()]
        return [_until(one, past.until_s) for one in self._kept[key]]

    def _disk(self, node: str) -> Values:
        """Bytes in use, as the kubelet of the world saw them."""
        past = self._past.disks.used

        def values(times_s: Array) -> Array:
            found = stepped(past[node].told)(times_s) if node in past else np.full(times_s.shape, np.nan)
            return np.where(np.isnan(found), float(SIZE_BYTES - Disk().free), found)

        return values

    def _unschedulable(self) -> Iterator[Signal]:
        for past in self._objects("Node"):
            values = stepped(past.numbers["unschedulable"].told)
            yield _object(past, "kube_node_spec_unschedulable", values, node=meta(past.obj)["name"])

    def _karpenter(self) -> Iterator[Signal]:
        made: dict[str, list[float]] = {}
        for past in self._objects("Node"):
            if pool := labels_of(past.obj).get("karpenter.sh/nodepool"):
                made.setdefault(pool, []).append(past.since_s)
        for pool, moments in made.items():
            steps = [(at_s, float(count + 1)) for count, at_s in enumerate(sorted(moments))]
            labels = {"nodepool": pool, "reason": "provisioned"}
            yield Signal("karpenter_nodes_created_total", labels, stepped(steps), "counter")

    def _addresses(self, metric: str, place: int) -> Make:
        def make() -> Iterator[Signal]:
            for past in self._objects("Node"):
                name = meta(past.obj)["name"]
                if past.until_s == np.inf:
                    self._past.note_addresses(name, self._past.now_s())
                noted = self._past.addresses.get(name)
                steps = [(at_s, float(found[place])) for at_s, found in list(noted.told)] if noted else []
                yield _object(past, metric, stepped(steps), node=name)

        return make

    def _cni_errors(self) -> Iterator[Signal]:
        for past in self._objects("Node"):
            name = meta(past.obj)["name"]
            failed = [(at_s, float(place + 1)) for place, at_s in enumerate(self._past.failures(name))]
            values = stepped([(past.since_s, 0.0), *failed])
            yield _object(past, "awscni_ipamd_error_count", values, "counter", node=name)


_NODE_METRICS = (
    "kube_node_info", "kube_node_labels", "kube_node_status_capacity", "kube_node_status_condition",
    "node_cpu_seconds_total", "node_memory_MemTotal_bytes", "node_memory_MemAvailable_bytes",
    "node_filesystem_size_bytes", "node_filesystem_avail_bytes",
)  # fmt: skip


def node_facts(past: ObjectPast) -> NodeFacts:
    """A node object as the kit wants it."""
    node = past.obj
    labels = labels_of(node)
    capacity = (node.get("status") or {}).get("capacity") or {}
    addresses = (node.get("status") or {}).get("addresses") or ()
    return NodeFacts(
        node=meta(node)["name"],
        zone=labels.get("topology.kubernetes.io/zone", ""),
        since_s=past.since_s,
        instance_type=labels.get("node.kubernetes.io/instance-type", ""),
        address=next((one["address"] for one in addresses if one["type"] == "InternalIP"), ""),
        cores=max(1, round(quantity(capacity.get("cpu", "4")))),
        memory_bytes=quantity(capacity.get("memory", "15896992Ki")),
        disk_bytes=quantity(capacity.get("ephemeral-storage", "83873772Ki")),
        labels=labels,
    )


def _restarts(past: PodPast, name: str, facts: PodFacts) -> Iterator[Signal]:
    steps = [(at_s, float(count)) for at_s, count in list(past.containers[name].restarts.told)]
    yield facts.signal("kube_pod_container_status_restarts_total", stepped(steps), "counter")


def _waiting(past: PodPast, name: str, facts: PodFacts) -> Iterator[Signal]:
    yield from _reasons(past.containers[name].waiting, facts, "kube_pod_container_status_waiting_reason")


def _terminated(past: PodPast, name: str, facts: PodFacts) -> Iterator[Signal]:
    metric = "kube_pod_container_status_last_terminated_reason"
    yield from _reasons(past.containers[name].terminated, facts, metric)


def _readiness(past: PodPast, name: str, facts: PodFacts) -> Iterator[Signal]:
    steps = [(at_s, float(ready)) for at_s, ready in list(past.containers[name].ready.told)]
    yield facts.signal("kube_pod_container_status_ready", stepped(steps))


def _reasons(steps: Steps[str], facts: PodFacts, metric: str) -> Iterator[Signal]:
    """1 while a reason holds, and no series otherwise, as kube-state-metrics has it."""
    told = list(steps.told)
    for reason in sorted({reason for _, reason in told} - {""}):
        holds = [(at_s, 1.0 if each == reason else np.nan) for at_s, each in told]
        yield facts.signal(metric, stepped(holds), reason=reason)


def _is(steps: Steps[str], value: str) -> Values:
    return stepped([(at_s, float(each == value)) for at_s, each in list(steps.told)])


def _condition(past: ObjectPast, name: str) -> Values:
    """1, 0 or NaN for unknown; grows with the node's past."""

    def values(times_s: Array) -> Array:
        noted = past.numbers.get(f"condition/{name}")
        if noted is None:
            return np.full(np.shape(times_s), 1.0 if name == "Ready" else 0.0)
        found = stepped(noted.told)(times_s)
        return np.where(found == UNKNOWN, np.nan, found)

    return values


def _object(past: ObjectPast, metric: str, values: Values, kind: str = "gauge", **labels: str) -> Signal:
    space = meta(past.obj).get("namespace")
    place = {"namespace": space, **labels} if space else labels
    return Signal(metric, place, values, kind, past.since_s, past.until_s)


def _nothing(times_s: Array) -> Array:
    return np.full(np.shape(times_s), np.nan)


def _until(signal: Signal, until_s: float) -> Signal:
    if signal.until_s == until_s:
        return signal
    return Signal(signal.metric, signal.labels, signal.values, signal.kind, signal.since_s, until_s)
