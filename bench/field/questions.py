"""Ten everyday questions of an engineer on call, and each server's shortest fair way to an answer.

Fair: a way is told the names that a person who asks would know (the pod, the node, the workload), and it is
told them for every server alike; where a server's list shows no state, the name of what is broken is given
away. A server that has no tool for a question has no way.
"""

from typing import Any, Final

from bench.field.asking import Call, Question, Way
from bench.field.facts import Fact
from bench.field.servers import (
    AWS_BILLS,
    AWS_EKS,
    AWS_LOGS,
    AWS_METRICS,
    COST,
    EKS,
    K8S_GO,
    K8S_NODE,
    OBSERVABILITY,
    Server,
)

CRASH: Final = "pod-crashloop"
POD: Final = "<pod:api-server>"
HERE: Final = {"namespace": "production"}
NODE: Final = "ip-10-0-1-42.ec2.internal"
TOLD: Final = "told which"
GROUP: Final = "/aws/containerinsights/<cluster>/application"
AUDIT: Final = "/aws/eks/<cluster>/cluster"
WRITES: Final = (
    "fields @timestamp, user.username, verb, objectRef.resource, objectRef.namespace, objectRef.name"
    ' | filter verb in ["create", "update", "patch", "delete"] and user.username not like /^system:/'
    " | sort @timestamp desc"
)
MEMORY: Final = (
    'max(container_memory_working_set_bytes{namespace="production",pod=~"users-service-.*",container!=""})'
)


def way(server: Server, *calls: tuple[str, dict[str, Any]], note: str = "") -> Way:
    """A way of one server."""
    return Way(server.title, tuple(Call(server, tool, arguments) for tool, arguments in calls), note)


def aws(tool: str, **more: Any) -> tuple[str, dict[str, Any]]:
    """A call of AWS Labs' eks server, which wants the cluster's name each time."""
    return tool, {"cluster_name": "<cluster>", **more}


def aws_read(kind: str, name: str, **more: Any) -> tuple[str, dict[str, Any]]:
    """One object, whole, by AWS Labs' eks server."""
    return aws("manage_k8s_resource", operation="read", kind=kind, api_version="v1", name=name, **more)


def insights(group: str, since: str, query: str) -> tuple[str, dict[str, Any]]:
    """A Logs Insights query by AWS Labs' cloudwatch server."""
    window = {"start_time": since, "end_time": "<now>"}
    return "execute_log_insights_query", {"log_group_names": [group], **window, "query_string": query}


def _spent(start: str, end: str, by: str, *metrics: str) -> tuple[str, dict[str, Any]]:
    group = f'[{{"Type": "DIMENSION", "Key": "{by}"}}]'
    names = "[" + ", ".join(f'"{metric}"' for metric in metrics) + "]"
    window = {"start_date": start, "end_date": end, "granularity": "MONTHLY"}
    return "cost-explorer", {"operation": "getCostAndUsage", **window, "metrics": names, "group_by": group}


BROKEN: Final = (POD, "<pod:refunds-server>", "<pod:import-server>")

QUESTIONS: Final = (
    Question(
        "What is broken in the cluster?",
        (CRASH, "image-pull", "pod-pending-cpu"),
        (
            Fact("api-server crashes", ("api-server", "CrashLoopBackOff|crash|Back-off restarting")),
            Fact("refunds-server's image is not found", ("refunds-server", "not found|IMAGE_NOT_FOUND")),
            Fact("import-server finds no CPU", ("import-server", "Insufficient cpu|enough free CPU")),
        ),
        (
            way(EKS, ("diagnose", {})),
            way(K8S_GO, ("pods_list", {}), ("events_list", {"fieldSelector": "type=Warning"})),
            way(
                K8S_NODE,
                ("kubectl_get", {"resourceType": "pods", "allNamespaces": True}),
                (
                    "kubectl_get",
                    {"resourceType": "events", "allNamespaces": True, "fieldSelector": "type=Warning"},
                ),
            ),
            way(
                AWS_EKS,
                aws("list_k8s_resources", kind="Pod", api_version="v1"),
                *(aws("get_k8s_events", kind="Pod", name=pod, **HERE) for pod in BROKEN),
                note=TOLD,
            ),
        ),
    ),
    Question(
        "Why does this pod crash?",
        (CRASH,),
        (
            Fact("its last words: DB_HOST is empty", ("DB_HOST.{0,20}empty",)),
            Fact("ConfigMap api-config is gone", ("api-config", "not found|does not exist")),
        ),
        (
            way(EKS, ("diagnose", {**HERE, "kind": "Pod", "name": POD})),
            way(
                K8S_GO,
                ("pods_log", {**HERE, "name": POD, "previous": True}),
                ("resources_get", {**HERE, "apiVersion": "v1", "kind": "ConfigMap", "name": "api-config"}),
            ),
            way(
                K8S_NODE,
                ("kubectl_logs", {**HERE, "resourceType": "pod", "name": POD, "previous": True}),
                ("kubectl_get", {**HERE, "resourceType": "configmap", "name": "api-config"}),
            ),
            way(
                AWS_EKS,
                aws("get_pod_logs", **HERE, pod_name=POD, previous=True),
                aws_read("ConfigMap", "api-config", **HERE),
            ),
        ),
    ),
    Question(
        "What are its logs?",
        (CRASH,),
        (
            Fact("the last words of the run that ended", ("required setting DB_HOST is empty",)),
            Fact("its first words", ("starting api-server",)),
        ),
        (
            way(EKS, ("get_pod_logs", {**HERE, "pod": POD})),
            way(K8S_GO, ("pods_log", {**HERE, "name": POD, "previous": True})),
            way(K8S_NODE, ("kubectl_logs", {**HERE, "resourceType": "pod", "name": POD, "previous": True})),
            way(AWS_EKS, aws("get_pod_logs", **HERE, pod_name=POD, previous=True)),
        ),
    ),
    Question(
        "What changed in the last hour?",
        (CRASH,),
        (
            Fact("ConfigMap api-config was deleted", ("api-config", "delete")),
            Fact("by ci-cleanup", ("ci-cleanup",)),
            Fact("invoices was rolled out", ("invoices",)),
            Fact("by platform-team", ("platform-team",)),
        ),
        (
            way(EKS, ("list_changes", {"since": "-1h"})),
            way(AWS_LOGS, insights(AUDIT, "<hour_ago>", WRITES), note="told the log group and the query"),
            way(K8S_GO, ("events_list", {}), note="events tell no deletion and no user"),
            way(
                K8S_NODE,
                ("kubectl_get", {"resourceType": "events", "allNamespaces": True}),
                note="events tell no deletion and no user",
            ),
        ),
    ),
    Question(
        "Are the nodes well?",
        ("disk-pressure",),
        (
            Fact("one is under disk pressure", ("ip-10-0-1-42", "KubeletHasDiskPressure|disk-pressure")),
            Fact("where it is", ("us-east-1b",)),
        ),
        (
            way(EKS, ("describe_cluster", {"include": ["nodes"]})),
            way(
                K8S_GO,
                ("resources_list", {"apiVersion": "v1", "kind": "Node"}),
                ("resources_get", {"apiVersion": "v1", "kind": "Node", "name": NODE}),
                note=TOLD,
            ),
            way(
                K8S_NODE,
                ("kubectl_get", {"resourceType": "nodes"}),
                ("kubectl_describe", {"resourceType": "node", "name": NODE}),
                note=TOLD,
            ),
            way(
                AWS_EKS,
                aws("list_k8s_resources", kind="Node", api_version="v1"),
                aws_read("Node", NODE),
                note=TOLD,
            ),
        ),
    ),
    Question(
        "How much memory does users-service use, now and three hours ago?",
        ("memory-spike",),
        (
            Fact("now", amount="<memory:users-service>", within=0.05),
            Fact("before it climbed: 420 MiB", amount=str(420 * 2**20), within=0.05),
        ),
        (
            way(
                OBSERVABILITY,
                (
                    "query_metrics",
                    {
                        **HERE,
                        "what": "memory",
                        "kind": "Deployment",
                        "name": "users-service",
                        "since": "-3h",
                    },
                ),
            ),
            way(
                AWS_METRICS,
                (
                    "ExecuteRangeQuery",
                    {"query": MEMORY, "start": "<three_hours_ago>", "end": "<now>", "step": "10m"},
                ),
                note="told the PromQL",
            ),
            way(
                AWS_LOGS,
                (
                    "get_metric_data",
                    {
                        "namespace": "ContainerInsights",
                        "metric_name": "pod_memory_working_set",
                        "start_time": "<three_hours_ago>",
                        "end_time": "<now>",
                        "dimensions": [
                            {"name": "ClusterName", "value": "<cluster>"},
                            {"name": "Namespace", "value": "production"},
                            {"name": "PodName", "value": "users-service"},
                        ],
                        "statistic": "MAX",
                        "target_datapoints": 18,
                    },
                ),
                note="told metric and dimensions",
            ),
            way(
                AWS_EKS,
                aws(
                    "get_cloudwatch_metrics",
                    namespace="ContainerInsights",
                    metric_name="pod_memory_working_set",
                    dimensions={
                        "ClusterName": "<cluster>",
                        "Namespace": "production",
                        "PodName": "users-service",
                    },
                    start_time="<three_hours_ago>",
                    end_time="<now>",
                    period=600,
                    stat="Maximum",
                ),
                note="told metric and dimensions",
            ),
            way(K8S_GO, ("pods_top", HERE), note="knows now only"),
            way(
                K8S_NODE,
                ("kubectl_generic", {**HERE, "command": "top", "resourceType": "pod"}),
                note="knows now only",
            ),
        ),
    ),
    Question(
        "Which errors are in the application's log group?",
        ("log-insights",),
        (
            Fact("1,284 x no connection in the pool", ("Timeout|pool", "1,?284")),
            Fact("902 x thumbnail decode failed", ("thumbnail", r"\b902\b")),
            Fact("512 x payment provider 502", ("provider", r"\b512\b")),
        ),
        (
            way(OBSERVABILITY, ("analyze_logs", {"mode": "patterns", "since": "-24h"})),
            way(
                AWS_LOGS,
                insights(
                    GROUP,
                    "<day_ago>",
                    'filter level = "ERROR" | parse msg "* * *" as first, second, rest'
                    " | stats count(*) as n by service, first, second | sort n desc",
                ),
                note="told the log group and the query",
            ),
        ),
    ),
    Question(
        "Which alarms fire?",
        ("active-alarms",),
        tuple(
            Fact(f"EKS-{name}", (f"EKS-{name}",))
            for name in ("HighMemoryUsage", "FailedPods", "DiskPressure")
        ),
        (
            way(OBSERVABILITY, ("list_alarms", {})),
            way(AWS_LOGS, ("get_active_alarms", {})),
        ),
    ),
    Question(
        "What did we pay last month, by service?",
        ("cost-spike",),
        (Fact("EC2", amount="<usd:ec2>"), Fact("CloudWatch", amount="<usd:cloudwatch>")),
        (
            way(COST, ("get_costs", {"group_by": "service", "period": "last_month"})),
            way(AWS_BILLS, _spent("<month>", "<month_end>", "SERVICE", "UnblendedCost")),
        ),
    ),
    Question(
        "Why did the bill rise this week?",
        ("cost-spike",),
        (
            Fact("c5.4xlarge, dollars before", ("c5.4xlarge",), "<spike:before>"),
            Fact("dollars after", (), "<spike:after>"),
            Fact("more hours: before", (), "<hours:before>"),
            Fact("hours after", (), "<hours:after>"),
            Fact("memory fills the nodes while cores idle", ("memory.{0,200}8[56](\\.\\d+)? ?%",)),
        ),
        (
            way(COST, ("explain_cost_change", {})),
            way(
                AWS_BILLS,
                _spent("<days:14>", "<days:7>", "INSTANCE_TYPE", "UnblendedCost", "UsageQuantity"),
                _spent("<days:7>", "<today>", "INSTANCE_TYPE", "UnblendedCost", "UsageQuantity"),
                note="knows the bill only",
            ),
        ),
    ),
)
