"""The memory of runs in the state store; fulfils the engine's `Ledger`.

Each write checks the run's fence in the same transaction: a process that was stopped and woke up late finds
that another one took over before it writes again (R19). The audit record of a start or an end commits
together with the row that it is about.
"""

import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from aiops_shared.clock import Clock
from aiops_shared.errors import RunNotFoundError
from aiops_shared.guardrails import Caller
from aiops_shared.guardrails.canonical import canonical, mac_of
from aiops_shared.guardrails.redacting import redact_tree
from aiops_shared.state import Keys, StateStore
from aiops_sop.clients.held_rights import caller_in
from aiops_sop.clients.run_views import human_inputs_in
from aiops_sop.engine.needs import LostError
from aiops_sop.engine.records import Held, RunRecord, StepRow
from aiops_sop.models.runs import ENDED, RunState

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from aiops_shared.guardrails.audit import Audit

Json = Any
LIVE: Final = ("queued", "running", "undoing")  # somebody carries it on
OPEN: Final = (*LIVE, "waiting")
SEALED: Final = (
    *("id", "sop", "version", "digest", "document", "params", "mode", "pattern", "caller", "caller_kind"),
    *("target", "confidence_pct", "incident_id", "parent_id"),
)
RIGHTS: Final = ("caller_scopes", "caller_groups")  # sealed too, but in the rows of schema 4, which lack them
TELL: Final = "tell"  # the wish of a run that ended: incidents and outcomes are still to be told


@dataclass(frozen=True, slots=True)
class RunStore:
    """Runs, steps, fences. `audit` is made by its first use, since it brings the policies along."""

    store: StateStore
    clock: Clock
    audit: "Callable[[], Audit]"
    keys: Keys

    def seal(self, row: Mapping[str, Any]) -> str:
        """The MAC over what a run is: by it a row that the suite did not write is told (T9)."""
        names = (*SEALED, *RIGHTS) if any(row[name] for name in RIGHTS) else SEALED
        return mac_of(self.keys.derive("runs"), [str(row[name]) for name in names])

    async def load(self, run_id: str) -> RunRecord:
        """One run with its steps. Raises RunNotFoundError."""
        return await self.store.read(lambda conn: self.load_in(conn, run_id))

    def load_in(self, conn: "Connection", run_id: str) -> RunRecord:
        """`load` inside a transaction."""
        from sqlalchemy import select

        from aiops_shared.state.sop_schema import sop_runs, sop_steps

        row = conn.execute(select(sop_runs).where(sop_runs.c.id == run_id)).one_or_none()
        if row is None:
            raise RunNotFoundError(f"run {run_id[:40]}", "no run of that id", "see `find_sops`, start one")
        query = select(sop_steps).where(sop_steps.c.run_id == run_id).order_by(sop_steps.c.seq)
        steps = {step.path: _step(step) for step in conn.execute(query)}
        whole = hmac.compare_digest(row.seal, self.seal(dict(row._mapping)))
        return replace(_record(row, steps), sealed=whole)

    async def take(self, run_id: str, generation: int, worker: str) -> Held | None:
        """The right to carry a run on, for this process; None when it ended, waits, or is a later one's."""

        def work(conn: "Connection") -> Held | None:
            from sqlalchemy import select, update

            from aiops_shared.state.sop_schema import sop_runs

            mine = (
                (sop_runs.c.id == run_id) & (sop_runs.c.generation == generation) & sop_runs.c.state.in_(LIVE)
            )
            changed = conn.execute(
                update(sop_runs).where(mine).values(worker=worker, fence=sop_runs.c.fence + 1)
            )
            if changed.rowcount != 1:
                return None
            fence = conn.execute(select(sop_runs.c.fence).where(sop_runs.c.id == run_id)).scalar_one()
            return Held(run_id, fence)

        return await self.store.run(work, durable=False)

    async def hold(self, held: Held) -> None:
        """Check the fence; a read, since what follows it is the same effect however often it is asked for."""

        def work(conn: "Connection") -> None:
            from sqlalchemy import select

            from aiops_shared.state.sop_schema import sop_runs

            query = select(sop_runs.c.fence).where(sop_runs.c.id == held.run_id)
            if conn.execute(query).scalar_one_or_none() != held.fence:
                raise LostError(held.run_id)

        await self.store.read(work)

    async def put(self, held: Held, row: StepRow, *, durable: bool = False) -> None:
        """Write one step."""
        values = {
            "seq": row.seq,
            "state": row.state,
            "began_at": row.began_at,
            "ended_at": row.ended_at,
            "plan_id": row.plan_id,
            "action_id": row.action_id,
            "body": canonical(redact_tree(dict(row.body))),
        }

        def work(conn: "Connection") -> None:
            from sqlalchemy import update

            from aiops_shared.state.sop_schema import sop_steps

            self._hold_in(conn, held, {})
            here = (sop_steps.c.run_id == held.run_id) & (sop_steps.c.path == row.path)
            if conn.execute(update(sop_steps).where(here).values(**values)).rowcount == 0:
                conn.execute(sop_steps.insert().values(run_id=held.run_id, path=row.path, **values))

        await self.store.run(work, durable=durable)

    async def turn(
        self, held: Held, state: RunState, says: str, body: Mapping[str, Json] | None = None
    ) -> None:
        """Give the run another state."""
        now, ended = await self.clock.now(), state in ENDED
        changes: dict[str, Any] = {"state": state, "says": says[:2000]}
        if body is not None:
            changes["body"] = canonical(redact_tree(dict(body)))
        if ended:
            changes |= {"ended_at": now, "holds": None, "worker": "", "wish": TELL}

        def work(conn: "Connection") -> None:
            from sqlalchemy import func, literal, update

            from aiops_shared.state.sop_schema import sop_runs

            self._hold_in(
                conn,
                held,
                {
                    **changes,
                    "began_at": func.coalesce(sop_runs.c.began_at, literal(now, sop_runs.c.began_at.type)),
                },
            )
            if ended:
                record = self.load_in(conn, held.run_id)
                inputs = human_inputs_in(conn, record)  # reports sum the column
                here = sop_runs.c.id == held.run_id
                conn.execute(update(sop_runs).where(here).values(human_inputs=inputs))
                told = {"state": state, "says": says[:1000], "sop": record.sop, "digest": record.digest}
                self.audit().note_in(conn, record.caller, held.run_id, "run_ended", told)

        await self.store.run(work, durable=ended)

    async def park(self, held: Held, says: str, body: Mapping[str, Json]) -> None:
        """The run waits; nobody carries it on."""
        changes = {
            "state": "waiting",
            "says": says[:2000],
            "worker": "",
            "body": canonical(redact_tree(dict(body))),
        }
        await self.store.run(lambda conn: self._hold_in(conn, held, changes))

    async def grant(self, held: Held) -> str:
        """Take up a wish."""

        def work(conn: "Connection") -> str:
            from sqlalchemy import select

            from aiops_shared.state.sop_schema import sop_runs

            found = conn.execute(select(sop_runs.c.wish).where(sop_runs.c.id == held.run_id)).scalar_one()
            self._hold_in(conn, held, {"wish": ""})
            return str(found)

        return await self.store.run(work)

    async def wish(self, record: RunRecord, action: str, caller: Caller) -> None:
        """Write down what a person wants of an open run, audited."""

        def work(conn: "Connection") -> None:
            from sqlalchemy import update

            from aiops_shared.state.sop_schema import sop_runs

            here = (sop_runs.c.id == record.run_id) & sop_runs.c.state.in_(OPEN)
            conn.execute(update(sop_runs).where(here).values(wish=action))
            self.audit().note_in(conn, caller, record.run_id, f"run_{action}", {"state": record.state})

        await self.store.run(work)

    async def reopen(self, record: RunRecord, action: str, caller: Caller, worker: str) -> int | None:
        """Let a run that ended go on: from its failed step (`resume`), or back (`undo`); its generation.

        None when another run holds its target by now.
        """
        from sqlalchemy.exc import IntegrityError

        holds = None if record.mode == "plan" or record.parent_id else record.target
        body = {
            name: value for name, value in record.body.items() if name not in {"waiting", "was", "duties"}
        }
        if action == "undo":
            body["why"] = f"undo asked by {caller.name}"

        def work(conn: "Connection") -> int | None:
            from sqlalchemy import update

            from aiops_shared.state.sop_schema import sop_asks, sop_runs, sop_steps

            generation = record.generation + 1
            ended = (sop_runs.c.id == record.run_id) & sop_runs.c.state.in_(ENDED)
            values = {
                "state": "undoing" if action == "undo" else "running",
                "holds": holds,
                "worker": worker,
                "generation": generation,
                "fence": sop_runs.c.fence + 1,
                "ended_at": None,
                "wish": "",
                "body": canonical(body),
            }
            same = sop_runs.c.generation == record.generation
            if conn.execute(update(sop_runs).where(ended, same).values(**values)).rowcount != 1:
                return None
            for row in _to_retry(record, action):
                here = (sop_steps.c.run_id == record.run_id) & (sop_steps.c.path == row.path)
                fresh = {"state": "pending", "body": canonical(_fresh(row)), "ended_at": None}
                conn.execute(update(sop_steps).where(here).values(**fresh, **_unplanned(row)))
                mine = (sop_asks.c.run_id == record.run_id) & (sop_asks.c.path == row.path)
                conn.execute(update(sop_asks).where(mine).values(state="used"))
            self.audit().note_in(conn, caller, record.run_id, f"run_{action}", {"state": record.state})
            return generation

        try:
            return await self.store.run(work)
        except IntegrityError:
            return None

    async def untold(self) -> list[str]:
        """Runs that ended, and whose end nobody was told of."""

        def work(conn: "Connection") -> list[str]:
            from sqlalchemy import select

            from aiops_shared.state.sop_schema import sop_runs

            ended = sop_runs.c.state.in_(ENDED) & (sop_runs.c.wish == TELL)
            return list(conn.execute(select(sop_runs.c.id).where(ended).limit(100)).scalars())

        return await self.store.read(work)

    async def told(self, run_id: str) -> None:
        """Its end was told."""

        def work(conn: "Connection") -> None:
            from sqlalchemy import update

            from aiops_shared.state.sop_schema import sop_runs

            mine = (sop_runs.c.id == run_id) & (sop_runs.c.wish == TELL)
            conn.execute(update(sop_runs).where(mine).values(wish=""))

        await self.store.run(work, durable=False)

    async def let_go(self, held: Held) -> None:
        """Hand the run over: any process may take it at once. Does nothing when it was lost."""

        def work(conn: "Connection") -> None:
            from sqlalchemy import update

            from aiops_shared.state.sop_schema import sop_runs

            mine = (sop_runs.c.id == held.run_id) & (sop_runs.c.fence == held.fence)
            conn.execute(update(sop_runs).where(mine, sop_runs.c.state.in_(LIVE)).values(worker=""))

        await self.store.run(work)

    async def set_free(self, run_id: str, generation: int, worker: str) -> None:
        """Take a worker's name off a run that it does not carry on, if it is still its."""

        def work(conn: "Connection") -> None:
            from sqlalchemy import update

            from aiops_shared.state.sop_schema import sop_runs

            mine = (sop_runs.c.id == run_id) & (sop_runs.c.generation == generation)
            mine &= (sop_runs.c.worker == worker) & sop_runs.c.state.in_(LIVE)
            conn.execute(update(sop_runs).where(mine).values(worker=""))

        await self.store.run(work)

    def _hold_in(self, conn: "Connection", held: Held, changes: Mapping[str, Any]) -> None:
        from sqlalchemy import update

        from aiops_shared.state.sop_schema import sop_runs

        mine = (sop_runs.c.id == held.run_id) & (sop_runs.c.fence == held.fence)
        values = {**changes} or {"fence": held.fence}
        if conn.execute(update(sop_runs).where(mine).values(**values)).rowcount != 1:
            raise LostError(held.run_id)


def _to_retry(record: RunRecord, action: str) -> list[StepRow]:
    """The rows that a resumed run does again: the steps that failed, on the way back only that one's."""
    rows = record.steps.values()
    if action == "undo":
        return [row for row in rows if row.state == "failed" and row.path.startswith("undo/")]
    return [row for row in rows if row.state == "failed"]


def _gone(row: StepRow) -> bool:
    """Whether nothing of its action stands, so that a new plan may be made."""
    state = (row.body.get("action") or {}).get("state")
    return not row.action_id or state in {"undone", "failed"}


def _unplanned(row: StepRow) -> dict[str, str]:
    return {"plan_id": "", "action_id": ""} if _gone(row) else {}


def _fresh(row: StepRow) -> dict[str, Any]:
    """What a step that is tried again keeps: an action that stands is not done again, only checked."""
    kept = {"item", "items", "gates"}
    if not _gone(row):
        kept |= {"plan", "action", "output", "inputs", "acted", "kept"}
    return {name: value for name, value in row.body.items() if name in kept}


def _step(row: Any) -> StepRow:
    return StepRow(
        path=row.path,
        seq=row.seq,
        state=row.state,
        began_at=row.began_at,
        ended_at=row.ended_at,
        plan_id=row.plan_id,
        action_id=row.action_id,
        body=json.loads(row.body),
    )


def _record(row: Any, steps: dict[str, StepRow]) -> RunRecord:
    return RunRecord(
        run_id=row.id,
        sop=row.sop,
        version=row.version,
        digest=row.digest,
        document=row.document,
        params=json.loads(row.params),
        mode=row.mode,
        pattern=row.pattern,
        caller=caller_in("caller", row, row.caller, row.caller_kind),
        target=row.target,
        state=row.state,
        says=row.says,
        confidence_pct=row.confidence_pct,
        incident_id=row.incident_id,
        parent_id=row.parent_id,
        human_inputs=row.human_inputs,
        created_at=row.created_at,
        began_at=row.began_at,
        ended_at=row.ended_at,
        worker=row.worker,
        fence=row.fence,
        generation=row.generation,
        wish=row.wish,
        body=json.loads(row.body),
        steps=steps,
    )
