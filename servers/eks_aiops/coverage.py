"""docs/coverage.md: AWS's MCP servers that the strategy guide names (§3.2), and what of them is done here.

A row that is in scope names tools; the page cannot be written when one of them is not registered (row S10).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

Scope = Literal["own", "partly", "delegated"]
TITLES: Final[Mapping[Scope, str]] = {
    "own": "In scope: our own tools",
    "partly": "Partly",
    "delegated": "Delegated: use AWS's server beside this suite",
}


@dataclass(frozen=True)
class Covered:
    """One MCP server of AWS: `tools` are ours, by server; `says` what is and is not done."""

    name: str
    scope: Scope
    says: str
    tools: tuple[str, ...] = ()


_METRICS = tuple(
    f"observability.{name}"
    for name in ("query_metrics", "detect_anomalies", "forecast_metric", "compare_windows")
)
COVERED: Final = (
    Covered(
        "Amazon EKS",
        "own",
        "clusters, workloads, nodes, add-ons, logs, events, diagnosis; changes as plans that policy judges",
        (
            *("eks.list_clusters", "eks.describe_cluster", "eks.list_resources", "eks.get_resource"),
            *("eks.get_pod_logs", "eks.list_events", "eks.diagnose", "eks.plan_workload_change"),
            *("eks.plan_manifest", "eks.plan_node_change", "eks.plan_addon_change", "eks.execute_plan"),
        ),
    ),
    Covered("Amazon CloudWatch: metrics", "own", "Metrics Insights, named questions, bands", _METRICS),
    Covered(
        "Amazon CloudWatch: alarms",
        "own",
        "alarms beside those of Alertmanager and GuardDuty, grouped into incidents",
        ("observability.list_alarms", "sop.investigate"),
    ),
    Covered(
        "Amazon CloudWatch: logs",
        "own",
        "Logs Insights with its cost estimated before; patterns, error rates, customers hit",
        ("observability.query_logs", "observability.analyze_logs"),
    ),
    Covered(
        "CloudWatch Application Signals",
        "own",
        "service map, objectives and budgets, from traces where it is off; what is slow, grouped",
        ("observability.get_service_health", "observability.analyze_traces"),
    ),
    Covered(
        "Amazon Managed Service for Prometheus", "own", "PromQL, rules, alerts, labels, cardinality", _METRICS
    ),
    Covered(
        "AWS CloudTrail",
        "own",
        "as evidence of what changed and by whom; not as an audit search of its own",
        ("eks.list_changes", "sop.investigate"),
    ),
    Covered(
        "AWS Cost Explorer",
        "own",
        "costs by any dimension and by workload; why a bill moved, to the cent",
        ("cost.get_costs", "cost.explain_cost_change"),
    ),
    Covered(
        "AWS Pricing",
        "own",
        "On-Demand and Spot prices, what a change will cost",
        ("cost.list_prices", "cost.estimate_cost"),
    ),
    Covered(
        "AWS Billing and Cost Management",
        "own",
        "budgets, anomalies and forecasts beside the costs; savings with their arithmetic",
        ("cost.get_costs", "cost.recommend_savings"),
    ),
    Covered(
        "AWS IAM",
        "partly",
        "each server's least rights are written (rights.md), access entries and pod identities are shown;"
        " users, roles and policies are not changed, nothing is simulated",
        ("eks.describe_cluster",),
    ),
    Covered(
        "Well-Architected Security",
        "partly",
        "manifests and running workloads are scanned and mended; accounts and other services are not",
        ("eks.scan_manifest",),
    ),
    Covered(
        "Amazon SNS / SQS",
        "partly",
        "a notifier sends to a topic, events come from a queue's rule; nothing else",
        ("sop.submit_event",),
    ),
    Covered("Amazon ECS", "delegated", "another orchestrator"),
    Covered("AWS Lambda", "delegated", "functions as tools"),
    Covered("Amazon DynamoDB", "delegated", "data, not platform"),
    Covered(
        "Amazon Aurora (PostgreSQL, MySQL, DSQL)",
        "delegated",
        "data; a full pool is found from the workload",
    ),
    Covered("AWS Step Functions", "delegated", "workflows of others; ours are SOPs"),
    Covered("Amazon MSK", "delegated", "data"),
    Covered(
        "AWS Documentation, AWS Knowledge", "delegated", "no text of AWS's is copied; a model asks there"
    ),
    Covered("AWS Diagram", "delegated", "pictures of architectures"),
    Covered("Amazon SageMaker", "delegated", "models"),
    Covered(
        "AWS MCP Server, AWS API (unified)",
        "delegated",
        "any API call; names do not clash: ours are `aiops-*`",
    ),
)


def coverage(made: str, listed: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    """The page. Raises ValueError when a row names a tool that no server lists."""
    known = {f"{server}.{tool['name']}" for server, tools in listed.items() for tool in tools}
    if lost := {tool for row in COVERED for tool in row.tools} - known:
        raise ValueError(f"coverage.py names tools that are not registered: {', '.join(sorted(lost))}")
    used = {tool for row in COVERED for tool in row.tools}
    text = (
        "# Coverage of AWS's MCP servers\n\n"
        + made
        + "Which of the servers in the strategy guide's tables (§3.2) this suite does itself, behind one gate"
        " and in one form of answer,\nand which it leaves to AWS's own. Both may stand in one client's file:"
        " clients tell tools apart by server.\n"
    )
    for scope, title in TITLES.items():
        text += f"\n## {title}\n\n| AWS's server | Here | Our tools |\n|---|---|---|\n"
        for row in (one for one in COVERED if one.scope == scope):
            tools = ", ".join(f"`{tool}`" for tool in row.tools) or "none"
            text += f"| {row.name} | {row.says} | {tools} |\n"
    more = sorted(known - used)
    return f"{text}\n## Besides\n\nOf no row above: {', '.join(f'`{tool}`' for tool in more)}.\n"
