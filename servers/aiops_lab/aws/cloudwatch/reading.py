"""One request for metrics: its queries, each a metric or an expression, evaluated on their grid.

Called by `data` (GetMetricData) and by `evaluating` (alarms), so that an alarm sees what a reader sees.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from aiops_lab.aws.account import Account
from aiops_lab.aws.cloudwatch import bands, searching, sql
from aiops_lab.aws.cloudwatch.book import Book, CloudMetric, Dimensions
from aiops_lab.aws.cloudwatch.expressions import ids_in, parse
from aiops_lab.aws.cloudwatch.maths import Evaluator, Line, Value
from aiops_lab.aws.cloudwatch.stats import Span, invalid, require_period, require_stat, values_of
from aiops_lab.aws.cloudwatch.table import book_of
from aiops_lab.telemetry import Telemetry
from aiops_lab.telemetry.alarms import StoredDetector

_ID = re.compile(r"[a-z][a-zA-Z0-9_]*$")
MOST_QUERIES = 500
_PROPERTY = re.compile(r"\$\{(?:PROP\('([^']*)'\)|(LABEL))\}")
_MEANT = re.compile(r"\$\{")
_SEARCHING = re.compile(r"\b(?:SEARCH|SELECT)\b", re.IGNORECASE)
Query = Mapping[str, Any]


@dataclass(slots=True)
class Grounds:
    """What metrics are read from: the account's book now, and its detectors."""

    book: Book
    detectors: Mapping[str, StoredDetector]
    now_s: float

    @classmethod
    def of(cls, account: Account, queries: Sequence[Query] | None = None) -> "Grounds":
        """The account's, at its now; for some queries only what they name."""
        book = book_of(account, *_only(queries or []))
        return cls(book, account.area(Telemetry).alarms.detectors, account.now().timestamp())


@dataclass(slots=True)
class Reading:
    """The queries of one request, from `since_s` to before `until_s`; the ground of their expressions."""

    grounds: Grounds
    queries: Mapping[str, Query]
    since_s: float
    until_s: float
    _known: dict[str, Value] = field(default_factory=dict)
    _open: list[str] = field(default_factory=list)

    @classmethod
    def asked(cls, grounds: Grounds, queries: Sequence[Query], since_s: float, until_s: float) -> "Reading":
        """A request. Raises AwsError ValidationError for queries that CloudWatch would not take."""
        if len(queries) > MOST_QUERIES:
            raise invalid(
                f"The collection MetricDataQueries must not have a size greater than {MOST_QUERIES}."
            )
        by_id: dict[str, Query] = {}
        for one in queries:
            query_id = str(one.get("Id", ""))
            if not _ID.match(query_id):
                raise invalid(
                    f"Invalid metrics list: the id {query_id!r} must start with a lowercase letter."
                )
            if query_id in by_id:
                raise invalid(f"The values for parameter id in MetricDataQueries are not unique: {query_id}.")
            if (one.get("MetricStat") is None) == (one.get("Expression") is None):
                raise invalid(f"Exactly one of MetricStat and Expression is needed in query {query_id}.")
            by_id[query_id] = one
        return cls(grounds, by_id, since_s, until_s)

    def lines(self, query_id: str) -> list[Line]:
        """The series of a query, labelled as it says. Raises AwsError ValidationError."""
        found = self.of(query_id)
        if isinstance(found, float | str):
            raise invalid(f"Error in expression '{query_id}': the result is no time series.")
        label = self.queries[query_id].get("Label")
        lines = [found] if isinstance(found, Line) else found
        return [replace(one, label=_labelled(str(label), one)) if label else one for one in lines]

    def of(self, query_id: str) -> Value:
        """The result of one query."""
        if query_id not in self._known:
            if query_id not in self.queries:
                raise invalid(f"Error in expression: the id '{query_id}' is not in the request.")
            if query_id in self._open:
                raise invalid(f"Error in expression '{query_id}': it refers to itself.")
            self._open.append(query_id)
            self._known[query_id] = self._evaluated(query_id)
            self._open.pop()
        return self._known[query_id]

    def _evaluated(self, query_id: str) -> Value:
        query = self.queries[query_id]
        if query.get("MetricStat") is not None:
            return self._metric(query["MetricStat"])
        expression = str(query["Expression"])
        if sql.is_sql(expression):
            if query.get("Period") is None:
                raise invalid(f"Period must be specified for the Metrics Insights query {query_id}.")
            return sql.selected(self.grounds.book, sql.parse(expression), self.span(int(query["Period"])))
        return Evaluator(self, query_id).value(parse(expression, query_id))

    def span(self, period_s: int) -> Span:
        """The request's span in periods of some length, aligned to it."""
        require_period(period_s)
        return Span(self.since_s // period_s * period_s, self.until_s, period_s, self.grounds.now_s)

    def _metric(self, stat: Mapping[str, Any]) -> Line:
        metric, name = stat["Metric"], require_stat(str(stat["Stat"]))
        dimensions = dimensions_of(metric.get("Dimensions"))
        space, title = str(metric.get("Namespace", "")), str(metric.get("MetricName", ""))
        span = self.span(int(stat["Period"]))
        found = self.grounds.book.find(space, title, dimensions)
        if found is None or stat.get("Unit") not in {None, found.unit}:
            starts = span.starts_s()
            return Line(title, starts, span.period_s, np.full(starts.shape, np.nan), {"MetricName": title})
        return _line(found, name, span, title)

    def metrics(self, part: str) -> list[Line]:
        """The metrics of the request whose ids hold a text."""
        found = [
            self.of(one) for one, query in self.queries.items() if query.get("MetricStat") and part in one
        ]
        return [line for line in found if isinstance(line, Line)]

    def search(self, query: str, stat: str, period_s: int | None) -> list[Line]:
        """What SEARCH finds, in its order."""
        span = self.span(period_s or 300)
        require_stat(stat)
        found = [
            _line(one, stat, span, " ".join(value for _, value in one.dimensions) or one.name)
            for one in searching.searched(self.grounds.book, query)
        ]
        return [line for line in found if not np.isnan(line.values).all()]

    def band(self, query_id: str, width: float) -> list[Line]:
        """Upper and lower bound of a metric or of an expression over metrics."""
        line = self.of(query_id)
        if not isinstance(line, Line):
            raise invalid(f"ANOMALY_DETECTION_BAND: '{query_id}' is no single time series.")
        long = Reading(
            self.grounds, self.queries, bands.training_starts_s(float(self.since_s)), self.until_s
        ).of(query_id)
        if not isinstance(long, Line) or not line.starts_s.size:
            return [line, line]
        sides = bands.band(
            long.starts_s,
            long.values,
            float(line.starts_s[0]),
            width=width,
            excluded=self._excluded(self.queries[query_id]),
        )
        titles = (f"{line.label} (expected upper)", f"{line.label} (expected lower)")
        return [replace(line, label=title, values=side) for title, side in zip(titles, sides, strict=True)]

    def _excluded(self, query: Query) -> tuple[tuple[float, float], ...]:
        """The spans that the metric's detector does not learn from."""
        stat = query.get("MetricStat")
        if stat is None:
            return ()
        key = metric_key(stat["Metric"], str(stat["Stat"]))
        for one in self.grounds.detectors.values():
            single = one.spec.get("SingleMetricAnomalyDetector")
            if single and metric_key(single, str(single.get("Stat"))) == key:
                return one.excluded
        return ()


def _only(queries: Sequence[Query]) -> tuple[str | None, str | None]:
    """The namespace and the metric that all queries name, where they search for none."""
    if any(_SEARCHING.search(str(one.get("Expression") or "")) for one in queries):
        return None, None
    metrics = [one["MetricStat"]["Metric"] for one in queries if one.get("MetricStat")]
    spaces = {str(one.get("Namespace")) for one in metrics}
    names = {str(one.get("MetricName")) for one in metrics}
    return (spaces.pop() if len(spaces) == 1 else None), (names.pop() if len(names) == 1 else None)


def metric_key(metric: Mapping[str, Any], stat: str) -> tuple[str, str, Dimensions, str]:
    """What tells one metric and statistic from another."""
    dimensions = dimensions_of(metric.get("Dimensions"))
    return str(metric.get("Namespace")), str(metric.get("MetricName")), dimensions, stat


def dimensions_of(told: Any) -> Dimensions:
    """Dimensions as they are kept: sorted pairs."""
    return tuple(sorted((str(one["Name"]), str(one["Value"])) for one in told or []))


def needed_ids(queries: Mapping[str, Query], query_id: str) -> set[str]:
    """The ids that an expression names, and so on down."""
    expression = queries[query_id].get("Expression")
    if expression is None or sql.is_sql(str(expression)):
        return {query_id}
    below = ids_in(parse(str(expression), query_id)) & set(queries) - {query_id}
    return {query_id}.union(*(needed_ids(queries, one) for one in below))


def _line(metric: CloudMetric, stat: str, span: Span, label: str) -> Line:
    names = {f"Dim.{name}": value for name, value in metric.dimensions}
    names |= {"MetricName": metric.name, "Namespace": metric.namespace, "Stat": stat}
    names |= {"Period": str(span.period_s), "Unit": metric.unit}
    return Line(label, span.starts_s(), span.period_s, values_of(metric, stat, span), names)


def _labelled(label: str, line: Line) -> str:
    """A label with its dynamic parts. Raises AwsError for one that the lab does not play."""

    def part(found: re.Match[str]) -> str:
        return line.label if found[2] else line.names.get(found[1], "")

    done = _PROPERTY.sub(part, label)
    if _MEANT.search(done):
        raise invalid(f"Invalid label: {label}")
    return done
