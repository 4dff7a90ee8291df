"""What each tool of this server needs of AWS and Kubernetes: the source of its ClusterRole and IAM policies.

`tests/observability/test_rights_used.py` measures on the lab that nothing is used that is not given here. The
server only reads; what people and programs wrote (log lines, traces) is the role `sensitive`.
"""

from collections.abc import Mapping

from aiops_shared.auth.rights import AwsRow, KubeRow, Rights, Role

WHAT: Mapping[Role, str] = {
    Role.READ: "Metrics, alarms, service health. No log line and no trace.",
    Role.SENSITIVE: "Texts that programs wrote: log lines and traces. AIOPS_SENSITIVE_READS is the switch of"
    " the server; this is the cluster's and the account's.",
}

# Every tool that names a cluster finds it so.
EVERY = (
    *("analyze_logs", "analyze_traces", "compare_windows", "detect_anomalies", "forecast_metric"),
    *("get_service_health", "list_alarms", "query_logs", "query_metrics"),
)

METRICS = ("compare_windows", "detect_anomalies", "forecast_metric", "query_metrics")

# Those that read metrics, from whichever backend.
MEASURED = ("compare_windows", "detect_anomalies", "forecast_metric", "query_metrics")

# Action -> role, tools. One line each.
AWS: tuple[AwsRow, ...] = (
    ("eks:ListClusters", Role.READ, EVERY),
    ("eks:DescribeCluster", Role.READ, EVERY),
    ("aps:DescribeAnomalyDetector", Role.READ, ("detect_anomalies",)),
    ("aps:DescribeWorkspace", Role.READ, METRICS),
    ("aps:GetLabels", Role.READ, ("query_metrics",)),
    ("aps:GetMetricMetadata", Role.READ, ("query_metrics",)),
    ("aps:ListAlerts", Role.READ, ("query_metrics",)),
    ("aps:ListAnomalyDetectors", Role.READ, ("detect_anomalies",)),
    ("aps:ListRules", Role.READ, ("query_metrics",)),
    ("aps:QueryMetrics", Role.READ, METRICS),
    ("cloudwatch:DescribeAlarmHistory", Role.READ, ("list_alarms",)),
    ("cloudwatch:DescribeAlarms", Role.READ, ("list_alarms",)),
    ("cloudwatch:DescribeAnomalyDetectors", Role.READ, ("detect_anomalies", "list_alarms")),
    ("cloudwatch:GetMetricData", Role.READ, ("analyze_logs", "get_service_health", "query_logs", *MEASURED)),
    ("cloudwatch:ListMetrics", Role.READ, MEASURED),
    ("cloudwatch:GetInsightRuleReport", Role.READ, MEASURED),
    ("cloudwatch:DescribeInsightRules", Role.READ, MEASURED),
    ("devops-guru:DescribeAccountHealth", Role.READ, ("list_alarms",)),
    ("devops-guru:DescribeInsight", Role.READ, ("detect_anomalies",)),
    ("devops-guru:ListAnomaliesForInsight", Role.READ, ("detect_anomalies",)),
    ("devops-guru:ListInsights", Role.READ, ("detect_anomalies",)),
    ("guardduty:GetFindings", Role.READ, ("list_alarms",)),
    ("guardduty:ListDetectors", Role.READ, ("list_alarms",)),
    ("guardduty:ListFindings", Role.READ, ("list_alarms",)),
    ("logs:DescribeLogGroups", Role.READ, ("analyze_logs", "query_logs")),
    ("logs:FilterLogEvents", Role.SENSITIVE, ("analyze_logs", "query_logs")),
    ("logs:GetQueryResults", Role.SENSITIVE, ("analyze_logs", "query_logs")),
    ("logs:StartQuery", Role.SENSITIVE, ("analyze_logs", "query_logs")),
    ("logs:StopQuery", Role.SENSITIVE, ("analyze_logs", "query_logs")),
    ("application-signals:BatchGetServiceLevelObjectiveBudgetReport", Role.READ, ("get_service_health",)),
    ("application-signals:GetService", Role.READ, ("get_service_health",)),
    ("application-signals:ListServiceDependencies", Role.READ, ("get_service_health",)),
    ("application-signals:ListServiceDependents", Role.READ, ("get_service_health",)),
    ("application-signals:ListServiceLevelObjectives", Role.READ, ("get_service_health",)),
    ("application-signals:ListServices", Role.READ, ("get_service_health",)),
    ("xray:BatchGetTraces", Role.SENSITIVE, ("analyze_traces",)),
    ("xray:GetServiceGraph", Role.READ, ("analyze_traces", "get_service_health")),
    ("xray:GetTraceSummaries", Role.SENSITIVE, ("analyze_traces",)),
)

# API group, resource, verbs, role, tools. One line each.
KUBE: tuple[KubeRow, ...] = (
    ("", "nodes", ("list",), Role.READ, ("analyze_traces",)),
    ("", "pods", ("list",), Role.READ, ("analyze_traces", "list_alarms")),
    ("", "pods", ("get", "list"), Role.SENSITIVE, ("analyze_logs", "query_logs")),
    ("", "pods/log", ("get",), Role.SENSITIVE, ("analyze_logs", "query_logs")),
    ("apps", "daemonsets", ("get", "list"), Role.SENSITIVE, ("analyze_logs", "query_logs")),
    ("apps", "deployments", ("get", "list"), Role.SENSITIVE, ("analyze_logs", "query_logs")),
    ("apps", "statefulsets", ("get", "list"), Role.SENSITIVE, ("analyze_logs", "query_logs")),
)

RIGHTS = Rights.of("observability", KUBE, AWS, WHAT)
