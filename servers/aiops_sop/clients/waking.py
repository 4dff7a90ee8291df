"""What open runs wait for, and whether it is there: one look into the store for all of them."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from aiops_shared.clock import Clock
from aiops_shared.guardrails.canonical import canonical
from aiops_shared.guardrails.safety_time import safe_now
from aiops_shared.state import StateStore
from aiops_sop.clients.run_store import LIVE, OPEN

if TYPE_CHECKING:
    from sqlalchemy import Connection

Obj = dict[str, Any]
Frozen = Callable[[], Awaitable[str]]
TRY_AGAIN_S: Final = (15.0, 600.0)  # evidence that was away: first and longest pause
FREEZE_S: Final = 2.0


@dataclass
class Seen:
    """What one look found."""

    opened: int = 0
    wished: list[str] = field(default_factory=list)  # carried on here, and a person asked for something
    mine: list[tuple[str, int]] = field(default_factory=list)  # this process claimed them
    awake: list[str] = field(default_factory=list)  # nobody carries them on, and they may go on
    others: dict[str, tuple[tuple[str, int], ...]] = field(default_factory=dict)  # by executor


@dataclass(frozen=True, slots=True)
class Waker:
    """Looks at runs that are open. `frozen` says why nothing may be written now, or nothing."""

    store: StateStore
    clock: Clock
    frozen: Frozen

    async def look(self, executor: str) -> Seen:
        """Every open run, sorted by what may be done with it. One that expired is told so on the way."""
        rows = await self.store.read(_open_rows)
        seen = Seen(opened=len(rows))
        if not rows:
            return seen
        frozen = await self.frozen() if any(_kind(row) == "freeze" for row in rows) else ""
        others: dict[str, list[tuple[str, int]]] = {}
        for row in rows:
            if row.state != "waiting":
                self._carried(row, executor, seen, others)
            elif row.wish or await self._there(row, frozen):
                seen.awake.append(row.id)
        seen.others = {name: tuple(runs) for name, runs in others.items()}
        return seen

    async def claim(self, run_id: str, executor: str) -> int | None:
        """The generation under which this process carries it on; None when another one was faster."""
        return await self.store.run(lambda conn: self.claim_in(conn, run_id, executor))

    def claim_in(self, conn: "Connection", run_id: str, executor: str) -> int | None:
        """`claim` inside a transaction."""
        from sqlalchemy import select, update

        from aiops_shared.state.sop_schema import sop_runs

        free = (sop_runs.c.id == run_id) & (sop_runs.c.worker == "") & sop_runs.c.state.in_(OPEN)
        row = conn.execute(select(sop_runs.c.state, sop_runs.c.body).where(free)).one_or_none()
        if row is None:
            return None
        state = "running" if row.state == "waiting" else row.state
        if row.state == "waiting" and json.loads(row.body).get("was") == "undoing":
            state = "undoing"
        changed = conn.execute(
            update(sop_runs)
            .where(free)
            .values(
                worker=executor,
                state=state,
                generation=sop_runs.c.generation + 1,
                fence=sop_runs.c.fence + 1,
            )
        )
        if changed.rowcount != 1:
            return None
        query = select(sop_runs.c.generation).where(sop_runs.c.id == run_id)
        return int(conn.execute(query).scalar_one())

    def _carried(self, row: Any, executor: str, seen: Seen, others: dict[str, list[tuple[str, int]]]) -> None:
        if not row.worker:
            seen.awake.append(row.id)
        elif row.worker != executor:
            others.setdefault(row.worker, []).append((row.id, row.generation))
        else:
            seen.mine.append((row.id, row.generation))
            if row.wish:
                seen.wished.append(row.id)

    async def _there(self, row: Any, frozen: str) -> bool:
        """Whether what it waits for is there."""
        waiting = json.loads(row.body).get("waiting") or {}
        kind = waiting.get("kind")
        if kind == "freeze":
            return not frozen and await self._due(row, waiting, FREEZE_S)
        if kind == "evidence":
            first, longest = TRY_AGAIN_S
            return await self._due(
                row, waiting, min(first * 2 ** (int(waiting.get("tries", 1)) - 1), longest)
            )
        return await self._decided(row, waiting)

    async def _due(self, row: Any, waiting: Obj, after_s: float) -> bool:
        """Whether it rested long enough, in safety time; the first look sets the hour."""
        now = self.clock.safe_now()
        if not (until := waiting.get("until")):
            await self._say(row, {**waiting, "until": (now + timedelta(seconds=after_s)).isoformat()})
            return False
        return now >= datetime.fromisoformat(until)

    async def _decided(self, row: Any, waiting: Obj) -> bool:
        if waiting.get("expired"):
            return False  # control_run(resume) asks anew
        state, until = await self.store.read(lambda conn: self._state_of(conn, str(waiting.get("id", ""))))
        if state in {"approved", "yes", "no"}:
            return True
        if state in {"expired", ""}:
            says = f"{waiting.get('says', '')}; it expired: control_run(resume) asks anew"
            await self._say(row, {**waiting, "expired": True, "says": says[:400]})
        elif until and not waiting.get("until"):
            await self._say(row, {**waiting, "until": until})
        return False

    def _state_of(self, conn: "Connection", name: str) -> tuple[str, str]:
        """An approval's or a question's state, and until when it may be decided."""
        from sqlalchemy import select

        from aiops_shared.state.schema import approvals
        from aiops_shared.state.sop_schema import sop_asks

        table = sop_asks if name.startswith("ask_") else approvals
        row = conn.execute(select(table.c.state, table.c.expires_at).where(table.c.id == name)).one_or_none()
        if row is None:
            return "", ""
        late = row.state == "pending" and safe_now(conn, self.clock) >= row.expires_at
        return ("expired" if late else str(row.state)), row.expires_at.isoformat()

    async def _say(self, row: Any, waiting: Obj) -> None:
        """Note what is known of what it waits for, while it still waits for it."""

        def work(conn: "Connection") -> None:
            from sqlalchemy import select, update

            from aiops_shared.state.sop_schema import sop_runs

            here = (sop_runs.c.id == row.id) & (sop_runs.c.state == "waiting")
            here &= sop_runs.c.generation == row.generation
            found = conn.execute(select(sop_runs.c.body).where(here)).scalar_one_or_none()
            if found is not None:
                body = canonical({**json.loads(found), "waiting": waiting})
                conn.execute(update(sop_runs).where(here).values(body=body, says=waiting.get("says", "")))

        await self.store.run(work, durable=False)


def _kind(row: Any) -> str:
    return str((json.loads(row.body).get("waiting") or {}).get("kind", "")) if row.state == "waiting" else ""


def _open_rows(conn: "Connection") -> list[Any]:
    from sqlalchemy import select

    from aiops_shared.state.sop_schema import sop_runs

    columns = (sop_runs.c.id, sop_runs.c.state, sop_runs.c.worker, sop_runs.c.generation, sop_runs.c.wish)
    return list(conn.execute(select(*columns, sop_runs.c.body).where(sop_runs.c.state.in_(OPEN)).limit(1000)))


__all__ = ["LIVE", "Seen", "Waker"]
