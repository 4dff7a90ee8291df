"""The log tools: one query in its backend's words, and what many lines say together."""

import re
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

MOST_TARGETS, LONGEST_TARGET, LONGEST_NAME = 20, 512, 120
_SERVICE = re.compile(rf"[\w./-]{{0,{LONGEST_NAME}}}")


def _targets(words: list[str]) -> list[str]:
    if len(words) > MOST_TARGETS or any(
        not word.isprintable() or len(word) > LONGEST_TARGET for word in words
    ):
        raise InvalidInputError("target", f"takes up to {MOST_TARGETS} printable names")
    return words


def _service(value: str) -> str:
    if not _SERVICE.fullmatch(value):
        say = f"takes a name of at most {LONGEST_NAME} letters, digits and -_./"
        raise InvalidInputError("service", say)
    return value


Target = Annotated[
    list[str],
    BeforeValidator(to_list),
    AfterValidator(_targets),
    Field(
        description="Log groups or application, dataplane, host, control_plane; OpenSearch index; pods:"
        " namespace/kind/name"
    ),
]
# As Target; what it takes stands at query_logs.
SameTarget = Annotated[
    list[str], BeforeValidator(to_list), AfterValidator(_targets), Field(description="As in query_logs")
]
Service = Annotated[str, AfterValidator(_service), Field(description="Only its lines")]
Moment = Annotated[Since, Field(description="compare: splits the window")]


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
        mode: Mode = "patterns",
        source: AnalysisSource = "cloudwatch",
        target: SameTarget = [],  # noqa: B006  # fastmcp copies defaults; a schema wants a list
        service: Service = "",
        since: SinceHour = "-1h",
        until: Until = None,
        at: Moment = None,
        cluster: Cluster = None,
        detail: Detail = "summary",
    ) -> LogAnalysis:
        """Count and explain log lines: error patterns and new ones, error rate and worst hour, impact
        (customers, incidents), before against after `at`, volume (who writes the bytes).
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
