"""What one run of an action holds in its hands, and how it ends early."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Connection

from aiops_shared.clock import Clock
from aiops_shared.errors import UpstreamError
from aiops_shared.guardrails.journal import Entry, Journal, Lease, StepRow, StepState
from aiops_shared.guardrails.models import Json, ObjectRef, Plan
from aiops_shared.guardrails.permits import Permit
from aiops_shared.guardrails.plans import keys_of
from aiops_shared.guardrails.ports import Brake, Effects, Trail
from aiops_shared.guardrails.redacting import shortened
from aiops_shared.guardrails.snapshots import Snapshots

READ_TRIES_S = (1.0, 2.0, 4.0, 8.0, 16.0)  # waits between reads of an API that does not answer
WRITE_TRIES = 5  # a resourceVersion moves with every status update
EFFECT_DEADLINE_S = 25.0
MOST_SAID = 300


class StepFailedError(Exception):
    """The step had no effect, or its gate failed: undo what was done. `escalate`: and tell a person."""

    def __init__(self, says: str, *, escalate: bool = False) -> None:
        super().__init__(says)
        self.escalate = escalate


class HaltedError(Exception):
    """A freeze or the kill switch is on: nothing more is written, in either direction."""


class OutcomeUnknownError(Exception):
    """Nobody can say whether the effect happened: a person must look."""


class UndoBlockedError(Exception):
    """The way back is not free: somebody else changed the object, or it is gone."""


@dataclass(frozen=True, slots=True)
class Hands:
    """The parts that every run of a process shares."""

    journal: Journal
    trail: Trail
    brake: Brake
    snapshots: Snapshots
    clock: Clock


@dataclass(slots=True)
class RunContext:
    """One run. `rows` is this process's copy of the journal, kept by `mark` alone."""

    hands: Hands
    effects: Effects
    plan: Plan
    entry: Entry
    lease: Lease
    permit: Permit
    pause: Callable[[float], Awaitable[None]]
    undoing: Literal["", "auto", "asked"] = ""  # an automatic undo is stopped by the kill switch alone

    async def read(self, ref: ObjectRef) -> Json | None:
        """The object now. Raises UpstreamError when the API does not answer for half a minute."""
        for wait_s in READ_TRIES_S:
            try:
                return await self.effects.read(ref)
            except UpstreamError:
                await self.pause(wait_s)
        return await self.effects.read(ref)

    async def intend(self, row: StepRow, says: dict[str, Any]) -> StepRow:
        """Journal and audit what is about to happen, in one commit with the fence and freeze checks."""
        world = await self.hands.clock.now()
        found: list[StepRow] = []

        def work(conn: Connection) -> None:
            keys = frozenset() if self.undoing else keys_of(self.plan)
            kill_only = self.undoing == "auto"
            reason = self.hands.brake.reason_in(conn, self.plan.cluster, keys, world, kill_only)
            if reason:
                raise HaltedError(reason)
            seq = self.hands.trail.intent_in(conn, self.entry.caller, self.entry.action_id, says)
            found.append(turned(row, "intended", "", {**row.data, "intent": seq}))
            self.hands.journal.put_in(conn, self.lease, found[0])

        await self.hands.journal.under(self.lease, work)
        return self.keep(found[0])

    async def outcome(self, row: StepRow, result: str) -> StepRow:
        """Journal and audit how an intent ended."""

        def work(conn: Connection) -> None:
            says = {"target": row.target, "step": row.step, "result": result, "says": row.says}
            self.hands.trail.outcome_in(
                conn, self.entry.caller, self.entry.action_id, row.data["intent"], says
            )
            self.hands.journal.put_in(conn, self.lease, row)

        await self.hands.journal.under(self.lease, work)
        return self.keep(row)

    async def keep_trying(self, row: StepRow, why: str) -> StepRow:
        """An undo's attempt that did not answer well: said in the audit, read back at the next turn."""
        return await self.outcome(turned(row, "pending", why, {**row.data, "tried": True}), "not known")

    async def correct(self, row: StepRow) -> StepRow:
        """An intent whose outcome was audited as not applied did arrive after all."""

        def work(conn: Connection) -> None:
            says = {"target": row.target, "step": row.step, "intent": row.data["intent"], "result": "applied"}
            about = self.entry.action_id
            self.hands.trail.note_in(conn, self.entry.caller, about, "outcome_corrected", says)
            self.hands.journal.put_in(conn, self.lease, row)

        await self.hands.journal.under(self.lease, work)
        return self.keep(row)

    async def mark(self, row: StepRow) -> StepRow:
        """Journal a state that is no effect."""
        await self.hands.journal.under(
            self.lease, lambda conn: self.hands.journal.put_in(conn, self.lease, row)
        )
        return self.keep(row)

    def keep(self, row: StepRow) -> StepRow:
        """Remember the row as stored."""
        self.entry.steps[row.seq] = row
        return row


def turned(row: StepRow, state: StepState, says: str, data: dict[str, Any]) -> StepRow:
    """The row in another state; what an API said is redacted and cut."""
    return StepRow(row.seq, row.target, row.step, state, row.at, shortened(says, MOST_SAID), data)
