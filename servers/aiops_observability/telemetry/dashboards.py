"""The dashboards that come with the suite: its own metrics, a workload, the nodes, the alerts.

Called by the resource `dashboard://{name}` and, for `deploy/grafana`, by `eks_aiops.dashboards`. What is
shown of workloads and nodes is asked by the named questions of `metrics.catalogue_prometheus`, so that a
panel and `query_metrics` give the same number; no query of theirs is written here. Every selector gets the
cluster's label: with stores that have none the variable is empty, which matches its absence.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from aiops_observability.telemetry.panels import Choice, Line, Panel, dashboard
from aiops_shared.errors import NotFoundError
from aiops_shared.metrics.catalogue_prometheus import RATE, asks
from aiops_shared.metrics.ports import Asked, Target
from aiops_shared.metrics.promql import parsed, written

CLUSTER = 'cluster="$cluster"'
WORKLOAD = "aiops-any-workload"  # stands in for $workload, whose sign a regular expression would escape
PODS = ("Deployment", "StatefulSet", "DaemonSet")
SERVED = ("Deployment", "StatefulSet")  # a DaemonSet's requests are found by its service's label
_RATE_STEP_S = 7919  # a duration that no query has: stands in for Grafana's $__rate_interval
_OWNED = (
    'label_replace(kube_pod_owner{namespace="$namespace",owner_kind="ReplicaSet"},'
    ' "workload", "$1", "owner_name", "(.*)-[a-z0-9]+")'
    ' or label_replace(kube_pod_owner{namespace="$namespace",owner_kind=~"StatefulSet|DaemonSet"},'
    ' "workload", "$1", "owner_name", "(.*)")'
)
_CLUSTERS = Choice("cluster", "label_values(kube_pod_owner, cluster)", "Cluster")
_SERVERS = Choice("server", "label_values(aiops_tool_calls_total, server)", "Server", every=True)


def of_cluster(query: str) -> str:
    """A query with the cluster's variable in every selector, its step left to Grafana."""
    tree = parsed(query, _RATE_STEP_S)
    return written(tree, CLUSTER).replace(f"[{_RATE_STEP_S}s]", RATE)


def _asked(question: str, kinds: Sequence[str]) -> Asked:
    """A named question about whatever the variables name; of several kinds the one that is there answers."""
    found = [
        asks(question, Target("$namespace" if kind in PODS else "", kind, _name(kind))) for kind in kinds
    ]
    queries = tuple(dict.fromkeys(one.query for one in found))
    whole = " or ".join(f"({one})" if len(queries) > 1 else one for one in queries)
    return Asked(of_cluster(whole).replace(WORKLOAD, "$workload"), found[0].unit)


def _name(kind: str) -> str:
    return WORKLOAD if kind in PODS else ""


def _panel(title: str, kinds: Sequence[str], says: str = "", **legends: str) -> Panel:
    """A panel of named questions: question -> what its series are called."""
    found = [(_asked(question, kinds), legend) for question, legend in legends.items()]
    (unit,) = {asked.unit for asked, _ in found}
    return Panel(title, unit, tuple(Line(asked.query, legend) for asked, legend in found), says)


def _workload() -> dict[str, Any]:
    pod, quantile = "{{pod}}", "All routes together; by the label service, else by the pods' names"
    panels = (
        _panel("Memory", PODS, "Working set", memory=pod, memory_limit=f"limit {pod}"),
        _panel("CPU", PODS, "Cores", cpu=pod, cpu_request=f"request {pod}"),
        _panel("Memory of the limit", PODS, memory_of_limit=pod),
        _panel("CPU throttled", PODS, "Share of periods", cpu_throttled=pod),
        _panel("Restarts", PODS, "So far", restarts=pod),
        _panel("Replicas", SERVED, "By the autoscaler of the same name", replicas="now", replicas_max="most"),
        _panel("Requests", SERVED, requests="{{route}}"),
        _panel("Errors", SERVED, "Share of 5xx", errors="all", errors_by_route="{{route}}"),
        _panel("Latency", SERVED, quantile, latency_p50="p50", latency_p95="p95", latency_p99="p99"),
        _panel("Latency by route (p99)", SERVED, latency_by_route="{{route}}"),
    )
    where = of_cluster('kube_pod_owner{namespace!=""}')
    choices = (
        _CLUSTERS,
        Choice("namespace", f"label_values({where}, namespace)", "Namespace"),
        Choice(
            "workload",
            f"query_result(count by (workload) ({of_cluster(_OWNED)}))",
            "Workload",
            pattern='/workload="([^"]+)"/',
        ),
    )
    says = "A Deployment, StatefulSet or DaemonSet: what it uses, whom it serves, how well."
    return dashboard("aiops-workload", "EKS AIOps / Workload", says, choices, panels)


def _nodes() -> dict[str, Any]:
    node, one, every = "{{node}}", ("Node",), ("Cluster",)
    panels = (
        _panel("The cluster as a whole", every, cluster_cpu="CPU", cluster_memory="memory"),
        _panel("Pressure", one, "1 where a condition holds", node_pressure="{{node}} {{condition}}"),
        _panel("CPU", one, node_cpu=node),
        _panel("Memory", one, node_memory=node),
        _panel("Disk free", one, node_disk_available=node),
        _panel("Disk used", one, node_disk_used=node),
        _panel("Addresses of the CNI", one, addresses_assigned=node, addresses_total=f"held {node}"),
        _panel("Errors of the CNI", one, "Failed calls of its address manager", address_errors=node),
        _panel("DNS latency", every, "p99 of CoreDNS", dns_latency_p99="p99"),
        _panel("DNS errors", every, "Share of SERVFAIL", dns_errors="SERVFAIL"),
    )
    says = "Pressure, disk, addresses and DNS of a cluster's nodes."
    return dashboard("aiops-nodes", "EKS AIOps / Nodes", says, (_CLUSTERS,), panels)


def _alerts() -> dict[str, Any]:
    firing, pending = (of_cluster(f'ALERTS{{alertstate="{state}"}}') for state in ("firing", "pending"))
    panels = (
        Panel("Firing", "count", (Line(f"count by (alertname) ({firing})", "{{alertname}}"),)),
        Panel("Pending", "count", (Line(f"count by (alertname) ({pending})", "{{alertname}}"),)),
        Panel("Firing now", "count", (Line(firing, ""),), "Each series with its labels", "table"),
    )
    says = "Rules that fire, by Prometheus' own series ALERTS."
    return dashboard("aiops-alerts", "EKS AIOps / Alerts", says, (_CLUSTERS,), panels)


def _suite() -> dict[str, Any]:
    """Names as an OTLP receiver gives them to Prometheus: units and `_total` at the end."""
    calls = 'aiops_tool_calls_total{server=~"$server"'
    slow = f'sum by (le, tool) (rate(aiops_tool_duration_seconds_bucket{{server=~"$server"}}{RATE}))'
    failed = f'sum by (upstream, outcome) (rate(aiops_upstream_requests_total{{outcome!="ok"}}{RATE}))'
    panels = (
        Panel("Calls", "per second", (Line(f"sum by (tool) (rate({calls}}}{RATE}))", "{{tool}}"),)),
        Panel(
            "Calls that did not end well",
            "per second",
            (Line(f'sum by (tool, outcome) (rate({calls},outcome!="ok"}}{RATE}))', "{{tool}} {{outcome}}"),),
            "By the code of the refusal or error (docs/errors.md)",
        ),
        Panel("Duration (median)", "seconds", (Line(f"histogram_quantile(0.5, {slow})", "{{tool}}"),)),
        Panel("Duration (p95)", "seconds", (Line(f"histogram_quantile(0.95, {slow})", "{{tool}}"),)),
        Panel(
            "Requests to upstreams",
            "per second",
            (Line(f"sum by (upstream) (rate(aiops_upstream_requests_total{RATE}))", "{{upstream}}"),),
        ),
        Panel("Upstreams that fail", "per second", (Line(failed, "{{upstream}} {{outcome}}"),)),
        Panel(
            "Secrets taken out of answers",
            "per second",
            (Line(f"sum by (rule) (rate(aiops_redactions_total{RATE}))", "{{rule}}"),),
        ),
    )
    says = "What the servers of the suite count of themselves (OTEL_EXPORTER_OTLP_ENDPOINT)."
    return dashboard("aiops-suite", "EKS AIOps / Suite", says, (_SERVERS,), panels)


DASHBOARDS: Mapping[str, Callable[[], dict[str, Any]]] = {
    "suite": _suite,
    "workload": _workload,
    "nodes": _nodes,
    "alerts": _alerts,
}


def dashboard_of(name: str) -> dict[str, Any]:
    """A dashboard by its name. Raises NotFoundError."""
    make = DASHBOARDS.get(name)
    if make is None:
        raise NotFoundError(f"dashboard {name[:60]!r}", "is not there", f"there are {', '.join(DASHBOARDS)}")
    return make()
