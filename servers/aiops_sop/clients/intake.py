"""The queue of events in the state store: bounded, deduplicated, lost by no kill.

Fulfils `ports.Intake`. An event that is let in is committed before its sender is answered. Of the same
fingerprint one event waits and the others are counted; many different ones of one cluster within a minute
are one incident. A row is queued, then taken by a process under a lease, then done; what a dead process
took is taken again when its lease is over, and everything after that is safe to do twice.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

import anyio
from sqlalchemy import Connection, bindparam, func, or_, select, update

from aiops_shared.clock import Clock
from aiops_shared.errors import QueueFullError
from aiops_shared.guardrails import Caller
from aiops_shared.guardrails.canonical import canonical
from aiops_shared.guardrails.ids import new_id
from aiops_shared.guardrails.redacting import redact_tree
from aiops_shared.guardrails.safety_time import safe_now
from aiops_shared.settings import EventsSettings
from aiops_shared.state import StateStore
from aiops_shared.state.sop_schema import events, incidents
from aiops_shared.state.times import exclusive
from aiops_sop.analysis.events import fingerprint, normalised
from aiops_sop.clients.held_rights import caller_in, rights_in
from aiops_sop.clients.incident_store import heard_in, live_in, load, open_in, store_in
from aiops_sop.models.events import Event, Taken
from aiops_sop.models.incidents import Incident

LEASE_S: Final = 9.0
STORM_WINDOW: Final = timedelta(seconds=60)
MOST_TRIES: Final = 5
_OF = events.c
# Made once: in a flood, putting these together costs as much as asking them.
_FIRST = (
    select(_OF.id, events.c["count"].label("so_far"))
    .where(_OF.incident_id == bindparam("incident"), _OF.fingerprint == bindparam("which"))
    .order_by(_OF.received_at)
    .limit(1)
)
_COUNTED = update(events).where(_OF.id == bindparam("which")).values(count=events.c["count"] + 1)


@dataclass(frozen=True, slots=True)
class Work:
    """One event that this process took."""

    event_id: str
    incident_id: str
    sender: str
    event: Event
    tries: int
    received_at: datetime
    caller: Caller  # the sender, as an agent with what it held


@dataclass(frozen=True, slots=True)
class _Arriving:
    event: Event
    sender: str
    rights: Mapping[str, str]
    now: datetime
    quiet: timedelta
    storm: int
    queue: int

    @property
    def fingerprint(self) -> str:
        return fingerprint(self.event)

    @property
    def storm_fingerprint(self) -> str:
        return f"storm:{self.event.cluster}"[:64]


@dataclass(frozen=True)
class EventQueue:
    """Takes events in and gives them out."""

    store: StateStore
    clock: Clock
    settings: EventsSettings
    worker: str  # of this process, unique

    async def submit(self, sent: Any, sender: str, held: Caller | None = None) -> Sequence[Taken]:
        """Take what was sent, in one transaction. `held`: with which rights; None for a sender of the token
        file, who has a local caller's. Raises InvalidInputError, QueueFullError.
        """
        found = await anyio.to_thread.run_sync(normalised, sent)
        now = await self.clock.now()
        settings = self.settings
        quiet = timedelta(minutes=settings.quiet_min)

        rights = rights_in("sender", held) if held else {}
        more = (now, quiet, settings.storm, settings.queue)
        arriving = [_Arriving(one, sender[:256], rights, *more) for one in found]

        def folded(conn: Connection) -> list[Taken] | None:
            exclusive(conn, "events")
            known = [live_in(conn, one.fingerprint, now - quiet) for one in arriving]
            pairs = [(one, held) for one, held in zip(arriving, known, strict=True) if held is not None]
            return [_known(conn, *pair) for pair in pairs] if len(pairs) == len(arriving) else None

        def work(conn: Connection) -> list[Taken]:
            exclusive(conn, "events")
            return [_take_in(conn, one) for one in arriving]

        # Most of a flood are repetitions: a count that a power cut may take back, so not flushed to the disk.
        taken = await self.store.run(folded, durable=False)
        return await self.store.run(work) if taken is None else taken

    async def take(self) -> Work | None:
        """The oldest event that waits, or that a dead process left; None when there is none."""

        def work(conn: Connection) -> Work | None:
            now = safe_now(conn, self.clock)
            late = (_OF.state == "taken") & or_(_OF.taken_until.is_(None), _OF.taken_until <= now)
            free = or_(_OF.state == "queued", late)
            query = select(events).where(free).order_by(_OF.received_at, _OF.id).limit(1)
            row = conn.execute(query.with_for_update(skip_locked=True)).one_or_none()
            if row is None:
                return None
            lease = {"taken_by": self.worker, "taken_until": now + timedelta(seconds=LEASE_S)}
            tries = row.tries + 1
            conn.execute(update(events).where(_OF.id == row.id).values(state="taken", tries=tries, **lease))
            body = json.loads(row.body)
            event = Event.model_validate(body["event"])
            caller = caller_in("sender", row, row.sender, "agent")
            return Work(row.id, row.incident_id, row.sender, event, tries, row.received_at, caller)

        return await self.store.run(work)

    async def renew(self, event_id: str) -> bool:
        """Keep it; False when another process took it."""

        def work(conn: Connection) -> bool:
            until = safe_now(conn, self.clock) + timedelta(seconds=LEASE_S)
            mine = (_OF.id == event_id) & (_OF.taken_by == self.worker) & (_OF.state == "taken")
            return conn.execute(update(events).where(mine).values(taken_until=until)).rowcount == 1

        return await self.store.run(work, durable=False)

    async def done(self, event_id: str, *, failed: bool = False) -> None:
        """It is worked off; does nothing when another process has it now."""
        state = "failed" if failed else "done"
        mine = (_OF.id == event_id) & (_OF.taken_by == self.worker)
        change = update(events).where(mine).values(state=state, taken_until=None)
        await self.store.run(lambda conn: conn.execute(change))

    async def give_back(self, event_id: str) -> None:
        """Let another process, or a later try, take it at once."""
        mine = (_OF.id == event_id) & (_OF.taken_by == self.worker) & (_OF.state == "taken")
        change = update(events).where(mine).values(state="queued", taken_by="", taken_until=None)
        await self.store.run(lambda conn: conn.execute(change))

    async def is_over(self, event_id: str) -> bool:
        """Whether nobody has to work on it any more."""
        query = select(_OF.state).where(_OF.id == event_id)
        found = await self.store.read(lambda conn: conn.execute(query).scalar_one_or_none())
        return found not in {"queued", "taken"}

    async def waiting(self) -> int:
        """How many wait or are worked on."""
        query = select(func.count()).select_from(events).where(_OF.state.in_(("queued", "taken")))
        return await self.store.read(lambda conn: int(conn.execute(query).scalar_one()))


def _take_in(conn: Connection, one: _Arriving) -> Taken:
    found = live_in(conn, one.fingerprint, one.now - one.quiet)
    if found is not None:
        return _known(conn, one, found)
    if one.event.state == "resolved":  # of nothing that we know: kept for the record, never acted on
        return _insert(conn, one, "", "done", "resolved")
    if (storm := _storm(conn, one)) is not None:
        return storm
    _require_room(conn, one)
    incident = open_in(conn, one.event, one.fingerprint, one.now)
    return _insert(conn, one, incident.id, "queued", "queued")


def _known(conn: Connection, one: _Arriving, found: Incident) -> Taken:
    """An event of an incident that is open: counted, and the row of the first one stands for it."""
    if one.event.state == "resolved":
        changed = {"state": "resolved", "resolved_at": one.now, "last_event_at": one.now}
        store_in(conn, found.model_copy(update=changed))
        return _count(conn, one, found, "resolved")
    if found.state == "resolved":
        store_in(conn, found.model_copy(update={"state": "open", "resolved_at": None}))
    heard_in(conn, found.id, one.now)
    return _count(conn, one, found, "folded")


def _count(conn: Connection, one: _Arriving, found: Incident, became: Any) -> Taken:
    row = conn.execute(_FIRST, {"incident": found.id, "which": one.fingerprint}).one_or_none()
    if row is None:
        return _insert(conn, one, found.id, "done", became)
    conn.execute(_COUNTED, {"which": row.id})
    return _taken(row.id, found.id, one, became, row.so_far + 1)


def _storm(conn: Connection, one: _Arriving) -> Taken | None:
    """The incident of a storm, when one is on or this event makes it one; what waits still joins it."""
    storm = live_in(conn, one.storm_fingerprint, one.now - one.quiet)
    if storm is not None:
        return _join(conn, one, storm)
    recent = (incidents.c.cluster == one.event.cluster) & (incidents.c.detected_at > one.now - STORM_WINDOW)
    query = select(func.count()).select_from(incidents).where(recent, incidents.c.state != "closed")
    if int(conn.execute(query).scalar_one()) + 1 < one.storm:
        return None
    where = f" in {one.event.cluster}" if one.event.cluster else ""
    title = f"Storm of events{where}: {one.storm} different ones within a minute"
    told = one.event.model_copy(
        update={
            "kind": "Raw",
            "reason": "EventStorm",
            "object_kind": "",
            "name": "",
            "workload": "",
            "node": "",
            "namespace": "",
            "severity": "critical",
        }
    )
    storm = open_in(conn, told, one.storm_fingerprint, one.now, title)
    _insert(
        conn,
        replace(one, event=told),
        storm.id,
        "queued",
        "storm",
    )
    _absorb(conn, one, storm)
    return _join(conn, one, storm)


def _join(conn: Connection, one: _Arriving, storm: Incident) -> Taken:
    """Its own row, so that nothing is lost; equal ones are counted."""
    heard_in(conn, storm.id, one.now)
    return _count(conn, one, storm, "storm")


def _absorb(conn: Connection, one: _Arriving, storm: Incident) -> None:
    """Incidents of the storm that nobody began to work on are part of it."""
    waiting = select(_OF.incident_id).where(_OF.state == "queued", _OF.cluster == one.event.cluster)
    waiting = waiting.where(_OF.received_at > one.now - STORM_WINDOW, _OF.incident_id != storm.id)
    for incident_id in conn.execute(waiting).scalars().all():
        part = load(conn, incident_id)
        decision = {**part.decision, "joined": storm.id}
        store_in(conn, part.model_copy(update={"state": "closed", "decision": decision}))
        heard_in(conn, storm.id, one.now, part.alerts)
        mine = (_OF.incident_id == incident_id) & (_OF.state == "queued")
        conn.execute(update(events).where(mine).values(state="done", incident_id=storm.id))


def _require_room(conn: Connection, one: _Arriving) -> None:
    query = select(func.count()).select_from(events).where(_OF.state.in_(("queued", "taken")))
    waiting = int(conn.execute(query).scalar_one())
    if waiting >= one.queue:
        raise QueueFullError(
            "events",
            f"{waiting} wait, as many as may",
            "send again in a minute; AIOPS_EVENTS_QUEUE is the bound",
        )


def _insert(conn: Connection, one: _Arriving, incident_id: str, state: str, became: Any) -> Taken:
    event_id = new_id("evt_")
    body = redact_tree({"event": one.event.model_dump(mode="json")})
    conn.execute(
        events.insert().values(
            id=event_id,
            at=one.event.at or one.now,
            received_at=one.now,
            sender=one.sender,
            **one.rights,
            source=one.event.source[:64],
            kind=one.event.kind,
            cluster=one.event.cluster[:256],
            fingerprint=one.fingerprint,
            state=state,
            incident_id=incident_id,
            body=canonical(body),
        )
    )
    return _taken(event_id, incident_id, one, became, 1)


def _taken(event_id: str, incident_id: str, one: _Arriving, became: Any, count: int) -> Taken:
    return Taken(
        event_id=event_id, incident_id=incident_id, fingerprint=one.fingerprint, became=became, count=count
    )
