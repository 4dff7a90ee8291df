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

    period: str
    currency: str = "USD"
    total: float
    per_day: float | None = None  # of the settled days
    rows: Annotated[Table, Field(description="sum to total")]
    unsettled: tuple[str, ...] = ()  # days in the total, in no mean
    previous: Compared | None = None
    month: MonthEnd | None = None
    series: Table | None = None
    anomalies: Table | None = None
    budgets: Table | None = None
    other_currencies: tuple[InCurrency, ...] = ()
    method: str = ""  # how the bill was divided, where it was
    billed_requests: int = 0
    billed_usd: float = 0.0
