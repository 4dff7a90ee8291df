"""Savings Plans: what an hour of a type costs under one, as a share of the price table.

Shares are fixture data of the size that AWS's public rates have (one year, no upfront: Compute 28 % and EC2
Instance 38 % below on demand). Asked in us-east-1. API reference:
https://docs.aws.amazon.com/savingsplans/latest/APIReference/API_DescribeSavingsPlansOfferingRates.html.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from typing import Any

from aiops_lab.aws.account import Account
from aiops_lab.aws.errors import AwsError
from aiops_lab.aws.overlay import Call, Operations
from aiops_lab.billing.price_table import PriceTable

YEAR_S = 31_536_000
MOST = 1000
_SHARES = {"Compute": "0.72", "EC2Instance": "0.62"}


@dataclass(slots=True)
class SavingsPlans:
    """What is left of the on-demand price, by plan type; three years take a further quarter off."""

    shares: Mapping[str, str] = field(default_factory=lambda: dict(_SHARES))


def savings_plans_operations(account: Account) -> Operations:
    """The operations of service `savingsplans`, bound to one account."""
    name = "DescribeSavingsPlansOfferingRates"
    return {("savingsplans", name): partial(describe_offering_rates, account)}


def describe_offering_rates(account: Account, call: Call) -> Mapping[str, Any]:
    """Rates that fit every filter, paged. Raises AwsError ValidationException."""
    asked = call.params
    wanted = {one["name"]: set(one["values"]) for one in asked.get("filters") or []}
    for kind in asked.get("savingsPlanTypes") or []:
        if kind not in {"Compute", "EC2Instance", "SageMaker", "Database"}:
            raise AwsError("ValidationException", f"Invalid savings plan type {kind}", 400)
    rows = [row for row in _rates(account) if _fits(row, asked, wanted)]
    start, most = int(asked.get("nextToken") or 0), int(asked.get("maxResults") or MOST)
    page = {"searchResults": rows[start : start + most]}
    return page | ({"nextToken": str(start + most)} if start + most < len(rows) else {})


def _fits(row: Mapping[str, Any], asked: Mapping[str, Any], wanted: Mapping[str, set[str]]) -> bool:
    offering = row["savingsPlanOffering"]
    held = {one["name"]: one["value"] for one in row["properties"]}
    return (
        offering["planType"] in (asked.get("savingsPlanTypes") or [offering["planType"]])
        and offering["paymentOption"] in (asked.get("savingsPlanPaymentOptions") or ["No Upfront"])
        and row["productType"] in (asked.get("products") or ["EC2"])
        and row["serviceCode"] in (asked.get("serviceCodes") or ["AmazonEC2"])
        and all(held.get(name) in values for name, values in wanted.items())
    )


def _rates(account: Account) -> Iterator[dict[str, Any]]:
    shares = account.area(SavingsPlans).shares
    for region, hours in sorted(account.area(PriceTable).hours.items()):
        for name, price in sorted(hours.items()):
            for plan, share in sorted(shares.items()):
                for years, factor in ((1, Decimal(1)), (3, Decimal("0.75"))):
                    yield {
                        "savingsPlanOffering": {
                            "offeringId": f"{plan}-{years}-{region}".lower(),
                            "paymentOption": "No Upfront",
                            "planType": plan,
                            "durationSeconds": years * YEAR_S,
                            "currency": "USD",
                        },
                        "rate": f"{price * Decimal(share) * factor:.6f}",
                        "unit": "Hrs",
                        "productType": "EC2",
                        "serviceCode": "AmazonEC2",
                        "usageType": f"BoxUsage:{name}",
                        "operation": "RunInstances",
                        "properties": [
                            {"name": "region", "value": region},
                            {"name": "instanceType", "value": name},
                            {"name": "instanceFamily", "value": name.partition(".")[0]},
                            {"name": "productDescription", "value": "Linux/UNIX"},
                            {"name": "tenancy", "value": "shared"},
                        ],
                    }
