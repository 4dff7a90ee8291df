"""Compute Optimizer: what it says of the world's instances, from what a story says they use.

Rules of the lab's own in the real service's shapes: a recommended type is the cheapest current one of any
family with the same architecture on which CPU and memory stay within `HEADROOM`; the saving is the list
prices' difference for a month. Nobody is enrolled unless a story says so, as in a new account.
API reference: https://docs.aws.amazon.com/compute-optimizer/latest/APIReference/.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from typing import Any

from aiops_lab.aws.account import ACCOUNT_ID, REGION, Account
from aiops_lab.aws.errors import AwsError
from aiops_lab.aws.overlay import Call, Operations
from aiops_lab.aws.vpc import Instance, Vpc
from aiops_lab.billing.price_table import PriceTable
from aiops_lab.instance_types import TYPES, InstanceType

HEADROOM = 0.8  # of a type's CPU and memory
OPTIONS = 3
PAGE = 1000
HOURS = 730
DAYS = 14.0
Use = Mapping[str, tuple[float, float]]
Hours = Mapping[str, Decimal]


@dataclass(slots=True)
class ComputeOptimizer:
    """`use`: instance type -> its instances' highest CPU and memory, shares. What has none is Optimized."""

    enrolled: bool = False
    use: Use = field(default_factory=dict)


def compute_optimizer_operations(account: Account) -> Operations:
    """The operations of service `compute-optimizer`, bound to one account."""
    served = {
        "GetEnrollmentStatus": get_enrollment_status,
        "GetEC2InstanceRecommendations": get_ec2_instance_recommendations,
        "GetAutoScalingGroupRecommendations": get_auto_scaling_group_recommendations,
    }
    return {("compute-optimizer", name): partial(act, account) for name, act in served.items()}


def get_enrollment_status(account: Account, call: Call) -> Mapping[str, Any]:
    """Active or Inactive."""
    del call
    return {"status": "Active" if account.area(ComputeOptimizer).enrolled else "Inactive"}


def get_ec2_instance_recommendations(account: Account, call: Call) -> Mapping[str, Any]:
    """One for each instance. Raises AwsError OptInRequiredException."""
    _require(account)
    held = account.in_world(lambda: dict(account.area(Vpc).instances)) if call.region == REGION else {}
    use, hours = account.area(ComputeOptimizer).use, hours_of(account)
    rows = [_told(use, hours, one) for one in sorted(held.values(), key=lambda one: one.instance_id)]
    wanted = {value for one in call.params.get("filters") or [] for value in one.get("values") or []}
    return _paged(
        "instanceRecommendations", [row for row in rows if not wanted or row["finding"] in wanted], call
    )


def get_auto_scaling_group_recommendations(account: Account, call: Call) -> Mapping[str, Any]:
    """None: nodes of the lab stand in no group. Raises AwsError OptInRequiredException."""
    _require(account)
    return _paged("autoScalingGroupRecommendations", [], call)


def _require(account: Account) -> None:
    if not account.area(ComputeOptimizer).enrolled:
        words = f"Aws account {ACCOUNT_ID} is not registered for recommendation."
        raise AwsError("OptInRequiredException", words, 400)


def _paged(key: str, rows: list[Any], call: Call) -> Mapping[str, Any]:
    start, most = int(call.params.get("nextToken") or 0), int(call.params.get("maxResults") or PAGE)
    page = {key: rows[start : start + most]}
    return page | ({"nextToken": str(start + most)} if start + most < len(rows) else {})


def _told(use: Use, hours: Hours, instance: Instance) -> dict[str, Any]:
    cpu, memory = use.get(instance.instance_type, (0.0, 0.0))
    options = better(hours, instance.instance_type, cpu, memory)
    finding = "Optimized" if not options else "Overprovisioned" if options[0][1] > 0 else "Underprovisioned"
    return {
        "instanceArn": f"arn:aws:ec2:{REGION}:{ACCOUNT_ID}:instance/{instance.instance_id}",
        "accountId": ACCOUNT_ID,
        "instanceName": instance.name,
        "currentInstanceType": instance.instance_type,
        "finding": finding,
        "lookBackPeriodInDays": DAYS,
        "utilizationMetrics": [
            {"name": "Cpu", "statistic": "Maximum", "value": 100 * cpu},
            {"name": "Memory", "statistic": "Maximum", "value": 100 * memory},
        ],
        "recommendationOptions": [
            {
                "instanceType": kind.name,
                "rank": rank,
                "performanceRisk": 1.0,
                "savingsOpportunity": {
                    "savingsOpportunityPercentage": float(100 * saved / hours[instance.instance_type]),
                    "estimatedMonthlySavings": {"currency": "USD", "value": float(saved * HOURS)},
                },
            }
            for rank, (kind, saved) in enumerate(options[:OPTIONS], 1)
        ],
    }


def hours_of(account: Account) -> Hours:
    """Prices of an hour on demand, read once for an answer: an area is not free to ask for."""
    return account.area(PriceTable).hours[REGION]


def better(hours: Hours, name: str, cpu: float, memory: float) -> list[tuple[InstanceType, Decimal]]:
    """Types that hold the use, the cheapest first, with what an hour on them saves; none where nothing was
    measured or the present one is the cheapest.
    """
    now = TYPES.get(name)
    if now is None or not cpu:
        return []
    fits = [
        kind
        for kind in TYPES.values()
        if kind.arm == now.arm
        and kind.gpus == now.gpus
        and not kind.family.startswith("t")
        and kind.cpus * HEADROOM >= cpu * now.cpus
        and kind.memory_gib * HEADROOM >= memory * now.memory_gib
        and kind.name in hours
    ]
    ranked = sorted(fits, key=lambda kind: (hours[kind.name], kind.name))
    if not ranked or ranked[0].name == name:
        return []
    return [(kind, hours[name] - hours[kind.name]) for kind in ranked if kind.name != name]
