"""Which span of time a log question means. Called by the log readers."""

from datetime import UTC, datetime, timedelta

from aiops_shared.aws.log_spans import Span
from aiops_shared.errors import InvalidInputError
from aiops_shared.params import since_to_datetime

LEAST_S = 1.0


def span_of(since: str, until: str | None, now: datetime) -> Span:
    """Raises InvalidInputError for a span that ends before it begins."""
    end = since_to_datetime(until, now) if until else now
    start = since_to_datetime(since, now)
    if (end - start).total_seconds() < LEAST_S:
        raise InvalidInputError("since", "the window ends before it begins", "give since before until")
    return Span(start, end)


def split_at(span: Span, at: str, now: datetime) -> tuple[Span, Span]:
    """The span before a moment and the one after it. Raises InvalidInputError where it lies outside."""
    moment = since_to_datetime(at, now)
    if not span.since < moment < span.until:
        raise InvalidInputError("at", "lies outside of since..until", "give a moment inside the window")
    return Span(span.since, moment), Span(moment, span.until)


def moment_of(at_s: float) -> datetime:
    """Unix seconds as a time."""
    return datetime.fromtimestamp(at_s, UTC)


def hours(count: float) -> timedelta:
    """So many hours."""
    return timedelta(hours=count)
