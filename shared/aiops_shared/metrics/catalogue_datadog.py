"""The named questions in Datadog's words: kubelet and Kubernetes state checks, APM trace metrics, RDS.

Called by `datadog`. Metrics and units: metadata of the integrations (`kubernetes.cpu.usage.total` is in
nanocores, `system.disk.free` in KiB, `system.cpu.idle` in percent). Requests are APM's trace metrics of HTTP
servers: a service is the tag `service`, a route is `resource_name`; a workload's requests are those of the
service of its name.
"""

import re
from collections.abc import Callable, Mapping
from functools import partial

from aiops_shared.errors import InvalidInputError, QueryInvalidError
from aiops_shared.metrics.ports import Asked, Target
from aiops_shared.metrics.questions import targeted

INTERVAL = "$__interval_s"  # the driver puts the step here
RATE_STEP_S = 300  # the step of a rate is at least five minutes (`questions`)
_KINDS = {
    "Deployment": "kube_deployment",
    "StatefulSet": "kube_stateful_set",
    "DaemonSet": "kube_daemon_set",
    "Pod": "pod_name",
}
# Tags in the labels that every backend's answer has.
LABELS = {
    "pod_name": "pod",
    "kube_namespace": "namespace",
    "kube_node": "node",
    "resource_name": "route",
    "availability-zone": "zone",
    "dbinstanceidentifier": "database",
}
Make = Callable[[str, Target], str]
_SELECTOR_END = re.compile(r"(\{[^{}]*\}(?: by \{[^{}]*\})?)")


def asks(question: str, target: Target, cluster: str) -> Asked:
    """A named question in Datadog's query language, without its rollup.

    Raises QueryInvalidError for an unknown one and for one that Datadog has no data for, InvalidInputError
    for a target that it is not about.
    """
    known, asked = targeted(question, target)
    make = _QUERIES.get(question)
    if make is None:
        raise QueryInvalidError(
            f"what={question}",
            "Datadog has no data for it",
            f"ask source=prometheus or cloudwatch; Datadog answers {', '.join(sorted(_QUERIES))}",
        )
    query = make(cluster, asked)
    if question in _LEVELS:
        return Asked(_SELECTOR_END.sub(r"\1.rollup(last)", query), known.unit)
    return Asked(query, known.unit, RATE_STEP_S)


def _tag(name: str, value: str) -> str:
    """One tag of a scope. Raises InvalidInputError for a value that would end it."""
    if any(letter in value for letter in ",{}()!*: \t\n"):
        raise InvalidInputError(name, "holds what no tag may hold")
    return f"{name}:{value}"


def _scope(cluster: str, *tags: str) -> str:
    return ",".join([_tag("kube_cluster_name", cluster), *(tag for tag in tags if tag)])


def _place(cluster: str, target: Target, *more: str) -> str:
    space = _tag("kube_namespace", target.namespace) if target.namespace else ""
    name = _tag(_KINDS[target.kind], target.name) if target.name and target.kind in _KINDS else ""
    return _scope(cluster, space, name, *more)


def _by(target: Target) -> str:
    return "pod_name" if target.namespace else "kube_namespace,pod_name"


def _pod(metric: str, scale: str = "", fold: str = "sum") -> Make:
    return lambda cluster, target: f"{fold}:{metric}{{{_place(cluster, target)}}} by {{{_by(target)}}}{scale}"


def _share(over: Make, under: Make) -> Make:
    return lambda cluster, target: f"{over(cluster, target)} / {under(cluster, target)}"


_memory, _limit = _pod("kubernetes.memory.working_set"), _pod("kubernetes.memory.limits")
_cpu, _request = _pod("kubernetes.cpu.usage.total", " / 1000000000"), _pod("kubernetes.cpu.requests")


def _memory_on_node(cluster: str, target: Target) -> str:
    node = _tag("kube_node", target.name) if target.name else ""
    return f"sum:kubernetes.memory.working_set{{{_scope(cluster, node)}}} by {{kube_namespace,pod_name}}"


def _served(cluster: str, target: Target, *more: str) -> str:
    space = _tag("kube_namespace", target.namespace) if target.namespace else ""
    named = target.name and target.kind not in {"Namespace", "Cluster"}
    if named and target.kind == "Pod":
        return _scope(cluster, space, _tag("pod_name", target.name), *more)
    return _scope(cluster, space, _tag("service", target.name) if named else "", *more)


def _grouped(target: Target, by: str) -> str:
    if not by:
        return ""
    several = by == "resource_name" and target.kind in {"Namespace", "Cluster"}
    return f" by {{service,{by}}}" if several else f" by {{{by}}}"


_HITS = "trace.http.request.hits"


def _requests(cluster: str, target: Target, by: str) -> str:
    return f"sum:{_HITS}{{{_served(cluster, target)}}}{_grouped(target, by)}.as_count() / {INTERVAL}"


def _errors(cluster: str, target: Target, by: str) -> str:
    group = _grouped(target, by)
    failed = f"sum:{_HITS}.by_http_status{{{_served(cluster, target, 'http.status_class:5xx')}}}{group}"
    every = f"sum:{_HITS}{{{_served(cluster, target)}}}{group}"
    return f"default_zero({failed}.as_count()) / {every}.as_count()"


def _latency(cluster: str, target: Target, fold: str, by: str = "") -> str:
    return f"{fold}:trace.http.request{{{_served(cluster, target)}}}{_grouped(target, by)}"


def _node(metric: str, fold: str = "avg") -> Make:
    def build(cluster: str, target: Target) -> str:
        name = _tag("kube_node", target.name) if target.kind == "Node" and target.name else ""
        return f"{fold}:{metric}{{{_scope(cluster, name)}}} by {{kube_node}}"

    return build


def _of(make: Make, before: str = "", after: str = "") -> Make:
    return lambda cluster, target: f"{before}{make(cluster, target)}{after}"


def _cluster(query: str) -> Make:
    return lambda cluster, _: query.replace("$scope", _scope(cluster))


def _database(metric: str, scale: str = "") -> Make:
    def build(_: str, target: Target) -> str:
        named = target.kind == "Database" and target.name
        where = _tag("dbinstanceidentifier", target.name) if named else "*"
        return f"avg:{metric}{{{where}}} by {{dbinstanceidentifier}}{scale}"

    return build


def _scaler(metric: str) -> Make:
    def build(cluster: str, target: Target) -> str:
        space = _tag("kube_namespace", target.namespace) if target.namespace else ""
        name = _tag("horizontalpodautoscaler", target.name) if target.name else ""
        return f"sum:kubernetes_state.hpa.{metric}{{{_scope(cluster, space, name)}}}"

    return build


_QUERIES: Mapping[str, Make] = {
    "memory": _memory,
    "memory_of_limit": _share(_memory, _limit),
    "memory_limit": _limit,
    "memory_request": _pod("kubernetes.memory.requests"),
    "memory_on_node": _memory_on_node,
    "cpu": _cpu,
    "cpu_of_request": _share(_cpu, _request),
    "cpu_request": _request,
    "restarts": _pod("kubernetes.containers.restarts"),
    "requests": partial(_requests, by="resource_name"),
    "requests_total": partial(_requests, by=""),
    "requests_by_zone": partial(_requests, by="availability-zone"),
    "requests_by_version": partial(_requests, by="version"),
    "errors": partial(_errors, by=""),
    "errors_by_route": partial(_errors, by="resource_name"),
    "errors_by_zone": partial(_errors, by="availability-zone"),
    "errors_by_version": partial(_errors, by="version"),
    "latency_p50": partial(_latency, fold="p50"),
    "latency_p95": partial(_latency, fold="p95"),
    "latency_p99": partial(_latency, fold="p99"),
    "latency_by_zone": partial(_latency, fold="p50", by="availability-zone"),
    "latency_by_route": partial(_latency, fold="p99", by="resource_name"),
    "latency_by_version": partial(_latency, fold="p99", by="version"),
    "node_cpu": _of(_node("system.cpu.idle"), "1 - ", " / 100"),
    "node_memory": _of(_node("system.mem.pct_usable"), "1 - "),
    "node_disk_available": _of(_node("system.disk.free", "min"), after=" * 1024"),
    "node_disk_used": _node("system.disk.in_use", "max"),
    "cluster_cpu": _cluster("1 - avg:system.cpu.idle{$scope} / 100"),
    "cluster_memory": _cluster("1 - sum:system.mem.usable{$scope} / sum:system.mem.total{$scope}"),
    "addresses_assigned": _node("awscni_assigned_ip_addresses", "sum"),
    "addresses_total": _node("awscni_total_ip_addresses", "sum"),
    "address_errors": _of(_node("awscni_ipamd_error_count", "sum"), after=f".as_count() / {INTERVAL}"),
    "dns_latency_p99": _cluster("p99:coredns.request_duration.seconds{$scope}"),
    "db_connections": _database("aws.rds.database_connections"),
    "db_cpu": _database("aws.rds.cpuutilization", " / 100"),
    "pool_active": _pod("hikaricp_connections_active"),
    "pool_waiting": _pod("hikaricp_connections_pending"),
    "pool_max": _pod("hikaricp_connections_max"),
    "replicas": _scaler("current_replicas"),
    "replicas_max": _scaler("max_replicas"),
}
# Those whose value is of a moment; the others are of the five minutes that end there.
_LEVELS = frozenset(
    {"memory", "memory_of_limit", "memory_limit", "memory_request", "memory_on_node", "cpu_request",
     "restarts", "node_memory", "node_disk_available", "node_disk_used", "cluster_memory",
     "addresses_assigned", "addresses_total", "db_connections", "db_cpu", "pool_active", "pool_waiting",
     "pool_max", "replicas", "replicas_max"}
)  # fmt: skip
