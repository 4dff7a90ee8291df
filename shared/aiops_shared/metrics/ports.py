"""What a metrics backend is to the rest of the suite. No code.

Fulfilled by the drivers of this room: `prometheus` (any Prometheus API), `amp` (the same, signed),
`cloudwatch`, `datadog`. Every method raises `AiopsError` only, and bounds time, memory and cost itself.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from aiops_shared.metrics.series import MetricAnswer, Window

BackendName = Literal["prometheus", "amp", "cloudwatch", "datadog"]
BACKENDS: tuple[BackendName, ...] = ("prometheus", "amp", "cloudwatch", "datadog")


@dataclass(frozen=True, slots=True)
class Target:
    """What a named question is about. Empty fields: not said."""

    namespace: str = ""
    kind: str = ""  # Deployment, StatefulSet, DaemonSet, Pod, Node, Service, …
    name: str = ""


@dataclass(frozen=True, slots=True)
class Asked:
    """A named question in one backend's words. `unit` as in `MetricAnswer`."""

    query: str
    unit: str = ""
    step_s: int = 0  # the finest step that makes sense; 0: any


@dataclass(frozen=True, slots=True)
class Cost:
    """What a query would read: `samples` for Prometheus-like backends, `requests` that AWS bills."""

    series: int = 0
    samples: int = 0
    requests: int = 0


class MetricsBackend(Protocol):
    """One place that keeps metrics of one cluster."""

    @property
    def name(self) -> BackendName:
        """Which driver."""
        ...

    async def range(self, query: str, window: "Window") -> "MetricAnswer":
        """The series of a query in the backend's own language over a window.

        The cost is estimated first: QueryInvalidError with the estimate and a cheaper form when it is over
        the bound. A part that failed is a warning of the answer.
        """
        ...

    async def estimate(self, query: str, window: "Window") -> Cost:
        """What `range` would read, without reading it."""
        ...

    def asks(self, question: str, target: Target) -> Asked:
        """A named question of `questions.QUESTIONS` in this backend's language.

        QueryInvalidError for one that this backend has no data for, naming those that have.
        """
        ...

    async def search(self, words: str, *, limit: int) -> "tuple[MetricName, ...]":
        """Metric names (with their labels) nearest to some words; all names for an empty text."""
        ...


@dataclass(frozen=True, slots=True)
class MetricName:
    """A metric that exists: its name, what it may be asked by, and its kind where the backend says it."""

    name: str
    labels: tuple[str, ...] = ()
    kind: str = ""
    says: str = ""
    score: float = 0.0
