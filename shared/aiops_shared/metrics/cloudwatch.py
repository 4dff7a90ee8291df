"""Driver of CloudWatch metrics: named questions, Metrics Insights SQL, metric math, anomaly bands.

Made by `MetricsDirectory`. The language is `cloudwatch_language`; sums, shares and gaps over metrics are
computed here (`cloudwatch_tables`), everything else by CloudWatch. A call is priced before it is made: AWS
bills every metric that GetMetricData is asked for.

CloudWatch stamps a period with its beginning. Here a point is the period that *ends* there, as with every
backend, but for gauges of one minute, whose value is of their moment.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

import numpy as np

from aiops_shared.aws.eks_cluster import EksCluster
from aiops_shared.clock import Clock
from aiops_shared.errors import AiopsError, InvalidInputError, QueryInvalidError
from aiops_shared.kube.gathering import gather_outcomes
from aiops_shared.metrics import catalogue_cloudwatch
from aiops_shared.metrics.cloudwatch_contributors import contributors, is_contributors
from aiops_shared.metrics.cloudwatch_data import (
    MOST_QUERIES,
    Query,
    Read,
    Result,
    Span,
    dimensions_of,
    listed,
    metric_query,
    read_batches,
    read_one,
)
from aiops_shared.metrics.cloudwatch_language import (
    LAST,
    LEVELS,
    Node,
    Selector,
    is_sql,
    optional,
    parse,
    selectors,
    written,
)
from aiops_shared.metrics.cloudwatch_sql import SqlSource, label_of, source_of
from aiops_shared.metrics.cloudwatch_tables import Labels, Rows, computed, labels_of, named
from aiops_shared.metrics.ports import Asked, BackendName, Cost, MetricName, Target
from aiops_shared.metrics.searching import ranked
from aiops_shared.metrics.series import MAX_POINTS, MetricAnswer, Series, Values, Window, gridded

MINUTE_S, DAY_S = 60, 86_400
RETENTION = ((MINUTE_S, 15), (300, 63), (3600, 455))  # seconds of a period, days that it is kept
INSIGHTS_DAYS = 14  # what Metrics Insights and ListMetrics look back
SEARCH_FINDS = 100  # "Search expression quotas"
MOST_SEARCHED = 2_000
MOST_FINE_POINTS = 200_000
# Where a cluster's metrics are; the rest of the account is searched after them.
NAMESPACES = (
    "ContainerInsights", "ContainerInsights/Prometheus", "AWS/ApplicationELB", "AWS/NetworkELB", "AWS/EKS",
    "AWS/NetworkFlowMonitor", "AWS/RDS", "Kubernetes", "ApplicationSignals", "",
)  # fmt: skip
Found = Mapping[Selector, Sequence[dict[str, str]]]
Row = tuple[dict[str, str], Values]


@dataclass(frozen=True, slots=True)
class _Plan:
    """A question that was understood and priced."""

    tree: Node | None  # None: SQL
    sql: SqlSource | None
    found: Found
    cost: Cost


class CloudWatchMetrics:
    """Fulfils `ports.MetricsBackend` for one cluster's account and region."""

    def __init__(self, eks: EksCluster, clock: Clock, max_samples: int) -> None:
        self._eks = eks
        self._clock = clock
        self._max_samples = max_samples

    @property
    def name(self) -> BackendName:
        """Which driver."""
        return "cloudwatch"

    def asks(self, question: str, target: Target) -> Asked:
        """A named question in CloudWatch's words."""
        return catalogue_cloudwatch.asks(question, target, self._eks.name)

    async def estimate(self, query: str, window: Window) -> Cost:
        """What `range` would read: series, datapoints, and metrics that AWS bills."""
        if is_contributors(query):
            return Cost()  # a report of what a rule has counted anyway
        kept, _, _ = await self._kept(window)
        return (await self._planned(query, kept)).cost

    async def range(self, query: str, window: Window) -> MetricAnswer:
        """The series of a query over a window, on its grid; a coarser one where nothing finer is kept.

        Raises QueryInvalidError for a query that does not parse or would read too much, ThrottledError,
        AccessDeniedError and the like when CloudWatch answers nothing at all.
        """
        window, finest_s, remarks = await self._kept(window)
        if is_contributors(query):
            answer = await contributors(self._eks, query, window)
            return replace(answer, warnings=(*remarks, *answer.warnings))
        plan = await self._planned(query, window)
        self._refuse_dear(plan.cost, window)
        if plan.tree is not None and plan.tree.local:
            rows, read = await self._computed(plan.tree, plan.found, window, finest_s)
        else:
            rows, read = await self._evaluated(query, plan, window)
        series = tuple(Series(labels, window, values) for labels, values in rows)
        return MetricAnswer(
            series=series,
            source=f"CloudWatch in {self._eks.target}",
            query=query,
            unit=_unit(plan.tree),
            warnings=(*remarks, *read.warnings),
            samples=sum(len(one.values) for one in read.results),
        )

    async def search(self, words: str, *, limit: int) -> tuple[MetricName, ...]:
        """Metric names (`Namespace/Metric`) with their dimensions, nearest to some words."""
        outcomes = await gather_outcomes(self._names, NAMESPACES, at_once=4)
        answered = [one for one in outcomes if isinstance(one, dict)]
        if not answered:
            raise next(one for one in outcomes if isinstance(one, AiopsError))
        known: dict[str, set[str]] = {}
        for one in answered:
            for name, labels in one.items():
                known.setdefault(name, set()).update(labels)
        return tuple(
            MetricName(name=name, labels=tuple(sorted(known[name])), score=score)
            for name, score in ranked(words, known, limit)
        )

    async def _names(self, namespace: str) -> dict[str, set[str]]:
        where = {"Namespace": namespace} if namespace else {}
        found = await self._eks.every("cloudwatch", "list_metrics", "Metrics", at_most=MOST_SEARCHED, **where)
        names: dict[str, set[str]] = {}
        for one in found.items:
            names.setdefault(f"{one.get('Namespace')}/{one.get('MetricName')}", set()).update(
                dimensions_of(one)
            )
        return names

    # what it costs

    async def _kept(self, window: Window) -> tuple[Window, int, list[str]]:
        """The window in periods that CloudWatch still keeps, the finest of them, and what is said.

        Raises InvalidInputError for one older than everything.
        """
        age_days = ((await self._clock.now()) - window.since).total_seconds() / DAY_S
        finest = next((period for period, days in RETENTION if age_days <= days), None)
        if finest is None:
            raise InvalidInputError(
                "since", "CloudWatch keeps nothing longer than 455 days", "give a later since"
            )
        step = max(finest, -(-window.step_s // MINUTE_S) * MINUTE_S)
        if step == window.step_s:
            return window, finest, []
        said = f"CloudWatch keeps only periods of {finest} s that long" if step == finest > MINUTE_S else ""
        said = said or "CloudWatch's periods are whole minutes"
        remark = f"{said}: step {window.step_s} s became {step} s"
        return Window.over(window.since, window.until, step), finest, [remark]

    async def _planned(self, query: str, window: Window) -> _Plan:
        if is_sql(query):
            source = source_of(query)
            if (
                (await self._clock.now()) - window.since
            ).total_seconds() > INSIGHTS_DAYS * DAY_S + window.step_s:
                raise QueryInvalidError(
                    "query",
                    f"Metrics Insights reads the last {INSIGHTS_DAYS} days only",
                    'a later since, or Namespace/Metric{Dimension="value"}',
                )
            found: Found = {source.selector: await self._matching(source)}
            return _Plan(None, source, found, self._priced(len(found[source.selector]), window))
        tree = parse(query)
        found = await self._expanded(tree)
        searches = sum(1 for node in tree.walk() if node.word == "SEARCH")
        count = sum(len(each) for each in found.values()) + searches * SEARCH_FINDS
        return _Plan(tree, None, found, self._priced(count, window))

    async def _matching(self, source: SqlSource) -> list[dict[str, str]]:
        """The metrics that a SQL query looks at, as far as ListMetrics tells."""
        told = [{"Name": name} for name in source.dimensions]
        found = await self._eks.every(
            "cloudwatch",
            "list_metrics",
            "Metrics",
            Namespace=source.selector.namespace,
            MetricName=source.selector.metric,
            Dimensions=told,
        )
        rows = [dimensions_of(one) for one in found.items]
        return [one for one in rows if not source.dimensions or set(one) == set(source.dimensions)]

    @staticmethod
    def _priced(count: int, window: Window) -> Cost:
        return Cost(series=count, samples=count * window.points, requests=count)

    def _refuse_dear(self, cost: Cost, window: Window) -> None:
        reads = f"{cost.series:,} metrics, {cost.samples:,} datapoints"
        if window.points > MAX_POINTS:
            raise QueryInvalidError(
                "query",
                f"asks for {window.points:,} points a series; {MAX_POINTS:,} is the most",
                "a longer step",
            )
        if cost.requests > MOST_QUERIES:
            raise QueryInvalidError(
                "query",
                f"would read {reads}, each metric billed; {MOST_QUERIES} is the most",
                "name a namespace, workload or pod, or SELECT AVG(…) … GROUP BY … LIMIT",
            )
        if cost.samples > self._max_samples:
            raise QueryInvalidError(
                "query",
                f"would read {reads}; {self._max_samples:,} datapoints are the most",
                "a longer step or a shorter window",
            )

    # metrics by their names

    async def _expanded(self, tree: Node) -> Found:
        """The dimensions that each metric of a tree stands for; without `*` nobody is asked."""
        wanted = selectors(tree)
        outcomes = await gather_outcomes(self._dimensions, wanted, at_once=4)
        found: dict[Selector, Sequence[dict[str, str]]] = {}
        for selector, one in zip(wanted, outcomes, strict=True):
            if isinstance(one, AiopsError):
                raise one
            found[selector] = one or []
        maybe = optional(tree)
        needed = [(one, each) for one, each in found.items() if one not in maybe]
        if not needed:
            return found
        for selector in maybe:  # those that no needed series could be joined with are not read
            found[selector] = [one for one in found[selector] if _joins(selector, one, needed)]
        return found

    async def _dimensions(self, selector: Selector) -> list[dict[str, str]]:
        return await listed(self._eks, selector) if selector.open else [dict(selector.dimensions)]

    async def _computed(
        self, tree: Node, found: Found, window: Window, finest_s: int
    ) -> tuple[list[Row], Read]:
        wanted = [(selector, one) for selector, each in found.items() for one in each]
        fine = _fine(window, finest_s, sum(1 for selector, _ in wanted if selector.stat == LAST))
        read, rows = Read(), dict[Selector, list[tuple[Labels, Values]]]()
        for asked in (_Asked(tree, window), fine):
            some = [(index, *one) for index, one in enumerate(wanted) if (one[0].stat == LAST) is asked.last]
            queries = [metric_query(f"q{index}", one, of, asked.span.period_s) for index, one, of in some]
            part = await read_batches(self._eks, queries, asked.span) if queries else Read()
            by_id = part.by_id()
            for index, selector, of in some:
                result = by_id.get(f"q{index}")
                if result is not None and result.values:
                    row = (labels_of(selector, of), asked.on_grid(result, window))
                    rows.setdefault(selector, []).append(row)
            read.results += part.results
            read.warnings += part.warnings
        tables = {selector: Rows(tuple(rows.get(selector, ()))) for selector in found}
        done = computed(tree, tables, window.step_s)
        return named(done.rows), read

    # CloudWatch's own languages

    async def _evaluated(self, query: str, plan: _Plan, window: Window) -> tuple[list[Row], Read]:
        asked = _Asked(plan.tree, window)
        queries: list[Query]
        if plan.tree is None:
            queries = [{"Id": "answer", "Expression": query, "Period": window.step_s}]
        else:
            queries = _math(plan.tree, plan.found, window.step_s)
        if len(queries) > MOST_QUERIES:
            raise QueryInvalidError(
                "query",
                f"needs {len(queries)} metrics in one expression; {MOST_QUERIES} is the most",
                "fewer",
            )
        read = await read_one(self._eks, queries, asked.span)
        band = plan.tree is not None and plan.tree.word == "ANOMALY_DETECTION_BAND"
        rows = [
            (label_of(one.label, plan.sql), asked.on_grid(one, window)) for one in read.results if one.values
        ]
        return (_bounds(rows) if band else rows), read


def _joins(
    selector: Selector, one: dict[str, str], needed: Sequence[tuple[Selector, Sequence[dict[str, str]]]]
) -> bool:
    """Whether a metric agrees with one of every needed kind, in the dimensions open on both sides."""
    for other, rows in needed:
        shared = set(selector.open) & set(other.open)
        if shared and not any(all(row[name] == one[name] for name in shared) for row in rows):
            return False
    return True


class _Asked:
    """What to ask for, and how its points come onto the grid: stamped with their period's end, but for
    values of a moment and gauges of a minute.
    """

    def __init__(self, tree: Node | None, window: Window, finest_s: int = 0) -> None:
        self.last = bool(finest_s)
        period_s = finest_s or window.step_s
        found = selectors(tree) if tree is not None else ()
        level = self.last or (bool(found) and all(one.stat in LEVELS for one in found))
        self.shift_s = 0 if level and period_s == MINUTE_S else period_s
        moved = timedelta(seconds=self.shift_s)
        self.span = Span(window.since - moved, window.until - moved + timedelta(seconds=period_s), period_s)

    def on_grid(self, result: Result, window: Window) -> Values:
        """The points of a series on the window's grid."""
        times = np.asarray(result.times_s, dtype=np.float64) + self.shift_s
        values = np.asarray(result.values, dtype=np.float64)
        if self.last:
            on = (times - window.since.timestamp()) % window.step_s == 0
            times, values = times[on], values[on]
        return gridded(window, times, values)


def _fine(window: Window, finest_s: int, count: int) -> _Asked:
    """How values of a moment are read: in the finest period, unless that were very many points."""
    fits = count * window.span_s / finest_s <= MOST_FINE_POINTS and window.step_s % finest_s == 0
    return _Asked(None, window, finest_s if fits else window.step_s)


def _math(tree: Node, found: Found, period_s: int) -> list[Query]:
    """The queries of an expression: its metrics, hidden, and itself."""
    queries: list[Query] = []
    ids: dict[Selector, str] = {}
    for selector, each in found.items():
        own = []
        for one in each:
            own.append(f"m{len(queries)}")
            label = " ".join(one[name] for name in selector.open) or selector.metric
            queries.append(
                {**metric_query(own[-1], selector, one, period_s), "ReturnData": False, "Label": label}
            )
        if not own:
            raise QueryInvalidError(
                "query", f"no metric is {selector.namespace}/{selector.metric} there", "search="
            )
        ids[selector] = own[0] if not selector.open else f"[{', '.join(own)}]"
    return [*queries, {"Id": "answer", "Expression": written(tree, lambda one: ids[one]), "ReturnData": True}]


def _bounds(rows: list[Row]) -> list[Row]:
    """The two series of a band, told apart by their values: CloudWatch does not say which is which."""
    if len(rows) != 2:
        return rows
    (_, some), (_, others) = rows
    return [({"bound": "upper"}, np.fmax(some, others)), ({"bound": "lower"}, np.fmin(some, others))]


_UNITS = {
    "pod_memory_working_set": "bytes",
    "pod_memory_limit": "bytes",
    "pod_memory_request": "bytes",
    "RequestCount": "count",
    "TargetResponseTime": "seconds",
}


def _unit(tree: Node | None) -> str:
    """The unit of a query that is one metric; of others nothing is known."""
    if tree is None or tree.selector is None:
        return ""
    if tree.selector.metric.endswith(("_utilization", "_over_pod_limit", "CPUUtilization")):
        return "percent"
    return _UNITS.get(tree.selector.metric, "")
