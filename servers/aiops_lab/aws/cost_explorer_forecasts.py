"""Cost Explorer's forecasts: the mean is what the ledger's lines will cost, the interval what they varied by.

https://docs.aws.amazon.com/aws-cost-management/latest/APIReference/API_GetCostForecast.html: three months of
days or twelve of months, a prediction interval only when its level is asked for. An account with too little
history is refused as users report it.
"""

from collections.abc import Mapping
from datetime import date, timedelta
from functools import partial
from math import sqrt
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aiops_lab.aws.account import Account
from aiops_lab.aws.cost_explorer import Act, asking, billed, decimal
from aiops_lab.aws.cost_explorer_asking import Asker, Period, day_of, invalid, month_of
from aiops_lab.aws.errors import AwsError
from aiops_lab.aws.overlay import Operations
from aiops_lab.billing.sheet import SCALE, Mask

LOOKED_BACK_DAYS = 60
LEAST_DAYS = 30  # of history
MONTHS_AHEAD = {"DAILY": 3, "MONTHLY": 12}
TOO_LITTLE = "Insufficient amount of historical data."
NO_UNIT = (
    "Cost Explorer was unable to identify the usage unit. Provide UsageType/UsageTypeGroup filter selections "
    "that contain matching units, for example: hours."
)
Answer = Mapping[str, Any]


def forecast_operations(account: Account) -> Operations:
    """The operations of service `ce` about the future, bound to one account."""
    served: dict[str, Act] = {"GetCostForecast": forecast, "GetUsageForecast": forecast}
    return {("ce", name): partial(asking, account, name, act) for name, act in served.items()}


def forecast(asker: Asker, params: Mapping[str, Any]) -> Answer:
    """Means, their sum, and intervals when asked. Raises AwsError."""
    period = _period(asker, params)
    metric, mask = str(params["Metric"]), asker.mask(params.get("Filter"))
    unit = _unit(asker, metric, mask)
    _, spread = _history(asker, metric, mask)
    level = params.get("PredictionIntervalLevel")
    if level is not None and not 51 <= int(level) <= 99:
        raise invalid("The prediction interval level must be between 51 and 99")
    wide = NormalDist().inv_cdf(0.5 + int(level) / 200) if level is not None else 0.0
    ahead = _days(asker, metric, mask, period)
    results, whole = [], 0
    for first, end in period.pieces():
        start = (first - period.first).days
        count = (end - first).days
        mean = int(ahead[start : start + count].sum())
        whole += mean
        row: dict[str, Any] = {
            "TimePeriod": {"Start": first.isoformat(), "End": end.isoformat()},
            "MeanValue": decimal(mean),
        }
        if level is not None:
            off = round(wide * spread * sqrt(count))
            row["PredictionIntervalLowerBound"] = decimal(max(0, mean - off))
            row["PredictionIntervalUpperBound"] = decimal(mean + off)
        results.append(row)
    return {"Total": {"Amount": decimal(whole), "Unit": unit}, "ForecastResultsByTime": results}


def expected(asker: Asker, mask: Mask, first: date, end: date) -> int:
    """What these days will cost, ten-billionths: for budgets."""
    return int(_days(asker, "UNBLENDED_COST", mask, Period(first, end, "DAILY")).sum())


def history_days(asker: Asker, mask: Mask) -> int:
    """Days with costs up to yesterday, of the last sixty."""
    return int(np.count_nonzero(_past(asker, "UNBLENDED_COST", mask)))


def _period(asker: Asker, params: Mapping[str, Any]) -> Period:
    asked, granularity = params.get("TimePeriod") or {}, str(params["Granularity"])
    first, end = day_of("Start", asked.get("Start")), day_of("End", asked.get("End"))
    if granularity not in MONTHS_AHEAD:
        raise invalid("Granularity should be either 'MONTHLY' or 'DAILY'")
    if first >= end:
        raise invalid(f"Requested Start: {first} must be before requested End: {end}")
    if first < asker.now.date():
        raise invalid(f"Requested Start: {first} must not be in the past")
    if end > month_of(asker.now.date(), MONTHS_AHEAD[granularity] + 1):
        raise invalid(f"Requested End: {end} is too far in the future for {granularity} granularity")
    return Period(first, end, granularity)


def _unit(asker: Asker, metric: str, mask: Mask) -> str:
    if metric not in {"USAGE_QUANTITY", "NORMALIZED_USAGE_AMOUNT"}:
        return asker.ledger.currency
    units = {asker.ledger.lines[place].unit for place in np.flatnonzero(mask)}
    if len(units) != 1:
        raise AwsError("UnresolvableUsageUnitException", NO_UNIT, 400)
    return units.pop()


def _days(asker: Asker, metric: str, mask: Mask, period: Period) -> NDArray[np.int64]:
    """The mean of each day: whole days of the lines, also of days to come."""
    columns = asker.sheet.columns(period.first, period.end)
    if metric in {"USAGE_QUANTITY", "NORMALIZED_USAGE_AMOUNT"}:
        usage: NDArray[np.int64] = np.rint(columns.quantities[mask].sum(axis=0) * SCALE).astype(np.int64)
        return usage
    amounts = columns.amortized if "AMORTIZED" in metric else columns.unblended
    found: NDArray[np.int64] = amounts[mask].sum(axis=0)
    return found


def _past(asker: Asker, metric: str, mask: Mask) -> NDArray[Any]:
    today = asker.now.date()
    period = Period(today - timedelta(days=LOOKED_BACK_DAYS), today, "DAILY")
    quantities, amounts = billed(asker, period)
    if metric in {"USAGE_QUANTITY", "NORMALIZED_USAGE_AMOUNT"}:
        return np.asarray(quantities[mask].sum(axis=0) * SCALE)
    kind = "amortized" if "AMORTIZED" in metric else "unblended"
    return np.asarray(amounts[kind][mask].sum(axis=0))


def _history(asker: Asker, metric: str, mask: Mask) -> tuple[int, float]:
    """Days with costs, and by how much a day varies. Raises AwsError DataUnavailableException."""
    past = _past(asker, metric, mask)
    count = int(np.count_nonzero(past))
    if count < LEAST_DAYS:
        raise AwsError("DataUnavailableException", TOO_LITTLE, 400)
    return count, float(past[past != 0].std())
