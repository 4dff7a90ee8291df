"""How often the same change happened already, over all servers and processes and through restarts (D9).

The policy holds the numbers (3 an hour, 5 a day, ...); this room only counts. The gate counts, judges and
reserves in the one transaction that starts an action, so that two processes cannot both be the third.

Windows are world time. A clock that jumps back never lowers a count (D19): an occurrence is counted at the
latest time seen for its key, and windows end there.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from aiops_shared.guardrails.models import Limits
from aiops_shared.state import StateStore

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Connection

MINUTE: Final = timedelta(minutes=1)
HOUR: Final = timedelta(hours=1)
DAY: Final = timedelta(days=1)
KEPT: Final = timedelta(days=8)


class LimitCounter:
    """Counts occurrences of (action, owner) and of the caller. `owner` leads with its cluster."""

    async def counted(
        self, store: StateStore, action: str, owner: str, caller: str, world_now: datetime
    ) -> Limits:
        """The counts so far, in a transaction of their own."""
        return await store.read(lambda conn: self.counted_in(conn, action, owner, caller, world_now))

    def counted_in(
        self, conn: "Connection", action: str, owner: str, caller: str, world_now: datetime
    ) -> Limits:
        """The counts so far, in the windows that end at `world_now`.

        In a write transaction no other process can count until it ends.
        """
        _alone(conn)
        same, by = _same(action, owner), _by(caller)
        end, caller_end = _latest(conn, same, world_now), _latest(conn, by, world_now)
        return Limits(
            same_1h=_actions_since(conn, same, end - HOUR),
            same_24h=_actions_since(conn, same, end - DAY),
            caller_1m=_actions_since(conn, by, caller_end - MINUTE),
            caller_1h=_actions_since(conn, by, caller_end - HOUR),
        )

    def reserve_in(
        self,
        conn: "Connection",
        action: str,
        owners: Iterable[str],
        caller: str,
        action_id: str,
        world_now: datetime,
    ) -> None:
        """Count one more, once per owner; `conn` is the transaction that starts the action.

        An action that is resumed is not counted again.
        """
        from aiops_shared.state.schema import limits

        _alone(conn)
        for owner in dict.fromkeys(owners):
            same = _same(action, owner)
            if action_id and _known(conn, same & (limits.c.action_id == action_id)):
                continue
            counted_at = max(_latest(conn, same, world_now), _latest(conn, _by(caller), world_now))
            conn.execute(limits.delete().where(same & (limits.c.counted_at < counted_at - KEPT)))
            row = {"action": action, "owner": owner, "caller": caller, "action_id": action_id}
            conn.execute(limits.insert().values(**row, world_at=world_now, counted_at=counted_at))


def _alone(conn: "Connection") -> None:
    """PostgreSQL: one start at a time. SQLite's write transactions exclude each other anyway."""
    from aiops_shared.state.times import exclusive

    if conn.get_execution_options().get("aiops_write"):
        exclusive(conn, "limits")


def _same(action: str, owner: str) -> "ColumnElement[bool]":
    from aiops_shared.state.schema import limits

    return (limits.c.action == action) & (limits.c.owner == owner)


def _by(caller: str) -> "ColumnElement[bool]":
    from aiops_shared.state.schema import limits

    return limits.c.caller == caller


def _known(conn: "Connection", which: "ColumnElement[bool]") -> bool:
    from aiops_shared.state.schema import limits

    return conn.execute(limits.select().where(which).limit(1)).first() is not None


def _latest(conn: "Connection", which: "ColumnElement[bool]", now: datetime) -> datetime:
    """The end of the windows: now, or the latest counted time when the clock was set back."""
    from sqlalchemy import func, select

    from aiops_shared.state.schema import limits

    found: datetime | None = conn.execute(select(func.max(limits.c.counted_at)).where(which)).scalar_one()
    return now if found is None else max(now, found)


def _actions_since(conn: "Connection", which: "ColumnElement[bool]", start: datetime) -> int:
    """Actions, not targets: one action on ten owners is one call of its caller."""
    from sqlalchemy import case, cast, func, select
    from sqlalchemy.types import String

    from aiops_shared.state.schema import limits

    row = cast(limits.c.id, String)
    action = case((limits.c.action_id == "", row), else_=limits.c.action_id)
    query = select(func.count(func.distinct(action))).where(which & (limits.c.counted_at > start))
    found: int = conn.execute(query).scalar_one()
    return found
