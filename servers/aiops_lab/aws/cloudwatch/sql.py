"""Metrics Insights: `SELECT AVG(x) FROM SCHEMA(ns, d) WHERE … GROUP BY d ORDER BY AVG() DESC LIMIT n`.

"CloudWatch Metrics Insights query components and syntax" in the user guide. Values of all matching metrics
are aggregated per period; every group is one series. At most 500 series and the last two weeks.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from aiops_lab.aws.cloudwatch.book import Book, CloudMetric
from aiops_lab.aws.cloudwatch.maths import Line
from aiops_lab.aws.cloudwatch.stats import Span, invalid, values_of
from aiops_lab.telemetry.signals import Array

MOST_SERIES = 500
KEPT_S = 14 * 86_400
FUNCTIONS = {"AVG": "Average", "COUNT": "SampleCount", "MAX": "Maximum", "MIN": "Minimum", "SUM": "Sum"}
_TOKEN = re.compile(r"""\s*('(?:[^']|'')*'|"(?:[^"]|"")*"|!=|[=(),]|[\w./*:-]+)""")
Test = Callable[[Mapping[str, str]], bool]


@dataclass(frozen=True, slots=True)
class Query:
    """One statement, understood."""

    function: str
    metric: str
    namespace: str
    schema: tuple[str, ...] | None
    test: Test
    groups: tuple[str, ...]
    order: str = ""  # a function
    descending: bool = False
    limit: int = MOST_SERIES


def is_sql(expression: str) -> bool:
    """Whether an expression is a Metrics Insights query."""
    return expression.lstrip()[:7].upper().rstrip() == "SELECT"


class _Reader:
    def __init__(self, text: str) -> None:
        self._words: list[str] = []
        at = 0
        while text[at:].strip():
            found = _TOKEN.match(text, at)
            if found is None:
                raise _wrong(f"unexpected character at position {at}")
            self._words.append(found[1])
            at = found.end()
        self._at = 0

    def peek(self) -> str:
        return self._words[self._at].upper() if self._at < len(self._words) else ""

    def take(self) -> str:
        if self._at >= len(self._words):
            raise _wrong("the query ends too early")
        self._at += 1
        return self._words[self._at - 1]

    def name(self) -> str:
        """A name, in double quotes or bare."""
        word = self.take()
        if word[0] in "'(),=":
            raise _wrong(f"a name is needed in place of {word}")
        return word.strip('"').replace('""', '"')

    def text(self) -> str:
        word = self.take()
        if not word.startswith("'"):
            raise _wrong(f"a value in single quotes is needed in place of {word}")
        return word[1:-1].replace("''", "'")

    def expect(self, *words: str) -> None:
        for word in words:
            if (found := self.take()).upper() != word:
                raise _wrong(f"{word} is needed in place of {found}")

    def takes(self, *words: str) -> bool:
        """Whether these words come next; they are taken then."""
        if self.peek() != words[0]:
            return False
        self.expect(*words)
        return True


def _wrong(why: str) -> Exception:
    return invalid(f"Error in Metrics Insights query: {why}")


def parse(text: str) -> Query:
    """A statement. Raises AwsError for what is no Metrics Insights."""
    reader = _Reader(text)
    reader.expect("SELECT")
    function = _function(reader.take())
    reader.expect("(")
    metric = reader.name()
    reader.expect(")", "FROM")
    namespace, schema = _source(reader)
    test: Test = _always
    if reader.takes("WHERE"):
        test = _either(reader)
    groups: list[str] = []
    if reader.takes("GROUP", "BY"):
        groups = _names(reader)
    order, descending = "", False
    if reader.takes("ORDER", "BY"):
        order = _function(reader.take())
        reader.expect("(", ")")
        descending = reader.takes("DESC") or (reader.takes("ASC") and False)
    limit = int(_number(reader.take())) if reader.takes("LIMIT") else MOST_SERIES
    if reader.peek():
        raise _wrong(f"unexpected {reader.take()}")
    return Query(function, metric, namespace, schema, test, tuple(groups), order, descending, limit)


def _always(_: Mapping[str, str]) -> bool:
    return True


def _function(word: str) -> str:
    if word.upper() not in FUNCTIONS:
        raise _wrong(f"unknown function {word}; {', '.join(FUNCTIONS)} are known")
    return word.upper()


def _number(word: str) -> str:
    if not word.isdecimal() or not 1 <= int(word) <= MOST_SERIES:
        raise _wrong(f"LIMIT takes a number from 1 to {MOST_SERIES}")
    return word


def _names(reader: _Reader) -> list[str]:
    found = [reader.name()]
    while reader.takes(","):
        found.append(reader.name())
    return found


def _source(reader: _Reader) -> tuple[str, tuple[str, ...] | None]:
    if not reader.takes("SCHEMA", "("):
        return reader.name(), None
    names = _names(reader)
    reader.expect(")")
    return names[0], tuple(names[1:])


def _either(reader: _Reader) -> Test:
    tests = [_both(reader)]
    while reader.takes("OR"):
        tests.append(_both(reader))
    return lambda fields: any(test(fields) for test in tests)


def _both(reader: _Reader) -> Test:
    tests = [_comparison(reader)]
    while reader.takes("AND"):
        tests.append(_comparison(reader))
    return lambda fields: all(test(fields) for test in tests)


def _comparison(reader: _Reader) -> Test:
    if reader.takes("("):
        inner = _either(reader)
        reader.expect(")")
        return inner
    name, sign = reader.name(), reader.take()
    if sign not in {"=", "!="}:
        raise _wrong(f"the operator {sign} is not supported; = and != are")
    value = reader.text()
    return lambda fields: (fields.get(name) == value) is (sign == "=")


def selected(book: Book, query: Query, span: Span) -> list[Line]:
    """The series of a query, in its order."""
    if span.now_s - span.since_s > KEPT_S + span.period_s:
        raise _wrong("only the most recent two weeks can be queried")
    groups: dict[tuple[str, ...], list[CloudMetric]] = {}
    for one in book.by_key.values():
        if (one.namespace, one.name) == (query.namespace, query.metric) and _fits(query, one):
            fields = dict(one.dimensions)
            if all(name in fields for name in query.groups):
                groups.setdefault(tuple(fields[name] for name in query.groups), []).append(one)
    starts = span.starts_s()
    found = [
        Line(
            " ".join(key) or query.metric,
            starts,
            span.period_s,
            _together(query.function, metrics, span),
            dict(zip(query.groups, key, strict=True)),
        )
        for key, metrics in sorted(groups.items())
    ]
    found = [line for line in found if not np.isnan(line.values).all()]
    if query.order:
        ranked = {id(line): _rank(query, groups, line, span) for line in found}
        found.sort(key=lambda line: ranked[id(line)], reverse=query.descending)
    return found[: query.limit]


def _fits(query: Query, one: CloudMetric) -> bool:
    fields = dict(one.dimensions)
    if query.schema is not None and set(fields) != set(query.schema):
        return False
    return query.test(fields)


def _together(function: str, metrics: list[CloudMetric], span: Span) -> Array:
    """All values of all metrics of a group, aggregated per period."""
    if function == "AVG":
        counts = _total(metrics, "SampleCount", span)
        return np.asarray(_total(metrics, "Sum", span) / np.where(counts > 0, counts, np.nan))
    if function in {"SUM", "COUNT"}:
        return _total(metrics, FUNCTIONS[function], span)
    rows = np.stack([values_of(one, FUNCTIONS[function], span) for one in metrics])
    empty = np.asarray(np.isnan(rows).all(axis=0))
    ends = np.where(np.isnan(rows), np.inf if function == "MIN" else -np.inf, rows)
    return np.where(empty, np.nan, ends.min(axis=0) if function == "MIN" else ends.max(axis=0))


def _total(metrics: list[CloudMetric], stat: str, span: Span) -> Array:
    rows = np.stack([values_of(one, stat, span) for one in metrics])
    empty = np.asarray(np.isnan(rows).all(axis=0))
    return np.where(empty, np.nan, np.where(np.isnan(rows), 0.0, rows).sum(axis=0))


def _rank(query: Query, groups: Mapping[tuple[str, ...], list[CloudMetric]], line: Line, span: Span) -> float:
    """What ORDER BY sorts a group by: its function over the whole span."""
    metrics = groups[tuple(line.names[name] for name in query.groups)]
    whole = replace(span, period_s=max(60, int(span.until_s - span.since_s) // 60 * 60))
    values = _together(query.order, metrics, whole)
    return float(values[0]) if values.size and not np.isnan(values[0]) else float("-inf")
