"""Budgets of the account: limits that its bill is held against. `aws/budgets.py` computes what was spent."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any


@dataclass(frozen=True, slots=True)
class Budget:
    """A budget of costs. `expression` filters the bill as in Cost Explorer; none is the whole account.

    `months`: a limit planned month by month (first day -> amount) instead of the same for each.
    """

    name: str
    limit: str
    unit: str = "MONTHLY"  # MONTHLY, DAILY, QUARTERLY, ANNUALLY
    expression: Mapping[str, Any] = field(default_factory=dict)
    metric: str = "UnblendedCost"
    months: Mapping[date, str] = field(default_factory=dict)
    since: date = date(2025, 6, 1)
    corrections: bool = True  # credits and refunds count
