"""Events that say the same, counted together.

Called by the event reader and by the object reader. Both Event APIs are read (core/v1 and events.k8s.io/v1
name their fields differently). Pure.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from aiops_eks.models.fields import Obj, ago, count, items, moment, namespace_of, part, text, word
from aiops_eks.models.log_lines import shape_of
from aiops_shared.results import Table

MESSAGE_CHARS = 180


@dataclass(frozen=True, slots=True)
class Said:
    """One Event object."""

    type: str
    reason: str
    kind: str
    namespace: str
    name: str
    message: str
    count: int
    first: datetime | None
    last: datetime | None

    @property
    def group(self) -> tuple[str, str, str, str, str]:
        """What equal events share: numbers, ids and the object's own name aside."""
        shape = shape_of(self.message.replace(self.name, "<name>") if self.name else self.message)
        return self.type, self.reason, self.kind, self.namespace, shape


@dataclass(frozen=True, slots=True)
class Group:
    """Equal events together; `example` is the newest."""

    example: Said
    count: int
    objects: int
    first: datetime | None
    last: datetime | None

    @property
    def order(self) -> tuple[bool, float]:
        """Warnings first, then the newest."""
        return self.example.type != "Warning", -(self.last.timestamp() if self.last else 0)


def said(event: Obj) -> Said:
    """One Event object as a fact."""
    about = part(event, "involvedObject") or part(event, "regarding")
    firsts = [moment(event, key) for key in ("firstTimestamp", "deprecatedFirstTimestamp", "eventTime")]
    lasts = [
        moment(event, "series", "lastObservedTime"),
        moment(event, "lastTimestamp"),
        moment(event, "deprecatedLastTimestamp"),
        *firsts,
        moment(event, "metadata", "creationTimestamp"),
    ]
    counts = [count(event, "series", "count"), count(event, "count"), count(event, "deprecatedCount"), 1]
    last = next((each for each in lasts if each), None)
    return Said(
        type=word(event, "type") or "Normal",
        reason=word(event, "reason"),
        kind=word(about, "kind"),
        namespace=word(about, "namespace") or namespace_of(event),
        name=word(about, "name"),
        message=text(event, "message") or text(event, "note"),
        count=max(counts),
        first=next((each for each in firsts if each), last),
        last=last,
    )


def grouped(events: Iterable[Said]) -> list[Group]:
    """Equal events together, warnings first, newest first."""
    groups: dict[tuple[str, ...], list[Said]] = {}
    for event in events:
        groups.setdefault(event.group, []).append(event)
    return sorted((_together(each) for each in groups.values()), key=lambda group: group.order)


def _together(events: list[Said]) -> Group:
    newest = max(events, key=lambda event: event.last.timestamp() if event.last else 0)
    return Group(
        example=newest,
        count=sum(event.count for event in events),
        objects=len({(event.namespace, event.name) for event in events}),
        first=min((event.first for event in events if event.first), default=None),
        last=newest.last,
    )


def event_table(groups: Iterable[Group], now: datetime, *, about: bool = True) -> Table:
    """Groups as rows; without the object where it is the same in every row."""
    rows = []
    for group in groups:
        example = group.example
        place = f"{example.namespace}/{example.name}" if example.namespace else example.name
        whom = f"{example.kind} {place}" + (f" and {group.objects - 1} more" if group.objects > 1 else "")
        message = example.message.strip()
        if len(message) > MESSAGE_CHARS:
            message = message[: MESSAGE_CHARS - 1] + "…"
        when = (ago(_since(now, group.last)), ago(_since(now, group.first)))
        rows.append(
            (
                when[0],
                example.type,
                example.reason,
                *((whom,) if about else ()),
                group.count,
                message,
                when[1],
            )
        )
    columns = ("last", "type", "reason", *(("object",) if about else ()), "count", "message", "first")
    return Table(columns=columns, rows=tuple(rows))


def _since(now: datetime, then: datetime | None) -> float | None:
    return None if then is None else (now - then).total_seconds()


def in_force(event: Said, since: datetime) -> bool:
    """Whether it happened in the window; an event without any time is kept."""
    return event.last is None or event.last >= since


def containers_of(spec: Obj) -> list[Obj]:
    """All containers of a pod spec, the ordinary ones first."""
    return [*items(spec, "containers"), *items(spec, "initContainers"), *items(spec, "ephemeralContainers")]
