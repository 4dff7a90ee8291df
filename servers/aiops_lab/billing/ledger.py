"""The account's bill and what is said about it: settled days, tags, budgets, anomalies, commitments.

Cost Explorer (`aws/cost_explorer*.py`), the cost and usage files and Budgets compute from here; a scenario
replaces whole values from the lab's loop, request threads only read.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from aiops_lab.billing.anomalies import Anomaly, Monitor, Subscription
from aiops_lab.billing.budgets import Budget
from aiops_lab.billing.everyday import everyday
from aiops_lab.billing.lines import (
    CLOUDWATCH,
    EC2,
    EC2_OTHER,
    EKS,
    Line,
    Price,
    Quantity,
    flat,
    on,
    rounded,
)

if TYPE_CHECKING:
    from aiops_lab.billing.sheet import Sheet

__all__ = [
    "CLOUDWATCH",
    "EC2",
    "EC2_OTHER",
    "EKS",
    "Ledger",
    "Line",
    "Price",
    "Quantity",
    "flat",
    "on",
    "rounded",
]
LAG_H = 6  # hours after which an hour's usage is on the bill


@dataclass(slots=True)
class Ledger:
    """The account's bill. `unsettled_days`: that many newest whole days may still change (`Estimated: true`).

    The day under way is billed up to `LAG_H` hours ago and is always estimated.
    """

    lines: tuple[Line, ...] = field(default_factory=everyday)
    since: date = date(2025, 6, 1)  # nothing was billed before
    unsettled_days: int = 1
    late_h: int = 0  # hours of the unsettled whole days that are not on the bill yet
    currency: str = "USD"
    enabled: bool = True  # Cost Explorer was opened once in this account
    ingesting: bool = False  # it was opened in the last 24 hours: no data yet
    resources_enabled: bool = True  # resource-level data at daily granularity was opted in
    tags_active: frozenset[str] = frozenset({"eks:cluster-name", "team"})  # activated as cost allocation tags
    account_names: Mapping[str, str] = field(default_factory=dict)  # linked account -> its name
    cost_categories: Mapping[str, Mapping[str, str]] = field(default_factory=dict)  # name -> account -> value
    anomalies: tuple[Anomaly, ...] = ()
    monitors: tuple[Monitor, ...] = (Monitor(),)
    subscriptions: tuple[Subscription, ...] = ()
    budgets: tuple[Budget, ...] = ()
    asked: list[str] = field(default_factory=list)  # billed requests, by operation
    _sheet: "Sheet | None" = field(default=None, repr=False, compare=False)

    def sheet(self) -> "Sheet":
        """The lines as columns of numbers; made once for the same `lines`."""
        from aiops_lab.billing.sheet import Sheet  # numpy: only worlds whose bill is asked for need it

        found = self._sheet
        if found is None or found.lines is not self.lines:
            found = self._sheet = Sheet(self.lines)
        return found

    def hours_billed(self, day: date, now: datetime) -> int:
        """Of 24: how much of a day is on the bill yet."""
        if day < self.since or day > now.date():
            return 0
        if day == now.date():
            return max(0, now.hour - LAG_H)
        return 24 - self.late_h if self.unsettled(day, now) else 24

    def billed(self, line: Line, day: date, now: datetime) -> Decimal:
        """What Cost Explorer says of one line's day: the whole day once it is over."""
        return rounded(line.amount(day) * self.hours_billed(day, now) / 24)

    def unsettled(self, day: date, now: datetime) -> bool:
        """Whether the day may still change."""
        return (now.date() - day).days <= self.unsettled_days
