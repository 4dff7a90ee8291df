"""What a store of traces is to the readers, and what every driver of one shares: even samples, bounds,
fields.

Drivers: `trace_xray`, `trace_jaeger`, `trace_tempo`. Each gives spans in the form of `models.spans`, at
most so many traces, sampled evenly over the window, and says what it left out.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol, TypeVar

from aiops_observability.models.spans import Span, SpanKind, Trace
from aiops_shared.guardrails.redacting import shortened

Item = TypeVar("Item")
MOST_SPANS = 2_000  # of one trace
MOST_NAME, MOST_READ = 200, 20_000  # characters of a name, and what is looked at to find secrets in it
SLICES = 8
AT_ONCE = 8
BUDGET_S = 40.0  # for all reading; the call itself may last 45 s
FAULT_FROM, ERROR_FROM, THROTTLED = 500, 400, 429


@dataclass(frozen=True, slots=True)
class TraceSearch:
    """Which traces: those that a service takes part in."""

    service: str
    since: datetime
    until: datetime
    at_most: int

    def slices(self, longest_s: float = 0.0) -> list[tuple[datetime, datetime]]:
        """The window in equal parts, none longer than `longest_s`."""
        whole = (self.until - self.since).total_seconds()
        count = max(SLICES, int(-(-whole // longest_s)) if longest_s else 1)
        step = timedelta(seconds=whole / count)
        return [(self.since + step * at, self.since + step * (at + 1)) for at in range(count)]


@dataclass(frozen=True, slots=True)
class TraceSample:
    """What was read. `matched`: how many there are as far as the backend said, 0 unknown."""

    traces: tuple[Trace, ...]
    query: str
    matched: int = 0
    truncated: bool = False
    warnings: tuple[str, ...] = ()


class TraceBackend(Protocol):
    """One store of traces. Every method raises `AiopsError` only."""

    @property
    def name(self) -> str:
        """Which driver."""
        ...

    @property
    def samples(self) -> str:
        """What is known of how the store itself samples."""
        ...

    async def find(self, search: TraceSearch) -> TraceSample:
        """Traces of a service. Raises when nothing could be read; a part that failed is a warning."""
        ...

    async def services(self, since: datetime, until: datetime) -> tuple[str, ...]:
        """The names of the services that have traces."""
        ...

    async def aclose(self) -> None:
        """Close what was opened."""
        ...


def evenly(items: Sequence[Item], count: int) -> list[Item]:
    """So many of the items, evenly over their order."""
    if len(items) <= count:
        return list(items)
    return [items[int(at * len(items) / count)] for at in range(count)]


def in_order(traces: Iterable[Trace]) -> tuple[Trace, ...]:
    """Each trace once, by time; empty ones are no traces."""
    found: dict[str, Trace] = {}
    for trace in traces:
        if trace.spans:
            found.setdefault(trace.trace_id, trace)
    return tuple(sorted(found.values(), key=lambda one: (one.start_s, one.trace_id)))


def span_of(
    ids: tuple[str, str],
    who: tuple[str, str],
    times_s: tuple[float, float],
    kind: SpanKind,
    attributes: Mapping[str, Any],
    *,
    failed: bool = False,
    peer: str = "",
) -> Span:
    """A span from its ids (own, parent), names (service, operation) and attributes.

    Server errors are faults by their status; a client error (4xx) is none, whatever the library marked.
    """
    status = status_of(attributes)
    client_error = ERROR_FROM <= status < FAULT_FROM
    return Span(
        ids[0],
        ids[1],
        who[0],
        who[1],
        times_s[0],
        max(0.0, times_s[1]),
        kind,
        status,
        fault=status >= FAULT_FROM or (failed and not client_error),
        error=client_error,
        throttle=status == THROTTLED,
        peer=peer,
        attributes=attributes,
    )


def status_of(attributes: Mapping[str, Any]) -> int:
    """The HTTP status under the names of OpenTelemetry, old and new; 0 where there is none."""
    for name in ("http_response_status_code", "http_status_code"):
        value = attributes.get(name)
        if isinstance(value, int | str) and str(value).isdecimal() and len(str(value)) == 3:
            return int(value)
    return 0


def peer_of(attributes: Mapping[str, Any]) -> str:
    """Whom a client span says that it calls."""
    for name in ("peer_service", "server_address", "db_name", "db_system", "rpc_service", "net_peer_name"):
        value = attributes.get(name)
        if isinstance(value, str) and value:
            return named(value)
    return ""


def named(value: object) -> str:
    """A name out of foreign JSON; a long one is redacted before it is cut. Empty for none."""
    text = str(value or "")
    return text if len(text) <= MOST_NAME else shortened(text[:MOST_READ], MOST_NAME)


def kind_of(word: str) -> SpanKind:
    """A span's kind from the word of Jaeger's tag or OTLP's enumeration."""
    low = word.lower().removeprefix("span_kind_")
    if low in ("server", "consumer", "2", "5"):
        return "server"
    return "client" if low in ("client", "producer", "3", "4") else "internal"


def number(value: Any) -> float:
    """A number that a backend wrote as one or as text. Raises ValueError for anything else."""
    return float(value if isinstance(value, int | float) and not isinstance(value, bool) else str(value))
