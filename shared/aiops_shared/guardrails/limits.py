"""How often the same change happened already, over all servers and processes and through restarts (D9).

The policy holds the numbers (3 an hour, 5 a day, ...); this room only counts. `reserve` runs in the
transaction that starts the action: the gate judges with what is counted there and rolls back when the answer
is no, so that two processes cannot both be the third.

Windows are world time. A clock that jumps back never lowers a count (D19): an occurrence is counted at the
latest time seen for its key, and windows end there.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from aiops_shared.clock import Clock
from aiops_shared.guardrails.models import ActionName, Limits
from aiops_shared.state import StateStore

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Connection

MINUTE: Final = timedelta(minutes=1)
HOUR: Final = timedelta(hours=1)
DAY: Final = timedelta(days=1)
KEPT: Final = timedelta(days=8)


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One action as the limits see it. `owners`: top controllers of pods, pools of nodes, of all targets."""

    action: ActionName
    cluster: str
    owners: tuple[str, ...]
    caller: str
    action_id: str = ""

    @property
    def keys(self) -> tuple[str, ...]:
        """The owners, told apart by cluster."""
        return tuple(dict.fromkeys(f"{self.cluster}/{owner}" for owner in self.owners))


class LimitCounter:
    """Counts outside of a transaction, for planning; the count that binds is `reserve`'s."""

    def __init__(self, store: StateStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def counted(self, occurrence: Occurrence) -> Limits:
        """How often it happened until now; the worst of all owners."""
        now = await self._clock.now()
        return await self._store.read(lambda conn: count(conn, occurrence, now))


def count(conn: "Connection", occurrence: Occurrence, now: datetime) -> Limits:
    """Earlier occurrences in the windows that end now; the occurrence's own action is left out."""
    same_1h = same_24h = 0
    for key in occurrence.keys:
        seen = _Seen(conn, _same(occurrence, key), now, DAY)
        same_1h = max(same_1h, seen.actions(HOUR, occurrence.action_id))
        same_24h = max(same_24h, seen.actions(DAY, occurrence.action_id))
    by = _Seen(conn, _by(occurrence), now, HOUR)
    return Limits(
        same_1h=same_1h,
        same_24h=same_24h,
        caller_1m=by.actions(MINUTE, occurrence.action_id),
        caller_1h=by.actions(HOUR, occurrence.action_id),
    )


class _Seen:
    """The occurrences of one key in its longest window, read once.

    The windows end now, or at the latest counted time when the clock was set back; that end is never before
    `now`, so what was counted since `now - longest` is all that any of them can hold.
    """

    def __init__(
        self, conn: "Connection", which: "ColumnElement[bool]", now: datetime, longest: timedelta
    ) -> None:
        from sqlalchemy import select

        from aiops_shared.state.schema import limits

        query = select(limits.c.counted_at, limits.c.action_id, limits.c.id)
        self._rows = conn.execute(query.where(which & (limits.c.counted_at > now - longest))).all()
        self._end = max((row.counted_at for row in self._rows), default=now)
        self._end = max(self._end, now)

    def actions(self, window: timedelta, own: str) -> int:
        """Actions, not targets: one action on ten owners is one call of its caller. `own` is left out."""
        start = self._end - window
        found = {row.action_id or row.id for row in self._rows if row.counted_at > start}
        return len(found - {own})


def reserve(conn: "Connection", occurrence: Occurrence, now: datetime) -> Limits:
    """Count the action from now on, once per owner; returns what was counted before it.

    `conn` is the write transaction that starts the action: nobody else counts until it ends. An action that
    is resumed is not counted again.
    """
    from aiops_shared.state.times import exclusive

    exclusive(conn, "limits")
    before = count(conn, occurrence, now)
    for key in occurrence.keys:
        _insert(conn, occurrence, key, now)
    return before


def _insert(conn: "Connection", occurrence: Occurrence, key: str, now: datetime) -> None:
    from aiops_shared.state.schema import limits

    same = _same(occurrence, key)
    if occurrence.action_id:
        known = limits.select().where(same & (limits.c.action_id == occurrence.action_id)).limit(1)
        if conn.execute(known).first() is not None:
            return
    counted_at = max(_latest(conn, same, now), _latest(conn, _by(occurrence), now))
    conn.execute(limits.delete().where(same & (limits.c.counted_at < counted_at - KEPT)))
    conn.execute(
        limits.insert().values(
            action=occurrence.action,
            owner=key,
            caller=occurrence.caller,
            action_id=occurrence.action_id,
            world_at=now,
            counted_at=counted_at,
        )
    )


def _same(occurrence: Occurrence, key: str) -> "ColumnElement[bool]":
    from aiops_shared.state.schema import limits

    return (limits.c.action == occurrence.action) & (limits.c.owner == key)


def _by(occurrence: Occurrence) -> "ColumnElement[bool]":
    from aiops_shared.state.schema import limits

    return limits.c.caller == occurrence.caller


def _latest(conn: "Connection", which: "ColumnElement[bool]", now: datetime) -> datetime:
    """The end of the windows: now, or the latest counted time when the clock was set back."""
    from sqlalchemy import func, select

    from aiops_shared.state.schema import limits

    found: datetime | None = conn.execute(select(func.max(limits.c.counted_at)).where(which)).scalar_one()
    return now if found is None else max(now, found)
