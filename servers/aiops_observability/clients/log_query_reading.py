"""`query_logs`: one query in the words of its backend, bounded before and while it runs.

Everything that can be refused is refused before a byte is scanned. What comes back is somebody else's
text: it is redacted, cut and stands in `rows`, which the answer marks untrusted.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from aiops_observability.clients.log_cost import Costs, size
from aiops_observability.clients.log_opensearch import OpenSearch
from aiops_observability.clients.log_opensearch_words import body_of
from aiops_observability.clients.log_pods import pod_lines
from aiops_observability.clients.log_spans import hours, span_of
from aiops_observability.clients.log_targets import groups_in_sql, groups_of, missing
from aiops_observability.models.logs import LogQueryAsk, LogRows
from aiops_shared.aws import EksCluster
from aiops_shared.aws.log_insights import Found, Insights
from aiops_shared.aws.log_shape import shape_of
from aiops_shared.aws.log_spans import Span, Until
from aiops_shared.clock import Clock
from aiops_shared.errors import AiopsError, InvalidInputError, NotFoundError, QueryInvalidError
from aiops_shared.guardrails.key_lines import KEY_PART, MASK, without_key_lines
from aiops_shared.guardrails.redacting import shortened
from aiops_shared.kube.api import KubeApi
from aiops_shared.kube.nearest import nearest
from aiops_shared.results import Cell, Evidence, Table
from aiops_shared.settings import LogsSettings

CELL_CHARS = {False: 300, True: 2_000}
BUDGET_CHARS = {False: 3_000, True: 28_000}
_KEY_EDGE = re.compile(r"-----(?:BEGIN|END) [A-Z0-9 ]{0,40}PRIVATE KEY")
PAGES = 20  # of FilterLogEvents, which may answer empty pages
SAMPLE = 50
_WORDS = frozenset(
    [
        "fields",
        "filter",
        "stats",
        "sort",
        "limit",
        "display",
        "parse",
        "dedup",
        "by",
        "as",
        "and",
        "or",
        "not",
        "in",
        "like",
        "desc",
        "asc",
        "count",
        "sum",
        "avg",
        "min",
        "max",
        "pct",
        "bin",
        "where",
        "head",
        "eval",
        "select",
        "from",
        "group",
        "order",
        "sample",
        "ispresent",
        "strlen",
    ]
)


class Sensitive(Protocol):
    """Who may read what programs wrote."""

    async def allow(self, what: str) -> None:
        """Pass, audited, or raise ActionRefusedError."""
        ...


class Places(Protocol):
    """`ClusterDirectory`, as far as logs need it."""

    async def eks(self, cluster: str | None) -> EksCluster:
        """AWS, asked about one cluster."""
        ...

    async def open(self, cluster: str | None) -> KubeApi:
        """The Kubernetes API of one cluster."""
        ...


@dataclass(frozen=True)
class LogQueryReader:
    """Fulfils `ports.LogQueries`."""

    clusters: Places
    clock: Clock
    sensitive: Sensitive
    settings: LogsSettings
    search: Callable[[], OpenSearch]

    async def query(self, ask: LogQueryAsk) -> LogRows:
        """The rows of one query. Raises QueryInvalidError for what would read too much, and AiopsErrors."""
        span = span_of(ask.since, ask.until, await self.clock.now())
        if not ask.query.strip() and ask.source not in {"filter", "pods"}:
            raise InvalidInputError("query", "is empty")
        await self.sensitive.allow(f"logs: {', '.join(ask.target) or 'application'} by {ask.source}")
        until = Until.within()
        match ask.source:
            case "opensearch":
                return await self._opensearch(ask, span)
            case "pods":
                return await self._pods(ask, span)
            case "filter":
                return await self._filtered(ask, span, until)
            case _:
                return await self._insights(ask, span, until)

    async def _insights(self, ask: LogQueryAsk, span: Span, until: Until) -> LogRows:
        named = groups_in_sql(ask.query) if ask.source == "sql" else None
        eks = await self.clusters.eks(ask.cluster)
        groups = named or groups_of(eks.name, ask.target)
        costs = Costs(
            eks, self.settings.max_scan_bytes, await self.clock.now(), self.settings.scan_price_per_gb
        )
        estimate = await costs.estimate(groups, span)
        wanted = costs.admit(estimate, span)
        try:
            found = await Insights(eks, until).run(
                ask.query, groups, span, language=ask.source, limit=ask.limit
            )
        except NotFoundError as error:
            raise await missing(eks, groups, error) from error
        hint = "" if found.rows else await self._empty(eks, groups, span, ask.query, found)
        rows, cut = table(found.rows, full=ask.full)
        source = f"CloudWatch Logs Insights {', '.join(groups)}"
        return LogRows(
            summary=_said(len(found.rows), found, wanted, span),
            rows=rows,
            estimated_bytes=round(wanted),
            scanned_bytes=found.scanned_bytes,
            scanned_records=found.scanned_records,
            evidence=(Evidence(source=source, query=f"{span.said}: {ask.query[:600]}"),),
            warnings=_kept(found.cut, cut, *estimate.rough),
            hint=hint,
            truncated=bool(found.cut or cut),
            untrusted=("rows",),
        )

    async def _empty(
        self, eks: EksCluster, groups: Sequence[str], span: Span, query: str, found: Found
    ) -> str:
        """Why nothing came: no lines, or a field that no line has (the nearest ones are named)."""
        if not found.scanned_records:
            return (
                f"No line in {', '.join(groups)} over {span.said}; widen since..until or name another group."
            )
        known = await self._fields(eks, groups[0], span)
        absent = [word for word in _named(query) if word not in known]
        close = [f"{word}: {', '.join(near)}" for word in absent if (near := nearest(word, known))]
        if close:
            return f"No line has such a field; nearest: {'; '.join(close[:3])}."
        return f"{found.scanned_records:,} lines were read and none passes the filters; fields: " + (
            ", ".join(known[:12]) or "none found (lines are plain text)"
        )

    async def _fields(self, eks: EksCluster, group: str, span: Span) -> tuple[str, ...]:
        near = Span(max(span.since, span.until - hours(6)), span.until)
        try:
            answer = await eks.call(
                "logs",
                "filter_log_events",
                logGroupName=group,
                startTime=int(near.since.timestamp() * 1000),
                endTime=int(near.until.timestamp() * 1000),
                limit=SAMPLE,
            )
        except AiopsError:
            return ()
        return shape_of(str(one.get("message") or "") for one in answer.get("events") or ()).names

    async def _filtered(self, ask: LogQueryAsk, span: Span, until: Until) -> LogRows:
        """FilterLogEvents: oldest first, not billed by bytes, slow over long spans."""
        eks = await self.clusters.eks(ask.cluster)
        groups = groups_of(eks.name, ask.target)
        if len(groups) > 1:
            raise InvalidInputError("target", "a filter pattern reads one log group", "name one")
        asked: dict[str, Any] = {
            "logGroupName": groups[0],
            "startTime": int(span.since.timestamp() * 1000),
            "endTime": int(span.until.timestamp() * 1000),
            "filterPattern": ask.query,
        }
        events: list[Mapping[str, str]] = []
        cut = ""
        for page in range(PAGES + 1):
            if page == PAGES or until.left_s < 5:
                cut = "not the whole window was searched in time; shorten it"
                break
            try:
                answer = await eks.call(
                    "logs", "filter_log_events", **asked, limit=min(10_000, ask.limit - len(events))
                )
            except NotFoundError as error:
                raise await missing(eks, groups, error) from error
            except InvalidInputError as error:
                raise QueryInvalidError("query", error.reason, _PATTERNS) from error
            except AiopsError as error:
                if not events:
                    raise
                cut = f"only a part: {error}"
                break
            events += [_event(one) for one in answer.get("events") or ()]
            token = answer.get("nextToken")
            if not token:
                break
            if len(events) >= ask.limit:
                cut = f"the oldest {len(events)} events are shown; narrow the pattern or the window"
                break
            asked["nextToken"] = token
        rows, short = table(events, full=ask.full)
        return LogRows(
            summary=f"{len(events)} events of {groups[0]} match over {span.said}.",
            rows=rows,
            evidence=(
                Evidence(
                    source=f"CloudWatch FilterLogEvents {groups[0]}", query=f"{span.said}: {ask.query[:600]}"
                ),
            ),
            warnings=_kept(cut, short),
            hint="" if events else f"Nothing in {span.said}; patterns are case-sensitive. {_PATTERNS}",
            truncated=bool(cut or short),
            untrusted=("rows",),
        )

    async def _pods(self, ask: LogQueryAsk, span: Span) -> LogRows:
        kube = await self.clusters.open(ask.cluster)
        found = await pod_lines(kube, ask.target, span)
        word = ask.query.lower()
        lines = [one for one in found.lines if word in one.line.message.lower()][: ask.limit]
        events = [
            {"@timestamp": Span.at(one.at_s), "pod": one.stream, "@message": one.line.message}
            for one in lines
        ]
        rows, short = table(events, full=ask.full)
        return LogRows(
            summary=f"{len(events)} of {len(found.lines)} lines of {ask.target[0]} contain the text.",
            rows=rows,
            evidence=(
                Evidence(source=f"Kubernetes API of {kube.cluster}", query=f"logs of {ask.target[0]}"),
            ),
            warnings=_kept(short, *found.warnings),
            hint="" if events else "No line contains the text; for pods `query` is a plain text, any case.",
            truncated=bool(short),
            untrusted=("rows",),
        )

    async def _opensearch(self, ask: LogQueryAsk, span: Span) -> LogRows:
        backend = self.search()
        body_of(ask.query, span, ask.limit)  # what it refuses, it refuses before anything is asked
        wanted = await backend.admit(ask.target, [span], self.settings.max_scan_bytes)
        found = await backend.query(ask.target, ask.query, span, ask.limit)
        rows, short = table(found.rows, full=ask.full)
        return LogRows(
            summary=f"{len(found.rows)} rows of {found.matched:,} documents that match over {span.said}.",
            rows=rows,
            estimated_bytes=round(wanted),
            scanned_records=found.matched,
            evidence=(Evidence(source=backend.thing, query=f"{span.said}: {ask.query[:600]}"),),
            warnings=_kept(short, *found.warnings),
            hint="" if found.rows else await backend.empty(ask.target, ask.query),
            truncated=bool(short) or len(found.rows) < found.matched,
            untrusted=("rows",),
        )


_PATTERNS = (
    'As: ERROR timeout, ?ERROR ?FATAL, -healthz, "two words", { $.level = "ERROR" && $.status >= 500 }'
)


def _event(event: Mapping[str, Any]) -> Mapping[str, str]:
    return {
        "@timestamp": Span.at(float(event.get("timestamp") or 0) / 1000),
        "@logStream": str(event.get("logStreamName") or ""),
        "@message": str(event.get("message") or ""),
    }


def _said(count: int, found: Found, wanted: float, span: Span) -> str:
    part = "; partial" if found.cut and count else ""
    return (
        f"{count} rows from {found.scanned_records:,} lines, {size(found.scanned_bytes)} scanned"
        f" (estimated {size(wanted)}), {span.said}{part}."
    )


def _kept(*said: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(each for each in said if each))


def _named(query: str) -> list[str]:
    """Words of a query that may be fields."""
    bare = re.sub(r"\"[^\"]*\"|'[^']*'|/(?:\\.|[^/\\\n])+/", " ", query)
    found = re.findall(r"(?<![\w@])[A-Za-z_][\w.]*(?!\w*\()", bare)
    return [word for word in dict.fromkeys(found) if word.lower() not in _WORDS]


def table(rows: Iterable[Mapping[str, str]], *, full: bool) -> tuple[Table, str]:
    """Rows as columns, redacted, cut to the budget; what was cut is said."""
    every = _without_keys(list(rows))
    columns = list(dict.fromkeys(name for row in every for name in row))
    shown: list[tuple[Cell, ...]] = []
    left = BUDGET_CHARS[full]
    for row in every:
        cells = tuple(_cell(row.get(name), CELL_CHARS[full]) for name in columns)
        left -= sum(len(str(cell)) + 3 for cell in cells)
        if left < 0 and shown:
            break
        shown.append(cells)
    cut = (
        ""
        if len(shown) == len(every)
        else f"{len(shown)} of {len(every)} rows fit; count in the query, or detail=full"
    )
    return Table(columns=tuple(columns), rows=tuple(shown)), cut


def _without_keys(rows: list[Mapping[str, str]]) -> list[Mapping[str, str]]:
    """A private key that a program logged lies over many rows, in any order, where no rule sees it whole: as
    soon as one row begins or ends one, everything that could be a part of a key is masked in all rows; else
    what is as long as a line of one.
    """
    if not any(_KEY_EDGE.search(text) for row in rows for text in row.values()):
        return [{name: without_key_lines(text) for name, text in row.items()} for row in rows]
    return [{name: KEY_PART.sub(MASK, text) for name, text in row.items()} for row in rows]


def _cell(value: str | None, most: int) -> Cell:
    if value is None:
        return None
    if value.lstrip("-").replace(".", "", 1).isdecimal() and len(value) < 16:
        return float(value) if "." in value else int(value)
    return shortened(value, most)
