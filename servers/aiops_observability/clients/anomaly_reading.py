"""Anomalies of a metric or a workload: fetch, judge, say since when, how rare, and what was found normal.

Called by the anomaly tool through `ports.Anomalies`. A signal that fails is a warning; other detectors
(`anomaly_voices`) are heard, never needed. Correlating causes is `investigate`'s: here `changes` are given.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np

from aiops_observability.analysis.anomalies import Anomaly, Scan, scanned
from aiops_observability.analysis.change_points import ChangePoint, begun, change_points
from aiops_observability.clients.anomaly_changes import KnownChange, before, known_changes
from aiops_observability.clients.anomaly_memory import (
    MemoryVerdict,
    class_sentence,
    growth_of,
    growth_sentence,
    memory_verdict,
    unloaded,
)
from aiops_observability.clients.anomaly_picture import pictured, watched
from aiops_observability.clients.anomaly_series import (
    TRAFFIC,
    WORKLOAD,
    Gathered,
    Signal,
    gathered,
    step_for,
)
from aiops_observability.clients.anomaly_wording import COLUMNS, lasting, row, sentence, stamp
from aiops_observability.clients.history import Wanted, end_of
from aiops_observability.clients.metric_backends import in_turn
from aiops_observability.models.anomalies import AnomalyAsk, AnomalyReport
from aiops_observability.ports import Metrics
from aiops_shared.clock import Clock
from aiops_shared.errors import InsufficientDataError, InvalidInputError
from aiops_shared.metrics.ports import MetricsBackend, Target
from aiops_shared.metrics.series import Values, Window
from aiops_shared.params import since_to_datetime
from aiops_shared.results import Cell, Evidence, Table

JUDGED = ("memory", "cpu", "errors", "latency_p99", "requests_total")
HELPERS = ("restarts", "requests_total", "memory_limit")
SHOWN, SHOWN_FULL = 6, 40
EXPLAINED_S = 1800.0  # after a start memory and cpu move by themselves
USUAL_ROOM = 0.15  # of the range that memory usually moves in: no collector turns at the same byte
Span = tuple[datetime, datetime]
Voices = Callable[[AnomalyAsk, Span, MetricsBackend], Awaitable[tuple[list[str], list[Evidence]]]]


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """One signal with what was found in it; `explained`: anomalies that a restart accounts for."""

    signal: Signal
    scan: Scan
    anomalies: tuple[Anomaly, ...]
    values: Values
    explained: int = 0

    @property
    def verdict(self) -> str:
        """What it came to."""
        if self.scan.needs:
            return f"not judged: {self.scan.needs}"
        said = "normal"
        if self.anomalies:
            said = f"{len(self.anomalies)} abnormal; no {', '.join(self.scan.normal)}"
        return f"{said}; {self.explained} at restarts, explained" if self.explained else said


@dataclass(frozen=True)
class AnomalyReader:
    """Fulfils `ports.Anomalies`."""

    metrics: Metrics
    clock: Clock
    voices: Voices | None = None

    async def detect(self, ask: AnomalyAsk) -> AnomalyReport:
        """The report. Raises InvalidInputError, InsufficientDataError, and what the backend raises when no
        signal at all could be read.
        """
        wanted = _wanted(ask)
        now = await self.clock.now()
        until = await end_of(ask.until, self.clock)
        since = since_to_datetime(ask.since, until)
        changes = known_changes(ask.changes, now)
        window = Window.over(since, until, step_for(since, until, [name for name, *_ in wanted]))
        read = await in_turn(
            self.metrics,
            (ask.cluster, ask.source),
            lambda backend: gathered(backend, wanted, window),
            named=not ask.query,
        )
        found, backend = read.answer, read.backend
        found.warnings[:0] = read.said
        memory = memory_verdict(found, changes) if "memory" in found.answers else None
        judged = [_judged(one, found, memory) for one in _signals(ask, found)]
        _require(ask, judged, memory)
        said, heard = await self.voices(ask, (since, until), backend) if self.voices else ([], [])
        drawn = [watched(one.signal, one.values, one.anomalies, one.verdict, memory) for one in judged]
        found.warnings += await pictured(_subject(ask), drawn, chart=ask.chart)
        return _report(ask, found, judged, memory, changes, (said, heard))


def _wanted(ask: AnomalyAsk) -> list[tuple[str, str, Target]]:
    """What to ask. Raises InvalidInputError where nothing, or twice, is named."""
    target = Target(ask.namespace, ask.kind, ask.name)
    if ask.query or ask.what:
        Wanted(ask.cluster, ask.source, ask.query, ask.what, target)  # checks both
        first = (ask.what or "query", ask.query, target)
        helpers = HELPERS if ask.what == "memory" and ask.name else ()
        return [first, *((name, "", _target(name, target)) for name in helpers)]
    if not ask.name:
        raise InvalidInputError(
            "detect_anomalies", "nothing to look at", "give query, what, or a workload by kind and name"
        )
    return [(name, "", _target(name, target)) for name in WORKLOAD]


def _target(name: str, target: Target) -> Target:
    """Traffic of a Service is asked by the Service; pods' signals by the workload."""
    if target.kind.lower() in {"service", "svc"} and name not in TRAFFIC:
        return Target(target.namespace, "Deployment", target.name)
    return target


def _signals(ask: AnomalyAsk, found: Gathered) -> list[Signal]:
    names = [ask.what or "query"] if ask.query or ask.what else JUDGED
    return [signal for name in names if (signal := found.signal(name)) is not None]


def _judged(signal: Signal, found: Gathered, memory: MemoryVerdict | None) -> Judged:
    values = signal.values
    if signal.name == "memory" and memory and memory.verdict.kind == "load_driven":
        values = unloaded(signal, found.load)
    scan = scanned(values, float(signal.window.step_s))
    points = change_points(values, float(signal.window.step_s)) if _lasting(scan) else ()
    told = [_begun(signal, one, points) for one in scan.anomalies]
    kept = [one for one in told if not _grown(signal, one, memory)]
    kept = [one for one in kept if not _collected(signal, one, memory)]
    plain = [one for one in kept if not _restarted(signal, one, memory)]
    return Judged(signal, scan, tuple(plain), values, len(kept) - len(plain))


def _lasting(scan: Scan) -> bool:
    return any(one.kind in {"level_shift", "trend"} for one in scan.anomalies)


def _begun(signal: Signal, one: Anomaly, points: tuple[ChangePoint, ...]) -> Anomaly:
    """A lasting change with the onset that the whole series shows; an alert cannot know it."""
    if one.kind not in {"level_shift", "trend"}:
        return one
    reach = max(3, round(7200.0 / signal.window.step_s))
    first = begun(one.first, one.seen - one.expected, points, reach)
    return replace(one, first=first, last=max(first, one.last))


def _grown(signal: Signal, one: Anomaly, memory: MemoryVerdict | None) -> bool:
    """Part of a growth, a warm-up that is told apart."""
    if signal.name != "memory" or memory is None or memory.verdict.kind not in {"leak", "warmup"}:
        return False
    since = memory.verdict.onset_s / signal.window.step_s - 3600.0 / signal.window.step_s
    return one.kind != "missing" and one.last >= since


def _collected(signal: Signal, one: Anomaly, memory: MemoryVerdict | None) -> bool:
    """Memory that soon is as before and no higher or lower than usual: a collector at work, no trouble."""
    if signal.name != "memory" or memory is None or one.kind == "missing":
        return False
    low, high = np.nanquantile(signal.values, (0.02, 0.98))
    room = USUAL_ROOM * (high - low)
    return bool(low - room <= one.seen <= high + room) and not one.lasts


def _restarted(signal: Signal, one: Anomaly, memory: MemoryVerdict | None) -> bool:
    if signal.name not in {"memory", "cpu"} or memory is None or one.kind == "missing":
        return False
    reach = max(2, EXPLAINED_S / signal.window.step_s)
    return any(
        -2 <= one.first - birth <= reach or -2 <= one.alert - birth <= reach for birth in memory.births
    )


def _require(ask: AnomalyAsk, judged: Sequence[Judged], memory: MemoryVerdict | None) -> None:
    if any(not one.scan.needs for one in judged) or (memory and memory.verdict.kind != "thin"):
        return
    needs = judged[0].scan.needs if judged else "a measured signal"
    raise InsufficientDataError(
        f"anomalies of {_subject(ask)}", f"too little to judge by: {needs}", "a longer window, or wait"
    )


def _report(
    ask: AnomalyAsk,
    found: Gathered,
    judged: Sequence[Judged],
    memory: MemoryVerdict | None,
    changes: tuple[KnownChange, ...],
    voices: tuple[list[str], list[Evidence]],
) -> AnomalyReport:
    ranked = sorted(
        ((each.signal, one) for each in judged for one in each.anomalies),
        key=lambda pair: (not pair[1].lasts, -pair[1].first, -pair[1].rarity),
    )
    most = SHOWN_FULL if ask.full else SHOWN
    sentences = [sentence(signal, one) for signal, one in ranked[: most // 2 if not ask.full else most]]
    growth = growth_of(memory) if memory and memory.leaks else None
    if memory is not None:
        first = growth_sentence(memory) if memory.leaks else class_sentence(memory)
        sentences = [text for text in (first, *sentences) if text]
    return AnomalyReport(
        summary=_summary(ask, found, ranked, sentences, growth is not None),
        sentences=tuple(sentences),
        anomalies=Table(columns=COLUMNS, rows=tuple(row(*pair) for pair in ranked[:most])),
        growth=growth,
        memory_class=memory.verdict.kind if memory else "",
        related=_related(found, ranked[:most], memory, changes),
        tested=_tested(judged, found, memory),
        voices=tuple(voices[0]),
        baseline=_baseline(found, memory),
        would_change=_would_change(memory, growth is not None),
        evidence=(*_evidence(judged, memory, ask.full), *voices[1]),
        warnings=tuple(dict.fromkeys(found.warnings)),
        truncated=len(ranked) > most,
        untrusted=("sentences", "anomalies", "related", "voices"),
    )


def _subject(ask: AnomalyAsk) -> str:
    where = "/".join(part for part in (ask.namespace, ask.name) if part)
    return " of ".join(part for part in (ask.what or ask.query[:60], where) if part)


def _summary(
    ask: AnomalyAsk,
    found: Gathered,
    ranked: Sequence[tuple[Signal, Anomaly]],
    sentences: Sequence[str],
    grows: bool,
) -> str:
    head = f"{_subject(ask)}: "
    if not ranked and not grows:
        names = ", ".join(name for name in JUDGED if name in found.answers) or ask.what or "the metric"
        said = f" {sentences[0]}" if sentences else ""
        return f"{head}nothing abnormal in {names} over {lasting(found.window.span_s)}.{said}"[:400]
    more = len(ranked) + grows - 1
    text = sentences[0] if grows or not sentences[0].startswith("memory: no leak") else sentences[-1]
    tail = f" {more} more." if more > 0 else ""
    return f"{head}{text}{tail}"[:400]


def _related(
    found: Gathered,
    ranked: Sequence[tuple[Signal, Anomaly]],
    memory: MemoryVerdict | None,
    changes: tuple[KnownChange, ...],
) -> Table | None:
    """For each onset the changes that may have brought it, nearest first."""
    if not changes:
        return None
    onsets = [(f"{signal.name} {one.kind}", found.window.moment(one.first)) for signal, one in ranked]
    if memory and memory.leaks:
        onsets.insert(0, ("memory trend", memory.onset))
    rows: list[tuple[Cell, ...]] = []
    for what, onset in onsets:
        for rank, change in enumerate(before(changes, onset, 2.0 * found.window.step_s), 1):
            minutes = round((onset - change.at) / timedelta(minutes=1))
            rows.append((what, rank, stamp(change.at), change.says, minutes))
    return Table(columns=("of", "rank", "at", "change", "min before onset"), rows=tuple(rows[:20]))


def _tested(judged: Sequence[Judged], found: Gathered, memory: MemoryVerdict | None) -> Table:
    rows: list[tuple[Cell, ...]] = [
        (each.signal.name, each.scan.points, round(100 * each.scan.missing, 1), each.verdict)
        for each in judged
    ]
    if memory is not None:
        verdict = memory.verdict.grade + " leak" if memory.leaks else f"no leak: {memory.verdict.kind}"
        restarts = len(memory.births)
        rows.append(
            ("memory growth", memory.verdict.rows, None, f"{verdict}; {restarts} starts in the window")
        )
    rows += [(name, 0, 100.0, "not measured") for name in found.absent]
    return Table(columns=("signal", "points", "missing %", "verdict"), rows=tuple(rows))


def _baseline(found: Gathered, memory: MemoryVerdict | None) -> str:
    window = found.window
    text = (
        f"{stamp(window.since)} to {stamp(window.until)} every {lasting(window.step_s)}; each point against"
        " those before it, days before at the same hour calm what comes back; the first day only teaches"
    )
    if memory is not None:
        load = "requests" if memory.loaded else "no load was to be had"
        text += (
            f"; memory: slope within {memory.verdict.lives} container lives, less load ({load}), hour of day"
        )
    return text


def _would_change(memory: MemoryVerdict | None, grows: bool) -> str:
    if grows and memory:
        left = (memory.verdict.confirms_s - memory.verdict.held_s) / 3600.0
        sure = "" if memory.verdict.grade == "confirmed" else f"; {left:.0f} h more of it confirm it"
        load = "" if memory.loaded else "; requests that rise likewise"
        return f"a plateau, or a restart after which it does not grow{load}{sure}"
    if memory and memory.verdict.kind == "warmup":
        return "growth that goes on after the climb should have ended"
    return "an event of a kind that the window never showed; a longer window knows more of what is usual"


def _evidence(judged: Sequence[Judged], memory: MemoryVerdict | None, full: bool) -> tuple[Evidence, ...]:
    """How to repeat it; of signals found normal only on request."""
    told = [one for one in judged if full or one.anomalies or (memory and one.signal.name == "memory")]
    return tuple(
        Evidence(
            source=each.signal.source,
            query=each.signal.query,
            says=f"{each.scan.points} points, {each.scan.missing:.1%} missing"
            + (f"; {each.signal.how}" if each.signal.how else ""),
        )
        for each in told or judged[:1]
    )
