"""Cost Optimization Hub: one list of what Compute Optimizer says, and of Savings Plans from the ledger.

Asked in us-east-1. Nobody is enrolled unless a story says so. API reference:
https://docs.aws.amazon.com/cost-management/latest/APIReference/API_Operations_Cost_Optimization_Hub.html.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from aiops_lab.aws.account import ACCOUNT_ID, REGION, Account
from aiops_lab.aws.compute_optimizer import HOURS, ComputeOptimizer, Hours, Use, better, hours_of
from aiops_lab.aws.errors import AwsError
from aiops_lab.aws.overlay import Call, Operations
from aiops_lab.aws.vpc import Instance, Vpc

MOST = 100


@dataclass(slots=True)
class CostOptimizationHub:
    """Whether the account is enrolled."""

    enrolled: bool = False


def cost_optimization_hub_operations(account: Account) -> Operations:
    """The operations of service `cost-optimization-hub`, bound to one account."""
    served = {"ListEnrollmentStatuses": list_enrollment_statuses, "ListRecommendations": list_recommendations}
    return {("cost-optimization-hub", name): partial(act, account) for name, act in served.items()}


def list_enrollment_statuses(account: Account, call: Call) -> Mapping[str, Any]:
    """The account's own status."""
    del call
    status = "Active" if account.area(CostOptimizationHub).enrolled else "Inactive"
    return {"items": [{"accountId": ACCOUNT_ID, "status": status}], "includeMemberAccounts": False}


def list_recommendations(account: Account, call: Call) -> Mapping[str, Any]:
    """Rightsizing of instances, the largest saving first. Raises AwsError AccessDeniedException."""
    if not account.area(CostOptimizationHub).enrolled:
        words = f"{ACCOUNT_ID} is not enrolled for recommendations. Enroll to get recommendations."
        raise AwsError("AccessDeniedException", words, 400)
    held = account.in_world(lambda: list(account.area(Vpc).instances.values()))
    use, hours = account.area(ComputeOptimizer).use, hours_of(account)
    rows = [row for one in held if (row := _told(use, hours, one))]
    wanted = (call.params.get("filter") or {}).get("resourceTypes") or []
    rows = [row for row in rows if not wanted or row["currentResourceType"] in wanted]
    rows.sort(key=lambda row: (-row["estimatedMonthlySavings"], row["resourceId"]))
    start, most = int(call.params.get("nextToken") or 0), int(call.params.get("maxResults") or MOST)
    page = {"items": rows[start : start + most]}
    return page | ({"nextToken": str(start + most)} if start + most < len(rows) else {})


def _told(use: Use, hours: Hours, instance: Instance) -> dict[str, Any]:
    options = better(hours, instance.instance_type, *use.get(instance.instance_type, (0.0, 0.0)))
    if not options or options[0][1] <= 0:
        return {}
    kind, saved = options[0]
    price = hours[instance.instance_type]
    return {
        "recommendationId": f"rec-{instance.instance_id}",
        "accountId": ACCOUNT_ID,
        "region": REGION,
        "resourceId": instance.instance_id,
        "currentResourceType": "Ec2Instance",
        "recommendedResourceType": "Ec2Instance",
        "currentResourceSummary": instance.instance_type,
        "recommendedResourceSummary": kind.name,
        "estimatedMonthlySavings": float(saved * HOURS),
        "estimatedSavingsPercentage": float(100 * saved / price),
        "estimatedMonthlyCost": float(price * HOURS),
        "currencyCode": "USD",
        "implementationEffort": "Medium",
        "actionType": "Rightsize",
        "source": "ComputeOptimizer",
    }
