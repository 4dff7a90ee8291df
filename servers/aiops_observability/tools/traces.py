"""The trace tool: which requests are worse, and where their time goes."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from fastmcp.tools.function_tool import FunctionTool
from pydantic import Field

from aiops_observability.models.traces import SERVICE_FORM, GroupBy, TraceAnalysis, TraceAsk, TraceSource
from aiops_observability.ports import Traces
from aiops_shared.params import READS, Cluster, Limit, SinceHour, Until

ServiceName = Annotated[str, Field(pattern=SERVICE_FORM, description="Service, as in its traces")]


@dataclass(frozen=True)
class TraceTools:
    """Tools about traces."""

    traces: Callable[[], Traces]

    async def analyze_traces(
        self,
        service: ServiceName,
        group_by: Annotated[GroupBy, Field(description="auto: the way that differs most")] = "auto",
        endpoint: Annotated[str, Field(max_length=200, description="Only this route")] = "",
        since: SinceHour = "-1h",
        until: Until = None,
        source: TraceSource = "auto",
        cluster: Cluster = None,
        limit: Limit = 300,
    ) -> TraceAnalysis:
        """Compare a service's traced requests by zone, version, node, endpoint or edge: the outlier group
        with ratio and p-value, the critical path, exemplar traces, what is normal. X-Ray, Jaeger or Tempo.
        """
        ask = TraceAsk(service, group_by, endpoint, since, until or "", source, cluster, limit)
        return await self.traces().analyze(ask)

    def tools(self) -> list[FunctionTool]:
        """The tools of this module."""
        return [FunctionTool.from_function(self.analyze_traces, annotations=READS, tags={"read"})]
