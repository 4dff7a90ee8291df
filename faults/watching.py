"""Looks at one run in the store, again and again: its state, and which process carries it on since when.

What it waits for is agreed to by people, where there are any.
"""

import time
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select

from aiops_shared.errors import AiopsError
from aiops_shared.state import StateStore
from aiops_shared.state.sop_schema import sop_runs
from faults.people import People

ENDED = frozenset({"succeeded", "undone", "escalated", "cancelled", "refused"})


@dataclass(frozen=True)
class Look:
    """One look: when, and what stood there. `over`: nothing more comes."""

    at: float
    state: str = ""
    worker: str = ""
    fence: int = -1
    over: bool = False
    says: str = ""


@dataclass
class Watch:
    """Every change of the first run of a store."""

    store: StateStore
    ended: frozenset[str] = ENDED
    seen: list[Look] = field(default_factory=list)
    helpers: People | None = None

    @property
    def last(self) -> Look:
        """As it stood last."""
        return self.seen[-1] if self.seen else Look(time.monotonic())

    @property
    def open_s(self) -> float:
        """How long it was open."""
        return self.seen[-1].at - self.seen[0].at if self.seen else 0.0

    async def look(self) -> Look:
        """Look once; a store that is away shows nothing new."""
        try:
            row = await self.store.read(_run)
        except AiopsError:
            return self.last
        if row is not None:
            now = Look(time.monotonic(), row.state, row.worker, row.fence, row.state in self.ended, row.says)
            before = self.last
            if (now.state, now.worker, now.fence) != (before.state, before.worker, before.fence):
                self.seen.append(now)
        return self.last

    async def help(self) -> None:
        """Whatever it waits for is agreed to."""
        if self.helpers is not None and self.last.state == "waiting":
            await self.helpers.help()

    def taken_after(self, died_at: float) -> float | None:
        """Seconds from a death until another process had the run; None where nobody carried it then."""
        then = [one for one in self.seen if one.at <= died_at]
        if not then or not then[-1].worker:
            return None
        later = [one for one in self.seen if one.at > died_at and one.worker not in {"", then[-1].worker}]
        return later[0].at - died_at if later else None


def _run(conn: Any) -> Any:
    columns = (sop_runs.c.state, sop_runs.c.worker, sop_runs.c.fence, sop_runs.c.says)
    query = select(*columns).where(sop_runs.c.parent_id.is_(None) | (sop_runs.c.parent_id == ""))
    return conn.execute(query.order_by(sop_runs.c.created_at).limit(1)).first()
