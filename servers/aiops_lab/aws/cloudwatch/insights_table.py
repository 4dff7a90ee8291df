"""Container Insights' metrics of pods, nodes and autoscalers, made of the signals; `table` asks for them.

Names, units and dimension sets are those of "Amazon EKS Container Insights metrics" (enhanced observability),
which calls a workload `PodName` and a pod `FullPodName`.
"""

import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass

from aiops_lab.aws.cloudwatch.book import BYTES, COUNT, NONE, PERCENT, Book, grouped
from aiops_lab.telemetry.derived import Gauge, Growth, Less, Share, Stream
from aiops_lab.telemetry.signals import Signals

INSIGHTS = "ContainerInsights"
_HASH = re.compile(r"-[a-z0-9]{5,10}$")


# --- pods


@dataclass(frozen=True, slots=True)
class _PodRow:
    """A metric of a pod that is the sum of a Prometheus metric over its containers."""

    name: str
    unit: str
    metric: str
    labels: Mapping[str, str]
    scale: float = 1.0
    growing: bool = False


_MEMORY, _CPU = {"resource": "memory"}, {"resource": "cpu"}
_LIMITS, _REQUESTS = "kube_pod_container_resource_limits", "kube_pod_container_resource_requests"
_POD_ROWS = (
    _PodRow("pod_memory_working_set", BYTES, "container_memory_working_set_bytes", {}),
    _PodRow("pod_memory_limit", BYTES, _LIMITS, _MEMORY),
    _PodRow("pod_memory_request", BYTES, _REQUESTS, _MEMORY),
    _PodRow("pod_cpu_usage_total", NONE, "container_cpu_usage_seconds_total", {}, 1000 / 60, growing=True),
    _PodRow("pod_cpu_limit", NONE, _LIMITS, _CPU, 1000),
    _PodRow("pod_cpu_request", NONE, _REQUESTS, _CPU, 1000),
    _PodRow("pod_number_of_container_restarts", COUNT, "kube_pod_container_status_restarts_total", {}),
    _PodRow("pod_status_failed", COUNT, "kube_pod_status_phase", {"phase": "Failed"}),
    _PodRow("pod_status_pending", COUNT, "kube_pod_status_phase", {"phase": "Pending"}),
    _PodRow("pod_status_running", COUNT, "kube_pod_status_phase", {"phase": "Running"}),
    _PodRow(
        "pod_container_status_waiting_reason_crash_loop_back_off",
        COUNT,
        "kube_pod_container_status_waiting_reason",
        {"reason": "CrashLoopBackOff"},
    ),
    _PodRow(
        "pod_container_status_terminated_reason_oom_killed",
        COUNT,
        "kube_pod_container_status_last_terminated_reason",
        {"reason": "OOMKilled"},
    ),
)
_POD_SHARES = (
    ("pod_memory_utilization_over_pod_limit", "pod_memory_working_set", "pod_memory_limit"),
    ("pod_cpu_utilization_over_pod_limit", "pod_cpu_usage_total", "pod_cpu_limit"),
    ("pod_memory_reserved_capacity", "pod_memory_request", "node_memory"),
    ("pod_memory_utilization", "pod_memory_working_set", "node_memory"),
    ("pod_cpu_utilization", "pod_cpu_usage_total", "node_cpu"),
    ("pod_cpu_reserved_capacity", "pod_cpu_request", "node_cpu"),
)


def pods(book: Book, signals: Signals) -> None:
    """Pods' metrics, summed for their workload, namespace and cluster; shares of limits and of the node."""
    workloads = _workloads(signals)
    capacity = _capacity(signals)
    streams: dict[tuple[str, str], dict[str, Stream]] = {}
    for row in _POD_ROWS:
        if not book.wants(row.name, *(name for name, *parts in _POD_SHARES if row.name in parts)):
            continue
        found = grouped(signals.find(row.metric, **row.labels), "namespace", "pod")
        for (space, name), each in found.items():
            pod = (space, name)
            stream: Stream = Growth(each, row.scale) if row.growing else Gauge(each, row.scale)
            streams.setdefault(pod, {})[row.name] = stream
            book.add((INSIGHTS, row.name), row.unit, _pod_sets(book.cluster, pod, workloads), stream)
            if node := each[0].labels.get("node"):
                streams[pod] |= capacity.get(node, {})
    for name, top, bottom in _POD_SHARES:
        for pod, known in streams.items():
            if top in known and bottom in known:
                share = Share(known[top], known[bottom], 100.0)
                book.add((INSIGHTS, name), PERCENT, _pod_sets(book.cluster, pod, workloads), share)


def _capacity(signals: Signals) -> dict[str, dict[str, Stream]]:
    """Bytes and millicores of each node."""
    found: dict[str, dict[str, Stream]] = {}
    for what, name, scale in (("memory", "node_memory", 1.0), ("cpu", "node_cpu", 1000.0)):
        for (node,), each in grouped(
            signals.find("kube_node_status_capacity", resource=what), "node"
        ).items():
            found.setdefault(node, {})[name] = Gauge(each, scale)
    return found


def _workloads(signals: Signals) -> dict[tuple[str, str], str]:
    """The workload of each pod, as Container Insights names it: a ReplicaSet's Deployment."""
    found: dict[tuple[str, str], str] = {}
    for one in signals.find("kube_pod_owner"):
        owner = one.labels.get("owner_name", "")
        if one.labels.get("owner_kind") == "ReplicaSet":
            owner = _HASH.sub("", owner)
        found[one.labels.get("namespace", ""), one.labels.get("pod", "")] = owner
    return found


def _pod_sets(
    cluster: str, pod: tuple[str, str], workloads: Mapping[tuple[str, str], str]
) -> list[dict[str, str]]:
    space, name = pod
    whole = {"ClusterName": cluster}
    named = whole | {"Namespace": space, "PodName": workloads.get(pod) or _HASH.sub("", _HASH.sub("", name))}
    return [whole, whole | {"Namespace": space}, named, named | {"FullPodName": name}]


# --- nodes

_CONDITIONS = {
    "Ready": "node_status_condition_ready",
    "DiskPressure": "node_status_condition_disk_pressure",
    "MemoryPressure": "node_status_condition_memory_pressure",
    "PIDPressure": "node_status_condition_pid_pressure",
}


def nodes(book: Book, signals: Signals) -> None:
    """Nodes' metrics, of each and of the cluster; how many nodes there are and are not Ready."""

    def add(name: str, unit: str, node: str, stream: Stream) -> None:
        whole = {"ClusterName": book.cluster}
        one = whole | {"NodeName": node, "InstanceId": book.instances.get(node) or _instance(node)}
        book.add((INSIGHTS, name), unit, [whole, one], stream)

    def share(name: str, top: str, bottom: str, **labels: str) -> None:
        wholes = grouped(signals.find(bottom, **labels), "node")
        for (node,), each in grouped(signals.find(top, **labels), "node").items():
            if (node,) in wholes:
                add(name, PERCENT, node, Share(Gauge(each), Gauge(wholes[node,]), 100.0, rest=True))

    share("node_memory_utilization", "node_memory_MemAvailable_bytes", "node_memory_MemTotal_bytes")
    share(
        "node_filesystem_utilization",
        "node_filesystem_avail_bytes",
        "node_filesystem_size_bytes",
        mountpoint="/",
    )
    for (node,), total in grouped(signals.find("node_memory_MemTotal_bytes"), "node").items():
        free = tuple(signals.find("node_memory_MemAvailable_bytes", node=node))
        add("node_memory_limit", BYTES, node, Gauge(total))
        add("node_memory_working_set", BYTES, node, Less(Gauge(total), Gauge(free)))
    cores = signals.find("kube_node_status_capacity", resource="cpu")
    everything = grouped(signals.find("node_cpu_seconds_total"), "node")
    for (node,), idle in grouped(signals.find("node_cpu_seconds_total", mode="idle"), "node").items():
        whole = Growth(everything[node,])
        add("node_cpu_utilization", PERCENT, node, Share(Growth(idle), whole, 100.0, rest=True))
        add(
            "node_cpu_limit",
            NONE,
            node,
            Gauge(tuple(one for one in cores if one.labels.get("node") == node), 1000),
        )
        add(
            "node_cpu_usage_total",
            NONE,
            node,
            Less(Growth(everything[node,], 1000 / 60), Growth(idle, 1000 / 60)),
        )
    for condition, name in _CONDITIONS.items():
        found = signals.find("kube_node_status_condition", condition=condition, status="true")
        for (node,), each in grouped(found, "node").items():
            add(name, COUNT, node, Gauge(each))
    _counted_nodes(book, signals)


def _counted_nodes(book: Book, signals: Signals) -> None:
    """How many nodes there are and how many of them are not Ready, as one value for the cluster."""
    whole = [{"ClusterName": book.cluster}]
    if known := tuple(signals.find("kube_node_info")):
        book.add((INSIGHTS, "cluster_node_count"), COUNT, whole, Gauge(known))
    found = signals.find("kube_node_status_condition", condition="Ready")
    if failed := tuple(one for one in found if one.labels.get("status") in {"false", "unknown"}):
        book.add((INSIGHTS, "cluster_failed_node_count"), COUNT, whole, Gauge(failed))


def _instance(node: str) -> str:
    """An instance id for a node that EC2 does not know."""
    return f"i-0{zlib.crc32(node.encode()):08x}{zlib.crc32(node[::-1].encode()):08x}"


# --- autoscalers


def autoscalers(book: Book, signals: Signals) -> None:
    """Replicas as Container Insights tells them: by workload, which the autoscaler is named after."""
    rows = {
        "kube_horizontalpodautoscaler_status_desired_replicas": "replicas_desired",
        "kube_horizontalpodautoscaler_status_current_replicas": "replicas_ready",
    }
    for metric, name in rows.items():
        found = grouped(signals.find(metric), "namespace", "horizontalpodautoscaler")
        for (space, workload), each in found.items():
            one = {"ClusterName": book.cluster, "Namespace": space, "PodName": workload}
            book.add((INSIGHTS, name), COUNT, [one], Gauge(each))
