"""The comparison tool: before against after."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Literal

from fastmcp.tools.function_tool import FunctionTool
from pydantic import Field

from aiops_observability.models.comparisons import By, CompareAsk, WindowComparison
from aiops_observability.ports import Comparisons
from aiops_shared.params import READS, AnyNamespace, Cluster, ObjectName

Before = Annotated[str, Field(max_length=60, description="FROM/TO, as -3h/-1h")]
After = Annotated[str, Field(max_length=60, description="As a")]


@dataclass(frozen=True)
class ComparisonTools:
    """Tools about differences."""

    comparisons: Callable[[], Comparisons]

    async def compare_windows(
        self,
        name: ObjectName,
        a: Before,
        b: After,
        namespace: AnyNamespace = None,
        kind: Literal["Service", "Deployment", "StatefulSet", "DaemonSet"] = "Service",
        by: Annotated[By, Field(description="Split")] = "",
        source: Literal["auto", "prometheus", "amp", "cloudwatch", "datadog"] = "auto",
        cluster: Cluster = None,
    ) -> WindowComparison:
        """Compare window b (after) with a (before): errors, latency, traffic, saturation, each with p-value.
        For log lines use analyze_logs(mode=compare).
        """
        ask = CompareAsk(
            cluster=cluster, namespace=namespace or "", kind=kind, name=name, a=a, b=b, by=by, source=source
        )
        return await self.comparisons().compare(ask)

    def tools(self) -> list[FunctionTool]:
        """The tools of this module."""
        return [FunctionTool.from_function(self.compare_windows, annotations=READS, tags={"read"})]
