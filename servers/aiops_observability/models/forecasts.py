"""What `forecast_metric` is asked and answers."""

from typing import Annotated

from pydantic import Field

from aiops_shared.results import Answer, Frozen, Table


class ForecastAsk(Frozen):
    """One question about the hours to come."""

    cluster: str | None
    query: str
    what: str
    namespace: str
    kind: str
    name: str
    source: str
    until: str | None
    horizon_h: int
    capacity_per_pod: float | None
    full: bool
    chart: bool


class Peak(Frozen):
    """The highest hour to come and the climb to it. Times are UTC, RFC 3339."""

    at: str
    value: float
    low95: float
    high95: float
    ratio_to_before: Annotated[float, Field(description="to the hour before the climb")]
    ratio_to_usual: float
    begins_at: str
    ends_at: str


class Sizing(Frozen):
    """Replicas for the peak, with the arithmetic (decision D33)."""

    replicas: int
    arithmetic: str
    ready_by: Annotated[str, Field(description="half an hour before the climb")]
    until: str
    short_hours: Annotated[float, Field(description="share of back-tested hours above capacity so planned")]
    spare: Annotated[float, Field(description="capacity unused in the back-test, share")]


class MetricForecast(Answer):
    """The hours to come of one metric."""

    unit: str = ""
    model: str
    history: str
    next_peak: Peak
    forecast: Annotated[Table, Field(description="by day; detail=full: by hour")]
    backtest: Annotated[Table, Field(description="past weeks, by model")]
    sizing: Sizing | None = None
    would_change: str = ""
