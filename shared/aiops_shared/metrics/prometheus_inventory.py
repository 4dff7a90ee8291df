"""Discovery in a Prometheus API: names, labels, rules, alerts, cardinality. Called by `prometheus`.

Queries of a metric are counted by VictoriaMetrics alone (`/api/v1/status/metric_names_stats`, since 1.113);
elsewhere a metric's use in rules is what can be known, and the answer says so.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import anyio

from aiops_shared.clock import Clock
from aiops_shared.errors import AiopsError, NotFoundError, QueryInvalidError, UpstreamError
from aiops_shared.http.snippets import snippet
from aiops_shared.metrics.inventory import Cardinality, MetricSize, Rule, RuleAlert
from aiops_shared.metrics.ports import MetricName
from aiops_shared.metrics.prometheus_answers import labels_of, number_of, results
from aiops_shared.metrics.prometheus_http import Pairs, PrometheusApi
from aiops_shared.metrics.promql import parsed, quoted, selectors
from aiops_shared.metrics.searching import ranked

LOOK_BACK = timedelta(hours=24)
MOST_METRICS, MOST_VALUES, LABELLED = 10_000, 8, 5
BY_QUERY = 'topk(500, count by (__name__) ({__name__=~".+"}))'
ALL_BY_QUERY = 'count({__name__=~".+"})'


class Discovery:
    """What one API holds. `narrowed` puts the cluster's label into a selector; `label` is that label."""

    def __init__(
        self,
        api: PrometheusApi,
        clock: Clock,
        narrowed: Callable[[str], str],
        label: tuple[str, str] | None = None,
    ) -> None:
        self._api, self._clock, self._narrowed, self._label = api, clock, narrowed, label
        self._alone = label is None

    async def search(self, words: str, limit: int) -> tuple[MetricName, ...]:
        """The names nearest to some words, the best with their labels; by the alphabet for no words."""
        names = await self._strings("label/__name__/values", await self._lately(self._everything()))
        best = ranked(words, names, limit)
        said = await self._metadata()
        found = [
            MetricName(name, kind=said.get(name, ("", ""))[0], says=said.get(name, ("", ""))[1], score=score)
            for name, score in best
        ]
        labelled: dict[int, tuple[str, ...]] = {}

        async def look(index: int, name: str) -> None:
            try:
                labelled[index] = await self._label_names(name)
            except AiopsError:
                labelled[index] = ()  # the name is what was asked for

        async with anyio.create_task_group() as group:
            for index, one in enumerate(found[:LABELLED] if words else ()):
                group.start_soon(look, index, one.name)
        return tuple(replace(one, labels=labelled.get(index, ())) for index, one in enumerate(found))

    async def labels(self, metric: str) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """The labels of a metric, each with some values. Raises NotFoundError with the nearest names."""
        names = await self._label_names(metric)
        if not names:
            near = ", ".join(one.name for one in await self.search(metric, 3))
            raise NotFoundError(
                f"metric {snippet(metric)}",
                "has no series of the last day",
                f"nearest: {near}" if near else "",
            )
        match = ("match[]", self._narrowed(_by_name(metric)))
        found: dict[str, tuple[str, ...]] = {}

        async def look(name: str) -> None:
            values = await self._strings(f"label/{name}/values", await self._lately([match]))
            more = len(values) - MOST_VALUES
            found[name] = (*values[:MOST_VALUES], *((f"… {more} more",) if more > 0 else ()))

        async with anyio.create_task_group() as group:
            for name in names:
                group.start_soon(look, name)
        return tuple((name, found[name]) for name in names)

    async def rules(self) -> tuple[Rule, ...]:
        """Every rule, by group; a store of several clusters keeps its rules for all of them."""
        said = await self._api.ask("rules")
        groups = said.data.get("groups") if isinstance(said.data, dict) else None
        if not isinstance(groups, list):
            raise UpstreamError(self._api.thing, "answered with rules of an unknown form")
        return tuple(_rule(group, rule) for group in groups for rule in group.get("rules") or ())

    async def alerts(self) -> tuple[RuleAlert, ...]:
        """What rules raise now; where clusters share the store, only for this one."""
        said = await self._api.ask("alerts")
        rows = said.data.get("alerts") if isinstance(said.data, dict) else None
        if not isinstance(rows, list):
            raise UpstreamError(self._api.thing, "answered with alerts of an unknown form")
        found = tuple(_alert(row) for row in rows)
        if self._label is None:
            return found
        name, value = self._label
        return tuple(one for one in found if one.labels.get(name) == value)

    async def head_series(self) -> int:
        """How many series are active. Raises NotFoundError where the backend does not say."""
        said = await self._api.ask("status/tsdb")
        return _total(said.data)

    async def cardinality(self) -> Cardinality:
        """Series by metric and values by label, from the store's own status, else counted by a query."""
        warnings: list[str] = []
        try:
            pairs = [("limit", str(MOST_METRICS)), ("topN", str(MOST_METRICS))]
            found = _status((await self._api.ask("status/tsdb", pairs)).data, self._api.thing)
            if not self._alone:
                warnings.append("the store's status counts all clusters in it")
        except (NotFoundError, QueryInvalidError):
            found = await self._counted()
            warnings.append("counted by a query over all series: this backend has no status/tsdb")
        except AiopsError as error:
            if error.code != "access_denied":
                raise
            found = await self._counted()
            warnings.append(f"counted by a query over all series: {error.wire()}")
        asked, since_s = await self._asked(warnings)
        ruled = await self._ruled(warnings)
        sizes = tuple(
            replace(one, asked=None if asked is None else asked.get(one.name, 0), in_rules=one.name in ruled)
            for one in found.metrics
        )
        return replace(
            found, metrics=sizes, told=asked is not None, since_s=since_s, warnings=tuple(warnings)
        )

    async def _counted(self) -> Cardinality:
        sizes = [
            (labels_of(row, self._api.thing).get("__name__", ""), _instant(row))
            for row in await self._query(self._narrowed(BY_QUERY))
        ]
        total = sum(_instant(row) for row in await self._query(self._narrowed(ALL_BY_QUERY)))
        return Cardinality(total, tuple(MetricSize(name, size) for name, size in _largest(sizes)), ())

    async def _query(self, query: str) -> list[dict[str, Any]]:
        now = await self._clock.now()
        said = await self._api.ask("query", [("query", query), ("time", f"{now.timestamp():.3f}")], form=True)
        return results(said.data, "vector", self._api.thing)

    async def _asked(self, warnings: list[str]) -> tuple[dict[str, int] | None, float]:
        """How often each metric was queried, and since when that is counted."""
        try:
            said = await self._api.ask("status/metric_names_stats", [("limit", str(MOST_METRICS * 10))])
        except (NotFoundError, QueryInvalidError):
            warnings.append(
                "this backend does not count queries: only use in rules is known, dashboards are not"
            )
            return None, 0.0
        except AiopsError as error:
            warnings.append(f"queries of metrics are not known: {error.wire()}")
            return None, 0.0
        rows = (said.whole or {}).get("records")
        if not isinstance(rows, list):
            return None, 0.0
        since = number_of((said.whole or {}).get("statsCollectedSince"))
        return {str(row.get("metricName")): int(row.get("queryRequestsCount") or 0) for row in rows}, since

    async def _ruled(self, warnings: list[str]) -> frozenset[str]:
        try:
            rules = await self.rules()
        except AiopsError as error:
            warnings.append(f"rules are not known: {error.wire()}")
            return frozenset()
        return frozenset(name for rule in rules for name in _metrics_of(rule.query))

    async def _label_names(self, metric: str) -> tuple[str, ...]:
        pairs = await self._lately([("match[]", self._narrowed(_by_name(metric)))])
        return tuple(name for name in await self._strings("labels", pairs) if name != "__name__")

    async def _metadata(self) -> Mapping[str, tuple[str, str]]:
        """Kind and help by name; nothing where the backend has none."""
        try:
            data = (await self._api.ask("metadata", [("limit_per_metric", "1")])).data
        except AiopsError:
            return {}
        rows = data.items() if isinstance(data, dict) else ()
        first = {name: entries[0] for name, entries in rows if isinstance(entries, list) and entries}
        return {
            name: (str(entry.get("type") or ""), snippet(str(entry.get("help") or "")))
            for name, entry in first.items()
            if isinstance(entry, dict)
        }

    async def _strings(self, path: str, pairs: Pairs) -> tuple[str, ...]:
        data = (await self._api.ask(path, pairs, form=path == "labels")).data
        if data is None:
            return ()
        if not isinstance(data, list) or not all(isinstance(one, str) for one in data):
            raise UpstreamError(self._api.thing, f"answered {path} with something that is no list of names")
        return tuple(sorted(data))

    async def _lately(self, pairs: Pairs) -> Pairs:
        now = await self._clock.now()
        since = (now - LOOK_BACK).timestamp()
        return [*pairs, ("start", f"{since:.3f}"), ("end", f"{now.timestamp():.3f}")]

    def _everything(self) -> Pairs:
        return () if self._alone else [("match[]", self._narrowed('{__name__=~".+"}'))]


def _by_name(metric: str) -> str:
    return f"{{__name__={quoted(metric)}}}"


def _metrics_of(query: str) -> Iterable[str]:
    try:
        return [one.name for one in selectors(parsed(query)) if one.name]
    except AiopsError:
        return ()


def _rule(group: Mapping[str, Any], rule: Mapping[str, Any]) -> Rule:
    return Rule(
        name=str(rule.get("name") or ""),
        group=str(group.get("name") or ""),
        alerting=rule.get("type") == "alerting",
        query=str(rule.get("query") or ""),
        health=str(rule.get("health") or ""),
        state=str(rule.get("state") or ""),
        error=snippet(str(rule.get("lastError") or "")),
        for_s=number_of(rule.get("duration") or 0),
        labels={str(name): str(value) for name, value in (rule.get("labels") or {}).items()},
    )


def _alert(row: Mapping[str, Any]) -> RuleAlert:
    labels = {str(name): str(value) for name, value in (row.get("labels") or {}).items()}
    notes = row.get("annotations") or {}
    return RuleAlert(
        name=labels.pop("alertname", ""),
        state=str(row.get("state") or ""),
        since=str(row.get("activeAt") or ""),
        value=number_of(row.get("value")),
        labels=labels,
        says=snippet(str(notes.get("summary") or notes.get("description") or "")),
    )


def _status(data: Any, thing: str) -> Cardinality:
    if not isinstance(data, dict) or not isinstance(data.get("seriesCountByMetricName"), list):
        raise UpstreamError(thing, "answered status/tsdb in an unknown form")
    sizes = _largest(_pairs(data["seriesCountByMetricName"]))
    labels = _largest(_pairs(data.get("labelValueCountByLabelName") or ()))
    metrics = tuple(MetricSize(name, size) for name, size in sizes)
    return Cardinality(_total(data), metrics, tuple(one for one in labels if one[0] != "__name__"))


def _total(data: Any) -> int:
    """Prometheus says it in headStats, VictoriaMetrics as totalSeries."""
    found = data if isinstance(data, dict) else {}
    head = found.get("headStats")
    return int((head.get("numSeries") if isinstance(head, dict) else found.get("totalSeries")) or 0)


def _pairs(rows: Iterable[Any]) -> list[tuple[str, int]]:
    return [(str(row.get("name")), int(row.get("value") or 0)) for row in rows if isinstance(row, dict)]


def _largest(rows: Iterable[tuple[str, int]]) -> list[tuple[str, int]]:
    return sorted(rows, key=lambda one: (-one[1], one[0]))


def _instant(row: Mapping[str, Any]) -> int:
    value = row.get("value")
    return int(number_of(value[1])) if isinstance(value, list) and len(value) == 2 else 0
