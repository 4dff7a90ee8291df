"""Driver of any Prometheus API: Prometheus, Thanos, Mimir, VictoriaMetrics, Grafana Cloud.

Made by `MetricsDirectory`; `amp` is the same, signed. A query is parsed, given the cluster's label and priced
before it is sent (`promql`, `promql_cost`); discovery is `prometheus_inventory`.
"""

from dataclasses import dataclass

import numpy as np
from anyio import to_thread

from aiops_shared.clock import Clock
from aiops_shared.errors import AiopsError, QueryInvalidError
from aiops_shared.metrics.catalogue_prometheus import asks
from aiops_shared.metrics.inventory import Cardinality, Rule, RuleAlert
from aiops_shared.metrics.ports import Asked, BackendName, Cost, MetricName, Target
from aiops_shared.metrics.prometheus_answers import matrix, samples_read
from aiops_shared.metrics.prometheus_http import PrometheusApi
from aiops_shared.metrics.prometheus_inventory import Discovery
from aiops_shared.metrics.promql import (
    Selector,
    checked,
    parsed,
    require_series,
    selectors,
    with_label,
)
from aiops_shared.metrics.promql_cost import (
    PROBES,
    estimated,
    nameless,
    probe_query,
    probes,
    refuse_dear,
    refuse_unbounded,
)
from aiops_shared.metrics.promql_units import unit_of
from aiops_shared.metrics.series import MetricAnswer, Window

NAMELESS = (
    "name a metric (search= finds it), or give one label an exact value;"
    " show=cardinality counts the series of every metric"
)


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a query may read, and the label that keeps clusters apart in a shared store: (name, value)."""

    max_samples: int
    label: tuple[str, str] | None = None


class PrometheusMetrics:
    """Fulfils `ports.MetricsBackend` and `inventory.MetricsInventory`."""

    def __init__(
        self, api: PrometheusApi, clock: Clock, bounds: Bounds, name: BackendName = "prometheus"
    ) -> None:
        self._api = api
        self._bounds = bounds
        self._name = name
        self._discovery = Discovery(api, clock, self._selector, bounds.label)

    @property
    def name(self) -> BackendName:
        """Which driver."""
        return self._name

    async def aclose(self) -> None:
        """Close its connections."""
        await self._api.aclose()

    async def range(self, query: str, window: Window) -> MetricAnswer:
        """The series of a PromQL query over a window.

        Raises QueryInvalidError for one that does not parse, is not bounded or would read too much.
        """
        text = self._text(query, window.step_s)
        tree = parsed(text)
        require_series(tree)
        found = selectors(tree)
        if nameless(found) is None:
            refuse_unbounded(found, window)
        cost = await self._cost(found, window, refuse=True)
        refuse_dear(cost, self._bounds.max_samples, found, window)
        said = await self._api.ask("query_range", [*_asked(text, window), ("stats", "true")], form=True)
        # Two weeks of many pods take a while: deadlines must be able to end meanwhile.
        series, left_out = await to_thread.run_sync(matrix, said.data, window, self._api.thing)
        return MetricAnswer(
            series=series,
            source=self._api.thing,
            query=text,
            unit=unit_of(tree),
            warnings=(*said.remarks, *left_out),
            samples=samples_read(said.data) or cost.samples,
        )

    async def estimate(self, query: str, window: Window) -> Cost:
        """What `range` would read."""
        found = selectors(parsed(self._text(query, window.step_s)))
        return await self._cost(found, window, refuse=False)

    def asks(self, question: str, target: Target) -> Asked:
        """A named question in PromQL."""
        return asks(question, target)

    async def search(self, words: str, *, limit: int) -> tuple[MetricName, ...]:
        """Metric names nearest to some words."""
        return await self._discovery.search(words, limit)

    async def labels(self, metric: str) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """The labels of a metric, each with some of its values."""
        return await self._discovery.labels(metric)

    async def rules(self) -> tuple[Rule, ...]:
        """Recording and alerting rules."""
        return await self._discovery.rules()

    async def alerts(self) -> tuple[RuleAlert, ...]:
        """What the alerting rules raise now."""
        return await self._discovery.alerts()

    async def cardinality(self) -> Cardinality:
        """Series by metric and values by label."""
        return await self._discovery.cardinality()

    def _text(self, query: str, step_s: int) -> str:
        if self._bounds.label is None:
            return checked(query, step_s)
        return with_label(query, *self._bounds.label, step_s)

    def _selector(self, selector: str) -> str:
        """A selector as discovery sends it: with the cluster's label, where there is one."""
        return self._text(selector, 0)

    async def _cost(self, found: tuple[Selector, ...], window: Window, *, refuse: bool) -> Cost:
        endless = nameless(found)
        if endless is not None:
            series = await self._head()
            reads = (
                f"about {series * window.points:,} samples of {series:,} series" if series else "every series"
            )
            if refuse or not series:
                raise QueryInvalidError("query", f"{endless.text[:80]} would read {reads}", NAMELESS)
            return Cost(series=series, samples=series * window.points)
        if not found:
            return Cost()
        counts = await self._probed(probe_query(found), window)
        return estimated(found, probes(found, counts), window)

    async def _probed(self, query: str, window: Window) -> dict[str, float]:
        """The means of the probe's series over the window: a workload may have lived in a part of it."""
        step_s = max(window.step_s, round(window.span_s) // PROBES)
        few = Window.over(window.since, window.until, step_s) if window.points > 1 else window
        said = await self._api.ask("query_range", _asked(query, few), form=True)
        series, _ = matrix(said.data, few, self._api.thing)
        return {one.labels.get("aiops", ""): float(np.nan_to_num(one.values).mean()) for one in series}

    async def _head(self) -> int:
        try:
            return await self._discovery.head_series()
        except AiopsError:  # Thanos and AMP do not say it
            return 0


def _asked(query: str, window: Window) -> list[tuple[str, str]]:
    return [
        ("query", query),
        ("start", f"{window.since.timestamp():.3f}"),
        ("end", f"{window.until.timestamp():.3f}"),
        ("step", str(window.step_s)),
    ]
