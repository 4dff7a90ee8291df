"""What an alert is about: since when, until when, against what, and of which shape.

Called by `anomalies` and `change_points`. Onset of a step: the first row past 40 % of it that stays there for
70 % of the rows after it; of a ramp: where a hinge (a level, then a line) fits best.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from aiops_observability.analysis.robust import Array, spread

SHARE, STAYS = 0.4, 0.7
DAY_S = 86_400.0


@dataclass(frozen=True, slots=True)
class Shape:
    """Rows [first, last] off `expected`; `small`: its level hardly moved."""

    kind: Literal["spike", "level_shift", "trend"]
    first: int
    last: int
    expected: float
    seen: float
    band: tuple[float, float]
    small: bool
    inside: bool  # nothing of it left the band


def shape_of(values: Array, alert: int, step_s: float) -> Shape:
    """The shape of what was alerted at a row, with the past of an hour before frozen as what to expect."""
    hour = max(6, round(3600.0 / step_s))
    expected, noise = _expected(values, alert, hour, step_s)
    off = values - expected
    wide = max(3.5 * noise, 1e-12)
    last = _end(off, alert, wide, hour)
    part = off[max(0, alert - 2) : last + 1]
    top = float(part[np.argmax(np.abs(part))])
    lasts = last - alert >= min(hour, max(3, values.size - alert - 2))
    size = float(np.median(off[alert : last + 1])) if lasts else top
    first = step_onset(off, alert, size, hour)
    kind: Literal["spike", "level_shift", "trend"] = "spike"
    if lasts:
        hinge = hinge_onset(values, first, min(last, first + 12 * hour), 3 * hour)
        kind, first = ("trend", hinge) if hinge is not None else ("level_shift", first)
    middle = float(expected[alert])
    seen = float(values[max(0, alert - 2) : last + 1][np.argmax(np.abs(part))])
    return Shape(
        kind,
        first,
        last,
        middle,
        seen,
        (middle - wide, middle + wide),
        abs(size) < 2.0 * noise,
        abs(top) < wide,
    )


def _expected(values: Array, alert: int, hour: int, step_s: float) -> tuple[Array, float]:
    """Days before at this time, moved to the level before the alert; else that level alone."""
    day = round(DAY_S / step_s)
    before = values[max(0, alert - 2 * hour) : max(1, alert - max(2, hour // 6))]
    level = float(np.median(before))
    noise = max(spread(np.diff(values[max(0, alert - day) : alert])) / np.sqrt(2), spread(before), 1e-12)
    flat = np.full(values.size, level)
    if alert < day + hour:
        return flat, noise
    days = min(7, alert // day)
    past = np.stack([_shifted(values, number * day, alert) for number in range(1, days + 1)])
    profile = np.median(past, axis=0)
    here = slice(max(0, alert - 2 * hour), max(1, alert - max(2, hour // 6)))
    moved = float(np.median(values[here] - profile[here]))
    rest = spread(values[here] - profile[here])
    steady = profile + moved
    wander = float(np.median(np.abs(profile[alert - hour : alert + day] - level)))
    return (steady, max(noise, rest)) if wander > noise else (flat, noise)


def _shifted(values: Array, rows: int, alert: int) -> Array:
    """The series as it was some days before; what lies after the alert repeats the days before it."""
    known = values[:alert]
    place = np.arange(values.size) - rows
    while np.any(place >= alert):
        place = np.where(place >= alert, place - rows, place)
    return known[np.clip(place, 0, alert - 1)]


def _end(off: Array, alert: int, wide: float, hour: int) -> int:
    """The last row before most of a quarter of an hour is back inside the band."""
    span = max(6, hour // 4)
    inside = (np.abs(off[alert:]) < wide).astype(np.float64)
    if inside.size <= span:
        return int(off.size - 1 if inside.mean() < 0.5 else alert + int(np.argmax(inside)))
    sums = np.concatenate([[0.0], np.cumsum(inside)])
    calm = np.flatnonzero((sums[span:] - sums[:-span]) / span >= 0.8)
    if not calm.size:
        return int(off.size - 1)
    return int(max(alert, alert + calm[0] - 1))


def step_onset(off: Array, alert: int, size: float, reach: int) -> int:
    """The first row past 40 % of a step of `size` with 70 % of what follows past it too."""
    first, last = max(0, alert - reach), min(off.size, alert + max(3, reach // 4))
    beyond = (off[first:last] * np.sign(size)) > SHARE * abs(size)
    for row in np.flatnonzero(beyond):
        if beyond[row : max(row + 3, alert - first + 1)].mean() >= STAYS:
            return int(first + row)
    return alert


def hinge_onset(values: Array, first: int, last: int, reach: int) -> int | None:
    """Where a ramp begins, by the best level-then-line; None when a step explains it better."""
    low = max(0, first - reach)
    part = values[low : last + 1]
    if part.size < 12:
        return None
    thin = max(1, part.size // 400)
    at = np.arange(0, part.size, thin, dtype=np.float64)
    part = part[::thin]
    starts = np.arange(2, at.size - 4)
    hinge = np.maximum(0.0, at[None, :] - at[starts][:, None])
    left = _left(hinge, part)
    steps = (at[None, :] >= at[starts][:, None]).astype(np.float64)
    step_left = _left(steps, part)
    best = int(np.argmin(left))
    if left[best] > 0.8 * float(step_left.min()):
        return None
    return int(low + at[starts[best]])


def _left(columns: Array, values: Array) -> Array:
    """What a constant and one column leave, for each row of `columns`."""
    x = columns - columns.mean(axis=1, keepdims=True)
    y = values - values.mean()
    power = np.maximum(np.sum(x * x, axis=1), 1e-12)
    return np.asarray(float(y @ y) - (x @ y) ** 2 / power)
