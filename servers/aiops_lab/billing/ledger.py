"""The lines of the bill and what is said about them: settled days, tags, budgets.

Cost Explorer (`aws/cost_explorer*.py`), the cost and usage files and Budgets compute from here; a scenario
replaces whole values from the lab's loop, request threads only read.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from aiops_lab.aws.account import ACCOUNT_ID, REGION

Quantity = Callable[[date], float]
EC2 = "Amazon Elastic Compute Cloud - Compute"
EKS = "Amazon Elastic Container Service for Kubernetes"
EC2_OTHER = "EC2 - Other"
CLOUDWATCH = "AmazonCloudWatch"


def flat(amount: float) -> Quantity:
    """The same every day."""
    return lambda day: amount


@dataclass(frozen=True, slots=True)
class Line:
    """One kind of usage. A day costs `price_usd(day) * quantity(day)`; a credit's price is negative.

    Names as Cost Explorer's dimensions show them: `service` is SERVICE, `record_type` RECORD_TYPE.
    """

    service: str
    usage_type: str
    price_usd: Decimal | Callable[[date], Decimal]
    quantity: Quantity
    unit: str = "Hrs"
    operation: str = ""
    account: str = ACCOUNT_ID
    region: str = REGION
    zone: str = "NoAZ"
    instance_type: str = "NoInstanceType"
    purchase_type: str = "On Demand Instances"
    record_type: str = "Usage"
    tags: Mapping[str, str] = field(default_factory=dict)
    resource_id: str = ""

    def amount(self, day: date) -> Decimal:
        """What the day costs, exactly."""
        price = self.price_usd(day) if callable(self.price_usd) else self.price_usd
        return price * Decimal(repr(self.quantity(day)))


@dataclass(slots=True)
class Ledger:
    """The account's bill. `unsettled_days`: that many newest days may still change (`Estimated: true`)."""

    lines: tuple[Line, ...] = ()
    since: date = date(2025, 6, 1)  # nothing was billed before
    unsettled_days: int = 1
    currency: str = "USD"
    enabled: bool = True  # Cost Explorer was opened once in this account
    tags_active: frozenset[str] = frozenset({"eks:cluster-name", "team"})  # activated as cost allocation tags
    asked: list[str] = field(default_factory=list)  # billed requests, by operation
