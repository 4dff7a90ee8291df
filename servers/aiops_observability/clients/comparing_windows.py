"""Two windows of one service: every measure asked in both at once, tested, and told worst first.

Called by the comparison tool through `ports.Comparisons`. What the backend does not have is left out;
one that fails is a warning; nothing at all is an error.
"""

from dataclasses import dataclass, field
from datetime import datetime
from math import isnan
from typing import Literal

import anyio
import numpy as np

from aiops_observability.analysis.comparing import Difference, Verdict, levels, overall, shares, verdict
from aiops_observability.analysis.exact import holm
from aiops_observability.analysis.robust import Array
from aiops_observability.clients.metric_backends import in_turn
from aiops_observability.models.comparisons import By, CompareAsk, WindowComparison
from aiops_observability.ports import Metrics
from aiops_shared.clock import Clock
from aiops_shared.errors import AiopsError, InsufficientDataError, InvalidInputError, QueryInvalidError
from aiops_shared.metrics.ports import MetricsBackend, Target
from aiops_shared.metrics.series import MetricAnswer, Series, Window
from aiops_shared.metrics.whole_steps import whole_steps
from aiops_shared.params import since_to_datetime
from aiops_shared.results import Cell, Evidence, Table
from aiops_shared.results.wording import quotable

STEPS, MOST_STEPS, LEAST_STEP_S, LEAST_SPAN_S = 48, 2000, 300, 1800
MOST_ROWS = 40
ORDER: tuple[Verdict, ...] = ("worse", "better", "more", "less", "unclear", "same")
BUSIER = 1.3


@dataclass(frozen=True, slots=True)
class Measure:
    """One thing that is compared: which question, told as what."""

    says: str
    question: str
    more_is: Literal["worse", "neutral"] = "worse"


# Beside them errors, which are tested as counts of requests. By split -> requests, errors, the others.
MEASURES: dict[By, tuple[str, str, tuple[Measure, ...]]] = {
    "": (
        "requests_total",
        "errors",
        (
            Measure("latency p50 s", "latency_p50"),
            Measure("latency p99 s", "latency_p99"),
            Measure("memory of limit", "memory_of_limit"),
            Measure("cpu of request", "cpu_of_request"),
        ),
    ),
    "route": ("requests", "errors_by_route", (Measure("latency p99 s", "latency_by_route"),)),
    "zone": ("requests_by_zone", "errors_by_zone", (Measure("latency p50 s", "latency_by_zone"),)),
    "version": (
        "requests_by_version",
        "errors_by_version",
        (Measure("latency p99 s", "latency_by_version"), Measure("memory bytes", "memory_by_version")),
    ),
}
OF_PODS = frozenset({"memory_of_limit", "cpu_of_request", "memory_by_version"})


@dataclass(slots=True)
class Gathered:
    """Every answer by question, one for each window."""

    answers: dict[str, list[MetricAnswer]] = field(default_factory=dict)
    warnings: dict[str, None] = field(default_factory=dict)
    errors: list[AiopsError] = field(default_factory=list)

    def series(self, question: str, window: int, by: str) -> dict[str, Series]:
        """By group; pods of one workload as their worst."""
        found = self.answers.get(question)
        return {} if found is None else {_group(one, by): one for one in found[window].series}


def _group(series: Series, by: str) -> str:
    return series.labels.get(by, "(none)") if by else ""


@dataclass(frozen=True, slots=True)
class Told:
    """One row: a measure of a group."""

    group: str
    says: str
    found: Difference
    more_is: Literal["worse", "neutral"]


@dataclass(frozen=True)
class WindowComparer:
    """Fulfils `ports.Comparisons`."""

    metrics: Metrics
    clock: Clock

    async def compare(self, ask: CompareAsk) -> WindowComparison:
        """What differs.

        Raises InvalidInputError for windows that are none, InsufficientDataError when neither window has a
        value, what the backend raises when every question failed.
        """
        now = await self.clock.now()
        first, second = _spans(ask, now)
        step_s = _step_s(_length(first), _length(second))
        windows = (Window.over(*first, step_s), Window.over(*second, step_s))

        async def read(backend: MetricsBackend) -> tuple[Gathered, list[Told]]:
            gathered = await _gather(backend, ask, windows)
            return gathered, _told(ask, gathered, step_s)

        heard = await in_turn(self.metrics, (ask.cluster, ask.source), read)
        gathered, rows = heard.answer
        gathered.warnings = dict.fromkeys(heard.said) | gathered.warnings
        return _answer(ask, windows, rows, gathered, heard.backend.name)


def _told(ask: CompareAsk, gathered: Gathered, step_s: int) -> list[Told]:
    """The rows of one backend. Raises what it raised where there is none, or InsufficientDataError."""
    rows = _rows(gathered, ask.by, step_s)
    if rows:
        return rows
    if gathered.errors:
        raise gathered.errors[0]
    raise InsufficientDataError(
        f"{ask.kind.lower()} {ask.name}",
        "neither window has a request, a duration or a pod's usage",
        "check the name with query_metrics(search=…), or give longer windows",
    )


def _spans(ask: CompareAsk, now: datetime) -> tuple[tuple[datetime, datetime], tuple[datetime, datetime]]:
    first, second = _span("a", ask.a, now), _span("b", ask.b, now)
    if first[1] > second[0] and second[1] > first[0]:
        raise InvalidInputError("windows", "a and b overlap", "end a before b begins")
    return first, second


def _span(which: str, text: str, now: datetime) -> tuple[datetime, datetime]:
    since, slash, until = text.partition("/")
    if not slash:
        raise InvalidInputError(which, "is no window", "give FROM/TO, as -3h/-1h")
    ends = (since_to_datetime(since, now), now if until in {"", "now"} else since_to_datetime(until, now))
    if (ends[1] - ends[0]).total_seconds() < LEAST_SPAN_S:
        raise InvalidInputError(which, "is shorter than half an hour, or ends before it begins", "widen it")
    return ends


def _step_s(first_s: float, second_s: float) -> int:
    """So that the shorter window has enough samples, and the longer not too many."""
    wanted = max(min(first_s, second_s) / STEPS, max(first_s, second_s) / MOST_STEPS)
    return max(LEAST_STEP_S, round(wanted / 60) * 60)


def _length(span: tuple[datetime, datetime]) -> float:
    return (span[1] - span[0]).total_seconds()


async def _gather(backend: MetricsBackend, ask: CompareAsk, windows: tuple[Window, Window]) -> Gathered:
    requests, errors, others = MEASURES[ask.by]
    found = Gathered()

    async def one(question: str) -> None:
        try:
            asked = backend.asks(question, _target(ask, question))
            answers = [await backend.range(asked.query, window) for window in windows]
            found.answers[question] = [whole_steps(question, answer) for answer in answers]
            for answer in found.answers[question]:
                found.warnings |= dict.fromkeys(answer.warnings)
        except QueryInvalidError:
            found.warnings[f"{question}: {backend.name} has no data for it"] = None
        except InvalidInputError:
            return  # a question that is not about this kind
        except AiopsError as error:
            found.errors.append(error)
            found.warnings[f"{question}: {error}"] = None

    async with anyio.create_task_group() as tasks:
        for question in (requests, errors, *(each.question for each in others)):
            tasks.start_soon(one, question)
    return found


def _target(ask: CompareAsk, question: str) -> Target:
    """A Service's pods are those of the workload of its name, as far as is known here."""
    kind = "Deployment" if question in OF_PODS and ask.kind == "Service" else ask.kind
    return Target(ask.namespace, kind, ask.name)


def _rows(gathered: Gathered, by: By, step_s: int) -> list[Told]:
    requests, errors, others = MEASURES[by]
    rates = [gathered.series(requests, window, by) for window in (0, 1)]
    failed = [gathered.series(errors, window, by) for window in (0, 1)]
    rows = []
    for group in dict.fromkeys((*rates[0], *rates[1])):
        calls = [_values(rates[window].get(group)) for window in (0, 1)]
        rows.append(Told(group, "requests /s", levels(*calls), "neutral"))
        bad = [_values(failed[window].get(group)) for window in (0, 1)]
        if bad[0].size and bad[1].size:
            counts = [calls[window] * step_s for window in (0, 1)]
            both = shares(bad[0] * counts[0], counts[0], bad[1] * counts[1], counts[1])
            rows.append(Told(group, "errors", both, "worse"))
    for measure in others:
        rows += _gauges(gathered, measure, by)
    return [one for one in rows if not (isnan(one.found.before) and isnan(one.found.after))]


def _gauges(gathered: Gathered, measure: Measure, by: By) -> list[Told]:
    """A gauge by group; without a split the worst of its series at each moment (pods of a workload)."""
    if not by:
        both = [_worst(gathered, measure.question, window) for window in (0, 1)]
        return (
            [Told("", measure.says, levels(*both), measure.more_is)] if both[0].size or both[1].size else []
        )
    found = [gathered.series(measure.question, window, by) for window in (0, 1)]
    groups = dict.fromkeys((*found[0], *found[1]))
    return [
        Told(
            group,
            measure.says,
            levels(_values(found[0].get(group)), _values(found[1].get(group))),
            measure.more_is,
        )
        for group in groups
    ]


def _values(series: Series | None) -> Array:
    return series.values if series is not None else np.array([])


def _worst(gathered: Gathered, question: str, window: int) -> Array:
    answers = gathered.answers.get(question)
    rows = [one.values for one in answers[window].series] if answers else []
    return np.fmax.reduce(rows) if rows else np.array([])


def _answer(
    ask: CompareAsk, windows: tuple[Window, Window], rows: list[Told], gathered: Gathered, source: str
) -> WindowComparison:
    known = [row.found.p_value for row in rows if not isnan(row.found.p_value)]
    corrected = iter(holm(known))
    judged: list[tuple[Verdict, float, Told]] = []
    for row in rows:
        p_value = row.found.p_value if isnan(row.found.p_value) else next(corrected)
        judged.append((verdict(row.found, p_value, more_is=row.more_is), p_value, row))
    judged.sort(key=lambda one: (ORDER.index(one[0]), one[1] if not isnan(one[1]) else 2.0))
    total = overall([one[0] for one in judged])
    ratio = _traffic(rows)
    warnings = [*gathered.warnings]
    if ratio and ratio >= BUSIER and any(one[0] == "worse" for one in judged):
        warnings.append(f"traffic is {ratio:.1f} x: what is worse may be load, not the change")
    return WindowComparison(
        summary=_said(ask, total, judged, ratio)[:400],
        verdict=total,
        windows=f"a {_shown(windows[0])}, b {_shown(windows[1])}, step {windows[0].step_s} s",
        differences=_table(judged),
        traffic_ratio=round(ratio, 2) if ratio else None,
        evidence=tuple(
            Evidence(source=source, query=answers[0].query) for answers in gathered.answers.values()
        )[:6],
        warnings=tuple(warnings),
        truncated=len(judged) > MOST_ROWS,
        untrusted=("differences",),
    )


def _traffic(rows: list[Told]) -> float | None:
    calls = [row.found for row in rows if row.says == "requests /s"]
    before = sum(one.before for one in calls if not isnan(one.before))
    after = sum(one.after for one in calls if not isnan(one.after))
    return after / before if before else None


def _shown(window: Window) -> str:
    return f"{window.since:%Y-%m-%dT%H:%MZ} to {window.until:%m-%dT%H:%MZ}"


def _number(value: float) -> float | None:
    return None if isnan(value) else float(f"{value:.3g}")


def _table(judged: list[tuple[Verdict, float, Told]]) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for word, p_value, row in judged[:MOST_ROWS]:
        found = row.found
        change = None if isnan(found.ratio) else f"{found.ratio - 1:+.0%}"
        numbers = (_number(found.before), _number(found.after), change)
        rows.append((row.group, row.says, *numbers, _number(p_value), word, found.method))
    columns = ("group", "measure", "a", "b", "change", "p", "verdict", "method")
    return Table(columns=columns, rows=tuple(rows))


def _said(
    ask: CompareAsk, total: Verdict, judged: list[tuple[Verdict, float, Told]], ratio: float | None
) -> str:
    parts = [
        f"{row.says}{f' of {quotable(row.group)}' if row.group else ''} {_number(row.found.before)} to"
        f" {_number(row.found.after)}"
        for word, _, row in judged
        if word in {"worse", "better"}
    ][:3]
    told = "; ".join(parts) or "no measure differs by a tenth beyond chance"
    traffic = f" Traffic {ratio:.2f} x." if ratio else ""
    return f"{ask.kind} {ask.name}: b is {total} than a: {told}.{traffic}".replace("is same than", "is as")
