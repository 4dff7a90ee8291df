"""The kill switch, frozen keys and freeze windows: no effect while one holds.

Asked in the transaction of every intent, from the store and not from memory, so that `eks-aiops freeze on`
stops what runs in any process before its next effect. Windows are world time; switches hold until lifted.
A frozen key is what the executor leaves behind when an undo failed: no more of that action on that owner
until a person looked.
"""

from datetime import datetime
from typing import TYPE_CHECKING, Final

from aiops_shared.clock import Clock
from aiops_shared.errors import FrozenError, NotConfiguredError
from aiops_shared.guardrails.redacting import redact
from aiops_shared.results import Frozen
from aiops_shared.settings import PolicySettings
from aiops_shared.state import StateStore

if TYPE_CHECKING:
    from sqlalchemy import Connection

EVERYTHING: Final = "all"
EXECUTOR: Final = "executor"


def cluster_scope(cluster: str) -> str:
    """The scope of a switch that stops one cluster."""
    return f"cluster {cluster}"


def key_scope(action: str, owner: str) -> str:
    """The scope of one action on one owner."""
    return f"{action} on {owner}"


class Freeze(Frozen):
    """One freeze that holds: a switch (who, since when) or a window (with its end)."""

    scope: str = EVERYTHING
    reason: str = ""
    set_by: str = ""
    since: datetime
    until: datetime | None = None

    def __str__(self) -> str:
        why = f": {self.reason}" if self.reason else ""
        if self.until is not None:
            return f"freeze window until {self.until.isoformat()}{why}"
        what = "" if self.scope == EVERYTHING else f"{self.scope} "
        return f"{what}frozen by {self.set_by} since {self.since.isoformat(timespec='seconds')}{why}"

    @property
    def is_key(self) -> bool:
        """Whether it is about one action on one owner, and not a kill switch."""
        return self.scope != EVERYTHING and not self.scope.startswith("cluster ")

    def stops(self, action: str, owners: frozenset[str]) -> bool:
        """Whether it stops this action; owners lead with their cluster (`CLUSTER:kind namespace/name`)."""
        if self.is_key:
            return any(self.scope == key_scope(action, owner) for owner in owners)
        cluster = self.scope.removeprefix("cluster ")
        return self.scope == EVERYTHING or any(owner.startswith(f"{cluster}:") for owner in owners)


def windows(settings: PolicySettings) -> tuple[Freeze, ...]:
    """The windows of the settings. Raises `NotConfiguredError` for one that cannot be read."""
    return tuple(_window(text) for text in settings.freeze_windows)


def _window(text: str) -> Freeze:
    start, _, end = text.partition("/")
    try:
        since, until = datetime.fromisoformat(start), datetime.fromisoformat(end)
        ordered = since < until and since.tzinfo is not None and until.tzinfo is not None
    except (ValueError, TypeError):
        ordered = False
    if not ordered:  # a window that is not understood must not be lost
        raise NotConfiguredError(
            "AIOPS_POLICY_FREEZE_WINDOWS",
            f"{text[:80]} is not a window",
            "write FROM/TO in RFC 3339 with a zone, e.g. 2026-12-20T00:00:00Z/2027-01-04T00:00:00Z",
        )
    return Freeze(since=since, until=until, reason="set in AIOPS_POLICY_FREEZE_WINDOWS")


class Freezer:
    """Asked before every effect; set by `eks-aiops freeze` and by a failed undo."""

    def __init__(self, store: StateStore, settings: PolicySettings, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._windows = windows(settings)

    def reason_in(
        self, conn: "Connection", action: str, owners: frozenset[str], world_now: datetime, kill_only: bool
    ) -> str:
        """Why nothing may be written now, read in the caller's transaction; empty when it may.

        `kill_only` asks for the kill switch alone: an undo under way is not stopped by a window or by the
        key that it froze itself.
        """
        held = [freeze for freeze in switches(conn) if freeze.stops(action, owners)]
        if kill_only:
            held = [freeze for freeze in held if not freeze.is_key]
        else:
            held += self._open_windows(world_now)
        return str(held[0]) if held else ""

    def freeze_key_in(self, conn: "Connection", action: str, owner: str, reason: str) -> None:
        """No more `action` on `owner` until a person lifts it."""
        _insert(conn, key_scope(action, owner), reason, EXECUTOR, self._clock.safe_now())

    async def holding(self) -> tuple[Freeze, ...]:
        """Every freeze that holds now, for `eks-aiops freeze status`."""
        now = await self._clock.now()
        return (*self._open_windows(now), *await self._store.read(switches))

    async def check(self, thing: str, action: str, owners: frozenset[str]) -> None:
        """Raise `FrozenError` when a freeze holds for this action."""
        now = await self._clock.now()
        reason = await self._store.read(lambda conn: self.reason_in(conn, action, owners, now, False))
        if reason:
            raise FrozenError(thing, reason, "wait, or ask whoever froze: eks-aiops freeze status")

    async def freeze(self, by: str, reason: str = "", scope: str = EVERYTHING) -> None:
        """Stop effects, from the next one on, in all processes on this store."""
        now = self._clock.safe_now()
        await self._store.run(lambda conn: _insert(conn, scope, reason, by, now))

    async def lift(self, by: str, scope: str = EVERYTHING) -> int:
        """Lift the switches of a scope as `holding` names it; returns how many. Windows are settings."""
        now = self._clock.safe_now()

        def work(conn: "Connection") -> int:
            from aiops_shared.state.schema import freezes

            held = (freezes.c.lifted_at.is_(None)) & (freezes.c.scope == scope)
            return conn.execute(freezes.update().where(held).values(lifted_by=by, lifted_at=now)).rowcount

        return await self._store.run(work)

    def _open_windows(self, now: datetime) -> list[Freeze]:
        return [window for window in self._windows if window.until and window.since <= now < window.until]


def switches(conn: "Connection") -> tuple[Freeze, ...]:
    """The switches that hold, oldest first."""
    from aiops_shared.state.schema import freezes

    query = freezes.select().where(freezes.c.lifted_at.is_(None)).order_by(freezes.c.id)
    return tuple(
        Freeze(scope=row.scope, reason=row.reason, set_by=row.set_by, since=row.set_at)
        for row in conn.execute(query)
    )


def _insert(conn: "Connection", scope: str, reason: str, by: str, at: datetime) -> None:
    from aiops_shared.state.schema import freezes

    values = {"scope": scope, "reason": redact(reason)[:1000], "set_by": by, "set_at": at}
    conn.execute(freezes.insert().values(**values))
