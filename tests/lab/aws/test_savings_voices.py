"""Compute Optimizer, Cost Optimization Hub and Savings Plans of the lab, asked by real botocore."""

from decimal import Decimal

import pytest
from botocore.exceptions import ClientError

from aiops_lab.aws.compute_optimizer import ComputeOptimizer
from aiops_lab.aws.cost_optimization_hub import CostOptimizationHub
from aiops_lab.aws.vpc import Instance, Vpc
from aiops_lab.billing.price_table import PriceTable
from tests.lab.aws.conftest import RunningAws

BUSY = {"c5.4xlarge": (0.30, 0.90)}


def an_instance(aws: RunningAws) -> Instance:
    made = Instance("i-0a", "c5.4xlarge", "us-east-1a", "subnet-0aaa", "10.0.0.9", "node-a")
    aws.account.area(Vpc).instances[made.instance_id] = made
    return made


def test_an_account_that_never_opted_in_is_told_so(aws: RunningAws) -> None:
    optimizer, hub = aws.client("compute-optimizer"), aws.client("cost-optimization-hub")
    assert optimizer.get_enrollment_status()["status"] == "Inactive"
    for ask in (optimizer.get_ec2_instance_recommendations, optimizer.get_auto_scaling_group_recommendations):
        with pytest.raises(ClientError, match="OptInRequiredException"):
            ask()
    assert hub.list_enrollment_statuses()["items"][0]["status"] == "Inactive"
    with pytest.raises(ClientError, match="AccessDeniedException"):
        hub.list_recommendations()


def test_an_instance_short_of_memory_is_told_a_cheaper_type_with_more(aws: RunningAws) -> None:
    an_instance(aws)
    area = aws.account.area(ComputeOptimizer)
    area.enrolled, area.use = True, BUSY
    client = aws.client("compute-optimizer")
    (found,) = client.get_ec2_instance_recommendations()["instanceRecommendations"]
    assert found["finding"] == "Overprovisioned"
    first = found["recommendationOptions"][0]
    table = aws.account.area(PriceTable)
    saved = (table.hour("c5.4xlarge") - table.hour(first["instanceType"])) * 730
    assert Decimal(str(first["savingsOpportunity"]["estimatedMonthlySavings"]["value"])) == saved
    assert client.get_auto_scaling_group_recommendations()["autoScalingGroupRecommendations"] == []


def test_the_hub_repeats_it_with_what_it_saves(aws: RunningAws) -> None:
    an_instance(aws)
    aws.account.area(ComputeOptimizer).use = BUSY
    aws.account.area(CostOptimizationHub).enrolled = True
    (found,) = aws.client("cost-optimization-hub").list_recommendations()["items"]
    assert (found["actionType"], found["resourceId"]) == ("Rightsize", "i-0a")
    assert found["estimatedMonthlySavings"] > 0


def test_a_plans_rate_is_below_the_price_on_demand(aws: RunningAws) -> None:
    rates = aws.client("savingsplans").describe_savings_plans_offering_rates(
        savingsPlanTypes=["Compute", "EC2Instance"],
        savingsPlanPaymentOptions=["No Upfront"],
        products=["EC2"],
        filters=[
            {"name": "region", "values": ["us-east-1"]},
            {"name": "instanceType", "values": ["r5.2xlarge"]},
        ],
    )["searchResults"]
    price = aws.account.area(PriceTable).hour("r5.2xlarge")
    assert len(rates) == 4
    assert all(0 < Decimal(one["rate"]) < price for one in rates)
    with pytest.raises(ClientError, match="ValidationException"):
        aws.client("savingsplans").describe_savings_plans_offering_rates(savingsPlanTypes=["None"])
