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


def memory(kind: str, seed: int) -> Memory:
    """Seven to ten days of memory of one kind of `LEAKING` or `SOUND`."""
    rng = np.random.default_rng([seed, 7_000 + [*LEAKING, *SOUND].index(kind)])
    n = int(rng.uniform(7, 10) * 288)
    load = _load(rng, n)
    return MEMORY[kind](rng, n, load)


def _load(rng: np.random.Generator, n: int) -> Array:
    at = np.arange(n)
    swing = 1.0 + rng.uniform(0.1, 0.7) * np.sin(2 * np.pi * (at / 288 + rng.random()))
    weekend = np.where((at // 288 + int(rng.integers(0, 7))) % 7 >= 5, rng.uniform(0.5, 1.0), 1.0)
    return np.asarray(rng.uniform(20, 400) * swing * weekend * np.exp(correlated(rng, n, 0.05, 0.7)))


def _floor(rng: np.random.Generator, n: int, load: Array) -> Array:
    """A service's ordinary memory: a level, some of it with the load, noise with memory of its own."""
    level = rng.uniform(120, 450)
    share = rng.uniform(0.0, 0.35) * level
    noise = correlated(rng, n, level * rng.uniform(0.005, 0.03), rng.uniform(0.3, 0.9))
    return np.asarray(level + share * (load / load.mean() - 1.0) + noise)


def _ending(values: Array, rate: float, limit: float) -> float:
    """Seconds from the end until trend and usual peaks meet the limit."""
    day = values[-288:] - rate * (np.arange(-287, 1))
    seen = day[~np.isnan(day)]
    return float((limit - np.percentile(seen, 98)) / rate * 300.0)


def _limit(rng: np.random.Generator, values: Array) -> float:
    return float(np.nanmax(values) * rng.uniform(1.3, 3.0))


def _leak(
    rng: np.random.Generator, values: Array, load: Array, rate: Array, kind: str, onset: int = 0
) -> Memory:
    grown = values + np.cumsum(rate)
    limit = _limit(rng, grown)
    mean = float(np.mean(rate[max(onset, rate.size - 576) :]))
    return Memory(kind, grown, load, (), True, limit, _ending(grown, mean, limit), onset)


def _rate(rng: np.random.Generator, values: Array, low: float = 0.15, high: float = 0.9) -> float:
    """MiB a row: so much of the level in a week."""
    return float(np.median(values) * rng.uniform(low, high) / 2016)


def _steady_leak(rng: np.random.Generator, n: int, load: Array) -> Memory:
    values = _floor(rng, n, load)
    return _leak(rng, values, load, np.full(n, _rate(rng, values)), "steady leak")


def _by_request(rng: np.random.Generator, n: int, load: Array) -> Memory:
    values = _floor(rng, n, load)
    rate = _rate(rng, values) * load / load.mean()
    found = _leak(rng, values, load, rate, "leak by request")
    mean = float(np.mean(rate))
    return Memory(found.kind, found.values, load, (), True, found.limit,
                  _ending(found.values, mean, found.limit))  # fmt: skip


def _since_release(rng: np.random.Generator, n: int, load: Array) -> Memory:
    """Begins with a release, at least two days before the end."""
    values, onset = _floor(rng, n, load), int(rng.uniform(0.3, 1 - 576 / n) * n)
    rate = np.where(np.arange(n) >= onset, _rate(rng, values, 0.4, 1.6), 0.0)
    moved = values + np.where(np.arange(n) >= onset, rng.uniform(-0.1, 0.1) * values.mean(), 0.0)
    found = _leak(rng, moved, load, rate, "leak since a release", onset)
    return Memory(found.kind, found.values, load, (onset,), True, found.limit, found.to_limit_s, onset,
                  changes=(onset,))  # fmt: skip


def _unannounced(rng: np.random.Generator, n: int, load: Array) -> Memory:
    """Begins without a restart: a flag was turned."""
    values, onset = _floor(rng, n, load), int(rng.uniform(0.3, 1 - 576 / n) * n)
    rate = np.where(np.arange(n) >= onset, _rate(rng, values, 0.5, 1.6), 0.0)
    return _leak(rng, values, load, rate, "leak since a flag", onset)


def _killed(rng: np.random.Generator, n: int, load: Array) -> Memory:
    """Killed at the limit again and again."""
    values = _floor(rng, n, load)
    limit = float(values.max() * rng.uniform(1.25, 1.8))
    life = int(rng.uniform(0.7, 2.5) * 288)
    rate = (limit - float(np.percentile(values, 98))) / life
    age, ages, restarts = int(rng.integers(0, life)), [], []
    for row in range(n):
        if age >= life:
            restarts.append(row)
            age = 0
        ages.append(age)
        age += 1
    grown = values + rate * np.array(ages)
    line = float(np.percentile((grown - rate * np.array(ages))[-288:], 98)) + rate * ages[-1]
    left = max(300.0, (limit - line) / rate * 300.0)
    return Memory(
        "leak, killed at the limit", np.minimum(grown, limit), load, tuple(restarts), True, limit, left
    )


def _in_batches(rng: np.random.Generator, n: int, load: Array) -> Memory:
    """Each night's job leaves a little behind, and some scrapes are lost."""
    values = _floor(rng, n, load)
    step = _rate(rng, values, 0.3, 1.0) * 288
    at = int(rng.integers(0, 288))
    rate = np.where(np.arange(n) % 288 == at, step, 0.0)
    found = _leak(rng, values, load, rate, "leak by night jobs")
    told = found.values.copy()
    for _ in range(3):
        row = int(rng.integers(0, n - 60))
        told[row : row + int(rng.integers(5, 50))] = np.nan
    return Memory(found.kind, told, load, (), True, found.limit, _ending(told, step / 288, found.limit))


def _collected(rng: np.random.Generator, n: int, amplitude: float) -> Array:
    """A collector: climbs by uneven amounts, falls to its floor."""
    found, row = np.zeros(n), 0
    while row < n:
        takes = int(rng.integers(10, 120))
        rise = np.linspace(0.0, amplitude * rng.uniform(0.7, 1.2), takes)
        found[row : row + takes] = rise[: n - row]
        row += takes
    return found


def _under_collector(rng: np.random.Generator, n: int, load: Array) -> Memory:
    values = _floor(rng, n, load) + _collected(rng, n, rng.uniform(60, 160))
    return _leak(rng, values, load, np.full(n, _rate(rng, values, 0.25, 0.9)), "leak under a collector")


def _sound(
    kind: str, values: Array, load: Array, rng: np.random.Generator, restarts: tuple[int, ...] = ()
) -> Memory:
    return Memory(kind, values, load, restarts, False, _limit(rng, values))


def _collector(rng: np.random.Generator, n: int, load: Array) -> Memory:
    values = _floor(rng, n, load) + _collected(rng, n, rng.uniform(60, 200))
    return _sound("collector", values, load, rng)


def _cache(rng: np.random.Generator, n: int, load: Array) -> Memory:
    """Fills like keys that come again: fast, then slower (not an exponential), after a start."""
    start = int(rng.uniform(0.02, 0.3) * n)
    half = rng.uniform(0.01, 0.04) * n
    age = np.maximum(np.arange(n) - start, 0.0)
    full = rng.uniform(80, 300)
    filled = np.where(np.arange(n) < start, full * 0.95, full * age**1.5 / (age**1.5 + half**1.5))
    return _sound("cache that fills", _floor(rng, n, load) + filled, load, rng, (start,))


def _full_cache(rng: np.random.Generator, n: int, load: Array) -> Memory:
    """Climbs straight to a cap that the operator set, and stays."""
    start, takes = int(rng.uniform(0.02, 0.3) * n), int(rng.uniform(0.05, 0.2) * n)
    filled = np.interp(np.arange(n), [start, start + takes], [0.0, rng.uniform(80, 250)])
    return _sound("cache with a cap", _floor(rng, n, load) + filled, load, rng, (start,))


def _growth(rng: np.random.Generator, n: int, load: Array) -> Memory:
    more = load * (1.0 + rng.uniform(0.3, 1.2) * np.arange(n) / n)
    values = _floor(rng, n, load) + rng.uniform(0.3, 0.8) * 200 * (more / load.mean() - 1.0)
    return _sound("grows with its load", values, more, rng)


def _weekly(rng: np.random.Generator, n: int, load: Array) -> Memory:
    wave = rng.uniform(40, 150) * np.sin(2 * np.pi * (np.arange(n) / 288 + rng.random()))
    return _sound("daily wave", _floor(rng, n, load) + wave, load, rng)


def _releases(rng: np.random.Generator, n: int, load: Array) -> Memory:
    restarts = tuple(sorted(int(one) for one in rng.uniform(0.03, 0.97, int(rng.integers(2, 10))) * n))
    values = _floor(rng, n, load)
    for row in restarts:
        values[row:] += rng.uniform(-25, 40)
        values[row:] -= 50 * np.exp(-np.arange(n - row) / rng.uniform(5, 40))
    return _sound("releases", values, load, rng, restarts)


def _wandering(rng: np.random.Generator, n: int, load: Array) -> Memory:
    level = rng.uniform(150, 400)
    return _sound("wanders", level + correlated(rng, n, 0.06 * level, rng.uniform(0.95, 0.99)), load, rng)


def _nightly(rng: np.random.Generator, n: int, load: Array) -> Memory:
    start, takes = int(rng.integers(0, 200)), int(rng.integers(12, 84))
    row = np.arange(n) % 288 - start
    job = np.where((row >= 0) & (row < takes), rng.uniform(80, 300) * row / takes, 0.0)
    return _sound("night job", _floor(rng, n, load) + job, load, rng)


def _setting(rng: np.random.Generator, n: int, load: Array) -> Memory:
    """A pool made larger while it runs: one step, no restart."""
    values = _floor(rng, n, load)
    values[int(rng.uniform(0.2, 0.9) * n) :] += rng.uniform(0.1, 0.4) * values.mean()
    return _sound("larger setting", values, load, rng)


MemoryKind = Callable[[np.random.Generator, int, Array], Memory]
LEAKING: dict[str, MemoryKind] = {
    "steady": _steady_leak, "by request": _by_request, "since release": _since_release,
    "since flag": _unannounced, "killed": _killed, "in batches": _in_batches,
    "collector leak": _under_collector,
}  # fmt: skip
SOUND: dict[str, MemoryKind] = {
    "collector": _collector, "cache": _cache, "capped cache": _full_cache, "growth": _growth,
    "daily": _weekly,
    "releases": _releases, "wandering": _wandering, "night job": _nightly, "setting": _setting,
}  # fmt: skip
MEMORY: dict[str, MemoryKind] = LEAKING | SOUND


@dataclass(frozen=True, slots=True, eq=False)
class Shift:
    """Five minutes, four days; a level that changes (or not) at `onset`, over `takes` rows."""

    kind: str  # step | ramp | none | spiky | burst
    values: Array
    onset: int
    takes: int
    step_s: float = 300.0


def shift(kind: str, seed: int) -> Shift:
    """A series with one change of its level on the third or fourth day, or none."""
    rng = np.random.default_rng([seed, 31])
    n = 4 * 288
    level = rng.uniform(10, 500)
    sigma = level * rng.uniform(0.02, 0.05)
    wave = level * rng.uniform(0.0, 0.3) * np.sin(2 * np.pi * (np.arange(n) / 288 + rng.random()))
    values = level + wave + correlated(rng, n, sigma, rng.uniform(0.2, 0.75))
    onset, takes = int(rng.integers(2 * 288 + 12, n - 48)), 0
    if kind == "step":
        values[onset:] += rng.choice([-1.0, 1.0]) * sigma * rng.uniform(4, 10)
    elif kind == "ramp":
        takes = int(rng.integers(9, 30))
        rise = np.clip((np.arange(n) - onset) / takes, 0.0, 1.0)
        values += rise * sigma * rng.uniform(6, 14)
    elif kind == "spiky":
        for row in rng.integers(0, n, 15):
            values[row : row + int(rng.integers(1, 4))] += sigma * rng.uniform(5, 30)
    elif kind == "burst":
        takes = 18
        values[onset : onset + takes] += sigma * rng.uniform(6, 12)
    return Shift(kind, values, onset, takes)
