"""The anomaly tool: what is abnormal, since when, how rare, and when a growing memory meets its limit."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Literal

from fastmcp.tools.function_tool import FunctionTool
from pydantic import BeforeValidator, Field

from aiops_observability.models.anomalies import AnomalyAsk, AnomalyReport
from aiops_observability.models.pages import SERIES_PAGE
from aiops_observability.ports import Anomalies
from aiops_shared.app.views import drawn_on
from aiops_shared.params import READS, AnyKind, AnyName, AnyNamespace, Cluster, Detail, Since, Until, to_list

Changes = Annotated[
    list[str],
    BeforeValidator(to_list),
    Field(description="Known changes: '-6h deploy v2'"),
]


@dataclass(frozen=True)
class AnomalyTools:
    """Tools about what is abnormal."""

    anomalies: Callable[[], Anomalies]

    async def detect_anomalies(
        self,
        query: Annotated[str, Field(max_length=4000, description="In the source's language")] = "",
        what: Annotated[str, Field(description="Or a named question; neither: a workload")] = "",
        namespace: AnyNamespace = None,
        kind: AnyKind = None,
        name: AnyName = None,
        since: Since = "-7d",
        until: Until = None,
        changes: Changes = [],  # noqa: B006  # fastmcp copies defaults; a schema wants a list
        source: Literal["auto", "prometheus", "amp", "cloudwatch", "datadog"] = "auto",
        cluster: Cluster = None,
        detail: Detail = "summary",
        chart: Annotated[bool, Field(description="With a PNG")] = False,
    ) -> AnomalyReport:
        """Find spikes, shifts, trends, unrest and gaps in a metric or workload, with onset and
        rarity; whether memory grows by a leak, with time to limit. Says what was normal.
        """
        ask = AnomalyAsk(
            cluster=cluster,
            source=source,
            query=query,
            what=what,
            namespace=namespace or "",
            kind=kind or "",
            name=name or "",
            since=since or "-7d",
            until=until,
            changes=tuple(changes),
            full=detail == "full",
            chart=chart,
        )
        return await self.anomalies().detect(ask)

    def tools(self) -> list[FunctionTool]:
        """The tools of this module."""
        page = drawn_on(SERIES_PAGE)
        return [
            FunctionTool.from_function(self.detect_anomalies, annotations=READS, tags={"read"}, meta=page)
        ]
