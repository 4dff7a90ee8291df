"""The metrics tool: values in few numbers, and what there is to ask."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from fastmcp.tools.function_tool import FunctionTool
from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from aiops_observability.models.metrics import MetricAsk, MetricReport, Show, Source
from aiops_observability.ports import MetricReadings
from aiops_shared.errors import InvalidInputError
from aiops_shared.params import READS, AnyKind, AnyName, AnyNamespace, Cluster, Detail, SinceHour, Until

_STEP = re.compile(r"([1-9][0-9]{0,6})([smhd]?)")
MOST_WORDS = 200
_UNIT_S = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400}


def _seconds(value: object) -> object:
    """A step in seconds, from 300, "5m" or nothing."""
    if value is None or value == "":
        return 0
    found = _STEP.fullmatch(str(value))
    if found is None:
        raise InvalidInputError("step", "is a time like 30s, 5m, 1h, 1d")
    return int(found[1]) * _UNIT_S[found[2]]


def _short(value: str | None) -> str | None:
    if value is not None and len(value) > MOST_WORDS:
        raise InvalidInputError("search", f"takes at most {MOST_WORDS} characters")
    return value


_SHORT = AfterValidator(_short)
Step = Annotated[
    int,
    BeforeValidator(_seconds),
    WithJsonSchema({"type": "string", "description": "As 5m"}),
]


@dataclass(frozen=True)
class MetricTools:
    """Tools about metrics."""

    metrics: Callable[[], MetricReadings]

    async def query_metrics(
        self,
        query: Annotated[str, Field(description="PromQL or the source's")] = "",
        what: Annotated[str, Field(description="Named question, as memory")] = "",
        namespace: AnyNamespace = None,
        kind: AnyKind = None,
        name: AnyName = None,
        since: SinceHour = "-1h",
        until: Until = None,
        step: Step = 0,
        search: Annotated[str | None, _SHORT, Field(description="Words of a name")] = None,
        show: Annotated[Show, Field(description="labels: of query's metric")] = "",
        by_hour_of_week: Annotated[bool, Field(description="Medians, UTC")] = False,
        source: Source = "auto",
        cluster: Cluster = None,
        detail: Detail = "summary",
    ) -> MetricReport:
        """What an object used of CPU, memory, network or disk: mean, peak, percentiles (95, 99),
        points; by `query`, or by `what` (show=questions).
        """
        ask = MetricAsk(
            cluster=cluster,
            source=source,
            query=query,
            what=what,
            namespace=namespace or "",
            kind=kind or "",
            name=name or "",
            since=since,
            until=until,
            step_s=step,
            search=search,
            show=show,
            by_hour_of_week=by_hour_of_week,
            full=detail == "full",
        )
        return await self.metrics().read(ask)

    def tools(self) -> list[FunctionTool]:
        """The tools of this module."""
        return [FunctionTool.from_function(self.query_metrics, annotations=READS, tags={"read"})]
