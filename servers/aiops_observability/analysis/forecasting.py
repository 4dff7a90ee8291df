"""Forecasts of an hourly series: a robust profile of the week, chosen by back-test, with honest intervals.

Called by `clients/forecast_reading.py`. On weekly horizons the profile matches or beats MSTL, Theta, ETS,
Holt-Winters and Prophet, and unlike Prophet it keeps a surge of one hour (facts of the spec, section 3).
Intervals come from what the same model got wrong in the last weeks (split conformal prediction: Vovk,
Gammerman, Shafer, Algorithmic Learning in a Random World, 2005; widened by the worst of the recent weeks as
adaptive conformal inference does: Gibbs and Candès, 2021), not from an assumed distribution. Pure.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from aiops_observability.analysis.robust import Array, Rows, filled, spread

DAY, WEEK = 24, 168
HOUR_S = 3600.0
LEAST_HOURS = 14 * DAY  # two whole weeks (decision D33)
ORIGINS = 4  # weekly back-tests
ODD_WEEK = 2.0  # times the usual width
LONE_HOUR, LONE_ROOM = 4.0, 1.25  # an hour so many spreads over both neighbours gets so much more room
STEP_GAIN, STEP_DAYS = 0.55, 3  # a step leaves so much of a line's error, and has lasted so many days
CLEARLY_BETTER = 0.93  # a simpler model replaces the profile when its error is so much smaller
LEVELS = (0.80, 0.95)


@dataclass(frozen=True, slots=True)
class Hourly:
    """Hourly means; `first_s` is the Unix second of the first hour's beginning. NaN: nothing measured."""

    first_s: float
    values: Array = field(repr=False)

    @property
    def phase(self) -> int:
        """Hour of the week of the first value (the week of Unix time begins on a Thursday)."""
        return int(self.first_s // HOUR_S) % WEEK

    def until(self, hours: int) -> "Hourly":
        """Its beginning, so many hours."""
        return Hourly(self.first_s, self.values[:hours])


@dataclass(frozen=True, slots=True)
class Score:
    """How one model did in the back-test: errors of the mean, shares of values inside the intervals."""

    model: str
    mape: float
    mae: float
    covered: Mapping[float, float] = field(default_factory=dict)
    origins: int = 0


@dataclass(frozen=True, slots=True)
class Forecast:
    """The hours to come: mean and, by level, lower and upper bounds."""

    first_s: float
    mean: Array = field(repr=False)
    bounds: Mapping[float, tuple[Array, Array]] = field(repr=False)
    model: str = ""
    scores: tuple[Score, ...] = ()
    growth_per_week: float = 0.0
    level_moved: bool = False

    def moment_s(self, hour: int) -> float:
        """When an hour of it begins."""
        return self.first_s + hour * HOUR_S


def hourly(times_s: Array, values: Array) -> Hourly:
    """Means of whole hours. Hours with less than half of their usual samples count as not measured."""
    hours = (times_s // HOUR_S).astype(np.int64)
    first, last = int(hours[0]), int(hours[-1])
    seen = ~np.isnan(values)
    counts = np.bincount(hours[seen] - first, minlength=last - first + 1)
    sums = np.bincount(hours[seen] - first, weights=values[seen], minlength=last - first + 1)
    usual = float(np.median(np.bincount(hours - first)))
    with np.errstate(invalid="ignore", divide="ignore"):
        means = np.where(counts >= max(1.0, 0.5 * usual), sums / counts, np.nan)
    return Hourly(first * HOUR_S, means)


# models: the past -> the next hours, on the scale they are given


def _profile(values: Array, phase: int, weeks: int = 8) -> Array:
    """The median of each hour of the week over the last weeks; hours never seen take their hour of day."""
    tail = values[-weeks * WEEK :]
    start = phase + values.size - tail.size
    grid = np.full((-(-tail.size // WEEK) + 1, WEEK), np.nan)
    at = start % WEEK + np.arange(tail.size)
    grid[at // WEEK, at % WEEK] = tail
    seen = np.any(~np.isnan(grid), axis=0)
    found = np.full(WEEK, np.nan)
    found[seen] = np.nanmedian(grid[:, seen], axis=0)
    if not seen.all():
        of_day = np.array([_median(found[hour::DAY]) for hour in range(DAY)])
        found = np.where(np.isnan(found), np.resize(of_day, WEEK), found)
    return np.where(np.isnan(found), _median(tail), found)


def _median(values: Array) -> float:
    seen = values[~np.isnan(values)]
    return float(np.median(seen)) if seen.size else 0.0


def _growth(values: Array, phase: int) -> float:
    """Change a week: the median of same-hour differences over one week, when the weeks agree on it.

    With two weeks there is one difference only, and no way to tell growth from a step: none is assumed.
    """
    weeks = values.size // WEEK
    if weeks < 3:
        return 0.0
    steps = []
    for back in range(min(weeks, 8) - 1):
        new = values[values.size - (back + 1) * WEEK : values.size - back * WEEK]
        old = values[values.size - (back + 2) * WEEK : values.size - (back + 1) * WEEK]
        steps.append(_median(new - old))
    told = np.array(steps)
    middle = float(np.median(told))
    agree = np.mean(np.sign(told) == np.sign(middle))
    noise = spread(told) / np.sqrt(told.size)
    return middle if agree > 0.6 and abs(middle) > noise else 0.0


def hour_of_week(values: Array, phase: int, horizon: int) -> Array:
    """The robust profile of the week, with growth and the level of the last days."""
    values = _on_one_level(values, phase)
    growth = _growth(values, phase)
    ahead = np.arange(values.size) - (values.size - 1)
    flat = values - growth * ahead / WEEK
    profile = _profile(flat, phase)
    hours = (phase + np.arange(values.size + horizon)) % WEEK
    rest = flat - profile[hours[: values.size]]
    week, day = _median(rest[-WEEK:]), _median(rest[-DAY:])
    level = day if _moved(rest) else 0.5 * week
    future = growth * (1 + np.arange(horizon)) / WEEK
    return np.asarray(profile[hours[values.size :]] + level + future)


def _on_one_level(values: Array, phase: int) -> Array:
    """What was before a lasting step, lifted to where the series stands since: a launch changes every hour.

    A step is taken for one when it explains the days far better than a straight line does, and has lasted.
    """
    hours = (phase + np.arange(values.size)) % WEEK
    days = _daily_medians(values - _profile(values, phase)[hours])
    skipped = values.size % DAY
    best, gain = 0, STEP_GAIN
    line = np.polyval(np.polyfit(np.arange(days.size), days, 1), np.arange(days.size))
    straight = float(np.sum(np.abs(days - line)))
    for at in range(STEP_DAYS, days.size - STEP_DAYS + 1):
        before, after = np.median(days[:at]), np.median(days[at:])
        left = float(np.sum(np.abs(days[:at] - before)) + np.sum(np.abs(days[at:] - after)))
        if left < gain * straight:
            best, gain = at, left / max(straight, 1e-12)
    if not best:
        return values
    found = values.copy()
    found[: skipped + best * DAY] += np.median(days[best:]) - np.median(days[:best])
    return found


def _moved(rest: Array) -> bool:
    """Whether the last day stands off the last week's level by more than days usually do."""
    return abs(_median(rest[-DAY:]) - _median(rest[-WEEK:])) > 3.0 * max(spread(_daily_medians(rest)), 1e-12)


def _daily_medians(values: Array) -> Array:
    whole = values[values.size % DAY :].reshape(-1, DAY)
    return np.array([_median(row) for row in whole])


def hour_of_day(values: Array, phase: int, horizon: int) -> Array:
    """The median of each hour over the last week: for services whose days are alike."""
    del phase
    tail = values[-WEEK:]
    whole = tail[tail.size % DAY :].reshape(-1, DAY)
    profile = np.array([_median(whole[:, hour]) for hour in range(DAY)])
    return np.resize(np.where(np.isnan(profile), _median(tail), profile), horizon)


def seasonal_naive(values: Array, phase: int, horizon: int) -> Array:
    """The last week again: the baseline that every model must beat."""
    del phase
    return np.resize(filled(values[-WEEK:]), horizon)


Model = Callable[[Array, int, int], Array]
MODELS: Mapping[str, Model] = {
    "hour-of-week": hour_of_week,
    "seasonal-naive": seasonal_naive,
    "hour-of-day": hour_of_day,
}


# the whole


def forecast(series: Hourly, horizon: int, levels: Sequence[float] = LEVELS) -> Forecast:
    """The next `horizon` hours. Raises ValueError for less than two weeks of hours (`LEAST_HOURS`)."""
    if series.values.size < LEAST_HOURS or np.count_nonzero(~np.isnan(series.values)) < LEAST_HOURS * 0.8:
        raise ValueError("two whole weeks of hourly values are needed")
    scale = _Scale.of(series.values)
    values = _on_one_level(scale.to(series.values), series.phase)
    trials = {name: _backtests(values, series.phase, model, horizon) for name, model in MODELS.items()}
    chosen = _chosen(trials, scale)
    mean = MODELS[chosen](values, series.phase, horizon)
    local = _local_spread(values, series.phase)
    usual = _left_out(values, series.phase)
    hours = (series.phase + values.size + np.arange(horizon)) % WEEK
    bounds = {}
    for level in levels:
        half = _half_width(trials[chosen], level, local, usual) * local[hours]
        bounds[level] = (scale.back(mean - half), scale.back(mean + half))
    growth = _growth(values, series.phase)
    so_far = (series.phase + np.arange(values.size)) % WEEK
    return Forecast(
        series.first_s + values.size * HOUR_S,
        scale.back(mean),
        bounds,
        chosen,
        tuple(_score(name, trial, scale, levels, local) for name, trial in trials.items()),
        float(np.expm1(growth)) if scale.log else growth / max(abs(_median(values)), 1e-12),
        _moved(values - _profile(values, series.phase)[so_far]),
    )


@dataclass(frozen=True, slots=True)
class _Scale:
    """Logarithms where everything is positive: noise of traffic grows with traffic."""

    log: bool
    floor: float = 0.0

    @classmethod
    def of(cls, values: Array) -> "_Scale":
        seen = values[~np.isnan(values)]
        low, middle = float(np.min(seen)), float(np.median(seen))
        positive = low > 0 and low > 0.001 * middle
        return cls(positive)

    def to(self, values: Array) -> Array:
        return np.log(values) if self.log else values

    def back(self, values: Array) -> Array:
        return np.asarray(np.exp(values) if self.log else values)


@dataclass(frozen=True, slots=True)
class _Trial:
    """One weekly back-test: what came, what was said, at which hours of the week."""

    came: Array
    said: Array
    hours: Rows


def _backtests(values: Array, phase: int, model: Model, horizon: int) -> list[_Trial]:
    """The model as it would have spoken one to four weeks ago, each for at most a week."""
    span = min(horizon, WEEK)
    found = []
    for back in range(1, ORIGINS + 1):
        origin = values.size - back * WEEK
        if origin < (2 * WEEK if back > 1 else WEEK):
            break
        said = model(values[:origin], phase, WEEK)[:span]
        came = values[origin : origin + span]
        found.append(_Trial(came, said[: came.size], (phase + origin + np.arange(came.size)) % WEEK))
    return found


def _error(trials: list[_Trial], scale: _Scale) -> float:
    gaps = [np.abs(scale.back(one.came) - scale.back(one.said)) for one in trials]
    return float(np.nanmean(np.concatenate(gaps))) if gaps else np.inf


def _chosen(trials: Mapping[str, list[_Trial]], scale: _Scale) -> str:
    best = "hour-of-week"
    for name in MODELS:
        if _error(trials[name], scale) < CLEARLY_BETTER * _error(trials[best], scale):
            best = name
    return best


def _local_spread(values: Array, phase: int) -> Array:
    """How far each hour of the week usually strays from its profile, shrunk towards all hours' spread.

    An hour that stands far above its neighbours rests on its own few weeks alone, so it gets more room.
    """
    profile = _profile(values, phase)
    rest = values - profile[(phase + np.arange(values.size)) % WEEK]
    whole = max(spread(rest), 1e-9)
    weeks = np.full((-(-(phase + rest.size) // WEEK), WEEK), np.nan)
    weeks.reshape(-1)[phase : phase + rest.size] = np.abs(rest)
    near = np.concatenate([np.roll(weeks, 1, axis=1), weeks, np.roll(weeks, -1, axis=1)])
    own = np.where(np.all(np.isnan(near), axis=0), whole, 1.4826 * _medians(near))
    found = np.sqrt(0.6 * whole**2 + 0.4 * np.minimum(own, 4 * whole) ** 2)
    above = np.minimum(profile - np.roll(profile, 1), profile - np.roll(profile, -1))
    return np.asarray(np.where(above > LONE_HOUR * whole, LONE_ROOM * found, found))


def _medians(rows: Array) -> Array:
    """The median of each column, NaN left out; 0 for a column without values."""
    seen = ~np.all(np.isnan(rows), axis=0)
    found = np.zeros(rows.shape[1])
    found[seen] = np.nanmedian(rows[:, seen], axis=0)
    return found


def _left_out(values: Array, phase: int) -> list[_Trial]:
    """Each of the last weeks against the profile of the others: what a usual week's errors are."""
    hours = (phase + np.arange(values.size)) % WEEK
    found = []
    for back in range(min(values.size // WEEK, ORIGINS)):
        week = slice(values.size - (back + 1) * WEEK, values.size - back * WEEK)
        others = values.copy()
        others[week] = np.nan
        found.append(_Trial(values[week], _profile(others, phase)[hours[week]], hours[week]))
    return found


def _half_width(trials: list[_Trial], level: float, local: Array, usual: list[_Trial]) -> float:
    """In units of the local spread: the conformal quantile over the back-tests, widened by the worst week.

    A week far worse than weeks usually are (a holiday, an outage) is left out while another one is there.
    """
    weeks, normal = _scaled(trials, local), _scaled(usual, local)
    if not weeks:
        return 3.0
    ordinary = float(np.median([_conformal(one, level) for one in normal])) if normal else np.inf
    kept = [one for one in weeks if _conformal(one, level) <= ODD_WEEK * ordinary] or weeks
    pooled = _conformal(np.concatenate(kept), level)
    worst = max(_conformal(one, level) for one in kept)
    return 0.5 * (pooled + worst) if len(kept) > 1 else 1.15 * pooled


def _scaled(trials: list[_Trial], local: Array) -> list[Array]:
    errors = [np.abs(one.came - one.said) / local[one.hours] for one in trials]
    return [one[~np.isnan(one)] for one in errors if np.any(~np.isnan(one))]


def _conformal(errors: Array, level: float) -> float:
    """The (n + 1) · level / n quantile of the errors."""
    share = min(1.0, level * (errors.size + 1) / errors.size)
    return float(np.quantile(errors, share))


def _score(name: str, trials: list[_Trial], scale: _Scale, levels: Sequence[float], local: Array) -> Score:
    """What the back-tests say of a model; each week's coverage with the width that the others give."""
    if not trials:
        return Score(name, np.nan, np.nan)
    came = np.concatenate([scale.back(one.came) for one in trials])
    said = np.concatenate([scale.back(one.said) for one in trials])
    gap = np.abs(came - said)
    with np.errstate(invalid="ignore", divide="ignore"):
        shares = np.where(np.abs(came) > 1e-9, gap / np.abs(came), np.nan)
    covered = {}
    for level in levels:
        inside = []
        for at, one in enumerate(trials):
            others = [each for number, each in enumerate(trials) if number != at] or trials
            half = _half_width(others, level, local, []) * local[one.hours]
            inside.append(np.abs(one.came - one.said)[~np.isnan(one.came)] <= half[~np.isnan(one.came)])
        covered[level] = float(np.mean(np.concatenate(inside)))
    return Score(name, float(np.nanmean(shares)), float(np.nanmean(gap)), covered, len(trials))
