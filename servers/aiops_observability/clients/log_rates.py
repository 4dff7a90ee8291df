"""`analyze_logs(mode=error_rate)`: failures over requests by bucket, the worst bucket, and why it was.

Where lines carry an HTTP status, requests are the lines with one and failures those with 5xx; else lines and
lines of level error. The backend counts every line; only the worst bucket's errors are fetched to be read.
"""

import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from aiops_observability.analysis.bursts import sparkline
from aiops_observability.clients.log_findings import Kind, advice, kinds_of, read_off
from aiops_observability.clients.log_spans import moment_of
from aiops_observability.clients.log_store import Count, Counts, LogStore
from aiops_observability.models.logs import LogAnalysis, LogAnalysisAsk
from aiops_shared.aws.log_spans import Span
from aiops_shared.errors import AiopsError
from aiops_shared.results import Table
from aiops_shared.results.wording import quotable

GRAVE = ("fatal", "error")
LEAST_REQUESTS = 20  # a bucket with fewer has no rate worth a comparison
MOST_READ = 2_000
SHOWN = {False: 24, True: 400}


@dataclass(frozen=True, slots=True)
class Bucket:
    """Requests and failures of one bucket, and on which routes they failed."""

    at_s: float
    requests: int
    failures: int
    routes: Counter[str]

    @property
    def rate(self) -> float:
        """The share that failed."""
        return self.failures / self.requests if self.requests else 0.0


def failed(count: Count, by: Sequence[str]) -> bool:
    """Whether these lines are failures."""
    if "class" in by:
        return count.facts.get("class") == "5"
    return count.facts.get("level", "").lower() in {*GRAVE, "err", "critical", "severe", "panic"}


def counts_as_request(count: Count, by: Sequence[str]) -> bool:
    """Whether these lines are in the denominator."""
    return bool(count.facts.get("class")) if "class" in by else True


def buckets_of(found: Counts) -> list[Bucket]:
    """Counts put together by bucket, in time order."""
    kept: dict[float, list[Count]] = {}
    for one in found.counts:
        if one.at_s is not None and counts_as_request(one, found.by):
            kept.setdefault(one.at_s, []).append(one)
    return [_bucket(at_s, kept[at_s], found.by) for at_s in sorted(kept)]


def _bucket(at_s: float, counts: list[Count], by: Sequence[str]) -> Bucket:
    bad = [one for one in counts if failed(one, by)]
    routes: Counter[str] = Counter()
    for one in bad:
        routes[one.facts.get("route", "")] += one.count
    return Bucket(at_s, sum(one.count for one in counts), sum(one.count for one in bad), routes)


async def error_rate(store: LogStore, ask: LogAnalysisAsk, span: Span) -> LogAnalysis:
    """The rate by bucket, its median, the worst bucket with its route, its top error and numbers."""
    await store.admit([span])
    step_s = span.step_s()
    counted = await store.counts(span, ("level", "route", "class"), step_s=step_s, service=ask.service)
    store.spent.warn(*counted.warnings)
    buckets = buckets_of(counted)
    judged = [one for one in buckets if one.requests >= LEAST_REQUESTS] or buckets
    if not judged:
        return LogAnalysis(
            summary=f"No line in {store.what[:120]} over {span.said}.",
            hint="Widen since..until, name another target, or leave service out.",
            evidence=tuple(store.spent.evidence),
            warnings=tuple(store.spent.warnings),
        )
    worst = max(judged, key=lambda one: one.rate)
    median = statistics.median(one.rate for one in judged)
    kinds = await _why(store, ask, worst, step_s) if worst.failures else []
    counts = (
        "requests (lines with a status), failures 5xx" if "class" in counted.by else "lines, errors by level"
    )
    shown = sorted(judged, key=lambda one: -one.rate)[: SHOWN[ask.full]]
    return LogAnalysis(
        summary=_said(worst, median, step_s, kinds),
        read=f"{counts}: every line counted by the backend" if not counted.warnings else counts,
        rows=Table(
            columns=("from", "requests", "failures", "rate_pct"),
            rows=tuple(
                (f"{moment_of(one.at_s):%m-%dT%H:%M}", one.requests, one.failures, round(100 * one.rate, 2))
                for one in sorted(shown, key=lambda one: one.at_s)
            ),
        ),
        chart=f"{moment_of(buckets[0].at_s):%H:%M} {sparkline([one.rate for one in buckets])}"
        f" {moment_of(buckets[-1].at_s):%H:%M} (each {step_s // 60} min, top {100 * worst.rate:.1f} %)",
        worst=_worst_table(worst, kinds),
        actions=advice(kinds[:3]),
        scanned_bytes=store.spent.scanned_bytes,
        evidence=tuple(store.spent.evidence),
        warnings=tuple(store.spent.warnings),
        truncated=len(shown) < len(judged),
        untrusted=("worst",),
    )


async def _why(store: LogStore, ask: LogAnalysisAsk, worst: Bucket, step_s: int) -> list[Kind]:
    """The kinds of errors of the worst bucket; without them its numbers stand alone."""
    span = Span(moment_of(worst.at_s), moment_of(worst.at_s + step_s))
    try:
        found = await store.lines(span, "errors", ask.service, MOST_READ)
    except AiopsError as error:
        store.spent.warn(f"the worst bucket's lines were not read: {error}")
        return []
    store.spent.warn(*found.warnings)
    return kinds_of(found.lines)


def _said(worst: Bucket, median: float, step_s: int, kinds: list[Kind]) -> str:
    at, end = moment_of(worst.at_s), moment_of(worst.at_s + step_s)
    if not worst.failures:
        return f"No failure in any bucket of {step_s // 60} min."
    route = worst.routes.most_common(1)[0][0] if worst.routes else ""
    facts = read_off(kinds[0]) if kinds else ""
    return (
        f"Worst: {at:%m-%d %H:%M}-{end:%H:%M} UTC with {100 * worst.rate:.1f} % of {worst.requests:,}"
        f" ({worst.failures:,} failures), median {100 * median:.1f} %"
        + (f"; route {quotable(route[:60])}" if route else "")
        + (
            f"; its top error {100 * kinds[0].count // max(1, sum(k.count for k in kinds))} %"
            if kinds
            else ""
        )
        + (f", {facts[:100]}" if facts else "")
        + "."
    )[:400]


def _worst_table(worst: Bucket, kinds: list[Kind]) -> Table:
    rows = tuple((kind.count, kind.service, kind.route, read_off(kind), kind.said()) for kind in kinds[:3])
    if not rows:
        rows = tuple((n, "", route, "", "") for route, n in worst.routes.most_common(3))
    return Table(columns=("count", "service", "route", "numbers", "pattern"), rows=rows)
