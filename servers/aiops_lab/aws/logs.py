"""CloudWatch Logs: Insights over the control plane's audit log, as far as the suite asks.

moto ignores an Insights `filter` silently, which is worse than an error, so these three operations are served
here for every log group; a group that is not the cluster's has nothing to read. The records are the API
simulator's own (`kube/auditing.py`); they are there while the cluster's logging has `audit`.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC
from functools import partial
from itertools import count
from typing import Any

from aiops_lab.aws.account import ACCOUNT_ID, Account
from aiops_lab.aws.errors import AwsError, not_found
from aiops_lab.aws.insights_language import Parsed, Row, parse_query
from aiops_lab.aws.overlay import Call, Operations
from aiops_lab.kube.auditing import AuditLog, AuditRecord

STREAM = "kube-apiserver-audit-0a1b2c3d4e5f60718293a4b5c6d7e8f9"
MOST_FIELDS = 200  # Insights finds so many fields in a JSON message
MOST_RESULTS = 10_000
Answer = Mapping[str, Any]


@dataclass(slots=True)
class Queries:
    """The queries of one account. `polls` says how often a query answers Running before it is done."""

    polls: int = 1
    serial: Iterator[int] = field(default_factory=lambda: count(1))
    running: dict[str, "_Query"] = field(default_factory=dict)


@dataclass(slots=True)
class _Query:
    rows: list[Row]
    parsed: Parsed
    scanned: int
    bytes_scanned: int
    left: int
    stopped: bool = False


def logs_operations(account: Account) -> Operations:
    """The operations of service `logs` that the lab serves."""
    served = {"StartQuery": start_query, "GetQueryResults": get_query_results, "StopQuery": stop_query}
    return {("logs", name): partial(act, account) for name, act in served.items()}


def start_query(account: Account, call: Call) -> Answer:
    """Parse, run, and keep the result until it is asked for."""
    parsed = parse_query(str(call.params.get("queryString") or ""))
    groups = call.params.get("logGroupNames") or [call.params.get("logGroupName") or ""]
    since, until = int(call.params["startTime"]), int(call.params["endTime"])
    if since > until:
        raise AwsError("MalformedQueryException", "Query's end date and time is before its start")
    records = [record for group in groups for record in _records(account, str(group))]
    span = [record for record in records if since <= record.at.timestamp() < until + 1]
    asked = int(call.params.get("limit") or MOST_RESULTS)
    rows = parsed.run([_row(account, record) for record in span])[:asked]
    queries = account.area(Queries)
    query_id = f"00000000-0000-4000-8000-{next(queries.serial):012d}"
    size = sum(len(record.message) for record in span)
    queries.running[query_id] = _Query(rows, parsed, len(span), size, queries.polls)
    return {"queryId": query_id}


def get_query_results(account: Account, call: Call) -> Answer:
    """What a query found; Running with no rows for as many polls as were set."""
    query = _query(account, call)
    if query.left > 0 and not query.stopped:
        query.left -= 1
        return {"results": [], "statistics": _statistics(query, 0), "status": "Running"}
    status = "Cancelled" if query.stopped else "Complete"
    results = [_cells(row, query.parsed.fields) for row in query.rows]
    return {"results": results, "statistics": _statistics(query, len(results)), "status": status}


def stop_query(account: Account, call: Call) -> Answer:
    """End a query that runs. One that is done is refused, as AWS refuses it."""
    query = _query(account, call)
    if query.left <= 0 or query.stopped:
        raise AwsError("InvalidParameterException", "Provided query ID is not in Running or Scheduled state")
    query.stopped = True
    return {"success": True}


def _query(account: Account, call: Call) -> _Query:
    query = account.area(Queries).running.get(str(call.params.get("queryId")))
    if query is None:
        raise not_found("Provided query ID does not exist")
    return query


def _statistics(query: _Query, found: int) -> Answer:
    return {
        "recordsMatched": float(found),
        "recordsScanned": float(query.scanned),
        "bytesScanned": float(query.bytes_scanned),
    }


def _records(account: Account, group: str) -> list[AuditRecord]:
    """The records of a log group. EKS makes it once a log type is on."""
    if group != f"/aws/eks/{account.cluster}/cluster" or not account.logging:
        raise not_found(f"Log group '{group}' does not exist for account ID '{ACCOUNT_ID}'")
    if "audit" not in account.logging:
        return []
    found: list[AuditRecord] = account.in_world(lambda: list(account.area(AuditLog).records))
    return found


def _row(account: Account, record: AuditRecord) -> Row:
    """The record with Insights' own fields and those that it finds in the JSON."""
    message = record.message
    found: dict[str, Any] = {
        "@timestamp": record.at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3],
        "@message": message,
        "@logStream": STREAM,
        "@log": f"{ACCOUNT_ID}:/aws/eks/{account.cluster}/cluster",
    }
    for path, value in _flat(json.loads(message), ""):
        if len(found) >= MOST_FIELDS:
            break
        found.setdefault(path, value)
    return found


def _flat(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, each in value.items():
            yield from _flat(each, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        for at, each in enumerate(value):
            yield from _flat(each, f"{path}.{at}")
    else:
        yield path, value


def _cells(row: Row, fields: tuple[str, ...]) -> list[dict[str, str]]:
    cells = [{"field": name, "value": str(row[name])} for name in fields if row.get(name) is not None]
    return [*cells, {"field": "@ptr", "value": _pointer(row)}]


def _pointer(row: Row) -> str:
    return f"lab-{abs(hash(str(row.get('@message')))):x}"
