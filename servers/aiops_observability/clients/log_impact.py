"""`analyze_logs(mode=impact)`: who was hit by which error, and in how many incidents.

Errors are ranked by the distinct customers they hit, which is another order than by count. How they were
counted is said: exactly where every error line was read, else as a lower bound.
"""

from collections import Counter
from collections.abc import Sequence

from aiops_observability.analysis.bursts import Incident, incidents
from aiops_observability.clients.log_findings import Kind, advice, kinds_of
from aiops_observability.clients.log_spans import moment_of
from aiops_observability.clients.log_store import Lines, LogStore, Told
from aiops_observability.models.logs import LogAnalysis, LogAnalysisAsk
from aiops_shared.aws.log_spans import Span
from aiops_shared.results import Table

SHOWN = {False: 6, True: 30}
MINUTE_S = 60.0
MOST_INCIDENTS = 10
COLUMNS = ("customers", "errors", "service", "pattern")
INCIDENTS = ("from", "until", "service", "failures", "customers", "pattern")


async def impact(store: LogStore, ask: LogAnalysisAsk, span: Span) -> LogAnalysis:
    """Errors by the customers they hit, and the incidents they make; with `service`, its warnings too."""
    await store.admit([span])
    found = await store.lines(span, "trouble" if ask.service else "errors", ask.service)
    store.spent.warn(*found.warnings)
    every = kinds_of(found.lines)
    kinds = [kind for kind in every if kind.errors]
    ranked = sorted(kinds, key=lambda kind: (-len(kind.users), -kind.count))
    errors = [one for one in found.lines if one.line.is_error]
    grouped = _incidents(errors)
    users = {one.line.user for one in errors if one.line.user}
    # What it warned of in its incidents explains them: a slow query, a full pool.
    inside = [
        one for one in found.lines if any(each.since_s <= one.at_s < each.until_s for _, each in grouped)
    ]
    return LogAnalysis(
        summary=_said(ranked, errors, users, grouped),
        read=_method(found, errors, users),
        patterns=Table(
            columns=COLUMNS,
            rows=tuple(
                (len(kind.users), kind.count, kind.service, kind.said(full=ask.full))
                for kind in ranked[: SHOWN[ask.full]]
            ),
        ),
        worst=Table(columns=INCIDENTS, rows=tuple(_row(name, one, errors) for name, one in grouped)),
        actions=_actions(ask, kinds_of(inside) if ask.service and inside else ranked[:4]),
        scanned_bytes=store.spent.scanned_bytes,
        evidence=tuple(store.spent.evidence),
        warnings=tuple(store.spent.warnings),
        hint=""
        if errors
        else f"No error line in {store.what} over {span.said}; widen since or leave service out.",
        truncated=found.sampled or len(ranked) > SHOWN[ask.full],
        untrusted=("patterns", "worst"),
    )


def _incidents(errors: Sequence[Told]) -> list[tuple[str, Incident]]:
    """The incidents of each service, in time order."""
    found: list[tuple[str, Incident]] = []
    for name in sorted({one.line.service for one in errors}):
        own = [one for one in errors if one.line.service == name]
        counts = Counter(one.at_s // MINUTE_S * MINUTE_S for one in own)
        found += [(name, one) for one in incidents(list(counts.items()), MINUTE_S)]
    found.sort(key=lambda each: -each[1].failures)
    return sorted(found[:MOST_INCIDENTS], key=lambda each: each[1].since_s)


def _inside(errors: Sequence[Told], name: str, one: Incident) -> list[Told]:
    return [each for each in errors if each.line.service == name and one.since_s <= each.at_s < one.until_s]


def _row(name: str, one: Incident, errors: Sequence[Told]) -> tuple[str | int, ...]:
    own = _inside(errors, name, one)
    users = {each.line.user for each in own if each.line.user}
    top = kinds_of(own)[0].said()
    since, until = moment_of(one.since_s), moment_of(one.until_s)
    return (f"{since:%a %m-%dT%H:%M}", f"{until:%H:%M}", name, one.failures, len(users), top)


def _said(
    ranked: list[Kind], errors: Sequence[Told], users: set[str], grouped: list[tuple[str, Incident]]
) -> str:
    if not errors:
        return "No error line in the window."
    top = ranked[0]
    first = (
        f"; first by customers: row 1 with {len(top.users)} customers in {top.count} errors" if users else ""
    )
    hit = {one.line.user for name, each in grouped for one in _inside(errors, name, each) if one.line.user}
    within = sum(one.failures for _, one in grouped)
    bursts = f"{len(grouped)} incidents with {within} failures and {len(hit)} distinct customers"
    people = f", {len(users):,} distinct customers" if users else " (no line names a customer)"
    return f"{len(errors):,} errors{people}{first}; {bursts if grouped else 'no incident'}."[:400]


def _method(found: Lines, errors: Sequence[Told], users: set[str]) -> str:
    named = sum(bool(one.line.user) for one in errors)
    if found.sampled:
        how = f"lower bound: the newest {len(found.lines):,} of {found.matched:,} lines were read"
    else:
        how = f"exact: all {len(errors):,} error lines were read"
    return f"distinct customers {how}; {named:,} of them name a customer" if users else how


def _actions(ask: LogAnalysisAsk, kinds: Sequence[Kind]) -> tuple[str, ...]:
    found = advice(kinds)
    if ask.service and kinds:
        found = (*found, _SATURATION.format(service=ask.service))
    return found


_SATURATION = (
    "check whether the HPA of {service} stood at its maximum then"
    " (query_metrics kube_horizontalpodautoscaler_status_current_replicas); if so raise maxReplicas"
)
