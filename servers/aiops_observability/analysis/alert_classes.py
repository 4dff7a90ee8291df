"""From alarms to groups: incidents, what flaps, what is told several times, what is stale.

Called by `clients.alarm_reading`. Every firing lands in exactly one group and none is dropped: noise is
named, never muted. Pure: the present moment comes in.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from aiops_observability.analysis.grouping import Firing, Topology, flapping, groups_of
from aiops_observability.models.alarms import Alarm, Episode, Noise
from aiops_shared.results import SEVERITIES, Severity

STALE = timedelta(hours=24)  # firing for so long without any change
TOGETHER_S = 15 * 60.0  # the same alert of other clusters or systems within so long is one alert told twice
ORDER: tuple[Noise, ...] = ("actionable", "duplicate", "flapping", "stale")
# Troubles of the thing itself, which its callers do not show: they have names of their own for what they
# suffer (errors, latency). A name that says neither counts as one that may climb.
_LOCAL = (
    *("crash", "oom", "memory", "disk", "evict", "pending", "restart", "cert", "expir", "job", "node"),
    *("volume", "pvc", "quota", "throttl", "backup", "failedpods", "notready", "replicas", "image"),
    *("config", "reload"),
)
_CLIMBS = ("latency", "error", "5xx", "slo", "burn", "timeout", "availability")


@dataclass(frozen=True, slots=True)
class Fired:
    """One firing of one alarm."""

    alarm: Alarm
    episode: Episode

    @classmethod
    def now(cls, alarm: Alarm) -> "Fired":
        """An alarm as it stands, whatever its state."""
        return cls(alarm, Episode(alarm.since))

    @property
    def at_s(self) -> float:
        """When it began."""
        return self.episode.since.timestamp()

    @property
    def open(self) -> bool:
        """Whether it still fires."""
        return self.episode.until is None


@dataclass(frozen=True, slots=True)
class AlertGroup:
    """Firings that belong together, the first one first."""

    noise: Noise
    members: tuple[Fired, ...]
    number: int = 0

    @property
    def first(self) -> Fired:
        """The one that began it."""
        return self.members[0]

    @property
    def severity(self) -> Severity:
        """The worst of its members'."""
        return min((one.alarm.severity for one in self.members), key=SEVERITIES.index)

    @property
    def firing(self) -> int:
        """How many still fire."""
        return sum(one.open for one in self.members)

    @property
    def alarms(self) -> tuple[Alarm, ...]:
        """Each alarm once."""
        return tuple({id(one.alarm): one.alarm for one in self.members}.values())


@dataclass(frozen=True, slots=True)
class Places:
    """Where each alarm is in the topology; built by `clients.alarm_topology`."""

    topology: Topology
    place_of: Mapping[int, str]  # by id() of the alarm, which lives as long as the question

    def firing(self, one: Fired) -> Firing:
        """The firing as the grouping wants it."""
        place = self.place_of.get(id(one.alarm), "") or one.alarm.key
        return Firing(one.at_s, one.alarm.key, place, climbs(one.alarm.name))


def climbs(name: str) -> bool:
    """Whether callers of a thing may show this kind of alert because of it."""
    low = name.lower()
    return any(word in low for word in _CLIMBS) or not any(word in low for word in _LOCAL)


def classified(
    fired: Sequence[Fired], places: Places, now: datetime, *, past: Sequence[Fired] = ()
) -> list[AlertGroup]:
    """Every firing in a group: actionable groups first, the worst and newest first, numbered from 1.

    `past`: firings that are not asked for but say what flaps.
    """
    restless = flapping([places.firing(one) for one in past or fired])
    flaps: dict[str, list[Fired]] = defaultdict(list)
    stale: list[Fired] = []
    rest: list[Fired] = []
    for one in fired:
        if one.alarm.key in restless:
            flaps[one.alarm.key].append(one)
        elif is_stale(one, now):
            stale.append(one)
        else:
            rest.append(one)
    found = [*_incidents(rest, places), *(_group("flapping", one) for one in flaps.values())]
    if stale:
        found.append(_group("stale", stale))
    found.sort(key=_rank)
    return [replace(group, number=number) for number, group in enumerate(found, 1)]


def is_stale(one: Fired, now: datetime) -> bool:
    """Without data, or firing for a day without any change."""
    if one.alarm.state == "INSUFFICIENT_DATA" and one.open:
        return True
    return one.open and now - one.episode.since >= STALE


def _incidents(fired: Sequence[Fired], places: Places) -> Iterator[AlertGroup]:
    numbers = groups_of([places.firing(one) for one in fired], places.topology)
    groups: dict[int, list[Fired]] = defaultdict(list)
    for one, number in zip(fired, numbers, strict=True):
        groups[number].append(one)
    for members in _told_once(list(groups.values())):
        yield _group("duplicate" if _is_copy(members) else "actionable", members)


def _told_once(groups: Sequence[list[Fired]]) -> Iterator[list[Fired]]:
    """Groups that tell the same of different clusters or systems, at about the same time, as one."""
    shelves: dict[frozenset[tuple[str, ...]], list[list[Fired]]] = defaultdict(list)
    for group in sorted(groups, key=lambda one: min(fired.at_s for fired in one)):
        told = frozenset(one.alarm.fingerprint for one in group)
        shelf = shelves[told]
        if shelf and _same_time(shelf[-1], group) and not _teller(group) & _teller(shelf[-1]):
            shelf[-1].extend(group)
        else:
            shelf.append(list(group))
    for shelf in shelves.values():
        yield from shelf


def _same_time(first: Sequence[Fired], later: Sequence[Fired]) -> bool:
    return min(one.at_s for one in later) - min(one.at_s for one in first) <= TOGETHER_S


def _teller(group: Sequence[Fired]) -> set[tuple[str, str]]:
    return {(one.alarm.where.cluster, one.alarm.source) for one in group}


def _is_copy(members: Sequence[Fired]) -> bool:
    told: dict[tuple[str, ...], set[tuple[str, str]]] = defaultdict(set)
    for one in members:
        told[one.alarm.fingerprint].add((one.alarm.where.cluster, one.alarm.source))
    return all(len(tellers) > 1 for tellers in told.values())


def _group(noise: Noise, members: Sequence[Fired]) -> AlertGroup:
    # The first is told; sources see no finer than a minute, so of one minute the worst is the first.
    def order(one: Fired) -> tuple[float, int, str]:
        return (one.at_s // 60, SEVERITIES.index(one.alarm.severity), one.alarm.name)

    return AlertGroup(noise, tuple(sorted(members, key=order)))


def _rank(group: AlertGroup) -> tuple[int, bool, int, float]:
    return (
        ORDER.index(group.noise),
        not group.firing,
        SEVERITIES.index(group.severity),
        -group.first.at_s,
    )
