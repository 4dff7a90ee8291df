"""What a Cost Explorer request asks: its days, which lines its filter keeps, what it groups by.

Shared by the operations of `cost_explorer*.py`. Limits as in the API reference (GetCostAndUsage, Expression,
GroupDefinition); wordings as users report them in the issues of boto3, aws-sdk and aws-cost-explorer-report.
The words for a third group, an unknown metric and HOURLY without opt-in are the lab's own.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np

from aiops_lab.aws.errors import AwsError
from aiops_lab.billing.ledger import Ledger
from aiops_lab.billing.lines import EC2, Line
from aiops_lab.billing.sheet import Codes, Mask, Sheet

MONTHS_BACK = 13  # and the month under way: "historical data up to 14 months"
RESOURCE_DAYS = 14
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_ROOTS = ("Or", "And", "Not", "Dimensions", "Tags", "CostCategories")
_ALLOWED = frozenset({"EQUALS", "CASE_SENSITIVE"})
_ALLOWED_KEYED = _ALLOWED | {"ABSENT"}
_MANY_ROOTS = (
    "Expression has zero or more than one roots. Only one root operator is allowed for each expression: "
    '"and", "or", "not", "tag" or "dimensionValue"'
)


def invalid(message: str) -> AwsError:
    """`ValidationException`."""
    return AwsError("ValidationException", message, 400)


def _platform(line: Line) -> str:
    return "Linux/UNIX" if line.usage_type.rpartition(":")[0].endswith("BoxUsage") else "NoOperatingSystem"


def _usage_type_group(line: Line) -> str:
    found = next((name for mark, name in _GROUPS if mark in line.usage_type), "")
    return found or "NoUsageTypeGroup"


_GROUPS = (
    ("BoxUsage", "EC2: Running Hours"),
    ("SpotUsage", "EC2: Running Hours"),
    ("NatGateway-Hours", "EC2: NAT Gateway - Running Hours"),
    ("NatGateway-Bytes", "EC2: NAT Gateway - Data Processed"),
    ("EBS:VolumeUsage.gp3", "EC2: EBS - SSD(gp3)"),
    ("EBS:VolumeUsage.gp2", "EC2: EBS - SSD(gp2)"),
    ("DataTransfer-Regional-Bytes", "EC2: Data Transfer - Inter AZ"),
    ("DataTransfer-Out-Bytes", "EC2: Data Transfer - Internet (Out)"),
)
# Dimension -> its value of a line. Values and the words for none as the console shows them.
DIMENSIONS: Mapping[str, Callable[[Line], str]] = {
    "AZ": lambda line: line.zone,
    "BILLING_ENTITY": lambda line: "AWS",
    "CACHE_ENGINE": lambda line: "NoCacheEngine",
    "DATABASE_ENGINE": lambda line: "NoDatabaseEngine",
    "DEPLOYMENT_OPTION": lambda line: "NoDeploymentOption",
    "INSTANCE_TYPE": lambda line: line.instance_type,
    "INSTANCE_TYPE_FAMILY": lambda line: line.instance_type.partition(".")[0],
    "INVOICING_ENTITY": lambda line: "Amazon Web Services, Inc.",
    "LEGAL_ENTITY_NAME": lambda line: "Amazon Web Services, Inc.",
    "LINKED_ACCOUNT": lambda line: line.account,
    "OPERATING_SYSTEM": _platform,
    "OPERATION": lambda line: line.operation or "NoOperation",
    "PLATFORM": _platform,
    "PURCHASE_TYPE": lambda line: line.purchase_type,
    "RECORD_TYPE": lambda line: line.record_type,
    "REGION": lambda line: line.region or "NoRegion",
    "SERVICE": lambda line: line.service,
    "TENANCY": lambda line: "Shared" if line.service == EC2 else "NoTenancy",
    "USAGE_TYPE": lambda line: line.usage_type or "NoUsageType",
    "USAGE_TYPE_GROUP": _usage_type_group,
}


@dataclass(frozen=True, slots=True)
class Period:
    """Days from `first` up to, not including, `end`, in pieces: each a day or a month, cut at the edges."""

    first: date
    end: date
    granularity: str

    def pieces(self) -> list[tuple[date, date]]:
        """The pieces' first days and ends."""
        starts = [self.first + timedelta(days=place) for place in range((self.end - self.first).days)]
        if self.granularity == "MONTHLY":
            starts = [day for day in starts if day == self.first or day.day == 1]
        return list(zip(starts, [*starts[1:], self.end], strict=True))


@dataclass(frozen=True, slots=True)
class Asker:
    """A ledger that is being asked at a moment; `resources`: RESOURCE_ID is a dimension too."""

    ledger: Ledger
    now: datetime
    resources: bool = False

    @property
    def sheet(self) -> Sheet:
        """The lines as columns."""
        return self.ledger.sheet()

    def period(self, params: Mapping[str, Any]) -> Period:
        """The asked days. Raises AwsError ValidationException as AWS does."""
        asked = params.get("TimePeriod") or {}
        first, end = day_of("Start", asked.get("Start")), day_of("End", asked.get("End"))
        granularity = str(params.get("Granularity") or "MONTHLY")
        if granularity == "HOURLY":
            raise invalid("Hourly granularity is not enabled for this account. Opt in in its settings.")
        if first >= end:
            raise invalid("Start date (and hour) should be before end date (and hour)")
        if first > self.now.date():
            raise invalid("Start date should be equal to or no later than the current date")
        if end > month_of(self.now.date(), 1):
            raise invalid("end date past the beginning of next month")
        self._not_too_old(first)
        return Period(first, end, granularity)

    def _not_too_old(self, first: date) -> None:
        if self.resources and first < self.now.date() - timedelta(days=RESOURCE_DAYS):
            raise invalid(
                "Start date is more than 14 days ago for hourly granularity. Please adjust start date as we "
                "support only 14 days of data at hourly granularity."
            )
        if first < month_of(self.now.date(), -MONTHS_BACK):
            raise invalid("You haven't enabled historical data beyond 14 months")

    def mask(self, expression: Mapping[str, Any] | None) -> Mask:
        """The lines that a filter keeps. Raises AwsError ValidationException."""
        if not expression:
            return np.ones(len(self.ledger.lines), dtype=np.bool_)
        roots = [name for name in _ROOTS if expression.get(name) is not None]
        if len(roots) != 1:
            raise invalid(_MANY_ROOTS)
        name, inner = roots[0], expression[roots[0]]
        if name == "Not":
            return ~self.mask(inner)
        if name in {"And", "Or"}:
            if len(inner) < 2:
                raise invalid(f"{name} expression must have at least 2 operands")
            masks = [self.mask(one) for one in inner]
            joined: Mask = (np.logical_and if name == "And" else np.logical_or).reduce(masks)
            return joined
        return self._leaf(name, inner)

    def _leaf(self, kind: str, inner: Mapping[str, Any]) -> Mask:
        key, values = str(inner.get("Key") or ""), [str(one) for one in inner.get("Values") or ()]
        options = set(inner.get("MatchOptions") or ())
        allowed = _ALLOWED if kind == "Dimensions" else _ALLOWED_KEYED
        if not options <= allowed:
            said = "CASE_SENSITIVE, EQUALS" + (", ABSENT" if kind != "Dimensions" else "")
            raise invalid(f"MatchOptions contain not allowed match option. Allowed MatchOptions:{said}")
        if "ABSENT" in options:
            values = [""]
        elif not values:
            raise invalid(f"{kind} {key} must have at least one value")
        codes = {"Dimensions": self.dimension, "Tags": self.tag, "CostCategories": self.category}[kind](key)
        wanted = [place for place, value in enumerate(codes.values) if value in set(values)]
        return np.isin(codes.of_lines, wanted)

    def dimension(self, key: str) -> Codes:
        """A dimension of all lines. Raises AwsError for one that is not allowed."""
        if key == "RESOURCE_ID" and self.resources:
            return self.sheet.codes("RESOURCE_ID", lambda line: line.resource_id or "NoResourceId")
        if key == "LINKED_ACCOUNT_NAME":
            names = dict(self.ledger.account_names)
            return self.sheet.codes(f"name {names}", lambda line: names.get(line.account, line.account))
        if key not in DIMENSIONS:
            raise invalid(f"Dimension {key} is not allowed.")
        return self.sheet.codes(key, DIMENSIONS[key])

    def tag(self, key: str) -> Codes:
        """A tag of all lines; one that is not activated for cost allocation is on no line."""
        if key not in self.ledger.tags_active:
            return self.sheet.codes("no tag", lambda line: "")
        return self.sheet.codes(f"tag {key}", lambda line: line.tags.get(key, ""))

    def category(self, key: str) -> Codes:
        """A cost category of all lines; its rules go by linked account."""
        rules = self.ledger.cost_categories.get(key, {})
        return self.sheet.codes(f"category {key} {rules}", lambda line: rules.get(line.account, ""))

    def group(self, definition: Mapping[str, Any]) -> tuple[str, Codes]:
        """What is put before each key, and the keys. Raises AwsError ValidationException."""
        kind, key = str(definition.get("Type") or ""), str(definition.get("Key") or "")
        if not kind or not key:
            raise invalid(
                "Group Definition is invalid. Both type an key need to be set to a non-empty value."
            )
        if kind == "DIMENSION":
            return "", self.dimension(key)
        if kind == "TAG":
            return f"{key}$", self.tag(key)
        if kind == "COST_CATEGORY":
            return f"{key}$", self.category(key)
        raise invalid("Group Definition type is invalid.")

    def grouped(self, definitions: Sequence[Mapping[str, Any]]) -> list[tuple[str, Codes]]:
        """All groups of a request: at most two."""
        if len(definitions) > 2:
            raise invalid("The number of group definitions is more than the allowed maximum of 2.")
        return [self.group(one) for one in definitions]


def day_of(name: str, value: Any) -> date:
    """A date as asked for. Raises AwsError ValidationException."""
    words = f"{name} time {value} is invalid. Valid format is: yyyy-MM-dd."
    if not _DAY.fullmatch(str(value)):
        raise invalid(words)
    try:
        return date.fromisoformat(str(value))
    except ValueError as error:
        raise invalid(words) from error


def month_of(day: date, away: int) -> date:
    """The first day of the month that many months away."""
    count = day.year * 12 + day.month - 1 + away
    return date(count // 12, count % 12 + 1, 1)
