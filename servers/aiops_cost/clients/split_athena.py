"""Cost and usage data through Athena: one query, polled, stopped when nobody waits, its scanned bytes told.

Athena bills what it scans; a result of the last twelve hours is used again where the workgroup allows it.
Values are bound as literals (Athena guide, "Use parameterized queries").
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import anyio

from aiops_cost.clients.split_query import ATHENA, Question, query
from aiops_shared.aws.clients import AwsClients
from aiops_shared.aws.target import AwsTarget
from aiops_shared.errors import (
    AnswerTooLargeError,
    NotConfiguredError,
    UpstreamError,
    UpstreamTimeoutError,
)
from aiops_shared.settings import CostSettings

THING: Final = "Athena"
PREFIX: Final = "athena:"
_TABLE = re.compile(r"athena:(?P<database>[A-Za-z0-9_-]{1,128})\.(?P<table>[A-Za-z0-9_-]{1,128})")
FIRST_POLL_S, LONGEST_POLL_S, DEADLINE_S = 0.2, 2.0, 35.0
REUSE_MINUTES = 720
PAGE, MOST_ROWS = 1000, 50_000
Row = tuple[Any, ...]


class Athena:
    """One account's Athena in one region."""

    def __init__(self, aws: AwsClients, target: AwsTarget, settings: CostSettings) -> None:
        self._aws = aws
        self._target = target
        self._settings = settings

    async def read(self, asked: Question) -> tuple[list[Row], str]:
        """The rows and what was scanned. Raises NotConfiguredError for a name that is none, UpstreamError for
        a query that failed (in Athena's words), UpstreamTimeoutError, AccessDeniedError.
        """
        named = _TABLE.fullmatch(self._settings.cur)
        if named is None:
            raise NotConfiguredError(
                "AIOPS_COST_CUR", "is no athena:database.table", "letters, digits, _ and - on both sides"
            )
        text, values = query(asked, ATHENA, f'"{named["database"]}"."{named["table"]}"')
        started = await self._call("start_query_execution", **self._start(text, values))
        found = str(started.get("QueryExecutionId") or "")
        scanned = await self._finished(found)
        return await self._rows(found), f"Athena query {found}, {scanned / 1e6:.1f} MB scanned"

    def _start(self, text: str, values: Sequence[str]) -> dict[str, Any]:
        output = self._settings.athena_output
        literals = [f"'{value.replace(chr(39), chr(39) * 2)}'" for value in values]
        return {
            "QueryString": text,
            "ExecutionParameters": literals,
            "WorkGroup": self._settings.athena_workgroup,
            "ResultReuseConfiguration": {
                "ResultReuseByAgeConfiguration": {"Enabled": True, "MaxAgeInMinutes": REUSE_MINUTES}
            },
        } | ({"ResultConfiguration": {"OutputLocation": output}} if output else {})

    async def _finished(self, found: str) -> int:
        """Wait for the end; gives the bytes that were scanned."""
        wait_s, done = FIRST_POLL_S, False
        try:
            with anyio.move_on_after(DEADLINE_S):
                while True:
                    told = await self._call("get_query_execution", QueryExecutionId=found)
                    execution = told.get("QueryExecution") or {}
                    status = execution.get("Status") or {}
                    state = status.get("State")
                    if state not in {"QUEUED", "RUNNING"}:
                        done = True
                        return _scanned(execution, state, status)
                    await anyio.sleep(wait_s)
                    wait_s = min(LONGEST_POLL_S, 2 * wait_s)
        finally:
            if not done:
                with anyio.move_on_after(3, shield=True):
                    await self._call("stop_query_execution", QueryExecutionId=found)
        raise UpstreamTimeoutError(
            THING, f"the query was not done within {DEADLINE_S:g} s and was stopped", "a shorter period"
        )

    async def _rows(self, found: str) -> list[Row]:
        rows: list[Row] = []
        token = ""
        while True:
            more = {"NextToken": token} if token else {}
            page = await self._call("get_query_results", QueryExecutionId=found, MaxResults=PAGE, **more)
            data = (page.get("ResultSet") or {}).get("Rows") or []
            rows += [_values(row) for row in (data if token else data[1:])]  # the first is the header
            if len(rows) > MOST_ROWS:
                raise AnswerTooLargeError(THING, f"more than {MOST_ROWS:,} groups", "a shorter period")
            token = str(page.get("NextToken") or "")
            if not token:
                return rows

    async def _call(self, operation: str, **parameters: Any) -> Mapping[str, Any]:
        return dict(await self._aws.call(self._target, "athena", operation, **parameters))


def _scanned(execution: Mapping[str, Any], state: Any, status: Mapping[str, Any]) -> int:
    if state != "SUCCEEDED":
        reason = str(status.get("StateChangeReason") or "no reason given")
        raise UpstreamError(THING, f"the query ended {state}: {' '.join(reason.split())[:200]}")
    return int((execution.get("Statistics") or {}).get("DataScannedInBytes") or 0)


def _values(row: Mapping[str, Any]) -> Row:
    return tuple(cell.get("VarCharValue") for cell in row.get("Data") or ())
