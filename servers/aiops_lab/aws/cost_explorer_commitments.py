"""How well Savings Plans and reservations are used and what they cover, from the lines that they wrote.

Record types as in the cost and usage report: a plan's fee is `SavingsPlanRecurringFee` (its amortized amount
is what went unused), what it covers `SavingsPlanCoveredUsage`; a reservation's fee is `RIFee`, its usage
`DiscountedUsage`. An account without any is refused for utilization, as AWS does. What a reservation's hours
would have cost on demand is on no line: the savings of reservations are left out.
"""

from calendar import monthrange
from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aiops_lab.aws.account import Account
from aiops_lab.aws.cost_explorer import NO_DATA, Act, asking, billed, decimal, number
from aiops_lab.aws.cost_explorer_asking import Asker, Period, invalid
from aiops_lab.aws.cost_explorer_paging import page
from aiops_lab.aws.errors import AwsError
from aiops_lab.aws.overlay import Operations
from aiops_lab.billing.lines import EC2, EKS, Line
from aiops_lab.billing.sheet import Mask

MOST = 100
EITHER = "Granularity is not supported when specifying groupBy"
_PLANNED = frozenset({EC2, EKS, "AWS Lambda", "Amazon Elastic Container Service"})  # what a plan may cover
_GROUPS: Mapping[str, tuple[str, Callable[[Line], str]]] = {
    "SERVICE": ("SERVICE", lambda line: line.service),
    "REGION": ("REGION", lambda line: line.region),
    "INSTANCE_FAMILY": ("INSTANCE_FAMILY", lambda line: line.instance_type.partition(".")[0]),
    "INSTANCE_TYPE": ("instanceType", lambda line: line.instance_type),
    "LINKED_ACCOUNT": ("linkedAccount", lambda line: line.account),
}
Answer = Mapping[str, Any]


def commitment_operations(account: Account) -> Operations:
    """The operations of service `ce` about commitments, bound to one account."""
    served: dict[str, Act] = {
        "GetSavingsPlansUtilization": get_savings_plans_utilization,
        "GetSavingsPlansCoverage": get_savings_plans_coverage,
        "GetReservationUtilization": get_reservation_utilization,
        "GetReservationCoverage": get_reservation_coverage,
    }
    return {("ce", name): partial(asking, account, name, act) for name, act in served.items()}


def where(lines: Sequence[Line], fits: Callable[[Line], bool]) -> Mask:
    """The lines that fit."""
    return np.array([fits(line) for line in lines], dtype=np.bool_)


class Books:
    """The asked days of all lines, and sums of some of them."""

    def __init__(self, asker: Asker, params: Mapping[str, Any]) -> None:
        self.lines = asker.ledger.lines
        self.period = _period(asker, params)
        self.quantities, self.amounts = billed(asker, self.period)
        self.asked = asker.mask(params.get("Filter"))

    def kept(self, *record_types: str) -> Mask:
        """Lines of these record types that the filter keeps."""
        return self.asked & np.array(
            [line.record_type in record_types for line in self.lines], dtype=np.bool_
        )

    def money(self, mask: Mask, first: date, end: date, *, amortized: bool = False) -> int:
        """What the lines cost in these days, ten-billionths."""
        columns = self.amounts["amortized" if amortized else "unblended"]
        return int(columns[mask][:, self._days(first, end)].sum())

    def used(self, mask: Mask, first: date, end: date) -> float:
        """How much was used in these days."""
        return float(self.quantities[mask][:, self._days(first, end)].sum())

    def _days(self, first: date, end: date) -> slice:
        return slice((first - self.period.first).days, (end - self.period.first).days)


def get_savings_plans_utilization(asker: Asker, params: Mapping[str, Any]) -> Answer:
    """How much of the plans' commitment was used. Raises AwsError DataUnavailableException without a plan."""
    books = Books(asker, params)
    if not books.kept("SavingsPlanRecurringFee").any():
        raise AwsError("DataUnavailableException", NO_DATA, 400)
    pieces = [
        {"TimePeriod": _interval(first, end)} | _plans(books, first, end)
        for first, end in books.period.pieces()
    ]
    whole = _plans(books, books.period.first, books.period.end)
    return {"SavingsPlansUtilizationsByTime": pieces, "Total": whole}


def get_savings_plans_coverage(asker: Asker, params: Mapping[str, Any]) -> Answer:
    """How much of what a plan could cover is covered, by period or by group."""
    books, groups = Books(asker, params), _groups(params)
    covered = books.kept("SavingsPlanCoveredUsage")
    open_ = books.kept("Usage") & where(books.lines, _plannable)
    pieces = [(books.period.first, books.period.end)] if groups else books.period.pieces()
    rows = []
    for first, end in pieces:
        for attributes, mask in _parts(books, covered | open_, groups):
            spent = books.money(covered & mask, first, end)
            left = books.money(open_ & mask, first, end)
            rows.append(
                {
                    "Attributes": attributes,
                    "TimePeriod": _interval(first, end),
                    "Coverage": {
                        "SpendCoveredBySavingsPlans": decimal(spent),
                        "OnDemandCost": decimal(left),
                        "TotalCost": decimal(spent + left),
                        "CoveragePercentage": _percent(spent, spent + left),
                    },
                }
            )
    found, more = page(rows, params, MOST, "NextToken")
    return {"SavingsPlansCoverages": found} | more


def get_reservation_utilization(asker: Asker, params: Mapping[str, Any]) -> Answer:
    """How many of the reserved hours were used. Raises AwsError DataUnavailableException without any."""
    books = Books(asker, params)
    if not books.kept("RIFee").any():
        raise AwsError("DataUnavailableException", NO_DATA, 400)
    pieces = [
        {"TimePeriod": _interval(first, end), "Groups": [], "Total": _reserved(books, first, end)}
        for first, end in books.period.pieces()
    ]
    return {"UtilizationsByTime": pieces, "Total": _reserved(books, books.period.first, books.period.end)}


def get_reservation_coverage(asker: Asker, params: Mapping[str, Any]) -> Answer:
    """How many of the machines' hours were reserved, by period or by group."""
    books, groups = Books(asker, params), _groups(params)
    pieces = [(books.period.first, books.period.end)] if groups else books.period.pieces()
    machines = books.kept("Usage", "DiscountedUsage") & where(
        books.lines, lambda line: line.service == EC2 and line.purchase_type != "Spot Instances"
    )
    rows = []
    for first, end in pieces:
        made = [
            {"Attributes": attributes, "Coverage": _hours(books, machines & mask, first, end)}
            for attributes, mask in _parts(books, machines, groups)
            if groups
        ]
        total = _hours(books, machines, first, end)
        rows.append({"TimePeriod": _interval(first, end), "Groups": made, "Total": total})
    return {"CoveragesByTime": rows, "Total": _hours(books, machines, books.period.first, books.period.end)}


def _period(asker: Asker, params: Mapping[str, Any]) -> Period:
    if params.get("Granularity") == "HOURLY":
        raise invalid("Granularity should be either 'MONTHLY' or 'DAILY'")
    return asker.period(params)


def _groups(params: Mapping[str, Any]) -> list[str]:
    keys = [str(one.get("Key")) for one in params.get("GroupBy") or ()]
    if keys and params.get("Granularity"):
        raise invalid(EITHER)
    if unknown := [one for one in keys if one not in _GROUPS]:
        raise invalid(f"Dimension {unknown[0]} is not allowed.")
    return keys


def _parts(books: Books, mask: Mask, keys: list[str]) -> list[tuple[dict[str, str], Mask]]:
    """The lines of each group with its attributes; one part without groups."""
    by: dict[tuple[tuple[str, str], ...], list[int]] = {(): []} if not keys else {}
    for place in np.flatnonzero(mask).tolist():
        line = books.lines[place]
        named = tuple((_GROUPS[key][0], _GROUPS[key][1](line)) for key in keys)
        by.setdefault(named, []).append(place)
    made = []
    for named, places in sorted(by.items()):
        part: NDArray[np.bool_] = np.zeros(len(books.lines), dtype=np.bool_)
        part[places] = True
        made.append((dict(named), part))
    return made


def _plannable(line: Line) -> bool:
    """Whether a compute plan could cover it: machines on demand, Fargate, Lambda."""
    hours = "BoxUsage" in line.usage_type or "Fargate" in line.usage_type or "Lambda" in line.usage_type
    return line.service in _PLANNED and hours


def _plans(books: Books, first: date, end: date) -> dict[str, Any]:
    fees = books.kept("SavingsPlanRecurringFee")
    total = books.money(fees, first, end)
    unused = books.money(fees, first, end, amortized=True)
    instead = books.money(books.kept("SavingsPlanCoveredUsage"), first, end)
    return {
        "Utilization": {
            "TotalCommitment": decimal(total),
            "UsedCommitment": decimal(total - unused),
            "UnusedCommitment": decimal(unused),
            "UtilizationPercentage": _percent(total - unused, total),
        },
        "Savings": {"NetSavings": decimal(instead - total), "OnDemandCostEquivalent": decimal(instead)},
        "AmortizedCommitment": {
            "AmortizedRecurringCommitment": decimal(total),
            "AmortizedUpfrontCommitment": "0",
            "TotalAmortizedCommitment": decimal(total),
        },
    }


def _reserved(books: Books, first: date, end: date) -> dict[str, str]:
    """Hours bought and used in these days; the fee stands on each month's first day."""
    fees = [books.lines[place] for place in np.flatnonzero(books.kept("RIFee"))]
    bought = fee = 0.0
    for away in range((end - first).days):
        day = first + timedelta(days=away)
        month, length = day.replace(day=1), monthrange(day.year, day.month)[1]
        bought += sum(line.quantity(month) for line in fees) / length
        fee += sum(float(line.amount(month)) for line in fees) / length
    used = books.used(books.kept("DiscountedUsage"), first, end)
    return {
        "UtilizationPercentage": _percent(used, bought),
        "PurchasedHours": number(bought),
        "TotalActualHours": number(used),
        "UnusedHours": number(bought - used),
        "AmortizedRecurringFee": number(fee),
        "AmortizedUpfrontFee": "0",
        "TotalAmortizedFee": number(fee),
    }


def _hours(books: Books, mask: Mask, first: date, end: date) -> dict[str, Any]:
    reserved = books.used(mask & books.kept("DiscountedUsage"), first, end)
    demanded = mask & books.kept("Usage")
    running = books.used(demanded, first, end)
    return {
        "CoverageHours": {
            "OnDemandHours": number(running),
            "ReservedHours": number(reserved),
            "TotalRunningHours": number(running + reserved),
            "CoverageHoursPercentage": _percent(reserved, running + reserved),
        },
        "CoverageCost": {"OnDemandCost": decimal(books.money(demanded, first, end))},
    }


def _interval(first: date, end: date) -> dict[str, str]:
    return {"Start": first.isoformat(), "End": end.isoformat()}


def _percent(part: float, whole: float) -> str:
    return number(part / whole * 100) if whole else "0"
