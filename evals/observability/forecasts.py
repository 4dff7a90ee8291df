"""How good forecasts are: error, coverage on every set, the surge hour, and what autoscalers make of it.

Series come from a generator of this module alone, with a truth for the week after. Baseline: last week again.
"""

from collections.abc import Callable
from dataclasses import dataclass
from time import process_time

import numpy as np
import numpy.typing as npt

from aiops_observability.analysis.forecasting import HOUR_S, WEEK, Hourly, forecast, seasonal_naive
from evals.figures import Row

Array = npt.NDArray[np.float64]
WEEKS, LEVEL = 4, 0.90
SERIES, SURGES = 30, 120  # one hour of each series is judged for a surge: a share needs more of them
FIRST_S = 4 * 86_400.0 + 2_900 * 604_800.0  # a Monday
SURGE = 9
HEADROOM, PER_POD = 1.2, 0.05  # of the surge


@dataclass(frozen=True, slots=True)
class Set:
    """One kind of traffic, and what it is there for."""

    name: str
    make: Callable[[np.random.Generator], Array]


def _week(rng: np.random.Generator, weeks: int) -> Array:
    """Business hours, evenings and weekends around 100, each service its own."""
    t = np.arange(weeks * WEEK)
    hour, day = t % 24, t // 24 % 7
    day_part = 1 + rng.uniform(0.4, 1.2) * np.exp(
        -0.5 * ((hour - rng.uniform(11, 15)) / rng.uniform(2.5, 4)) ** 2
    )
    day_part += rng.uniform(0, 0.6) * np.exp(-0.5 * ((hour - rng.uniform(19, 21)) / 1.5) ** 2)
    return np.asarray(100 * day_part * np.where(day >= 5, rng.uniform(0.4, 0.9), 1.0))


def _noisy(rng: np.random.Generator, values: Array, sigma: float, memory: float) -> Array:
    shocks = rng.normal(0, sigma * np.sqrt(1 - memory**2), values.size)
    rest = np.empty(values.size)
    last = 0.0
    for at, shock in enumerate(shocks.tolist()):
        last = memory * last + shock
        rest[at] = last
    return values * np.exp(rest)


def _plain(rng: np.random.Generator) -> Array:
    return _noisy(rng, _week(rng, WEEKS + 1), rng.uniform(0.03, 0.12), rng.uniform(0, 0.7))


def _surge(rng: np.random.Generator) -> Array:
    values = _week(rng, WEEKS + 1)
    values[np.arange(WEEKS + 1) * WEEK + SURGE] *= rng.uniform(2.0, 3.0)
    return _noisy(rng, values, rng.uniform(0.02, 0.08), rng.uniform(0, 0.5))


def _growing(rng: np.random.Generator) -> Array:
    weeks = np.arange((WEEKS + 1) * WEEK) / WEEK
    return _noisy(rng, _week(rng, WEEKS + 1) * rng.uniform(0.95, 1.06) ** weeks, rng.uniform(0.03, 0.1), 0.3)


def _holiday(rng: np.random.Generator) -> Array:
    values, day = _week(rng, WEEKS + 1), int(rng.integers(7, (WEEKS - 1) * 7))
    values[day * 24 : day * 24 + 24] *= rng.uniform(0.3, 0.6)
    cut = int(rng.integers(WEEK, WEEKS * WEEK - 12))
    values = _noisy(rng, values, rng.uniform(0.03, 0.1), 0.3)
    values[cut : cut + int(rng.integers(2, 10))] *= 0.1  # an outage
    return values


def _launch(rng: np.random.Generator) -> Array:
    values = _noisy(rng, _week(rng, WEEKS + 1), rng.uniform(0.03, 0.1), 0.3)
    values[int(rng.integers(2 * WEEK, WEEKS * WEEK - 72)) :] *= rng.uniform(1.3, 1.8)
    return values


def _spikes(rng: np.random.Generator) -> Array:
    values = _noisy(rng, _week(rng, WEEKS + 1), rng.uniform(0.03, 0.1), 0.3)
    return np.where(rng.random(values.size) < 0.02, values * rng.uniform(1.5, 3, values.size), values)


def _daily(rng: np.random.Generator) -> Array:
    hour = np.arange((WEEKS + 1) * WEEK) % 24
    shape = 100 * (1 + rng.uniform(0.3, 1) * np.sin(2 * np.pi * (hour - rng.uniform(0, 24)) / 24))
    return _noisy(rng, np.maximum(shape, 5), rng.uniform(0.04, 0.15), 0.5)


def _wandering(rng: np.random.Generator) -> Array:
    """The level drifts from day to day: queues, caches, temperatures."""
    drift = np.cumsum(rng.normal(0, 0.02, (WEEKS + 1) * 7))
    return _noisy(rng, _week(rng, WEEKS + 1) * np.exp(np.repeat(drift, 24)), 0.05, 0.3)


SETS = (
    Set("plain", _plain),
    Set("Monday surge", _surge),
    Set("growth", _growing),
    Set("holiday and outage", _holiday),
    Set("launch", _launch),
    Set("random spikes", _spikes),
    Set("daily only", _daily),
    Set("wandering level", _wandering),
)


@dataclass(frozen=True, slots=True)
class Week:
    """One forecast against what came."""

    came: Array
    said: Array
    low: Array
    high: Array
    naive: Array
    low95: Array
    high95: Array
    took_s: float


def _played(one: Set, seed: int) -> list[Week]:
    found = []
    for number in range(SURGES if one.make is _surge else SERIES):
        values = one.make(np.random.default_rng([seed, number, SETS.index(one)]))
        past, came = values[: WEEKS * WEEK], values[WEEKS * WEEK :]
        series = Hourly(FIRST_S // HOUR_S * HOUR_S, past)
        began = process_time()
        told = forecast(series, WEEK, (LEVEL, 0.95))
        took_s = process_time() - began
        low, high = told.bounds[LEVEL]
        naive = seasonal_naive(past, series.phase, WEEK)
        found.append(Week(came, told.mean, low, high, naive, *told.bounds[0.95], took_s))
    return found


def rows(seed: int) -> list[Row]:
    """Every row, on one seed's series."""
    played = {one.name: _played(one, seed) for one in SETS}
    found = [_error_row(name, weeks) for name, weeks in played.items()]
    return [*found, *_surge_rows(played["Monday surge"]), _time_row(played["plain"])]


def _smape(came: Array, said: Array) -> float:
    return float(np.mean(2 * np.abs(came - said) / (np.abs(came) + np.abs(said))))


def _error_row(name: str, weeks: list[Week]) -> Row:
    ours = np.mean([_smape(one.came, one.said) for one in weeks])
    naive = np.mean([_smape(one.came, one.naive) for one in weeks])
    covered = np.mean([np.mean((one.came >= one.low) & (one.came <= one.high)) for one in weeks])
    return Row(
        f"{name}: coverage of the 90 % interval",
        "0.85-0.95",
        f"{covered:.2f} (sMAPE {ours:.1%})",
        bool(0.85 <= round(float(covered), 2) <= 0.95),
        f"sMAPE {naive:.1%}",
    )


def _surge_rows(weeks: list[Week]) -> list[Row]:
    errors = [abs(one.said[SURGE] / one.came[SURGE] - 1) for one in weeks]
    naive = [abs(one.naive[SURGE] / one.came[SURGE] - 1) for one in weeks]
    held = np.mean([one.low95[SURGE] <= one.came[SURGE] <= one.high95[SURGE] for one in weeks])
    short, spare, plain_short = [], [], []
    for one in weeks:
        per_pod = PER_POD * one.came[SURGE]
        planned = np.ceil(one.high95 / per_pod) * per_pod
        short.append(np.mean(one.came > planned))
        spare.append(1 - np.sum(one.came) / np.sum(planned))
        plain_short.append(np.mean(one.came > np.ceil(one.naive / per_pod) * per_pod))
    return [
        Row(
            "surge hour: error of the mean", "<= 10 %", f"{np.mean(errors):.1%}",
            bool(np.mean(errors) <= 0.10), f"{np.mean(naive):.1%}",
        ),
        Row("surge hour: inside the 95 % interval", ">= 95 %", f"{held:.0%}", bool(held >= 0.95)),
        Row(
            "hours short of pods, sized by the upper 95 % bound", "<= 3 %", f"{np.mean(short):.1%}",
            bool(np.mean(short) <= 0.03), f"{np.mean(plain_short):.1%}",
        ),
        Row("… and capacity to spare", "<= 20 %", f"{np.mean(spare):.0%}", bool(np.mean(spare) <= 0.20)),
    ]  # fmt: skip


def _time_row(weeks: list[Week]) -> Row:
    took_ms = 1000 * float(np.median([one.took_s for one in weeks]))
    return Row(
        "processor time of one forecast with its back-tests", "<= 20 ms", f"{took_ms:.0f} ms", took_ms <= 20
    )
