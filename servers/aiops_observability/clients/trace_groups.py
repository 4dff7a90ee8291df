"""The requests of a service sorted into groups and judged: by zone, version, node, endpoint, or by edge.

Called by `trace_reading`. A request is the service's outermost server span in a trace.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from aiops_observability.analysis.critical_path import fault_origin
from aiops_observability.analysis.exact import holm, larger
from aiops_observability.analysis.outliers import (
    ALPHA,
    FEWEST,
    MIN_RATIO,
    GroupRow,
    Outlier,
    Request,
    Verdict,
    judge,
)
from aiops_observability.models.spans import Span, Trace

FACETS = ("az", "version", "node", "endpoint")
UNKNOWN = "(not said)"


@dataclass(frozen=True, slots=True)
class Served:
    """One request of the service: the trace and its span in it. `az`: where the span itself does not say."""

    trace: Trace
    span: Span
    az: str = ""

    def facet(self, name: str) -> str:
        """Its group; `UNKNOWN` where nothing says it."""
        return self.span.facet(name) or (self.az if name == "az" else "") or UNKNOWN


@dataclass(frozen=True, slots=True)
class Judged:
    """One way to group, judged. `single`: there is only one group, so nothing to compare."""

    by: str
    verdict: Verdict
    single: bool = False

    @property
    def best(self) -> Outlier | None:
        """The worst outlier."""
        return self.verdict.outliers[0] if self.verdict.outliers else None


def served(traces: Sequence[Trace], service: str, endpoint: str = "", cluster: str = "") -> list[Served]:
    """The service's requests, of one endpoint and cluster where they are given."""
    found: list[Served] = []
    for trace in traces:
        spans = [one for one in trace.spans if one.service == service and one.kind == "server"]
        known = {one.span_id for one in spans}
        for span in spans:
            if span.parent_id in known:
                continue  # the service calling itself
            other = str(span.attributes.get("k8s_cluster_name") or "")
            if (cluster and other and other != cluster) or (endpoint and span.facet("endpoint") != endpoint):
                continue
            found.append(Served(trace, span))
    return found


def grouped(requests: Sequence[Served], by: str) -> Judged:
    """Every group against the others; requests are compared with those of their own endpoint."""
    rows = [_request(one, by) for one in requests]
    known = {row.group for row in rows} - {UNKNOWN}
    return Judged(by, judge([row for row in rows if row.group != UNKNOWN]), len(known) < 2)


def _request(one: Served, by: str) -> Request:
    stratum = "" if by == "endpoint" else one.facet("endpoint")
    return Request(one.facet(by), one.span.duration_s, one.span.fault, stratum, one.span.error)


def against_past(requests: Sequence[Served], past: Sequence[Served], by: str) -> Judged:
    """Every group against itself before: endpoints differ by nature, so only a change says something."""
    rows = [_request(one, by) for one in requests]
    before: dict[str, list[Request]] = {}
    for one in past:
        row = _request(one, by)
        before.setdefault(row.group, []).append(row)
    return Judged(by, judge([row for row in rows if row.group != UNKNOWN], before))


def edges(requests: Sequence[Served], past: Sequence[Served]) -> Judged:
    """Calls by edge: failures that began there against those of the other edges, durations against the
    past.
    """
    now, before = _calls(requests), _calls(past)
    faults = judge([replace(one, duration_s=0.0) for one in now])
    slow = judge([replace(one, fault=False) for one in now], _by_group(before))
    slower = {row.group: row for row in slow.rows}
    rows = [
        replace(
            slower[row.group],
            faults=row.faults,
            fault_ratio=row.fault_ratio,
            p_faults=min(1.0, 2 * row.p_faults),
            p_latency=min(1.0, 2 * slower[row.group].p_latency),
        )
        for row in faults.rows
    ]
    rows.sort(key=lambda row: (row.p, -row.fault_share, -row.latency_ratio, row.group))
    found = [replace(one, row=_row(rows, one)) for one in (*faults.outliers, *slow.outliers)]
    found = [one for one in found if one.row.p < ALPHA]
    return Judged("edge", Verdict(tuple(rows), tuple(found)), len({row.group for row in rows}) < 2)


def _row(rows: Sequence[GroupRow], one: Outlier) -> GroupRow:
    return next(row for row in rows if row.group == one.row.group)


def _calls(requests: Sequence[Served]) -> list[Request]:
    found: list[Request] = []
    for one in requests:
        origin = fault_origin(one.trace, one.span)
        pending = [one.span]
        seen = 0
        while pending and seen < 5_000:
            span, seen = pending.pop(), seen + 1
            pending += one.trace.children.get(span.span_id, ())
            edge = one.trace.edge(span)
            if edge is not None:
                began = origin is not None and (origin.service, origin.callee) == edge
                name = f"{edge[0]} -> {edge[1]}"
                found.append(Request(name, span.duration_s, span.fault and began, "", span.error))
    return found


def _by_group(requests: Sequence[Request]) -> dict[str, list[Request]]:
    found: dict[str, list[Request]] = {}
    for one in requests:
        found.setdefault(one.group, []).append(one)
    return found


def best_of(judged: Sequence[Judged]) -> Judged | None:
    """The grouping whose outlier is least likely chance, each p multiplied by how many ways were tried."""
    tried = [one for one in judged if not one.single]
    found = [one for one in tried if one.best is not None and one.best.row.p * len(tried) < ALPHA]
    return min(found, key=_chance, default=None)


def _chance(judged: Judged) -> tuple[float, float]:
    best = judged.best
    return (best.row.p, -best.row.delta) if best else (1.0, 0.0)


@dataclass(frozen=True, slots=True)
class Narrower:
    """A smaller group inside the outlier that carries the difference, or does not."""

    by: str
    group: str
    requests: int
    p95_s: float
    usual_p95_s: float
    ratio: float  # of medians
    p: float

    @property
    def differs(self) -> bool:
        """Whether it is slower than the same elsewhere, beyond chance."""
        return self.p < ALPHA and self.ratio >= MIN_RATIO


def narrower(group: Sequence[Served], rest: Sequence[Served], by: str) -> list[Narrower]:
    """The endpoints (or versions …) of the outlier's requests, each against the same outside of it."""
    found: list[Narrower] = []
    for name in sorted({one.facet(by) for one in group} - {UNKNOWN}):
        mine = np.asarray([one.span.duration_s for one in group if one.facet(by) == name])
        theirs = np.asarray([one.span.duration_s for one in rest if one.facet(by) == name])
        if mine.size < FEWEST or theirs.size < FEWEST:
            continue
        p, _ = larger(mine, theirs)
        p95, usual = float(np.percentile(mine, 95)), float(np.percentile(theirs, 95))
        ratio = float(np.median(mine) / max(1e-9, float(np.median(theirs))))
        found.append(Narrower(by, name, mine.size, p95, usual, ratio, p))
    fixed = holm([one.p for one in found])
    found = [replace(one, p=p) for one, p in zip(found, fixed, strict=True)]
    return sorted(found, key=lambda one: (not one.differs, one.p, -one.ratio))


@dataclass(frozen=True, slots=True)
class Measured:
    """A measurement that spans carry, in the outlier and outside."""

    name: str
    p50: float
    usual_p50: float
    p: float


def measurements(group: Sequence[Served], rest: Sequence[Served]) -> list[Measured]:
    """Numeric attributes of the service's spans that are larger or smaller in the group, beyond chance."""
    mine, theirs = [one.span.numbers() for one in group], [one.span.numbers() for one in rest]
    names = sorted({name for row in mine for name in row})[:20]
    found: list[Measured] = []
    for name in names:
        first = np.asarray([row[name] for row in mine if name in row])
        second = np.asarray([row[name] for row in theirs if name in row])
        if first.size < FEWEST or second.size < FEWEST:
            continue
        p = min(1.0, 2 * min(larger(first, second)[0], larger(second, first)[0]))
        found.append(Measured(name, float(np.median(first)), float(np.median(second)), p))
    fixed = holm([one.p for one in found])
    found = [replace(one, p=p) for one, p in zip(found, fixed, strict=True)]
    return sorted((one for one in found if one.p < ALPHA), key=lambda one: one.p)
