"""Where a series' level changed for good, by running sums of ranks, and when each change began.

Called by `clients.anomaly_reading` and by the evaluation. Ranks make spikes harmless, the bar grows with the
noise's memory. A change is a step or a ramp (level, line, level; the best fit's
first knot), since what caused it lies at its begin.
"""

from dataclasses import dataclass

import numpy as np

from aiops_observability.analysis.robust import Array, Rows, filled, middle, spread

BAR = 1.5  # of the sup of a Brownian bridge; 1.36 would be one in twenty
EDGE_BAR = 3.5  # the same, weighted so that changes near an end count as those in the middle do
LEAST_SIZE = 1.2  # in spreads of the noise
DAY_S = 86_400.0
MOST = 12
CLEARLY = 0.9


@dataclass(frozen=True, slots=True)
class ChangePoint:
    """The level changed by `size`; `onset`: the row at which that began, `done`: where it was reached."""

    onset: int
    done: int
    size: float
    ramp: bool
    score: float


def change_points(values: Array, step_s: float) -> tuple[ChangePoint, ...]:
    """The changes of level of a series, in order."""
    if np.count_nonzero(~np.isnan(values)) < 48:
        return ()
    rest = deseasoned_by_start(filled(values), step_s)
    least = max(6, round(3600.0 / step_s))
    noise = _noise(rest, least)
    if noise == 0.0:
        return ()
    memory = _memory(rest, least)
    splits: list[tuple[int, float]] = []
    _split(rest, 0, rest.size, (memory, least, noise), splits)
    return tuple(_told(rest, sorted(splits), least, noise))


def deseasoned_by_start(values: Array, step_s: float) -> Array:
    """Values less the hourly medians of the first two days, where there are three days and it helps."""
    day = round(DAY_S / step_s)
    if values.size < 3 * day:
        return values
    bins = (np.arange(values.size) % day) * 24 // day
    begin = values[: 2 * day]
    level = np.array([np.median(begin[bins[: 2 * day] == hour]) for hour in range(24)])
    centre = (np.arange(24) + 0.5) * day / 24
    place = np.arange(day)
    turn = np.interp(place, centre, level, period=day)
    rest = values - np.tile(turn, values.size // day + 1)[: values.size]
    calmer = spread(np.diff(rest[::6])) < 1.1 * spread(np.diff(values[::6]))
    return rest if calmer and spread(rest[: 2 * day]) < 0.8 * spread(begin) else values


def _noise(rest: Array, least: int) -> float:
    """The spread around a running middle of a few hours."""
    return spread(_local(rest, least))


def _local(rest: Array, least: int) -> Array:
    width = 6 * least
    parts = [rest[first : first + width] for first in range(0, rest.size, width)]
    return np.concatenate([part - middle(part) for part in parts])


def _memory(rest: Array, least: int) -> float:
    """By how much autocorrelation widens a running sum."""
    local = np.clip(_local(rest, least), -4 * _noise(rest, least), 4 * _noise(rest, least))
    power = float(local @ local)
    lag = float(local[1:] @ local[:-1]) / power if power else 0.0
    lag = min(0.97, max(0.0, lag + 0.02))
    return float(np.sqrt((1 + lag) / (1 - lag)))


def _split(
    rest: Array, first: int, last: int, about: tuple[float, int, float], found: list[tuple[int, float]]
) -> None:
    """The strongest change of a stretch, then of both sides."""
    memory, least, noise = about
    size = last - first
    if size < 3 * least or len(found) >= MOST:
        return
    ranks = np.argsort(np.argsort(rest[first:last], kind="stable"), kind="stable") + 0.5
    sums = np.cumsum(ranks / size - 0.5) * np.sqrt(12.0)
    inner = np.abs(sums[least:-least]) / np.sqrt(size) / memory
    share = np.arange(least + 1, size - least + 1) / size
    scores = np.maximum(inner / BAR, inner / np.sqrt(share * (1.0 - share)) / EDGE_BAR)
    place, score = int(np.argmax(scores)) + least, float(scores.max())
    if score < 1.0:
        return
    here = first + place + 1
    before, after = rest[max(first, here - 12 * least) : here], rest[here : min(last, here + 12 * least)]
    if abs(middle(after) - middle(before)) < LEAST_SIZE * noise:
        return
    found.append((here, score))
    _split(rest, first, here, about, found)
    _split(rest, here, last, about, found)


def _told(rest: Array, splits: list[tuple[int, float]], least: int, noise: float) -> list[ChangePoint]:
    """Each change with its begin; the splits that one long ramp gives are one change."""
    edges = [0, *(row for row, _ in splits), rest.size]
    found: list[ChangePoint] = []
    for number, (row, score) in enumerate(splits):
        low = max(edges[number], row - 12 * least)
        high = min(edges[number + 2], row + 12 * least)
        begin, done, size = _shape(rest[low:high], row - low)
        if abs(size) < LEAST_SIZE * noise:
            continue
        ramp = done - begin > 3
        onset = low + begin
        if found and found[-1].size * size > 0 and onset <= found[-1].done + least:
            found[-1] = ChangePoint(found[-1].onset, low + done, found[-1].size + size, True, score)
            continue
        found.append(ChangePoint(onset, low + done, size, ramp, score))
    return found


def _shape(part: Array, row: int) -> tuple[int, int, float]:
    """The best level-line-level: where the line begins and ends, and the size. A step unless a line is
    clearly better.
    """
    width = part.size
    step_gain, step_at, step_size = _best_step(part)
    begins = np.unique(np.linspace(0, min(width - 2, row + 4), 36).astype(np.int64))
    best = _best_ramp(part, begins, np.unique(np.linspace(1, width - 1, 36).astype(np.int64)))
    for step in (max(1, width // 36), 3):
        around = np.arange(-step, step + 1, max(1, step // 4))
        knots = [np.unique(np.clip(best[side] + around, side, width - 2 + side)) for side in (0, 1)]
        best = _best_ramp(part, *knots)
    whole = float(np.sum((part - part.mean()) ** 2))
    if best[1] - best[0] < 6 or whole - best[3] > CLEARLY * (whole - step_gain):
        return step_at, step_at, step_size
    return best[0], best[1], best[2]


def _best_step(part: Array) -> tuple[float, int, float]:
    """The split into two levels that explains most: its gain, its row, its size."""
    size = part.size
    sums = np.cumsum(part)[:-1]
    count = np.arange(1, size)
    low, high = sums / count, (float(part.sum()) - sums) / (size - count)
    gain = (high - low) ** 2 * count * (size - count) / size
    edge = 2
    best = int(np.argmax(gain[edge:-edge])) + edge
    return float(gain[best]), best + 1, float(high[best] - low[best])


def _best_ramp(part: Array, begins: Rows, ends: Rows) -> tuple[int, int, float, float]:
    """The best of some knots: begin, end, size, and what it explains."""
    first, last = (each.reshape(-1) for each in np.meshgrid(begins, ends))
    keep = last > first
    first, last = first[keep], last[keep]
    shape = np.clip((np.arange(part.size)[None, :] - first[:, None]) / (last - first)[:, None], 0.0, 1.0)
    x = shape - shape.mean(axis=1, keepdims=True)
    y = part - part.mean()
    power = np.maximum(np.sum(x * x, axis=1), 1e-9)
    gain = (x @ y) ** 2 / power
    best = int(np.argmax(gain))
    return int(first[best]), int(last[best]), float((x[best] @ y) / power[best]), float(gain[best])


def begun(onset: int, size: float, points: tuple[ChangePoint, ...], reach: int) -> int:
    """The onset of a lasting change as a change point of its sign near it knows it; else as it is."""
    near = [one for one in points if one.size * size > 0 and abs(one.onset - onset) <= reach]
    return min(near, key=lambda one: abs(one.onset - onset)).onset if near else onset
