"""The executor's memory (D1): per step intent → effect → outcome, so that any process can carry an action on.

Each change of a row checks the lease's fence in the same transaction: a worker that was stopped and woke up
late finds that another one took over, before it writes again (R19). The audit record of an intent or outcome
commits together with the row that it is about, so that neither exists without the other (R9, I3).
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import Connection, Row, select, update

from aiops_shared.auth.acting import Acting
from aiops_shared.clock import Clock
from aiops_shared.errors import ActionNotFoundError
from aiops_shared.guardrails.canonical import canonical
from aiops_shared.guardrails.models import ActionRecord, ActionState, Caller, Plan, StepRecord
from aiops_shared.guardrails.safety_time import safe_now
from aiops_shared.guardrails.speaking import identity_of
from aiops_shared.state import StateStore
from aiops_shared.state.schema import action_steps, actions

StepState = Literal["pending", "intended", "applied", "verified", "failed", "unknown", "undone", "skipped"]
LIVE: tuple[ActionState, ...] = ("running", "undoing")
UNDO = 1_000_000  # undo rows come after all step rows
PARTS = 2_000_000  # and after them the parts of sweeps, MOST_PARTS for each step
MOST_PARTS = 10_000


class LeaseLostError(Exception):
    """Another process carries the action on; this one must stop."""


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to carry one action on. `fence` grows with every take-over."""

    action_id: str
    worker: str
    fence: int


@dataclass(frozen=True, slots=True)
class StepRow:
    """One row of the journal. `data` holds digests, never values."""

    seq: int
    target: str
    step: str
    state: StepState
    at: datetime | None = None
    says: str = ""
    data: dict[str, Any] = field(default_factory=dict)

    def shown(self) -> StepRecord:
        """The row as `get_action` shows it."""
        return StepRecord(target=self.target, step=self.step, state=self.state, at=self.at, says=self.says)


@dataclass(frozen=True, slots=True)
class Entry:
    """One action as stored."""

    action_id: str
    plan_id: str
    cluster: str
    action: str
    state: ActionState
    says: str
    caller: Caller
    approval_id: str
    started_at: datetime
    ended_at: datetime | None
    fence: int
    steps: dict[int, StepRow]
    body: dict[str, Any]

    def record(self) -> ActionRecord:
        """What the tools return."""
        return ActionRecord.model_validate(
            {
                "action_id": self.action_id,
                "plan_id": self.plan_id,
                "cluster": self.cluster,
                "action": self.action,
                "state": self.state,
                "says": self.says,
                "caller": self.caller,
                "started_at": self.started_at,
                "ended_at": self.ended_at,
                "steps": tuple(self.steps[seq].shown() for seq in sorted(self.steps)),
                "can_undo": self.can_undo(),
                "approval_id": self.approval_id,
            }
        )

    def for_whom(self) -> Acting:
        """Whose rights its reads and writes use, in whichever process: who executed it; who asked for its
        undo, while that goes on. Kept with the action, since no request lives that long.
        """
        asked = self.body.get("undo_by") if self.state == "undoing" else None
        who = Caller.model_validate(asked) if asked else self.caller
        return Acting(identity_of(who), str(self.body.get("run") or ""))

    def can_undo(self) -> bool:
        """Whether an undo has something to give back."""
        if self.state in {"running", "undoing", "undone", "shadowed"} or not self.body.get(
            "reversible", True
        ):
            return False
        return any(row.state in {"intended", "applied", "verified", "unknown"} for row in self.forward())

    def how_far(self) -> tuple[int, int, str]:
        """Steps done, of how many, and which one is under way."""
        rows = self.forward()
        left = [row for row in rows if row.state not in {"applied", "verified", "skipped", "undone"}]
        what = f"{self.state}: {left[0].target}, {left[0].step}" if left else self.state
        return len(rows) - len(left), len(rows), what

    def forward(self) -> list[StepRow]:
        """The rows of the steps, without those of the undo."""
        return [self.steps[seq] for seq in sorted(self.steps) if seq < UNDO]


def rows_of(plan: Plan) -> list[StepRow]:
    """The journal of a plan before anything happened: targets in order, steps in order."""
    pairs = [(target, step) for target in plan.targets for step in target.steps]
    return [StepRow(seq, str(t.ref), s.name, "pending") for seq, (t, s) in enumerate(pairs)]


def seq_of(plan: Plan, target: int, step: int) -> int:
    """The row of a step."""
    return sum(len(earlier.steps) for earlier in plan.targets[:target]) + step


def undo_seq(plan: Plan, target: int) -> int:
    """The row of a target's undo: the last target is undone first."""
    return UNDO + len(plan.targets) - target


class Journal:
    """Reads and writes actions, their steps and their leases."""

    def __init__(self, store: StateStore, clock: Clock, worker: str, lease_s: float = 6.0) -> None:
        self._store = store
        self._clock = clock
        self.worker = worker
        self.lease_s = lease_s

    def insert_in(
        self, conn: Connection, record: ActionRecord, body: dict[str, Any], rows: list[StepRow]
    ) -> Lease:
        """Store a new action with its lease. An IntegrityError says that the plan has one already."""
        now = safe_now(conn, self._clock)
        conn.execute(
            actions.insert().values(
                id=record.action_id,
                plan_id=record.plan_id,
                cluster=record.cluster,
                action=record.action,
                caller=record.caller.name,
                state=record.state,
                says=record.says,
                body=canonical({**body, "caller": record.caller.model_dump(mode="json")}),
                approval_id=record.approval_id,
                started_at=record.started_at,
                lease_owner=self.worker,
                lease_expires_at=now + timedelta(seconds=self.lease_s),
                fence=1,
            )
        )
        for row in rows:
            self._put(conn, record.action_id, row)
        return Lease(record.action_id, self.worker, 1)

    async def by_plan(self, plan_id: str) -> Entry | None:
        """The action of a plan, if it was started."""
        return await self._store.read(lambda conn: self.by_plan_in(conn, plan_id))

    def by_plan_in(self, conn: Connection, plan_id: str) -> Entry | None:
        """`by_plan` inside a transaction."""
        row = conn.execute(select(actions).where(actions.c.plan_id == plan_id)).one_or_none()
        return None if row is None else _entry(conn, row)

    async def load(self, action_id: str) -> Entry:
        """One action. Raises ActionNotFoundError."""
        return await self._store.read(lambda conn: self.load_in(conn, action_id))

    def load_in(self, conn: Connection, action_id: str) -> Entry:
        """`load` inside a transaction."""
        row = conn.execute(select(actions).where(actions.c.id == action_id)).one_or_none()
        if row is None:
            raise ActionNotFoundError(f"action {action_id[:40]}", "no action of that id")
        return _entry(conn, row)

    async def under(self, lease: Lease, work: Callable[[Connection], None]) -> None:
        """Commit what `work` writes if the lease still is ours. Raises LeaseLostError."""

        def held(conn: Connection) -> None:
            self.hold_in(conn, lease)
            work(conn)

        await self._store.run(held)

    def put_in(self, conn: Connection, lease: Lease, row: StepRow) -> None:
        """Write one step's row; the caller holds the lease."""
        self._put(conn, lease.action_id, row)

    async def turn(
        self,
        lease: Lease,
        state: ActionState,
        says: str,
        *,
        body: dict[str, Any] | None = None,
        also: Callable[[Connection], None] | None = None,
    ) -> None:
        """Give the action another state; a final one ends it and its lease. Raises LeaseLostError."""

        def work(conn: Connection) -> None:
            changes: dict[str, Any] = {"state": state, "says": says}
            now = self.hold_in(conn, lease)
            if state not in LIVE:
                changes |= {"ended_at": now, "lease_owner": "", "lease_expires_at": None}
            if body is not None:
                changes["body"] = canonical(body)
            conn.execute(update(actions).where(actions.c.id == lease.action_id).values(**changes))
            if also is not None:
                also(conn)

        await self._store.run(work)

    def hold_in(self, conn: Connection, lease: Lease) -> datetime:
        """Check and lengthen the lease; returns safety time. Raises LeaseLostError."""
        now = safe_now(conn, self._clock)
        held = conn.execute(
            update(actions)
            .where(
                actions.c.id == lease.action_id,
                actions.c.fence == lease.fence,
                actions.c.lease_owner == lease.worker,
            )
            .values(lease_expires_at=now + timedelta(seconds=self.lease_s))
        )
        if held.rowcount != 1:
            raise LeaseLostError(lease.action_id)
        return now

    async def renew(self, lease: Lease) -> None:
        """Keep the lease while nothing is written. Raises LeaseLostError."""
        await self._store.run(lambda conn: self.hold_in(conn, lease), durable=False)

    def begin_undo_in(
        self, conn: Connection, action_id: str, state: ActionState, body: dict[str, Any]
    ) -> Lease | None:
        """Turn an ended action in `state` to `undoing`; None when another call was faster."""
        lease = self.take_in(conn, action_id, (state,))
        if lease is not None:
            undo = (action_steps.c.seq > UNDO) & (action_steps.c.seq < PARTS)
            failed = (action_steps.c.action_id == action_id) & undo
            conn.execute(
                update(action_steps).where(failed, action_steps.c.state == "failed").values(state="pending")
            )
            changes = {"state": "undoing", "says": body["why"], "body": canonical(body), "ended_at": None}
            conn.execute(update(actions).where(actions.c.id == action_id).values(**changes))
        return lease

    async def release(self, lease: Lease) -> None:
        """Hand the action over: any process may take it at once. Does nothing when it was lost."""
        held = (actions.c.id == lease.action_id) & (actions.c.fence == lease.fence)  # a newer one is not ours
        change = update(actions).where(held).values(lease_owner="", lease_expires_at=None)
        await self._store.run(lambda conn: conn.execute(change))

    async def orphans(self) -> list[str]:
        """Live actions that nobody carries on."""

        def work(conn: Connection) -> list[str]:
            now = safe_now(conn, self._clock)
            free = actions.c.lease_expires_at.is_(None) | (actions.c.lease_expires_at <= now)
            return list(conn.execute(select(actions.c.id).where(actions.c.state.in_(LIVE), free)).scalars())

        return await self._store.read(work)

    async def take_over(self, action_id: str) -> Lease | None:
        """The lease of an orphan, or None when another process was faster."""
        return await self._store.run(lambda conn: self.take_in(conn, action_id, LIVE))

    def take_in(self, conn: Connection, action_id: str, states: tuple[ActionState, ...]) -> Lease | None:
        """`take_over` inside a transaction, of an action in one of these states."""
        now = safe_now(conn, self._clock)
        free = actions.c.lease_expires_at.is_(None) | (actions.c.lease_expires_at <= now)
        mine = {"lease_owner": self.worker, "lease_expires_at": now + timedelta(seconds=self.lease_s)}
        taken = conn.execute(
            update(actions)
            .where(actions.c.id == action_id, actions.c.state.in_(states), free)
            .values(fence=actions.c.fence + 1, **mine)
        )
        if taken.rowcount != 1:
            return None
        fence = conn.execute(select(actions.c.fence).where(actions.c.id == action_id)).scalar_one()
        return Lease(action_id, self.worker, fence)

    def _put(self, conn: Connection, action_id: str, row: StepRow) -> None:
        here = (action_steps.c.action_id == action_id) & (action_steps.c.seq == row.seq)
        values = {
            "target": row.target,
            "step": row.step,
            "state": row.state,
            "at": safe_now(conn, self._clock),
            "says": row.says,
            "data": canonical(row.data),
        }
        if conn.execute(update(action_steps).where(here).values(**values)).rowcount == 0:
            conn.execute(action_steps.insert().values(action_id=action_id, seq=row.seq, **values))


def _entry(conn: Connection, row: Row[Any]) -> Entry:
    query = select(action_steps).where(action_steps.c.action_id == row.id).order_by(action_steps.c.seq)
    found = [
        StepRow(step.seq, step.target, step.step, step.state, step.at, step.says, json.loads(step.data))
        for step in conn.execute(query)
    ]
    body = json.loads(row.body)
    return Entry(
        action_id=row.id,
        plan_id=row.plan_id,
        cluster=row.cluster,
        action=row.action,
        state=row.state,
        says=row.says,
        caller=Caller.model_validate(body["caller"]),
        approval_id=row.approval_id,
        started_at=row.started_at,
        ended_at=row.ended_at,
        fence=row.fence,
        steps={step.seq: step for step in found},
        body=body,
    )
