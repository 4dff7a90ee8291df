"""What `/metrics` counts of HTTP: requests by route, method and class, seconds, what is under way or shed.

Labels are words of our own: a route that the server has (else `other`), a method, a class as `2xx`. Names of
callers, ids and queries never are. Kept in the process and read by `exposition`.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from aiops_shared.results.counting import DURATION_BOUNDS_S

METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


@dataclass(frozen=True, slots=True)
class Routes:
    """Paths as labels: those of the server's routes, and `other`."""

    known: tuple[tuple[re.Pattern[str], str], ...]

    @classmethod
    def of(cls, routes: Iterable[Any]) -> "Routes":
        """Of an application's routes."""
        found = [(route.path_regex, route.path) for route in routes if hasattr(route, "path_regex")]
        return cls((*found, (re.compile(r"/metrics"), "/metrics")))

    def label(self, path: str) -> str:
        """A path's label."""
        return next((label for pattern, label in self.known if pattern.fullmatch(path)), "other")


@dataclass(frozen=True, slots=True)
class Gauge:
    """A value that is asked for when somebody reads it."""

    name: str
    says: str
    value: Callable[[], float]


@dataclass
class Seconds:
    """A histogram of seconds."""

    buckets: list[int] = field(default_factory=lambda: [0] * (len(DURATION_BOUNDS_S) + 1))
    total: float = 0.0

    def add(self, seconds: float) -> None:
        """One more."""
        self.total += seconds
        place = next((n for n, most in enumerate(DURATION_BOUNDS_S) if seconds <= most), -1)
        self.buckets[place] += 1


@dataclass
class Meter:
    """Counts of one process."""

    requests: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    seconds: dict[str, Seconds] = field(default_factory=dict)
    shed: Counter[str] = field(default_factory=Counter)
    gauges: list[Gauge] = field(default_factory=list)
    suite: Any = None  # an OpenTelemetry in-memory reader: what the suite counts of itself

    def answered(self, route: str, method: str, status: int, seconds: float) -> None:
        """A request ended. `status` 0: the client left before its answer."""
        kind = f"{status // 100}xx" if status else "left"
        self.requests[route, method if method in METHODS else "other", kind] += 1
        self.seconds.setdefault(route, Seconds()).add(seconds)

    def turned_away(self, reason: str) -> None:
        """A request was not taken."""
        self.shed[reason] += 1

    def gauge(self, name: str, says: str, value: Callable[[], float]) -> None:
        """Let a value be read."""
        self.gauges.append(Gauge(name, says, value))
