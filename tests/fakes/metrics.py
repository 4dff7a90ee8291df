"""A metrics backend of functions of time, for tests of what is made of series.

`FakeMetrics({"memory": [({"pod": "a"}, lambda t: 300e6 + 0 * t)]})` answers the named question `memory` with
one series; a question that is not given has no data, one in `failing` raises.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from aiops_shared.errors import AiopsError
from aiops_shared.metrics.ports import Asked, BackendName, Cost, MetricName, Target
from aiops_shared.metrics.questions import QUESTIONS
from aiops_shared.metrics.series import MetricAnswer, Series, Window

Array = npt.NDArray[np.float64]
Told = tuple[Mapping[str, str], Callable[[Array], Array]]


@dataclass
class FakeMetrics:
    """Fulfils `metrics.ports.MetricsBackend`, and a directory of itself."""

    told: Mapping[str, Sequence[Told]]
    failing: dict[str, AiopsError] = field(default_factory=dict)
    partial: dict[str, str] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    @property
    def name(self) -> BackendName:
        return "prometheus"

    async def range(self, query: str, window: Window) -> MetricAnswer:
        self.asked.append(query)
        if query in self.failing:
            raise self.failing[query]
        times = window.times_s()
        series = tuple(
            Series(labels, window, np.asarray(values(times), dtype=np.float64))
            for labels, values in self.told.get(query, ())
        )
        unit = QUESTIONS[query].unit if query in QUESTIONS else ""
        warnings = (self.partial[query],) if query in self.partial else ()
        return MetricAnswer(series, "fake", query, unit, warnings)

    async def estimate(self, query: str, window: Window) -> Cost:
        del query
        return Cost(series=1, samples=window.points)

    def asks(self, question: str, target: Target) -> Asked:
        del target
        return Asked(question, QUESTIONS[question].unit)

    async def search(self, words: str, *, limit: int) -> tuple[MetricName, ...]:
        del words
        return tuple(MetricName(name) for name in list(self.told)[:limit])

    # the directory

    async def open(self, cluster: str | None, source: str = "auto") -> "FakeMetrics":
        del cluster, source
        return self

    def configured(self) -> tuple[BackendName, ...]:
        return ("prometheus",)
