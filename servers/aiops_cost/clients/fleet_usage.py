"""What pods used of CPU and memory over a window: from the metrics backend, else from metrics.k8s.io.

Called by `fleet_reading`. Whole windows are asked for first; a backend that finds that too dear is asked at a
dozen moments across the window, and the answer says so. Never a guess: who was not measured has no usage.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from aiops_cost.clients.fleet_shapes import number
from aiops_shared.errors import AiopsError, ClusterNotFoundError, NotConfiguredError, QueryInvalidError
from aiops_shared.kube.gathering import gather
from aiops_shared.kube.shapes import mapping, meta, rows, text
from aiops_shared.metrics.ports import MetricsBackend, Target

if TYPE_CHECKING:
    from datetime import datetime

    from aiops_shared.kube.api import KubeApi
    from aiops_shared.metrics.directory import MetricsDirectory
    from aiops_shared.metrics.series import MetricAnswer

POINTS = 24
MOMENTS, MOMENT_S = 12, 300
AT_ONCE = 4
MOST_SAID = 240
POD_METRICS = "pods.metrics.k8s.io"
Key = tuple[str, str]  # namespace, pod


@dataclass(frozen=True, slots=True)
class Usage:
    """Means per pod while it lived. `source`: prometheus, …, `metrics.k8s.io` (now only) or empty: nobody
    measured. `seen`: share of the window in which a pod was seen.
    """

    source: str = ""
    says: str = "nobody measured usage"
    cores: Mapping[Key, float] = field(default_factory=dict)
    memory: Mapping[Key, float] = field(default_factory=dict)
    seen: Mapping[Key, float] = field(default_factory=dict)
    now_only: bool = False
    warnings: tuple[str, ...] = ()


@dataclass(slots=True)
class _Means:
    """Sums over several answers about the same pods."""

    total: dict[Key, float] = field(default_factory=dict)
    points: dict[Key, int] = field(default_factory=dict)
    most: int = 0

    def add(self, answer: "MetricAnswer") -> None:
        for one in answer.series:
            key = one.labels.get("namespace", ""), one.labels.get("pod", "")
            known = one.values[~np.isnan(one.values)]
            if all(key) and known.size:
                self.total[key] = self.total.get(key, 0.0) + float(known.sum())
                self.points[key] = self.points.get(key, 0) + int(known.size)
        self.most += answer.series[0].values.size if answer.series else 0

    def means(self) -> dict[Key, float]:
        return {key: max(0.0, total / self.points[key]) for key, total in self.total.items()}

    def seen(self) -> dict[Key, float]:
        return {key: min(1.0, points / max(1, self.most)) for key, points in self.points.items()}


async def measured(
    metrics: "MetricsDirectory", kube: "KubeApi", cluster: str | None, window: "tuple[datetime, datetime]"
) -> Usage:
    """Usage over the window, from the first source that has any. Raises ClusterNotFoundError only."""
    said: list[str] = []
    for name in metrics.configured():
        try:
            backend = await metrics.open(cluster, name)
            found = await _of_backend(backend, window)
        except ClusterNotFoundError:
            raise
        except AiopsError as error:
            if not isinstance(error, NotConfiguredError):
                said.append(f"usage: {name} gave nothing: {error.wire()}"[:MOST_SAID])
            continue
        if found.cores or found.memory:
            return _with(found, said)
    try:
        return _with(await _now(kube), said)
    except AiopsError as error:
        said.append(f"usage: metrics.k8s.io gave nothing: {error.wire()}"[:MOST_SAID])
    return _with(Usage(), said)


def _with(found: Usage, said: Sequence[str]) -> Usage:
    return Usage(found.source, found.says, found.cores, found.memory, found.seen, found.now_only, tuple(said))


async def asked(
    backend: MetricsBackend, question: str, window: "tuple[datetime, datetime]"
) -> tuple[_Means, str]:
    """One named question about every pod, and how it was asked: whole, or at a dozen moments."""
    from aiops_shared.metrics.series import Window

    since, until = window
    words = backend.asks(question, Target(kind="Namespace"))
    span_s = (until - since).total_seconds()
    step = max(words.step_s, 60, round(span_s / POINTS) // 60 * 60)
    means = _Means()
    try:
        means.add(await backend.range(words.query, Window.over(since, until, step)))
    except QueryInvalidError:
        if span_s < 4 * MOMENT_S * MOMENTS:
            raise
        ends = [since + (until - since) * (place + 1) / MOMENTS for place in range(MOMENTS)]
        spans = [Window.over(end - timedelta(seconds=2 * MOMENT_S), end, MOMENT_S) for end in ends]
        for answer in await gather(partial(backend.range, words.query), spans, at_once=AT_ONCE):
            means.add(answer)
        return means, f"{MOMENTS} moments of {2 * MOMENT_S // 60} min"
    return means, f"means of {step / 3600:.2g} h"


async def _of_backend(backend: MetricsBackend, window: "tuple[datetime, datetime]") -> Usage:
    (cpu, how), (memory, _) = await gather(
        lambda question: asked(backend, question, window), ["cpu", "memory"], at_once=2
    )
    hours = (window[1] - window[0]).total_seconds() / 3600
    return Usage(
        source=backend.name,
        says=f"{backend.name}: {how} over {hours:.0f} h",
        cores=cpu.means(),
        memory=memory.means(),
        seen=memory.seen() | cpu.seen(),
    )


async def gone_requests(
    backend: MetricsBackend, window: "tuple[datetime, datetime]"
) -> tuple[dict[Key, float], dict[Key, float]]:
    """Requests of every pod that metrics know of: cores, bytes. Empty where the backend has no such data."""
    found = []
    for question in ("cpu_request", "memory_request"):
        try:
            means, _ = await asked(backend, question, window)
            found.append(means.means())
        except AiopsError:
            found.append({})
    return found[0], found[1]


async def _now(kube: "KubeApi") -> Usage:
    cores: dict[Key, float] = {}
    memory: dict[Key, float] = {}
    async for one in kube.every(POD_METRICS):
        key = text(meta(one).get("namespace")), text(meta(one).get("name"))
        used = [mapping(each.get("usage")) for each in rows(one, "containers")]
        cores[key] = sum(number(each.get("cpu")) for each in used)
        memory[key] = sum(number(each.get("memory")) for each in used)
    if not cores:
        return Usage()
    return Usage(
        "metrics.k8s.io", "metrics.k8s.io: one moment, not the window", cores, memory, {}, now_only=True
    )
