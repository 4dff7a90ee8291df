"""Application Signals: the map with its metrics, the objectives with their budgets, and the history of a
service.

Called by `service_health`. Numbers are CloudWatch's (namespace ApplicationSignals), under the references that
Application Signals itself gives, so nothing is guessed about dimensions.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from aiops_observability.clients.service_map import Counts, Edge, ServiceMap
from aiops_shared.aws.eks_cluster import EksCluster
from aiops_shared.aws.listing import listed, required
from aiops_shared.errors import NotFoundError
from aiops_shared.kube.nearest import nearest

MOST_SERVICES = 500
MOST_READ = 15  # services whose dependencies are read
IN_ONE = 500  # queries of one GetMetricData
LONGEST = timedelta(hours=24)  # ListServices takes the last day at most
SERVICE = "application-signals"
Reference = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Objective:
    """One objective with its budget, as Application Signals reports it. Percent; `left`: a share."""

    name: str
    kind: str
    goal: float
    days: int
    status: str
    attained: float | None
    left: float | None


@dataclass(frozen=True, slots=True)
class Known:
    """The service as Application Signals knows it."""

    key: Mapping[str, str]
    references: Sequence[Reference]
    names: frozenset[str]


@dataclass(frozen=True, slots=True)
class Steps:
    """Bad and all requests in equal steps, oldest first."""

    times: tuple[datetime, ...]
    bad: tuple[float, ...]
    total: tuple[float, ...]


@dataclass(frozen=True)
class ApplicationSignals:
    """Application Signals of one account and region."""

    eks: EksCluster

    async def find(self, service: str, since: datetime, until: datetime) -> Known:
        """The service. Raises NotFoundError with the nearest names, or where nothing is monitored."""
        since = max(since, until - LONGEST)
        found = await listed(
            self.eks,
            SERVICE,
            "list_services",
            "ServiceSummaries",
            at_most=MOST_SERVICES,
            StartTime=since,
            EndTime=until,
        )
        rows = [one for one in found.items if (one.get("KeyAttributes") or {}).get("Type") == "Service"]
        mine = [one for one in rows if one["KeyAttributes"].get("Name") == service]
        names = frozenset(str(one["KeyAttributes"].get("Name")) for one in rows)
        if not mine:
            near = ", ".join(nearest(service, names))
            said = f"nearest: {near}" if near else "it monitors no service here" if not names else ""
            raise NotFoundError(f"Application Signals service {service}", "not monitored", said)
        place = f"eks:{self.eks.name}/"
        mine.sort(key=lambda one: not str(one["KeyAttributes"].get("Environment", "")).startswith(place))
        return Known(dict(mine[0]["KeyAttributes"]), mine[0].get("MetricReferences") or (), names)

    async def map(self, known: Known, since: datetime, until: datetime) -> ServiceMap:
        """The service, its callers and what it calls, with requests, faults and latency in the window."""
        name = str(known.key["Name"])
        nodes: dict[str, Sequence[Reference]] = {name: known.references}
        edges: dict[Edge, Sequence[Reference]] = {}
        inferred: set[str] = set()
        for row in await self._rows("list_service_dependents", "ServiceDependents", known.key, since, until):
            caller = str((row.get("DependentKeyAttributes") or {}).get("Name"))
            edges[caller, name] = row.get("MetricReferences") or ()
            nodes.setdefault(caller, await self._references(row["DependentKeyAttributes"], since, until))
        pending, read = [dict(known.key)], {name}
        while pending and len(read) <= MOST_READ:
            here = pending.pop(0)
            for row in await self._rows(
                "list_service_dependencies", "ServiceDependencies", here, since, until
            ):
                key = dict(row.get("DependencyKeyAttributes") or {})
                callee = str(key.get("Name") or key.get("Identifier"))
                edges[str(here["Name"]), callee] = row.get("MetricReferences") or ()
                if key.get("Type") != "Service":
                    inferred.add(callee)
                elif callee not in read:
                    read.add(callee)
                    pending.append(key)
                    nodes[callee] = await self._references(key, since, until)
        counts = await self._counts([*nodes.values(), *edges.values()], since, until)
        found = ServiceMap(
            "Application Signals",
            "ListServiceDependencies, GetMetricData",
            dict(zip(nodes, counts, strict=False)),
            dict(zip(edges, counts[len(nodes) :], strict=True)),
            frozenset(inferred),
        )
        own = {each: _seen(found, each) for each in inferred}
        return replace(found, nodes={**found.nodes, **own})

    async def objectives(self, known: Known, now: datetime) -> tuple[Objective, ...]:
        """The objectives of a service with what is left of their budgets."""
        found = await listed(
            self.eks,
            SERVICE,
            "list_service_level_objectives",
            "SloSummaries",
            at_most=50,
            KeyAttributes=dict(known.key),
        )
        ids = [str(one["Arn"]) for one in found.items]
        if not ids:
            return ()
        answer = await self.eks.call(
            SERVICE, "batch_get_service_level_objective_budget_report", Timestamp=now, SloIds=ids
        )
        reports = required(answer, "Reports", "AWS application-signals budget report")
        return tuple(_objective(one) for one in reports)

    async def history(self, known: Known, until: datetime, span: timedelta, step_s: int) -> Steps:
        """Faults and requests of the service in steps."""
        rows = await self._read([known.references], until - span, until, step_s)
        found = rows[0] if rows else {}
        times = sorted({at for values in found.values() for at in values})
        bad, total = found.get("faults", {}), found.get("requests", {})
        kept = [at for at in times if at in total]
        return Steps(tuple(kept), tuple(bad.get(at, 0.0) for at in kept), tuple(total[at] for at in kept))

    async def _rows(
        self, operation: str, key: str, who: Mapping[str, str], since: datetime, until: datetime
    ) -> Sequence[Mapping[str, Any]]:
        since = max(since, until - LONGEST)
        found = await listed(
            self.eks,
            SERVICE,
            operation,
            key,
            at_most=200,
            KeyAttributes=dict(who),
            StartTime=since,
            EndTime=until,
        )
        rows: Sequence[Mapping[str, Any]] = found.items
        return rows

    async def _references(
        self, key: Mapping[str, str], since: datetime, until: datetime
    ) -> Sequence[Reference]:
        since = max(since, until - LONGEST)
        answer = await self.eks.call(
            SERVICE, "get_service", KeyAttributes=dict(key), StartTime=since, EndTime=until
        )
        service = required(answer, "Service", "AWS application-signals get_service")
        return service.get("MetricReferences") or ()

    async def _counts(
        self, groups: Sequence[Sequence[Reference]], since: datetime, until: datetime
    ) -> list[Counts]:
        rows = await self._read(groups, since, until, 60)
        return [
            Counts(
                sum(row.get("requests", {}).values()),
                sum(row.get("faults", {}).values()),
                sum(row.get("errors", {}).values()),
                sum(row.get("total", {}).values()) / 1000,
            )
            for row in rows
        ]

    async def _read(
        self, groups: Sequence[Sequence[Reference]], since: datetime, until: datetime, step_s: int
    ) -> list[dict[str, dict[datetime, float]]]:
        """For each group of references: requests, faults, errors and total duration by moment."""
        queries: list[dict[str, Any]] = []
        meant: dict[str, tuple[int, str]] = {}
        for at, references in enumerate(groups):
            for metric, stat, what in _wanted(references):
                query_id = f"q{len(queries)}"
                meant[query_id] = (at, what)
                queries.append(
                    {"Id": query_id, "MetricStat": {"Metric": metric, "Period": step_s, "Stat": stat}}
                )
        found: list[dict[str, dict[datetime, float]]] = [{} for _ in groups]
        for start in range(0, len(queries), IN_ONE):
            await self._page(queries[start : start + IN_ONE], (since, until), meant, found)
        return found

    async def _page(
        self,
        queries: list[dict[str, Any]],
        span: tuple[datetime, datetime],
        meant: Mapping[str, tuple[int, str]],
        found: list[dict[str, dict[datetime, float]]],
    ) -> None:
        more: dict[str, str] = {}
        while True:
            answer = await self.eks.call(
                "cloudwatch",
                "get_metric_data",
                MetricDataQueries=queries,
                StartTime=span[0],
                EndTime=span[1],
                **more,
            )
            for row in required(answer, "MetricDataResults", "AWS cloudwatch get_metric_data"):
                at, what = meant[str(row["Id"])]
                values = dict(zip(row.get("Timestamps") or (), row.get("Values") or (), strict=False))
                found[at].setdefault(what, {}).update(values)
            if not answer.get("NextToken"):
                return
            more = {"NextToken": answer["NextToken"]}


def _wanted(references: Iterable[Reference]) -> list[tuple[dict[str, Any], str, str]]:
    """What is asked of each metric: Latency is published once a request, so its count is the requests'."""
    asked: dict[str, tuple[tuple[str, str], ...]] = {
        "LATENCY": (("SampleCount", "requests"), ("Sum", "total"))
    }
    asked |= {"FAULT": (("Sum", "faults"),), "ERROR": (("Sum", "errors"),)}
    found = []
    for one in references:
        metric = {key: one[key] for key in ("Namespace", "MetricName", "Dimensions") if one.get(key)}
        for stat, what in asked.get(str(one.get("MetricType")), ()):
            found.append((metric, stat, what))
    return found


def _seen(found: ServiceMap, name: str) -> Counts:
    return sum((counts for (_, callee), counts in found.edges.items() if callee == name), Counts())


def _objective(report: Mapping[str, Any]) -> Objective:
    sli = report.get("RequestBasedSli") or report.get("Sli") or {}
    metric = sli.get("RequestBasedSliMetric") or sli.get("SliMetric") or {}
    goal = report.get("Goal") or {}
    rolling = (goal.get("Interval") or {}).get("RollingInterval") or {}
    days = int(rolling.get("Duration") or 30) * {"DAY": 1, "MONTH": 30, "HOUR": 0}.get(
        str(rolling.get("DurationUnit")), 1
    )
    total = report.get("TotalBudgetRequests") or report.get("TotalBudgetSeconds")
    left = report.get("BudgetRequestsRemaining", report.get("BudgetSecondsRemaining"))
    return Objective(
        str(report.get("Name")),
        str(metric.get("MetricType") or ""),
        float(goal.get("AttainmentGoal") or 0.0),
        days,
        str(report.get("BudgetStatus")),
        float(report["Attainment"]) if report.get("Attainment") is not None else None,
        float(left) / float(total) if total and left is not None else None,
    )
