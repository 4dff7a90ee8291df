"""Values of metrics: which backend is asked, over which window, and what is said of the answer.

Called by `query_metrics` through `ports.MetricReadings`. A named question goes on to the next backend where
one fails or has nothing, and the answer says so; a query in a backend's own language is asked of that one
alone.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import numpy as np

from aiops_observability.clients.metric_discovery import MetricDiscovery
from aiops_observability.clients.metric_hints import why_empty
from aiops_observability.clients.metric_tables import (
    Known,
    drawn,
    human,
    known,
    label_names,
    moment,
    shared_labels,
    title,
    week,
)
from aiops_observability.models.metrics import MetricAsk, MetricReport
from aiops_observability.ports import Metrics
from aiops_shared.app.fitting import size_bytes
from aiops_shared.clock import Clock
from aiops_shared.errors import AiopsError, ClusterNotFoundError, InvalidInputError, QueryInvalidError
from aiops_shared.metrics.ports import Asked, MetricsBackend, Target
from aiops_shared.metrics.promql_cost import nice_step
from aiops_shared.metrics.questions import QUESTIONS, targeted
from aiops_shared.metrics.series import MetricAnswer, Window
from aiops_shared.metrics.whole_steps import whole_steps
from aiops_shared.params import since_to_datetime
from aiops_shared.results import Evidence
from aiops_shared.results.wording import quotable

POINTS = 360
LEAST_STEP_S = 60
MOST_WARNINGS = 6
TWO_WEEKS_S = 13.9 * 86_400
WEEK_BYTES = 1300


@dataclass(frozen=True)
class MetricReader:
    """Fulfils `ports.MetricReadings`."""

    metrics: Metrics
    clock: Clock

    async def read(self, ask: MetricAsk) -> MetricReport:
        """One answer. Raises InvalidInputError, QueryInvalidError and what the backend raises."""
        if ask.show or ask.search is not None:
            return await MetricDiscovery(self.metrics).found(ask)
        return await self._values(ask)

    async def _values(self, ask: MetricAsk) -> MetricReport:
        _require(ask)
        now = await self.clock.now()
        until = since_to_datetime(ask.until, now) if ask.until else now
        window = window_of(since_to_datetime(ask.since, now), until, ask.step_s)
        tried = _Tried()
        async for found in self._backends(ask):
            answer = await _heard(found, ask, window, tried)
            if answer is not None:
                return _report(ask, answer, tried.said)
        if tried.empty is not None:
            hint = await why_empty(*tried.empty, ask)
            return _nothing(ask, tried.empty[1], tried.said, hint)
        raise _with_others(tried.error, tried.said)

    async def _backends(self, ask: MetricAsk) -> AsyncIterator[MetricsBackend | AiopsError]:
        """The backend meant, or why it cannot be asked; for a named question of any source the others too."""
        first = await self._opened(ask, ask.source)
        yield first
        if ask.source != "auto" or not ask.what:
            return
        seen = "" if isinstance(first, AiopsError) else first.name
        for name in self.metrics.configured():
            if name != seen:
                yield await self._opened(ask, name)

    async def _opened(self, ask: MetricAsk, source: str) -> MetricsBackend | AiopsError:
        try:
            return await self.metrics.open(ask.cluster, source)
        except ClusterNotFoundError:
            raise
        except AiopsError as error:
            return error


@dataclass
class _Tried:
    """What came of the backends asked so far."""

    said: list[str] = field(default_factory=list)
    error: AiopsError | None = None
    empty: tuple[MetricsBackend, MetricAnswer] | None = None

    def failed(self, ask: MetricAsk, name: str, error: AiopsError) -> None:
        """Note a failure. Raises it where no other backend may answer."""
        if not ask.what or ask.source != "auto":
            raise error
        self.error = self.error or error
        said = f"{name} gave nothing: {error.wire()}"
        if not any(error.wire() in one for one in self.said):
            self.said.append(said)


async def _heard(
    backend: MetricsBackend | AiopsError, ask: MetricAsk, window: Window, tried: _Tried
) -> MetricAnswer | None:
    """The answer of one backend, if it has any value; what went wrong is noted."""
    if isinstance(backend, AiopsError):
        tried.failed(ask, backend.thing, backend)
        return None
    try:
        asked = _in_words_of(backend, ask)
    except QueryInvalidError as error:  # another backend's question: no fault to tell of
        if ask.source != "auto":
            raise
        tried.error = tried.error or error
        return None
    try:
        answer = await _answered(backend, ask.what, asked, window)
    except AiopsError as error:
        tried.failed(ask, backend.name, error)
        return None
    if any(one.seen for one in answer.series):
        return answer
    tried.empty = tried.empty or (backend, answer)
    tried.said.append(f"{answer.source} has no value")
    return None


def _with_others(error: AiopsError | None, said: list[str]) -> AiopsError:
    """The first failure; its hint names the backends that were asked after it."""
    if error is None:
        return InvalidInputError("source", "no backend was asked")
    others = "; ".join(one for one in said if error.wire() not in one)
    return type(error)(error.thing, error.reason, f"{error.hint}; {others}" if others else error.hint)


def _require(ask: MetricAsk) -> None:
    if bool(ask.query.strip()) == bool(ask.what):
        raise InvalidInputError(
            "query", "give either `query` or `what`", "what=memory, namespace=shop, name=web; show=questions"
        )
    if ask.what:
        targeted(ask.what, Target(ask.namespace, ask.kind, ask.name))
    elif ask.namespace or ask.kind or ask.name:
        raise InvalidInputError("name", "belongs to `what`", "put it into the query's labels")


def window_of(since: datetime, until: datetime, step_s: int) -> Window:
    """The window of a question. Raises InvalidInputError for an inverted one."""
    if since >= until:
        raise InvalidInputError("time", "the window ends before it begins", "give since before until")
    span_s = (until - since).total_seconds()
    step = step_s or nice_step(max(LEAST_STEP_S, span_s / POINTS))
    if span_s < step:
        since = until - timedelta(seconds=step)
    return Window.over(since, until, step)


def _in_words_of(backend: MetricsBackend, ask: MetricAsk) -> Asked:
    if not ask.what:
        return Asked(ask.query)
    return backend.asks(ask.what, Target(ask.namespace, ask.kind, ask.name))


async def _answered(backend: MetricsBackend, what: str, asked: Asked, window: Window) -> MetricAnswer:
    if asked.step_s > window.step_s:
        window = Window.over(window.since, window.until, asked.step_s)
    answer = whole_steps(what, await backend.range(asked.query, window))
    return replace(answer, unit=asked.unit or answer.unit)


def _report(ask: MetricAsk, answer: MetricAnswer, said: list[str]) -> MetricReport:
    lowest = bool(ask.what) and QUESTIONS[ask.what].low_is_worse
    rows = known(answer.series, lowest=lowest)
    window = rows[0].series.window
    warnings = [*said, *answer.warnings]
    common = shared_labels([one.series for one in rows])
    weekly = week(rows[0].series) if ask.by_hour_of_week else None
    if weekly is not None and window.span_s < TWO_WEEKS_S:
        warnings.append(f"the week stands on {window.span_s / 86_400:.1f} days only: since=-4w is better")
    evidence = (Evidence(source=answer.source, query=answer.query, says=_read(answer, window)),)
    room = size_bytes([one.model_dump() for one in evidence]) + size_bytes(warnings) - 300
    tables = drawn(rows, full=ask.full, room_bytes=max(0, room) + (WEEK_BYTES if weekly else 0))
    times = [window.times_s()[~np.isnan(one.series.values)] for one in rows]
    return MetricReport(
        summary=_said(ask, answer, rows, common, "lowest" if lowest else "largest")[:400],
        source=answer.source,
        unit=answer.unit,
        step_s=window.step_s,
        first_at=moment(min(float(one[0]) for one in times)),
        last_at=moment(max(float(one[-1]) for one in times)),
        total=len(rows),
        series=tables.statistics,
        points=tables.points,
        by_hour_of_week=weekly,
        evidence=evidence,
        warnings=tuple(warnings[:MOST_WARNINGS]),
        truncated=answer.truncated or tables.shown < len(rows),
        untrusted=("series", "points"),
    )


def _read(answer: MetricAnswer, window: Window) -> str:
    return (
        f"{moment(window.since.timestamp())} to {moment(window.until.timestamp())} every {window.step_s} s,"
        f" {answer.samples:,} samples read"
    )


def _said(ask: MetricAsk, answer: MetricAnswer, rows: list[Known], common: dict[str, str], order: str) -> str:
    what = ask.what or "query"
    where = "/".join(part for part in (ask.namespace, ask.name) if part)
    top = rows[0]
    labels = label_names([one.series for one in rows])
    name = f" {quotable(title(top.series, labels), 'the first row')}" if len(rows) > 1 else ""
    count = f"{len(rows)} series" if len(rows) > 1 else "1 series"
    numbers = top.numbers
    text = (
        f"{what}{f' of {where}' if where else ''}: {count}; {order if name else 'it'}{name}: mean"
        f" {human(numbers.mean, answer.unit)}, p95 {human(numbers.p95, answer.unit)},"
        f" max {human(numbers.high, answer.unit)}, last {human(numbers.last, answer.unit)},"
        f" slope {human(numbers.slope_h, answer.unit)} per hour"
    )
    missing = max(one.numbers.missing for one in rows)
    text += f"; up to {missing:.0%} missing" if missing >= 0.01 else ""
    shared = ", ".join(f"{name}={quotable(value)}" for name, value in common.items())
    return f"{text}. All: {shared}." if shared and not ask.what else f"{text}."


def _nothing(ask: MetricAsk, answer: MetricAnswer, said: list[str], hint: str) -> MetricReport:
    window = f"{ask.since} to {ask.until or 'now'}"
    return MetricReport(
        summary=f"No value of {ask.what or 'the query'} from {window}."[:400],
        source=answer.source,
        evidence=(Evidence(source=answer.source, query=answer.query, says="no series"),),
        warnings=(*said[:MOST_WARNINGS], *answer.warnings),
        hint=hint,
    )
