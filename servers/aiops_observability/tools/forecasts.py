"""The forecast tool: what comes, how sure, and how many pods it takes."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Literal

from fastmcp.tools.function_tool import FunctionTool
from pydantic import Field

from aiops_observability.models.forecasts import ForecastAsk, MetricForecast
from aiops_observability.models.pages import SERIES_PAGE
from aiops_observability.ports import Forecasts
from aiops_shared.app.views import drawn_on
from aiops_shared.params import READS, AnyKind, AnyName, AnyNamespace, Cluster, Detail, Until

Horizon = Annotated[int, Field(ge=1, le=336, description="Hours ahead")]
PerPod = Annotated[float | None, Field(gt=0, description="Of the metric; gives replicas")]


@dataclass(frozen=True)
class ForecastTools:
    """Tools about what comes."""

    forecasts: Callable[[], Forecasts]

    async def forecast_metric(
        self,
        query: Annotated[str, Field(max_length=4000, description="In the source's language")] = "",
        what: Annotated[str, Field(max_length=40, description="Or a named question")] = "",
        namespace: AnyNamespace = None,
        kind: AnyKind = None,
        name: AnyName = None,
        horizon: Horizon = 168,
        capacity_per_pod: PerPod = None,
        until: Until = None,
        source: Literal["auto", "prometheus", "amp", "cloudwatch", "datadog"] = "auto",
        cluster: Cluster = None,
        detail: Detail = "summary",
        chart: Annotated[bool, Field(description="With a PNG")] = False,
    ) -> MetricForecast:
        """Forecast a metric by the hour with 80/95 % intervals: next peak (a Monday rush), pods that
        are enough for it, back-test by model. Needs two whole weeks of history; refuses on less.
        """
        ask = ForecastAsk(
            cluster=cluster,
            query=query,
            what=what,
            namespace=namespace or "",
            kind=kind or "",
            name=name or "",
            source=source,
            until=until,
            horizon_h=horizon,
            capacity_per_pod=capacity_per_pod,
            full=detail == "full",
            chart=chart,
        )
        return await self.forecasts().forecast(ask)

    def tools(self) -> list[FunctionTool]:
        """The tools of this module."""
        page = drawn_on(SERIES_PAGE)
        return [FunctionTool.from_function(self.forecast_metric, annotations=READS, tags={"read"}, meta=page)]
