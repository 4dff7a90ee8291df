"""`analyze_logs`: opens the logs of a target and hands them to the mode that was asked for.

Everything that can be refused is refused first; a source that fails in the middle leaves what the other parts
found, with a warning. Patterns and samples are somebody else's text and stand in `untrusted` fields.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from aiops_observability.clients.log_changes import compared
from aiops_observability.clients.log_cloudwatch import CloudWatchLogs
from aiops_observability.clients.log_cost import Costs
from aiops_observability.clients.log_held import HeldLogs
from aiops_observability.clients.log_impact import impact
from aiops_observability.clients.log_opensearch import OpenSearch
from aiops_observability.clients.log_patterns import patterns
from aiops_observability.clients.log_pods import pod_lines
from aiops_observability.clients.log_query_reading import Places, Sensitive
from aiops_observability.clients.log_rates import error_rate
from aiops_observability.clients.log_spans import span_of
from aiops_observability.clients.log_store import Lines, LogStore, Which
from aiops_observability.clients.log_targets import groups_of
from aiops_observability.clients.log_volume import volume
from aiops_observability.models.logs import LogAnalysis, LogAnalysisAsk
from aiops_shared.aws.log_spans import Span, Until
from aiops_shared.clock import Clock
from aiops_shared.errors import InvalidInputError
from aiops_shared.settings import LogsSettings

MODES: Mapping[str, Callable[["LogStore", LogAnalysisAsk, Span], Awaitable[LogAnalysis]]] = {
    "patterns": patterns,
    "error_rate": error_rate,
    "impact": impact,
}


@dataclass(frozen=True)
class LogAnalysisReader:
    """Fulfils `ports.LogAnalyses`."""

    clusters: Places
    clock: Clock
    sensitive: Sensitive
    settings: LogsSettings
    search: Callable[[], OpenSearch]

    async def analyze(self, ask: LogAnalysisAsk) -> LogAnalysis:
        """One analysis. Raises QueryInvalidError for what would read too much, and other AiopsErrors."""
        now = await self.clock.now()
        span = span_of(ask.since, ask.until, now)
        if ask.mode == "compare" and not ask.at:
            raise InvalidInputError(
                "at", "compare needs the moment between before and after", "as -2h or RFC 3339"
            )
        await self.sensitive.allow(f"logs: {', '.join(ask.target) or 'application'} for {ask.mode}")
        store = await self._open(ask)
        if ask.mode == "compare":
            return await compared(store, ask, span, now)
        if ask.mode == "volume":
            if not isinstance(store, CloudWatchLogs):
                raise InvalidInputError("mode", "volume is what CloudWatch bills", "source=cloudwatch")
            return await volume(store, ask, span)
        return await MODES[ask.mode](store, ask, span)

    async def _open(self, ask: LogAnalysisAsk) -> LogStore:
        match ask.source:
            case "pods":
                kube = await self.clusters.open(ask.cluster)

                async def of_pods(span: Span, which: Which) -> Lines:
                    del which  # a pod gives all its lines
                    return await pod_lines(kube, ask.target, span)

                return HeldLogs(f"pods of {', '.join(ask.target)}", of_pods)
            case "opensearch":
                backend = self.search()

                async def check(spans: Sequence[Span]) -> None:
                    await backend.admit(ask.target, spans, self.settings.max_scan_bytes)

                what = f"{backend.thing} {', '.join(ask.target)}"
                return HeldLogs(what, partial(backend.lines, ask.target), check, pieces=True)
            case _:
                eks = await self.clusters.eks(ask.cluster)
                price, now = self.settings.scan_price_per_gb, await self.clock.now()
                costs = Costs(eks, self.settings.max_scan_bytes, now, price)
                return CloudWatchLogs(eks, groups_of(eks.name, ask.target), costs, Until.within())
