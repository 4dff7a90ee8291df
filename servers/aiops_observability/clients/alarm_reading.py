"""The alarms of every source as one answer: read side by side, mapped, grouped, worst first.

Called by `list_alarms` through `ports.Alarms`. A source that fails is a warning while another answers; when
none does, the first failure is the answer. Nothing is muted and nothing is written.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import orjson

from aiops_observability.analysis.alert_classes import AlertGroup, Fired, classified
from aiops_observability.clients.alarm_detection import Detection, Watched
from aiops_observability.clients.alarm_source import AlarmSource, Told, Window
from aiops_observability.clients.alarm_topology import Ground, Mapped, Topologist, mapped
from aiops_observability.clients.alarm_wording import (
    ALARM_COLUMNS,
    GROUP_COLUMNS,
    alarm_row,
    cause,
    classes_of,
    group_row,
)
from aiops_observability.models.alarms import Alarm, AlarmAsk, AlarmList, Source
from aiops_shared.clock import Clock
from aiops_shared.errors import AiopsError, InvalidInputError, NotConfiguredError
from aiops_shared.kube.gathering import gather_outcomes
from aiops_shared.params import since_to_datetime
from aiops_shared.results import SEVERITIES, Cell, Evidence, Table
from aiops_shared.results.cursors import cursor_at, digest, offset_of
from aiops_shared.results.wording import brief, counted, cut

PAST = timedelta(hours=24)  # looked at for flapping even when no history is asked for
OLDEST = timedelta(days=30)  # CloudWatch keeps an alarm's history so long
DEFAULT_ROWS = 50
BYTES, WIDE_BYTES = 4_100, 30_000  # of the whole answer; the door cuts at 4,500 and 36,000
LEAST_ROWS_BYTES = 400
CAUSE_CHARACTERS, MOST_CAUSES = 260, 8
FEW = 12  # so many alarms are listed one by one beside their groups


@dataclass(frozen=True, slots=True)
class AlarmReader:
    """Fulfils `ports.Alarms`."""

    sources: Mapping[Source, AlarmSource]
    topologist: Topologist
    clock: Clock
    detection: Detection

    async def list(self, ask: AlarmAsk) -> AlarmList:
        """The alarms. Raises InvalidInputError before any request, `AiopsError` when no source answers."""
        question = digest(ask.cluster, ask.state, ask.sources, ask.group, ask.history)
        offset = offset_of(ask.cursor, question)
        now = await self.clock.now()
        window = Window(_since(ask, now), now)
        told = await self._told(ask, window)
        found = _Found.of(ask, told, window)
        ground = Ground()
        if ask.group and len(found.fired) > 1:
            ground = await self.topologist.ground(ask.cluster, found.alarms, window)
        map_ = mapped(found.alarms, ground, told.parents, _home(ask.cluster, found.alarms))
        groups = classified(found.fired, map_.places, now, past=found.past)
        watched = await self.detection.read(ask.cluster) if ask.state == "all" else Watched()
        return _Page(ask, found, groups, map_, offset, question).answer(told, ground, watched)

    async def aclose(self) -> None:
        """Close every source."""
        for source in self.sources.values():
            await source.aclose()

    async def _told(self, ask: AlarmAsk, window: Window) -> Told:
        asked = [self._source(name) for name in ask.sources] or list(self.sources.values())
        outcomes = await gather_outcomes(
            lambda source: source.read(ask.cluster, window), asked, at_once=len(asked)
        )
        errors = [one for one in outcomes if isinstance(one, AiopsError)]
        answers = [one for one in outcomes if isinstance(one, Told)]
        if not answers:
            raise errors[0]
        gaps = [
            f"{source.name} is missing: {one}"
            for source, one in zip(asked, outcomes, strict=True)
            if isinstance(one, AiopsError)
        ]
        return _joined(answers, gaps)

    def _source(self, name: Source) -> AlarmSource:
        if name not in self.sources:
            raise NotConfiguredError(
                f"alarms of {name}",
                "it is not configured",
                "set AIOPS_ALERTS_ALERTMANAGER_URL, or AIOPS_METRICS_PROMETHEUS_URL for Prometheus's own",
            )
        return self.sources[name]


def _since(ask: AlarmAsk, now: datetime) -> datetime:
    if not ask.history:
        return now - PAST
    since = since_to_datetime(ask.history, now)
    if since < now - OLDEST:
        raise InvalidInputError(
            "history", "reaches back more than 30 days", "CloudWatch keeps 30 days; ask for less"
        )
    return since


def _joined(answers: Sequence[Told], gaps: Sequence[str]) -> Told:
    return Told(
        tuple(alarm for one in answers for alarm in one.alarms),
        tuple(evidence for one in answers for evidence in one.evidence),
        (*gaps, *(warning for one in answers for warning in one.warnings)),
        {name: children for one in answers for name, children in one.parents.items()},
    )


def _home(cluster: str | None, alarms: Sequence[Alarm]) -> str:
    """The cluster of alarms that name none: the one asked about, else the one that most others name."""
    if cluster:
        return cluster.rpartition("/")[2]
    named = Counter(one.where.cluster for one in alarms if one.where.cluster)
    return named.most_common(1)[0][0] if named else ""


@dataclass(frozen=True, slots=True)
class _Found:
    """What fits the question. `states` counts all alarms; `past` are all firings seen, for flapping."""

    alarms: tuple[Alarm, ...]
    fired: tuple[Fired, ...]
    past: tuple[Fired, ...]
    states: Mapping[str, int]

    @classmethod
    def of(cls, ask: AlarmAsk, told: Told, window: Window) -> "_Found":
        fits = tuple(one for one in told.alarms if _fits(one, ask))
        past = tuple(Fired(one, episode) for one in told.alarms for episode in one.episodes)
        if ask.history:
            over = (Fired(one, episode) for one in fits for episode in one.episodes)
            fired = tuple(one for one in over if _in(one, ask, window))
        else:
            fired = tuple(Fired.now(one) for one in fits)
        counts = Counter(one.state for one in told.alarms)
        alarms = tuple({id(one.alarm): one.alarm for one in fired}.values())
        return cls(alarms, fired, past, {name: counts[name] for name in sorted(counts)})


def _fits(alarm: Alarm, ask: AlarmAsk) -> bool:
    if ask.history and ask.state == "ALARM":
        return True  # by its firings
    return ask.state in {"all", alarm.state}


def _in(one: Fired, ask: AlarmAsk, window: Window) -> bool:
    if ask.state == "ALARM" and one.open and one.alarm.state == "INSUFFICIENT_DATA":
        return False
    return one.episode.until is None or one.episode.until >= window.since


@dataclass(frozen=True, slots=True)
class _Page:
    """One page of the answer."""

    ask: AlarmAsk
    found: _Found
    groups: Sequence[AlertGroup]
    map_: Mapped
    offset: int
    question: str

    def answer(self, told: Told, ground: Ground, watched: Watched) -> AlarmList:
        """The whole answer."""
        rows, columns = self._rows()
        evidence = [*told.evidence, *watched.evidence]
        if ground.says:
            said = ", ".join(ground.says)
            evidence.append(Evidence(source="topology", query="Kubernetes API, Prometheus", says=said))
        answer = AlarmList(
            summary=self._summary(),
            total=len(self.found.fired),
            states=dict(self.found.states),
            classes=classes_of(self.groups),
            causes=self._causes(),
            alarms=self._few() if self.ask.group else None,
            evidence=tuple(evidence),
            detection=dict(watched.numbers),
            warnings=(*told.warnings, *ground.warnings, *watched.warnings),
            hint="" if self.found.fired else _empty(self.ask, self.found),
            untrusted=("groups", "causes", "alarms"),
        )
        left = max(LEAST_ROWS_BYTES, self._bytes - len(orjson.dumps(answer.model_dump())))
        shown = _fitting(rows[self.offset : self.offset + self.ask.limit], left)
        end = self.offset + len(shown)
        more = shown and end < len(rows)
        table = Table(columns=columns, rows=tuple(shown)) if shown else None
        return answer.model_copy(
            update={
                "groups" if self.ask.group else "alarms": table,
                "truncated": bool(more),
                "next_cursor": cursor_at(end, self.question) if more else "",
            }
        )

    @property
    def _bytes(self) -> int:
        return WIDE_BYTES if self.ask.limit > DEFAULT_ROWS else BYTES

    def _causes(self) -> tuple[str, ...]:
        """What the groups of the page share; copies say it in their rows."""
        if not self.ask.group:
            return ()
        page = self.groups[self.offset : self.offset + self.ask.limit]
        told = (cause(one, self.map_) for one in page if one.noise != "duplicate" or len(page) <= FEW)
        found = [cut(one, CAUSE_CHARACTERS) for one in told if one]
        return tuple(found[: MOST_CAUSES if self._bytes == BYTES else self.ask.limit])

    def _rows(self) -> tuple[list[tuple[Cell, ...]], tuple[str, ...]]:
        if self.ask.group:
            return [group_row(one) for one in self.groups], GROUP_COLUMNS
        flat = [(one, group) for group in self.groups for one in group.members]
        flat.sort(key=_rank)
        columns = _columns([one for one, _ in flat], history=bool(self.ask.history))
        return [alarm_row(one, group, columns) for one, group in flat], columns

    def _few(self) -> Table | None:
        """The alarms one by one, where there are few."""
        flat = [(one, group) for group in self.groups for one in group.members]
        if not 0 < len(flat) <= FEW or self.offset:
            return None
        columns = (*_columns([one for one, _ in flat], history=bool(self.ask.history)), "group")
        rows = [alarm_row(one, group, columns) for one, group in flat]
        return Table(columns=columns, rows=tuple(_fitting(rows, self._bytes // 2)))

    def _summary(self) -> str:
        total, history = len(self.found.fired), self.ask.history
        what = "firing" if history else "alarm"
        state = "" if history or self.ask.state == "all" else f" in {self.ask.state}"
        rest = [f"{n} {name}" for name, n in self.found.states.items() if history or name != self.ask.state]
        head = f"{counted(total, what)}{state}{f' since {history}' if history else ''}"
        head += f" (now {', '.join(rest)})" if rest else ""
        if not total or not self.ask.group:
            return cut(f"{head}.")
        classes = Counter(one.noise for one in self.groups)
        kinds = ", ".join(f"{n} {name}" for name, n in classes.items())
        told = [said for one in self.groups[:3] if (said := cause(one, self.map_))]
        return cut(f"{head} in {counted(len(self.groups), 'group')} ({kinds}). {'; '.join(told)}".rstrip())


def _rank(row: tuple[Fired, AlertGroup]) -> tuple[int, bool, int, float]:
    one, group = row
    order = ("actionable", "duplicate", "flapping", "stale").index(group.noise)
    return (order, not one.open, SEVERITIES.index(one.alarm.severity), -one.at_s)


_EXTRA: Mapping[str, Callable[[Fired], object]] = {
    "cluster": lambda one: one.alarm.where.cluster,
    "muted_by": lambda one: one.alarm.muted_by,
    "says": lambda one: one.alarm.says,
}


def _columns(fired: Sequence[Fired], *, history: bool) -> tuple[str, ...]:
    """The usual columns, and those that have something to say here."""
    clusters = {one.alarm.where.cluster for one in fired}
    wanted = {"muted_by"}
    wanted |= {"cluster"} if len(clusters) > 1 else set()
    wanted |= {"says"} if len(fired) <= 5 else set()
    more = [name for name, tells in _EXTRA.items() if name in wanted and any(tells(one) for one in fired)]
    return (*ALARM_COLUMNS, *(("until",) if history else ()), *more)


def _fitting(rows: Sequence[tuple[Cell, ...]], most_bytes: int) -> list[tuple[Cell, ...]]:
    """As many rows as fit, at least one."""
    found: list[tuple[Cell, ...]] = []
    size = 0
    for row in rows:
        size += len(orjson.dumps(row)) + 1
        if found and size > most_bytes:
            break
        found.append(row)
    return found


def _empty(ask: AlarmAsk, found: _Found) -> str:
    there = ", ".join(f"{n} {name}" for name, n in found.states.items()) or "no alarms at all"
    sources = brief(ask.sources) if ask.sources else "every configured source"
    return f"Searched {sources}: {there}. Try state=all, or history=-24h for what fired and is over."
