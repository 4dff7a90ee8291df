"""What an autoscaler does with its workload: never scales, is at its end, or holds too many at night.

Its formula is Kubernetes' own (pkg/controller/podautoscaler/replica_calculator.go). Called by the advisers of
autoscaling and of requests.
"""

from dataclasses import dataclass
from math import ceil
from typing import Final

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float64]
REACHED: Final = 0.9  # the tolerance: below 0.9 of its target an autoscaler does not scale out
MOSTLY: Final = 0.9  # of the time
MEMORY_FULL: Final = 0.9  # of the request
QUIET_H: Final = 6.0  # a night worth scaling for
LEAST_POINTS: Final = 288  # a day of five-minute samples
CPU, MEMORY = "cpu", "memory"


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric of an autoscaler. `target`: a ratio of the request for Utilization, else a plain number."""

    kind: str  # Resource, ContainerResource, Pods, Object, External
    name: str
    target_type: str
    target: float


@dataclass(frozen=True, slots=True)
class Autoscaler:
    """A HorizontalPodAutoscaler."""

    namespace: str
    name: str
    target_kind: str
    target_name: str
    least: int
    most: int
    metrics: tuple[Metric, ...] = ()
    current: int = 0
    owner: str = ""  # who keeps it, where it is not the team: keda-operator, ...

    @property
    def cpu_target(self) -> float:
        """The CPU utilisation it keeps, as a share of the request; 0 for none."""
        return self._target(CPU)

    @property
    def memory_target(self) -> float:
        """The memory utilisation it keeps, as a share of the request; 0 for none."""
        return self._target(MEMORY)

    @property
    def cpu_alone(self) -> bool:
        """Whether CPU is the only thing it looks at."""
        return len(self.metrics) == 1 and self.cpu_target > 0

    def _target(self, name: str) -> float:
        fits = ("Resource", "ContainerResource")
        found = [one for one in self.metrics if one.kind in fits and one.name == name]
        return next((one.target for one in found if one.target_type == "Utilization"), 0.0)


@dataclass(frozen=True, slots=True)
class Seen:
    """How a workload lived: each series on one grid of `step_s`, NaN where nothing was measured.

    `cpu`, `memory`: use over request, mean of the pods. `replicas` and `requests` (per second) of all pods.
    """

    step_s: int
    cpu: Samples
    memory: Samples
    replicas: Samples
    requests: Samples


@dataclass(frozen=True, slots=True)
class WrongMetric:
    """CPU never reached its target while memory filled up."""

    cpu_most: float
    memory_p95: float
    memory_target: float
    pods: int  # the median of the window
    requests_per_pod: float  # at p95, 0 where requests do not explain the memory
    follows: float  # correlation of memory with requests


@dataclass(frozen=True, slots=True)
class Floor:
    """A minimum that holds pods which nobody needs. `spare_pod_hours`: a month."""

    least: int
    needed: int
    quiet_h: float  # a day
    spare_pod_hours: float


def wrong_metric(scaler: Autoscaler, seen: Seen, memory_goal: float) -> WrongMetric | None:
    """Whether memory is what fills up while the autoscaler waits for CPU. `memory_goal`: what to set."""
    cpu, memory = _known(seen.cpu), _known(seen.memory)
    if not scaler.cpu_alone or min(cpu.size, memory.size) < LEAST_POINTS:
        return None
    most, full = float(np.quantile(cpu, 0.99)), float(np.quantile(memory, 0.95))
    if most >= REACHED * scaler.cpu_target or full < MEMORY_FULL:
        return None
    follows = _correlation(seen.memory, seen.requests)
    per_pod = _known(seen.requests / np.maximum(seen.replicas, 1.0))
    rate = float(np.quantile(per_pod, 0.95)) if follows >= 0.8 and per_pod.size else 0.0
    held = _known(seen.replicas)
    pods = round(float(np.median(held))) if held.size else 0
    return WrongMetric(most, full, memory_goal, pods, rate, follows)


def at_most_always(scaler: Autoscaler, seen: Seen) -> float:
    """The share of time at the maximum, 0 where that is less than mostly."""
    known = _known(seen.replicas)
    if known.size < LEAST_POINTS or scaler.least == scaler.most:
        return 0.0
    share = float((known >= scaler.most).mean())
    return share if share >= MOSTLY else 0.0


def high_floor(scaler: Autoscaler, seen: Seen) -> Floor | None:
    """Whether the minimum is more than what the quiet hours need: of pods at their CPU and memory targets.

    Memory counts as if it followed the pods (each holds its share), so a floor is never below what holds the
    memory of the moment. At least two pods stay.
    """
    target = scaler.cpu_target
    if not target or scaler.least <= 2:
        return None
    both = np.isfinite(seen.cpu) & np.isfinite(seen.replicas) & np.isfinite(seen.memory)
    if int(both.sum()) < LEAST_POINTS:
        return None
    replicas, cpu, memory = seen.replicas[both], seen.cpu[both], seen.memory[both]
    needs = np.maximum(np.ceil(replicas * cpu / target), np.ceil(replicas * memory / MOSTLY))
    at_floor = (replicas <= scaler.least) & (needs < scaler.least)
    needed = max(2, ceil(float(np.quantile(needs[at_floor], 0.95)))) if at_floor.any() else scaler.least
    quiet_h = 24.0 * float(at_floor.mean())
    if needed >= scaler.least or quiet_h < QUIET_H:
        return None
    spare = float((scaler.least - np.maximum(needs, needed))[at_floor].sum()) / both.sum() * 730.0
    return Floor(scaler.least, needed, quiet_h, spare)


def _known(values: Samples) -> Samples:
    return values[np.isfinite(values)]


def _correlation(one: Samples, other: Samples) -> float:
    both = np.isfinite(one) & np.isfinite(other)
    if int(both.sum()) < LEAST_POINTS:
        return 0.0
    first, second = one[both], other[both]
    if first.std() < 1e-9 or second.std() < 1e-9:
        return 0.0
    return float(np.corrcoef(first, second)[0, 1])
