"""`analyze_logs(mode=volume)`: how many bytes a group takes in, and which service and level write them.

The bytes are CloudWatch's own figure; who wrote them is told by samples spread over the window, since reading
all of it would cost as much as what is to be saved. Shares are of the sampled bytes.
"""

from collections import Counter
from datetime import timedelta
from functools import partial

from aiops_observability.clients.log_cloudwatch import CloudWatchLogs
from aiops_observability.clients.log_cost import size
from aiops_observability.models.logs import LogAnalysis, LogAnalysisAsk
from aiops_shared.aws.log_lines import level_named
from aiops_shared.aws.log_spans import Span
from aiops_shared.errors import AiopsError
from aiops_shared.kube.gathering import gather_outcomes
from aiops_shared.results import Table
from aiops_shared.results.wording import quotable

SLICES = 6
LEAST_S, LONGEST_S = 60.0, 3600.0
SHARE_OF_CAP = 0.5
MONTH_S = 30 * 86_400.0
LOUD = ("debug", "trace")
SHOWN = {False: 10, True: 60}


async def volume(store: CloudWatchLogs, ask: LogAnalysisAsk, span: Span) -> LogAnalysis:
    """Bytes of the window by service and level, as a month at this rate, and what less talk would save."""
    estimate = await store.costs.estimate(store.groups, span)
    store.spent.warn(*estimate.rough)
    slices = _slices(span, estimate.bytes, store.costs.most_bytes)
    await store.shape(span)
    outcomes = await gather_outcomes(partial(_sampled, store, ask.service), slices, at_once=2)
    failed = [one for one in outcomes if isinstance(one, AiopsError)]
    store.spent.warn(*(f"a sample was not read: {error}" for error in failed))
    shares: Counter[tuple[str, str]] = Counter()
    for one in outcomes:
        if isinstance(one, Counter):
            shares.update(one)
    if failed and not shares:
        raise failed[0]
    whole = sum(shares.values())
    monthly = MONTH_S / span.seconds * estimate.bytes
    rows = tuple(
        (
            service,
            level,
            round(100 * part / whole, 1),
            size(estimate.bytes * part / whole),
            size(monthly * part / whole),
        )
        for (service, level), part in shares.most_common(SHOWN[ask.full])
    )
    read_s = sum(one.seconds for one in slices)
    return LogAnalysis(
        summary=_said(store, span, estimate.bytes, monthly, shares),
        read=f"bytes: CloudWatch IncomingBytes over {span.said}; shares: {len(slices)} samples, together"
        f" {read_s / 60:.0f} min of it ({size(store.spent.scanned_bytes)} scanned)",
        rows=Table(columns=("service", "level", "share_pct", "bytes", "a_month"), rows=rows),
        actions=_actions(shares, monthly),
        scanned_bytes=store.spent.scanned_bytes,
        evidence=tuple(store.spent.evidence[:2]),
        warnings=tuple(store.spent.warnings),
        hint="" if whole else "The samples hold no line; widen since..until.",
        truncated=len(shares) > len(rows),
        untrusted=("rows",),
    )


def _slices(span: Span, whole_bytes: float, most_bytes: int) -> list[Span]:
    """Samples spread evenly, together within half the cap."""
    rate = whole_bytes / span.seconds
    fits_s = SHARE_OF_CAP * most_bytes / rate / SLICES if rate else LONGEST_S
    long_s = max(LEAST_S, min(LONGEST_S, fits_s, span.seconds / SLICES))
    if span.seconds <= long_s * SLICES:
        return [span]
    step = (span.seconds - long_s) / (SLICES - 1)
    starts = [span.since + timedelta(seconds=round(step * at)) for at in range(SLICES)]
    return [Span(start, start + timedelta(seconds=round(long_s))) for start in starts]


async def _sampled(store: CloudWatchLogs, service: str, span: Span) -> Counter[tuple[str, str]]:
    """Bytes by (service, level) of one sample."""
    found: Counter[tuple[str, str]] = Counter()
    for name, level, count in await store.bytes_by(span, service):
        found[name, level_named(level) or level.lower()] += count
    return found


def _said(
    store: CloudWatchLogs, span: Span, whole: float, monthly: float, shares: Counter[tuple[str, str]]
) -> str:
    text = f"{store.what[:120]} took in {size(whole)} over {span.said} ({size(monthly)} a month at this rate)"
    total = sum(shares.values())
    if not total:
        return f"{text}."[:400]
    (service, level), part = shares.most_common(1)[0]
    who = f"{level or 'no level'} of {quotable(service) or 'unnamed'}"
    return f"{text}; most: {who}, {100 * part / total:.0f} %."[:400]


def _actions(shares: Counter[tuple[str, str]], monthly: float) -> tuple[str, ...]:
    """Levels that production does not need, where they are a tenth or more."""
    total = sum(shares.values())
    found = []
    for (service, level), part in shares.most_common(5):
        if level in LOUD and part >= 0.1 * total:
            found.append(
                f"log level info for {quotable(service) or 'the loud service'}: its {level} lines are"
                f" {size(monthly * part / total)} a month ({100 * part / total:.0f} % of the group)"
            )
    return tuple(found)
