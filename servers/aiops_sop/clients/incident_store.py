"""Incidents in the state store: kept, found again by fingerprint, by cause and by full text.

Fulfils `ports.PastIncidents`. Written by the intake (a new one with its first event, in one transaction) and
by the pipeline (phases, cause, run, end). Everything is redacted before it is written: events carry what
senders wrote.
"""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Row, bindparam, case, func, or_, select, text, update

from aiops_shared.errors import NotFoundError
from aiops_shared.guardrails.canonical import canonical
from aiops_shared.guardrails.ids import new_id
from aiops_shared.guardrails.redacting import redact, redact_tree
from aiops_shared.state import StateStore
from aiops_shared.state.sop_schema import incidents
from aiops_sop.analysis.events import titled, words_of
from aiops_sop.models.events import Event
from aiops_sop.models.incidents import Incident, Past, PhaseDone

MOST_SEARCH: Final = 4_000  # characters of an incident that full text knows
MOST_WORDS: Final = 12  # of a question
MOST_PHASES: Final = 60
_WORD = re.compile(r"[\w.-]{2,64}")
_OF = incidents.c
# One that its sender called off and nobody acted on is the same trouble when it comes again: it flaps.
_FLAPPED = (_OF.state == "resolved") & (_OF.run_id == "")
# Made once: in a flood, putting these together costs as much as asking them.
_LIVE = (
    select(incidents)
    .where(_OF.fingerprint == bindparam("which"), _OF.last_event_at >= bindparam("since"))
    .where(or_(_OF.state.in_(("open", "escalated")), _FLAPPED))
    .order_by(_OF.detected_at.desc())
    .limit(1)
)
_HEARD = (
    update(incidents)
    .where(_OF.id == bindparam("which"))
    .values(alerts=_OF.alerts + bindparam("more"), last_event_at=bindparam("heard_at"))
)


@dataclass(frozen=True)
class IncidentStore:
    """Reads and changes incidents."""

    store: StateStore

    async def get(self, incident_id: str) -> Incident:
        """One. Raises NotFoundError."""
        return await self.store.read(lambda conn: load(conn, incident_id))

    async def similar(
        self,
        *,
        fingerprint: str = "",
        cause: str = "",
        cluster: str = "",
        target: str = "",
        text: str = "",
        without: str = "",
        limit: int = 5,
    ) -> Sequence[Past]:
        """Earlier incidents, best first: the same fingerprint, then the same cause, then full text."""

        def read(conn: Connection) -> list[Past]:
            points: ColumnElement[Any] = case((_OF.fingerprint == (fingerprint or "-"), 1.0), else_=0.0)
            wanted = [_OF.fingerprint == fingerprint] if fingerprint else []
            if cause:
                same = or_(_OF.confirmed_cause == cause, (_OF.confirmed_cause == "") & (_OF.cause == cause))
                near = (_OF.target == target) & (_OF.target != "")
                points = points + case((same & near, 0.9), (same, 0.7), else_=0.0)
                wanted.append(same)
            found: dict[str, Past] = {}
            if wanted:
                query = select(incidents, points.label("score")).where(or_(*wanted))
                rows = query.order_by(points.desc(), _OF.detected_at.desc()).limit(limit + 1)
                found = {row.id: _past(row, min(1.0, row.score)) for row in conn.execute(rows)}
            for row, score in matching(conn, text, limit + 1, cluster) if text else ():
                found.setdefault(row.id, _past(row, score))
            found.pop(without, None)
            ordered = sorted(found.values(), key=lambda one: (-one.score, -one.detected_at.timestamp()))
            return ordered[:limit]

        return await self.store.read(read)

    async def search(self, words: str, limit: int, cluster: str = "") -> Sequence[Past]:
        """Full text, best match first; without words the newest."""

        def read(conn: Connection) -> list[Past]:
            if words.strip():
                return [_past(row, score) for row, score in matching(conn, words, limit, cluster)]
            query = select(incidents).order_by(_OF.detected_at.desc()).limit(limit)
            query = query.where(_OF.cluster == cluster) if cluster else query
            return [_past(row, 0.0) for row in conn.execute(query)]

        return await self.store.read(read)

    async def change(self, incident_id: str, how: Callable[[Incident], dict[str, Any]]) -> Incident:
        """Read one, write what `how` makes of it, in one transaction. Raises NotFoundError."""

        def work(conn: Connection) -> Incident:
            one = load(conn, incident_id, lock=True)
            return store_in(conn, one.model_copy(update=how(one)))

        return await self.store.run(work)

    async def did(self, incident_id: str, done: PhaseDone, **more: Any) -> Incident:
        """Note a phase, once; `more` are further changes of the incident."""

        def add(one: Incident) -> dict[str, Any]:
            if any(each.phase == done.phase for each in one.pipeline):
                return more
            return {**more, "pipeline": (*one.pipeline, done)[:MOST_PHASES]}

        return await self.change(incident_id, add)


def open_in(conn: Connection, event: Event, fingerprint: str, now: datetime, title: str = "") -> Incident:
    """A new incident of this event."""
    one = Incident(
        id=new_id("inc_"),
        fingerprint=fingerprint,
        cluster=event.cluster[:256],
        target=event.place()[:1024],
        title=title or titled(event),
        cause=event.cause,
        onset_at=min(event.at, now) if event.at else None,
        detected_at=now,
        last_event_at=now,
        alerts=event.count if event.source == "aws.guardduty" else 1,
        event=Event.model_validate(redact_tree(event.model_dump(mode="json"))),
    )
    conn.execute(incidents.insert().values(**_values(one), id=one.id))
    return one


def live_in(conn: Connection, fingerprint: str, since: datetime) -> Incident | None:
    """The incident of this fingerprint that still gets events: its newest, not quiet for too long."""
    row = conn.execute(_LIVE, {"which": fingerprint, "since": since}).one_or_none()
    return None if row is None else _incident(row)


def load(conn: Connection, incident_id: str, *, lock: bool = False) -> Incident:
    """One incident inside a transaction. Raises NotFoundError."""
    query = select(incidents).where(_OF.id == incident_id)
    row = conn.execute(query.with_for_update() if lock else query).one_or_none()
    if row is None:
        raise NotFoundError(
            f"incident {incident_id[:40]}", "no incident of that id", "search_incidents lists them"
        )
    return _incident(row)


def store_in(conn: Connection, one: Incident) -> Incident:
    """Write all of an incident."""
    conn.execute(update(incidents).where(_OF.id == one.id).values(**_values(one)))
    return one


def heard_in(conn: Connection, incident_id: str, now: datetime, alerts: int = 1) -> None:
    """Another event of it came."""
    conn.execute(_HEARD, {"which": incident_id, "more": alerts, "heard_at": now})


def matching(conn: Connection, words: str, limit: int, cluster: str = "") -> list[tuple[Row[Any], float]]:
    """Incidents with any of these words, best first, with a score below 0.6.

    Words only: neither database sees operators of its search language from a caller.
    """
    asked = [word.strip(".-") for word in _WORD.findall(words)][:MOST_WORDS]
    asked = list(dict.fromkeys(word for word in asked if word))
    if not asked:
        return []
    ids = _sqlite(conn, asked, limit) if conn.dialect.name == "sqlite" else _postgresql(conn, asked, limit)
    query = select(incidents).where(_OF.id.in_(list(ids)))
    query = query.where(_OF.cluster == cluster) if cluster else query
    rows = {row.id: row for row in conn.execute(query)}
    best = max(ids.values(), default=0.0) or 1.0
    return [(rows[key], round(0.6 * score / best, 3)) for key, score in ids.items() if key in rows]


def _sqlite(conn: Connection, words: list[str], limit: int) -> dict[str, float]:
    asked = " OR ".join(f'"{word}"' for word in words)  # no quote is in a word
    query = text(
        "SELECT id, bm25(incidents_fts) AS rank FROM incidents_fts WHERE incidents_fts MATCH :asked"
        " ORDER BY rank LIMIT :most"
    )
    return {row.id: -row.rank for row in conn.execute(query, {"asked": asked, "most": limit * 4})}


def _postgresql(conn: Connection, words: list[str], limit: int) -> dict[str, float]:
    document = func.to_tsvector(text("'simple'"), _OF.search)
    asked: ColumnElement[Any] = func.plainto_tsquery(text("'simple'"), words[0])
    for word in words[1:]:
        asked = asked.op("||")(func.plainto_tsquery(text("'simple'"), word))
    rank = func.ts_rank(document, asked)
    query = select(_OF.id, rank.label("rank")).where(document.op("@@")(asked))
    rows = conn.execute(query.order_by(rank.desc()).limit(limit * 4))
    return {row.id: float(row.rank) for row in rows}


def _values(one: Incident) -> dict[str, Any]:
    body = redact_tree(one.model_dump(mode="json", include=set(_IN_BODY)))
    event = words_of(one.event) if one.event else ""
    said = (one.title, one.cause, one.confirmed_cause, one.sop, str(one.handoff.get("root_cause", "")), event)
    words = redact(" ".join(word for word in (*said, *one.actions) if word))
    plain = one.model_dump(include=set(_COLUMNS))
    return {**plain, "body": canonical(body), "search": words[:MOST_SEARCH]}


def _incident(row: Row[Any]) -> Incident:
    plain = {name: getattr(row, name) for name in (*_COLUMNS, "id")}
    return Incident.model_validate({**json.loads(row.body), **plain})


def _past(row: Row[Any], score: float) -> Past:
    one = _incident(row)
    return Past(
        incident_id=one.id,
        title=one.title,
        cause=one.confirmed_cause or one.cause,
        state=one.state,
        detected_at=one.detected_at,
        sop=one.sop,
        run_id=one.run_id,
        action="; ".join(one.actions)[:300],
        effective=one.effective,
        score=round(float(score), 3),
    )


_COLUMNS: Final = (
    "fingerprint",
    "cluster",
    "target",
    "title",
    "cause",
    "confirmed_cause",
    "state",
    "run_id",
    "onset_at",
    "detected_at",
    "resolved_at",
    "last_event_at",
    "alerts",
)
_IN_BODY: Final = ("sop", "event", "pipeline", "handoff", "decision", "actions", "effective")
