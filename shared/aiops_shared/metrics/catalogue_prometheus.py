"""The named questions in PromQL: cAdvisor, kube-state-metrics, node exporter, the VPC CNI, CoreDNS.

Called by `prometheus` and `amp`. A workload finds its pods by their names, in the form that its controller
gives them, less those that kube-state-metrics says another kind owns: names alone would give Deployment
`user` the pods of DaemonSet `user-api`. Where kube-state-metrics is not scraped, names alone still answer; an
inner join on kube_pod_owner would say "no data" instead, and would read every pod of the namespace.
`$__rate_interval` becomes five minutes or the step, whichever is longer.
"""

import re
from collections.abc import Callable, Mapping
from functools import partial

from aiops_shared.errors import QueryInvalidError
from aiops_shared.metrics.ports import Asked, Target
from aiops_shared.metrics.promql import quoted
from aiops_shared.metrics.questions import targeted

RATE = "[$__rate_interval]"
LONG_NAME = 46  # beyond it the pod's generated name is cut to 58 characters (kubernetes, storage/names)
# How controllers name pods: (form of what follows the name, kind that owns the pods).
_NAMED: Mapping[str, tuple[str, str]] = {
    "Deployment": ("-[a-z0-9]{1,10}-[a-z0-9]{5}", "ReplicaSet"),
    "StatefulSet": ("-[0-9]+", "StatefulSet"),
    "DaemonSet": ("-[a-z0-9]{5}", "DaemonSet"),
}
_ROOT = 'mountpoint=~"/|/host|/rootfs",fstype!~"tmpfs|overlay"'


def asks(question: str, target: Target) -> Asked:
    """A named question in PromQL.

    Raises QueryInvalidError for an unknown one and for one that Prometheus has no data for,
    InvalidInputError for a target that it is not about.
    """
    known, asked = targeted(question, target)
    make = _QUERIES.get(question)
    if make is None:
        raise QueryInvalidError(
            f"what={question}",
            "Prometheus has no data for it",
            "ask source=cloudwatch (Network Flow Monitor, RDS)",
        )
    return Asked(query=make(asked), unit=known.unit)


def _matchers(*pairs: str) -> str:
    return f"{{{_joined(*pairs)}}}"


def _equal(label: str, value: str) -> str:
    return f"{label}={quoted(value)}" if value else ""


def _pod_form(target: Target) -> str:
    """The matcher of a workload's pods; nothing for a whole namespace."""
    if target.kind == "Pod":
        return _equal("pod", target.name)
    if target.kind not in _NAMED or not target.name:
        return ""
    ending = _NAMED[target.kind][0]
    name = _literal(target.name)
    if target.kind == "Deployment" and len(target.name) > LONG_NAME:
        name, ending = _literal(target.name[:LONG_NAME]), "[a-z0-9.-]*"
    return f"pod=~{quoted(name + ending)}"


def _place(target: Target) -> tuple[str, str]:
    return _equal("namespace", target.namespace), _pod_form(target)


def _owned(target: Target, expression: str, by: str = "namespace, pod") -> str:
    """The expression without the pods that another kind owns, as kube-state-metrics says."""
    if target.kind not in _NAMED:
        return expression
    owner = _NAMED[target.kind][1]
    others = _matchers(*_place(target), f"owner_kind!={quoted(owner)}")
    return f"({expression}) unless on ({by}) kube_pod_owner{others}"


def _per_pod(expression: str, target: Target) -> str:
    """Summed by pod: the pods of one namespace need no other label."""
    found = _owned(target, f"sum by (namespace, pod) ({expression})")
    return f"sum by (pod) ({found})" if target.namespace else f"sum by (namespace, pod) ({found})"


def _gauge(metric: str, *more: str) -> Callable[[Target], str]:
    return lambda target: _per_pod(f"{metric}{_matchers(*_place(target), *more)}", target)


def _counter(metric: str, *more: str) -> Callable[[Target], str]:
    return lambda target: _per_pod(f"rate({metric}{_matchers(*_place(target), *more)}{RATE})", target)


def _share(over: Callable[[Target], str], under: Callable[[Target], str]) -> Callable[[Target], str]:
    return lambda target: f"{over(target)} / {under(target)}"


_APP = 'container!="",container!="POD"'  # cAdvisor's rows of the pod and of its pause container count twice
_memory = _gauge("container_memory_working_set_bytes", _APP)
_cpu = _counter("container_cpu_usage_seconds_total", _APP)
_memory_limit = _gauge("kube_pod_container_resource_limits", 'resource="memory"')
_cpu_request = _gauge("kube_pod_container_resource_requests", 'resource="cpu"')


def _memory_by_version(target: Target) -> str:
    used = f"sum by (namespace, pod) (container_memory_working_set_bytes{_matchers(*_place(target), _APP)})"
    info = f"kube_pod_container_info{_matchers(*_place(target))}"
    tags = f'label_replace({info}, "version", "$1", "image", "[^@]*:([^@/]+)(?:@.*)?")'
    one = f"max by (namespace, pod, version) ({tags})"
    # A pod with a sidecar has several versions: the join by pod needs one, the workload's own is the first.
    one = f"topk by (namespace, pod) (1, {one})"
    joined = f"({_owned(target, used)}) * on (namespace, pod) group_left (version) {one}"
    return f"avg by (version) ({joined})"


def _memory_on_node(target: Target) -> str:
    rows = _matchers(_equal("node", target.name), _APP)  # the scrape of the kubelet relabels `node`
    return f"sum by (namespace, pod) (container_memory_working_set_bytes{rows})"


def _served(target: Target, build: Callable[[str], str]) -> str:
    """Requests of a service, or of a workload: by the label `service`, else by its pods."""
    namespace = _equal("namespace", target.namespace)
    if target.kind in {"Cluster", "Namespace"} or not target.name:
        return build(namespace)
    if target.kind == "Service":
        return build(_joined(namespace, _equal("service", target.name)))
    pods = _pod_form(target)
    if target.kind == "Pod":
        return build(_joined(namespace, pods))
    named = build(_joined(namespace, _equal("service", target.name)))
    unnamed = build(_joined(namespace, 'service=""', pods))
    return f"{named} or {unnamed}"


def _joined(*pairs: str) -> str:
    return ",".join(pair for pair in pairs if pair)


def _rate_of(where: str, by: str, *more: str) -> str:
    group = f" by ({by})" if by else ""
    return f"sum{group} (rate(http_requests_total{_matchers(where, *more)}{RATE}))"


def _requests(target: Target, by: str) -> str:
    by = _routes(target, by)
    return _served(target, lambda where: _rate_of(where, by, _told(by)))


def _routes(target: Target, by: str) -> str:
    """Routes of several services are told apart: `/` of one is not `/` of another."""
    return "service, route" if by == "route" and target.kind in {"Namespace", "Cluster"} else by


def _told(by: str) -> str:
    """Only series that say the zone or version: others would add up to one answer for all."""
    return f'{by}!=""' if by in {"zone", "version"} else ""


def _errors(target: Target, by: str) -> str:
    by = _routes(target, by)

    def share(where: str) -> str:
        failed, every = _rate_of(where, by, 'status=~"5.."', _told(by)), _rate_of(where, by, _told(by))
        return f"(({failed}) or 0 * ({every})) / ({every})"

    return _served(target, share)


def _latency(target: Target, quantile: float, by: str) -> str:
    by = _routes(target, by)

    def build(where: str) -> str:
        group = f"le, {by}" if by else "le"
        rate = f"rate(http_request_duration_seconds_bucket{_matchers(where, _told(by))}{RATE})"
        return f"histogram_quantile({quantile}, sum by ({group}) ({rate}))"

    return _served(target, build)


def _node(fold: str, metric: str, *more: str, rate: bool = False) -> Callable[[Target], str]:
    """A metric of nodes, folded to one series a node.

    The node stands in `node` where the scrape relabels it, else it is the host of `instance`: without this a
    store without `node` would give one series of all nodes under no name.
    """

    def read(*where: str) -> str:
        rows = f"{metric}{_matchers(*where, *more)}"
        return f"rate({rows}{RATE})" if rate else rows

    def build(target: Target) -> str:
        name = target.name if target.kind == "Node" else ""
        host = f"instance=~{quoted(_literal(name) + '(:[0-9]+)?')}" if name else 'instance!=""'
        named = read(_equal("node", name) or 'node!=""')
        other = read('node=""', host)
        other = f'label_replace({other}, "node", "$1", "instance", "(.*?)(?::[0-9]+)?")'
        return f"{fold} by (node) ({named} or {other})"

    return build


def _literal(name: str) -> str:
    """A name as a regular expression that means only itself."""
    return re.escape(name).replace("\\-", "-")


_idle = _node("avg", "node_cpu_seconds_total", 'mode="idle"', rate=True)
_free = _node("min", "node_filesystem_avail_bytes", _ROOT)
_size = _node("min", "node_filesystem_size_bytes", _ROOT)
_available = _node("sum", "node_memory_MemAvailable_bytes")
_installed = _node("sum", "node_memory_MemTotal_bytes")


def _rest(over: Callable[[Target], str], under: Callable[[Target], str]) -> Callable[[Target], str]:
    return lambda target: f"1 - {over(target)} / {under(target)}"


def _pressure(target: Target) -> str:
    node = _equal("node", target.name if target.kind == "Node" else "")
    rows = _matchers(node, 'condition=~".*Pressure",status="true"')
    return f"max by (node, condition) (kube_node_status_condition{rows})"


def _cluster_cpu(target: Target) -> str:
    idle = f'sum by (node) (rate(node_cpu_seconds_total{{mode="idle"}}{RATE}))'
    cores = 'count by (node) (node_cpu_seconds_total{mode="idle"})'
    return f"1 - sum({_pooled(idle, target)}) / sum({_pooled(cores, target)})"


def _cluster_memory(target: Target) -> str:
    free = "sum by (node) (node_memory_MemAvailable_bytes)"
    every = "sum by (node) (node_memory_MemTotal_bytes)"
    return f"1 - sum({_pooled(free, target)}) / sum({_pooled(every, target)})"


def _pooled(by_node: str, target: Target) -> str:
    """Only the nodes of a pool: Karpenter's label, or that of an EKS node group."""
    if target.kind != "NodePool":
        return by_node
    labels = ("label_karpenter_sh_nodepool", "label_eks_amazonaws_com_nodegroup")
    pools = " or ".join(f"kube_node_labels{{{_equal(label, target.name)}}}" for label in labels)
    return f"{by_node} and on (node) ({pools})"


def _autoscaler(what: str) -> Callable[[Target], str]:
    def build(target: Target) -> str:
        rows = _matchers(
            _equal("namespace", target.namespace), _equal("horizontalpodautoscaler", target.name)
        )
        return f"sum(kube_horizontalpodautoscaler_{what}{rows})"

    return build


def _dns_latency(_: Target) -> str:
    return f"histogram_quantile(0.99, sum by (le) (rate(coredns_dns_request_duration_seconds_bucket{RATE})))"


def _dns_errors(_: Target) -> str:
    every = f"sum(rate(coredns_dns_responses_total{RATE}))"
    failed = f'sum(rate(coredns_dns_responses_total{{rcode="SERVFAIL"}}{RATE}))'
    return f"({failed} or 0 * {every}) / {every}"


def _connections(target: Target) -> str:
    name = target.name if target.kind == "Database" else ""
    postgres = f"sum by (datname) (pg_stat_activity_count{_matchers(_equal('datname', name))})"
    mysql = f"sum by (instance) (mysql_global_status_threads_connected{_matchers(_equal('instance', name))})"
    return (
        f'label_replace({postgres}, "database", "$1", "datname", "(.*)")'
        f' or label_replace({mysql}, "database", "$1", "instance", "(.*)")'
    )


def _throttled(target: Target) -> str:
    part = _counter("container_cpu_cfs_throttled_periods_total", _APP)
    return f"{part(target)} / {_counter('container_cpu_cfs_periods_total', _APP)(target)}"


_QUERIES: Mapping[str, Callable[[Target], str]] = {
    "memory": _memory,
    "memory_of_limit": _share(_memory, _memory_limit),
    "memory_limit": _memory_limit,
    "memory_request": _gauge("kube_pod_container_resource_requests", 'resource="memory"'),
    "memory_by_version": _memory_by_version,
    "memory_on_node": _memory_on_node,
    "cpu": _cpu,
    "cpu_of_request": _share(_cpu, _cpu_request),
    "cpu_request": _cpu_request,
    "cpu_throttled": _throttled,
    "restarts": _gauge("kube_pod_container_status_restarts_total"),
    "requests": partial(_requests, by="route"),
    "requests_by_zone": partial(_requests, by="zone"),
    "requests_by_version": partial(_requests, by="version"),
    "requests_total": partial(_requests, by=""),
    "errors": partial(_errors, by=""),
    "errors_by_route": partial(_errors, by="route"),
    "errors_by_zone": partial(_errors, by="zone"),
    "errors_by_version": partial(_errors, by="version"),
    "latency_p50": partial(_latency, quantile=0.5, by=""),
    "latency_p95": partial(_latency, quantile=0.95, by=""),
    "latency_p99": partial(_latency, quantile=0.99, by=""),
    "latency_by_route": partial(_latency, quantile=0.99, by="route"),
    "latency_by_version": partial(_latency, quantile=0.99, by="version"),
    "latency_by_zone": partial(_latency, quantile=0.5, by="zone"),
    "node_cpu": lambda target: f"1 - {_idle(target)}",
    "node_memory": _rest(_available, _installed),
    "node_disk_available": _free,
    "node_disk_used": _rest(_free, _size),
    "node_pressure": _pressure,
    "cluster_cpu": _cluster_cpu,
    "cluster_memory": _cluster_memory,
    "nodepool_cpu": _cluster_cpu,
    "nodepool_memory": _cluster_memory,
    "addresses_assigned": _node("sum", "awscni_assigned_ip_addresses"),
    "addresses_total": _node("sum", "awscni_total_ip_addresses"),
    "address_errors": _node("sum", "awscni_ipamd_error_count", rate=True),
    "dns_latency_p99": _dns_latency,
    "dns_errors": _dns_errors,
    "db_connections": _connections,
    "pool_active": _gauge("hikaricp_connections_active"),
    "pool_waiting": _gauge("hikaricp_connections_pending"),
    "pool_max": _gauge("hikaricp_connections_max"),
    "replicas": _autoscaler("status_current_replicas"),
    "replicas_max": _autoscaler("spec_max_replicas"),
}
