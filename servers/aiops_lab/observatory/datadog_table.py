"""Which Datadog metrics there are: the world's signals under the names of Datadog's own checks.

Names, tags and units of the integrations' metadata: kubelet (`kubernetes.*`, CPU in nanocores), Kubernetes
state core, system (`system.disk.*` in KiB), APM trace metrics, CoreDNS, Amazon RDS; what the OpenMetrics
check scrapes keeps its name. Called by `datadog_language`.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from aiops_lab.telemetry import Telemetry
from aiops_lab.telemetry.derived import Distribution, Gauge, Growth, Share, Stream, distribution
from aiops_lab.telemetry.signals import Signal, Signals

_HASH = re.compile(r"-[a-z0-9]{5,10}$")
_OWNER = {
    "ReplicaSet": "kube_deployment",
    "StatefulSet": "kube_stateful_set",
    "DaemonSet": "kube_daemon_set",
    "Job": "kube_job",
}


@dataclass(frozen=True, slots=True)
class Tagged:
    """One series: a gauge, a count (growth in the minute) or a distribution."""

    metric: str
    tags: Mapping[str, str]
    what: Stream | Distribution
    count: bool = False


def tagged(telemetry: Telemetry, cluster: str) -> Iterator[Tagged]:
    """Every series."""
    signals = telemetry.signals
    owners = _owners(signals)
    for metric, source, labels, scale in _POD_ROWS:
        for one in signals.find(source, **labels):
            if one.labels.get("container", "app") not in {"", "POD"}:
                growing = one.kind == "counter" and source.endswith("seconds_total")
                what: Stream = Growth((one,), scale) if growing else Gauge((one,), scale)
                yield Tagged(metric, _pod_tags(cluster, one, owners), what)
    yield from _nodes(signals, cluster)
    yield from _requests(signals, cluster)
    yield from _others(signals, cluster, owners)
    for name, metric in _RDS:
        for one in telemetry.cloud.find(metric):
            tags = {"dbinstanceidentifier": one.labels.get("DBInstanceIdentifier", "")}
            yield Tagged(name, tags, Gauge((one,)))


_MEMORY, _CPU = {"resource": "memory"}, {"resource": "cpu"}
_LIMITS, _REQUESTS = "kube_pod_container_resource_limits", "kube_pod_container_resource_requests"
_POD_ROWS: tuple[tuple[str, str, dict[str, str], float], ...] = (
    ("kubernetes.memory.working_set", "container_memory_working_set_bytes", {}, 1.0),
    ("kubernetes.memory.limits", _LIMITS, _MEMORY, 1.0),
    ("kubernetes.memory.requests", _REQUESTS, _MEMORY, 1.0),
    ("kubernetes.cpu.usage.total", "container_cpu_usage_seconds_total", {}, 1e9 / 60),
    ("kubernetes.cpu.limits", _LIMITS, _CPU, 1.0),
    ("kubernetes.cpu.requests", _REQUESTS, _CPU, 1.0),
    ("kubernetes.containers.restarts", "kube_pod_container_status_restarts_total", {}, 1.0),
    ("hikaricp_connections_active", "hikaricp_connections_active", {}, 1.0),
    ("hikaricp_connections_pending", "hikaricp_connections_pending", {}, 1.0),
    ("hikaricp_connections_max", "hikaricp_connections_max", {}, 1.0),
)
_RDS = (
    ("aws.rds.database_connections", "AWS/RDS/DatabaseConnections"),
    ("aws.rds.cpuutilization", "AWS/RDS/CPUUtilization"),
)


def _owners(signals: Signals) -> dict[tuple[str, str], tuple[str, str]]:
    """The tag of each pod's workload."""
    found: dict[tuple[str, str], tuple[str, str]] = {}
    for one in signals.find("kube_pod_owner"):
        kind, name = one.labels.get("owner_kind", ""), one.labels.get("owner_name", "")
        name = _HASH.sub("", name) if kind == "ReplicaSet" else name
        if kind in _OWNER:
            found[one.labels.get("namespace", ""), one.labels.get("pod", "")] = (_OWNER[kind], name)
    return found


def _pod_tags(cluster: str, one: Signal, owners: Mapping[tuple[str, str], tuple[str, str]]) -> dict[str, str]:
    space, pod = one.labels.get("namespace", ""), one.labels.get("pod", "")
    tags = {"kube_cluster_name": cluster, "kube_namespace": space, "pod_name": pod}
    if container := one.labels.get("container"):
        tags["kube_container_name"] = container
    if node := one.labels.get("node"):
        tags["kube_node"] = node
    return tags | dict([owners[space, pod]] if (space, pod) in owners else [])


def _by(signals: Iterable[Signal], *labels: str) -> dict[tuple[str, ...], tuple[Signal, ...]]:
    found: dict[tuple[str, ...], list[Signal]] = {}
    for one in signals:
        found.setdefault(tuple(one.labels.get(label, "") for label in labels), []).append(one)
    return {key: tuple(each) for key, each in found.items()}


def _nodes(signals: Signals, cluster: str) -> Iterator[Tagged]:
    def of(node: str) -> dict[str, str]:
        return {"kube_cluster_name": cluster, "kube_node": node}

    usable = _by(signals.find("node_memory_MemAvailable_bytes"), "node")
    for (node,), total in _by(signals.find("node_memory_MemTotal_bytes"), "node").items():
        yield Tagged("system.mem.total", of(node), Gauge(total))
        if (node,) in usable:
            yield Tagged("system.mem.usable", of(node), Gauge(usable[node,]))
            yield Tagged("system.mem.pct_usable", of(node), Share(Gauge(usable[node,]), Gauge(total)))
    sizes = _by(signals.find("node_filesystem_size_bytes", mountpoint="/"), "node")
    for (node,), free in _by(signals.find("node_filesystem_avail_bytes", mountpoint="/"), "node").items():
        tags = of(node) | {"device": "/dev/nvme0n1p1"}
        yield Tagged("system.disk.free", tags, Gauge(free, 1 / 1024))
        if (node,) in sizes:
            yield Tagged("system.disk.in_use", tags, Share(Gauge(free), Gauge(sizes[node,]), rest=True))
    cores = _by(signals.find("node_cpu_seconds_total"), "node")
    for (node,), idle in _by(signals.find("node_cpu_seconds_total", mode="idle"), "node").items():
        yield Tagged("system.cpu.idle", of(node), Share(Growth(idle), Growth(cores[node,]), 100.0))


def _requests(signals: Signals, cluster: str) -> Iterator[Tagged]:
    """APM's trace metrics of the HTTP server's requests; a route is a resource."""

    def tags(key: tuple[str, ...]) -> dict[str, str]:
        space, service, route, zone, version = key
        found = {"kube_namespace": space, "service": service, "resource_name": route, "version": version}
        found |= {"availability-zone": zone, "kube_cluster_name": cluster}
        return {name: value for name, value in found.items() if value}

    labels = ("namespace", "service", "route", "zone", "version")
    for key, each in _by(signals.find("http_requests_total"), *labels, "status").items():
        status = key[-1]
        yield Tagged("trace.http.request.hits", tags(key[:-1]), Growth(each), count=True)
        classed = tags(key[:-1]) | {"http.status_class": f"{status[:1]}xx", "http.status_code": status}
        yield Tagged("trace.http.request.hits.by_http_status", classed, Growth(each), count=True)
    for key, each in _by(signals.find("http_request_duration_seconds_bucket"), *labels).items():
        yield Tagged("trace.http.request", tags(key), distribution(each))


def _others(
    signals: Signals, cluster: str, owners: Mapping[tuple[str, str], tuple[str, str]]
) -> Iterator[Tagged]:
    for metric in ("awscni_assigned_ip_addresses", "awscni_total_ip_addresses", "awscni_ipamd_error_count"):
        for one in signals.find(metric):
            tags = {"kube_cluster_name": cluster, "kube_node": one.labels.get("node", "")}
            what: Stream = Growth((one,)) if one.kind == "counter" else Gauge((one,))
            yield Tagged(metric, tags, what, count=one.kind == "counter")
    for what_is in ("current_replicas", "desired_replicas"):
        for one in signals.find(f"kube_horizontalpodautoscaler_status_{what_is}"):
            yield Tagged(f"kubernetes_state.hpa.{what_is}", _scaled(cluster, one), Gauge((one,)))
    for one in signals.find("kube_horizontalpodautoscaler_spec_max_replicas"):
        yield Tagged("kubernetes_state.hpa.max_replicas", _scaled(cluster, one), Gauge((one,)))
    if answers := tuple(signals.find("coredns_dns_request_duration_seconds_bucket")):
        for key, each in _by(answers, "namespace", "pod").items():
            tags = _pod_tags(cluster, each[0], owners)
            yield Tagged("coredns.request_duration.seconds", tags, distribution(each))
            del key


def _scaled(cluster: str, one: Signal) -> dict[str, str]:
    return {
        "kube_cluster_name": cluster,
        "kube_namespace": one.labels.get("namespace", ""),
        "horizontalpodautoscaler": one.labels.get("horizontalpodautoscaler", ""),
    }
