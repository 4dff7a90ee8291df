"""Athena over the account's cost and usage files: queries run in DuckDB, states and results as Athena's.

One table is known (`CostFiles`). Values bound are literals, texts in quotes, as `ExecutionParameters` wants
them: https://docs.aws.amazon.com/athena/latest/APIReference/API_StartQueryExecution.html. What of Athena's
SQL DuckDB spells otherwise is `element_at`.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from uuid import uuid4

from aiops_lab.aws.account import Account
from aiops_lab.aws.cost_files import CostFiles
from aiops_lab.aws.errors import AwsError
from aiops_lab.aws.overlay import Call, Operations

MOST_RESULTS = 1000
_TABLE = re.compile(r'FROM "([^"]+)"\."([^"]+)"')
_TEXT = re.compile(r"'((?:[^']|'')*)'")
Answer = Mapping[str, Any]


@dataclass(slots=True)
class Execution:
    """One query: what it gave, and how often it was looked at."""

    query: str
    state: str = "QUEUED"
    reason: str = ""
    columns: tuple[str, ...] = ()
    rows: Sequence[tuple[Any, ...]] = ()
    scanned: int = 0
    seen: int = 0


@dataclass(slots=True)
class AthenaState:
    """The account's queries."""

    executions: dict[str, Execution] = field(default_factory=dict)


def athena_operations(account: Account) -> Operations:
    """The operations of Athena that the suite uses."""
    served = {
        "StartQueryExecution": start_query_execution,
        "GetQueryExecution": get_query_execution,
        "GetQueryResults": get_query_results,
        "StopQueryExecution": stop_query_execution,
    }
    return {("athena", name): partial(act, account) for name, act in served.items()}


def start_query_execution(account: Account, call: Call) -> Answer:
    """Runs it at once; a caller sees QUEUED and RUNNING first."""
    files = account.area(CostFiles)
    files.asked.append(call.params["QueryString"])
    made = Execution(call.params["QueryString"])
    if not files.slow:
        _run(files, made, call.params.get("ExecutionParameters") or ())
    found = str(uuid4())
    account.area(AthenaState).executions[found] = made
    return {"QueryExecutionId": found}


def get_query_execution(account: Account, call: Call) -> Answer:
    """State and statistics."""
    found = _find(account, call)
    found.seen += 1
    state = found.state
    if found.seen <= 2 and state not in {"CANCELLED"}:
        state = "QUEUED" if found.seen == 1 else "RUNNING"
    status: dict[str, Any] = {"State": state}
    if state == "FAILED":
        status["StateChangeReason"] = found.reason
    return {
        "QueryExecution": {
            "QueryExecutionId": call.params["QueryExecutionId"],
            "Query": found.query,
            "Status": status,
            "Statistics": {"DataScannedInBytes": found.scanned},
        }
    }


def get_query_results(account: Account, call: Call) -> Answer:
    """A page of rows; the first row of the first page is the header."""
    found = _find(account, call)
    if found.state != "SUCCEEDED":
        raise AwsError(
            "InvalidRequestException", f"Query has not yet finished. Current state: {found.state}", 400
        )
    start, most = int(call.params.get("NextToken") or 0), int(call.params.get("MaxResults") or MOST_RESULTS)
    rows = [found.columns, *found.rows][start : start + most]
    data = [{"Data": [{} if cell is None else {"VarCharValue": str(cell)} for cell in row]} for row in rows]
    answer: dict[str, Any] = {"ResultSet": {"Rows": data}}
    if start + most <= len(found.rows):
        answer["NextToken"] = str(start + most)
    return answer


def stop_query_execution(account: Account, call: Call) -> Answer:
    """Ends it."""
    found = _find(account, call)
    if found.state in {"QUEUED", "RUNNING"}:
        found.state = "CANCELLED"
    return {}


def _find(account: Account, call: Call) -> Execution:
    wanted = call.params["QueryExecutionId"]
    found = account.area(AthenaState).executions.get(wanted)
    if found is None:
        raise AwsError("InvalidRequestException", f"QueryExecution {wanted} was not found", 400)
    return found


def _run(files: CostFiles, made: Execution, values: Sequence[str]) -> None:
    import duckdb  # only worlds whose files are asked for need it

    named = _TABLE.search(made.query)
    if files.fails or files.folder is None or named is None:
        made.state, made.reason = "FAILED", files.fails or "TABLE_NOT_FOUND"
        return
    if named.groups() != (files.database, files.table):
        place = f"awsdatacatalog.{named[1]}.{named[2]}"
        made.state, made.reason = "FAILED", f"TABLE_NOT_FOUND: line 1:1: Table '{place}' does not exist"
        return
    paths = [str(path) for path in sorted(files.folder.rglob("*.parquet"))]
    text = _TABLE.sub("FROM read_parquet(?)", made.query).replace("element_at(", "map_extract_value(")
    connection = duckdb.connect(":memory:")
    try:
        ran = connection.execute(text, [paths, *(_literal(value) for value in values)])
        made.columns = tuple(one[0] for one in ran.description or ())
        made.rows = ran.fetchall()
        made.state = "SUCCEEDED"
        made.scanned = sum(path.stat().st_size for path in files.folder.rglob("*.parquet"))
    except (duckdb.Error, ValueError) as error:
        made.state, made.reason = "FAILED", f"SYNTAX_ERROR: {error}"[:300]
    finally:
        connection.close()


def _literal(value: str) -> Any:
    """A bound value: a text stands in quotes; a bare word would be the name of a column."""
    if text := _TEXT.fullmatch(value):
        return text[1].replace("''", "'")
    if value.replace(".", "", 1).isdigit():
        return float(value)
    raise ValueError(f"COLUMN_NOT_FOUND: Column '{value}' cannot be resolved")
