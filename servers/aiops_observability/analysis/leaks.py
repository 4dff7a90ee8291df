"""Does memory leak, since when, how fast, and when is the limit reached: for one workload's pods.

Called by `clients.anomaly_reading`. Growth counts only after restarts, load, the hour of the day and climbs
that end (warm-up) are taken out; a collector's sawtooth is judged by its floor. Grades by decision D32:
`suspected` from two hours of slope, `confirmed` after 24 hours (48 where it may be a cache that fills since
the only start seen), or at once where a change came just before the onset and the limit is less than two days
off.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np

from aiops_observability.analysis.leak_limits import Reach, reach
from aiops_observability.analysis.leak_model import (
    Base,
    Look,
    Slope,
    added,
    based,
    climbs,
    explained,
    hinges,
    huber,
)
from aiops_observability.analysis.leak_rows import DAY_S, Sample, Track, sampled
from aiops_observability.analysis.robust import Array, mann_kendall, spread

HOUR_S = 3600.0
LEAST_S = 2 * HOUR_S
LEAST_ROWS = 20
SEASON_S = 1.5 * DAY_S
AGES_H = (2, 3, 4, 5, 6, 8, 10, 12, 15, 18, 24, 30, 36, 48, 60, 72, 96, 120, 168, 240, 336)
LOOK_BACK_H = (6, 12, 18, 24)
FILL_BACK_H = (*LOOK_BACK_H, 30, 36, 42, 48)  # of growth since a start: a cache may fill for so long
AT_START_S = 8 * HOUR_S  # an onset so near a start is the start's
URGENT_S = 48 * HOUR_S
CHANGE_S = 1800.0
SLIGHT = 0.03  # of the level: less growth in the window is nobody's trouble
CHANGED_S = 3 * HOUR_S  # of slope, before a change just ahead of it counts


@dataclass(frozen=True, slots=True)
class LeakVerdict:
    """What a workload's memory does.

    `grade`: suspected | confirmed, empty: no leak. `kind`: leak | warmup | load_driven | seasonal | steady |
    thin. Rates in units a second, times in seconds since the grid began; `held_s`: for how long back the
    same verdict stood; `confirms_s`: for how long it must.
    """

    kind: str
    grade: str = ""
    rate: float = 0.0
    rate_error: float = 0.0
    onset_s: float = 0.0
    held_s: float = 0.0
    confirms_s: float = DAY_S
    score: float = 0.0  # t of the slope
    ranks_z: float = 0.0
    growth: float = 0.0
    floor: bool = False
    reach: Reach | None = None
    load_share: float = 0.0
    season_share: float = 0.0
    climb_s: float = 0.0
    rows: int = 0
    lives: int = 0
    needs: str = ""


def judge(
    tracks: Sequence[Track],
    step_s: float,
    *,
    load: Array | None = None,
    limit: float | None = None,
    began: datetime | None = None,
    changes_s: Sequence[float] = (),
) -> LeakVerdict:
    """The verdict at the end of the data. `changes_s`: when something changed, since the grid began."""
    look = looked(tracks, step_s, load, began)
    if look is None:
        return LeakVerdict("thin", needs="at least 2 hours and 20 points of working set since the last start")
    plain = _plain(look)
    if not look.leaks:
        return replace(plain, kind=_kind(look, tracks, step_s, began))
    far = reach(look, tracks, step_s, limit)
    back = FILL_BACK_H if _may_fill(look) else LOOK_BACK_H
    held = _held(tracks, step_s, load, began, back)
    changed = any(-2 * step_s <= look.onset_s - one <= CHANGE_S + 2 * step_s for one in changes_s)
    shown = float(look.sample.at_s.max()) - look.onset_s >= CHANGED_S
    soon = far.expected_s is not None and far.expected_s < URGENT_S and changed and shown
    confirms = back[-1] * HOUR_S
    sure = held >= confirms or soon
    return replace(
        plain,
        kind="leak",
        grade="confirmed" if sure and look.growth > 0 else "suspected",
        rate=far.rate,
        rate_error=far.rate_error,
        reach=far,
        held_s=held,
        confirms_s=confirms,
    )


def _may_fill(look: Look) -> bool:
    """Whether all growth is that of one start within the window: a cache may be filling.

    What several lives show one after the other, or a life older than the window, or what begins long after
    the start is no filling.
    """
    sample = look.sample
    grown_s = sample.at_s - np.maximum(look.onset_s, sample.born_s)
    born = sample.born_s[grown_s > 0]
    long_ago = sample.born_s[grown_s > AT_START_S]  # an onset is known to some hours: less proves no growth
    if not born.size or (long_ago.size and long_ago.min() <= 0.0):
        return False
    last = float(born.max())
    several = long_ago.size and last - float(long_ago.min()) > AT_START_S
    return not several and look.onset_s - last <= AT_START_S


def _plain(look: Look) -> LeakVerdict:
    return LeakVerdict(
        kind="steady",
        onset_s=look.onset_s,
        score=look.slope.t,
        ranks_z=look.ranks_z,
        growth=look.growth,
        floor=look.sample.floors,
        load_share=look.load_share,
        season_share=look.season_share,
        climb_s=look.climb_s,
        rows=look.sample.size,
        lives=int(np.unique(look.sample.segment).size),
    )


def looked(tracks: Sequence[Track], step_s: float, load: Array | None, began: datetime | None) -> Look | None:
    """One look; None where there is too little."""
    sample = sampled(tracks, load, step_s)
    span = float(np.ptp(sample.at_s)) if sample.size else 0.0
    if span < LEAST_S or (sample.size < LEAST_ROWS and not sample.floors) or sample.size < 4:
        return None
    season = span >= SEASON_S and not sample.floors and not _short_lives(sample)
    onsets = _onsets(sample)
    robust = np.ones(sample.size)
    for _ in range(2):
        base = based(sample, began, load=load is not None, season=season, robust=robust)
        best = _best(base, onsets)
        robust = huber(base, hinges(sample, onsets[best : best + 1]))
    base = based(sample, began, load=load is not None, season=season, robust=robust)
    onsets = _finer(sample, onsets, _best(base, onsets))
    best = _best(base, onsets)
    column = hinges(sample, onsets[best : best + 1])[:, 0]
    slope = added(base, column)
    climb = _climb(base, column, slope)
    adjusted = slope.remains / np.maximum(base.root, 1e-9) + slope.value * column
    return Look(
        sample=sample,
        base=base,
        slope=slope,
        onset_s=float(onsets[best]),
        climb_s=climb,
        stepped=slope.value > 0 and _stepped(base, slope),
        growth=_growth(sample, slope, column),
        ranks_z=mann_kendall(_hourly(sample, adjusted, column)) if slope.value > 0 else 0.0,
        load_share=_share(sample, began, "load"),
        season_share=_share(sample, began, "season"),
    )


def _short_lives(sample: Sample) -> bool:
    """Whether containers live for hours only: restarts at fixed hours make their age the hour of the day,
    and the season would explain every growth away.
    """
    ages = sample.age_s
    ends = [float(ages[sample.segment == life].max()) for life in np.unique(sample.segment)]
    return len(ends) > 3 and float(np.median(ends)) < 0.6 * DAY_S


def _onsets(sample: Sample) -> Array:
    """Where growth may have begun: at the start, with a life, or some hours ago."""
    end = float(sample.at_s.max())
    ages = np.array([end - hours * HOUR_S for hours in AGES_H])
    lives = np.unique(sample.born_s)[-12:]
    found = np.unique(np.concatenate([[0.0], ages[ages > 0], lives[end - lives >= LEAST_S]]))
    return np.asarray(found)


def _finer(sample: Sample, onsets: Array, best: int) -> Array:
    """The best onset and moments between its neighbours; the start and the lives stay as they are."""
    if best == 0:
        return onsets[:1]
    after = onsets[best + 1] if best + 1 < onsets.size else onsets[best]
    end = float(sample.at_s.max())
    between = np.linspace(onsets[best - 1], min(after, end - LEAST_S), 25)
    return np.asarray(np.unique(np.concatenate([onsets[:1], onsets[best : best + 1], between])))


def _best(base: Base, onsets: Array) -> int:
    """The onset that explains most; the oldest where another is hardly better."""
    columns = hinges(base.sample, onsets)
    x, y = base.rest(columns), base.rest(base.sample.value)
    power = np.sum(x * x, axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        gain = np.where(power > 1e-9, (x.T @ y) * np.abs(x.T @ y) / power, 0.0)
    total = float(y @ y)
    left = total - np.maximum(gain, 0.0)
    best = int(np.argmin(left))
    return 0 if left[0] <= left[best] * 1.05 + 1e-12 else best


def _climb(base: Base, column: Array, slope: Slope) -> float:
    """The speed of a climb that ends and explains the growth better than a line does; 0: the line stands."""
    if slope.value <= 0:
        return 0.0
    sample = base.sample
    grew = float(column.max()) * HOUR_S
    speeds = np.geomspace(min(max(0.02 * grew, 900.0), 0.3 * grew), 0.6 * grew, 12)
    left = np.array([explained(base, climbs(sample, speed))[0] for speed in speeds])
    best = int(np.argmin(left))
    line = float(slope.remains @ slope.remains)
    widening = max(1.0, (slope.error**2) * float(base.rest(column) @ base.rest(column)) * sample.size / line)
    gain = (line / max(left[best], 1e-12) - 1.0) * sample.size / widening
    if gain < 8.0:
        return 0.0
    both = np.concatenate([climbs(sample, speeds[best]), column[:, None]], axis=1)
    after, value, _ = explained(base, both)
    more = (left[best] / max(after, 1e-12) - 1.0) * sample.size / widening
    if value[-1] > 0.4 * slope.value and more > 25.0:
        return 0.0
    return float(speeds[best])


def _stepped(base: Base, slope: Slope) -> bool:
    """Whether one step that no restart explains (a larger setting) does better than the line."""
    at = base.sample.at_s
    moments = np.quantile(at, np.linspace(0.03, 0.97, 60))
    x, y = base.rest((at[:, None] >= moments[None, :]).astype(np.float64)), base.rest(base.sample.value)
    power = np.sum(x * x, axis=0)
    gain = np.where(power > 1e-9, (x.T @ y) ** 2 / np.maximum(power, 1e-9), 0.0)
    line = float(slope.remains @ slope.remains)
    return bool(float(y @ y) - float(gain.max()) < 0.97 * line)


def _growth(sample: Sample, slope: Slope, column: Array) -> float:
    """By how much memory grew within a life, where that stands out of the noise; else 0."""
    grown = slope.value * float(column.max())
    noise = spread(slope.remains / np.sqrt(sample.weight))
    level = float(np.median(sample.value))
    return grown if grown > max(2.0 * noise, SLIGHT * level) else 0.0


def _hourly(sample: Sample, values: Array, column: Array) -> Array:
    """Means of the adjusted values over spans of growth, some 60: what the rank test runs on.

    Of several lives the same hour of growth is one span.
    """
    inside = column > 0
    seen = values[inside]
    if seen.size < 8:
        return seen
    several = np.unique(sample.segment[inside]).size > 1
    at = column[inside] * HOUR_S if several else sample.at_s[inside]
    width = max(float(np.ptp(at)) / 60.0, 300.0)
    place = np.floor((at - at.min()) / width).astype(np.int64)
    count = np.bincount(place)
    total = np.bincount(place, seen)
    return np.asarray(total[count > 0] / count[count > 0], dtype=np.float64)


def _share(sample: Sample, began: datetime | None, what: str) -> float:
    """How much of the movement within lives the load, or the hour of the day, explains."""
    ones = np.ones(sample.size)
    plain = based(sample, began, load=False, season=False, robust=ones)
    span = float(np.ptp(sample.at_s))
    season = what == "season" and span >= SEASON_S
    more = based(sample, began, load=what == "load", season=season, robust=ones)
    before, after = plain.rest(sample.value), more.rest(sample.value)
    return 1.0 - float(after @ after) / max(float(before @ before), 1e-12)


def _kind(look: Look, tracks: Sequence[Track], step_s: float, began: datetime | None) -> str:
    """What it is when it is no leak."""
    if look.climb_s and look.growth > 0:
        return "warmup"
    moved = spread(look.sample.value) > 0.03 * float(np.median(look.sample.value))
    if moved and look.load_share > 0.6:
        return "load_driven"
    if moved and look.season_share > 0.6:
        return "seasonal"
    return "steady"


def _held(
    tracks: Sequence[Track], step_s: float, load: Array | None, began: datetime | None, back: Sequence[int]
) -> float:
    """For how long back every look, six hours apart, would have said the same."""
    held = 0.0
    for hours in back:
        rows = int(hours * HOUR_S / step_s)
        cut = [Track(one.values[:-rows], tuple(r for r in one.restarts if r < one.values.size - rows))
               for one in tracks]  # fmt: skip
        if min(one.values.size for one in cut) < LEAST_ROWS:
            break
        before = looked(cut, step_s, None if load is None else load[:-rows], began)
        if before is None or not before.leaks:
            break
        held = hours * HOUR_S
    return held


__all__ = ["LeakVerdict", "Look", "Track", "judge", "looked"]
