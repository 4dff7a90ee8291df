"""The kit for bills: machines, control planes, disks and traffic as lines with Cost Explorer's own names.

    kit = Kit("my-cluster")
    ledger.lines = (
        kit.nodes("c5.4xlarge", "0.68", hours(8)),
        kit.control_plane(),
        kit.disks(800),
        *kit.nat(gb=flat(120)),
        *kit.cross_zone(flat(150)),
        kit.credit(EC2, "-50.00", date(2026, 11, 1)),
    )

Every price is a parameter with us-east-1's list price as default. Spellings of usage types and operations as
in the price list (`aws pricing get-products`): EC2's are bare in us-east-1 and prefixed elsewhere, those of
EKS, CloudWatch logs and Prometheus carry `USE1-` there too.
"""

from calendar import monthrange
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from typing import TypedDict, Unpack

from aiops_lab.billing.lines import CLOUDWATCH, EC2, EC2_OTHER, EKS, Line, Quantity, flat, rounded
from aiops_lab.billing.quantities import at, hours, monthly
from aiops_lab.places import ACCOUNT_ID, CLUSTER, REGION

TAG = "eks:cluster-name"
ELB = "Amazon Elastic Load Balancing"
PROMETHEUS = "Amazon Managed Service for Prometheus"
ECR = "Amazon EC2 Container Registry (ECR)"
S3 = "Amazon Simple Storage Service"
SAVINGS_PLANS = "Savings Plans for AWS Compute usage"
# The guide "AWS usage type region codes": Ireland is an exception.
PREFIXES = {
    "us-east-1": "USE1",
    "us-east-2": "USE2",
    "us-west-1": "USW1",
    "us-west-2": "USW2",
    "eu-west-1": "EU",
    "eu-west-2": "EUW2",
    "eu-central-1": "EUC1",
    "ap-northeast-1": "APN1",
    "ap-southeast-1": "APS1",
    "ap-southeast-2": "APS2",
}


class _More(TypedDict, total=False):
    """What else a line says of itself."""

    unit: str
    operation: str
    zone: str
    instance_type: str
    purchase_type: str
    resource_id: str


@dataclass(frozen=True, slots=True)
class Kit:
    """Writes the lines of one cluster in one account. An empty `cluster`: usage without the cluster's tag."""

    cluster: str = CLUSTER
    account: str = ACCOUNT_ID
    region: str = REGION
    tags: Mapping[str, str] = field(default_factory=dict)

    def nodes(
        self,
        instance_type: str,
        price: str,
        instance_hours: Quantity,
        *,
        zone: str = "a",
        spot: bool = False,
        resource_id: str = "",
    ) -> Line:
        """Machines: `hours(8)` are eight of them all day. Spot: `price` is the day's Spot price."""
        usage = "SpotUsage" if spot else "BoxUsage"
        return self._line(
            EC2,
            f"{self._bare}{usage}:{instance_type}",
            price,
            instance_hours,
            operation="RunInstances:SV001" if spot else "RunInstances",
            zone=f"{self.region}{zone}",
            instance_type=instance_type,
            purchase_type="Spot Instances" if spot else "On Demand Instances",
            resource_id=resource_id,
        )

    def control_plane(self, price: str = "0.10", *, extended: bool = False) -> Line:
        """The cluster itself: 16.80 a week. `extended`: what a version in extended support costs on top."""
        usage = f"{self._always}AmazonEKS-Hours:{'extendedSupport' if extended else 'perCluster'}"
        operation = "ExtendedSupport" if extended else "CreateOperation"
        found = "0.50" if extended and price == "0.10" else price
        return self._line(EKS, usage, found, hours(1), unit="Hours", operation=operation)

    def disks(
        self, gb: float | Quantity, kind: str = "gp3", price: str = "0.08", *, volume: str = ""
    ) -> Line:
        """EBS volumes; a number is their size in GB, a function the GB-months of a day."""
        amount = gb if callable(gb) else monthly(gb)
        operation = "CreateVolume" if kind == "standard" else f"CreateVolume-{kind.capitalize()}"
        return self._line(
            EC2_OTHER,
            f"{self._bare}EBS:VolumeUsage.{kind}",
            price,
            amount,
            unit="GB-Mo",
            operation=operation,
            resource_id=volume,
        )

    def nat(self, gb: Quantity, gateways: float = 1, price: str = "0.045") -> tuple[Line, Line]:
        """NAT gateways and the GB that they process; nobody tags them."""
        return (
            self._untagged(
                EC2_OTHER, f"{self._bare}NatGateway-Hours", price, hours(gateways), operation="NatGateway"
            ),
            self._untagged(
                EC2_OTHER, f"{self._bare}NatGateway-Bytes", price, gb, unit="GB", operation="NatGateway"
            ),
        )

    def cross_zone(self, gb: Quantity, price: str = "0.01") -> tuple[Line, Line]:
        """Traffic between zones: each GB is billed where it leaves and where it comes in."""
        usage = f"{self._bare}DataTransfer-Regional-Bytes"
        return (
            self._line(EC2_OTHER, usage, price, gb, unit="GB", operation="InterZone-Out"),
            self._line(EC2_OTHER, usage, price, gb, unit="GB", operation="InterZone-In"),
        )

    def internet(self, gb: Quantity, price: str = "0.09") -> Line:
        """Traffic out to the internet."""
        usage = f"{self._bare}DataTransfer-Out-Bytes"
        return self._line(EC2_OTHER, usage, price, gb, unit="GB", operation="RunInstances")

    def load_balancer(self, count: float = 1, price: str = "0.0225") -> Line:
        """Application load balancers."""
        usage = f"{self._bare}LoadBalancerUsage"
        return self._line(ELB, usage, price, hours(count), operation="LoadBalancing:Application")

    def logs(self, gb: Quantity, price: str = "0.50", *, log_group: str = "") -> Line:
        """Log lines taken in by CloudWatch."""
        return self._untagged(
            CLOUDWATCH,
            f"{self._always}DataProcessing-Bytes",
            price,
            gb,
            unit="GB",
            operation="PutLogEvents",
            resource_id=log_group,
        )

    def log_storage(self, gb: float | Quantity, price: str = "0.03", *, log_group: str = "") -> Line:
        """Log lines kept by CloudWatch."""
        return self._untagged(
            CLOUDWATCH,
            f"{self._always}TimedStorage-ByteHrs",
            price,
            gb if callable(gb) else monthly(gb),
            unit="GB-Mo",
            operation="HourlyStorageMetering",
            resource_id=log_group,
        )

    def metrics(self, count: float | Quantity, price: str = "0.30") -> Line:
        """Custom metrics in CloudWatch; a number is how many are kept all month."""
        amount = count if callable(count) else monthly(count)
        usage = f"{self._bare}CW:MetricMonitorUsage"
        return self._untagged(CLOUDWATCH, usage, price, amount, unit="Metrics", operation="MetricStorage")

    def samples(self, millions: Quantity, price: str = "0.90") -> Line:
        """Samples taken in by Amazon Managed Service for Prometheus; `price` is for ten millions."""
        each = Decimal(price) / 10
        usage = f"{self._always}AMP:MetricSampleCount"
        made = self._untagged(PROMETHEUS, usage, "0", millions, unit="Samples", operation="RemoteWrite")
        return replace(made, price_usd=each)

    def fargate(self, cpu_hours: Quantity, gb_hours: Quantity) -> tuple[Line, Line]:
        """Pods on Fargate."""
        return (
            self._line(
                EKS, f"{self._always}Fargate-vCPU-Hours:perCPU", "0.04048", cpu_hours, unit="vCPU-Hours"
            ),
            self._line(EKS, f"{self._always}Fargate-GB-Hours", "0.004445", gb_hours, unit="GB-Hours"),
        )

    def other(self, service: str, usage_type: str, price: str, quantity: Quantity, unit: str = "GB") -> Line:
        """Anything else in the account, without the cluster's tag."""
        return self._untagged(service, f"{self._bare}{usage_type}", price, quantity, unit=unit)

    def credit(self, service: str, amount: str, day: date, *, usage_type: str = "") -> Line:
        """A credit on one day; `amount` is negative."""
        return self._once(service, usage_type, amount, day, "Credit")

    def refund(self, service: str, amount: str, day: date, *, usage_type: str = "") -> Line:
        """A refund on one day; `amount` is negative."""
        return self._once(service, usage_type, amount, day, "Refund")

    def tax(self, amount: str, *, first: date | None = None) -> Line:
        """Tax: on the first day of each month, or only of the month of `first`."""
        wanted = first.replace(day=1) if first else None
        found = flat(1) if wanted is None else at({wanted: 1})
        return replace(
            self._untagged("Tax", "", amount, lambda day: found(day) if day.day == 1 else 0.0, unit=""),
            record_type="Tax",
            region="NoRegion",
            purchase_type="NoPurchaseType",
        )

    def savings_plan(
        self, commitment: str, nodes: Line, plan_price: str, *, kind: str = "ComputeSP:1yrNoUpfront"
    ) -> tuple[Line, Line, Line]:
        """A plan of `commitment` an hour that covers the hours of `nodes` at `plan_price` an hour.

        As AWS writes it: usage at the on-demand price, its negation, and the plan's fee. Amortized: the
        plan's price for the usage, and the unused part of the commitment on the fee.
        """
        covered = replace(
            nodes,
            record_type="SavingsPlanCoveredUsage",
            purchase_type="Savings Plans",
            amortized_usd=Decimal(plan_price),
        )
        price = nodes.price_usd
        negative = (lambda day: -price(day)) if callable(price) else -price
        negation = replace(
            covered, record_type="SavingsPlanNegation", price_usd=negative, amortized_usd=Decimal()
        )

        def unused(day: date) -> Decimal:
            used = Decimal(plan_price) * Decimal(repr(float(nodes.quantity(day))))
            return max(Decimal(), Decimal(commitment) - used / 24)

        fee = replace(
            self._untagged(SAVINGS_PLANS, kind, commitment, hours(1)),
            record_type="SavingsPlanRecurringFee",
            purchase_type="Savings Plans",
            region="NoRegion",
            amortized_usd=unused,
        )
        return covered, negation, fee

    def reserved(self, nodes: Line, hourly: str, count: int) -> tuple[Line, Line]:
        """`count` reserved instances at `hourly` that cover the hours of `nodes`: at most `24 * count` a day.

        Usage for nothing, and a fee for the whole month on its first day. Amortized: the hourly price for
        the usage, what was not used on the fee.
        """
        price = Decimal(hourly)

        def bought(day: date) -> float:
            return 24.0 * count * monthrange(day.year, day.month)[1]

        def unused(day: date) -> Decimal:
            days = [day.replace(day=one + 1) for one in range(monthrange(day.year, day.month)[1])]
            used = sum(Decimal(repr(float(nodes.quantity(one)))) for one in days)
            return price * (1 - used / Decimal(bought(day)))

        used = replace(
            nodes,
            price_usd=Decimal(),
            amortized_usd=price,
            record_type="DiscountedUsage",
            purchase_type="Standard Reserved Instances",
        )
        fee = replace(
            nodes,
            usage_type=nodes.usage_type.replace("BoxUsage", "HeavyUsage"),
            price_usd=price,
            amortized_usd=lambda day: rounded(unused(day)) if day.day == 1 else Decimal(),
            quantity=lambda day: bought(day) if day.day == 1 else 0.0,
            record_type="RIFee",
            purchase_type="Standard Reserved Instances",
            tags={},
            resource_id="",
        )
        return used, fee

    @property
    def _bare(self) -> str:
        """EC2's prefix: none in us-east-1."""
        return "" if self.region == REGION else f"{self._code}-"

    @property
    def _always(self) -> str:
        return f"{self._code}-"

    @property
    def _code(self) -> str:
        return PREFIXES.get(self.region, self.region.upper().replace("-", ""))

    def _line(
        self, service: str, usage_type: str, price: str, quantity: Quantity, **more: Unpack[_More]
    ) -> Line:
        tags = ({TAG: self.cluster} if self.cluster else {}) | dict(self.tags)
        return replace(self._untagged(service, usage_type, price, quantity, **more), tags=tags)

    def _untagged(
        self, service: str, usage_type: str, price: str, quantity: Quantity, **more: Unpack[_More]
    ) -> Line:
        made = Line(service, usage_type, Decimal(price), quantity, account=self.account, region=self.region)
        return replace(made, **more)

    def _once(self, service: str, usage_type: str, amount: str, day: date, record_type: str) -> Line:
        made = self._untagged(service, usage_type, amount, at({day: 1}), unit="")
        return replace(made, record_type=record_type)
