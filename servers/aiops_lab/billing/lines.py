"""One line of a bill: a kind of usage as functions of the day.

Names as Cost Explorer's dimensions show them. Read by the ledger, by Cost Explorer and by the cost and usage
files; made by the kit (`fleets.py`), the drawn bills and by scenarios.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import ROUND_HALF_EVEN, Decimal

from aiops_lab.places import ACCOUNT_ID, REGION

Quantity = Callable[[date], float]
Price = Decimal | Callable[[date], Decimal]
EC2 = "Amazon Elastic Compute Cloud - Compute"
EKS = "Amazon Elastic Container Service for Kubernetes"
EC2_OTHER = "EC2 - Other"
CLOUDWATCH = "AmazonCloudWatch"
STEP = Decimal("0.0000000001")  # Cost Explorer writes ten decimals: no day of a line is billed finer


def flat(amount: float) -> Quantity:
    """The same every day."""
    return lambda day: amount


def on(price: Price, day: date) -> Decimal:
    """A price of that day."""
    return price(day) if callable(price) else price


def rounded(amount: Decimal) -> Decimal:
    """Ten decimals, half to even."""
    return amount.quantize(STEP, ROUND_HALF_EVEN)


@dataclass(frozen=True, slots=True)
class Line:
    """One kind of usage. A day costs `price_usd(day) * quantity(day)`; a credit's price is negative.

    `service` is SERVICE, `record_type` RECORD_TYPE. `amortized_usd`: the price in AmortizedCost where it is
    another one (usage under a commitment, the commitment's own fee).
    """

    service: str
    usage_type: str
    price_usd: Price
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
    amortized_usd: Price | None = None
    currency: str = ""  # of this line, where it is not the ledger's

    def amount(self, day: date) -> Decimal:
        """What the day costs, unblended; ten decimals."""
        return rounded(on(self.price_usd, day) * Decimal(repr(float(self.quantity(day)))))

    def amortized(self, day: date) -> Decimal:
        """What the day costs with commitments spread over it; ten decimals."""
        if self.amortized_usd is None:
            return self.amount(day)
        return rounded(on(self.amortized_usd, day) * Decimal(repr(float(self.quantity(day)))))
