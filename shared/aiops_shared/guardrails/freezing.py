"""The kill switch and the freeze windows: no effect while one holds.

Asked before every step, and always the store, so that `eks-aiops freeze on` stops what runs in any process
before its next effect. Windows are world time; switches hold until lifted. The executor keeps its frozen
keys (an action on an owner whose undo failed) in the same table, so that `freeze status` shows them and
`freeze off --scope` lifts them.
"""

from datetime import datetime
from typing import TYPE_CHECKING, Final

from aiops_shared.clock import Clock
from aiops_shared.errors import FrozenError, NotConfiguredError
from aiops_shared.guardrails.redacting import shortened
from aiops_shared.results import Frozen
from aiops_shared.settings import PolicySettings
from aiops_shared.state import StateStore

if TYPE_CHECKING:
    from sqlalchemy import Connection

EVERYTHING: Final = "all"


class Freeze(Frozen):
    """One freeze that holds: a switch (who, since when) or a window (with its end)."""

    scope: str = EVERYTHING  # "all", a cluster, or a key of the executor
    reason: str = ""
    set_by: str = ""
    since: datetime
    until: datetime | None = None

    def __str__(self) -> str:
        why = f": {self.reason}" if self.reason else ""
        if self.until is not None:
            return f"freeze window until {self.until.isoformat()}{why}"
        return f"frozen by {self.set_by} since {self.since.isoformat(timespec='seconds')}{why}"


def windows(settings: PolicySettings) -> tuple[Freeze, ...]:
    """The windows of the settings. Raises `NotConfiguredError` for one that cannot be read."""
    return tuple(_window(text) for text in settings.freeze_windows)


def _window(text: str) -> Freeze:
    start, _, end = text.partition("/")
    try:
        since, until = datetime.fromisoformat(start), datetime.fromisoformat(end)
        ordered = since.tzinfo is not None and until.tzinfo is not None and since < until
    except ValueError:
        ordered = False
    if not ordered:  # a window that is not understood must not be lost
        raise NotConfiguredError(
            "AIOPS_POLICY_FREEZE_WINDOWS",
            f"{text[:80]} is not a window",
            "write FROM/TO in RFC 3339 with a zone, e.g. 2026-12-20T00:00:00Z/2027-01-04T00:00:00Z",
        )
    return Freeze(since=since, until=until, reason="set in AIOPS_POLICY_FREEZE_WINDOWS")


class Freezer:
    """Set and lifted by `eks-aiops freeze`, asked before every step."""

    def __init__(self, store: StateStore, settings: PolicySettings, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._windows = windows(settings)

    async def holding(self, cluster: str = "") -> tuple[Freeze, ...]:
        """Every freeze that holds now; with a cluster, only what stops all of that cluster.

        Raises when the store cannot be read: an unknown freeze is no permission.
        """
        now = await self._clock.now()
        held = [window for window in self._windows if window.until and window.since <= now < window.until]
        return (*held, *await self._store.read(lambda conn: switches(conn, cluster)))

    async def check(self, thing: str, cluster: str) -> None:
        """Raise `FrozenError` when a freeze holds for all of the cluster."""
        for freeze in await self.holding(cluster):
            raise FrozenError(thing, str(freeze), "wait, or ask whoever froze: eks-aiops freeze status")

    async def freeze(self, by: str, reason: str = "", scope: str = EVERYTHING) -> None:
        """Stop every effect in the scope, from the next step on, in all processes on this store."""
        row = {
            "scope": scope,
            "reason": shortened(reason, 1000),
            "set_by": by,
            "set_at": self._clock.safe_now(),
        }

        def work(conn: "Connection") -> None:
            from aiops_shared.state.schema import freezes

            conn.execute(freezes.insert().values(**row))

        await self._store.run(work)

    async def lift(self, by: str, scope: str = EVERYTHING) -> int:
        """Lift the switches of a scope as `holding` names it; returns how many. Windows are settings."""
        now = self._clock.safe_now()

        def work(conn: "Connection") -> int:
            from aiops_shared.state.schema import freezes

            held = (freezes.c.lifted_at.is_(None)) & (freezes.c.scope == scope)
            return conn.execute(freezes.update().where(held).values(lifted_by=by, lifted_at=now)).rowcount

        return await self._store.run(work)


def switches(conn: "Connection", cluster: str = "") -> tuple[Freeze, ...]:
    """The switches that hold, oldest first, in the caller's transaction; all without a cluster."""
    from aiops_shared.state.schema import freezes

    query = freezes.select().where(freezes.c.lifted_at.is_(None)).order_by(freezes.c.id)
    if cluster:
        query = query.where(freezes.c.scope.in_([EVERYTHING, cluster]))
    return tuple(
        Freeze(scope=row.scope, reason=row.reason, set_by=row.set_by, since=row.set_at)
        for row in conn.execute(query)
    )
