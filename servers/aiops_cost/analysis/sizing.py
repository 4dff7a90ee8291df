"""Requests and limits from what was used: what a workload should ask for, and why it should not ask less.

The rule. CPU request = 95th percentile of all samples of all pods, times 1.15. Memory request = 99th
percentile of the worst pod, times 1.15; its limit = the request times 1.2, at least the highest value seen
times 1.1.
The margin of 15 % and the raise after an OOM kill (a fifth, at least 100 MiB) are the VPA recommender's
(kubernetes/autoscaler, vertical-pod-autoscaler/pkg/recommender: recommendation-margin-fraction,
oom-bump-up-ratio, oom-min-bump-up-bytes), so is the floor of 25 m; its percentile is the 90th of a decaying
histogram of eight days, ours is of the plain window. Percentiles are observed values (nearest rank).
Called by the adviser of requests.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from math import ceil
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from aiops_shared.kube.quantities import MI
from aiops_shared.kube.sizes import (
    CPU_FLOOR,
    LIMIT_OVER_REQUEST,
    MARGIN,
    MEMORY_FLOOR,
    cores,
    limit_over,
    mebibytes,
    up_bytes,
    up_cores,
)

Samples = NDArray[np.float64]

CPU_SHARE, MEMORY_SHARE = 0.95, 0.99
OOM_RATIO, OOM_LEAST_BYTES = 1.2, 100 * MI
LEAST_H = 7 * 24.0
LEAST_COVERED = 0.8  # of the moments between the first and the last sample
NEAR_LIMIT = 0.9  # a working set this near to its limit is one that has no room
THROTTLED = 0.05  # share of periods: beyond it CPU is short, not spare
GROWS = 1.25  # the last fifth of the window against its first: memory is still climbing
FLAT = 1.03  # 99th over 5th percentile: nothing moves, as of a heap that was taken at the start
WORTH = 0.8  # a request is lowered when the new one is at most so much of it
LEAST_POINTS = 12  # of a pod, before its percentile is one


@dataclass(frozen=True, slots=True)
class Heap:
    """What a container says of its heap. `share`: it is a part of the memory limit; `bytes`: it is fixed."""

    says: str = ""
    share: bool = False
    bytes: float = 0.0


@dataclass(frozen=True, slots=True)
class Container:
    """A container's requests and limits: cores and bytes, 0 for none."""

    name: str
    cpu: float = 0.0
    memory: float = 0.0
    cpu_limit: float = 0.0
    memory_limit: float = 0.0
    heap: Heap = field(default_factory=Heap)


@dataclass(frozen=True, slots=True)
class Used:
    """What the pods of a workload used over a window: cores, bytes, shares of a pod."""

    hours: float = 0.0
    covered: float = 0.0
    cpu_mean: float = 0.0
    cpu_p95: float = 0.0
    cpu_p99: float = 0.0
    memory_p05: float = 0.0
    memory_p99: float = 0.0
    memory_most: float = 0.0
    grown: float = 1.0
    throttled: float = 0.0
    restarts: float = 0.0
    oom_kills: int = 0

    @property
    def enough(self) -> bool:
        """Whether percentiles of it may be trusted."""
        return self.hours >= LEAST_H and self.covered >= LEAST_COVERED


Kind = Literal["insufficient", "fits", "smaller", "larger"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What to ask for instead. `container` is the one that changes; `kept` says what was not lowered, why."""

    kind: Kind
    container: Container | None = None
    lines: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    why: str = ""


def used(
    cpu: Sequence[Samples],
    memory: Sequence[Samples],
    step_s: float,
    *,
    throttled: Sequence[Samples] = (),
    restarts: Sequence[Samples] = (),
    oom_kills: int = 0,
) -> Used:
    """The figures of one workload: a series for each pod on one grid, NaN where nothing was measured."""
    burnt, held = _pooled(cpu), [one for one in memory if np.isfinite(one).sum() >= LEAST_POINTS]
    if not burnt.size or not held:
        return Used(oom_kills=oom_kills)
    hours, covered = _span(memory, step_s)
    worst = max(held, key=lambda one: quantile(one, MEMORY_SHARE))
    short = _pooled(throttled)
    return Used(
        hours=hours,
        covered=covered,
        cpu_mean=float(burnt.mean()),
        cpu_p95=quantile(burnt, CPU_SHARE),
        cpu_p99=quantile(burnt, 0.99),
        memory_p05=quantile(worst, 0.05),
        memory_p99=quantile(worst, MEMORY_SHARE),
        memory_most=max(float(np.nanmax(one)) for one in held),
        grown=_growth(held),
        throttled=float(short.mean()) if short.size else 0.0,
        restarts=sum(_risen(one) for one in restarts),
        oom_kills=oom_kills,
    )


def quantile(values: Samples, share: float) -> float:
    """The observed value that `share` of the samples do not exceed (nearest rank)."""
    seen = np.sort(values[np.isfinite(values)])
    return float(seen[max(0, ceil(share * seen.size - 1e-9) - 1)])


def _pooled(series: Sequence[Samples]) -> Samples:
    found = np.concatenate(series) if series else np.empty(0)
    return found[np.isfinite(found)]


def _span(series: Sequence[Samples], step_s: float) -> tuple[float, float]:
    """Hours from the first sample of any pod to the last, and the share of moments between with one."""
    places = np.flatnonzero(np.isfinite(np.vstack(series)).any(axis=0))
    between = int(places[-1] - places[0]) + 1
    return (between - 1) * step_s / 3600, places.size / between


def _growth(series: Sequence[Samples]) -> float:
    """How far the highest pod climbed: median of the last fifth over that of the first."""
    grid = np.vstack(series)
    highest = np.nanmax(grid[:, np.flatnonzero(np.isfinite(grid).any(axis=0))], axis=0)
    fifth = max(1, highest.size // 5)
    first = float(np.median(highest[:fifth]))
    return float(np.median(highest[-fifth:])) / first if first > 0 else 1.0


def _risen(counter: Samples) -> float:
    seen = counter[np.isfinite(counter)]
    return float(np.maximum(np.diff(seen), 0).sum()) if seen.size > 1 else 0.0


def judged(
    containers: Sequence[Container], found: Used, *, hpa_target: float = 0.0, hpa_memory: float = 0.0
) -> Verdict:
    """What the pod should ask for. `hpa_target`, `hpa_memory`: the utilisation of CPU and of memory that an
    autoscaler keeps, 0 for none: the request is then at least what makes today's use its target.

    With several containers the largest one changes; the others keep what they ask for, whether they use it
    or not, since usage is known of the pod as a whole.
    """
    if not found.enough:
        return Verdict("insufficient", why=_too_little(found))
    main = max(containers, key=lambda one: (one.cpu, one.memory, one.name))
    others = [one for one in containers if one is not main]
    guaranteed = all(
        one.cpu == one.cpu_limit > 0 and one.memory == one.memory_limit > 0 for one in containers
    )
    cpu, cpu_lines, cpu_kept = _cpu(main, others, found, guaranteed=guaranteed, hpa_target=hpa_target)
    memory, limit, lines, kept = _memory(
        main, others, found, guaranteed=guaranteed, over=max(MARGIN, 1 / hpa_memory if hpa_memory else 0.0)
    )
    made = replace(main, cpu=cpu, memory=memory, memory_limit=limit)
    if guaranteed:
        made = replace(made, cpu_limit=cpu, memory_limit=max(memory, limit), memory=max(memory, limit))
    elif main.cpu_limit and main.cpu_limit < cpu:
        made = replace(made, cpu_limit=cpu)
    told = (*cpu_lines, *lines)
    if made.memory > main.memory or (main.memory_limit and made.memory_limit > main.memory_limit):
        return Verdict("larger", made, told, (*cpu_kept, *kept), "; ".join(kept))
    if made.cpu < main.cpu or made.memory < main.memory:
        return Verdict("smaller", made, told, (*cpu_kept, *kept))
    return Verdict("fits", main, told, (*cpu_kept, *kept), "; ".join((*cpu_kept, *kept)))


def _too_little(found: Used) -> str:
    if found.hours >= LEAST_H:
        return f"only {found.covered:.0%} of the window was measured, {LEAST_COVERED:.0%} are needed"
    return f"{found.hours / 24:.1f} days of history, {LEAST_H / 24:.0f} are needed"


def _cpu(
    main: Container, others: Sequence[Container], found: Used, *, guaranteed: bool, hpa_target: float
) -> tuple[float, tuple[str, ...], tuple[str, ...]]:
    """The new CPU request, how it came about, and why it was kept where it was."""
    if not main.cpu:
        return 0.0, (), ()
    if found.throttled > THROTTLED:
        return main.cpu, (), (f"CPU kept: throttled in {found.throttled:.1%} of its periods",)
    base, name = (found.cpu_p99, "p99") if guaranteed else (found.cpu_p95, "p95")
    held = sum(one.cpu for one in others)
    wanted, line = base * MARGIN, f"CPU {name} {cores(base)} x {MARGIN}"
    if hpa_target and base / hpa_target > wanted:
        wanted, line = base / hpa_target, f"CPU {name} {cores(base)} / HPA target {hpa_target:.0%}"
    least = max(wanted, CPU_FLOOR) - held
    made = up_cores(max(least, CPU_FLOOR / (len(others) + 1)))
    if made > WORTH * main.cpu:
        return main.cpu, (), ()
    minus = f" - {cores(held)} of its other containers" if held else ""
    return made, (f"{line}{minus} -> {cores(made)} (now {cores(main.cpu)})",), ()


def _memory(
    main: Container, others: Sequence[Container], found: Used, *, guaranteed: bool, over: float
) -> tuple[float, float, tuple[str, ...], tuple[str, ...]]:
    """The new memory request and limit, how they came about, and why they were kept."""
    if why := _short_of_memory(main, others, found):
        raised = _raised(main, found)
        return max(main.memory, raised if guaranteed else main.memory), raised, (), (why,)
    if not main.memory:
        return 0.0, main.memory_limit, (), ()
    if why := _not_lowered(main, found):
        return main.memory, main.memory_limit, (), (why,)
    held = sum(one.memory for one in others)
    least = max(found.memory_p99 * over, MEMORY_FLOOR, main.heap.bytes * 1.25) - held
    made = up_bytes(max(least, MEMORY_FLOOR / (len(others) + 1)))
    if guaranteed:
        made = limit_over(made, found.memory_most - held)
    if made > WORTH * main.memory:
        return main.memory, main.memory_limit, (), ()
    minus = f" - {mebibytes(held)} of its other containers" if held else ""
    line = (
        f"memory p99 {mebibytes(found.memory_p99)} x {over:.3g}{minus} -> {mebibytes(made)}"
        f" (now {mebibytes(main.memory)})"
    )
    if not main.memory_limit or guaranteed:
        return made, made if guaranteed else 0.0, (line,), ()
    limit = min(main.memory_limit, limit_over(made, found.memory_most - held))
    more = f"memory limit {mebibytes(made)} x {LIMIT_OVER_REQUEST} -> {mebibytes(limit)}"
    return made, limit, (line, f"{more} (now {mebibytes(main.memory_limit)})"), ()


def _short_of_memory(main: Container, others: Sequence[Container], found: Used) -> str:
    """Why memory is to be raised: a kill, or a working set at its limit; empty where there is room."""
    if found.oom_kills:
        return f"memory: OOMKilled {found.oom_kills} times"
    limit = main.memory_limit + sum(one.memory_limit for one in others)
    bound = main.memory_limit and all(one.memory_limit for one in others)
    if bound and found.memory_most >= NEAR_LIMIT * limit:
        return f"memory: {mebibytes(found.memory_most)} of a limit of {mebibytes(limit)} in use"
    return ""


def _raised(main: Container, found: Used) -> float:
    """A limit after an OOM kill, as the VPA recommender raises its estimate; none stays none."""
    if not main.memory_limit:
        return 0.0
    seen = max(main.memory_limit, found.memory_most)
    return up_bytes(max(seen * OOM_RATIO, seen + OOM_LEAST_BYTES))


def _not_lowered(main: Container, found: Used) -> str:
    if main.heap.share:
        return f"memory kept: its heap is a share of the limit ({main.heap.says})"
    if found.grown > GROWS:
        return f"memory kept: it grew by {found.grown - 1:.0%} over the window"
    return ""


def is_flat(found: Used) -> bool:
    """Whether memory does not move at all, as of a heap that was taken at the start and may stand empty."""
    return found.memory_p05 > 0 and found.memory_p99 / found.memory_p05 <= FLAT


def replicas_at(replicas: int, usage: float, request: float, target: float) -> int:
    """How many pods an autoscaler on CPU keeps, as its formula: ceil(replicas * usage / (request * target)).

    Its tolerance of 10 % is applied (kubernetes, pkg/controller/podautoscaler/replica_calculator.go).
    """
    ratio = usage / (request * target)
    return replicas if abs(ratio - 1.0) <= 0.1 else max(1, ceil(replicas * ratio - 1e-9))
