"""Seeded series with known truth: service metrics with and without events, memory that leaks or does not.

Written for the evaluation alone; the tests make theirs otherwise, and the analyses were tuned on seeds below
1000 only (`rows` measures from 1000 on). Metrics have a step of one minute over eight days, memory of five
minutes over seven to ten days.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
MINUTE_S, DAY_MIN = 60.0, 1440
DAYS = 8
CALM_DAYS = 3.0  # no event before: every detector needs a past


@dataclass(frozen=True, slots=True)
class Event:
    """One abnormal stretch: rows [first, last]."""

    kind: str  # spike | dip | level | ramp | variance | missing
    first: int
    last: int


@dataclass(frozen=True, slots=True, eq=False)
class Metric:
    """One service metric with its events."""

    name: str
    values: Array
    events: tuple[Event, ...]
    step_s: float = MINUTE_S


def correlated(rng: np.random.Generator, n: int, sigma: float, memory: float) -> Array:
    """AR(1) noise of a standard deviation."""
    shocks = rng.normal(0.0, sigma * np.sqrt(1.0 - memory**2), n)
    found = np.empty(n)
    last = rng.normal(0.0, sigma)
    for at, shock in enumerate(shocks.tolist()):
        last = memory * last + shock
        found[at] = last
    return found


def rhythm(rng: np.random.Generator, n: int) -> Array:
    """A day and a week around 1: office hours, an evening crowd, a holiday at times."""
    at = np.arange(n)
    day, hour = at // DAY_MIN, at % DAY_MIN / 60.0
    peak, width = rng.uniform(9, 21), rng.uniform(2.5, 5.0)
    away = np.abs((hour - peak + 12) % 24 - 12)
    shape = 1.0 + rng.uniform(0.3, 1.6) * np.exp(-0.5 * (away / width) ** 2)
    first = int(rng.integers(0, 7))
    weekend = ((day + first) % 7) >= 5
    shape = np.where(weekend, 1.0 + (shape - 1.0) * rng.uniform(0.4, 0.9), shape)
    if rng.random() < 0.3:  # a holiday
        shape = np.where(day == rng.integers(2, DAYS), 1.0 + (shape - 1.0) * 0.5, shape)
    return np.asarray(shape)


def _requests(rng: np.random.Generator, n: int) -> tuple[Array, float]:
    level = rng.uniform(20, 800)
    rate = level * rhythm(rng, n) * np.exp(correlated(rng, n, rng.uniform(0.02, 0.05), 0.8))
    return rng.poisson(rate * 60).astype(np.float64) / 60.0, float(level)


def _latency(rng: np.random.Generator, n: int) -> tuple[Array, float]:
    level = rng.uniform(0.02, 0.6)
    busy = 1.0 + 0.25 * (rhythm(rng, n) - 1.0)
    return level * busy * np.exp(correlated(rng, n, rng.uniform(0.04, 0.12), rng.uniform(0, 0.6))), level


def _errors(rng: np.random.Generator, n: int) -> tuple[Array, float]:
    share, calls = rng.uniform(0.001, 0.01), rng.uniform(200, 4000) * rhythm(rng, n)
    return rng.binomial(calls.astype(np.int64), share) / calls, float(share)


def _cpu(rng: np.random.Generator, n: int) -> tuple[Array, float]:
    level = rng.uniform(0.1, 0.4)
    return level * rhythm(rng, n) + correlated(rng, n, level * rng.uniform(0.03, 0.08), 0.7), float(level)


def _connections(rng: np.random.Generator, n: int) -> tuple[Array, float]:
    level = rng.uniform(30, 300)
    moved = level * (1 + 0.3 * (rhythm(rng, n) - 1)) + correlated(rng, n, 0.05 * level, 0.9)
    return np.round(moved), float(level)


def _batch(rng: np.random.Generator, n: int) -> tuple[Array, float]:
    """A gauge with a job that runs every night: the spike is normal."""
    level, start, takes = rng.uniform(5, 50), int(rng.integers(0, 1200)), int(rng.integers(8, 50))
    minute = np.arange(n) % DAY_MIN
    job = ((minute >= start) & (minute < start + takes)) * rng.uniform(1.5, 4.0) * level
    return level + job + correlated(rng, n, 0.06 * level, 0.5), float(level)


def _bursty(rng: np.random.Generator, n: int) -> tuple[Array, float]:
    """A queue that fills for some minutes now and then: heavy tails without an event."""
    level = rng.uniform(4, 30)
    queue = level * np.exp(correlated(rng, n, rng.uniform(0.12, 0.25), 0.6))
    for at in np.flatnonzero(rng.random(n) < 12 / DAY_MIN):
        queue[at : at + int(rng.integers(1, 5))] += level * rng.exponential(0.4)
    return queue, float(level)


KINDS: dict[str, Callable[[np.random.Generator, int], tuple[Array, float]]] = {
    "requests": _requests, "latency": _latency, "errors": _errors, "cpu": _cpu,
    "connections": _connections, "batch": _batch, "bursty": _bursty,
}  # fmt: skip


def metric(kind: str, seed: int, *, events: int = 3) -> Metric:
    """One metric; `events` at random moments, half a day apart at least."""
    rng = np.random.default_rng([seed, sorted(KINDS).index(kind)])
    n = DAYS * DAY_MIN
    values, level = KINDS[kind](rng, n)
    values = _dropouts(rng, values)
    told: list[Event] = []
    room = (n - CALM_DAYS * DAY_MIN) / max(1, events)
    for number in range(events):
        first = int(CALM_DAYS * DAY_MIN + room * (number + rng.uniform(0.02, 0.4)))
        values, event = _with_event(rng, values, level, first, kind)
        told.append(event)
    return Metric(kind, values, tuple(told))


def _dropouts(rng: np.random.Generator, values: Array) -> Array:
    """Lost scrapes, one or two at a time: no event."""
    found = values.copy()
    for at in np.flatnonzero(rng.random(values.size) < 4 / DAY_MIN):
        found[at : at + int(rng.integers(1, 3))] = np.nan
    return found


def _with_event(
    rng: np.random.Generator, values: Array, level: float, first: int, kind: str
) -> tuple[Array, Event]:
    what = str(rng.choice(["spike", "dip", "level", "ramp", "variance", "missing"], p=_ODDS[kind]))
    long = {"spike": (3, 25), "dip": (5, 60), "level": (240, 600), "ramp": (60, 180), "variance": (60, 240),
            "missing": (10, 60)}[what]  # fmt: skip
    takes = int(rng.integers(*long))
    rows = np.arange(first, first + takes)
    found = values.copy()
    here = found[rows]
    near = found[max(0, first - 120) : first]
    usual = float(np.nanmedian(near))
    noise = float(np.nanmedian(np.abs(np.diff(near))))
    if what == "spike":
        found[rows] = here + max(rng.uniform(0.8, 3.0) * usual, 12 * noise)
    elif what == "dip":
        found[rows] = here * rng.uniform(0.02, 0.35)
    elif what == "level":
        found[rows] = here + rng.choice([1.0, 1.0, -0.6]) * max(rng.uniform(0.3, 0.8) * usual, 8 * noise)
    elif what == "ramp":
        grown = max(rng.uniform(0.6, 1.5) * usual, 12 * noise)
        found[rows] = here + np.linspace(0.0, grown, takes)
    elif what == "variance":
        found[rows] = here + rng.normal(0.0, max(rng.uniform(4, 8) * noise, 0.1 * usual), takes)
    else:
        found[rows] = np.nan
    if kind != "batch" or what != "level":
        found[rows] = np.maximum(found[rows], 0.0)
    del level
    return found, Event(what, first, first + takes - 1)


_ANY = [0.3, 0.2, 0.2, 0.15, 0.08, 0.07]
_UP = [0.45, 0.0, 0.3, 0.18, 0.0, 0.07]  # dips of an error ratio hurt nobody
_ODDS = dict.fromkeys(KINDS, _ANY) | {"errors": _UP, "bursty": _UP, "latency": _UP}


@dataclass(frozen=True, slots=True, eq=False)
class Memory:
    """Working set in MiB with its load; the truth is what goes on when nothing restarts."""

    kind: str
    values: Array
    load: Array
    restarts: tuple[int, ...]
    leaks: bool
    limit: float
    to_limit_s: float | None = None
    onset: int = 0
    step_s: float = 300.0
    changes: tuple[int, ...] = field(default=())
