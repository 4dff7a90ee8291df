"""The trace tool: which requests are worse, and where their time goes."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from fastmcp.tools.function_tool import FunctionTool
from pydantic import AfterValidator, Field

from aiops_observability.models.traces import SERVICE_FORM, GroupBy, TraceAnalysis, TraceAsk, TraceSource
from aiops_observability.ports import Traces
from aiops_shared.errors import InvalidInputError
from aiops_shared.params import READS, Cluster, Limit, SinceHour, Until, shown


def _service(value: str) -> str:
    if not re.fullmatch(SERVICE_FORM, value):
        raise InvalidInputError("service", f"{shown(value)} is no service", "one name, as in its traces")
    return value


ServiceName = Annotated[str, AfterValidator(_service), Field(description="As in its traces")]


@dataclass(frozen=True)
class TraceTools:
    """Tools about traces."""

    traces: Callable[[], Traces]

    async def analyze_traces(
        self,
        service: ServiceName,
        group_by: GroupBy = "auto",
        endpoint: Annotated[str, Field(max_length=200, description="Only this route")] = "",
        since: SinceHour = "-1h",
        until: Until = None,
        source: TraceSource = "auto",
        cluster: Cluster = None,
        limit: Limit = 300,
    ) -> TraceAnalysis:
        """Find the slow hop, zone or version in a service's traced requests: the outlier with ratio
        and p-value, critical path, exemplar traces, what is normal.
        """
        ask = TraceAsk(service, group_by, endpoint, since, until or "", source, cluster, limit)
        return await self.traces().analyze(ask)

    def tools(self) -> list[FunctionTool]:
        """The tools of this module."""
        return [FunctionTool.from_function(self.analyze_traces, annotations=READS, tags={"read"})]
