"""AWS Budgets as readers ask it: a budget's actual spend is what the ledger bills, its forecast what comes.

Budgets themselves stand in `Ledger.budgets`; those that a caller creates through moto are not among them.
Shapes as in https://docs.aws.amazon.com/aws-cost-management/latest/APIReference/API_budgets_Budget.html.
Asking is free: nothing here is counted as a billed request.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Any

from aiops_lab.aws.account import Account
from aiops_lab.aws.cost_explorer import billed, decimal, ledger_of
from aiops_lab.aws.cost_explorer_asking import Asker, Period, month_of
from aiops_lab.aws.cost_explorer_forecasts import LEAST_DAYS, expected, history_days
from aiops_lab.aws.cost_explorer_paging import page
from aiops_lab.aws.errors import AwsError
from aiops_lab.aws.overlay import Call, Operations
from aiops_lab.billing.budgets import Budget
from aiops_lab.billing.sheet import Mask

MOST = 100
FOREVER = datetime(2087, 6, 15, tzinfo=UTC)  # what AWS gives a budget without an end
_MONTHS = {"MONTHLY": 1, "QUARTERLY": 3, "ANNUALLY": 12}
_NAMES = {"SERVICE": "Service", "LINKED_ACCOUNT": "LinkedAccount", "REGION": "Region", "AZ": "AZ"}
Answer = Mapping[str, Any]


def budget_operations(account: Account) -> Operations:
    """The operations of service `budgets`, bound to one account."""
    served: dict[str, Callable[[Asker, Mapping[str, Any]], Answer]] = {
        "DescribeBudgets": describe_budgets,
        "DescribeBudget": describe_budget,
        "DescribeBudgetPerformanceHistory": describe_budget_performance_history,
    }
    return {("budgets", name): partial(_asked, account, act) for name, act in served.items()}


def describe_budgets(asker: Asker, params: Mapping[str, Any]) -> Answer:
    """All budgets with what was spent."""
    rows, more = page(asker.ledger.budgets, params, MOST, "NextToken")
    shown = bool(params.get("ShowFilterExpression"))
    return {"Budgets": [_budget(asker, one, shown=shown) for one in rows]} | more


def describe_budget(asker: Asker, params: Mapping[str, Any]) -> Answer:
    """One budget. Raises AwsError NotFoundException."""
    found = _named(asker, params)
    return {"Budget": _budget(asker, found, shown=bool(params.get("ShowFilterExpression")))}


def describe_budget_performance_history(asker: Asker, params: Mapping[str, Any]) -> Answer:
    """Planned and actual amounts of past periods, oldest first. Raises AwsError NotFoundException."""
    budget = _named(asker, params)
    asked = params.get("TimePeriod") or {}
    first, last = _date(asked.get("Start")), _date(asked.get("End"))
    rows = [
        {
            "BudgetedAmount": _spend(asker, _limit(budget, start)),
            "ActualAmount": _spend(asker, _actual(asker, budget, start, end)),
            "TimePeriod": {"Start": _time(start), "End": _time(end)},
        }
        for start, end in _periods(asker, budget)
        if (first is None or start >= first) and (last is None or start <= last)
    ]
    found, more = page(rows, params, MOST, "NextToken")
    history = {
        "BudgetName": budget.name,
        "BudgetType": "COST",
        "TimeUnit": budget.unit,
        "BudgetedAndActualAmountsList": found,
    }
    return {"BudgetPerformanceHistory": history | _filters(budget)} | more


def _asked(account: Account, act: Callable[[Asker, Mapping[str, Any]], Answer], call: Call) -> Answer:
    if call.params["AccountId"] != call.caller.principal.account:
        words = f"Account {call.caller.principal.account} cannot access budgets of {call.params['AccountId']}"
        raise AwsError("AccessDeniedException", words, 400)
    return act(Asker(ledger_of(account), account.now()), call.params)


def _named(asker: Asker, params: Mapping[str, Any]) -> Budget:
    name = str(params["BudgetName"])
    for one in asker.ledger.budgets:
        if one.name == name:
            return one
    words = f"Unable to get budget: {name} - the budget doesn't exist."
    raise AwsError("NotFoundException", words, 400)


def _budget(asker: Asker, one: Budget, *, shown: bool) -> Answer:
    start, end = _current(asker.now.date(), one.unit)
    actual = _actual(asker, one, start, end)
    spend: dict[str, Any] = {"ActualSpend": _spend(asker, actual)}
    mask = _mask(asker, one)
    if history_days(asker, mask) >= LEAST_DAYS:
        today = asker.now.date()
        known = _actual(asker, one, start, today)
        spend["ForecastedSpend"] = _spend(asker, decimal_of(known, expected(asker, mask, today, end)))
    made: dict[str, Any] = {
        "BudgetName": one.name,
        "BudgetLimit": _spend(asker, _limit(one, start)),
        "CostTypes": _cost_types(one),
        "TimeUnit": one.unit,
        "TimePeriod": {"Start": _time(one.since), "End": FOREVER},
        "CalculatedSpend": spend,
        "BudgetType": "COST",
        "LastUpdatedTime": asker.now,
    }
    if one.months:
        made["PlannedBudgetLimits"] = {
            str(int(_time(day).timestamp())): _spend(asker, amount) for day, amount in one.months.items()
        }
    if shown and one.expression:
        made["FilterExpression"] = dict(one.expression)
    return made | _filters(one)


def decimal_of(known: str, more: int) -> str:
    """An amount and ten-billionths more."""
    whole, _, rest = known.partition(".")
    return decimal(int(whole + rest.ljust(10, "0")) + more)


def _actual(asker: Asker, budget: Budget, start: date, end: date) -> str:
    """What these days cost so far; a budget never shows less than nothing."""
    first = max(start, asker.ledger.since)
    if first >= end:
        return "0"
    _, amounts = billed(asker, Period(first, end, "DAILY"))
    kind = "amortized" if "Amortized" in budget.metric else "unblended"
    return decimal(max(0, int(amounts[kind][_mask(asker, budget)].sum())))


def _mask(asker: Asker, budget: Budget) -> Mask:
    kept = asker.mask(budget.expression)
    if not budget.corrections:
        corrections = {"Dimensions": {"Key": "RECORD_TYPE", "Values": ["Credit", "Refund"]}}
        kept = kept & ~asker.mask(corrections)
    return kept


def _limit(budget: Budget, start: date) -> str:
    return budget.months.get(start, budget.limit)


def _periods(asker: Asker, budget: Budget) -> list[tuple[date, date]]:
    """The budget's periods up to the one under way, at most the last thirteen months."""
    today = asker.now.date()
    start, _ = _current(max(budget.since, month_of(today, -12)), budget.unit)
    found = []
    while start <= today:
        _, end = _current(start, budget.unit)
        found.append((start, end))
        start = end
    return found


def _current(day: date, unit: str) -> tuple[date, date]:
    """The budget's period that holds a day."""
    if unit == "DAILY":
        return day, day + timedelta(days=1)
    months = _MONTHS[unit]
    start = month_of(day, -((day.month - 1) % months))
    return start, month_of(start, months)


def _filters(budget: Budget) -> dict[str, Any]:
    """The older form of a filter, where the expression has one."""
    inner = budget.expression
    if tags := inner.get("Tags"):
        return {"CostFilters": {"TagKeyValue": [f"user:{tags['Key']}${one}" for one in tags["Values"]]}}
    dimensions = inner.get("Dimensions")
    if dimensions and dimensions["Key"] in _NAMES:
        return {"CostFilters": {_NAMES[dimensions["Key"]]: list(dimensions["Values"])}}
    return {}


def _cost_types(budget: Budget) -> Mapping[str, bool]:
    kinds = ("Tax", "Subscription", "Upfront", "Recurring", "OtherSubscription", "Support", "Discount")
    return {f"Include{kind}": True for kind in kinds} | {
        "IncludeRefund": budget.corrections,
        "IncludeCredit": budget.corrections,
        "UseBlended": budget.metric == "BlendedCost",
        "UseAmortized": "Amortized" in budget.metric,
    }


def _spend(asker: Asker, amount: str) -> Mapping[str, str]:
    return {"Amount": amount, "Unit": asker.ledger.currency}


def _time(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def _date(value: Any) -> date | None:
    """A timestamp of a request."""
    if value is None:
        return None
    if isinstance(value, datetime):
        return value.date()
    return datetime.fromtimestamp(float(value), tz=UTC).date()
