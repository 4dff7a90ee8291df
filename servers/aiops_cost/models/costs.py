"""What `get_costs` is asked and answers. `group_by=namespace|workload` is answered by the port `Allocations`
in the same words.
"""

from typing import Annotated, Literal

from pydantic import Field

from aiops_cost.models.bills import Metric, Terms
from aiops_shared.results import Answer, Frozen, Table

GroupBy = Literal[
    "service",
    "usage_type",
    "instance_type",
    "account",
    "region",
    "record_type",
    "tag",
    "cluster",
    "namespace",
    "workload",
]
Granularity = Literal["total", "day", "month"]


class CostAsk(Frozen):
    """One question about costs. `period`: `analysis.periods.period_of(text, today)` reads it. `only` and
    `without` are filters as `BillQuestion` has them; `cluster` as the client wrote it, None: the whole bill.
    """

    group_by: GroupBy
    period: str
    tag: str
    cluster: str | None
    namespace: str
    only: Terms
    without: Terms
    metric: Metric
    granularity: Granularity
    limit: int
    chart: bool


class Compared(Frozen):
    """The previous equal period. The change is of the mean settled day: months differ in length."""

    period: str
    total: float
    per_day: float
    change_pct: float | None = None


class MonthEnd(Frozen):
    """The month under way and how it will end."""

    to_date: Annotated[float, Field(description="settled days")]
    forecast: Annotated[float, Field(description="the whole month")]
    low80: float | None = None
    high80: float | None = None
    by: Annotated[str, Field(description="who forecasts")]
    arithmetic: str


class InCurrency(Frozen):
    """A bill in another currency: never added to the first."""

    currency: str
    total: float
    rows: Table


class CostReport(Answer):
    """Rows that sum to the bill, biggest first."""

    period: Annotated[str, Field(description="UTC days, first..last")]
    currency: str = "USD"
    total: float
    per_day: Annotated[float | None, Field(description="mean of the settled days")] = None
    rows: Annotated[Table, Field(description="sum to total; rest and rounding are rows of their own")]
    unsettled: Annotated[
        tuple[str, ...], Field(description="days that may change: in total, not in means or forecast")
    ] = ()
    previous: Compared | None = None
    month: MonthEnd | None = None
    series: Table | None = None
    anomalies: Table | None = None
    budgets: Table | None = None
    other_currencies: tuple[InCurrency, ...] = ()
    method: Annotated[str, Field(description="how the bill was divided, where it was")] = ""
    billed_requests: Annotated[int, Field(description="Cost Explorer requests, 0.01 USD each")] = 0
    billed_usd: float = 0.0
