"""Anomaly detection counted: events found, false alarms a week, delay, and the precision of the intervals."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from aiops_observability.analysis.anomalies import scanned
from aiops_observability.analysis.robust import Array, filled, spread
from evals.figures import Row
from evals.observability.series import DAY_MIN, KINDS, Metric, metric

FIRST_SEED, EACH, CALM_EACH = 1000, 8, 3
GRACE_ROWS = 5  # after an event's end an alert still counts
ECHO_ROWS = 70  # the way back is no false alarm
WEEK_ROWS = 7 * DAY_MIN
TAUGHT_ROWS = DAY_MIN


@dataclass(slots=True)
class Count:
    """What came out of some series."""

    events: int = 0
    found: int = 0
    false: int = 0
    weeks: float = 0.0
    delays: list[int] = field(default_factory=list)
    missed: Counter[str] = field(default_factory=Counter)
    precision: list[float] = field(default_factory=list)

    @property
    def recall(self) -> float:
        """Share of events that were found."""
        return self.found / max(1, self.events)

    @property
    def alarms(self) -> float:
        """False alarms of a series in a week."""
        return self.false / max(self.weeks, 1e-9)

    def take(self, one: Metric, alerts: list[int]) -> None:
        """Count the alerts of one series."""
        self.weeks += (one.values.size - TAUGHT_ROWS) / WEEK_ROWS
        for event in one.events:
            self.events += 1
            hits = [row for row in alerts if event.first - 1 <= row <= event.last + GRACE_ROWS]
            if hits:
                self.found += 1
                self.delays.append(max(0, hits[0] - event.first))
            else:
                self.missed[event.kind] += 1
        self.false += sum(
            not any(event.first - 2 <= row <= event.last + ECHO_ROWS for event in one.events)
            for row in alerts
        )


def data(seed: int) -> list[Metric]:
    """Series with events, and calm ones."""
    first = FIRST_SEED * seed
    busy = [metric(kind, first + number) for kind in KINDS for number in range(EACH)]
    return busy + [
        metric(kind, first + 500 + number, events=0) for kind in KINDS for number in range(CALM_EACH)
    ]


def ours(series: list[Metric]) -> Count:
    """The product's own scan."""
    found = Count()
    for one in series:
        scan = scanned(one.values, one.step_s)
        found.take(one, [each.alert for each in scan.anomalies])
        if one.events and scan.rarity is not None:
            score = scan.rarity + 20.0 * np.isnan(one.values)
            for each in scan.anomalies:
                score[each.first : each.last + 1] += each.rarity
            found.precision.append(average_precision(score, one))
    return found


def average_precision(score: Array, one: Metric) -> float:
    """The area under precision and recall of points inside events, after the day that only teaches."""
    inside = np.zeros(one.values.size, dtype=bool)
    for event in one.events:
        inside[event.first : event.last + 1] = True
    inside, score = inside[TAUGHT_ROWS:], score[TAUGHT_ROWS:]
    order = np.argsort(-score, kind="stable")
    hits = np.cumsum(inside[order])
    precision = hits / np.arange(1, hits.size + 1)
    return float(np.sum(precision[inside[order]]) / max(1, int(inside.sum())))


def static_score(one: Metric) -> Array:
    """Distance from the middle of the first day, in its spreads: a static threshold at any height."""
    values = filled(one.values)
    begin = values[:TAUGHT_ROWS]
    return np.asarray(np.abs(values - np.median(begin)) / max(spread(begin), 1e-9))


def naive_score(one: Metric) -> Array:
    """Distance from the same minute a day before, in spreads of that distance."""
    values = filled(one.values)
    off = np.abs(values - np.concatenate([values[:DAY_MIN], values[:-DAY_MIN]]))
    return np.asarray(off / max(spread(off[DAY_MIN:]), 1e-9))


def plain(series: list[Metric], score: Callable[[Metric], Array]) -> Count:
    """A baseline at the one bar that gives one false alarm a series and week; quiet for an hour."""
    scored = [(one, score(one)) for one in series]
    low, high = 0.0, 1000.0
    found = Count()
    for _ in range(14):
        bar = np.sqrt((low + 1.0) * (high + 1.0)) - 1.0
        found = Count()
        for one, each in scored:
            found.take(one, _alerts(each, bar))
        low, high = (low, bar) if found.alarms <= 1.0 else (bar, high)
    final = Count()
    for one, each in scored:
        final.take(one, _alerts(each, high))
        if one.events:
            final.precision.append(average_precision(each, one))
    return final


def _alerts(score: Array, bar: float) -> list[int]:
    alerts: list[int] = []
    for row in np.flatnonzero(score > bar):
        if row >= TAUGHT_ROWS and (not alerts or row - alerts[-1] > 60):
            alerts.append(int(row))
    return alerts


def rows(seed: int) -> list[Row]:
    """The rows of the page."""
    series = data(seed)
    found, static, naive = ours(series), plain(series, static_score), plain(series, naive_score)
    delay = float(np.median(found.delays)) if found.delays else float("inf")
    area, area_static, area_naive = (float(np.mean(each.precision)) for each in (found, static, naive))
    missed = ", ".join(f"{kind} {number}" for kind, number in found.missed.most_common()) or "none"
    note = (
        f"Missed: {missed}. One configuration for {len(KINDS)} kinds of metric at one minute; the baselines"
        " get the bar that gives them one false alarm."
    )
    return [
        Row(
            f"events found, {found.events} in {len(series)} series",
            ">= 92 %",
            f"{found.recall:.1%}",
            found.recall >= 0.92,
            f"static {static.recall:.0%}, seasonal naive {naive.recall:.0%}",
            note,
        ),
        Row(
            "false alarms, a series and week",
            "<= 1",
            f"{found.alarms:.2f}",
            found.alarms <= 1.0,
            f"static {static.alarms:.2f}, seasonal naive {naive.alarms:.2f}",
        ),
        Row("delay, median", "<= 3 min", f"{delay:.0f} min", delay <= 3.0),
        Row(
            "area under precision and recall of the intervals",
            "above both baselines",
            f"{area:.2f}",
            area > max(area_static, area_naive),
            f"static {area_static:.2f}, seasonal naive {area_naive:.2f}",
        ),
    ]
