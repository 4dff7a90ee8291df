"""A service map in one form, from Application Signals, X-Ray's service graph, or sampled traces.

Called by `service_health`. Shown are the service, its direct callers, and everything that it calls,
directly or through others; an edge's numbers are the caller's view, so a dependency that leaves no span is
on the map too.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from aiops_observability.models.spans import Trace
from aiops_shared.results import Table

MOST_NODES, MOST_EDGES = 20, 30
Edge = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Counts:
    """Requests with their failures and the sum of their durations."""

    requests: float = 0.0
    faults: float = 0.0
    errors: float = 0.0
    total_s: float = 0.0

    def __add__(self, other: "Counts") -> "Counts":
        """Both together."""
        return Counts(
            self.requests + other.requests,
            self.faults + other.faults,
            self.errors + other.errors,
            self.total_s + other.total_s,
        )

    @property
    def fault_pct(self) -> float:
        """Faults of the requests in percent."""
        return 100 * self.faults / self.requests if self.requests else 0.0

    @property
    def average_ms(self) -> float:
        """Mean duration."""
        return 1000 * self.total_s / self.requests if self.requests else 0.0


@dataclass(frozen=True, slots=True)
class ServiceMap:
    """Nodes and edges. `inferred`: nodes that left no span of their own."""

    source: str
    query: str
    nodes: Mapping[str, Counts] = field(default_factory=dict)
    edges: Mapping[Edge, Counts] = field(default_factory=dict)
    inferred: frozenset[str] = frozenset()
    warnings: tuple[str, ...] = ()

    def around(self, service: str) -> "ServiceMap":
        """The part that concerns a service."""
        kept, pending = {service}, [service]
        while pending:
            here = pending.pop()
            for caller, callee in self.edges:
                if caller == here and callee not in kept:
                    kept.add(callee)
                    pending.append(callee)
        callers = {caller for caller, callee in self.edges if callee == service}
        edges = {
            edge: counts
            for edge, counts in self.edges.items()
            if edge[0] in kept or (edge[0] in callers and edge[1] == service)
        }
        nodes = {name: counts for name, counts in self.nodes.items() if name in kept | callers}
        return replace(self, nodes=nodes, edges=edges, inferred=self.inferred & (kept | callers))

    def node_table(self) -> Table:
        """Nodes, those that fail most first."""
        rows = sorted(self.nodes.items(), key=lambda one: (-one[1].fault_pct, one[0]))[:MOST_NODES]
        return Table(
            columns=("node", "requests", "fault_pct", "error_pct", "avg_ms", "inferred"),
            rows=tuple((name, *_cells(counts), name in self.inferred) for name, counts in rows),
        )

    def edge_table(self) -> Table:
        """Edges, those that fail most first."""
        rows = sorted(self.edges.items(), key=lambda one: (-one[1].fault_pct, one[0]))[:MOST_EDGES]
        return Table(
            columns=("from", "to", "requests", "fault_pct", "error_pct", "avg_ms"),
            rows=tuple((*edge, *_cells(counts)) for edge, counts in rows),
        )


def _cells(counts: Counts) -> tuple[int, float, float, float]:
    errors = 100 * counts.errors / counts.requests if counts.requests else 0.0
    return (
        round(counts.requests),
        round(counts.fault_pct, 2),
        round(errors, 2),
        float(f"{counts.average_ms:.4g}"),
    )


def of_traces(traces: Iterable[Trace], source: str, query: str) -> ServiceMap:
    """The map that sampled traces draw."""
    nodes: dict[str, Counts] = defaultdict(Counts)
    edges: dict[Edge, Counts] = defaultdict(Counts)
    for trace in traces:
        for span in trace.spans:
            one = Counts(1.0, float(span.fault), float(span.error), span.duration_s)
            edge = trace.edge(span)
            if span.kind == "server":
                nodes[span.service] += one
            if edge is not None:
                edges[edge] += one
    return _with_inferred(ServiceMap(source, query, dict(nodes), dict(edges)))


def of_xray(services: Iterable[Mapping[str, Any]]) -> ServiceMap:
    """The map of X-Ray's service graph; clients (type `client`) are users, not services."""
    rows = [one for one in services if one.get("Type") != "client"]
    names = {one.get("ReferenceId"): str(one.get("Name")) for one in rows}
    nodes: dict[str, Counts] = {}
    edges: dict[Edge, Counts] = {}
    inferred: set[str] = set()
    for one in rows:
        name = str(one.get("Name"))
        nodes[name] = nodes.get(name, Counts()) + _counts(one.get("SummaryStatistics"))
        if str(one.get("Type", "")) in ("remote", "Database::SQL") or one.get("State") == "unknown":
            inferred.add(name)
        for edge in one.get("Edges") or []:
            callee = names.get(edge.get("ReferenceId"))
            if callee is not None and callee != name:
                found = edges.get((name, callee), Counts())
                edges[name, callee] = found + _counts(edge.get("SummaryStatistics"))
    return _with_inferred(ServiceMap("X-Ray", "GetServiceGraph", nodes, edges, frozenset(inferred)))


def _counts(statistics: Any) -> Counts:
    found = statistics if isinstance(statistics, dict) else {}
    return Counts(
        float(found.get("TotalCount") or 0),
        float((found.get("FaultStatistics") or {}).get("TotalCount") or 0),
        float((found.get("ErrorStatistics") or {}).get("TotalCount") or 0),
        float(found.get("TotalResponseTime") or 0.0),
    )


def _with_inferred(found: ServiceMap) -> ServiceMap:
    """A callee without a span of its own gets the numbers that its callers saw."""
    nodes = dict(found.nodes)
    inferred = set(found.inferred) | {callee for _, callee in found.edges if callee not in found.nodes}
    for name in inferred:
        seen = [counts for (_, callee), counts in found.edges.items() if callee == name]
        nodes[name] = sum(seen, Counts()) if seen else nodes.get(name, Counts())
    return replace(found, nodes=nodes, inferred=frozenset(inferred))
