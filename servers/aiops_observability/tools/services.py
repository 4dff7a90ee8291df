"""The health tool: is a service keeping its promise."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from fastmcp.tools.function_tool import FunctionTool
from pydantic import Field

from aiops_observability.models.service_health import HealthAsk, HealthSource, ServiceHealth
from aiops_observability.ports import Services
from aiops_observability.tools.traces import ServiceName
from aiops_shared.params import READS, Cluster, SinceHour

Slo = Annotated[
    float,
    Field(ge=0, lt=100, description="Percent, as 99.9; absent: its own"),
]


@dataclass(frozen=True)
class ServiceTools:
    """Tools about services."""

    services: Callable[[], Services]

    async def get_service_health(
        self,
        service: ServiceName,
        slo: Slo = 0.0,
        since: SinceHour = "-1h",
        source: HealthSource = "auto",
        cluster: Cluster = None,
    ) -> ServiceHealth:
        """Service map with requests, faults and latency, SLI, SLO, error budget left (failures it can
        still afford) and multi-window burn rates; from Application Signals, or derived from traces and
        request metrics.
        """
        return await self.services().health(HealthAsk(service, slo, since, source, cluster))

    def tools(self) -> list[FunctionTool]:
        """The tools of this module."""
        return [FunctionTool.from_function(self.get_service_health, annotations=READS, tags={"read"})]
