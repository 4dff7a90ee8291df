"""`analyze_logs(mode=compare)`: failures before and after a moment, by endpoint, with their significance."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from aiops_observability.analysis.proportions import Change
from aiops_observability.analysis.proportions import compared as shares_compared
from aiops_observability.clients.log_findings import Kind, advice, kinds_of
from aiops_observability.clients.log_rates import counts_as_request, failed
from aiops_observability.clients.log_spans import split_at
from aiops_observability.clients.log_store import Counts, LogStore
from aiops_observability.models.logs import LogAnalysis, LogAnalysisAsk
from aiops_shared.aws.log_spans import Span
from aiops_shared.errors import AiopsError
from aiops_shared.results import Cell, Table

SHOWN = {False: 8, True: 60}
LEAST = 10  # requests on either side
COLUMNS = (
    "endpoint",
    "before",
    "failed",
    "before_pct",
    "after",
    "failed_after",
    "after_pct",
    "p_value",
    "verdict",
)


@dataclass(frozen=True, slots=True)
class Side:
    """Requests and failures of one side, by endpoint; the empty name is all."""

    requests: Mapping[str, int]
    failures: Mapping[str, int]

    @classmethod
    def of(cls, found: Counts) -> "Side":
        """From counts."""
        requests: Counter[str] = Counter()
        failures: Counter[str] = Counter()
        for one in found.counts:
            if not counts_as_request(one, found.by):
                continue
            for name in {"", one.facts.get("route", "")}:
                requests[name] += one.count
                failures[name] += one.count if failed(one, found.by) else 0
        return cls(requests, failures)


async def compared(store: LogStore, ask: LogAnalysisAsk, span: Span, now: datetime) -> LogAnalysis:
    """Rates of both sides, all and by endpoint, and the errors that grew. `ask.at` splits the window."""
    before, after = split_at(span, ask.at or "", now)
    await store.admit([span, span])
    sides = []
    for part in (before, after):
        found = await store.counts(part, ("level", "route", "class"), service=ask.service)
        store.spent.warn(*found.warnings)
        sides.append(Side.of(found))
    first, second = sides
    if not first.requests.get("") or not second.requests.get(""):
        return _nothing(store, span, bool(first.requests.get("")))
    grown = await _grown(store, ask, before, after)
    whole = _change(first, second, "")
    names = sorted(
        {*first.requests, *second.requests} - {""},
        key=lambda name: -abs(second.failures.get(name, 0) - first.failures.get(name, 0)),
    )
    rows = [_row(name or "all", first, second, name) for name in ("", *names[: SHOWN[ask.full]])]
    return LogAnalysis(
        summary=_said(first, second, whole, names),
        read=f"every line counted by the backend, {before.said} against {after.said}; {whole.method}",
        rows=Table(columns=COLUMNS, rows=tuple(rows)),
        patterns=_pattern_table(grown, full=ask.full),
        actions=advice([kind for kind in grown if kind.count > kind.before * 1.2][:3]),
        scanned_bytes=store.spent.scanned_bytes,
        evidence=tuple(store.spent.evidence),
        warnings=tuple(store.spent.warnings),
        truncated=len(names) > SHOWN[ask.full],
        untrusted=("rows", "patterns"),
    )


def _nothing(store: LogStore, span: Span, first: bool) -> LogAnalysis:
    side = "after" if first else "before"
    return LogAnalysis(
        summary=f"Nothing to compare: no request {side} the moment.",
        hint=f"{store.what} over {span.said}: widen since..until, or leave service out.",
        evidence=tuple(store.spent.evidence),
        warnings=tuple(store.spent.warnings),
    )


async def _grown(store: LogStore, ask: LogAnalysisAsk, before: Span, after: Span) -> list[Kind]:
    """Kinds of errors by growth; without them the counts stand alone."""
    try:
        old = await store.lines(before, "errors", ask.service)
        new = await store.lines(after, "errors", ask.service)
    except AiopsError as error:
        store.spent.warn(f"the error lines were not read: {error}")
        return []
    if old.sampled or new.sampled:
        store.spent.warn(f"kinds of errors: the newest {len(old.lines):,} before, {len(new.lines):,} after")
    found = kinds_of(new.lines, old.lines)
    return sorted(found, key=lambda kind: kind.before - kind.count)


def _change(first: Side, second: Side, name: str) -> Change:
    return shares_compared(
        first.failures.get(name, 0),
        first.requests.get(name, 0),
        second.failures.get(name, 0),
        second.requests.get(name, 0),
    )


def _verdict(first: Side, second: Side, name: str) -> tuple[float | None, str]:
    if min(first.requests.get(name, 0), second.requests.get(name, 0)) < LEAST:
        return None, "too few requests"
    change = _change(first, second, name)
    if not change.significant:
        return change.p_value, "no change"
    return change.p_value, "worse" if change.difference > 0 else "better"


def _row(shown: str, first: Side, second: Side, name: str) -> tuple[Cell, ...]:
    p_value, verdict = _verdict(first, second, name)
    return (
        shown[:80],
        first.requests.get(name, 0),
        first.failures.get(name, 0),
        _percent(first, name),
        second.requests.get(name, 0),
        second.failures.get(name, 0),
        _percent(second, name),
        None if p_value is None else float(f"{p_value:.2g}"),
        verdict,
    )


def _percent(side: Side, name: str) -> float | None:
    whole = side.requests.get(name, 0)
    return round(100 * side.failures.get(name, 0) / whole, 2) if whole else None


def _said(first: Side, second: Side, whole: Change, names: list[str]) -> str:
    word = "significant" if whole.significant else "not significant"
    text = (
        f"Failed {100 * whole.before:.1f} % of {first.requests['']:,} before, {100 * whole.after:.1f} % of"
        f" {second.requests['']:,} after ({100 * whole.difference:+.1f}, p={whole.p_value:.1g}, {word})"
    )
    worse = [name for name in names if name and _verdict(first, second, name)[1] == "worse"]
    if worse:
        name = worse[0]
        more = second.failures.get(name, 0) - first.failures.get(name, 0)
        text += f"; worse: {', '.join(each[:60] for each in worse[:3])} ({more:+,} failures on the first)"
    return f"{text}."[:400]


def _pattern_table(grown: list[Kind], *, full: bool) -> Table:
    rows = tuple(
        (kind.count - kind.before, kind.before, kind.count, kind.route, kind.said(full=full))
        for kind in grown[: SHOWN[full] // 2]
    )
    return Table(columns=("growth", "before", "after", "route", "pattern"), rows=rows)
