"""The past of one metric, asked by name or in the backend's own words, as the analyses want it.

Called by the readers of forecasts and of comparisons. Questions are checked before anything is asked.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np

from aiops_observability.clients.metric_backends import in_turn
from aiops_observability.ports import Metrics
from aiops_shared.clock import Clock
from aiops_shared.errors import InsufficientDataError, InvalidInputError
from aiops_shared.kube.nearest import nearest
from aiops_shared.metrics.ports import MetricsBackend, Target
from aiops_shared.metrics.questions import QUESTIONS
from aiops_shared.metrics.series import MetricAnswer, Values, Window
from aiops_shared.metrics.whole_steps import whole_steps
from aiops_shared.params import since_to_datetime

ADDED_UP = frozenset({"per second", "count", "bytes", "cores", ""})  # units of which a sum means something


ANY = Target()


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which metric of which cluster: a query, or a named question about a target."""

    cluster: str | None
    source: str
    query: str = ""
    what: str = ""
    target: Target = ANY

    def __post_init__(self) -> None:
        """Raises InvalidInputError unless exactly one of query and what is given, and what is known."""
        if bool(self.query) == bool(self.what):
            raise InvalidInputError("query", "give either `query` or `what`", "as what=requests_total")
        if self.what and self.what not in QUESTIONS:
            close = nearest(self.what, list(QUESTIONS)) or tuple(QUESTIONS)[:8]
            raise InvalidInputError(f"what {self.what!r}", "no such question", f"nearest: {', '.join(close)}")

    @property
    def said(self) -> str:
        """What is meant, in a few words."""
        where = "/".join(part for part in (self.target.namespace, self.target.name) if part)
        return (self.what or self.query[:80]) + (f" of {where}" if where else "")


async def end_of(until: str | None, clock: Clock) -> datetime:
    """The moment that `until` means; now when it is not given."""
    now = await clock.now()
    return since_to_datetime(until, now) if until else now


async def past(metrics: Metrics, wanted: Wanted, end: datetime, span: timedelta, step_s: int) -> MetricAnswer:
    """The series of a span that ends at `end`. Raises what the backend raises, and InsufficientDataError
    where nothing at all was measured.
    """

    async def read(backend: MetricsBackend) -> MetricAnswer:
        return await _past_on(backend, wanted, end, span, step_s)

    heard = await in_turn(metrics, (wanted.cluster, wanted.source), read, named=bool(wanted.what))
    return replace(heard.answer, warnings=(*heard.said, *heard.answer.warnings))


async def _past_on(
    backend: MetricsBackend, wanted: Wanted, end: datetime, span: timedelta, step_s: int
) -> MetricAnswer:
    query, unit = wanted.query, ""
    if wanted.what:
        asked = backend.asks(wanted.what, wanted.target)
        query, unit = asked.query, asked.unit
    answer = whole_steps(wanted.what, await backend.range(query, Window.over(end - span, end, step_s)))
    if not any(one.seen for one in answer.series):
        raise InsufficientDataError(
            wanted.said,
            f"{answer.source} has no value between {end - span:%Y-%m-%d %H:%M} and {end:%Y-%m-%d %H:%M}",
            "check the name with query_metrics(search=…), or give another source",
        )
    return replace(answer, unit=answer.unit or unit)


def as_one(answer: MetricAnswer) -> tuple[Values, str]:
    """All series as one, and how: their sum, or their mean where a sum means nothing (shares, durations)."""
    rows = np.array([one.values for one in answer.series], dtype=np.float64)
    if len(rows) == 1:
        return rows[0], ""
    unseen = np.all(np.isnan(rows), axis=0)
    adds = answer.unit in ADDED_UP
    told = (
        np.nansum(rows, axis=0)
        if adds
        else np.nansum(rows, axis=0) / np.maximum(1, np.sum(~np.isnan(rows), 0))
    )
    return np.where(unseen, np.nan, told), f"{'sum' if adds else 'mean'} of {len(rows)} series"
