"""Forecasts: reads the last weeks, forecasts them, sizes for the peak, and says how far to trust it.

Called by the forecast tool through `ports.Forecasts`. The arithmetic of replicas is decision D33's.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import ceil

import numpy as np

from aiops_observability.analysis.forecasting import (
    DAY,
    HOUR_S,
    LEAST_HOURS,
    WEEK,
    Forecast,
    Hourly,
    forecast,
    hourly,
)
from aiops_observability.analysis.surges import Surge, next_surge
from aiops_observability.clients.history import Wanted, as_one, end_of, past
from aiops_observability.models.forecasts import ForecastAsk, MetricForecast, Peak, Sizing
from aiops_observability.ports import Metrics
from aiops_shared.app.pictures import attach
from aiops_shared.app.views import asked_to_show, show
from aiops_shared.clock import Clock
from aiops_shared.errors import InsufficientDataError
from aiops_shared.metrics.ports import Target
from aiops_shared.results import Cell, Evidence, Table

SPAN, STEP_S = timedelta(weeks=5), 300
HEADROOM = 1.2  # decision D33
LEAD = timedelta(minutes=30)
WELL_COVERED = 0.85
LEVELS = (0.80, 0.95)
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


@dataclass(frozen=True)
class ForecastReader:
    """Fulfils `ports.Forecasts`."""

    metrics: Metrics
    clock: Clock

    async def forecast(self, ask: ForecastAsk) -> MetricForecast:
        """The hours to come. Raises InsufficientDataError for less than two whole weeks."""
        wanted = Wanted(
            ask.cluster, ask.source, ask.query, ask.what, Target(ask.namespace, ask.kind, ask.name)
        )
        end = await end_of(ask.until, self.clock)
        answer = await past(self.metrics, wanted, end, SPAN, STEP_S)
        values, how = as_one(answer)
        series = _whole_hours(answer.series[0].window.times_s(), values, end)
        _require(wanted, series)
        found = forecast(series, ask.horizon_h, LEVELS)
        surge = next_surge(found, _last(series))
        warnings = [*answer.warnings, *([f"{how}: as one"] if how else []), *_doubts(found, series)]
        sizing = _sizing(found, surge, ask.capacity_per_pod, series) if ask.capacity_per_pod else None
        if asked_to_show():
            from aiops_observability.charts.page_data import forecast_page

            show(forecast_page(wanted.said, answer.unit, series, found))
        if ask.chart:
            warnings += _drawn(wanted, series, found, answer.unit)
        return MetricForecast(
            summary=_said(wanted, found, surge, sizing, answer.unit)[:400],
            unit=answer.unit,
            model=found.model,
            history=_history(series),
            next_peak=_peak(found, surge),
            forecast=_by_hour(found) if ask.full else _by_day(found),
            backtest=_backtest(found),
            sizing=sizing,
            would_change=(
                "a holiday, a launch or a campaign that the last weeks did not have; forecast again daily"
            ),
            evidence=(Evidence(source=answer.source, query=answer.query, says=_history(series)),),
            warnings=tuple(warnings),
        )


def _whole_hours(times_s: np.ndarray, values: np.ndarray, end: datetime) -> Hourly:
    """Hourly means up to the last whole hour, without the unmeasured hours before the first value."""
    begins_s = times_s - STEP_S  # a rate is of the step that ends at its moment (questions.py)
    inside = begins_s < end.timestamp() // HOUR_S * HOUR_S
    found = hourly(begins_s[inside], values[inside])
    seen = np.flatnonzero(~np.isnan(found.values))
    first = int(seen[0]) if seen.size else 0
    return Hourly(found.first_s + first * HOUR_S, found.values[first:])


def _require(wanted: Wanted, series: Hourly) -> None:
    seen = int(np.count_nonzero(~np.isnan(series.values)))
    if series.values.size < LEAST_HOURS or seen < 0.8 * LEAST_HOURS:
        raise InsufficientDataError(
            f"forecast of {wanted.said}",
            f"insufficient data: {series.values.size / DAY:.1f} days of history with {seen} measured hours",
            "needs >= 2 full weeks: wait, or ask a source that keeps more",
        )


def _doubts(found: Forecast, series: Hourly) -> list[str]:
    said = []
    missing = float(np.mean(np.isnan(series.values)))
    if missing > 0.02:
        said.append(f"{missing:.0%} of the hours were not measured")
    if series.values.size < 3 * WEEK:
        said.append("fewer than three weeks: growth cannot be told, and one odd week weighs half")
    if found.level_moved:
        said.append("the last day stands off the week before: a step, or an odd day; the forecast follows it")
    best = next(one for one in found.scores if one.model == found.model)
    if best.covered and best.covered[0.95] < WELL_COVERED:
        said.append(f"in past weeks the 95 % interval held {best.covered[0.95]:.0%} only: trust it less")
    return said


def _last(series: Hourly) -> float | None:
    """The last whole hour, when it was measured."""
    value = float(series.values[-1])
    return None if np.isnan(value) else value


def _at(found: Forecast, hour: int) -> datetime:
    return datetime.fromtimestamp(found.moment_s(hour), UTC)


def _stamp(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%MZ")


def _peak(found: Forecast, surge: Surge) -> Peak:
    low, high = found.bounds[0.95]
    return Peak(
        at=_stamp(_at(found, surge.hour)),
        value=_round(surge.value),
        low95=_round(low[surge.hour]),
        high95=_round(high[surge.hour]),
        ratio_to_before=round(surge.to_before, 2),
        ratio_to_usual=round(surge.to_usual, 2),
        begins_at=_stamp(_at(found, surge.begins)),
        ends_at=_stamp(_at(found, surge.ends)),
    )


def _sizing(found: Forecast, surge: Surge, per_pod: float, series: Hourly) -> Sizing:
    """ceil(1.2 x upper95 / per pod), and what that plan would have meant for the last week."""
    upper = float(found.bounds[0.95][1][surge.hour])
    replicas = max(1, ceil(HEADROOM * upper / per_pod))
    last = series.values[-WEEK:]
    past_week = forecast(series.until(series.values.size - WEEK), WEEK, LEVELS) if _twice(series) else None
    bound = past_week.bounds[0.95][1] if past_week else found.bounds[0.95][1][: last.size]
    planned = np.ceil(HEADROOM * bound / per_pod) * per_pod
    seen = ~np.isnan(last)
    return Sizing(
        replicas=replicas,
        arithmetic=f"ceil({HEADROOM:g} x {_round(upper):g} / {per_pod:g}) = {replicas}",
        ready_by=_stamp(_at(found, surge.begins) - LEAD),
        until=_stamp(_at(found, surge.ends)),
        short_hours=round(float(np.mean(last[seen] > planned[: last.size][seen])), 4),
        spare=round(1 - float(np.sum(last[seen]) / np.sum(planned[: last.size][seen])), 3),
    )


def _twice(series: Hourly) -> bool:
    return series.values.size - WEEK >= LEAST_HOURS


def _round(value: float) -> float:
    return float(f"{value:.4g}")


def _by_day(found: Forecast) -> Table:
    """One row a day: mean, the highest hour with its interval."""
    rows: list[tuple[Cell, ...]] = []
    low, high = found.bounds[0.95]
    days = np.array([_at(found, hour).toordinal() for hour in range(found.mean.size)])
    for day in dict.fromkeys(days.tolist()):
        hours = np.flatnonzero(days == day)
        top = int(hours[np.argmax(found.mean[hours])])
        at = _at(found, top)
        mean = _round(float(np.mean(found.mean[hours])))
        bounds = (_round(float(low[top])), _round(float(high[top])))
        rows.append(
            (f"{DAYS[at.weekday()]} {at:%m-%d}", mean, f"{at:%H:%M}", _round(found.mean[top]), *bounds)
        )
    return Table(columns=("day", "mean", "top hour", "value", "low95", "high95"), rows=tuple(rows))


def _by_hour(found: Forecast) -> Table:
    bounds = [found.bounds[level][side] for level in LEVELS for side in (0, 1)]
    rows: list[tuple[Cell, ...]] = []
    for hour in range(found.mean.size):
        told = [_round(float(one[hour])) for one in (found.mean, *bounds)]
        rows.append((f"{_at(found, hour):%m-%dT%H}", *told))
    return Table(columns=("hour", "value", "low80", "high80", "low95", "high95"), rows=tuple(rows))


def _backtest(found: Forecast) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for one in found.scores:
        held = [round(100 * one.covered[level]) if one.covered else None for level in LEVELS]
        rows.append((one.model, None if np.isnan(one.mape) else round(100 * one.mape, 1), *held, one.origins))
    return Table(columns=("model", "MAPE %", "in 80 %", "in 95 %", "weeks"), rows=tuple(rows))


def _history(series: Hourly) -> str:
    seen = int(np.count_nonzero(~np.isnan(series.values)))
    first = datetime.fromtimestamp(series.first_s, UTC)
    gap = float(np.mean(np.isnan(series.values)))
    return f"{series.values.size / DAY:.1f} days from {first:%Y-%m-%d %H:%M}, {seen} hours, {gap:.1%} missing"


def _said(wanted: Wanted, found: Forecast, surge: Surge, sizing: Sizing | None, unit: str) -> str:
    at = _at(found, surge.hour)
    best = next(one for one in found.scores if one.model == found.model)
    low, high = found.bounds[0.95]
    text = (
        f"{wanted.said}: next peak {DAYS[at.weekday()]} {at:%Y-%m-%d %H:%M} UTC at"
        f" {_round(surge.value):g} {unit} (95 %: {_round(low[surge.hour]):g} to"
        f" {_round(high[surge.hour]):g}), {surge.to_before:.1f} x the hour before."
        f" Model {found.model}, MAPE {best.mape:.1%} over {best.origins} past weeks."
    )
    if sizing:
        text += f" Replicas: {sizing.arithmetic}, ready by {sizing.ready_by}."
    return text


def _drawn(wanted: Wanted, series: Hourly, found: Forecast, unit: str) -> list[str]:
    from aiops_observability.charts.drawing import draw_forecast

    png = draw_forecast(wanted.said, unit, series, found)
    return [] if attach(png) else ["the chart is too large to send"]
