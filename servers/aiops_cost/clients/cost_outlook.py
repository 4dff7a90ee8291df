"""What AWS itself says beside the bill: its forecast of the month, the anomalies it found, the budgets.

Called by `cost_reading`. Forecast and anomalies are billed requests, kept like the bill; budgets are free.
None of them is needed for an answer: what cannot be had is a warning that says why.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final

from aiops_cost.analysis.month_end import full_on
from aiops_cost.analysis.settling import next_month
from aiops_cost.clients.cost_errors import explained
from aiops_cost.clients.cost_explorer import CostExplorer
from aiops_cost.models.bills import Metric, Spent
from aiops_cost.models.money import nano
from aiops_shared.aws.clients import AwsClients
from aiops_shared.errors import AiopsError, UpstreamError

FORECAST_METRICS: Final = {
    "unblended": "UNBLENDED_COST",
    "amortized": "AMORTIZED_COST",
    "net_unblended": "NET_UNBLENDED_COST",
    "net_amortized": "NET_AMORTIZED_COST",
}
LEVEL: Final = 80
MOST_PAGES: Final = 5  # of anomalies: a list that long is read in the console
MONTHS_OF: Final = {"MONTHLY": 1, "QUARTERLY": 3, "ANNUALLY": 12}


@dataclass(frozen=True, slots=True)
class Forecast:
    """Cost Explorer's own forecast of some days, billionths."""

    amount: int
    low: int | None
    high: int | None
    currency: str


@dataclass(frozen=True, slots=True)
class Anomaly:
    """One anomaly of Cost Anomaly Detection, amounts in billionths."""

    first: str
    last: str  # empty: it goes on
    what: str
    impact: int
    expected: int | None


@dataclass(frozen=True, slots=True)
class Budget:
    """One cost budget, amounts in billionths of `currency`."""

    name: str
    limit: int
    actual: int
    forecast: int | None
    currency: str
    unit: str
    full_on: date | None


async def forecast(
    explorer: CostExplorer,
    days: tuple[date, date],
    filtered: Mapping[str, Any] | None,
    metric: Metric,
    counted: Spent,
) -> Forecast:
    """What Cost Explorer expects of the days to come, the last one excluded. Raises its errors."""
    words: dict[str, Any] = {
        "TimePeriod": {"Start": days[0].isoformat(), "End": days[1].isoformat()},
        "Metric": FORECAST_METRICS[metric],
        "Granularity": "MONTHLY",
        "PredictionIntervalLevel": LEVEL,
    }
    if filtered:
        words["Filter"] = dict(filtered)
    answer = await explorer.remembered("get_cost_forecast", counted, **words)
    total = answer.get("Total") or {}
    if "Amount" not in total:
        raise UpstreamError("Cost Explorer's forecast", "it has no total")
    results = answer.get("ForecastResultsByTime") or []
    low = _summed(results, "PredictionIntervalLowerBound")
    high = _summed(results, "PredictionIntervalUpperBound")
    return Forecast(nano(str(total["Amount"])), low, high, str(total.get("Unit") or "USD"))


def _summed(results: Sequence[Mapping[str, Any]], key: str) -> int | None:
    found = [result.get(key) for result in results]
    return (
        sum(nano(str(one)) for one in found)
        if found and all(one not in {None, ""} for one in found)
        else None
    )


async def anomalies(
    explorer: CostExplorer, days: tuple[date, date], today: date, counted: Spent
) -> list[Anomaly]:
    """What Cost Anomaly Detection found in the days, the biggest impact first. Raises its errors.

    It is asked by the day on which an anomaly ended, and one that goes on ends today: so all that ended since
    the first day are asked for, and those that began after the days are left out.
    """
    words: dict[str, Any] = {"DateInterval": {"StartDate": days[0].isoformat()}}
    found: list[Anomaly] = []
    for _ in range(MOST_PAGES):
        answer = await explorer.remembered("get_anomalies", counted, **words)
        found += [_anomaly(one, today) for one in answer.get("Anomalies") or ()]
        token = answer.get("NextPageToken")
        if not token:
            break
        words["NextPageToken"] = token
    known = [one for one in found if one.first < days[1].isoformat()]
    return sorted(known, key=lambda one: (-one.impact, one.first, one.what))


def _anomaly(one: Mapping[str, Any], today: date) -> Anomaly:
    impact = one.get("Impact") or {}
    cause: Mapping[str, Any] = next(iter(one.get("RootCauses") or ()), {})
    parts = [cause.get(key) for key in ("Service", "UsageType", "Region", "LinkedAccount")]
    what = ", ".join(str(part) for part in parts if part) or str(one.get("DimensionValue") or "")
    last = str(one.get("AnomalyEndDate") or "")[:10]
    usual = impact.get("TotalExpectedSpend")
    return Anomaly(
        str(one.get("AnomalyStartDate") or "")[:10],
        last if last < today.isoformat() else "",
        what,
        nano(str(impact.get("TotalImpact") or impact.get("MaxImpact") or 0)),
        None if usual is None else nano(str(usual)),
    )


async def budgets(explorer: CostExplorer, aws: AwsClients, today: date) -> list[Budget]:
    """The account's cost budgets, the fullest first. Not billed. Raises AWS's errors."""
    account = await explorer.account()
    try:
        found = await aws.every(
            explorer.target(), "budgets", "describe_budgets", "Budgets", AccountId=account
        )
    except AiopsError as error:
        raise explained(error, "describe_budgets") from error
    read = [_budget(one, today) for one in found.items if one.get("BudgetType") == "COST"]
    known = [one for one in read if one is not None]
    return sorted(known, key=lambda one: (-one.actual / one.limit if one.limit else 0.0, one.name))


def _budget(one: Mapping[str, Any], today: date) -> Budget | None:
    limit, spent = one.get("BudgetLimit") or {}, one.get("CalculatedSpend") or {}
    actual, ahead = spent.get("ActualSpend") or {}, spent.get("ForecastedSpend") or {}
    unit = str(one.get("TimeUnit") or "")
    if "Amount" not in limit or "Amount" not in actual:
        return None  # planned limits alone, or nothing computed yet
    limit_nano, actual_nano = nano(str(limit["Amount"])), nano(str(actual["Amount"]))
    expected = nano(str(ahead["Amount"])) if "Amount" in ahead else None
    span = _span(unit, today)
    return Budget(
        name=str(one.get("BudgetName") or ""),
        limit=limit_nano,
        actual=actual_nano,
        forecast=expected,
        currency=str(limit.get("Unit") or "USD"),
        unit=unit.lower(),
        full_on=full_on(limit_nano, actual_nano, expected, span, today) if span else None,
    )


def _span(unit: str, today: date) -> tuple[date, date] | None:
    """The budget's period that is under way: calendar months, quarters and years."""
    if unit == "DAILY":
        return today, today + timedelta(days=1)
    months = MONTHS_OF.get(unit)
    if months is None:
        return None
    first = date(today.year, (today.month - 1) // months * months + 1, 1)
    end = first
    for _ in range(months):
        end = next_month(end)
    return first, end
