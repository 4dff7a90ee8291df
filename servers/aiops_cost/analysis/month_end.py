"""How the month under way will end, and when a budget will be full.

Only settled days are extrapolated: the newest days are still too low. Called by `clients/cost_reading.py`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

import numpy as np

from aiops_cost.analysis.bill import Bill
from aiops_cost.analysis.settling import next_month

WEEK: Final = 7
LOOK_BACK: Final = 28  # four of each weekday
Z80: Final = 1.2815515655446004  # 80 % of a normal distribution lies within


@dataclass(frozen=True, slots=True)
class Ahead:
    """What the days to come cost, billionths; `low` and `high` bound 80 %."""

    amount: int
    low: int | None
    high: int | None
    days: int
    how: str


@dataclass(frozen=True, slots=True)
class Under:
    """The month under way: what its settled days cost and which days are not known yet."""

    settled: int
    settled_days: int
    open_days: tuple[date, ...]  # unsettled ones and those to come


def under_way(bill: Bill, today: date) -> Under:
    """The month of `today` in a bill that holds its days so far."""
    first, end = today.replace(day=1), next_month(today)
    month = bill.between(first, end)
    settled = ~month.unsettled
    known = {day for day, sure in zip(month.days, settled, strict=True) if sure}
    days = [first + timedelta(days=at) for at in range((end - first).days)]
    return Under(
        int(month.amounts[settled].sum()), len(known), tuple(day for day in days if day not in known)
    )


def expected(bill: Bill, days: Sequence[date]) -> Ahead | None:
    """Our own forecast of some days: the mean settled day of the same weekday, of the last four weeks.

    With less than two whole weeks, or a single weekday missing, the plain mean. None without settled days.
    """
    settled = np.flatnonzero(~bill.unsettled)[-LOOK_BACK:]
    if not len(settled):
        return None
    amounts = bill.amounts[settled].sum(axis=1).astype(np.float64)
    weekdays = np.array([bill.days[at].weekday() for at in settled])
    weekly = len(settled) >= 2 * WEEK and len(set(weekdays.tolist())) == WEEK
    usual = {
        day: float(amounts[weekdays == day].mean()) if weekly else float(amounts.mean())
        for day in range(WEEK)
    }
    made = sum(usual[day.weekday()] for day in days)
    errors = amounts - np.array([usual[int(day)] for day in weekdays])
    spread = None
    if len(settled) > 1:
        spread = Z80 * float(np.sqrt((errors**2).sum() / (len(settled) - 1))) * len(days) ** 0.5
    how = f"{len(days)} days as the {'same weekdays' if weekly else 'mean'} of {len(settled)} settled days"
    if spread is None:
        return Ahead(round(made), None, None, len(days), how)
    return Ahead(round(made), round(made - spread), round(made + spread), len(days), how)


def full_on(
    limit: int, actual: int, forecast: int | None, span: tuple[date, date], today: date
) -> date | None:
    """The day on which a budget is used up, its forecast spread evenly over the days that are left.

    `span`: the budget's period, its end excluded. None: not within it. Without a forecast the pace so far
    goes on.
    """
    first, end = span
    if actual >= limit:
        return today
    left = (end - today).days
    if forecast is None:
        gone = (today - first).days
        rate = actual / gone if gone > 0 else 0.0
    else:
        rate = (forecast - actual) / left if left > 0 else 0.0
    if rate <= 0:
        return None
    day = today + timedelta(days=int((limit - actual) / rate))
    return day if day < end else None
