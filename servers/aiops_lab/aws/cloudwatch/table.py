"""Which CloudWatch metrics there are: the signals under their Prometheus names, in CloudWatch's vocabulary.

Names, units and dimension sets are those of "Amazon EKS Container Insights metrics" (enhanced observability),
"CloudWatch metrics for your Application Load Balancer", "EKS control plane metrics" and the CNI metrics
helper. Container Insights calls a workload `PodName` and a pod `FullPodName`.
"""

import re
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from aiops_lab.aws.account import Account
from aiops_lab.aws.application_metrics import NAMESPACE as APPLICATIONS
from aiops_lab.aws.application_metrics import application_metrics
from aiops_lab.aws.log_metrics import NAMESPACE as LOGS
from aiops_lab.aws.log_metrics import log_metrics
from aiops_lab.aws.vpc import Vpc
from aiops_lab.telemetry import Telemetry
from aiops_lab.telemetry.derived import Distribution, Gauge, Growth, Less, Share, Stream, distribution
from aiops_lab.telemetry.signals import Signal, Signals

Dimensions = tuple[tuple[str, str], ...]
Key = tuple[str, str, Dimensions]
INSIGHTS, BALANCER, CONTROL = "ContainerInsights", "AWS/ApplicationELB", "AWS/EKS"
CNI, FLOWS = "Kubernetes", "AWS/NetworkFlowMonitor"
PERCENT, COUNT, BYTES, SECONDS, NONE = "Percent", "Count", "Bytes", "Seconds", "None"
_HASH = re.compile(r"-[a-z0-9]{5,10}$")


@dataclass(slots=True)
class CloudMetric:
    """One metric of one dimension set; several pods' streams where it sums them up."""

    namespace: str
    name: str
    dimensions: Dimensions
    unit: str
    streams: list[Stream]
    distributions: list[Distribution]

    @property
    def key(self) -> Key:
        """What it is found by."""
        return (self.namespace, self.name, self.dimensions)


class Book:
    """Every metric that the account has, by key."""

    def __init__(self, cluster: str, instances: Mapping[str, str], only: str | None = None) -> None:
        self.cluster, self.instances = cluster, instances  # instances: node -> EC2's id
        self._only = only
        self.by_key: dict[Key, CloudMetric] = {}

    def add(
        self, name: tuple[str, str], unit: str, sets: Iterable[Mapping[str, str]], what: Stream | Distribution
    ) -> None:
        """One quantity under a (namespace, metric), once for each dimension set."""
        for each in sets:
            dimensions = tuple(sorted(each.items()))
            one = self.by_key.setdefault((*name, dimensions), CloudMetric(*name, dimensions, unit, [], []))
            if isinstance(what, Distribution):
                one.distributions.append(what)
            else:
                one.streams.append(what)

    def wants(self, name: str, *needed_by: str) -> bool:
        """Whether a metric is asked for, or one that is made of it."""
        return self._only is None or self._only == name or self._only in needed_by

    def find(self, namespace: str, name: str, dimensions: Dimensions) -> CloudMetric | None:
        """The metric with exactly these dimensions, as CloudWatch finds it."""
        return self.by_key.get((namespace, name, tuple(sorted(dimensions))))


def book_of(account: Account, namespace: str | None = None, metric: str | None = None) -> Book:
    """The metrics of the account now; only those of a namespace, or of a name, when that is enough."""
    nodes = {one.name: one.instance_id for one in list(account.area(Vpc).instances.values())}
    telemetry, book = account.area(Telemetry), Book(account.cluster, nodes, metric)
    for space, tellers in _TELLERS.items():
        for tell in tellers if namespace in {None, space} else ():
            tell(book, telemetry.signals)
    for name, unit, group, stream in log_metrics(telemetry) if namespace in {None, LOGS} else ():
        book.add((LOGS, name), unit, [{"LogGroupName": group}], stream)
    _native(book, telemetry.cloud)
    if namespace in {None, APPLICATIONS}:
        application_metrics(account, book.add)
    return book


def _grouped(signals: Iterable[Signal], *labels: str) -> dict[tuple[str, ...], tuple[Signal, ...]]:
    """Signals by the values of some labels; those without any of these are left out."""
    found: dict[tuple[str, ...], list[Signal]] = {}
    for one in signals:
        key = tuple(one.labels.get(label, "") for label in labels)
        if all(key) and one.labels.get("container", "app") not in {"", "POD"}:
            found.setdefault(key, []).append(one)
    return {key: tuple(each) for key, each in found.items()}


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


def _pods(book: Book, signals: Signals) -> None:
    workloads = _workloads(signals)
    capacity = _capacity(signals)
    streams: dict[tuple[str, str], dict[str, Stream]] = {}
    for row in _POD_ROWS:
        if not book.wants(row.name, *(name for name, *parts in _POD_SHARES if row.name in parts)):
            continue
        found = _grouped(signals.find(row.metric, **row.labels), "namespace", "pod")
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
        for (node,), each in _grouped(
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


def _nodes(book: Book, signals: Signals) -> None:
    def add(name: str, unit: str, node: str, stream: Stream) -> None:
        whole = {"ClusterName": book.cluster}
        one = whole | {"NodeName": node, "InstanceId": book.instances.get(node) or _instance(node)}
        book.add((INSIGHTS, name), unit, [whole, one], stream)

    def share(name: str, top: str, bottom: str, **labels: str) -> None:
        wholes = _grouped(signals.find(bottom, **labels), "node")
        for (node,), each in _grouped(signals.find(top, **labels), "node").items():
            if (node,) in wholes:
                add(name, PERCENT, node, Share(Gauge(each), Gauge(wholes[node,]), 100.0, rest=True))

    share("node_memory_utilization", "node_memory_MemAvailable_bytes", "node_memory_MemTotal_bytes")
    share(
        "node_filesystem_utilization",
        "node_filesystem_avail_bytes",
        "node_filesystem_size_bytes",
        mountpoint="/",
    )
    for (node,), total in _grouped(signals.find("node_memory_MemTotal_bytes"), "node").items():
        free = tuple(signals.find("node_memory_MemAvailable_bytes", node=node))
        add("node_memory_limit", BYTES, node, Gauge(total))
        add("node_memory_working_set", BYTES, node, Less(Gauge(total), Gauge(free)))
    cores = signals.find("kube_node_status_capacity", resource="cpu")
    everything = _grouped(signals.find("node_cpu_seconds_total"), "node")
    for (node,), idle in _grouped(signals.find("node_cpu_seconds_total", mode="idle"), "node").items():
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
        for (node,), each in _grouped(found, "node").items():
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


# --- requests


def balancer_names(namespace: str, service: str) -> dict[str, str]:
    """Load balancer and target group of a Service as the AWS Load Balancer Controller names them."""
    short = f"k8s-{_cut(namespace)}-{_cut(service)}"
    digest = f"{zlib.crc32(f'{namespace}/{service}'.encode()):08x}"
    return {
        "LoadBalancer": f"app/{short}-{digest}ab/{digest}{digest}",
        "TargetGroup": f"targetgroup/{short}-{digest}cd/{digest[::-1]}{digest}",
    }


def _cut(name: str) -> str:
    return "".join(letter for letter in name if letter.isalnum())[:8]


def _requests(book: Book, signals: Signals) -> None:
    services = _grouped(signals.find("http_requests_total"), "namespace", "service")
    buckets = _grouped(signals.find("http_request_duration_seconds_bucket"), "namespace", "service")
    sums = _grouped(signals.find("http_request_duration_seconds_sum"), "namespace", "service")
    for service, each in services.items():
        names = balancer_names(*service)
        balancer = {"LoadBalancer": names["LoadBalancer"]}
        sets = [balancer, names]
        book.add((BALANCER, "RequestCount"), COUNT, sets, Growth(each))
        for status in "2345":
            _told_by(book, f"HTTPCode_Target_{status}XX_Count", sets, each, _of_target(status))
        _told_by(book, "HTTPCode_ELB_504_Count", [balancer], each, lambda code: code == "504")
        _told_by(book, "HTTPCode_ELB_5XX_Count", [balancer], each, lambda code: code == "504")
        if service in buckets:
            spread = distribution(buckets[service], sums.get(service, ()))
            book.add((BALANCER, "TargetResponseTime"), SECONDS, sets, spread)


def _of_target(first: str) -> Callable[[str], bool]:
    """A status that the target answered: 504 is the load balancer's own, it waited in vain."""
    return lambda code: code.startswith(first) and code != "504"


def _told_by(
    book: Book, name: str, sets: list[dict[str, str]], signals: Iterable[Signal], fits: Callable[[str], bool]
) -> None:
    if chosen := tuple(one for one in signals if fits(one.labels.get("status", ""))):
        book.add((BALANCER, name), COUNT, sets, Growth(chosen))


# --- the rest


def _autoscalers(book: Book, signals: Signals) -> None:
    """Replicas as Container Insights tells them: by workload, which the autoscaler is named after."""
    rows = {
        "kube_horizontalpodautoscaler_status_desired_replicas": "replicas_desired",
        "kube_horizontalpodautoscaler_status_current_replicas": "replicas_ready",
    }
    for metric, name in rows.items():
        found = _grouped(signals.find(metric), "namespace", "horizontalpodautoscaler")
        for (space, workload), each in found.items():
            one = {"ClusterName": book.cluster, "Namespace": space, "PodName": workload}
            book.add((INSIGHTS, name), COUNT, [one], Gauge(each))


def _control_plane(book: Book, signals: Signals) -> None:
    """AWS/EKS: the control plane's own names, for nothing (row B38)."""
    whole = [{"ClusterName": book.cluster}]
    for metric in (
        "scheduler_pending_pods",
        "apiserver_storage_size_bytes",
        "apiserver_current_inflight_requests",
    ):
        if found := tuple(signals.find(metric)):
            book.add((CONTROL, metric), NONE, whole, Gauge(found))
    requests = signals.find("apiserver_request_total")
    shares: Mapping[str, Callable[[str], bool]] = {
        "apiserver_request_total": bool,
        "apiserver_request_total_4XX": lambda code: code.startswith("4"),
        "apiserver_request_total_429": lambda code: code == "429",
        "apiserver_request_total_5XX": lambda code: code.startswith("5"),
    }
    for name, fits in shares.items():
        if found := tuple(one for one in requests if fits(one.labels.get("code", "-"))):
            book.add((CONTROL, name), COUNT, whole, Growth(found))


_CNI_ROWS = {
    "awscni_assigned_ip_addresses": "assignIPAddresses",
    "awscni_total_ip_addresses": "totalIPAddresses",
    "awscni_eni_allocated": "eniAllocated",
}


def _addresses(book: Book, signals: Signals) -> None:
    """The CNI metrics helper publishes sums over the cluster."""
    whole = [{"CLUSTER_ID": book.cluster}]
    for metric, name in _CNI_ROWS.items():
        if found := tuple(signals.find(metric)):
            book.add((CNI, name), COUNT, whole, Gauge(found))
    if failed := tuple(signals.find("awscni_ipamd_error_count")):
        book.add((CNI, "ipamdErr"), COUNT, whole, Growth(failed))


_FLOW_ROWS = (
    ("nfm_data_transferred_bytes_total", "DATA_TRANSFERRED", BYTES),
    ("nfm_retransmissions_total", "RETRANSMISSIONS", COUNT),
    ("nfm_timeouts_total", "TIMEOUTS", COUNT),
)


def _flows(book: Book, signals: Signals) -> None:
    """Network Flow Monitor's four metrics (row C8), by monitor and local subnet."""
    monitor = {"MonitorName": book.cluster}
    for metric, name, unit in _FLOW_ROWS:
        for (subnet,), each in _grouped(signals.find(metric), "subnet").items():
            book.add((FLOWS, name), unit, [monitor, monitor | {"LocalSubnetId": subnet}], Growth(each))
    for (subnet,), each in _grouped(signals.find("nfm_round_trip_time_seconds"), "subnet").items():
        sets = [monitor, monitor | {"LocalSubnetId": subnet}]
        book.add((FLOWS, "ROUND_TRIP_TIME"), "Microseconds", sets, Gauge(each, 1e6))


def _native(book: Book, signals: Signals) -> None:
    """What only CloudWatch has: `Namespace/Metric`; a counter tells its growth, a gauge itself."""
    for one in signals.all():
        namespace, _, name = one.metric.rpartition("/")
        labels = dict(one.labels)
        unit = labels.pop("unit", NONE)
        stream: Stream = Growth((one,)) if one.kind == "counter" else Gauge((one,))
        book.add((namespace, name), unit, [labels], stream)


_TELLERS: Mapping[str, tuple[Callable[[Book, Signals], None], ...]] = {
    INSIGHTS: (_pods, _nodes, _autoscalers),
    BALANCER: (_requests,),
    CONTROL: (_control_plane,),
    CNI: (_addresses,),
    FLOWS: (_flows,),
}
