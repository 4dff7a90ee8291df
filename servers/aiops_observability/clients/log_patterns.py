"""`analyze_logs(mode=patterns)`: what kinds of errors there are, how many, and which of them are new."""

from aiops_observability.analysis.proportions import poisson_tail
from aiops_observability.clients.log_findings import Kind, advice, kinds_of
from aiops_observability.clients.log_store import Lines, LogStore
from aiops_observability.models.logs import LogAnalysis, LogAnalysisAsk
from aiops_shared.aws.log_spans import Span
from aiops_shared.errors import AiopsError, QueryInvalidError
from aiops_shared.results import Cell, Table

SHOWN = {False: 8, True: 40}
COLUMNS = ("count", "share_pct", "level", "service", "before", "score", "pattern")


async def patterns(store: LogStore, ask: LogAnalysisAsk, span: Span) -> LogAnalysis:
    """Error lines of the span by template, the most frequent first, against the span before it."""
    with_baseline = await _admitted(store, span)
    found = await store.lines(span, "errors", ask.service)
    before = await _baseline(store, ask, span) if with_baseline else None
    if before is not None and not before.lines:
        store.spent.warn(f"nothing is called new: no error line in the window before ({span.before.said})")
        before = None
    kinds = kinds_of(found.lines, before.lines if before else ())
    read = len(found.lines)
    store.spent.warn(*found.warnings)
    rows = tuple(_row(kind, read, before is not None, full=ask.full) for kind in kinds[: SHOWN[ask.full]])
    fresh = [kind for kind in kinds if before is not None and kind.new]
    fresh.sort(key=lambda kind: -_score(kind))
    return LogAnalysis(
        summary=_said(store, found, kinds, fresh, known=before is not None),
        read=_read(found, before),
        patterns=Table(columns=COLUMNS, rows=rows),
        actions=advice(kinds[:5]),
        scanned_bytes=store.spent.scanned_bytes,
        evidence=tuple(store.spent.evidence),
        warnings=tuple(store.spent.warnings),
        hint=""
        if kinds
        else f"No error line in {store.what} over {span.said}; widen since, or query_logs for all.",
        truncated=found.sampled or len(kinds) > len(rows),
        untrusted=("patterns",),
    )


async def _admitted(store: LogStore, span: Span) -> bool:
    """Whether the baseline may be read too. Raises QueryInvalidError where not even the span may."""
    try:
        await store.admit([span.before, span])
    except QueryInvalidError as error:
        await store.admit([span])
        store.spent.warn(f"no baseline, so nothing is called new: {error.reason}")
        return False
    return True


async def _baseline(store: LogStore, ask: LogAnalysisAsk, span: Span) -> Lines | None:
    try:
        return await store.lines(span.before, "errors", ask.service)
    except AiopsError as error:
        store.spent.warn(f"no baseline, so nothing is called new: {error}")
        return None


def _score(kind: Kind) -> float:
    """How surprising the count is: −log10 of its tail, more where the template was rare."""
    usual = kind.before + 0.5
    return poisson_tail(kind.count, usual, spread=0.1) * float((1.0 + kind.before) ** -0.25)


def _row(kind: Kind, whole: int, compared: bool, *, full: bool) -> tuple[Cell, ...]:
    before: Cell = kind.before if compared else None
    if compared and kind.new:
        before = "new"
    score = round(_score(kind), 1) if compared else None
    share = round(100 * kind.count / max(1, whole), 1)
    return (kind.count, share, kind.level, kind.service, before, score, kind.said(full=full))


def _said(store: LogStore, found: Lines, kinds: list[Kind], fresh: list[Kind], *, known: bool) -> str:
    """No pattern stands in the summary: what a log says is data, and marked so elsewhere."""
    if not kinds:
        return f"No error line in {store.what[:120]}."
    top = kinds[0]
    share = 100 * top.count / len(found.lines)
    new = f"; {len(fresh)} kinds are new against the window before" if known and fresh else ""
    none = "; none is new against the window before" if known and not fresh else ""
    return (
        f"{found.matched:,} errors of {len(kinds)} kinds; the most frequent (row 1"
        f"{', service ' + top.service if top.service else ''}) {top.count:,} = {share:.1f} %{new}{none}."
    )[:400]


def _read(found: Lines, before: Lines | None) -> str:
    part = (
        f"the newest {len(found.lines):,} of {found.matched:,}" if found.sampled else f"all {found.matched:,}"
    )
    rest = f"; baseline {len(before.lines):,} of {before.matched:,}" if before else ""
    return f"{part} error lines were read and sorted by template{rest}"
