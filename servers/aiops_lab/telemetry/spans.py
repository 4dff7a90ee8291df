"""Traces as a scenario writes them, in one neutral form; X-Ray, Jaeger and Tempo render them in their own."""

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Span:
    """One operation of one service. `start_s` in Unix seconds; `attributes` by OpenTelemetry's names.

    `kind`: server | client | internal. `status`: HTTP status, 0 where there is none. `fault`: 5xx or failed.
    """

    span_id: str
    parent_id: str
    service: str
    operation: str
    start_s: float
    duration_s: float
    kind: str = "server"
    status: int = 0
    fault: bool = False
    attributes: Mapping[str, str | int | float | bool] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Trace:
    """One request through the system: spans, the root first. `trace_id`: 32 hexadecimal digits."""

    trace_id: str
    spans: tuple[Span, ...]

    @property
    def start_s(self) -> float:
        """When the root began."""
        return self.spans[0].start_s


@dataclass(slots=True)
class Traces:
    """Every trace that was sampled, in time order.

    A story may promise traces (`later`): they are made when somebody first reads, which may be a request's
    thread, and not in every world that nobody asks for traces.
    """

    kept: list[Trace] = field(default_factory=list)
    promised: list[Callable[[], Iterable[Trace]]] = field(default_factory=list)
    _by_id: dict[str, Trace] = field(default_factory=dict, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def add(self, traces: Iterable[Trace]) -> None:
        """Keep some more."""
        self.kept = sorted([*self.kept, *traces], key=lambda one: one.start_s)

    def later(self, make: Callable[[], Iterable[Trace]]) -> None:
        """Keep what this makes, once somebody reads."""
        self.promised.append(make)

    def between(self, since_s: float, until_s: float) -> list[Trace]:
        """Those that began in a span, both ends included."""
        self._keep_promises()
        return [one for one in self.kept if since_s <= one.start_s <= until_s]

    def find(self, trace_id: str, until_s: float) -> Trace | None:
        """The trace of an id, when it has begun by then."""
        self._keep_promises()
        with self._lock:
            if len(self._by_id) != len(self.kept):
                self._by_id = {one.trace_id: one for one in self.kept}
        found = self._by_id.get(trace_id)
        return found if found is not None and found.start_s <= until_s else None

    def _keep_promises(self) -> None:
        with self._lock:
            promised, self.promised = self.promised, []
            if promised:
                self.add(trace for make in promised for trace in make())
