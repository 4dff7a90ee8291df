"""The named questions in CloudWatch's words: Container Insights, load balancers, Network Flow Monitor, RDS.

Called by `cloudwatch`. Names, units and dimensions: "Amazon EKS and Kubernetes Container Insights metrics"
(enhanced observability), "CloudWatch metrics for your Application Load Balancer". Container Insights calls a
workload `PodName` and a pod `FullPodName`, counts CPU in millicores and shares in percent. A Service is found
by the target group that the AWS Load Balancer Controller names after it: k8s-<8 of namespace>-<8 of name>-….
"""

from collections.abc import Callable, Mapping

from aiops_shared.errors import QueryInvalidError
from aiops_shared.metrics.cloudwatch_language import DEFAULT_STAT as MEAN
from aiops_shared.metrics.cloudwatch_language import LAST, quoted
from aiops_shared.metrics.ports import Asked, Target
from aiops_shared.metrics.questions import targeted

INSIGHTS, BALANCER, FLOWS, DATABASE = (
    "ContainerInsights",
    "AWS/ApplicationELB",
    "AWS/NetworkFlowMonitor",
    "AWS/RDS",
)
RATE_STEP_S = 300  # the step of a rate is at least five minutes (`questions`)
Make = Callable[[str, Target], str]


def asks(question: str, target: Target, cluster: str) -> Asked:
    """A named question in the language of `cloudwatch_language`.

    Raises QueryInvalidError for an unknown one and for one that CloudWatch has no data for,
    InvalidInputError for a target that it is not about.
    """
    known, asked = targeted(question, target)
    make = _QUERIES.get(question)
    if make is None:
        raise QueryInvalidError(
            f"what={question}",
            "CloudWatch has no data for it",
            f"ask source=prometheus; CloudWatch answers {', '.join(sorted(_QUERIES))}",
        )
    return Asked(make(cluster, asked), known.unit, 0 if question in _LEVELS else RATE_STEP_S)


def _selector(space: str, metric: str, dimensions: Mapping[str, str], stat: str = LAST) -> str:
    told = ",".join(f"{name}={quoted(value)}" for name, value in dimensions.items())
    return f"{space}/{metric}{{{told}}} {stat}"


def _pods(cluster: str, target: Target) -> dict[str, str]:
    """The dimensions of the pods of a target."""
    workload = target.name if target.kind not in {"Pod", "Namespace", "Cluster"} and target.name else "*"
    pod = target.name if target.kind == "Pod" and target.name else "*"
    return {
        "ClusterName": cluster,
        "Namespace": target.namespace or "*",
        "PodName": workload,
        "FullPodName": pod,
    }


def _pod(metric: str, scale: str = "", stat: str = LAST) -> Make:
    return lambda cluster, target: _selector(INSIGHTS, metric, _pods(cluster, target), stat) + scale


def _pod_share(over: str, under: str) -> Make:
    parts = (_pod(over, stat=MEAN), _pod(under, stat=MEAN))
    return lambda cluster, target: " / ".join(part(cluster, target) for part in parts)


def _node(metric: str, scale: str = "", stat: str = LAST) -> Make:
    def build(cluster: str, target: Target) -> str:
        name = target.name if target.kind == "Node" and target.name else "*"
        dimensions = {"ClusterName": cluster, "InstanceId": "*", "NodeName": name}
        return _selector(INSIGHTS, metric, dimensions, stat) + scale

    return build


def _cluster_share(over: str, under: str, stat: str = LAST) -> Make:
    return lambda cluster, _: " / ".join(
        _selector(INSIGHTS, metric, {"ClusterName": cluster}, stat) for metric in (over, under)
    )


def _short(name: str) -> str:
    """A name as the load balancer controller shortens it (aws-load-balancer-controller, pkg/ingress)."""
    return "".join(letter for letter in name if letter.isalnum())[:8]


def _group(target: Target) -> dict[str, str]:
    """The target groups of a Service, or of the workload that has the Service's name."""
    space = _short(target.namespace) if target.namespace else "*"
    name = "*" if _many(target) else _short(target.name)
    return {"LoadBalancer": "*", "TargetGroup": f"targetgroup/k8s-{space}-{name}-*"}


def _requests(_: str, target: Target) -> str:
    every = _selector(BALANCER, "RequestCount", _group(target), "Sum")
    return f"SUM({every}) / PERIOD({every})"


def _errors(_: str, target: Target) -> str:
    """Failed answers of the targets, and of the load balancer in front of them, of all requests."""
    group = _group(target)
    failed = _selector(BALANCER, "HTTPCode_Target_5XX_Count", group, "Sum")
    unanswered = _selector(BALANCER, "HTTPCode_ELB_5XX_Count", {"LoadBalancer": "*"}, "Sum")
    every = _selector(BALANCER, "RequestCount", group, "Sum")
    if _many(target):  # of all services together
        failed, unanswered, every = (f"SUM({one})" for one in (failed, unanswered, every))
    return f"(FILL({failed}, 0) + FILL({unanswered}, 0)) / {every}"


def _many(target: Target) -> bool:
    """Whether a target may have several load balancers."""
    return not target.name or target.kind in {"Namespace", "Cluster"}


def _latency(stat: str) -> Make:
    def build(_: str, target: Target) -> str:
        if _many(target):
            raise QueryInvalidError(
                "name", "CloudWatch cannot put percentiles of several services together", "name a Service"
            )
        return _selector(BALANCER, "TargetResponseTime", _group(target), stat)

    return build


def _flow(metric: str) -> Make:
    return lambda _, __: _selector(FLOWS, metric, {"MonitorName": "*", "LocalSubnetId": "*"}, "Sum")


def _database(metric: str, scale: str = "") -> Make:
    def build(_: str, target: Target) -> str:
        name = target.name if target.kind == "Database" and target.name else "*"
        return _selector(DATABASE, metric, {"DBInstanceIdentifier": name}) + scale

    return build


_QUERIES: Mapping[str, Make] = {
    "memory": _pod("pod_memory_working_set"),
    "memory_of_limit": _pod("pod_memory_utilization_over_pod_limit", " / 100"),
    "memory_limit": _pod("pod_memory_limit"),
    "memory_request": _pod("pod_memory_request"),
    "cpu": _pod("pod_cpu_usage_total", " / 1000", MEAN),
    "cpu_of_request": _pod_share("pod_cpu_usage_total", "pod_cpu_request"),
    "cpu_request": _pod("pod_cpu_request", " / 1000"),
    "restarts": _pod("pod_number_of_container_restarts"),
    "requests_total": _requests,
    "errors": _errors,
    "latency_p50": _latency("p50"),
    "latency_p95": _latency("p95"),
    "latency_p99": _latency("p99"),
    "node_cpu": _node("node_cpu_utilization", " / 100", MEAN),
    "node_memory": _node("node_memory_utilization", " / 100"),
    "node_disk_used": _node("node_filesystem_utilization", " / 100"),
    "cluster_cpu": _cluster_share("node_cpu_usage_total", "node_cpu_limit", MEAN),
    "cluster_memory": _cluster_share("node_memory_working_set", "node_memory_limit"),
    "retransmissions": _flow("RETRANSMISSIONS"),
    "flow_timeouts": _flow("TIMEOUTS"),
    "db_connections": _database("DatabaseConnections"),
    "db_cpu": _database("CPUUtilization", " / 100"),
    "replicas": lambda cluster, target: _selector(
        INSIGHTS,
        "replicas_ready",
        {"ClusterName": cluster, "Namespace": target.namespace or "*", "PodName": target.name or "*"},
    ),
}
# Those whose value is of a moment; the others are of the five minutes that end there.
_LEVELS = frozenset(
    {"memory", "memory_of_limit", "memory_limit", "memory_request", "cpu_request", "restarts", "node_memory",
     "node_disk_used", "cluster_memory", "db_connections", "db_cpu", "replicas"}
)  # fmt: skip
