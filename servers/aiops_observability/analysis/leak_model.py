"""The regression behind a leak verdict: offsets of lives + load + season, then what a slope adds to them.

Called by `leaks`. Frisch–Waugh: the nuisance columns are taken out once, each candidate (a hinge at some
onset, a saturating climb of some speed) costs one product. Standard errors are Newey–West's, since memory
remembers.
"""

from dataclasses import dataclass
from datetime import datetime

import numpy as np

from aiops_observability.analysis.leak_rows import DAY_S, Sample
from aiops_observability.analysis.robust import Array, spread

HUBER = 2.0
LAGS = 12
LONG = 100  # rows at most that memory of the rest is followed for the t of a slope
SURE_T = 5.0
RANKS_Z = 3.0


@dataclass(frozen=True, slots=True, eq=False)
class Base:
    """Nuisance columns of a sample, orthonormal under its weights."""

    sample: Sample
    root: Array  # square roots of the weights
    q: Array
    season: bool
    loaded: bool

    def rest(self, columns: Array) -> Array:
        """What of some weighted columns the nuisance does not explain."""
        weighted = columns * (self.root if columns.ndim == 1 else self.root[:, None])
        return np.asarray(weighted - self.q @ (self.q.T @ weighted))


@dataclass(frozen=True, slots=True, eq=False)
class Slope:
    """What a column adds: its coefficient, error, t, the share of the rest it explains, what remains."""

    value: float
    error: float
    t: float  # by an error that follows the memory of the rest for as long as it lasts
    explains: float
    remains: Array


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """One look at the data up to some moment."""

    sample: Sample
    base: Base
    slope: Slope
    onset_s: float
    climb_s: float  # of the climb that explains it better, 0: none
    stepped: bool  # one step explains it better
    growth: float
    ranks_z: float
    load_share: float
    season_share: float

    @property
    def leaks(self) -> bool:
        """Whether this look alone says leak."""
        alone = self.climb_s == 0 and not self.stepped
        return alone and self.slope.t > SURE_T and self.growth > 0 and self.ranks_z > RANKS_Z


def based(sample: Sample, began: datetime | None, *, load: bool, season: bool, robust: Array) -> Base:
    """The nuisance of a sample: an offset for each life, the load, the hour of the day, the weekend."""
    lives = np.unique(sample.segment, return_inverse=True)[1]
    parts = [np.eye(int(lives.max()) + 1)[lives]]
    loaded = load and float(np.std(sample.load)) > 1e-9
    if loaded:
        parts.append(((sample.load - sample.load.mean()) / np.std(sample.load))[:, None])
    if season:
        parts.append(_season(sample, began))
    columns = np.concatenate(parts, axis=1)
    root = np.sqrt(sample.weight * robust)
    return Base(sample, root, _orthonormal(columns * root[:, None]), season, loaded)


def _orthonormal(columns: Array) -> Array:
    """A basis of what columns span: by the eigenvectors of their products."""
    lengths = np.sqrt(np.sum(columns**2, axis=0))
    even = columns / np.maximum(lengths, 1e-12)
    size, turn = np.linalg.eigh(even.T @ even)
    kept = size > 1e-9 * size[-1]
    return np.asarray(even @ (turn[:, kept] / np.sqrt(size[kept])))


def _season(sample: Sample, began: datetime | None) -> Array:
    """Hour-of-day means where three days were seen, else two waves a day; a weekend where nine were."""
    span = float(np.ptp(sample.at_s)) if sample.size else 0.0
    offset = (began.timestamp() if began is not None else 0.0) % DAY_S
    hour = ((sample.at_s + offset) % DAY_S) / 3600.0
    if span >= 3 * DAY_S:
        low = np.floor(hour).astype(np.int64) % 24
        share = hour - np.floor(hour)
        table = np.zeros((sample.size, 24))
        table[np.arange(sample.size), low] = 1.0 - share
        table[np.arange(sample.size), (low + 1) % 24] += share
        parts = [table[:, 1:]]
    else:
        turn = 2 * np.pi * hour / 24
        parts = [np.stack([np.sin(turn), np.cos(turn), np.sin(2 * turn), np.cos(2 * turn)], axis=1)]
    if began is not None and span >= 9 * DAY_S:
        day = (began.timestamp() + sample.at_s) // DAY_S % 7  # 1 January 1970 was a Thursday
        parts.append(((day == 2) | (day == 3)).astype(np.float64)[:, None])
    return np.concatenate(parts, axis=1)


def added(base: Base, column: Array) -> Slope:
    """What one more column explains, with an error that autocorrelation widens."""
    x, y = base.rest(column), base.rest(base.sample.value)
    power = float(x @ x)
    if power < 1e-12 * max(1e-12, float(column @ column)):
        return Slope(0.0, np.inf, 0.0, 0.0, y)
    value = float(x @ y) / power
    remains = y - value * x
    error = _newey_west(x, remains, base, LAGS) / power
    patient = _newey_west(x, remains, base, _memory(remains)) / power
    before, after = float(y @ y), float(remains @ remains)
    return Slope(value, error, value / max(error, patient, 1e-12), 1.0 - after / max(before, 1e-12), remains)


def _memory(remains: Array) -> int:
    """How many rows back the rest has to be followed: Andrews' bandwidth (1991) for what an AR(1) leaves.

    A level that wanders for hours looks like a slope to an error that follows it for one hour only.
    """
    power = float(remains @ remains)
    if power <= 0 or remains.size < 3:
        return LAGS
    kept = min(max(float(remains[1:] @ remains[:-1]) / power, 0.0), 0.99)
    alpha = 4.0 * kept**2 / (1.0 - kept**2) ** 2
    return int(np.clip(1.1447 * (alpha * remains.size) ** (1 / 3), LAGS, LONG))


def _newey_west(x: Array, remains: Array, base: Base, most: int) -> float:
    """The square root of x' S x: products of neighbours within a pod, and of pods at one moment."""
    score = x * remains
    total = float(score @ score)
    track = base.sample.track
    lags = min(most, max(1, score.size // 6))
    for lag in range(1, lags + 1):
        same = track[lag:] == track[:-lag]
        total += 2.0 * (1.0 - lag / (lags + 1)) * float(np.sum((score[lag:] * score[:-lag])[same]))
    alone = float(score @ score)
    freedom = max(1, score.size - base.q.shape[1] - 1)
    total = max(total, alone) * _together(base, remains) * score.size / freedom
    return float(np.sqrt(total))


def _together(base: Base, remains: Array) -> float:
    """By how much pods that move alike count as fewer than they are."""
    sample = base.sample
    tracks = np.unique(sample.track).size
    if tracks < 2:
        return 1.0
    moment = np.unique(np.round(sample.at_s), return_inverse=True)[1]
    count = np.bincount(moment)
    several = count > 1
    if not np.any(several):
        return 1.0
    mean = np.bincount(moment, remains)[several] / count[several]
    expected = float(np.mean(remains**2)) * float(np.mean(1.0 / count[several]))
    return float(np.clip(np.mean(mean**2) / max(expected, 1e-12), 1.0, tracks))


def huber(base: Base, columns: Array) -> Array:
    """Weights that let rows far off count less, after fitting some columns."""
    x, y = base.rest(columns), base.rest(base.sample.value)
    remains = y - x @ np.linalg.lstsq(x, y, rcond=None)[0] if columns.size else y
    plain = remains / np.maximum(base.root, 1e-9)
    scale = max(spread(plain), 1e-9)
    return np.minimum(1.0, HUBER * scale / np.maximum(np.abs(plain), 1e-9))


def hinges(sample: Sample, onsets_s: Array) -> Array:
    """For each onset a column: hours of growth since it, begun anew with each life."""
    from_s = np.maximum(onsets_s[None, :], sample.born_s[:, None])
    return np.asarray(np.maximum(0.0, sample.at_s[:, None] - from_s) / 3600.0)


def climbs(sample: Sample, speed_s: float) -> Array:
    """A climb that ends, of one speed: its own height for lives begun before the window, one for the rest."""
    shape = 1.0 - np.exp(-sample.age_s / speed_s)
    old = sample.born_s <= 0.0
    parts = [np.where(old, shape, 0.0), np.where(old, 0.0, shape)]
    return np.stack([one for one in parts if np.any(one)], axis=1)


def explained(base: Base, columns: Array) -> tuple[float, Array, Array]:
    """What is left unexplained with some columns, their coefficients and their rests."""
    x, y = base.rest(columns), base.rest(base.sample.value)
    value = np.linalg.lstsq(x, y, rcond=None)[0]
    left = y - x @ value
    return float(left @ left), np.asarray(value), x
