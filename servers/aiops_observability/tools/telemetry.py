"""The configuration tool: the same telemetry to another backend."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from fastmcp.tools.function_tool import FunctionTool
from pydantic import Field

from aiops_observability.models.telemetry import BackendWord, ConfigAsk, TelemetryConfig
from aiops_observability.ports import TelemetryConfigs
from aiops_shared.params import READS, Cluster


@dataclass(frozen=True)
class TelemetryTools:
    """Tools about collectors."""

    configs: Callable[[], TelemetryConfigs]

    async def generate_telemetry_config(
        self,
        current: Annotated[str, Field(max_length=200_000, description="The collector's YAML")],
        target: Annotated[BackendWord, Field(description="Where to send")],
        compare: Annotated[bool, Field(description="With costs")] = False,
        cluster: Cluster = None,
    ) -> TelemetryConfig:
        """Rewrite an OpenTelemetry collector's YAML for another backend: only exporters change. Says which
        secrets, IAM actions and collector distribution it needs. Writes nothing.
        """
        ask = ConfigAsk(current=current, target=target, compare=compare, cluster=cluster)
        return await self.configs().generate(ask)

    def tools(self) -> list[FunctionTool]:
        """The tools of this module."""
        return [FunctionTool.from_function(self.generate_telemetry_config, annotations=READS, tags={"read"})]
