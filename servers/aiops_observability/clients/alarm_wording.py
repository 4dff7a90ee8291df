"""Groups of alarms in words and rows: what their members share, and what stands in a table.

Called by `alarm_reading`. Names of alarms and labels are foreign text; the answer names the tables and causes
as untrusted.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from aiops_observability.analysis.alert_classes import AlertGroup, Fired
from aiops_observability.clients.alarm_topology import Mapped
from aiops_observability.models.alarms import Alarm
from aiops_shared.results import Cell
from aiops_shared.results.wording import brief, counted, quotable

GROUP_COLUMNS = ("group", "class", "severity", "alarms", "firing", "since", "first", "where", "also")
ALARM_COLUMNS = ("name", "source", "state", "severity", "since", "threshold", "value", "where", "class")
NAME_CHARACTERS, SHOWN_NAMES = 80, 3
SECURITY = "guardduty"


def at(when: datetime) -> str:
    """A moment as a row has it, UTC."""
    return f"{when:%Y-%m-%dT%H:%MZ}"


def group_row(group: AlertGroup) -> tuple[Cell, ...]:
    """A group as a row: how many, since when, what came first, what else."""
    first = group.first
    return (
        group.number,
        group.noise,
        group.severity,
        len(group.members),
        group.firing,
        at(first.episode.since),
        _short(first.alarm.name),
        first.alarm.where.said,
        _also(group),
    )


def _also(group: AlertGroup) -> str:
    """What else is in a group: who else tells a copy, else the other names."""
    if group.noise == "duplicate":
        clusters = {one.alarm.where.cluster for one in group.members}
        return f"{len(clusters)} clusters" if len(clusters) > 1 else "2 systems"
    first = _short(group.first.alarm.name)
    return brief([name for name in _names(group) if name != first], 2)


def alarm_row(one: Fired, group: AlertGroup, columns: Sequence[str]) -> tuple[Cell, ...]:
    """An alarm, or one firing of it, as a row."""
    alarm, over = one.alarm, one.episode.until
    cells: dict[str, Cell] = {
        "name": _short(alarm.name),
        "source": alarm.source,
        "state": "OK" if over else alarm.state,
        "severity": alarm.severity,
        "since": at(one.episode.since),
        "until": at(over) if over else None,
        "threshold": alarm.threshold,
        "value": None if alarm.value is None else float(f"{alarm.value:.6g}"),
        "where": alarm.where.said,
        "cluster": alarm.where.cluster,
        "class": group.noise,
        "group": group.number,
        "muted_by": "; ".join(alarm.muted_by),
        "says": alarm.says,
    }
    return tuple(cells[name] for name in columns)


def cause(group: AlertGroup, map_: Mapped) -> str:
    """What the members of a group have in common, in a sentence; empty where nothing is known."""
    said = _cause(group, map_)
    return f"group {group.number}: {said}" if said else ""


def _cause(group: AlertGroup, map_: Mapped) -> str:
    if group.noise == "flapping":
        return _of_flapping(group)
    if group.noise == "stale":
        return f"{counted(len(group.members), 'alarm')} without data, or firing a day or more unchanged"
    if group.noise == "duplicate":
        return _of_copies(group)
    alarms = group.alarms
    if len(alarms) < 2:
        return _of_security(alarms)
    for say in (_of_node, _of_workload, _of_calls, _of_space):
        if words := say(group, alarms, map_):
            return words + _of_security(alarms)
    return f"{brief(_names(group), SHOWN_NAMES)} began within {_span(group)}{_of_security(alarms)}"


def _of_node(group: AlertGroup, alarms: Sequence[Alarm], map_: Mapped) -> str:
    shared = frozenset.intersection(*(map_.nodes[id(one)] for one in alarms))
    if not shared:
        return ""
    why = next((word for one in alarms if (word := map_.why[id(one)])), "")
    # What suffers first, the node's own alarm last: that is the one to look at.
    names = list(dict.fromkeys(_short(one.name) for one in sorted(alarms, key=_is_of_node)))
    return f"{_listed(names)} share node {min(shared)}{f' ({why})' if why else ''}"


def _of_workload(group: AlertGroup, alarms: Sequence[Alarm], _: Mapped) -> str:
    places = {one.where.said for one in alarms}
    return f"{_told(group)} share {places.pop()}" if len(places) == 1 and places != {""} else ""


def _of_calls(group: AlertGroup, alarms: Sequence[Alarm], map_: Mapped) -> str:
    """Where an incident began, and who of its members suffers from it."""
    order = list(dict.fromkeys(one.alarm.where.workload for one in group.members if one.alarm.where.workload))
    hosts = {node for one in alarms if one.where.node and not one.where.workload for node in [one.where.node]}
    if len(order) < 2:
        return ""
    root = _root(order, map_.calls)
    if hosts and group.first.alarm.where.node in hosts and not group.first.alarm.where.workload:
        return f"began with node {group.first.alarm.where.node}; then {brief(order, SHOWN_NAMES)}"
    callers = [name for name in order if name != root and _calls(map_.calls, name, root)]
    if not callers:
        return ""
    first = next(one.alarm.name for one in group.members if one.alarm.where.workload == root)
    return f"began in {root} ({_short(first)}); its callers {brief(callers, SHOWN_NAMES)} followed"


def _root(order: Sequence[str], calls: Mapping[str, frozenset[str]]) -> str:
    """The service that most of the others call, the earliest of equals."""
    return max(order, key=lambda name: (sum(_calls(calls, one, name) for one in order), -order.index(name)))


def _calls(calls: Mapping[str, frozenset[str]], client: str, server: str) -> bool:
    """Whether a service calls another, directly or over up to two between."""
    edge = {client}
    for _ in range(3):
        edge = {one for near in edge for one in calls.get(near, ())}
        if server in edge:
            return server != client
    return False


def _of_space(group: AlertGroup, alarms: Sequence[Alarm], _: Mapped) -> str:
    spaces = {one.where.namespace for one in alarms}
    if len(spaces) != 1 or spaces == {""}:
        return ""
    return f"{_told(group)} are all in namespace {quotable(spaces.pop())} and began within {_span(group)}"


def _of_security(alarms: Sequence[Alarm]) -> str:
    """A security finding outranks load as the cause of what stands beside it."""
    found = next((one for one in alarms if one.source == SECURITY), None)
    if found is None:
        return ""
    words = (
        f"{_short(found.name)} is a security finding on {quotable(found.where.said or found.where.cluster)}"
    )
    return f"; {words}: look there before scaling" if len(alarms) > 1 else words


def _of_flapping(group: AlertGroup) -> str:
    alarm = group.first.alarm
    times = [one.episode.since for one in group.members]
    hours = max(1.0, (times[-1] - times[0]).total_seconds() / 3600)
    return f"{_short(alarm.name)} came and went {len(times)} times in {hours:.0f} h: its rule needs a wait"


def _of_copies(group: AlertGroup) -> str:
    tellers: dict[str, set[str]] = defaultdict(set)
    for one in group.members:
        tellers["clusters"].add(one.alarm.where.cluster or "(none named)")
        tellers["systems"].add(one.alarm.source)
    kind = "clusters" if len(tellers["clusters"]) > 1 else "systems"
    names = brief(sorted(tellers[kind]), SHOWN_NAMES)
    return f"{_told(group)} told by {len(tellers[kind])} {kind} ({names}): one shared cause, or one rule"


def _is_of_node(alarm: Alarm) -> bool:
    return bool(alarm.where.node) and not alarm.where.workload


def _told(group: AlertGroup) -> str:
    return _listed(_names(group))


def _listed(names: Sequence[str]) -> str:
    return " and ".join(names) if len(names) == 2 else brief(names, SHOWN_NAMES)


def _names(group: AlertGroup) -> list[str]:
    """Each name once, in a fixed order: most members first, then as a person would look for it."""
    counts = Counter(_short(one.alarm.name) for one in group.members)
    return sorted(counts, key=lambda name: (-counts[name], name != _short(group.first.alarm.name), name))


def _span(group: AlertGroup) -> str:
    times = [one.at_s for one in group.members]
    minutes = round((max(times) - min(times)) / 60)
    return f"{minutes} min" if minutes else "a minute"


def _short(name: str) -> str:
    return name if len(name) <= NAME_CHARACTERS else name[: NAME_CHARACTERS - 1] + "…"


def classes_of(groups: Iterable[AlertGroup]) -> dict[str, int]:
    """How many firings each class has."""
    counts: Counter[str] = Counter()
    for group in groups:
        counts[group.noise] += len(group.members)
    return dict(counts)
