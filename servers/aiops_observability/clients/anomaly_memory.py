"""Memory of a workload's pods: does it grow by itself, and if not, what moves it.

Called by `anomaly_reading`. Restarts, load and limits come with the series (decision D24).
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from aiops_observability.analysis.leaks import LeakVerdict, Track, judge
from aiops_observability.clients.anomaly_changes import KnownChange
from aiops_observability.clients.anomaly_series import Gathered, Signal
from aiops_observability.clients.anomaly_wording import amount, lasting, round4, stamp
from aiops_observability.models.anomalies import MemoryGrowth
from aiops_shared.metrics.series import Values

STATIC = 0.8  # the usual static rule: 80 % of the limit
HOUR_S = 3600.0


@dataclass(frozen=True, slots=True, eq=False)
class MemoryVerdict:
    """The verdict with what it stands on."""

    verdict: LeakVerdict
    onset: datetime
    unit: str
    limit: float | None
    births: tuple[int, ...]  # rows at which some container began anew
    loaded: bool

    @property
    def leaks(self) -> bool:
        """Whether it grows by itself."""
        return self.verdict.kind == "leak"


def memory_verdict(found: Gathered, changes: tuple[KnownChange, ...]) -> MemoryVerdict | None:
    """The verdict; None where no memory was measured."""
    if found.signal("memory") is None:
        return None
    tracks, _ = found.tracks()
    if not tracks:
        return None
    window, limit = found.window, found.limit
    began = window.since
    verdict = judge(
        tracks,
        float(window.step_s),
        load=found.load,
        limit=limit,
        began=began,
        changes_s=[(one.at - began).total_seconds() for one in changes],
    )
    return MemoryVerdict(
        verdict,
        began + timedelta(seconds=verdict.onset_s),
        found.answers["memory"].unit,
        limit,
        births(tracks),
        found.load is not None,
    )


def births(tracks: list[Track]) -> tuple[int, ...]:
    """Rows at which a container began: its pod's first row inside the window, and every restart."""
    rows: set[int] = set()
    for track in tracks:
        seen = np.flatnonzero(~np.isnan(track.values))
        if seen.size and seen[0] > 0:
            rows.add(int(seen[0]))
        rows.update(track.restarts)
    return tuple(sorted(rows))


def growth_of(memory: MemoryVerdict) -> MemoryGrowth:
    """The growth as the answer shows it."""
    verdict, far = memory.verdict, memory.verdict.reach
    static = None
    if far and far.limit and far.rate > 0:
        static = max(0.0, (STATIC * far.limit - far.level) / far.rate)
    return MemoryGrowth(
        grade="confirmed" if verdict.grade == "confirmed" else "suspected",
        rate_bytes_per_h=round4(verdict.rate * HOUR_S) or 0.0,
        onset=stamp(memory.onset),
        held_h=verdict.held_s / HOUR_S,
        score=round(verdict.score, 1),
        trend_z=round(verdict.ranks_z, 1),
        limit_bytes=memory.limit,
        limit_eta_s=_whole(far.expected_s if far else None),
        limit_eta_low_s=_whole(far.low_s if far else None),
        limit_eta_high_s=_whole(far.high_s if far else None),
        static_rule_in_s=_whole(static),
        evidence_by="floor after collections" if verdict.floor else f"slope within {verdict.lives} lives",
    )


def growth_sentence(memory: MemoryVerdict) -> str:
    """The growth in a sentence."""
    verdict, far = memory.verdict, memory.verdict.reach
    rate = amount(verdict.rate * HOUR_S, memory.unit)
    text = (
        f"memory: abnormal increasing trend since {stamp(memory.onset)}, {rate}/h per pod"
        f" ({verdict.grade}; load, hour of day, restarts and warm-up taken out)"
    )
    if far and far.expected_s is not None:
        low = lasting(far.low_s or 0.0)
        high = lasting(far.high_s) if far.high_s is not None else "never"
        text += (
            f"; limit {amount(far.limit or 0.0, memory.unit)} in {lasting(far.expected_s)} ({low} to {high})"
        )
    else:
        text += "; no memory limit is known"
    return text + "."


def class_sentence(memory: MemoryVerdict) -> str:
    """Why memory that moves is no leak; empty where it does not."""
    verdict = memory.verdict
    said = {
        "warmup": f"climbs after a start and levels off (time constant {lasting(verdict.climb_s)})",
        "load_driven": f"follows the requests ({verdict.load_share:.0%} of its movement)",
        "seasonal": f"follows the hour of the day ({verdict.season_share:.0%} of its movement)",
    }.get(verdict.kind, "")
    return f"memory: no leak, it {said}." if said else ""


def unloaded(signal: Signal, load: Values | None) -> Values:
    """Memory less what the requests explain."""
    if load is None:
        return signal.values
    seen = ~np.isnan(signal.values) & ~np.isnan(load)
    if np.count_nonzero(seen) < 20 or float(np.std(load[seen])) == 0.0:
        return signal.values
    slope, _ = np.polyfit(load[seen], signal.values[seen], 1)
    moved = np.where(np.isnan(load), 0.0, load - float(np.mean(load[seen])))
    return np.asarray(signal.values - slope * moved)


def _whole(value: float | None) -> float | None:
    return None if value is None else float(round(value))
