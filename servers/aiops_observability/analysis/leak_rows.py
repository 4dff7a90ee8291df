"""Memory of a workload's pods as rows of one table: old data in coarse bins, the newest hours as measured.

Called by `leaks`. A segment is the life of one container between restarts; no row mixes two.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from aiops_observability.analysis.robust import Array, Rows, spread

DAY_S = 86_400.0
FRESH_S = 12 * 3600.0  # so far back rows are as measured
MOST_ROWS = 700
DROPS = 4  # unexplained falls that make a collector's sawtooth


@dataclass(frozen=True, slots=True, eq=False)
class Track:
    """One container's working set on a regular grid, NaN where none; `restarts`: rows that begin anew."""

    values: Array
    restarts: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """The table. `at_s`: since the grid began; `segment`: which life; `born_s`: when that life began."""

    at_s: Array
    value: Array
    load: Array
    weight: Array
    segment: Rows
    born_s: Array
    track: Rows
    floors: bool = False  # rows are what was left after each fall, not what was measured

    @property
    def size(self) -> int:
        """Rows."""
        return int(self.at_s.size)

    @property
    def age_s(self) -> Array:
        """Since the life of each row began."""
        return self.at_s - self.born_s


def sampled(tracks: Sequence[Track], load: Array | None, step_s: float) -> Sample:
    """The table of some pods. A pod that falls again and again without a restart gives its floors only."""
    sawtooth = [falls(track) for track in tracks]
    on_floor = sum(len(found) >= DROPS for found in sawtooth) * 2 > len(tracks)
    total = sum(int(np.count_nonzero(~np.isnan(track.values))) for track in tracks)
    width = max(1, -(-total // MOST_ROWS))
    parts: list[list[Array]] = []
    first_segment = 0
    for number, track in enumerate(tracks):
        segment, born = _lives(track)
        rows = np.asarray(sawtooth[number]) if on_floor else np.flatnonzero(~np.isnan(track.values))
        if not rows.size:
            continue
        bins = _bins(rows, segment, track.values.size, 1 if on_floor else width, step_s)
        parts.append(_binned(track.values, load, rows, bins, (segment + first_segment, born, number), step_s))
        first_segment += int(segment[-1]) + 1
    if not parts:
        nothing = np.zeros(0)
        none = np.zeros(0, dtype=np.int64)
        return Sample(nothing, nothing, nothing, nothing, none, nothing, none)
    joined: list[Array] = [np.concatenate(each) for each in zip(*parts, strict=True)]
    at, value, loads, weight, seg, born_s, which = joined
    return Sample(at, value, loads, weight, seg.astype(np.int64), born_s, which.astype(np.int64), on_floor)


def falls(track: Track) -> list[int]:
    """Rows just after a fall that no restart explains and that does not come back by itself at once."""
    values = track.values
    change = np.diff(values, prepend=np.nan)
    usual = max(spread(change), 1e-9)
    height = max(8.0 * usual, 0.05 * float(np.nanmedian(values)) if np.any(~np.isnan(values)) else 0.0)
    found: list[int] = []
    for row in np.flatnonzero(change < -height):
        explained = any(0 <= row - restart <= 1 or restart == row + 1 for restart in track.restarts)
        before, after = values[max(0, row - 4) : row], values[row : row + 4]
        stays = np.nanmedian(after) < np.nanmedian(before) - 0.5 * height if before.size else False
        if not explained and stays and (not found or row - found[-1] > 2):
            found.append(int(row))
    return found


def _lives(track: Track) -> tuple[Rows, Array]:
    """For each row: its segment, and the row at which that began."""
    starts = np.unique(np.clip([0, *track.restarts], 0, track.values.size - 1)).astype(np.int64)
    first = int(np.argmax(~np.isnan(track.values))) if np.any(~np.isnan(track.values)) else 0
    starts = np.unique(np.maximum(starts, first))
    segment = np.maximum(np.searchsorted(starts, np.arange(track.values.size), side="right") - 1, 0)
    return segment, starts[segment].astype(np.float64)


def _bins(rows: Rows, segment: Rows, size: int, width: int, step_s: float) -> Rows:
    """A number for each row: rows of one number become one. Newest rows stay by themselves."""
    fresh = rows >= size - FRESH_S / step_s
    plain = np.where(fresh, rows, rows // width * width)
    return plain + segment[rows] * (size + 1)


def _binned(
    values: Array,
    load: Array | None,
    rows: Rows,
    bins: Rows,
    about: tuple[Rows, Array, int],
    step_s: float,
) -> list[Array]:
    segment, born, number = about
    _, first, counts = np.unique(bins, return_index=True, return_counts=True)
    loads = np.zeros(values.size) if load is None else np.where(np.isnan(load), np.nanmean(load), load)

    def mean(each: Array) -> Array:
        return np.asarray(np.add.reduceat(each[rows], first) / counts)

    at = mean(np.arange(values.size, dtype=np.float64)) * step_s
    head = rows[first]
    return [
        at,
        mean(values),
        mean(loads),
        counts.astype(np.float64),
        segment[head].astype(np.float64),
        born[head] * step_s,
        np.full(first.size, float(number)),
    ]
