"""What is abnormal in one series, since when, by how much, and how rare that is.

Called by `clients.anomaly_reading`. `scanned` runs the detectors, each with its own budget of false alarms,
merges what they say into anomalies (one for each incident) and tells what each is by comparing what was seen
with what the past lets expect. All decisions are causal; only the end of an anomaly is known later.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from aiops_observability.analysis import detectors
from aiops_observability.analysis.onsets import Shape, shape_of
from aiops_observability.analysis.robust import Array, Flags, filled, spread

Kind = Literal["spike", "level_shift", "trend", "variance", "missing"]
LEAST_ROWS = 60
WEEK_S = 604_800.0
QUIET_S = 3600.0  # one alert for one incident
SLIGHT = 0.05  # of what is expected: less is nobody's trouble
WORSE = 2.0  # alert again inside it only when so many powers of ten rarer


@dataclass(frozen=True, slots=True)
class Anomaly:
    """Rows [first, last] are abnormal; `alert`: the row at which it was known. `rarity`: minus log10 p."""

    kind: Kind
    detector: str
    alert: int
    first: int
    last: int
    expected: float
    seen: float
    band: tuple[float, float]
    rarity: float
    lasts: bool  # still so at the end of the data


@dataclass(frozen=True, slots=True, eq=False)
class Scan:
    """All of one series. `needs`: why nothing was judged. `rarity`: the largest of all detectors, by row."""

    anomalies: tuple[Anomaly, ...]
    tested: tuple[str, ...]
    normal: tuple[str, ...]
    points: int
    missing: float
    needs: str = ""
    rarity: Array | None = None


Scorer = Callable[[Array, float], Array]
SCORERS: Mapping[str, Scorer] = {
    "ewma": lambda values, step_s: detectors.ewma_score(values, step_s)[0],
    "novelty": detectors.novelty_score,
    "features": detectors.features_score,
    "level": detectors.level_score,
    "variance": detectors.variance_score,
}
# False alarms a week that each detector may give: a quick step with days of past lets the residual lead,
# five-minute gauges the novelty of values.
DENSE: Mapping[str, float] = {"ewma": 0.4, "novelty": 0.15, "level": 0.15, "variance": 0.1}
SPARSE: Mapping[str, float] = {
    "ewma": 0.1,
    "novelty": 0.2,
    "features": 0.05,
    "level": 0.08,
    "variance": 0.01,
}


def scanned(values: Array, step_s: float) -> Scan:
    """Every anomaly of a series on a regular grid (NaN: not measured).

    What lies before the first value is no past: filled up it would be one without any noise, and whatever
    came first would be a shift that lasts.
    """
    seen = np.flatnonzero(~np.isnan(values))
    before = int(seen[0]) if seen.size else 0
    found = _scanned(values[before:], step_s)
    if not before:
        return found
    moved = tuple(
        replace(one, alert=one.alert + before, first=one.first + before, last=one.last + before)
        for one in found.anomalies
    )
    rarity = None if found.rarity is None else np.concatenate([np.zeros(before), found.rarity])
    return replace(found, anomalies=moved, rarity=rarity, missing=1.0 - seen.size / values.size)


def _scanned(values: Array, step_s: float) -> Scan:
    seen = int(np.count_nonzero(~np.isnan(values)))
    missing = 1.0 - seen / max(1, values.size)
    warm = warm_rows(values.size, step_s)
    if seen < LEAST_ROWS or values.size - warm < 6:
        needs = f"at least {LEAST_ROWS} measured points of past; {seen} are there"
        return Scan((), (), (), seen, missing, needs)
    gaps = missing_stretches(values)
    whole = filled(values)
    if float(np.ptp(whole)) == 0.0:
        return Scan(gaps, ("missing", "ewma"), ("constant",), seen, missing)
    budgets = DENSE if step_s <= 60 and values.size * step_s >= 3 * 86_400 else SPARSE
    rarity = {name: _rarity(name, whole, step_s, warm) for name in budgets}
    alerts = _alerts(rarity, budgets, step_s, np.isnan(values))
    found = (*gaps, *_merged(alerts, whole, step_s, rarity))
    told = tuple(sorted(found, key=lambda one: one.first))
    kinds = {one.kind for one in told}
    normal = tuple(
        kind for kind in ("spike", "level_shift", "trend", "variance", "missing") if kind not in kinds
    )
    return Scan(told, ("missing", *budgets), normal, seen, missing, "", np.max(list(rarity.values()), axis=0))


def _rarity(name: str, values: Array, step_s: float, warm: int) -> Array:
    taught = 250 if name == "features" else detectors.LEAST_PAST
    return detectors.surprise(SCORERS[name](values, step_s), warm, taught=taught)


def warm_rows(size: int, step_s: float) -> int:
    """Rows that only teach: a day, or a quarter of what there is."""
    return int(max(20, min(86_400.0 / step_s, size / 4)))


@dataclass(frozen=True, slots=True)
class _Alert:
    row: int
    detector: str
    over: float  # powers of ten beyond the detector's own bar
    rarity: float


def _alerts(
    rarity: Mapping[str, Array], budgets: Mapping[str, float], step_s: float, gone: Flags
) -> list[_Alert]:
    found: list[_Alert] = []
    for name, budget in budgets.items():
        bar = float(np.log10(WEEK_S / step_s / budget))
        rows = np.flatnonzero((rarity[name] > bar) & ~gone)
        found += [
            _Alert(int(row), name, float(rarity[name][row]) - bar, float(rarity[name][row])) for row in rows
        ]
    return sorted(found, key=lambda one: one.row)


def _merged(
    alerts: list[_Alert], values: Array, step_s: float, rarity: Mapping[str, Array]
) -> tuple[Anomaly, ...]:
    """One anomaly for the alerts of one incident."""
    quiet = max(3, round(QUIET_S / step_s))
    found: list[Anomaly] = []
    until, worst = -1, 0.0
    for alert in alerts:
        if alert.row <= until and alert.over <= worst + WORSE:
            until = max(until, min(alert.row + quiet, values.size - 1))
            continue
        if alert.row <= until:
            worst = alert.over
            continue
        shape = shape_of(values, alert.row, step_s)
        if _slight(shape, alert.detector):
            continue
        peak = float(rarity[alert.detector][alert.row : alert.row + quiet].max())
        found.append(
            Anomaly(
                kind="variance" if alert.detector == "variance" and shape.small else shape.kind,
                detector=alert.detector,
                alert=alert.row,
                first=shape.first,
                last=shape.last,
                expected=shape.expected,
                seen=shape.seen,
                band=shape.band,
                rarity=peak,
                lasts=shape.last >= values.size - 2,
            )
        )
        until, worst = max(shape.last, alert.row) + quiet, alert.over
    return tuple(found)


def _slight(shape: Shape, detector: str) -> bool:
    """Surprising, and nothing to anybody: inside the band of its own noise, or a few percent."""
    if shape.inside and detector in {"features", "novelty"}:
        return True
    if detector == "variance" and shape.small:
        return False
    return abs(shape.seen - shape.expected) < SLIGHT * abs(shape.expected)


def missing_stretches(values: Array) -> tuple[Anomaly, ...]:
    """Gaps far longer than is usual for the series."""
    gone = np.isnan(values)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], gone, [False]]).astype(np.int8)))
    starts, ends = edges[::2], edges[1::2]
    lengths = ends - starts
    inner = (starts > 0) & (lengths > 0)
    if not np.any(inner):
        return ()
    usual = float(np.quantile(lengths[inner], 0.8)) if lengths.size > 4 else 1.0
    found = []
    for start, end in zip(starts[inner], ends[inner], strict=True):
        if end - start <= max(4.0, 3.0 * usual):
            continue
        past = values[:start]
        middle = float(np.nanmedian(past))
        wide = 3.0 * spread(past)
        found.append(
            Anomaly(
                kind="missing",
                detector="missing",
                alert=int(start + max(4.0, 3.0 * usual)),
                first=int(start),
                last=int(end - 1),
                expected=middle,
                seen=float("nan"),
                band=(middle - wide, middle + wide),
                rarity=float(np.log10(max(10.0, start))),
                lasts=bool(end >= values.size),
            )
        )
    return tuple(found)
