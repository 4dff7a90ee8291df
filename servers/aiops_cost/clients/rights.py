"""What each tool of this server needs of AWS and Kubernetes: the source of its ClusterRole and IAM policy.

`tests/cost/test_rights_used.py` measures on the lab that nothing is used that is not given here. The server
only reads. Cost Explorer has no resources to narrow; each of its requests is billed (0.01 USD).
"""

from collections.abc import Mapping

from aiops_shared.auth.rights import AwsRow, KubeRow, Rights, Role

WHAT: Mapping[Role, str] = {
    Role.READ: "The bill, prices, budgets; nodes, pods, owners, NodePools. No log and no Secret.",
    Role.SENSITIVE: "Queries of log groups for sums of bytes, and a few lines that show where their level"
    " stands: without it, logs are one row and log levels are not judged.",
}

# Every tool that names a cluster finds it so.
EVERY = ("estimate_cost", "explain_cost_change", "get_costs", "recommend_savings")

# Objects as they are, which a change is held against.
ESTIMATES = ("estimate_cost",)
# Prices and what types hold.
PRICED = ("estimate_cost", "get_costs", "list_prices", "recommend_savings")
TYPED = ("estimate_cost", "list_prices", "recommend_savings")
# What nodes and pods use.
MEASURED = ("explain_cost_change", "get_costs", "recommend_savings")
# Who shares out nodes among pods.
SHARED = ("get_costs", "recommend_savings")
FLEETS = ("estimate_cost", *SHARED)
SAVES = ("recommend_savings",)

# Action -> role, tools. One line each.
AWS: tuple[AwsRow, ...] = (
    ("eks:ListClusters", Role.READ, EVERY),
    ("eks:DescribeCluster", Role.READ, EVERY),
    ("aps:DescribeWorkspace", Role.READ, MEASURED),
    ("aps:QueryMetrics", Role.READ, MEASURED),
    ("ce:GetCostAndUsage", Role.READ, ("explain_cost_change", "get_costs", "recommend_savings")),
    ("ce:GetCostForecast", Role.READ, ("get_costs",)),
    ("ce:GetAnomalies", Role.READ, ("explain_cost_change", "get_costs")),
    ("budgets:ViewBudget", Role.READ, ("get_costs",)),
    ("cloudwatch:GetMetricData", Role.READ, MEASURED),
    ("cloudwatch:ListMetrics", Role.READ, MEASURED),
    ("ec2:DescribeInstanceTypes", Role.READ, TYPED),
    ("ec2:DescribeSpotPriceHistory", Role.READ, PRICED),
    ("ec2:GetSpotPlacementScores", Role.READ, SAVES),
    ("compute-optimizer:GetEC2InstanceRecommendations", Role.READ, SAVES),
    ("compute-optimizer:GetEnrollmentStatus", Role.READ, SAVES),
    ("cost-optimization-hub:ListEnrollmentStatuses", Role.READ, SAVES),
    ("cost-optimization-hub:ListRecommendations", Role.READ, SAVES),
    ("ecr:BatchGetImage", Role.READ, SAVES),
    ("savingsplans:DescribeSavingsPlansOfferingRates", Role.READ, SAVES),
    ("athena:GetQueryExecution", Role.READ, ("get_costs",)),
    ("athena:GetQueryResults", Role.READ, ("get_costs",)),
    ("athena:StartQueryExecution", Role.READ, ("get_costs",)),
    ("athena:StopQueryExecution", Role.READ, ("get_costs",)),
    ("glue:GetDatabase", Role.READ, ("get_costs",)),
    ("glue:GetPartitions", Role.READ, ("get_costs",)),
    ("glue:GetTable", Role.READ, ("get_costs",)),
    ("s3:GetBucketLocation", Role.READ, ("get_costs",)),
    ("s3:GetObject", Role.READ, ("get_costs",)),
    ("s3:ListBucket", Role.READ, ("get_costs",)),
    ("logs:GetQueryResults", Role.SENSITIVE, ("get_costs", "recommend_savings")),
    ("logs:StartQuery", Role.SENSITIVE, ("get_costs", "recommend_savings")),
    ("logs:StopQuery", Role.SENSITIVE, ("get_costs", "recommend_savings")),
    ("pricing:GetProducts", Role.READ, PRICED),
    ("logs:DescribeLogGroups", Role.READ, SAVES),
    ("logs:FilterLogEvents", Role.SENSITIVE, SAVES),
    ("ec2:DescribeAddresses", Role.READ, SAVES),
    ("ec2:DescribeSnapshots", Role.READ, SAVES),
    ("ec2:DescribeVolumes", Role.READ, SAVES),
    ("ec2:DescribeVpcEndpoints", Role.READ, SAVES),
)

# API group, resource, verbs, role, tools. One line each.
KUBE: tuple[KubeRow, ...] = (
    ("apps", "daemonsets", ("get",), Role.READ, SAVES),
    ("apps", "deployments", ("get",), Role.READ, SAVES),
    ("apps", "statefulsets", ("get",), Role.READ, SAVES),
    (
        "autoscaling",
        "horizontalpodautoscalers",
        ("list",),
        Role.READ,
        ("explain_cost_change", "recommend_savings"),
    ),
    ("autoscaling.k8s.io", "verticalpodautoscalers", ("list",), Role.READ, SAVES),
    ("", "nodes", ("list",), Role.READ, EVERY),
    ("", "services", ("list",), Role.READ, SAVES),
    ("storage.k8s.io", "storageclasses", ("list",), Role.READ, SAVES),
    ("", "persistentvolumes", ("list",), Role.READ, FLEETS),
    ("", "persistentvolumeclaims", ("get",), Role.READ, ESTIMATES),
    ("", "pods", ("list",), Role.READ, EVERY),
    ("", "pods", ("get",), Role.READ, ESTIMATES),
    ("", "services", ("get",), Role.READ, ESTIMATES),
    ("apps", "daemonsets", ("get",), Role.READ, ESTIMATES),
    ("apps", "deployments", ("get",), Role.READ, ESTIMATES),
    ("apps", "replicasets", ("get",), Role.READ, ESTIMATES),
    ("apps", "statefulsets", ("get",), Role.READ, ESTIMATES),
    ("networking.k8s.io", "ingresses", ("get",), Role.READ, ESTIMATES),
    ("storage.k8s.io", "storageclasses", ("get", "list"), Role.READ, ESTIMATES),
    ("karpenter.sh", "nodepools", ("list",), Role.READ, EVERY),
    ("karpenter.sh", "nodepools", ("get",), Role.READ, ESTIMATES),
    ("metrics.k8s.io", "pods", ("list",), Role.READ, SHARED),
    ("policy", "poddisruptionbudgets", ("list",), Role.READ, SAVES),
)

RIGHTS = Rights.of("cost", KUBE, AWS, WHAT)
