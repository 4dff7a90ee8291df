"""Driver of Datadog metrics: its query language, its named questions, its rate limits.

Made by `MetricsDirectory`. Every selector without a `.rollup` gets one of the window's step (`$__interval_s`
in a query is that step), so that Datadog's points fall on the grid; long windows are asked in pieces, since
an answer holds some 1,500 points a series. Datadog stamps a bucket with its beginning; here a point is the
bucket that ends there, but for gauges of one minute, whose value is of their moment.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np

from aiops_shared.clock import Clock
from aiops_shared.errors import AiopsError, QueryInvalidError, UpstreamError
from aiops_shared.kube.gathering import gather_outcomes
from aiops_shared.metrics import catalogue_datadog
from aiops_shared.metrics.catalogue_datadog import INTERVAL, LABELS
from aiops_shared.metrics.datadog_http import THING, DatadogApi
from aiops_shared.metrics.ports import Asked, BackendName, Cost, MetricName, Target
from aiops_shared.metrics.searching import ranked
from aiops_shared.metrics.series import MAX_POINTS, MetricAnswer, Series, Values, Window, gridded

MINUTE_S, DAY_S = 60, 86_400
MOST_POINTS = 1_400  # of one answer
MOST_PIECES = 10
KEPT_DAYS = 455  # 15 months
MOST_CHARACTERS = 4_096
AT_ONCE = 2
_SELECTOR = re.compile(
    r"\b(avg|sum|min|max|count|p\d{2}(?:\.\d{1,2})?):([A-Za-z_][\w.]*)(\{[^{}]*\})(\s*by\s*\{[^{}]*\})?"
    r"((?:\.[a-z_]+\([^()]*\))*)"
)
_LAST = ".rollup(last)"  # the value of the moment: the finest bucket there
_COUNTED = re.compile(r"\.as_(?:count|rate)\(\)")


@dataclass(frozen=True, slots=True)
class _Piece:
    """A part of a window, in Unix seconds; the last bucket begins before `until_s`."""

    since_s: int
    until_s: int


@dataclass(frozen=True, slots=True)
class _Plan:
    """A query as it is sent, and the buckets that it asks for."""

    text: str
    window: Window
    bucket_s: int
    remarks: tuple[str, ...] = ()

    @property
    def shift_s(self) -> int:
        """How far a bucket's stamp is moved: to its end, but for gauges of a minute."""
        level = not _COUNTED.search(self.text) and not re.search(r"\bp\d{2}(?:\.\d+)?:", self.text)
        return 0 if level and self.bucket_s == MINUTE_S else self.bucket_s

    def pieces(self) -> list[_Piece]:
        """The window in parts that one answer can hold."""
        first = int(self.window.since.timestamp()) - self.shift_s
        last = int(self.window.until.timestamp()) - self.shift_s + self.bucket_s
        size = MOST_POINTS * self.bucket_s
        return [_Piece(since, min(since + size, last)) for since in range(first, last, size)]


class DatadogMetrics:
    """Fulfils `ports.MetricsBackend` for one cluster, told apart by the tag `kube_cluster_name`."""

    def __init__(self, api: DatadogApi, cluster: str, clock: Clock) -> None:
        self._api = api
        self._cluster = cluster
        self._clock = clock

    @property
    def name(self) -> BackendName:
        """Which driver."""
        return "datadog"

    async def aclose(self) -> None:
        """Close its connections."""
        await self._api.aclose()

    def asks(self, question: str, target: Target) -> Asked:
        """A named question in Datadog's words."""
        return catalogue_datadog.asks(question, target, self._cluster)

    async def estimate(self, query: str, window: Window) -> Cost:
        """Points of one series and requests; how many series there are Datadog says in its answer only."""
        plan = self._planned(query, window)
        series = len(_SELECTOR.findall(plan.text))
        return Cost(series=series, samples=plan.window.points, requests=len(plan.pieces()))

    async def range(self, query: str, window: Window) -> MetricAnswer:
        """The series of a Datadog query over a window.

        Raises QueryInvalidError for one that is no Datadog query or would need too many requests,
        ThrottledError, AccessDeniedError and the like when nothing at all was answered.
        """
        plan = self._planned(query, window)
        window, remarks = plan.window, list(plan.remarks)
        age_days = ((await self._clock.now()) - window.since).total_seconds() / DAY_S
        if age_days > KEPT_DAYS:
            raise QueryInvalidError("since", f"Datadog keeps {KEPT_DAYS} days", "a later since")
        pieces = plan.pieces()
        if window.points > MAX_POINTS or len(pieces) > MOST_PIECES:
            raise QueryInvalidError(
                "query",
                f"would take {len(pieces)} requests of {MOST_POINTS:,} points; {MOST_PIECES} are the most",
                "a longer step or a shorter window",
            )
        outcomes = await gather_outcomes(lambda one: self._read(plan.text, one), pieces, at_once=AT_ONCE)
        failed = [one for one in outcomes if isinstance(one, AiopsError)]
        if len(failed) == len(outcomes):
            raise failed[0]
        remarks += [f"a part of the window was not read: {one.wire()}" for one in failed]
        found = [one for piece in outcomes if isinstance(piece, list) for one in piece]
        remarks += _coarser(found, window)
        return MetricAnswer(
            series=_series(found, plan),
            source=THING,
            query=plan.text,
            warnings=tuple(dict.fromkeys(remarks)),
            samples=sum(len(one.get("pointlist") or []) for one in found),
        )

    async def search(self, words: str, *, limit: int) -> tuple[MetricName, ...]:
        """Metrics that reported in the last day, nearest to some words."""
        since = (await self._clock.now()) - timedelta(days=1)
        answer = await self._api.get("metrics", {"from": str(int(since.timestamp()))})
        names = answer.get("metrics")
        if not isinstance(names, list):
            raise UpstreamError(THING, "answered without metrics")
        known = [str(one) for one in names]
        return tuple(MetricName(name=name, score=score) for name, score in ranked(words, known, limit))

    def _planned(self, query: str, window: Window) -> _Plan:
        """The query with its rollups. Raises QueryInvalidError for what names no metric."""
        if len(query) > MOST_CHARACTERS or not _SELECTOR.search(query):
            raise QueryInvalidError(
                "query",
                "is no Datadog query",
                "avg:kubernetes.memory.working_set{kube_namespace:n} by {pod_name}",
            )
        step = -(-window.step_s // MINUTE_S) * MINUTE_S
        remarks = []
        if step != window.step_s:
            remarks.append(f"Datadog's buckets are whole minutes: step {window.step_s} s became {step} s")
            window = Window.over(window.since, window.until, step)
        fine = MINUTE_S if _LAST in query and window.span_s <= MOST_PIECES * MOST_POINTS * MINUTE_S else step
        text = query.replace(INTERVAL, str(step)).replace(_LAST, f".rollup(avg, {fine})")
        text = _SELECTOR.sub(lambda found: _rolled(found, step), text)
        return _Plan(text, window, fine if _LAST in query else step, tuple(remarks))

    async def _read(self, query: str, piece: _Piece) -> list[dict[str, Any]]:
        answer = await self._api.get(
            "query", {"from": str(piece.since_s), "to": str(piece.until_s), "query": query}
        )
        rows = answer.get("series")
        if not isinstance(rows, list) or not all(isinstance(one, dict) for one in rows):
            raise UpstreamError(THING, "answered without series")
        return rows


def _rolled(found: re.Match[str], step: int) -> str:
    """A selector with a rollup of the step: counts add up, all else is averaged (percentiles take none)."""
    fold, methods = found[1], found[5] or ""
    if ".rollup(" in methods:
        return found[0]
    method = "sum" if _COUNTED.search(methods) else {"min": "min", "max": "max"}.get(fold, "avg")
    return f"{found[0]}.rollup({method}, {step})"


def _coarser(rows: list[dict[str, Any]], window: Window) -> list[str]:
    """A remark where Datadog answered in longer buckets than it was asked for."""
    longest = max((int(one.get("interval") or 0) for one in rows), default=0)
    return [f"Datadog answered in buckets of {longest} s"] if longest > window.step_s else []


def _series(rows: list[dict[str, Any]], plan: _Plan) -> tuple[Series, ...]:
    """The pieces of each series, put together on the grid."""
    window = plan.window
    found: dict[tuple[tuple[str, str], ...], Values] = {}
    for one in rows:
        labels = tuple(sorted(_labels(one).items()))
        values = found.setdefault(labels, np.full(window.points, np.nan))
        times, read = _points(one)
        times = times + plan.shift_s
        if plan.bucket_s < window.step_s:
            on = (times - window.since.timestamp()) % window.step_s == 0
            times, read = times[on], read[on]
        here = gridded(window, times, read)
        found[labels] = np.where(np.isnan(here), values, here)
    return tuple(Series(dict(labels), window, values) for labels, values in found.items())


def _points(row: Mapping[str, Any]) -> tuple[Values, Values]:
    told = [one for one in row.get("pointlist") or [] if isinstance(one, list) and len(one) == 2]
    pairs = [
        (at, value) for at, value in told if isinstance(at, int | float) and isinstance(value, int | float)
    ]
    array = np.array(pairs, dtype=np.float64).reshape(-1, 2)
    return array[:, 0] / 1000, array[:, 1]


def _labels(row: Mapping[str, Any]) -> dict[str, str]:
    pairs = (str(one).partition(":") for one in row.get("tag_set") or [])
    return {LABELS.get(name, name): value for name, _, value in pairs}
