"""What an analysis of traces says: tables, a sentence, the pattern it looks like, and what was found normal.

Called by `trace_reading`. Names of services, groups and routes come from the traces: foreign text.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from aiops_observability.analysis.critical_path import Part, Step
from aiops_observability.analysis.outliers import Outlier
from aiops_observability.clients.trace_backend import TraceSample
from aiops_observability.clients.trace_groups import UNKNOWN, Judged, Measured, Narrower, Served
from aiops_observability.models.traces import TraceAnalysis, TraceAsk
from aiops_shared.results import Cell, Evidence, Table
from aiops_shared.results.wording import counted, cut, quotable

MOST_GROUPS, MOST_STEPS, MOST_NORMAL = 12, 6, 6
FEW = 20
MATTERS, LITTLE = 0.05, 0.05  # shares of the difference
# An operator's rule for a gray failure of a zone: 50 ms more on average or 200 ms at the worst, or 1-5 %
# errors, while everything says that it is well (row B20).
GRAY_MORE_S, GRAY_TAIL_S, GRAY_FAULTS = 0.050, 0.200, (0.005, 0.15)
ALONE = 0.8  # share of the difference from which one part is the cause
FOREIGN = ("groups", "outlier", "edge", "critical_path", "concentrated", "attributes", "normal", "summary")


@dataclass(frozen=True, slots=True)
class Read:
    """What was read."""

    source: str
    samples: str
    sample: TraceSample
    requests: Sequence[Served]
    before: Sequence[Served]
    span: tuple[datetime, datetime]
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Story:
    """What was found in it. `looked_at`: which requests the critical path is of."""

    shown: Judged
    judged: tuple[Judged, ...]
    looked_at: str = ""
    steps: tuple[Step, ...] = ()
    narrower: tuple[Narrower, ...] = ()
    measured: tuple[Measured, ...] = ()
    exemplars: tuple[str, ...] = ()


def answer_of(ask: TraceAsk, read: Read, story: Story) -> TraceAnalysis:
    """The whole answer."""
    outlier, steps = story.shown.best, story.steps
    faults = sum(one.span.fault for one in read.requests)
    top = steps[0] if steps and steps[0].explained > MATTERS else None
    pattern = _pattern(story, read)
    row = outlier.row if outlier else None
    return TraceAnalysis(
        summary=cut(_sentence(ask, read, story, top)),
        service=ask.service,
        group_by=story.shown.by,
        source=read.source,
        traces=len(read.sample.traces),
        requests=len(read.requests),
        faults=faults,
        groups=_groups(story.shown),
        outlier=row.group if row else "",
        differs_in=outlier.metrics if outlier else (),
        ratio=_ratio(outlier),
        effect=round(row.delta, 3) if row else None,
        p_value=_p(row.p) if row else None,
        edge=_said(top.part) if top else "",
        pattern=pattern,
        critical_path=_path(steps),
        concentrated=_narrow(story.narrower),
        attributes=_measured(story.measured),
        normal=tuple(_normal(story)),
        exemplars=story.exemplars or tuple(_slowest(read.requests)),
        evidence=(_evidence(read, ask),),
        warnings=tuple(_warnings(read, story)),
        hint=_hint(read, story, pattern),
        truncated=read.sample.truncated,
        untrusted=FOREIGN,
    )


def nothing_found(ask: TraceAsk, read: Read) -> TraceAnalysis:
    """The answer when the service served no request."""
    return TraceAnalysis(
        summary=f"No request of {ask.service} in {_span(read)}.",
        service=ask.service,
        group_by=ask.group_by,
        source=read.source,
        traces=len(read.sample.traces),
        evidence=(_evidence(read, ask),),
        warnings=(*read.sample.warnings, *read.warnings),
        hint="widen since; a service that only calls, or is called without a span of its own, serves no"
        " traced request: ask for its caller",
    )


def _sentence(ask: TraceAsk, read: Read, story: Story, top: Step | None) -> str:
    faults = sum(one.span.fault for one in read.requests)
    count = counted(len(read.requests), "request")
    share = f"{faults} failed ({100 * faults / len(read.requests):.1f} %)" if faults else "none failed"
    head = f"{count} of {ask.service} sampled in {_span(read)}, {share}."
    outlier = story.shown.best
    if outlier is None:
        tail = " No group differs more than chance allows." if not story.shown.single else " One group only."
        where = (
            f" {story.looked_at.capitalize()}: {_where(top)}."
            if top and (faults or top.explained > 0.5)
            else ""
        )
        return head + tail + where
    named = f"{story.shown.by}={quotable(outlier.row.group)}{_only(story)}"
    return f"{head} Outlier {named}: {_difference(outlier)}.{_rest(top, story)}"


def _only(story: Story) -> str:
    """The one endpoint (or version …) of several that carries the difference."""
    for by in dict.fromkeys(one.by for one in story.narrower):
        every = [one for one in story.narrower if one.by == by]
        guilty = [one for one in every if one.differs]
        if len(guilty) == 1 and len(every) > 1:
            one = guilty[0]
            return f", only {by} {quotable(one.group)} (p95 {_ms(one.usual_p95_s)} -> {_ms(one.p95_s)})"
    return ""


def _difference(outlier: Outlier) -> str:
    row, said = outlier.row, []
    if "faults" in outlier.metrics:
        other = 100 * outlier.rest_faults / max(1, outlier.rest_requests)
        said.append(
            f"{row.faults}/{row.requests} failed ({100 * row.fault_share:.1f} %) against {other:.1f} %"
        )
    if "latency" in outlier.metrics:
        said.append(
            f"p50 {_ms(row.p50_s)} against {_ms(outlier.rest_p50_s)}, "
            f"p95 {_ms(row.p95_s)} against {_ms(outlier.rest_p95_s)}"
        )
    return f"{'; '.join(said)} (p={_p(row.p):.2g})"


def _rest(top: Step | None, story: Story) -> str:
    found = f" {_where(top)}." if top else ""
    if story.measured:
        first = story.measured[0]
        found += f" {quotable(first.name)} p50 {first.p50:g} against {first.usual_p50:g}."
    return found


def _where(top: Step | None) -> str:
    if top is None:
        return ""
    began = f", {counted(top.faults, 'failure')} began there" if top.faults else ""
    share, times = min(1.0, top.explained), f"{_ms(top.self_s)}, usually {_ms(top.usual_s)}"
    return f"{100 * share:.0f} % of the difference is {_quoted(top.part)} ({times}{began})"


def _quoted(part: Part) -> str:
    """For sentences: names, not texts."""
    service, operation, callee = map(quotable, (part.service, part.operation, part.callee))
    return _said(Part(service, operation, callee))


def _said(part: Part) -> str:
    if part.callee:
        return f"{part.service} -> {part.callee}"
    return f"{part.service}: {part.operation}" if part.operation else f"{part.service} itself"


def _pattern(story: Story, read: Read) -> str:
    outlier, steps = story.shown.best, story.steps
    top = steps[0] if steps else None
    if outlier is not None and story.shown.by == "az" and _is_gray(outlier, steps):
        return "az_gray_failure"
    if top is None or top.explained < 0.5:
        return ""
    if top.part.operation and not top.part.callee:
        return "client_side_wait"
    if top.part.callee and not top.part.answered and outlier is None:
        return "slow_dependency_everywhere"
    return "one_edge" if top.part.callee else "own_work"


def _is_gray(outlier: Outlier, steps: Sequence[Step]) -> bool:
    """Many parts are a little slower in one zone: the zone is ill, not one of them."""
    row = outlier.row
    slower = row.p50_s - outlier.rest_p50_s >= GRAY_MORE_S or row.p95_s - outlier.rest_p95_s >= GRAY_TAIL_S
    failing = GRAY_FAULTS[0] <= row.fault_share
    taking_part = {step.part.service for step in steps if step.explained > MATTERS}
    alone = bool(steps) and steps[0].explained >= ALONE
    return (slower or failing) and row.fault_share <= GRAY_FAULTS[1] and len(taking_part) > 1 and not alone


_HINTS = {
    "az_gray_failure": "every part of a request is a little worse in this zone, so it is the zone and not one"
    " workload: a zonal shift (ARC) away from it is an option and needs approval; check first that the other"
    " zones hold the load",
    "client_side_wait": "the time is spent before the call: a pool, a lock or GC of the service itself. Look"
    " at query_metrics(what=pool_waiting), its settings and what changed (list_changes)",
    "slow_dependency_everywhere": "the callee is slow for callers in every group: look at the callee itself"
    " (query_metrics(what=db_cpu))",
    "one_edge": "diagnose the callee's pods in the outlier (eks server), then flows and addresses of their"
    " subnet",
    "own_work": "the service's own code or its resources: compare versions, CPU throttling and memory",
}


def _hint(read: Read, story: Story, pattern: str) -> str:
    if pattern in _HINTS:
        return _HINTS[pattern]
    if all(one.single for one in story.judged):
        return f"one {story.shown.by} only in this window: widen since so that others are in it"
    return ""


def _groups(judged: Judged) -> Table | None:
    rows: list[tuple[Cell, ...]] = [
        (
            row.group,
            row.requests,
            row.faults,
            round(100 * row.fault_share, 1),
            _round_ms(row.p50_s),
            _round_ms(row.p95_s),
            round(row.latency_ratio, 2),
            _p(row.p) if row.judged else None,
        )
        for row in judged.verdict.rows[:MOST_GROUPS]
    ]
    columns = (judged.by, "requests", "faults", "fault_pct", "p50_ms", "p95_ms", "x_rest", "p")
    return Table(columns=columns, rows=tuple(rows)) if rows else None


def _path(steps: Sequence[Step]) -> Table | None:
    shown = [one for one in steps if one.explained > 0.01 or one.faults or one.self_s > 0][:MOST_STEPS]
    rows = tuple(
        (_said(one.part), _round_ms(one.self_s), _round_ms(one.usual_s), one.faults, round(one.explained, 3))
        for one in shown
    )
    columns = ("part", "self_ms", "usual_ms", "failures_began", "explained")
    return Table(columns=columns, rows=rows) if rows else None


def _narrow(rows: Sequence[Narrower]) -> Table | None:
    shown = tuple(
        (
            one.by,
            one.group,
            one.requests,
            _round_ms(one.p95_s),
            _round_ms(one.usual_p95_s),
            round(one.ratio, 2),
            _p(one.p),
        )
        for one in rows[:MOST_GROUPS]
    )
    columns = ("by", "group", "requests", "p95_ms", "usual_p95_ms", "ratio", "p")
    return Table(columns=columns, rows=shown) if shown else None


def _measured(rows: Sequence[Measured]) -> Table | None:
    shown = tuple((one.name, round(one.p50, 4), round(one.usual_p50, 4), _p(one.p)) for one in rows[:6])
    return Table(columns=("attribute", "p50", "usual_p50", "p"), rows=shown) if shown else None


def _normal(story: Story) -> list[str]:
    """Ways to group that show no difference, and callees that cost what they always cost."""
    found = [
        f"{one.by}: no difference among {counted(len(one.verdict.rows), 'group')}"
        for one in story.judged
        if one.best is None and not one.single and one.verdict.rows
    ]
    for step in story.steps:
        ill = {_said(one.part) for one in story.steps if one.faults or one.explained > LITTLE}
        if not step.part.callee or _said(step.part) in ill or step.usual_s <= 0:
            continue
        here = f"{_ms(step.self_s)}, usually {_ms(step.usual_s)}" if step.self_s else "not reached"
        found.append(f"{_said(step.part)}: {here}, no failure began there")
    return found[:MOST_NORMAL]


def _warnings(read: Read, story: Story) -> list[str]:
    said = [*read.sample.warnings, *read.warnings]
    if len(read.requests) < FEW:
        said.append(
            f"{counted(len(read.requests), 'request')} only: small differences cannot be told from chance"
        )
    silent = (
        sum(one.facet(story.shown.by) == UNKNOWN for one in read.requests) if story.shown.by != "edge" else 0
    )
    if silent:
        said.append(f"{silent} requests do not say their {story.shown.by} and are left out of the groups")
    return said


def _evidence(read: Read, ask: TraceAsk) -> Evidence:
    total = f" of {read.sample.matched} listed" if read.sample.matched else ""
    span = f"{read.span[0]:%FT%TZ}/{read.span[1]:%FT%TZ}"
    return Evidence(
        source=read.source,
        query=f"{read.sample.query} {span}, at most {ask.at_most}, evenly",
        says=f"{counted(len(read.sample.traces), 'trace')}{total}; {read.samples}",
    )


def _ratio(outlier: Outlier | None) -> float | None:
    if outlier is None:
        return None
    row = outlier.row
    return round(
        row.fault_ratio if "faults" in outlier.metrics else max(row.latency_ratio, row.tail_ratio), 2
    )


def _slowest(requests: Sequence[Served]) -> list[str]:
    ordered = sorted(requests, key=lambda one: (-one.span.fault, -one.span.duration_s))
    return list(dict.fromkeys(one.trace.trace_id for one in ordered[:2]))


def _span(read: Read) -> str:
    minutes = (read.span[1] - read.span[0]).total_seconds() / 60
    return f"{minutes:.0f} min" if minutes < 180 else f"{minutes / 60:.3g} h"


def _ms(seconds: float) -> str:
    return f"{seconds:.3g} s" if seconds >= 1 else f"{1000 * seconds:.3g} ms"


def _round_ms(seconds: float) -> float:
    return float(f"{1000 * seconds:.4g}")


def _p(value: float) -> float:
    return float(f"{value:.2g}")
