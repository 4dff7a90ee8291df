"""What is known of a workload before anything is written for it. Made by `clients.config_reading`."""

from dataclasses import dataclass, field
from datetime import datetime

from aiops_sop.analysis.configs.reasons import Source

HOURS_A_DAY = 24


@dataclass(frozen=True, slots=True)
class Used:
    """One metric of all pods over a window: pooled percentiles, and how much of the window was measured."""

    metric: str
    unit: str
    window: str
    days: float
    covered: float
    mean: float
    p95: float
    p99: float
    most: float
    pods: float  # mean number of pods that were measured

    def source(self, percentile: str) -> Source:
        """Of one statistic of it."""
        return Source(self.metric, self.window, percentile)


@dataclass(frozen=True, slots=True)
class Hourly:
    """One metric by the hour, oldest first: means of whole hours, UTC."""

    metric: str
    window: str
    times: tuple[datetime, ...] = ()
    values: tuple[float, ...] = ()

    @property
    def days(self) -> float:
        """How much is known."""
        return len(self.values) / HOURS_A_DAY

    def source(self, percentile: str) -> Source:
        """Of one statistic of it."""
        return Source(self.metric, self.window, percentile)


@dataclass(frozen=True, slots=True)
class Container:
    """The container that is sized, as it stands: cores and bytes, 0 for none."""

    name: str
    cpu: float = 0.0
    memory: float = 0.0
    cpu_limit: float = 0.0
    memory_limit: float = 0.0


@dataclass(frozen=True, slots=True)
class Scaler:
    """The autoscaler that stands. `per_pod`: its target in requests a second, 0 for another metric."""

    name: str
    least: int
    most: int
    per_pod: float = 0.0
    metric: str = ""
    cpu_target: float = 0.0


@dataclass(frozen=True, slots=True)
class Workload:
    """The workload as it stands."""

    cluster: str
    namespace: str
    kind: str
    name: str
    replicas: int
    container: Container
    containers: int = 1
    labels: dict[str, str] = field(default_factory=dict)
    scaler: Scaler | None = None
    vpa: str = ""  # a VerticalPodAutoscaler that also sizes it

    @property
    def where(self) -> str:
        """As kind namespace/name."""
        return f"{self.kind.lower()} {self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True)
class Pool:
    """A Karpenter NodePool. `limit_cpu`: 0 for none; `node_cpu`, `node_memory`: of one of its nodes."""

    name: str
    limit_cpu: float
    used_cpu: float
    node_cpu: float
    node_memory: float
    zones: tuple[str, ...] = ()
    node_class: dict[str, str] = field(default_factory=dict)
