"""What of the OpenSearch query language is let through: reading, counting, nothing that runs a program.

A query is a text (the query string syntax, without leading wild cards) or a JSON body. Scripts, runtime
fields, stored templates, joins and regular expressions are refused: they cost what no estimate tells, or run
code.
https://docs.opensearch.org/latest/query-dsl/.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

from aiops_shared.aws.log_spans import Span
from aiops_shared.errors import QueryInvalidError

TIME = "@timestamp"
QUERIES = frozenset(
    [
        "bool",
        "term",
        "terms",
        "match",
        "match_phrase",
        "prefix",
        "exists",
        "range",
        "query_string",
        "simple_query_string",
        "match_all",
    ]
)
AGGREGATIONS = frozenset(
    [
        "terms",
        "date_histogram",
        "cardinality",
        "avg",
        "min",
        "max",
        "sum",
        "value_count",
        "percentiles",
        "stats",
    ]
)
TOP = frozenset({"query", "aggs", "aggregations", "sort", "_source", "size"})
MOST_BUCKETS, DEEPEST = 1_000, 12
_LEADING = re.compile(r"(?:^|[\s(:])[*?]\w?")
_QUOTED = re.compile(r'\\.|"(?:[^"\\]|\\.)*"')  # escaped signs and phrases: brackets in them are text


def body_of(query: str, span: Span, limit: int) -> dict[str, Any]:
    """The search that a query means, bounded to the span. Raises QueryInvalidError."""
    asked: dict[str, Any] = _json(query) if query.lstrip().startswith("{") else {"query": _text(query)}
    if unknown := sorted(set(asked) - TOP):
        raise _refused(f"{unknown[0]} is not taken", f"a body has {', '.join(sorted(TOP))}")
    inner = asked.get("query", {"match_all": {}})
    _require_query(inner, 0)
    aggs = asked.get("aggs") or asked.get("aggregations") or {}
    _require_aggregations(aggs, 0)
    body: dict[str, Any] = {
        "query": {"bool": {"must": [inner], "filter": [{"range": {TIME: time_range(span)}}]}},
        "size": 0 if aggs and "size" not in asked else min(limit, int(asked.get("size") or limit)),
        "track_total_hits": True,
        "timeout": "30s",
        "sort": asked.get("sort") or [{TIME: "desc"}],
    }
    if aggs:
        body["aggs"] = aggs
    if "_source" in asked:
        body["_source"] = asked["_source"]
    return body


def time_range(span: Span) -> dict[str, Any]:
    """The half-open span in milliseconds."""
    since_ms, until_ms = int(span.since.timestamp() * 1000), int(span.until.timestamp() * 1000)
    return {"gte": since_ms, "lt": until_ms, "format": "epoch_millis"}


def _json(query: str) -> dict[str, Any]:
    try:
        found = json.loads(query)
    except ValueError as error:
        raise _refused("the body is no JSON", str(error)) from error
    if not isinstance(found, dict):
        raise _refused("the body is no object", '{"query": {…}}')
    return found


def _text(query: str) -> dict[str, Any]:
    if not query.strip():
        return {"match_all": {}}
    if _LEADING.search(query) or "/" in query.replace("\\/", ""):
        raise _refused(
            "leading wild cards and regular expressions read every term",
            'words, level:ERROR, "a phrase", status:[500 TO *]',
        )
    _require_groups(query)
    return {"query_string": {"query": query, "default_operator": "AND", "allow_leading_wildcard": False}}


def _require_groups(query: str) -> None:
    """Raises QueryInvalidError for groups that do not close, or nest deeper than a person writes."""
    depth = 0
    for sign in _QUOTED.sub("", query):
        depth += (sign == "(") - (sign == ")")
        if not 0 <= depth <= DEEPEST:
            raise _refused(
                "its brackets do not close, or nest too deep", "level:(ERROR OR FATAL) AND timeout"
            )
    if depth:
        raise _refused("its brackets do not close", "level:(ERROR OR FATAL) AND timeout")


def _require_query(query: Any, depth: int) -> None:
    """Raises QueryInvalidError for a type that is not let through, anywhere."""
    if not isinstance(query, dict) or len(query) != 1 or depth > DEEPEST:
        raise _refused("a query has one type", '{"term": {"level": "ERROR"}}')
    kind, inner = next(iter(query.items()))
    if kind not in QUERIES:
        raise _refused(f"{kind[:40]} is not taken", f"one of {', '.join(sorted(QUERIES))}")
    if kind in {"query_string", "simple_query_string"}:
        text = str((inner or {}).get("query") or "")
        if _LEADING.search(text):
            raise _refused("leading wild cards read every term", "words or field:value")
        _require_groups(text)
    if kind == "bool":
        for part, each in (inner or {}).items():
            if part in {"must", "filter", "should", "must_not"}:
                for one in each if isinstance(each, list) else [each]:
                    _require_query(one, depth + 1)
            elif part != "minimum_should_match":
                raise _refused(f"bool has no {part[:40]}", "must, filter, should, must_not")


def _require_aggregations(aggs: Any, depth: int) -> None:
    if not isinstance(aggs, dict) or depth > 3:
        raise _refused("aggregations are named objects, three deep", '{"n": {"terms": {"field": "level"}}}')
    for one in aggs.values():
        kinds = (
            [kind for kind in one if kind not in {"aggs", "aggregations"}] if isinstance(one, dict) else []
        )
        if len(kinds) != 1 or kinds[0] not in AGGREGATIONS:
            raise _refused(
                f"aggregation {(kinds or ['?'])[0][:40]} is not taken", ", ".join(sorted(AGGREGATIONS))
            )
        _require_field(one[kinds[0]])
        _require_aggregations(one.get("aggs") or one.get("aggregations") or {}, depth + 1)


def _require_field(inner: Any) -> None:
    if not isinstance(inner, Mapping) or "script" in inner or "field" not in inner:
        raise _refused("an aggregation is over a field", '{"terms": {"field": "level.keyword"}}')
    if int(inner.get("size") or 0) > MOST_BUCKETS:
        raise _refused(f"more than {MOST_BUCKETS} buckets", "ask for less")


def _refused(why: str, hint: str) -> QueryInvalidError:
    return QueryInvalidError("query", why, hint)
