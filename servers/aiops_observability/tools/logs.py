"""The log tools: one query in its backend's words, and what many lines say together."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from fastmcp.tools.function_tool import FunctionTool
from pydantic import AfterValidator, BeforeValidator, Field

from aiops_observability.models.logs import (
    AnalysisSource,
    LogAnalysis,
    LogAnalysisAsk,
    LogQueryAsk,
    LogRows,
    Mode,
    QuerySource,
)
from aiops_observability.ports import LogAnalyses, LogQueries
from aiops_shared.errors import InvalidInputError
from aiops_shared.params import READS, Cluster, Detail, Limit, Since, SinceHour, Until, to_list

MOST_TARGETS, LONGEST_TARGET = 20, 512


def _targets(words: list[str]) -> list[str]:
    if len(words) > MOST_TARGETS or any(
        not word.isprintable() or len(word) > LONGEST_TARGET for word in words
    ):
        raise InvalidInputError("target", f"takes up to {MOST_TARGETS} printable names")
    return words


Target = Annotated[
    list[str],
    BeforeValidator(to_list),
    AfterValidator(_targets),
    Field(
        description="Log groups or application, dataplane, host, control_plane; OpenSearch index; pods:"
        " namespace/kind/name"
    ),
]
Service = Annotated[str, Field(max_length=120, description="Only this service's lines")]


@dataclass(frozen=True)
class LogTools:
    """Tools about logs."""

    queries: Callable[[], LogQueries]
    analyses: Callable[[], LogAnalyses]

    async def query_logs(
        self,
        query: Annotated[str, Field(max_length=8000, description="In the source's language")],
        source: Annotated[
            QuerySource, Field(description="filter: CloudWatch pattern, not billed")
        ] = "insights",
        target: Target = [],  # noqa: B006  # fastmcp copies defaults; a schema wants a list
        since: SinceHour = "-1h",
        until: Until = None,
        limit: Limit = 50,
        cluster: Cluster = None,
        detail: Detail = "summary",
    ) -> LogRows:
        """Run one log query over a window. Bytes are estimated first; too many are refused with a cheaper
        form. To count, rank or compare errors use analyze_logs.
        """
        ask = LogQueryAsk(
            query, source, tuple(target), cluster, since, until, limit=limit, full=detail == "full"
        )
        return await self.queries().query(ask)

    async def analyze_logs(
        self,
        mode: Annotated[
            Mode, Field(description="compare: before/after `at`; impact: customers, incidents; volume: bytes")
        ] = "patterns",
        source: AnalysisSource = "cloudwatch",
        target: Target = [],  # noqa: B006  # fastmcp copies defaults; a schema wants a list
        service: Service = "",
        since: SinceHour = "-1h",
        until: Until = None,
        at: Since = None,
        cluster: Cluster = None,
        detail: Detail = "summary",
    ) -> LogAnalysis:
        """Say what many log lines mean: kinds of errors and new ones, error rate and its worst hour, who was
        hit and in which incidents, before against after, who writes the bytes.
        """
        ask = LogAnalysisAsk(
            mode, source, tuple(target), service, cluster, since, until, at, full=detail == "full"
        )
        return await self.analyses().analyze(ask)

    def tools(self) -> list[FunctionTool]:
        """The tools of this module."""
        return [
            FunctionTool.from_function(self.query_logs, annotations=READS, tags={"read"}),
            FunctionTool.from_function(self.analyze_logs, annotations=READS, tags={"read"}),
        ]
