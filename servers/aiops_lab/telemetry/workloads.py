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
from math import exp

import numpy as np

from aiops_lab.telemetry.distributions import lognormal_share
from aiops_lab.telemetry.facts import (
    DAY_S,
    GI,
    MI,
    SIGMA,
    NodeFacts,
    PodFacts,
    Profile,
    Quantity,
    RouteFacts,
    bound_of,
    counts_since,
    function,
    label_of,
    noisy,
    stepped,
)
from aiops_lab.telemetry.signals import Array, Signal, Signals, Values, counted
from aiops_lab.telemetry.surroundings import emit_autoscaler, emit_cni, emit_dns, emit_karpenter

__all__ = [
    "DAY_S", "GI", "MI", "SIGMA", "NodeFacts", "PodFacts", "Profile", "Quantity", "RouteFacts",
    "emit_autoscaler", "emit_cni", "emit_dns", "emit_karpenter", "emit_node", "emit_pod", "emit_requests",
    "node_state", "noisy", "pod_state", "sizes", "stepped",
]  # fmt: skip

KEPT_DAYS = 21  # of a node's cores, whose sums take all its pods
LATENCY_BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
PHASES = ("Pending", "Running", "Succeeded", "Failed", "Unknown")
CONDITIONS = ("Ready", "MemoryPressure", "DiskPressure", "PIDPressure")


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
        pod.signal("container_cpu_usage_seconds_total", counted(burnt, counts_since(pod.since_s)), "counter"),
        pod.signal("kube_pod_container_status_restarts_total", restarts, "counter"),
        *pod_state(pod, phase),
    )


def pod_state(pod: PodFacts, phase: str = "Running") -> list[Signal]:
    """What kube-state-metrics says of a pod that does not change: owner, labels, limits, phase."""
    labels = {f"label_{label_of(name)}": value for name, value in pod.labels.items()}
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
    arriving, median = noisy(f"requests/{key}", rate, sigma), function(latency_s)

    def counter(metric: str, share: Values, **more: str) -> Signal:
        values = counted(lambda times_s: arriving(times_s) * share(times_s), route.since_s)
        return Signal(metric, place | more, values, "counter", route.since_s, route.until_s)

    def within(bound_s: float) -> Values:
        return lambda times_s: lognormal_share(bound_s, median(times_s), spread)

    everything = function(1.0)
    histogram = "http_request_duration_seconds"
    signals.add(
        counter("http_requests_total", everything),
        counter(f"{histogram}_count", everything),
        counter(f"{histogram}_sum", lambda times_s: median(times_s) * exp(spread**2 / 2)),
        *(counter(f"{histogram}_bucket", within(bound), le=bound_of(bound)) for bound in LATENCY_BUCKETS_S),
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
    full, busy = function(disk_used), noisy(f"node-cpu/{node.node}", cpu, sigma)
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
    totals = {
        mode: _once(counted(share, node.since_s, keep_days=KEPT_DAYS)) for mode, share in shares.items()
    }
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


def _once(values: Values) -> Values:
    """All cores of a node are read at the same moments: computed for the first of them."""
    last: list[tuple[Array, Array]] = []

    def kept(times_s: Array) -> Array:
        if not last or last[0][0] is not times_s:
            last[:] = [(times_s, values(times_s))]
        return last[0][1]

    return kept


def node_state(node: NodeFacts, conditions: Mapping[str, Quantity]) -> list[Signal]:
    """What kube-state-metrics says of a node: conditions (each as three series), labels, capacity."""
    told = {name: function(1.0 if name == "Ready" else 0.0) for name in CONDITIONS}
    told |= {name: function(value) for name, value in conditions.items()}
    labels = {
        "topology_kubernetes_io_zone": node.zone,
        "node_kubernetes_io_instance_type": node.instance_type,
        **{label_of(name): value for name, value in node.labels.items()},
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


def _capped(values: Values, most: float | None) -> Values:
    return values if most is None else lambda times_s: np.minimum(values(times_s), most)


def _of(node: NodeFacts, metric: str, values: Quantity, **more: str) -> Signal:
    return Signal(metric, node.place | more, function(values), "gauge", node.since_s, node.until_s)


def _kube(node: NodeFacts, metric: str, values: Quantity, **more: str) -> Signal:
    return Signal(metric, {"node": node.node} | more, function(values), "gauge", node.since_s, node.until_s)
