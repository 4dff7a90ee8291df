"""The named questions: what an operator wants to know, apart from how a backend is asked.

`query_metrics(what=…)`, the analyses and the SOPs use these words; each driver translates them
(`MetricsBackend.asks`). One name, one unit, one meaning on every backend (row S8).

A value at a moment is of that moment for gauges, and of the step that *ends* there for rates, shares and
quantiles (Prometheus looks back; a backend that stamps the beginning of a period moves it to its end). The
step of a rate is at least five minutes.
`per` are the labels of the answer's series; a backend gives no others but `namespace` where none is asked
about and `service` beside `route` where no service is. A target of a whole namespace gives the same series
of all pods in it. A driver that has no data for a question refuses it by name and says which backends do.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from aiops_shared.errors import InvalidInputError, QueryInvalidError
from aiops_shared.kube.nearest import nearest
from aiops_shared.metrics.ports import Target


@dataclass(frozen=True, slots=True)
class Question:
    """One named question. `kinds`: what it may be asked about; `per`: the labels of its series.

    `low_is_worse`: of several series the lowest is told first.
    """

    says: str
    unit: str
    kinds: tuple[str, ...]
    per: tuple[str, ...] = ()
    low_is_worse: bool = False


WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet", "Pod", "Namespace")
SERVED = ("Service", *WORKLOADS)
NODES = ("Node", "Cluster")
NO_NAMESPACE = frozenset({"Node", "NodePool", "Cluster", "Database"})

QUESTIONS: Mapping[str, Question] = {
    "memory": Question("Working set of each pod", "bytes", WORKLOADS, ("pod",)),
    "memory_of_limit": Question("Working set as a share of the limit", "ratio", WORKLOADS, ("pod",)),
    "memory_limit": Question("Memory limit of each pod", "bytes", WORKLOADS, ("pod",)),
    "memory_request": Question("Memory request of each pod", "bytes", WORKLOADS, ("pod",)),
    "memory_by_version": Question(
        "Mean working set of a pod, by image tag", "bytes", WORKLOADS, ("version",)
    ),
    "memory_on_node": Question("Working set of each pod of a node", "bytes", NODES, ("namespace", "pod")),
    "cpu": Question("CPU used by each pod", "cores", WORKLOADS, ("pod",)),
    "cpu_of_request": Question("CPU used as a share of the request", "ratio", WORKLOADS, ("pod",)),
    "cpu_request": Question("CPU request of each pod", "cores", WORKLOADS, ("pod",)),
    "cpu_throttled": Question(
        "Share of CPU periods in which a pod was throttled", "ratio", WORKLOADS, ("pod",)
    ),
    "restarts": Question("Restarts of each pod's containers so far", "count", WORKLOADS, ("pod",)),
    "requests": Question("Requests served", "per second", SERVED, ("route",)),
    "requests_by_zone": Question("Requests served, by zone", "per second", SERVED, ("zone",)),
    "requests_by_version": Question("Requests served, by version", "per second", SERVED, ("version",)),
    "requests_total": Question("Requests served, all routes together", "per second", SERVED),
    "errors": Question("Share of requests that failed (5xx)", "ratio", SERVED),
    "errors_by_route": Question("Share of requests that failed (5xx), by route", "ratio", SERVED, ("route",)),
    "errors_by_zone": Question("Share of requests that failed (5xx), by zone", "ratio", SERVED, ("zone",)),
    "errors_by_version": Question(
        "Share of requests that failed (5xx), by version", "ratio", SERVED, ("version",)
    ),
    "latency_p50": Question("Median duration of requests", "seconds", SERVED),
    "latency_p95": Question("95th percentile of durations", "seconds", SERVED),
    "latency_p99": Question("99th percentile of durations", "seconds", SERVED),
    "latency_by_route": Question("99th percentile of durations, by route", "seconds", SERVED, ("route",)),
    "latency_by_version": Question(
        "99th percentile of durations, by version", "seconds", SERVED, ("version",)
    ),
    "latency_by_zone": Question("Median duration of requests, by zone", "seconds", SERVED, ("zone",)),
    "node_cpu": Question("CPU used as a share of the node", "ratio", NODES, ("node",)),
    "node_memory": Question("Memory used as a share of the node", "ratio", NODES, ("node",)),
    "node_disk_available": Question(
        "Free bytes of the node's filesystem", "bytes", NODES, ("node",), low_is_worse=True
    ),
    "node_disk_used": Question("Disk used as a share", "ratio", NODES, ("node",)),
    "node_pressure": Question(
        "Conditions of pressure: 1 where one holds", "count", NODES, ("node", "condition")
    ),
    "cluster_cpu": Question("CPU used as a share of all nodes", "ratio", ("Cluster",)),
    "cluster_memory": Question("Memory used as a share of all nodes", "ratio", ("Cluster",)),
    "nodepool_cpu": Question("CPU used as a share of a pool's nodes", "ratio", ("NodePool",)),
    "nodepool_memory": Question("Memory used as a share of a pool's nodes", "ratio", ("NodePool",)),
    "addresses_assigned": Question("Addresses that the CNI gave to pods", "count", NODES, ("node",)),
    "addresses_total": Question("Addresses that the CNI holds", "count", NODES, ("node",)),
    "address_errors": Question("Failed calls of the CNI's address manager", "per second", NODES, ("node",)),
    "dns_latency_p99": Question("99th percentile of CoreDNS answers", "seconds", ("Cluster",)),
    "dns_errors": Question("Share of CoreDNS answers that are SERVFAIL", "ratio", ("Cluster",)),
    "retransmissions": Question("TCP retransmissions by subnet", "count", ("Cluster",), ("subnet",)),
    "flow_timeouts": Question("TCP timeouts by subnet", "count", ("Cluster",), ("subnet",)),
    "db_connections": Question(
        "Connections open in a database", "count", ("Database", "Cluster"), ("database",)
    ),
    "db_cpu": Question(
        "CPU used as a share of the database", "ratio", ("Database", "Cluster"), ("database",)
    ),
    "pool_active": Question("Connections in use in each pod's pool", "count", WORKLOADS, ("pod",)),
    "pool_waiting": Question("Requests that wait for a connection", "count", WORKLOADS, ("pod",)),
    "pool_max": Question("Most connections of each pod's pool", "count", WORKLOADS, ("pod",)),
    "replicas": Question("Replicas of the autoscaler", "count", ("Deployment", "StatefulSet")),
    "replicas_max": Question("Most replicas the autoscaler may make", "count", ("Deployment", "StatefulSet")),
}

# Questions whose value is of a moment; the others are rates, shares and quantiles of a step.
LEVELS = frozenset(
    {"memory", "memory_of_limit", "memory_limit", "memory_request", "memory_by_version", "memory_on_node",
     "cpu_request", "restarts", "node_memory", "node_disk_available", "node_disk_used", "node_pressure",
     "cluster_memory", "nodepool_memory", "addresses_assigned", "addresses_total", "db_connections", "db_cpu",
     "pool_active", "pool_waiting", "pool_max", "replicas", "replicas_max"}
)  # fmt: skip
RATE_STEP_S = 300  # the finest step of a rate, so that each point is of samples of its own

_SHORT = {
    "deploy": "Deployment",
    "sts": "StatefulSet",
    "ds": "DaemonSet",
    "po": "Pod",
    "ns": "Namespace",
    "svc": "Service",
    "no": "Node",
    "db": "Database",
}
_KINDS = (
    "Deployment",
    "StatefulSet",
    "DaemonSet",
    "Pod",
    "Namespace",
    "Service",
    "Node",
    "NodePool",  # Karpenter's, or an EKS node group
    "Cluster",
    "Database",
)


def targeted(question: str, target: Target) -> tuple[Question, Target]:
    """A question and its target as every driver reads it: the kind in its own spelling, never empty.

    A name without a kind is of the question's first kind; no name at all means the namespace, or the cluster.
    Raises QueryInvalidError for an unknown question (the nearest are named), InvalidInputError for a kind
    that the question is not about.
    """
    known = QUESTIONS.get(question)
    if known is None:
        near = nearest(question, QUESTIONS)
        hint = f"nearest: {', '.join(near)}" if near else "query_metrics(show=questions) lists them"
        raise QueryInvalidError("what", f"{question[:60]!r} is no named question", hint)
    kind = kind_of(target.kind) if target.kind else _meant(known, target)
    if kind == "NodePool" and not target.name:
        raise InvalidInputError("name", "names the pool", "name=default")
    if kind == "Namespace" and target.name:
        target = replace(target, namespace=target.name, name="")
    if kind in NO_NAMESPACE:
        target = replace(target, namespace="")
    everywhere = kind in {"Cluster", "Namespace"} and {"Namespace", "Service"} & set(known.kinds)
    if kind not in known.kinds and not everywhere:
        raise InvalidInputError(
            "kind", f"{question} is not asked about a {kind}", f"it takes {', '.join(known.kinds)}"
        )
    return known, replace(target, kind=kind)


def _meant(known: Question, target: Target) -> str:
    if target.name:
        return known.kinds[0]
    if target.namespace and known.kinds[0] not in NO_NAMESPACE:
        return "Namespace"
    return "Cluster" if "Cluster" in known.kinds or known.kinds[0] != "Node" else known.kinds[0]


def kind_of(word: str) -> str:
    """A kind as the questions spell it, from a plural, a short name or any case; as it is where unknown."""
    low = word.lower().partition(".")[0]
    for kind in _KINDS:
        if low in {kind.lower(), f"{kind.lower()}s"}:
            return kind
    return _SHORT.get(low, word)
