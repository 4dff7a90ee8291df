"""The named questions: what an operator wants to know, apart from how a backend is asked.

`query_metrics(what=…)`, the analyses and the SOPs use these words; each driver translates them
(`MetricsBackend.asks`). One name, one unit, one meaning on every backend (row S8).
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Question:
    """One named question. `kinds`: what it may be asked about; `per`: the labels of its series."""

    says: str
    unit: str
    kinds: tuple[str, ...]
    per: tuple[str, ...] = ()


WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet", "Pod", "Namespace")

QUESTIONS: Mapping[str, Question] = {
    "memory": Question("Working set of each pod", "bytes", WORKLOADS, ("pod",)),
    "memory_of_limit": Question("Working set as a share of the limit", "ratio", WORKLOADS, ("pod",)),
    "memory_limit": Question("Memory limit of each pod", "bytes", WORKLOADS, ("pod",)),
    "cpu": Question("CPU used by each pod", "cores", WORKLOADS, ("pod",)),
    "cpu_of_request": Question("CPU used as a share of the request", "ratio", WORKLOADS, ("pod",)),
    "restarts": Question("Restarts of each pod's containers so far", "count", WORKLOADS, ("pod",)),
    "requests": Question("Requests served", "per second", ("Service", *WORKLOADS), ("route",)),
    "errors": Question("Share of requests that failed (5xx)", "ratio", ("Service", *WORKLOADS)),
    "latency_p50": Question("Median duration of requests", "seconds", ("Service", *WORKLOADS)),
    "latency_p99": Question("99th percentile of durations", "seconds", ("Service", *WORKLOADS)),
    "node_cpu": Question("CPU used as a share of the node", "ratio", ("Node",), ("node",)),
    "node_memory": Question("Memory used as a share of the node", "ratio", ("Node",), ("node",)),
    "node_disk_available": Question("Free bytes of the node's filesystem", "bytes", ("Node",), ("node",)),
    "node_disk_used": Question("Disk used as a share", "ratio", ("Node",), ("node",)),
    "addresses_assigned": Question("Addresses that the CNI gave to pods", "count", ("Node",), ("node",)),
    "addresses_total": Question("Addresses that the CNI holds", "count", ("Node",), ("node",)),
    "dns_latency_p99": Question("99th percentile of CoreDNS answers", "seconds", ("Cluster",)),
    "retransmissions": Question("TCP retransmissions by subnet", "count", ("Cluster",), ("subnet",)),
    "replicas": Question("Replicas of the autoscaler", "count", ("Deployment", "StatefulSet")),
}
