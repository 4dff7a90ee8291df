"""What an OpenSearch query means to the lab: the types and aggregations that the suite sends, no more.

https://docs.opensearch.org/latest/query-dsl/. Text fields are compared by word in small letters, `.keyword`
fields as a whole. Called by `opensearch`.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

Doc = Mapping[str, Any]
Test = Callable[[Doc], bool]
TIME = "@timestamp"
MOST_BUCKETS = 65_536
_FIXED = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86_400}


class Refused(Exception):  # noqa: N818  # an answer, not a failure
    """What OpenSearch answers with a status that is no success."""

    def __init__(self, status: int, kind: str, reason: str) -> None:
        super().__init__(reason)
        self.status, self.kind, self.reason = status, kind, reason


def bad(reason: str) -> Refused:
    """What it says of a query that it cannot read."""
    return Refused(400, "parsing_exception", reason)


def _value(doc: Doc, field: str) -> Any:
    name = field.removesuffix(".keyword")
    if name in doc:
        return doc[name]
    head, _, rest = name.partition(".")
    inner = doc.get(head)
    return _value(inner, rest) if rest and isinstance(inner, dict) else None


def order(sort: Sequence[Any]) -> tuple[Callable[[Doc], Any], bool]:
    """What hits are sorted by, and whether downwards; the first key counts."""
    first = sort[0] if isinstance(sort, list) and sort else {TIME: "desc"}
    field, how = next(iter(first.items())) if isinstance(first, dict) else (str(first), "asc")
    down = (how.get("order") if isinstance(how, dict) else how) == "desc"
    return (lambda doc: (_value(doc, field) is not None, _value(doc, field))), down


def compiled(query: Mapping[str, Any]) -> Test:
    """The test of a query. Raises Refused for a type that is not played."""
    if len(query) != 1:
        raise bad("[bool] malformed query, expected one type")
    kind, inner = next(iter(query.items()))
    make = _QUERIES.get(kind)
    if make is None:
        raise bad(f"unknown query [{kind}]")
    return make(inner)


def _bool(inner: Mapping[str, Any]) -> Test:
    def tests(name: str) -> list[Test]:
        each = inner.get(name) or []
        return [compiled(one) for one in (each if isinstance(each, list) else [each])]

    must, none, some = tests("must") + tests("filter"), tests("must_not"), tests("should")
    least = int(inner.get("minimum_should_match", 0 if must else 1)) if some else 0

    def test(doc: Doc) -> bool:
        if not all(one(doc) for one in must) or any(one(doc) for one in none):
            return False
        return sum(one(doc) for one in some) >= least

    return test


def _field(inner: Mapping[str, Any], key: str) -> tuple[str, Any]:
    name, value = next(iter(inner.items()))
    return name, value.get(key) if isinstance(value, dict) else value


def _term(inner: Mapping[str, Any]) -> Test:
    name, wanted = _field(inner, "value")
    return lambda doc: _same(_value(doc, name), wanted, exact=name.endswith(".keyword"))


def _terms(inner: Mapping[str, Any]) -> Test:
    name, wanted = next(iter(inner.items()))
    exact = name.endswith(".keyword")
    return lambda doc: any(_same(_value(doc, name), one, exact=exact) for one in wanted)


def _same(value: Any, wanted: Any, *, exact: bool) -> bool:
    """A keyword is equal as a whole; analysed text has the word among its own, in small letters."""
    if value is None:
        return False
    if exact or not isinstance(value, str):
        return str(value) == str(wanted)
    return str(wanted).lower() in _words(value)


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())


def _match(inner: Mapping[str, Any]) -> Test:
    name, wanted = _field(inner, "query")
    asked = set(_words(str(wanted)))
    return lambda doc: bool(asked & set(_words(str(_value(doc, name) or ""))))


def _phrase(inner: Mapping[str, Any]) -> Test:
    name, wanted = _field(inner, "query")
    asked = " ".join(_words(str(wanted)))
    return lambda doc: f" {asked} " in f" {' '.join(_words(str(_value(doc, name) or '')))} "


def _prefix(inner: Mapping[str, Any]) -> Test:
    name, wanted = _field(inner, "value")
    return lambda doc: str(_value(doc, name) or "").startswith(str(wanted))


def _range(inner: Mapping[str, Any]) -> Test:
    name, bounds = next(iter(inner.items()))
    scale = 0.001 if name == TIME else 1.0
    limits = {
        sign: float(value) * scale for sign, value in bounds.items() if sign in {"gte", "gt", "lt", "lte"}
    }

    def test(doc: Doc) -> bool:
        value = _value(doc, name)
        if not isinstance(value, int | float):
            return False
        return all(
            {"gte": value >= at, "gt": value > at, "lt": value < at, "lte": value <= at}[sign]
            for sign, at in limits.items()
        )

    return test


_WORD = re.compile(
    r'\s*(?:(AND|OR|NOT)\b|([()])|(?:([\w.@]+):)?(?:\[(\S+) TO (\S+)\]|"([^"]*)"|([^\s()"]+)|(?=\()))'
)


def _query_string(inner: Mapping[str, Any]) -> Test:
    """`level:(ERROR OR FATAL) AND status:[500 TO *] "two words" -word`."""
    text, joined = str(inner.get("query") or "*"), str(inner.get("default_operator") or "OR").upper()
    test, rest = _either(text, "", joined)
    if rest.strip():
        raise bad(f"Failed to parse query [{text}]")
    return test


def _either(text: str, field: str, joined: str) -> tuple[Test, str]:
    """Reads up to a closing bracket: AND binds as OR does not."""
    groups: list[list[Test]] = [[]]
    link = ""
    while text.strip() and not text.lstrip().startswith(")"):
        match = _WORD.match(text)
        if match is None or match.end() == 0:
            raise bad(f"Failed to parse query [{text[:40]}]")
        if match[1] in {"AND", "OR"}:
            link, text = match[1], text[match.end() :]
            continue
        one, text = _one(text, field, joined)
        if groups[-1] and (link or joined) == "OR":
            groups.append([])
        groups[-1].append(one)
        link = ""
    return (lambda doc: any(all(test(doc) for test in group) for group in groups)), text


def _one(text: str, field: str, joined: str) -> tuple[Test, str]:
    text = text.lstrip()
    negated = re.match(r"(?:NOT\s+|-)", text)
    if negated:
        inner, rest = _one(text[negated.end() :], field, joined)
        return (lambda doc: not inner(doc)), rest
    named = re.match(r"([\w.@]+):(?=\()", text)
    if named or text.startswith("("):
        start = named.end() if named else 0
        inner, rest = _either(text[start + 1 :], named[1] if named else field, joined)
        if not rest.lstrip().startswith(")"):
            raise bad("Failed to parse query: ) is missing")
        return inner, rest.lstrip()[1:]
    match = _WORD.match(text)
    if match is None or match[1] or match[2]:
        raise bad(f"Failed to parse query [{text[:40]}]")
    return _atom(match, match[3] or field), text[match.end() :]


def _atom(match: re.Match[str], field: str) -> Test:
    if match[4] is not None:
        bounds = {sign: at for sign, at in (("gte", match[4]), ("lte", match[5])) if at != "*"}
        return _range({field: bounds})
    if match[6] is not None:
        return _anywhere(field, lambda name: _phrase({name: match[6]}))
    word = match[7]
    if word == "*":
        return (lambda doc: _value(doc, field) is not None) if field else lambda doc: True
    if word.endswith("*"):
        start = word[:-1].lower()
        return _anywhere(
            field,
            lambda name: lambda doc: any(w.startswith(start) for w in _words(str(_value(doc, name) or ""))),
        )
    return _anywhere(field, lambda name: _phrase({name: word}))


def _anywhere(field: str, make: Callable[[str], Test]) -> Test:
    """On one field, or on any that a document has."""
    if field:
        return make(field)
    return lambda doc: any(make(name)(doc) for name in doc if name != TIME)


_QUERIES: Mapping[str, Callable[[Any], Test]] = {
    "match_all": lambda inner: lambda doc: True,
    "bool": _bool,
    "term": _term,
    "terms": _terms,
    "match": _match,
    "match_phrase": _phrase,
    "prefix": _prefix,
    "range": _range,
    "exists": lambda inner: lambda doc: _value(doc, str(inner.get("field"))) is not None,
    "query_string": _query_string,
    "simple_query_string": _query_string,
}


def aggregated(aggs: Mapping[str, Any], docs: Sequence[Doc]) -> dict[str, Any]:
    """Aggregations over documents. Raises Refused for one that is not played."""
    return {name: _aggregate(one, docs) for name, one in aggs.items()}


def _aggregate(one: Mapping[str, Any], docs: Sequence[Doc]) -> dict[str, Any]:
    inner = one.get("aggs") or {}
    kinds = [kind for kind in one if kind != "aggs"]
    if len(kinds) != 1:
        raise bad("Expected one aggregation type")
    kind, how = kinds[0], one[kinds[0]]
    field = str(how.get("field") or "")
    if kind == "terms":
        return {"buckets": _buckets(docs, field, inner, int(how.get("size", 10)))}
    if kind == "date_histogram":
        return {"buckets": _histogram(docs, str(how.get("fixed_interval") or ""), inner)}
    values = [value for doc in docs if (value := _value(doc, field)) is not None]
    numbers = [float(value) for value in values if isinstance(value, int | float)]
    folds: Mapping[str, Callable[[], Any]] = {
        "cardinality": lambda: len({str(value) for value in values}),
        "value_count": lambda: len(values),
        "avg": lambda: sum(numbers) / len(numbers) if numbers else None,
        "sum": lambda: sum(numbers),
        "min": lambda: min(numbers, default=None),
        "max": lambda: max(numbers, default=None),
    }
    if kind not in folds:
        raise bad(f"Unknown aggregation type [{kind}]")
    return {"value": folds[kind]()}


def _buckets(docs: Sequence[Doc], field: str, inner: Mapping[str, Any], size: int) -> list[dict[str, Any]]:
    kept: dict[Any, list[Doc]] = {}
    for doc in docs:
        value = _value(doc, field)
        if value is not None:
            kept.setdefault(value, []).append(doc)
    rows = sorted(kept.items(), key=lambda each: (-len(each[1]), str(each[0])))[:size]
    return [{"key": key, "doc_count": len(own), **aggregated(inner, own)} for key, own in rows]


def _histogram(docs: Sequence[Doc], interval: str, inner: Mapping[str, Any]) -> list[dict[str, Any]]:
    match = re.fullmatch(r"(\d+)(ms|s|m|h|d)", interval)
    if match is None:
        raise Refused(400, "illegal_argument_exception", f"failed to parse interval [{interval}]")
    step = int(match[1]) * _FIXED[match[2]]
    kept: dict[float, list[Doc]] = {}
    for doc in docs:
        kept.setdefault(float(doc[TIME]) // step * step, []).append(doc)
    if len(kept) > MOST_BUCKETS:
        raise Refused(400, "too_many_buckets_exception", "Trying to create too many buckets")
    return [
        {
            "key": round(at * 1000),
            "key_as_string": datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z"),
            "doc_count": len(kept[at]),
            **aggregated(inner, kept[at]),
        }
        for at in sorted(kept)
    ]
