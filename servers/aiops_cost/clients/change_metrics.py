"""How full the nodes were and how much was served, in both spans: named questions, whatever the backend.

The first backend that answers is believed; a question that it has no data for is a missing fact. The means
are over the hours that were measured, and nothing is said of a span of which less than half was.
"""

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Final

import anyio
import numpy as np

from aiops_cost.analysis.change_case import Measured, Pair
from aiops_shared.errors import AiopsError, InvalidInputError, QueryInvalidError
from aiops_shared.metrics.ports import MetricsBackend, Target
from aiops_shared.metrics.series import MetricAnswer, Window

if TYPE_CHECKING:
    from aiops_shared.metrics.directory import MetricsDirectory

WITHIN_S: Final = 15.0
STEP_S: Final = 3600
LEAST: Final = 0.5  # of a span must be measured
ASKED: Final[Mapping[str, str]] = {
    "cpu": "cluster_cpu",
    "memory": "cluster_memory",
    "requests": "requests_total",
}
Days = tuple[date, ...]


async def measured(
    metrics: "MetricsDirectory", cluster: str | None, spans: tuple[Days, Days], now: datetime
) -> tuple[Measured | None, list[str]]:
    """Baseline and period, None when no backend answers, and why. Raises nothing."""
    warnings: list[str] = []
    for backend in await metrics.every(cluster):
        if isinstance(backend, AiopsError):
            warnings.append(f"utilisation and traffic not known: {backend}")
            continue
        try:
            with anyio.fail_after(WITHIN_S):
                found = await _asked(backend, spans, now, warnings)
        except TimeoutError:
            warnings.append(f"{backend.name} did not answer within {WITHIN_S:g} s")
            continue
        if found is not None:
            return found, []
    return None, list(dict.fromkeys(warnings))[:2]


async def _asked(
    backend: MetricsBackend, spans: tuple[Days, Days], now: datetime, warnings: list[str]
) -> Measured | None:
    windows = [_window(days, now) for days in spans]
    found: dict[str, list[float | None]] = {name: [None, None] for name in ASKED}

    async def one(name: str, place: int) -> None:
        try:
            asked = backend.asks(ASKED[name], Target(kind="Cluster"))
            found[name][place] = _mean(await backend.range(asked.query, windows[place]), name)
        except (QueryInvalidError, InvalidInputError):
            return  # this backend has no data for it
        except AiopsError as error:
            warnings.append(f"{backend.name}, {ASKED[name]}: {error}")

    async with anyio.create_task_group() as tasks:
        for name in ASKED:
            for place in range(2):
                tasks.start_soon(one, name, place)
    pairs = {name: Pair(*both) for name, both in found.items()}
    if not any(pair.after is not None for pair in pairs.values()):
        warnings.append(f"{backend.name} has no utilisation and no requests of these days")
        return None
    return Measured(source=backend.name, **pairs)


def _window(days: Days, now: datetime) -> Window:
    """The first to the last day; holes between them are few."""
    since = datetime.combine(days[0], time(), UTC)
    until = min(datetime.combine(days[-1] + timedelta(days=1), time(), UTC), now)
    return Window.over(since, until, STEP_S)


def _mean(answer: MetricAnswer, name: str) -> float | None:
    """The mean over time; requests of several series are added up, shares are of one series."""
    rows = np.array([one.values for one in answer.series], dtype=np.float64)
    if not rows.size:
        return None
    seen = ~np.isnan(rows).all(axis=0)
    if seen.mean() < LEAST:
        return None
    values = np.nansum(rows, axis=0) if name == "requests" else np.nanmean(rows[:, seen], axis=0)
    return float(values[seen].mean() if name == "requests" else values.mean())
