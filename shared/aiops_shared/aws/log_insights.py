"""One run of CloudWatch Logs Insights: started, polled, stopped when nobody waits any more.

Called by log readers. https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_StartQuery.html:
ends are whole seconds and both included. At most 100 queries run at once in an account, so LimitExceeded is
waited out as throttling is. A query that is not done in time gives what it has: Insights answers a running
query with partial results.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import anyio

from aiops_shared.aws import EksCluster
from aiops_shared.aws.listing import required
from aiops_shared.aws.log_spans import Span, Until
from aiops_shared.errors import (
    AiopsError,
    InvalidInputError,
    QueryInvalidError,
    ThrottledError,
    UpstreamError,
)

MOST_ROWS = 10_000
FIRST_POLL_S, LONGEST_POLL_S = 0.15, 2.0
FIRST_WAIT_S, TRIES = 0.5, 2  # botocore itself tries each of them several times
KEEP_S = 1.5  # for stopping and answering
LANGUAGES = {"insights": "CWLI", "ppl": "PPL", "sql": "SQL"}
EXAMPLES = {
    "insights": 'fields @timestamp, @message | filter level = "ERROR" | sort @timestamp desc | limit 50',
    "ppl": "fields `@timestamp`, `@message` | where level = 'ERROR' | head 50",
    "sql": "SELECT `@timestamp`, `@message` FROM `<log group>` WHERE level = 'ERROR' LIMIT 50",
}


@dataclass(frozen=True, slots=True)
class Found:
    """What a query gave. `cut`: why it is not all. `matched`: events that passed its filters."""

    rows: tuple[Mapping[str, str], ...]
    scanned_bytes: int = 0
    scanned_records: int = 0
    matched: int = 0
    cut: str = ""


@dataclass(frozen=True)
class Insights:
    """Logs Insights of one account and region, within one call's time."""

    eks: EksCluster
    until: Until

    async def run(
        self,
        query: str,
        groups: Sequence[str],
        span: Span,
        *,
        language: str = "insights",
        limit: int = MOST_ROWS,
        open_end: bool = False,
    ) -> Found:
        """The rows of a query. `open_end`: without the second at which the span ends.

        Raises QueryInvalidError, NotFoundError, AccessDeniedError and other AiopsErrors.
        """
        named = {} if language == "sql" else {"logGroupNames": list(groups)}
        asked = {
            **named,
            "queryString": query,
            "queryLanguage": LANGUAGES[language],
            "startTime": int(span.since.timestamp()),
            "endTime": int(span.until.timestamp()) - open_end,
            "limit": min(limit, MOST_ROWS),
        }
        query_id = await self._started(asked, language)
        try:
            found, status = await self._polled(query_id)
        except anyio.get_cancelled_exc_class():
            with anyio.move_on_after(KEEP_S * 2, shield=True):
                await self._stopped(query_id)
            raise
        return _read(found, status, limit)

    async def _started(self, asked: Mapping[str, Any], language: str) -> str:
        wait_s = FIRST_WAIT_S
        for turn in range(TRIES):
            try:
                started = await self.eks.call("logs", "start_query", **asked)
                return str(required(started, "queryId", "AWS logs start_query"))
            except InvalidInputError as error:
                raise _better(error, language) from error
            except (ThrottledError, UpstreamError) as error:
                if not _passes(error) or turn == TRIES - 1 or self.until.left_s < wait_s + KEEP_S:
                    raise _busy(error) from error
                await anyio.sleep(wait_s)
                wait_s *= 2
        raise AssertionError  # the last turn returns or raises

    async def _polled(self, query_id: str) -> tuple[dict[str, Any], str]:
        wait_s, found = FIRST_POLL_S, dict[str, Any]()
        while True:
            try:
                found = dict(await self.eks.call("logs", "get_query_results", queryId=query_id))
                status = str(required(found, "status", "AWS logs get_query_results"))
                if status not in {"Scheduled", "Running"}:
                    return found, status
            except ThrottledError:
                if self.until.left_s < wait_s + KEEP_S:
                    await self._stopped(query_id)
                    raise
            if self.until.left_s < wait_s + KEEP_S:
                await self._stopped(query_id)
                return found, "Running"
            await anyio.sleep(wait_s)
            wait_s = min(wait_s * 2, LONGEST_POLL_S)

    async def _stopped(self, query_id: str) -> None:
        try:
            await self.eks.call("logs", "stop_query", queryId=query_id)
        except AiopsError:
            return  # it is done, or ends by itself at its own limit


def _passes(error: AiopsError) -> bool:
    """Whether the same call may well succeed a moment later."""
    return isinstance(error, ThrottledError) or "LimitExceededException" in error.reason


def _busy(error: AiopsError) -> AiopsError:
    if "LimitExceededException" not in error.reason:
        return error
    return ThrottledError(error.thing, error.reason, "as many queries run as may; wait, then again")


def _better(error: InvalidInputError, language: str) -> QueryInvalidError:
    return QueryInvalidError("query", error.reason, f"an example: {EXAMPLES[language]}")


def _read(found: Mapping[str, Any], status: str, limit: int) -> Found:
    told = found.get("statistics") or {}
    rows = tuple(
        {str(cell.get("field")): str(cell.get("value")) for cell in row if cell.get("field") != "@ptr"}
        for row in found.get("results") or ()
    )
    if status in {"Failed", "Timeout", "Unknown"} and not rows:
        raise UpstreamError(
            "Logs Insights", f"the query ended as {status}", "a shorter window, or again later"
        )
    cut = "" if status == "Complete" else f"the query ended as {status}: only what it had found until then"
    if status == "Running":
        cut = "the query was not done in time and was stopped: only what it had found until then"
    if not cut and len(rows) >= min(limit, MOST_ROWS):
        cut = f"only {len(rows)} rows were asked for"
    return Found(
        rows,
        int(float(told.get("bytesScanned") or 0)),
        int(float(told.get("recordsScanned") or 0)),
        int(float(told.get("recordsMatched") or 0)),
        cut,
    )
