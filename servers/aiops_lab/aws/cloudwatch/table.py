"""Which CloudWatch metrics there are: the signals under their Prometheus names, in CloudWatch's vocabulary.

Names, units and dimension sets are those of "CloudWatch metrics for your Application Load Balancer", "EKS
control plane metrics", Network Flow Monitor and the CNI metrics helper; `insights_table` has Container
Insights' own.
"""

import zlib
from collections.abc import Callable, Iterable, Mapping

import numpy as np

from aiops_lab.aws.account import Account
from aiops_lab.aws.application_metrics import NAMESPACE as APPLICATIONS
from aiops_lab.aws.application_metrics import application_metrics
from aiops_lab.aws.cloudwatch.book import BYTES, COUNT, NONE, SECONDS, Book, grouped
from aiops_lab.aws.cloudwatch.insights_table import INSIGHTS, autoscalers, nodes, pods
from aiops_lab.aws.container_insights import collected_since
from aiops_lab.aws.log_metrics import NAMESPACE as LOGS
from aiops_lab.aws.log_metrics import log_metrics
from aiops_lab.aws.vpc import Vpc
from aiops_lab.telemetry import Telemetry
from aiops_lab.telemetry.derived import Gauge, Growth, Later, Stream, distribution
from aiops_lab.telemetry.signals import Signal, Signals

BALANCER, CONTROL = "AWS/ApplicationELB", "AWS/EKS"
CNI, FLOWS = "Kubernetes", "AWS/NetworkFlowMonitor"


def book_of(account: Account, namespace: str | None = None, metric: str | None = None) -> Book:
    """The metrics of the account now; only those of a namespace, or of a name, when that is enough."""
    instances = {one.name: one.instance_id for one in list(account.area(Vpc).instances.values())}
    telemetry, book = account.area(Telemetry), Book(account.cluster, instances, metric)
    for space, tellers in _TELLERS.items():
        for tell in tellers if namespace in {None, space} else ():
            tell(book, telemetry.signals)
    if namespace in {None, INSIGHTS}:
        _collected(book, collected_since(account))
    for name, unit, group, stream in log_metrics(telemetry) if namespace in {None, LOGS} else ():
        book.add((LOGS, name), unit, [{"LogGroupName": group}, {}], stream)  # without: the account's
    _native(book, telemetry.cloud)
    if namespace in {None, APPLICATIONS}:
        application_metrics(account, book.add)
    return book


def _collected(book: Book, since_s: float | None) -> None:
    """Container Insights has no metrics without its agent, and no past from before it."""
    for key in [one for one in book.by_key if one[0] == INSIGHTS]:
        if since_s is None:
            del book.by_key[key]
        elif since_s > -np.inf:
            book.by_key[key].streams = [Later(each, since_s) for each in book.by_key[key].streams]


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
    services = grouped(signals.find("http_requests_total"), "namespace", "service")
    buckets = grouped(signals.find("http_request_duration_seconds_bucket"), "namespace", "service")
    sums = grouped(signals.find("http_request_duration_seconds_sum"), "namespace", "service")
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
        for (subnet,), each in grouped(signals.find(metric), "subnet").items():
            book.add((FLOWS, name), unit, [monitor, monitor | {"LocalSubnetId": subnet}], Growth(each))
    for (subnet,), each in grouped(signals.find("nfm_round_trip_time_seconds"), "subnet").items():
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
    INSIGHTS: (pods, nodes, autoscalers),
    BALANCER: (_requests,),
    CONTROL: (_control_plane,),
    CNI: (_addresses,),
    FLOWS: (_flows,),
}
