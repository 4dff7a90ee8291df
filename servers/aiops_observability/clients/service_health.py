"""Is a service keeping its promise: its map, what it delivers, its budget and how fast that burns.

Called by the health tool through `ports.Services`. The map is Application Signals' where it knows the
service, else X-Ray's graph or what sampled traces draw; availability over the burn-rate windows is
Application Signals', else the request metrics', else what the traces of the window alone say. What fails is
a warning while anything is left.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import anyio
import numpy as np

from aiops_observability.analysis.burn_rates import (
    DAY_S,
    SLO_DAYS,
    WINDOWS_S,
    Budget,
    Burn,
    budget,
    budget_minutes,
    burns,
)
from aiops_observability.clients.history import Wanted, as_one, past
from aiops_observability.clients.metric_backends import in_turn
from aiops_observability.clients.service_map import ServiceMap, of_traces, of_xray
from aiops_observability.clients.service_signals import ApplicationSignals, Known, Objective, Steps
from aiops_observability.clients.trace_backend import TraceSearch
from aiops_observability.clients.trace_making import TraceStores
from aiops_observability.models.service_health import HealthAsk, ServiceHealth, Status
from aiops_observability.ports import Metrics
from aiops_shared.clock import Clock
from aiops_shared.errors import AiopsError, InvalidInputError, NotFoundError
from aiops_shared.kube.clusters import ClusterDirectory
from aiops_shared.kube.nearest import nearest
from aiops_shared.metrics.ports import Target
from aiops_shared.params import since_to_datetime
from aiops_shared.results import Evidence, Table
from aiops_shared.results.wording import cut, quotable

DEFAULT_SLO = 99.9
SAMPLED = 200
FINE_S, COARSE_S = 300, 3600
READ_S = 40.0
GRAPH_S = 6 * 3600 - 1
SHORTEST = timedelta(minutes=5)
FOREIGN = ("nodes", "edges", "slos", "summary")


@dataclass
class _Found:
    """What has been learned; `gaps`: what could not be."""

    window: tuple[datetime, datetime]
    known: Known | None = None
    map: ServiceMap | None = None
    objectives: tuple[Objective, ...] = ()
    fine: Steps | None = None
    coarse: Steps | None = None
    measured_by: str = ""
    p95_s: float | None = None
    gaps: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class ServiceReader:
    """Fulfils `ports.Services`."""

    clusters: ClusterDirectory
    stores: TraceStores
    metrics: Metrics
    clock: Clock

    async def health(self, ask: HealthAsk) -> ServiceHealth:
        """One service. Raises NotFoundError, InvalidInputError, and what failed when nothing is left."""
        now = await self.clock.now()
        since = since_to_datetime(ask.since, now)
        if now - since < SHORTEST:
            raise InvalidInputError("since", "the window is shorter than five minutes", "give -15m or more")
        found = _Found((since, now))
        errors: list[AiopsError] = []
        with anyio.move_on_after(READ_S) as scope:
            if ask.source != "traces":
                await self._signals(ask, found, errors)
            if found.map is None and ask.source != "application_signals":
                await self._traced(ask, found, errors)
            if found.fine is None:
                await self._measured(ask, found)
        if scope.cancelled_caught:
            found.gaps.append(f"what was not read within {READ_S:g} s is left out")
        if found.map is None and found.fine is None:
            raise errors[-1] if errors else NotFoundError(f"service {ask.service}", "nothing knows it")
        return _answer(ask, found)

    async def _signals(self, ask: HealthAsk, found: _Found, errors: list[AiopsError]) -> None:
        """Application Signals' view, as far as it knows the service."""
        since, now = found.window
        try:
            signals = ApplicationSignals(await self.clusters.eks(ask.cluster))
            found.known = known = await signals.find(ask.service, since, now)
        except AiopsError as error:
            errors.append(error)
            if not isinstance(error, NotFoundError) or ask.source == "application_signals":
                found.gaps.append(f"Application Signals: {error}")
            return
        try:
            found.map = await signals.map(known, since, now)
            found.fine = await signals.history(known, now, timedelta(seconds=max(WINDOWS_S)), FINE_S)
            found.coarse = await signals.history(known, now, timedelta(days=SLO_DAYS), COARSE_S)
            found.measured_by = "Application Signals"
            found.objectives = await signals.objectives(known, now)
        except AiopsError as error:
            errors.append(error)
            found.gaps.append(f"Application Signals, in part: {error}")

    async def _traced(self, ask: HealthAsk, found: _Found, errors: list[AiopsError]) -> None:
        """The map that the traces draw."""
        since, now = found.window
        try:
            backend = await self.stores.open(ask.cluster)
            graph = getattr(backend, "graph", None)
            if graph is not None:
                first = max(since, now - timedelta(seconds=GRAPH_S))
                if first > since:
                    found.gaps.append("X-Ray's graph covers the last six hours of the window")
                whole = of_xray(await graph(first, now))
            else:
                sample = await backend.find(TraceSearch(ask.service, since, now, SAMPLED))
                found.gaps += sample.warnings
                whole = of_traces(sample.traces, f"{backend.name}, {len(sample.traces)} traces", sample.query)
            names = set(whole.nodes)
            if ask.service in names:
                found.map = whole.around(ask.service)
                return
            names |= set(await backend.services(since, now))
        except AiopsError as error:
            errors.append(error)
            found.gaps.append(f"traces: {error}")
            return
        near = ", ".join(nearest(ask.service, names) or sorted(names)[:5])
        errors.append(
            NotFoundError(f"service {ask.service}", "no trace names it", f"nearest: {near or 'none'}")
        )
        found.gaps.append(str(errors[-1]))

    async def _measured(self, ask: HealthAsk, found: _Found) -> None:
        """Availability over the burn-rate windows from request metrics."""
        now = found.window[1]
        try:
            heard = await in_turn(
                self.metrics,
                (ask.cluster, "auto"),
                lambda backend: self._steps(
                    ask, backend.name, now, timedelta(seconds=max(WINDOWS_S)), FINE_S
                ),
            )
            found.fine, source = heard.answer, heard.backend.name
            found.gaps += heard.said
            found.measured_by = f"request metrics of {source}"
            found.coarse = await self._steps(ask, source, now, timedelta(days=SLO_DAYS), COARSE_S)
            latency = _wanted(ask, source, "latency_p95")
            answer = await past(self.metrics, latency, now, now - found.window[0], 60)
            values, _ = as_one(answer)
            found.p95_s = float(np.nanmedian(values))
        except AiopsError as error:
            found.gaps.append(f"request metrics: {error}")

    async def _steps(self, ask: HealthAsk, source: str, now: datetime, span: timedelta, step_s: int) -> Steps:
        """Requests and failures in steps, from a rate and a share."""
        rate = await past(self.metrics, _wanted(ask, source, "requests_total"), now, span, step_s)
        share = await past(self.metrics, _wanted(ask, source, "errors"), now, span, step_s)
        total, _ = as_one(rate)
        bad, _ = as_one(share)
        window = rate.series[0].window
        seen = ~np.isnan(total)
        failed = np.where(np.isnan(bad), 0.0, bad)
        times = tuple(window.moment(int(at)) for at in np.flatnonzero(seen))
        counts = total[seen] * step_s
        return Steps(times, tuple((counts * failed[seen]).tolist()), tuple(counts.tolist()))


def _wanted(ask: HealthAsk, source: str, what: str) -> Wanted:
    return Wanted(ask.cluster, source, what=what, target=Target(kind="Service", name=ask.service))


def _answer(ask: HealthAsk, found: _Found) -> ServiceHealth:
    own = next((one for one in found.objectives if one.kind == "AVAILABILITY" and one.goal), None)
    percent = ask.slo or (own.goal if own else DEFAULT_SLO)
    objective = percent / 100
    shares = _shares(found)
    rates = burns(objective, shares)
    left = _budget(objective, found)
    status = _status(rates, left, found)
    if not ask.slo and own is None:
        found.gaps.append(f"no objective was given: {DEFAULT_SLO} % is assumed (slo=…)")
    if left is not None and _measured_days(found) < SLO_DAYS - 1:
        found.gaps.append(
            f"requests are known for {_measured_days(found):.2g} of {SLO_DAYS} days: so is the budget"
        )
    return ServiceHealth(
        summary=cut(_sentence(ask, found, percent, rates, left)),
        service=ask.service,
        source=found.map.source if found.map else "",
        status=status,
        nodes=found.map.node_table() if found.map else None,
        edges=found.map.edge_table() if found.map else None,
        sli=_sli(ask, found),
        slo_percent=percent,
        budget_minutes=round(budget_minutes(objective), 2),
        budget_left=round(left.left, 4) if left else None,
        burn_rates=_burn_table(rates) if any(one.long is not None for one in rates) else None,
        slos=_objectives(found.objectives),
        evidence=tuple(_evidence(found)),
        warnings=tuple(found.gaps),
        hint=_hint(rates, found),
        untrusted=FOREIGN,
    )


def _shares(found: _Found) -> Mapping[int, float | None]:
    """Share of bad requests in each window; None where less than half of it is measured."""
    steps = found.fine
    if steps is None or not steps.times:
        return {}
    now = found.window[1]
    shares: dict[int, float | None] = {}
    for window_s in WINDOWS_S:
        since = now - timedelta(seconds=window_s)
        inside = [at for at, moment in enumerate(steps.times) if moment >= since]
        total = sum(steps.total[at] for at in inside)
        enough = len(inside) * FINE_S >= window_s / 2
        shares[window_s] = sum(steps.bad[at] for at in inside) / total if total and enough else None
    return shares


def _budget(objective: float, found: _Found) -> Budget | None:
    steps = found.coarse or found.fine
    return budget(objective, sum(steps.bad), sum(steps.total)) if steps else None


def _status(rates: Sequence[Burn], left: Budget | None, found: _Found) -> Status:
    if left is not None and left.left < 0:
        return "breached"
    if any(one.firing for one in rates):
        return "burning"
    return "healthy" if found.fine is not None and found.fine.times else "unknown"


def _sentence(
    ask: HealthAsk, found: _Found, percent: float, rates: Sequence[Burn], left: Budget | None
) -> str:
    counts = found.map.nodes.get(ask.service) if found.map else None
    head = (
        f"{ask.service}: {100 - counts.fault_pct:.2f} % of {counts.requests:.0f} requests good, mean"
        f" {counts.average_ms:.3g} ms."
        if counts
        else f"{ask.service}: no map."
    )
    firing = [one for one in rates if one.firing]
    if firing:
        one = firing[0]
        long, short = (f"{rate or 0.0:.1f}x" for rate in (one.long, one.short))
        burn = f" Budget of {percent:g} % burns {long} over {_hours(one.rule.long_s)} and {short} over"
        burn += f" {_hours(one.rule.short_s)}: {one.rule.action}."
    else:
        judged = any(one.long is not None for one in rates)
        burn = f" No burn rate of {percent:g} % fires." if judged else " Burn rates are not known."
    rest = _left(left, found) if left else ""
    return head + burn + rest + _worst_edge(found)


def _left(left: Budget, found: _Found) -> str:
    """The budget in words; where less than its whole span is measured, over what."""
    days = _measured_days(found)
    span = f"{SLO_DAYS}-day" if days >= SLO_DAYS - 1 else f"{days:.2g}-day (measured)"
    if left.left < 0:
        return f" The {span} budget is overspent {left.spent:.1f} times."
    return f" {100 * left.left:.0f} % of the {span} budget is left."


def _measured_days(found: _Found) -> float:
    coarse, fine = found.coarse, found.fine
    if coarse is not None and coarse.times:
        return len(coarse.times) * COARSE_S / DAY_S
    return len(fine.times) * FINE_S / DAY_S if fine is not None else 0.0


def _worst_edge(found: _Found) -> str:
    edges = found.map.edges if found.map else {}
    worst = max(edges.items(), key=lambda one: one[1].faults, default=None)
    if worst is None or not worst[1].faults:
        return ""
    caller, callee = map(quotable, worst[0])
    return f" Most failing call: {caller} -> {callee} ({worst[1].fault_pct:.1f} %)."


def _sli(ask: HealthAsk, found: _Found) -> Table:
    counts = found.map.nodes.get(ask.service) if found.map else None
    rows: list[tuple[str, float | None, str]] = []
    if counts is not None:
        source = found.map.source if found.map else ""
        rows.append(("availability_pct", round(100 - counts.fault_pct, 3), source))
        rows.append(("latency_avg_ms", float(f"{counts.average_ms:.4g}"), source))
    if found.p95_s is not None:
        rows.append(("latency_p95_ms", float(f"{1000 * found.p95_s:.4g}"), found.measured_by))
    hour = _shares(found).get(3600)
    if hour is not None:
        rows.append(("availability_1h_pct", round(100 * (1 - hour), 3), found.measured_by))
    return Table(columns=("sli", "value", "from"), rows=tuple(rows))


def _burn_table(rates: Sequence[Burn]) -> Table:
    rows = tuple(
        (
            f"{_hours(one.rule.long_s)}/{_hours(one.rule.short_s)}",
            one.rule.threshold,
            None if one.long is None else round(one.long, 2),
            None if one.short is None else round(one.short, 2),
            one.rule.action if one.firing else "",
        )
        for one in rates
    )
    return Table(columns=("windows", "threshold", "long", "short", "fires"), rows=rows)


def _objectives(objectives: Sequence[Objective]) -> Table | None:
    rows = tuple(
        (one.name, one.kind, one.goal, one.days, one.attained, _rounded(one.left), one.status)
        for one in objectives
    )
    columns = ("slo", "kind", "goal_pct", "days", "attained_pct", "budget_left", "status")
    return Table(columns=columns, rows=rows) if rows else None


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def _hours(seconds: int) -> str:
    if seconds % DAY_S == 0:
        return f"{seconds // DAY_S}d"
    return f"{seconds // 3600}h" if seconds % 3600 == 0 else f"{seconds // 60}m"


def _hint(rates: Sequence[Burn], found: _Found) -> str:
    if any(one.firing for one in rates):
        return "analyze_traces(service) names the zone, version or edge that fails; list_changes what changed"
    if found.fine is None:
        return "burn rates need request metrics (http_requests_total{service=…}) or Application Signals"
    return ""


def _evidence(found: _Found) -> list[Evidence]:
    span = f"{found.window[0]:%FT%TZ}/{found.window[1]:%FT%TZ}"
    rows = []
    if found.map is not None:
        said = f"{len(found.map.nodes)} nodes, {len(found.map.edges)} edges"
        rows.append(Evidence(source=found.map.source, query=f"{found.map.query} {span}", says=said))
    if found.fine is not None:
        said = f"{len(found.fine.times)} steps of {FINE_S} s in 3 d"
        query = "requests_total, errors" if found.measured_by != "Application Signals" else "Latency, Fault"
        rows.append(Evidence(source=found.measured_by, query=query, says=said))
    return rows
