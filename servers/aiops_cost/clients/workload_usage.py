"""How workloads were used over the window of a scene: the named questions, one series for each pod.

Called by the advisers of requests and autoscaling. A step is fifteen minutes (1,344 samples of
two weeks: p99 has thirteen above it); a backend that finds that too dear
is asked in coarser ones, and what was used is said. What one question cannot answer is empty, never zero.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np

from aiops_cost.analysis.sizing import Samples
from aiops_cost.clients.savings_scene import Scene
from aiops_shared.errors import AiopsError, QueryInvalidError
from aiops_shared.metrics.ports import MetricsBackend, Target

if TYPE_CHECKING:
    from aiops_shared.metrics.series import MetricAnswer

STEPS_S = (900, 1800, 3600)
USE_WINDOW = timedelta(days=14)  # two weeks: more than one weekend


@dataclass(frozen=True, slots=True)
class Told:
    """The series of one question on one grid; empty where the backend has none, `gap` where it failed."""

    series: tuple[Samples, ...] = ()
    step_s: int = STEPS_S[0]
    gap: str = ""
    source: str = ""

    @property
    def points(self) -> int:
        """The grid's length."""
        return int(self.series[0].size) if self.series else 0


@dataclass(frozen=True)
class WorkloadUsage:
    """The metrics of one scene."""

    scene: Scene

    async def backend(self) -> MetricsBackend:
        """The cluster's metrics. Raises NotConfiguredError and its kin."""
        return await self.scene.once(
            "metrics", lambda: self.scene.sources.metrics.open(self.scene.ask.cluster)
        )

    async def told(self, question: str, target: Target) -> Told:
        """One question about one workload; an error is a gap of the answer."""
        key = f"usage/{question}/{target.namespace}/{target.kind}/{target.name}"
        return await self.scene.once(key, lambda: self._told(question, target))

    async def _told(self, question: str, target: Target) -> Told:
        backend = await self.backend()
        try:
            asked = backend.asks(question, target)
            step_s, answer = await self._ranged(backend, asked.query)
        except AiopsError as error:
            return Told(gap=f"{question} of {target.name}: {error.wire()}"[:240])
        return Told(tuple(one.values for one in answer.series), step_s, source=answer.source)

    async def _ranged(self, backend: MetricsBackend, query: str) -> "tuple[int, MetricAnswer]":
        from aiops_shared.metrics.series import Window

        since, until = self.scene.now - USE_WINDOW, self.scene.now
        for step_s in STEPS_S[:-1]:
            try:
                return step_s, await backend.range(query, Window.over(since, until, step_s))
            except QueryInvalidError:
                continue
        last = STEPS_S[-1]
        return last, await backend.range(query, Window.over(since, until, last))


def summed(told: Told, points: int) -> Samples:
    """All series together; NaN where none was measured."""
    return _folded(told.series, points, "sum")


def averaged(told: Told, points: int) -> Samples:
    """The mean of the series that were there."""
    return _folded(told.series, points, "mean")


def _folded(series: Sequence[Samples], points: int, how: str) -> Samples:
    if not series or series[0].size != points:
        return np.full(points, np.nan)
    grid = np.vstack(series)
    seen = np.isfinite(grid).sum(axis=0)
    total = np.nansum(grid, axis=0)
    found = np.full(points, np.nan)
    np.divide(total, 1 if how == "sum" else seen, out=found, where=seen > 0)
    return found
