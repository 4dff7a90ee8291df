"""Prometheus's own view of alerts: which rules fire with which value, and what fired before.

Called by `alarm_alertmanager`. `/api/v1/rules` gives expression and value of what fires now; the synthetic
series `ALERTS{alertstate="firing"}` is 1 while an alert fires, so its runs are the past of every alert.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aiops_observability.clients.alarm_http import AlertDoor
from aiops_observability.clients.alarm_source import MOST_ALARMS, Window, plain, texts
from aiops_observability.models.alarms import Episode
from aiops_shared.errors import UpstreamError
from aiops_shared.results import Evidence

if TYPE_CHECKING:
    from aiops_observability.ports import Metrics
    from aiops_shared.metrics.series import Series

QUERY = 'ALERTS{alertstate="firing"}'
MOST_POINTS, FINEST_S = 1_500, 60
_COMPARISON = re.compile(r"(>=|<=|==|!=|>|<)\s*(?:bool\s+)?(-?[0-9][0-9eE.+_-]*)\s*$")
# Labels that Prometheus adds on its way to Alertmanager or to the series, so that one alert has both.
_ADDED = frozenset({"alertstate", "__name__", "prometheus", "prometheus_replica", "replica"})


@dataclass(frozen=True, slots=True)
class RuleAlert:
    """One firing alert of a rule. `row`: as Prometheus told it."""

    labels: Mapping[str, str]
    threshold: str
    value: float | None
    row: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Fired:
    """What fired in a window: each alert's labels and times."""

    alerts: tuple[tuple[Mapping[str, str], tuple[Episode, ...]], ...] = ()
    evidence: tuple[Evidence, ...] = ()
    warnings: tuple[str, ...] = ()


def same_alert(labels: Mapping[str, str]) -> frozenset[tuple[str, str]]:
    """The same for one alert in Alertmanager, in a rule and in ALERTS."""
    return frozenset((name, value) for name, value in labels.items() if name not in _ADDED)


@dataclass(frozen=True, slots=True)
class FiringRules:
    """The rules of one Prometheus."""

    door: AlertDoor

    async def firing(self) -> list[RuleAlert]:
        """What fires now. Raises `AiopsError`."""
        answer = await self.door.get("/api/v1/rules", {"type": "alert"})
        data = answer.get("data") if isinstance(answer, Mapping) else None
        if not isinstance(data, Mapping) or not isinstance(data.get("groups"), list):
            raise UpstreamError(self.door.thing, "its rules have not the form of Prometheus's API")
        return list(_firing(data["groups"]))[:MOST_ALARMS]


def _firing(groups: list[Any]) -> Iterator[RuleAlert]:
    for group in groups:
        for rule in (group.get("rules") or ()) if isinstance(group, Mapping) else ():
            threshold = _threshold(str(rule.get("query") or "")[:4096])
            for alert in rule.get("alerts") or ():
                if alert.get("state") == "firing":
                    labels = texts(alert.get("labels"))
                    yield RuleAlert(labels, threshold, _number(alert.get("value")), alert)


def _threshold(query: str) -> str:
    """The comparison that ends an expression; else the expression, shortened."""
    found = _COMPARISON.search(query.strip())
    return f"{found[1]} {found[2]}" if found else plain(query, 60)


def _number(value: object) -> float | None:
    try:
        found = float(value) if isinstance(value, str | int | float) else None
    except ValueError:
        return None
    return found if found is not None and abs(found) < float("inf") else None


@dataclass(frozen=True, slots=True)
class Past:
    """The ALERTS series of a cluster's Prometheus or AMP."""

    metrics: "Metrics"
    source: str

    async def fired(self, cluster: str | None, window: Window) -> Fired:
        """Every alert's times in the window. Raises `AiopsError`."""
        from aiops_shared.metrics.series import Window as Grid

        span_s = (window.now - window.since).total_seconds()
        step_s = max(FINEST_S, -(-int(span_s) // MOST_POINTS // FINEST_S) * FINEST_S)
        backend = await self.metrics.open(cluster, self.source)
        answer = await backend.range(QUERY, Grid.over(window.since, window.now, step_s))
        found = [
            (texts(one.labels, take=lambda name: name not in _ADDED), tuple(_episodes(one)))
            for one in answer.series
        ]
        says = f"{len(found)} alerts fired, seen every {step_s} s"
        evidence = Evidence(
            source=answer.source, query=f"{QUERY} since {window.since:%Y-%m-%dT%H:%MZ}", says=says
        )
        cut = ("Prometheus: not all alerts of the past were read",) if answer.truncated else ()
        return Fired(tuple(found), (evidence,), (*answer.warnings, *cut))


def _episodes(series: "Series") -> Iterator[Episode]:
    """Runs of samples. One that lasts until the window's last point still fires."""
    import numpy as np

    there = ~np.isnan(series.values)
    edges = np.flatnonzero(np.diff(np.concatenate(([0], there.astype(np.int8), [0]))))
    last = series.window.points
    for start, end in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        yield Episode(series.window.moment(start), None if end >= last else series.window.moment(end))
