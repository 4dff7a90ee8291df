"""The watch journal: what `eks-aiops forward` saw of a cluster, in the state store for 7 days (D25).

Written by `forwarding`, read by the timeline and by the event reader. What is written follows from how each
object stood when it was last seen, in one transaction with that, so that a restart, a relist after a 410 and
a second forwarder neither lose a change nor write it twice.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from aiops_shared.kube.changes.records import Change, Span, Told
from aiops_shared.kube.changes.views import View, differences, last_state

if TYPE_CHECKING:
    from sqlalchemy import Connection, Row

    from aiops_shared.state.store import StateStore

KEPT = timedelta(days=7)
MOST = 500
STALE = timedelta(seconds=360)  # a forwarder says that it is alive every 300 s
NOT_KEPT = (
    "no watch journal of this cluster is kept: run `eks-aiops forward` beside it, which keeps what was"
    " deleted and old values for 7 days"
)


@dataclass(frozen=True, slots=True)
class Seen:
    """An object as it stands now, ready to be kept."""

    uid: str
    kind: str
    namespace: str
    name: str
    version: str
    view: View
    digest: str
    at: datetime  # when it came to stand so
    made_at: datetime
    client: str = ""
    within_s: int = 0


@dataclass(frozen=True, slots=True)
class KeptEvent:
    """A Warning event; equal ones are counted by the API server already."""

    uid: str
    kind: str
    namespace: str
    name: str
    reason: str
    message: str
    count: int
    first_at: datetime
    last_at: datetime


@dataclass(frozen=True, slots=True)
class Covered:
    """From when until when something was watched; None: never."""

    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True)
class WatchJournal:
    """The journal of every cluster in one store."""

    store: "StateStore"

    # reading

    async def changes(self, cluster: str, span: Span) -> Told:
        """Fulfils the timeline's `Journal`."""

        def read(conn: "Connection") -> tuple[Sequence["Row[Any]"], Covered]:
            from sqlalchemy import select

            from aiops_shared.state.schema import journal_changes as rows

            query = select(rows).where(
                rows.c.cluster == cluster, rows.c.at >= span.since, rows.c.at <= span.until
            )
            for column, word in (
                (rows.c.namespace, span.namespace),
                (rows.c.kind, span.kind),
                (rows.c.name, span.name),
            ):
                query = query.where(column == word) if word else query
            return conn.execute(query.order_by(rows.c.at.desc()).limit(MOST)).all(), _covered(
                conn, cluster, span.kind
            )

        found, covered = await self.store.read(read)
        says = f"{len(found)} kept changes"
        return Told(
            "journal", tuple(map(_change, found)), _gaps(covered, span), f"watch journal of {cluster}", says
        )

    async def events(self, cluster: str, since: datetime, **about: str) -> tuple[list[KeptEvent], Covered]:
        """Warning events kept since then (about namespace, kind, name), and what was watched."""

        def read(conn: "Connection") -> tuple[list[KeptEvent], Covered]:
            from sqlalchemy import select

            from aiops_shared.state.schema import journal_events as rows

            query = select(rows).where(rows.c.cluster == cluster, rows.c.last_at >= since)
            for column, word in about.items():
                query = query.where(rows.c[column] == word) if word else query
            found = conn.execute(query.order_by(rows.c.last_at.desc()).limit(MOST)).all()
            return [_event(row) for row in found], _covered(conn, cluster, "Event")

        return await self.store.read(read)

    # writing

    async def take(self, cluster: str, seen: Sequence[Seen]) -> int:
        """Objects as they stand now; returns how many changes were written."""
        return await self.store.run(
            lambda conn: sum(_take(conn, cluster, one) for one in seen), durable=False
        )

    async def gone(
        self, cluster: str, kind: str, uids: Iterable[str], at: datetime, within_s: int = 0
    ) -> int:
        """These objects are no more; what was not kept before leaves no row."""

        def write(conn: "Connection") -> int:
            return sum(_gone(conn, cluster, kind, uid, at, within_s) for uid in list(uids))

        return await self.store.run(write, durable=False)

    async def settle(self, cluster: str, kind: str, seen: Sequence[Seen], at: datetime) -> int:
        """A whole list of a kind: what is not in it any more was deleted since the kind was last watched.

        The first list of a kind is where the journal begins: it writes no changes.
        """

        def write(conn: "Connection") -> int:
            before = _covered(conn, cluster, kind)
            known = _known(conn, cluster, kind)
            if before.until is None:
                for one in seen:
                    _keep(conn, cluster, one, known=one.uid in known)
                _watched(conn, cluster, kind, at)
                return 0
            late_s = max(0, int((at - before.until).total_seconds()))
            there = {one.uid for one in seen}
            written = sum(_take(conn, cluster, one) for one in seen)
            written += sum(_gone(conn, cluster, kind, uid, at, late_s) for uid in known - there)
            _watched(conn, cluster, kind, at)
            return written

        return await self.store.run(write, durable=False)

    async def alive(self, cluster: str, kind: str, at: datetime) -> None:
        """The kind is watched at this moment; what is too old goes."""

        def write(conn: "Connection") -> None:
            _watched(conn, cluster, kind, at)
            _forget(conn, at - KEPT)

        await self.store.run(write, durable=False)

    async def heard(self, cluster: str, events: Sequence[KeptEvent]) -> None:
        """Keep events; a later word of the same event takes the place of the earlier one."""

        def write(conn: "Connection") -> None:
            from aiops_shared.state.schema import journal_events as rows

            for one in events:
                mine = (rows.c.cluster == cluster) & (rows.c.uid == one.uid)
                values = {name: getattr(one, name) for name in KeptEvent.__slots__}
                conn.execute(rows.delete().where(mine, rows.c.last_at <= one.last_at))
                if conn.execute(rows.select().where(mine)).first() is None:
                    conn.execute(rows.insert().values(cluster=cluster, **values))

        await self.store.run(write, durable=False)


# what stands in the tables


def _take(conn: "Connection", cluster: str, one: Seen) -> int:
    """Keep how the object stands, and the change that lies between; 0 when nothing was changed."""
    from aiops_shared.state.schema import journal_objects as rows

    query = rows.select().where(rows.c.cluster == cluster, rows.c.uid == one.uid)
    before = conn.execute(query).mappings().first()
    if before is not None and before["version"] == one.version:
        return 0
    _keep(conn, cluster, one, known=before is not None)
    if before is None:
        return _write(conn, cluster, one, "create", one.made_at, (), "")
    if before["digest"] == one.digest and one.kind != "Secret":
        return 0  # a status, a heartbeat
    old = json.loads(before["view"])
    what = differences(old, one.view)
    if one.kind == "Secret" and not what:
        what = ("values or labels changed (never kept)",)
    return _write(conn, cluster, one, _verb(old, one.view), one.at, what, before["digest"])


def _verb(old: View, new: View) -> str:
    changed = {path for path in {*old, *new} if old.get(path) != new.get(path)}
    if changed == {"spec.replicas"}:
        return "scale"
    if "spec.unschedulable" in changed:
        return "cordon" if new.get("spec.unschedulable") == "True" else "uncordon"
    return "update"


def _gone(conn: "Connection", cluster: str, kind: str, uid: str, at: datetime, within_s: int) -> int:
    from aiops_shared.state.schema import journal_objects as rows

    mine = (rows.c.cluster == cluster) & (rows.c.uid == uid) & (rows.c.kind == kind)
    before = conn.execute(rows.select().where(mine)).mappings().first()
    if before is None:
        return 0
    conn.execute(rows.delete().where(mine))
    view: dict[str, str] = json.loads(before["view"])
    place = (before["namespace"], before["name"], before["version"])
    one = Seen(uid, kind, *place, view=view, digest="", at=at, made_at=at, within_s=within_s)
    return _write(conn, cluster, one, "delete", at, last_state(view), before["digest"])


def _write(
    conn: "Connection", cluster: str, one: Seen, verb: str, at: datetime, what: tuple[str, ...], before: str
) -> int:
    from aiops_shared.state.schema import journal_changes as rows

    key = {"cluster": cluster, "uid": one.uid, "version": one.version, "verb": verb}
    if conn.execute(rows.select().filter_by(**key)).first() is not None:
        return 0
    values = {
        "kind": one.kind,
        "namespace": one.namespace,
        "name": one.name,
        "at": at,
        "within_s": one.within_s,
    }
    texts = {
        "client": one.client[:256],
        "what": json.dumps(what),
        "digest_before": before,
        "digest_after": one.digest,
    }
    conn.execute(rows.insert().values(**key, **values, **texts))
    return 1


def _keep(conn: "Connection", cluster: str, one: Seen, *, known: bool) -> None:
    from aiops_shared.state.schema import journal_objects as rows

    values = {"version": one.version, "view": json.dumps(dict(one.view)), "digest": one.digest}
    if known:
        conn.execute(rows.update().where(rows.c.cluster == cluster, rows.c.uid == one.uid).values(**values))
        return
    place = {"kind": one.kind, "namespace": one.namespace, "name": one.name}
    conn.execute(rows.insert().values(cluster=cluster, uid=one.uid, **place, **values))


def _known(conn: "Connection", cluster: str, kind: str) -> set[str]:
    from sqlalchemy import select

    from aiops_shared.state.schema import journal_objects as rows

    return set(
        conn.execute(select(rows.c.uid).where(rows.c.cluster == cluster, rows.c.kind == kind)).scalars()
    )


def _watched(conn: "Connection", cluster: str, kind: str, at: datetime) -> None:
    from aiops_shared.state.schema import journal_watches as rows

    mine = (rows.c.cluster == cluster) & (rows.c.kind == kind)
    if conn.execute(rows.update().where(mine).values(seen_at=at)).rowcount == 0:
        conn.execute(rows.insert().values(cluster=cluster, kind=kind, since_at=at, seen_at=at))


def _covered(conn: "Connection", cluster: str, kind: str) -> Covered:
    """The watch of one kind; of all kinds but events where none is named."""
    from aiops_shared.state.schema import journal_watches as rows

    query = rows.select().where(rows.c.cluster == cluster)
    query = query.where(rows.c.kind == kind) if kind else query.where(rows.c.kind != "Event")
    found = conn.execute(query).mappings().all()
    if not found:
        return Covered()
    return Covered(max(row["since_at"] for row in found), min(row["seen_at"] for row in found))


def _forget(conn: "Connection", before: datetime) -> None:
    from aiops_shared.state.schema import journal_changes, journal_events

    conn.execute(journal_changes.delete().where(journal_changes.c.at < before))
    conn.execute(journal_events.delete().where(journal_events.c.last_at < before))


def _gaps(covered: Covered, span: Span) -> tuple[str, ...]:
    if covered.since is None or covered.until is None:
        return (NOT_KEPT,)
    said = []
    if covered.since > span.since:
        said.append(f"kept from {covered.since:%Y-%m-%d %H:%M} UTC on")
    if covered.until < span.until - STALE:
        said.append(f"not kept after {covered.until:%Y-%m-%d %H:%M} UTC: is `eks-aiops forward` running?")
    return tuple(said)


def _change(row: "Row[Any]") -> Change:
    told = row._mapping
    return Change(
        at=told["at"],
        verb=told["verb"],
        kind=told["kind"],
        name=told["name"],
        namespace=told["namespace"],
        what=tuple(json.loads(told["what"])),
        client=told["client"],
        sources=("journal",),
        within_s=float(told["within_s"]),
    )


def _event(row: "Row[Any]") -> KeptEvent:
    return KeptEvent(**{name: row._mapping[name] for name in KeptEvent.__slots__})
