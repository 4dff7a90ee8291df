"""CloudWatch Logs Insights of the lab: queries that really filter and count, over every log group it has.

moto ignores an Insights `filter` silently, which is worse than an error, so the operations of Insights are
served here; events without it are in `log_events`. A query is run when it starts; what it answers meanwhile
is what the part it has "scanned" gives, as Insights shows partial results.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from typing import Any

from aiops_lab.aws import log_groups
from aiops_lab.aws.account import Account
from aiops_lab.aws.errors import AwsError, not_found
from aiops_lab.aws.insights_dialects import groups_of, parse
from aiops_lab.aws.insights_expressions import plain
from aiops_lab.aws.insights_language import Parsed, Row
from aiops_lab.aws.log_events import log_event_operations
from aiops_lab.aws.overlay import Call, Operations

MOST_RESULTS = 10_000
MOST_GROUPS = 50
LANGUAGES = ("CWLI", "PPL", "SQL")
Answer = Mapping[str, Any]


@dataclass(slots=True)
class Queries:
    """The queries of one account. `polls` says how often a query answers Running before it is done.

    `ends` is the status in which a query ends; `at_once` how many may run at the same time.
    """

    polls: int = 1
    ends: str = "Complete"
    at_once: int = 100  # the quota "Concurrent queries" of most Regions
    serial: Iterator[int] = field(default_factory=lambda: count(1))
    running: dict[str, "_Query"] = field(default_factory=dict)


@dataclass(slots=True)
class _Query:
    rows: Sequence[Row]  # every row of the span, newest first
    parsed: Parsed
    bytes_scanned: int
    most: int
    polls: int
    left: int
    groups: int = 1
    stopped: bool = False

    @property
    def done(self) -> float:
        """The part that was scanned so far."""
        return 1.0 if self.left <= 0 else max(0.0, 1.0 - (self.left + 1) / max(1, self.polls))

    def part(self) -> Sequence[Row]:
        """The rows that were scanned so far."""
        return self.rows[: round(len(self.rows) * self.done)]

    def found(self) -> list[Row]:
        """What the scanned part gives."""
        return self.parsed.run(self.part())[: self.most]


def logs_operations(account: Account) -> Operations:
    """The operations of service `logs` that the lab serves."""
    served = {"StartQuery": start_query, "GetQueryResults": get_query_results, "StopQuery": stop_query}
    insights = {("logs", name): partial(act, account) for name, act in served.items()}
    return {**log_event_operations(account), **insights}


def start_query(account: Account, call: Call) -> Answer:
    """Parse, take the rows of the span, and keep both until they are asked for."""
    text, language = (
        str(call.params.get("queryString") or ""),
        str(call.params.get("queryLanguage") or "CWLI"),
    )
    if language not in LANGUAGES:
        raise AwsError("InvalidParameterException", f"queryLanguage is one of {', '.join(LANGUAGES)}")
    names = _groups(call, text, language)
    parsed = parse(text, language)
    since, until = int(call.params["startTime"]), int(call.params["endTime"])
    if since > until:
        raise AwsError("MalformedQueryException", "Query's end date and time is before its start")
    queries = account.area(Queries)
    if sum(not one.stopped and one.left > 0 for one in queries.running.values()) >= queries.at_once:
        raise AwsError(
            "LimitExceededException",
            f"Account maximum query concurrency limit of [{queries.at_once}] reached.",
        )
    rows, scanned = _span(account, names, since, until)
    most = int(call.params.get("limit") or MOST_RESULTS)
    query_id = f"00000000-0000-4000-8000-{next(queries.serial):012d}"
    queries.running[query_id] = _Query(
        rows, parsed, scanned, most, queries.polls, queries.polls, groups=len(names)
    )
    return {"queryId": query_id}


def _groups(call: Call, text: str, language: str) -> list[str]:
    given = [
        *(call.params.get("logGroupNames") or ()),
        *(call.params.get("logGroupIdentifiers") or ()),
        *([call.params["logGroupName"]] if call.params.get("logGroupName") else ()),
    ]
    if language == "SQL":
        if given:
            raise AwsError("InvalidParameterException", "Log groups of an SQL query are named in its FROM")
        given = list(groups_of(text))
    if not given or len(given) > MOST_GROUPS:
        raise AwsError("InvalidParameterException", f"Name 1 to {MOST_GROUPS} log groups")
    return [str(name) for name in given]


def _span(account: Account, names: Sequence[str], since: int, until: int) -> tuple[list[Row], int]:
    """The rows of the groups between two seconds, newest first, and the bytes that lie there."""
    rows: list[Row] = []
    scanned = 0
    end_s = min(until + 0.999, account.now().timestamp())
    for name in names:
        group = log_groups.group(account, name)
        first = bisect_left(group.records, float(since), key=lambda one: one.at_s)
        last = bisect_right(group.records, end_s, key=lambda one: one.at_s)
        rows += account.area(log_groups.Rows).of(group, first, last)
        scanned += group.bytes_between(since, end_s)
    rows.sort(key=lambda row: str(row["@timestamp"]), reverse=True)
    return rows, scanned


def get_query_results(account: Account, call: Call) -> Answer:
    """What a query found; Running with what is there for as many polls as were set."""
    query = _query(account, call)
    status = account.area(Queries).ends
    if query.stopped:
        status = "Cancelled"
    elif query.left > 0:
        status = "Running"
    rows = query.found() if status in {"Running", "Complete", "Cancelled", "Timeout"} else []
    results = [_cells(row, query.parsed) for row in rows]
    answer = {"results": results, "statistics": _statistics(query), "status": status}
    if query.left > 0 and not query.stopped:
        query.left -= 1
    return answer


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


def _statistics(query: _Query) -> Answer:
    return {
        "recordsMatched": float(query.parsed.matched(query.part())),
        "recordsScanned": float(len(query.part())),
        "bytesScanned": float(round(query.bytes_scanned * query.done)),
        "logGroupsScanned": float(query.groups),
    }


def _cells(row: Row, parsed: Parsed) -> list[dict[str, str]]:
    cells = [
        {"field": name, "value": plain(row[name])} for name in parsed.fields if row.get(name) is not None
    ]
    return cells if parsed.counted else [*cells, {"field": "@ptr", "value": _pointer(row)}]


def _pointer(row: Row) -> str:
    return f"lab-{abs(hash(str(row.get('@message')))):x}"
