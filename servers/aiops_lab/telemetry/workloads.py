"""The kit with which stories emit metrics: pods, requests, nodes and what stands around them.

Called by scenarios (`stage.telemetry.signals`) and, for everything that runs in the world anyway, by
`aiops_lab.world.measured`. Names are those of Prometheus (cAdvisor, kube-state-metrics, node exporter, the
VPC CNI, CoreDNS, Karpenter); the lab's CloudWatch reads the same signals. A quantity is a constant or a
function of Unix seconds; unless told otherwise it gets lognormal noise of sigma 0.04.

    pod = PodFacts("production", "user-api-1", node="ip-10-0-0-11.ec2.internal", owner_name="user-api-5d8")
    emit_pod(signals, pod, memory=lambda t: 310 * MI + 5e-3 * MI * np.maximum(t - onset_s, 0), cpu=0.2)
    emit_requests(signals, RouteFacts("shop", "/cart", "production", since_s=t0_s - 28 * DAY_S), rate=120.0)
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import exp, isinf

import numpy as np

from aiops_lab.telemetry.distributions import lognormal_share
from aiops_lab.telemetry.signals import Array, Signal, Signals, Values, counted, noise

MI, GI = 2.0**20, 2.0**30
DAY_S = 86_400.0
SIGMA = 0.04
Quantity = float | Values
LATENCY_BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
DNS_BUCKETS_S = tuple(0.00025 * 2**power for power in range(16))  # plugin/metrics/vars of CoreDNS
PHASES = ("Pending", "Running", "Succeeded", "Failed", "Unknown")
CONDITIONS = ("Ready", "MemoryPressure", "DiskPressure", "PIDPressure")


@dataclass(frozen=True, slots=True)
class PodFacts:
    """One container of one pod, as kube-state-metrics knows it; memory in bytes, cpu in cores."""

    namespace: str
    pod: str
    container: str = "app"
    node: str = ""
    owner_kind: str = "ReplicaSet"
    owner_name: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)  # of the pod: app, version, ...
    memory_limit_bytes: float | None = None
    memory_request_bytes: float | None = None
    cpu_limit_cores: float | None = None
    cpu_request_cores: float | None = None
    image: str = ""
    since_s: float = -np.inf
    until_s: float = np.inf

    @property
    def place(self) -> dict[str, str]:
        """The labels that all its series have."""
        found = {"namespace": self.namespace, "pod": self.pod, "container": self.container, "node": self.node}
        return {name: value for name, value in found.items() if value}

    def signal(self, metric: str, values: Quantity, kind: str = "gauge", **more: str) -> Signal:
        """One of its series."""
        return Signal(metric, self.place | more, _function(values), kind, self.since_s, self.until_s)

    def pod_signal(self, metric: str, values: Quantity, **more: str) -> Signal:
        """One series of the pod as a whole."""
        labels = {name: value for name, value in self.place.items() if name != "container"}
        return Signal(metric, labels | more, _function(values), "gauge", self.since_s, self.until_s)


@dataclass(frozen=True, slots=True)
class RouteFacts:
    """Requests of one route of one service; counters count since `since_s` (Unix seconds, finite)."""

    service: str
    route: str
    namespace: str
    since_s: float
    until_s: float = np.inf
    labels: Mapping[str, str] = field(default_factory=dict)  # more of them: version, pod, zone

    @property
    def place(self) -> dict[str, str]:
        """The labels that all its series have."""
        return {"namespace": self.namespace, "service": self.service, "route": self.route, **self.labels}


@dataclass(frozen=True, slots=True)
class NodeFacts:
    """One node; memory and disk in bytes. Its cpu counters count since `since_s`."""

    node: str
    zone: str
    since_s: float
    instance_type: str = "m5.xlarge"
    address: str = ""
    cores: int = 4
    memory_bytes: float = 15_896_992 * 1024.0
    disk_bytes: float = 83_873_772 * 1024.0
    labels: Mapping[str, str] = field(default_factory=dict)  # of the node object
    until_s: float = np.inf

    @property
    def place(self) -> dict[str, str]:
        """The labels that node exporter's series have."""
        return {"node": self.node, "instance": f"{self.address or self.node}:9100"}


@dataclass(frozen=True, slots=True)
class Profile:
    """What the pods of an app of the world use from the start, told instead of their program's curves.

    Functions of Unix seconds, memory in bytes, cpu in cores; each pod adds noise of its own. Kubernetes'
    metrics API reads it too: `stage.telemetry.profiles.append(Profile("production", "api", memory=...))`.
    """

    namespace: str
    app: str  # the pods' label `app`
    memory: Quantity | None = None
    cpu: Quantity | None = None
    container: str = ""  # empty: every container
    sigma: float = SIGMA

    def fits(self, namespace: str, app: str, container: str) -> bool:
        """Whether it tells of this container."""
        return (self.namespace, self.app) == (namespace, app) and self.container in ("", container)


def noisy(key: str, quantity: Quantity, sigma: float = SIGMA) -> Values:
    """A quantity with lognormal noise that hangs on `key`; a constant or function stays itself at sigma 0."""
    exact = _function(quantity)
    if sigma <= 0:
        return exact
    return lambda times_s: exact(times_s) * np.exp(noise(key, times_s, sigma))


def stepped(steps: list[tuple[float, float]]) -> Values:
    """A quantity that changes at moments: [(since Unix second, value), ...] in order; nothing before."""

    def values(times_s: Array) -> Array:
        told = list(steps)  # may grow while the world runs
        moments = np.array([since for since, _ in told], dtype=np.float64)
        levels = np.array([np.nan, *(level for _, level in told)], dtype=np.float64)
        return np.asarray(levels[np.searchsorted(moments, times_s, side="right")])

    return values


def emit_pod(
    signals: Signals,
    pod: PodFacts,
    *,
    memory: Quantity,
    cpu: Quantity = 0.02,
    restarts: Quantity = 0.0,
    phase: str = "Running",
    sigma: float = SIGMA,
) -> None:
    """One running pod: `memory` is its working set in bytes (never above the limit), `cpu` in cores.

    Its cpu counter counts since `pod.since_s`: give it one.
    """
    key = f"{pod.namespace}/{pod.pod}/{pod.container}"
    used = _capped(noisy(f"memory/{key}", memory, sigma), pod.memory_limit_bytes)
    burnt = noisy(f"cpu/{key}", cpu, sigma)
    signals.add(
        pod.signal("container_memory_working_set_bytes", used),
        pod.signal("container_cpu_usage_seconds_total", counted(burnt, _start(pod.since_s)), "counter"),
        pod.signal("kube_pod_container_status_restarts_total", restarts, "counter"),
        *pod_state(pod, phase),
    )


def pod_state(pod: PodFacts, phase: str = "Running") -> list[Signal]:
    """What kube-state-metrics says of a pod that does not change: owner, labels, limits, phase."""
    labels = {f"label_{_label(name)}": value for name, value in pod.labels.items()}
    owner = {"owner_kind": pod.owner_kind, "owner_name": pod.owner_name, "owner_is_controller": "true"}
    info = {"created_by_kind": pod.owner_kind, "created_by_name": pod.owner_name}
    return [
        pod.pod_signal("kube_pod_info", 1.0, **info),
        *((pod.signal("kube_pod_container_info", 1.0, image=pod.image),) if pod.image else ()),
        pod.pod_signal("kube_pod_owner", 1.0, **owner),
        pod.pod_signal("kube_pod_labels", 1.0, **labels),
        *(pod.pod_signal("kube_pod_status_phase", float(each == phase), phase=each) for each in PHASES),
        *sizes(pod),
    ]


def sizes(pod: PodFacts) -> list[Signal]:
    """Its requests and limits, as far as it has them."""
    found = (
        ("limits", "memory", "byte", pod.memory_limit_bytes),
        ("limits", "cpu", "core", pod.cpu_limit_cores),
        ("requests", "memory", "byte", pod.memory_request_bytes),
        ("requests", "cpu", "core", pod.cpu_request_cores),
    )
    return [
        pod.signal(f"kube_pod_container_resource_{what}", float(size), resource=resource, unit=unit)
        for what, resource, unit, size in found
        if size is not None
    ]


def emit_requests(
    signals: Signals,
    route: RouteFacts,
    *,
    rate: Quantity,
    status: str = "200",
    latency_s: Quantity = 0.02,
    spread: float = 0.5,
    sigma: float = SIGMA,
) -> None:
    """Requests that end with one status: `rate` per second, their duration lognormal around the median
    `latency_s` with `spread` as its sigma. Call it once for each status."""
    place = route.place | {"status": status}
    key = "/".join(sorted(place.values()))
    arriving, median = noisy(f"requests/{key}", rate, sigma), _function(latency_s)

    def counter(metric: str, share: Values, **more: str) -> Signal:
        values = counted(lambda times_s: arriving(times_s) * share(times_s), route.since_s)
        return Signal(metric, place | more, values, "counter", route.since_s, route.until_s)

    def within(bound_s: float) -> Values:
        return lambda times_s: lognormal_share(bound_s, median(times_s), spread)

    everything = _function(1.0)
    histogram = "http_request_duration_seconds"
    signals.add(
        counter("http_requests_total", everything),
        counter(f"{histogram}_count", everything),
        counter(f"{histogram}_sum", lambda times_s: median(times_s) * exp(spread**2 / 2)),
        *(counter(f"{histogram}_bucket", within(bound), le=_bound(bound)) for bound in LATENCY_BUCKETS_S),
        counter(f"{histogram}_bucket", everything, le="+Inf"),
    )


def emit_node(
    signals: Signals,
    node: NodeFacts,
    *,
    cpu: Quantity = 0.6,
    memory: Quantity = 3 * GI,
    disk_used: Quantity = 30 * GI,
    conditions: Mapping[str, Quantity] | None = None,
    sigma: float = SIGMA,
) -> None:
    """One node: `cpu` cores busy, `memory` and `disk_used` bytes in use.

    `conditions`: name -> 1 or 0 over time; Ready holds and the pressures do not, unless told.
    """
    used = noisy(f"node-memory/{node.node}", memory, sigma)
    full, busy = _function(disk_used), noisy(f"node-cpu/{node.node}", cpu, sigma)
    root = {"mountpoint": "/", "device": "/dev/nvme0n1p1", "fstype": "xfs"}
    signals.add(
        _of(node, "node_memory_MemTotal_bytes", node.memory_bytes),
        _of(node, "node_memory_MemAvailable_bytes", lambda t: np.maximum(node.memory_bytes - used(t), 0.0)),
        _of(node, "node_filesystem_size_bytes", node.disk_bytes, **root),
        _of(
            node, "node_filesystem_avail_bytes", lambda t: np.maximum(node.disk_bytes - full(t), 0.0), **root
        ),
        *_processor(node, busy),
        *node_state(node, conditions or {}),
    )


def _processor(node: NodeFacts, busy: Values) -> list[Signal]:
    """node_cpu_seconds_total of every core: the load is spread evenly, three quarters of it in user mode."""
    shares: dict[str, Values] = {
        "user": lambda t: 0.75 * np.minimum(busy(t) / node.cores, 1.0),
        "system": lambda t: 0.25 * np.minimum(busy(t) / node.cores, 1.0),
        "idle": lambda t: 1.0 - np.minimum(busy(t) / node.cores, 1.0),
    }
    totals = {mode: counted(share, node.since_s) for mode, share in shares.items()}
    return [
        Signal(
            "node_cpu_seconds_total",
            node.place | {"cpu": str(core), "mode": mode},
            total,
            "counter",
            node.since_s,
            node.until_s,
        )
        for mode, total in totals.items()
        for core in range(node.cores)
    ]


def node_state(node: NodeFacts, conditions: Mapping[str, Quantity]) -> list[Signal]:
    """What kube-state-metrics says of a node: conditions (each as three series), labels, capacity."""
    told = {name: _function(1.0 if name == "Ready" else 0.0) for name in CONDITIONS}
    told |= {name: _function(value) for name, value in conditions.items()}
    labels = {
        "topology_kubernetes_io_zone": node.zone,
        "node_kubernetes_io_instance_type": node.instance_type,
        **{_label(name): value for name, value in node.labels.items()},
    }
    sizes_of = (("cpu", "core", float(node.cores)), ("memory", "byte", node.memory_bytes))
    return [
        _kube(node, "kube_node_info", 1.0),
        _kube(node, "kube_node_labels", 1.0, **{f"label_{name}": value for name, value in labels.items()}),
        *(
            _kube(node, "kube_node_status_capacity", size, resource=name, unit=unit)
            for name, unit, size in sizes_of
        ),
        *(
            _kube(node, "kube_node_status_condition", _said(holds, status), condition=name, status=status)
            for name, holds in told.items()
            for status in ("true", "false", "unknown")
        ),
    ]


def _said(holds: Values, status: str) -> Values:
    """1 while the condition has this status; NaN of the story means unknown."""

    def values(times_s: Array) -> Array:
        found = np.broadcast_to(np.asarray(holds(times_s), dtype=np.float64), times_s.shape)
        if status == "unknown":
            return np.asarray(np.isnan(found), dtype=np.float64)
        return np.asarray(found == (1.0 if status == "true" else 0.0), dtype=np.float64)

    return values


def emit_cni(
    signals: Signals,
    node: NodeFacts,
    *,
    assigned: Quantity,
    total: Quantity,
    enis: Quantity = 2.0,
    errors_per_s: Quantity = 0.0,
) -> None:
    """The VPC CNI of a node: addresses given to pods, addresses held, interfaces, and its failed calls."""
    labels = {"node": node.node}
    gauges = (
        ("awscni_assigned_ip_addresses", assigned),
        ("awscni_total_ip_addresses", total),
        ("awscni_eni_allocated", enis),
    )
    failed = counted(_function(errors_per_s), node.since_s)
    signals.add(
        *(
            Signal(name, labels, _function(value), "gauge", node.since_s, node.until_s)
            for name, value in gauges
        ),
        Signal("awscni_ipamd_error_count", labels, failed, "counter", node.since_s, node.until_s),
    )


def emit_dns(
    signals: Signals,
    pod: PodFacts,
    *,
    rate: Quantity = 40.0,
    latency_s: Quantity = 0.0008,
    spread: float = 0.6,
    sigma: float = SIGMA,
) -> None:
    """CoreDNS in one pod: answers per second and their duration."""
    arriving = noisy(f"dns/{pod.pod}", rate, sigma)
    median, since_s = _function(latency_s), _start(pod.since_s)
    histogram, labels = "coredns_dns_request_duration_seconds", {**pod.place, "server": "dns://:53"}

    def counter(metric: str, share: Values, **more: str) -> Signal:
        values = counted(lambda times_s: arriving(times_s) * share(times_s), since_s)
        return Signal(metric, labels | more, values, "counter", pod.since_s, pod.until_s)

    def within(bound_s: float) -> Values:
        return lambda times_s: lognormal_share(bound_s, median(times_s), spread)

    everything = _function(1.0)
    signals.add(
        counter(f"{histogram}_count", everything),
        counter(f"{histogram}_sum", lambda times_s: median(times_s) * exp(spread**2 / 2)),
        *(counter(f"{histogram}_bucket", within(bound), le=_bound(bound)) for bound in DNS_BUCKETS_S),
        counter(f"{histogram}_bucket", everything, le="+Inf"),
    )


def emit_autoscaler(
    signals: Signals, namespace: str, name: str, *, least: Quantity, most: Quantity, current: Quantity,
    desired: Quantity | None = None,
) -> None:  # fmt: skip
    """One HorizontalPodAutoscaler, in replicas."""
    labels = {"namespace": namespace, "horizontalpodautoscaler": name}
    gauges = {
        "spec_min_replicas": least,
        "spec_max_replicas": most,
        "status_current_replicas": current,
        "status_desired_replicas": current if desired is None else desired,
    }
    signals.add(
        *(Signal(f"kube_horizontalpodautoscaler_{what}", labels, _function(n)) for what, n in gauges.items())
    )


def emit_karpenter(signals: Signals, *, created: Quantity, nodepool: str = "default") -> None:
    """How many nodes Karpenter made so far."""
    labels = {"nodepool": nodepool, "reason": "provisioned"}
    signals.add(Signal("karpenter_nodes_created_total", labels, _function(created), "counter"))


def _function(quantity: Quantity) -> Values:
    if callable(quantity):
        return quantity
    constant = float(quantity)
    return lambda times_s: np.full(np.shape(times_s), constant)


def _capped(values: Values, most: float | None) -> Values:
    return values if most is None else lambda times_s: np.minimum(values(times_s), most)


def _start(since_s: float) -> float:
    """Since when a counter counts, for a pod that was always there."""
    if not isinf(since_s):
        return since_s
    return _ALWAYS_S


_ALWAYS_S = 1_700_006_400.0  # a Wednesday at midnight in 2023: before any story


def _label(name: str) -> str:
    """A Kubernetes label as kube-state-metrics writes it."""
    return "".join(each if each.isalnum() else "_" for each in name)


def _bound(bound_s: float) -> str:
    return f"{bound_s:g}"


def _of(node: NodeFacts, metric: str, values: Quantity, **more: str) -> Signal:
    return Signal(metric, node.place | more, _function(values), "gauge", node.since_s, node.until_s)


def _kube(node: NodeFacts, metric: str, values: Quantity, **more: str) -> Signal:
    return Signal(metric, {"node": node.node} | more, _function(values), "gauge", node.since_s, node.until_s)
