"""The series of one metric or one workload, fetched side by side, as the anomaly analyses take them.

Called by `anomaly_reading`. A signal that cannot be had is a warning; only when nothing is left the first
error is raised.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

import anyio
import numpy as np

from aiops_observability.analysis.leaks import Track
from aiops_observability.clients.history import as_one
from aiops_shared.errors import AiopsError, InsufficientDataError
from aiops_shared.metrics.ports import MetricsBackend, Target
from aiops_shared.metrics.questions import LEVELS, QUESTIONS, RATE_STEP_S
from aiops_shared.metrics.series import MetricAnswer, Series, Values, Window
from aiops_shared.metrics.whole_steps import whole_steps

STEPS_S = (60, 300, 900, 3600)
MOST_POINTS = 8_100
MOST_TRACKS = 24
# What is asked about a workload; `memory_limit` and `restarts` help to judge memory.
WORKLOAD = ("memory", "cpu", "errors", "latency_p99", "requests_total", "restarts", "memory_limit")
PER_POD = frozenset({"memory", "cpu"})
TRAFFIC = frozenset({"errors", "latency_p99", "requests_total"})


@dataclass(frozen=True, slots=True, eq=False)
class Signal:
    """One signal as one series, with how it was made of several."""

    name: str
    unit: str
    window: Window
    values: Values
    how: str
    source: str
    query: str

    @property
    def seen(self) -> int:
        """Points with a value."""
        return int(np.count_nonzero(~np.isnan(self.values)))


@dataclass(slots=True, eq=False)
class Gathered:
    """What came, what failed."""

    window: Window
    answers: dict[str, MetricAnswer] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    failed: list[AiopsError] = field(default_factory=list)
    absent: list[str] = field(default_factory=list)

    def signal(self, name: str) -> Signal | None:
        """A signal as one series; None where nothing was measured."""
        answer = self.answers.get(name)
        if answer is None or not any(one.seen for one in answer.series):
            return None
        values, how = _per_pod(answer) if name in PER_POD else as_one(answer)
        return Signal(name, answer.unit, self.window, values, how, answer.source, answer.query)

    @property
    def limit(self) -> float | None:
        """The memory limit in force: the newest value of the smallest pod."""
        answer = self.answers.get("memory_limit")
        last = [_newest(one) for one in answer.series] if answer else []
        known = [value for value in last if value is not None and value > 0]
        return min(known) if known else None

    @property
    def load(self) -> Values | None:
        """Requests a second and pod, where they are known."""
        answer = self.answers.get("requests_total")
        if answer is None or not any(one.seen for one in answer.series):
            return None
        values, _ = as_one(answer)
        return values if np.count_nonzero(~np.isnan(values)) > 0.5 * values.size else None

    def tracks(self) -> tuple[list[Track], list[str]]:
        """The memory of each pod with the rows at which its containers began anew; and the pods' names."""
        answer = self.answers["memory"]
        restarts = self.answers.get("restarts")
        counted = {_pod(one): one.values for one in restarts.series} if restarts else {}
        kept = sorted(answer.series, key=lambda one: (-_last_row(one), -one.seen))[:MOST_TRACKS]
        kept = [one for one in kept if one.seen >= 3]
        tracks = [Track(one.values, _began_anew(one.values, counted.get(_pod(one)))) for one in kept]
        return tracks, [_pod(one) for one in kept]


async def gathered(
    backend: MetricsBackend, wanted: Sequence[tuple[str, str, Target]], window: Window
) -> Gathered:
    """Ask everything at once: (name, query or nothing, target of the named question).

    Raises the first error where every question failed, InsufficientDataError where nothing was measured.
    """
    found = Gathered(window)
    async with anyio.create_task_group() as group:
        for name, query, target in wanted:
            group.start_soon(_one, backend, found, name, query, target)
    if not any(one.seen for answer in found.answers.values() for one in answer.series):
        if found.failed:
            raise found.failed[0]
        raise InsufficientDataError(
            wanted[0][0] if len(wanted) == 1 else "the workload's metrics",
            f"{backend.name} has no value between {window.since:%Y-%m-%d %H:%M} and"
            f" {window.until:%Y-%m-%d %H:%M}",
            "check namespace, kind and name, or search names with query_metrics(search=…)",
        )
    return found


async def _one(backend: MetricsBackend, found: Gathered, name: str, query: str, target: Target) -> None:
    try:
        unit = ""
        if not query:
            asked = backend.asks(name, target)
            query, unit = asked.query, asked.unit
        answer = whole_steps(name, await backend.range(query, found.window))
    except AiopsError as error:
        found.failed.append(error)
        found.warnings.append(f"{name} not read: {error.wire()}"[:200])
        return
    found.answers[name] = answer if answer.unit else replace(answer, unit=unit)
    found.warnings += [f"{name}: {text}" for text in answer.warnings]
    if not any(one.seen for one in answer.series):
        found.absent.append(name)


def step_for(since: datetime, until: datetime, names: Sequence[str] = ()) -> int:
    """The finest usual step that keeps a window within what one analysis takes.

    `names`: the questions asked; a rate is not asked finer than its own step, or neighbours would share
    samples on one backend and not on another.
    """
    span = (until - since).total_seconds()
    least = RATE_STEP_S if any(name in QUESTIONS and name not in LEVELS for name in names) else STEPS_S[0]
    fit = (step for step in STEPS_S if step >= least and span / step <= MOST_POINTS)
    return next(fit, STEPS_S[-1])


def _per_pod(answer: MetricAnswer) -> tuple[Values, str]:
    """The mean of the pods that were there, so that their number does not count."""
    rows = np.array([one.values for one in answer.series])
    there = np.count_nonzero(~np.isnan(rows), axis=0)
    mean = np.nansum(rows, axis=0) / np.maximum(1, there)
    return np.where(there > 0, mean, np.nan), f"mean of {len(rows)} pods" if len(rows) > 1 else ""


def _pod(one: Series) -> str:
    return one.labels.get("pod") or one.labels.get("PodName") or ",".join(one.labels.values())


def _last_row(one: Series) -> int:
    seen = np.flatnonzero(~np.isnan(one.values))
    return int(seen[-1]) if seen.size else -1


def _newest(one: Series) -> float | None:
    row = _last_row(one)
    return float(one.values[row]) if row >= 0 else None


def _began_anew(memory: Values, restarts: Values | None) -> tuple[int, ...]:
    """Rows at which the restart counter rose."""
    if restarts is None or restarts.size != memory.size:
        return ()
    last, found = np.nan, []
    for row, value in enumerate(restarts.tolist()):
        if value != value:  # a gap
            continue
        if value > last:
            found.append(row)
        last = value
    return tuple(found)
