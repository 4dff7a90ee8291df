"""The pods that are not well, with state and cause, equal ones of one owner in one row.

Called by the inventory for `unhealthy_only`. A Table row tells a state; the cause is in the pod, so suspects
are read whole, at most `WINDOW` for one answer, worst first. What neither row nor pod tells (a volume that
cannot be mounted, what a probe heard) one event of one pod of a row tells, where the operator permits it.

Replicas of one owner in the same state for the same cause share a row: sixty broken pods of twenty workloads
are twenty rows, and each pod is still named. A cursor says where the window began and how many of its rows
were shown; the next page reads the window anew, since worst first needs every row.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from itertools import takewhile

from aiops_eks.clients.gathering import gathered
from aiops_eks.clients.inventory_rows import Row, kind_word
from aiops_eks.clients.wording import cut
from aiops_eks.models.fields import Obj, controller_of, namespace_of, text
from aiops_eks.models.health import IMPAIRED, Health, judge_object, without_time
from aiops_eks.models.reasons import Reasons, tells_enough
from aiops_eks.ports import Kube, SensitiveReads
from aiops_shared.errors import AiopsError, NotFoundError
from aiops_shared.kube.models import Kind
from aiops_shared.results import Cell, Table

WINDOW = 100  # pods read whole for one answer
MOST_WINDOWS = 3  # when a whole window proved to be well
MOST_LOOKUPS = 12  # rows whose cause is looked for in events
MOST_ALIKE = 20
CAUSE_CHARS = 100
# (tokens, bytes) of the rows of a default page, and of one that was asked to be longer. The door cuts at
# 4,500 and 36,000 bytes, and what it cuts has no cursor.
ROOM, WIDE_ROOM = (1_180, 3_600), (9_000, 32_000)
_PER_WINDOW = WINDOW + 28  # a cursor's offset: window start times this, plus the rows shown of it
COLUMNS = ("namespace", "name", "alike", "health", "cause", "restarts", "age")
NO_EVENTS = "some causes stand in events only, and sensitive reads are off"


@dataclass(frozen=True, slots=True)
class Suspect:
    """One pod after it was read whole."""

    row: Row
    cause: str = ""
    owner: str = ""
    told: bool = True  # whether the pod itself named its cause

    @property
    def group(self) -> tuple[str, ...]:
        """What equal pods of one owner share; a pod without an owner stands alone."""
        word = self.row.health.word if self.row.health else ""
        return self.row.namespace, self.owner or f"/{self.row.name}", without_time(word), self.cause


@dataclass(frozen=True, slots=True)
class Group:
    """Equal pods of one owner; the worst stands for them."""

    pods: tuple[Suspect, ...]

    @property
    def first(self) -> Suspect:
        """The one whose row it is."""
        return self.pods[0]

    def cells(self) -> tuple[Cell, ...]:
        """The row, by COLUMNS."""
        row = self.first.row
        health = row.health or Health(IMPAIRED, "")
        age = str(row.cells.get("age") or "")
        return row.namespace, row.name, self._alike(), health.word, self.first.cause, health.restarts, age

    def _alike(self) -> str:
        """The endings of the others' names, which differ from the first in nothing else."""
        names = [each.row.name.removeprefix(self.first.owner) for each in self.pods[1:]]
        more = f" and {len(names) - MOST_ALIKE} more" if len(names) > MOST_ALIKE else ""
        return " ".join(names[:MOST_ALIKE]) + more


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page begins: a window of the suspects, and how many of its rows were shown."""

    start: int = 0
    shown: int = 0

    @classmethod
    def at(cls, offset: int) -> "Place":
        """The place that a cursor's offset means."""
        return cls(*divmod(offset, _PER_WINDOW))

    @property
    def offset(self) -> int:
        """The place as a cursor's offset."""
        return self.start * _PER_WINDOW + self.shown


@dataclass(frozen=True, slots=True)
class Page:
    """Rows that fit into one answer."""

    groups: tuple[Group, ...]
    more: int  # how many more pods are unhealthy than the Table said; negative for fewer
    begins: Place = Place()  # where the groups begin: further than asked when whole windows proved to be well
    rest: Place | None = None
    warnings: tuple[str, ...] = ()

    @property
    def rows(self) -> list[Row]:
        """The row of the worst pod of each group."""
        return [group.first.row for group in self.groups]

    def table(self, *, show_namespace: bool) -> Table:
        """The groups as a table."""
        at = 0 if show_namespace else 1
        return Table(columns=COLUMNS[at:], rows=tuple(group.cells()[at:] for group in self.groups))


@dataclass(frozen=True)
class SuspectReader:
    """Reads suspects whole and puts equal ones together."""

    kube: Kube
    kind: Kind
    now: datetime
    sensitive: SensitiveReads
    reasons: Reasons

    async def page(self, rows: Sequence[Row], place: Place, limit: int, *, wide: bool) -> Page:
        """The groups from `place` on; `rows` are the suspects by the Table, worst first."""
        more = 0
        for _ in range(MOST_WINDOWS):
            window = rows[place.start : place.start + WINDOW]
            groups, warnings, change = await self._window(window)
            more += change
            fresh = groups[place.shown :]
            if fresh or place.start + WINDOW >= len(rows):
                break
            place = Place(place.start + WINDOW)
        fitting = _fitting(fresh[:limit], WIDE_ROOM if wide else ROOM)
        rest = None
        if len(fitting) < len(fresh):
            rest = Place(place.start, place.shown + len(fitting))
        elif place.start + WINDOW < len(rows):
            rest = Place(place.start + WINDOW)
        return Page(tuple(fitting), more, place, rest, warnings)

    async def _window(self, rows: Sequence[Row]) -> tuple[list[Group], tuple[str, ...], int]:
        looked = await gathered([partial(self._look, row) for row in rows])
        exact = [
            Suspect(row) if isinstance(each, AiopsError) else each
            for row, each in zip(rows, looked, strict=True)
        ]
        broken = [each for each in exact if each and each.row.badness >= IMPAIRED]
        groups = _together(sorted(broken, key=lambda each: each.row.order))
        groups, warnings = await self._with_events(groups)
        return groups, warnings, len(broken) - sum(row.badness >= IMPAIRED for row in rows)

    async def _look(self, row: Row) -> Suspect | None:
        """The pod read whole; None when it is gone."""
        try:
            pod = await self.kube.get(kind_word(self.kind), row.namespace, row.name)
        except NotFoundError:
            return None
        health = await exact_health(self.kube, self.kind, pod, self.now)
        _, _, owner = controller_of(pod) or ("", "", "")
        return Suspect(
            replace(row, health=health or row.health),
            cut(self.reasons.of(pod), CAUSE_CHARS),
            owner if row.name.startswith(f"{owner}-") else "",
            tells_enough(pod),
        )

    async def _with_events(self, groups: list[Group]) -> tuple[list[Group], tuple[str, ...]]:
        asking = [group for group in groups if not group.first.told][:MOST_LOOKUPS]
        if not asking:
            return groups, ()
        if not self.sensitive.allowed:
            return groups, (NO_EVENTS,)
        await self.sensitive.allow(f"events of {len(asking)} pods")
        told = await gathered([partial(self._in_events, group.first) for group in asking])
        causes = {id(group): cause for group, cause in zip(asking, told, strict=True) if cause}
        missed = [each for each in told if isinstance(each, AiopsError)]
        warnings = (f"events of {len(missed)} pods not read: {missed[0].reason}",) if missed else ()
        return [_caused(group, causes.get(id(group))) for group in groups], warnings

    async def _in_events(self, suspect: Suspect) -> str:
        row = suspect.row
        fields = f"involvedObject.kind=Pod,involvedObject.name={row.name}"
        page = await self.kube.list("events", row.namespace, fields=fields, limit=50)
        return cut(self.reasons.in_events(page.items), CAUSE_CHARS)


async def exact_health(kube: Kube, kind: Kind, obj: Obj, now: datetime) -> Health | None:
    """The judgement of a whole object; a failed pod whose Job then completed is no trouble."""
    health = judge_object(kind.kind, obj, now)
    if not health or not health.unhealthy or text(obj, "status", "phase") != "Failed":
        return health
    _, owner, name = controller_of(obj) or ("", "", "")
    if owner != "Job":
        return health
    job = judge_object("Job", await kube.get("jobs.batch", namespace_of(obj), name), now)
    return Health(job.badness, "failed, its Job completed") if job and not job.badness else health


def _together(suspects: Sequence[Suspect]) -> list[Group]:
    """Equal pods of one owner in one group, in the order of the worst of each."""
    groups: dict[tuple[str, ...], list[Suspect]] = {}
    for suspect in suspects:
        groups.setdefault(suspect.group, []).append(suspect)
    return [Group(tuple(each)) for each in groups.values()]


def _caused(group: Group, cause: str | AiopsError | None) -> Group:
    if not isinstance(cause, str):
        return group
    return Group((replace(group.first, cause=cause), *group.pods[1:]))


@dataclass(slots=True)
class Room:
    """What is left of an answer for rows; the first row is always taken."""

    tokens: int
    size: int  # bytes
    rows: int = 0

    def takes(self, cells: Sequence[Cell]) -> bool:
        """Whether one more row fits; one that does takes its room."""
        self.tokens -= _tokens(cells)
        self.size -= sum(len(str(cell).encode()) + 3 for cell in cells)
        if min(self.tokens, self.size) < 0 and self.rows:
            return False
        self.rows += 1
        return True


def _fitting(groups: Sequence[Group], size: tuple[int, int]) -> list[Group]:
    """As many as the room holds, at least one."""
    room = Room(*size)
    return list(takewhile(lambda group: room.takes(group.cells()), groups))


def _tokens(cells: Sequence[Cell]) -> int:
    """About how many tokens a row costs: generated endings two characters a token, words four."""
    namespace, name, alike, *words = (str(cell) for cell in cells)
    hashed = 17 if name.count("-") > 1 else 6
    plain = len(namespace) + max(0, len(name) - hashed) + sum(map(len, words))
    return round(plain / 4 + (hashed + len(alike)) / 2) + 2 * len(cells)
