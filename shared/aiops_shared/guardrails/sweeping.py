"""Carries out a step that empties a target part by part: the eviction of a node's pods (R13).

Called by the run instead of `StepHand`. The parts are not known when the plan is made (a pod may come or go
until the node is cordoned), so each look asks the adapter what is left and what may go now. Every part is an
effect of its own with intent and outcome; a part that may not go yet is waited for until the deadline, which
is journalled with the step and so holds for whichever process carries it on. Nothing is ever forced.
"""

from datetime import datetime, timedelta

import anyio

from aiops_shared.errors import AiopsError, ConflictError, UnauthenticatedError, UpstreamError
from aiops_shared.guardrails.bindings import prints
from aiops_shared.guardrails.effecting import StepHand
from aiops_shared.guardrails.journal import MOST_PARTS, PARTS, StepRow, StepState
from aiops_shared.guardrails.models import Part, Round
from aiops_shared.guardrails.paths import uid_of
from aiops_shared.guardrails.ports import Sweeper
from aiops_shared.guardrails.redacting import redact
from aiops_shared.guardrails.run_context import EFFECT_DEADLINE_S, HaltedError, StepFailedError, turned

EVERY_S = 5.0
WITHIN_S = 600.0


class SweepHand(StepHand):
    """One sweep of one target."""

    _said = ""

    async def carry_out(self) -> None:
        """Bring the step to `applied`.

        Raises StepFailedError (the deadline is over, a part was refused for good, or somebody else changed
        the target), HaltedError, LeaseLostError, HandOverError, and UnauthenticatedError: the run rests.
        """
        if self.row.state not in {"pending", "intended"}:
            return
        if self.row.state == "pending":
            await self._open()
        try:
            await self._rounds()
        except (StepFailedError, HaltedError) as error:
            await self.run.outcome(turned(self.row, "failed", str(error), self.row.data), "failed")
            raise
        with anyio.CancelScope(shield=True):
            await self._applied(await self._read())

    async def _open(self) -> None:
        """Journal the sweep itself, and until when it may take."""
        with anyio.CancelScope(shield=True):
            current = await self._read()
            await self._bound(current)
            body = self.step.body or {}
            until = await self.run.hands.clock.now() + timedelta(seconds=body.get("within_s", WITHIN_S))
            data = {
                "before": prints(current, self._paths()),
                "uid": uid_of(current),
                "until": until.isoformat(),
            }
            await self.run.intend(turned(self.row, "pending", "", data), self._says())

    async def _rounds(self) -> None:
        until = datetime.fromisoformat(self.row.data["until"])
        while True:
            found = await self._looked()
            if found is not None:
                await self._settle_parts(found)
                if not found.left:
                    return
                await self._progress(found)
                for part in found.todo:
                    await self.run.pause(0)  # a stopping process begins no part
                    await self._carry(part)
            if await self.run.hands.clock.now() >= until:
                left = found.says if found else "the API does not answer"
                raise StepFailedError(f"{self.target.ref}: not done in time: {left}", escalate=True)
            await self.run.pause(EVERY_S)

    async def _looked(self) -> Round | None:
        """What is left; None when the API did not answer. A target that is gone has nothing left."""
        effects, ref = self._sweeper(), self.target.ref
        try:
            current = await self.run.effects.read(ref)
            if self.target.may_go and (current is None or uid_of(current) != self._uid()):
                return Round(says="the target is gone")
            await self._bound(current)
            return await effects.parts(ref, self.step)
        except UnauthenticatedError:
            raise
        except UpstreamError:
            return None
        except AiopsError as error:
            raise StepFailedError(f"{self.target.ref}: {error}", escalate=True) from error

    def _sweeper(self) -> Sweeper:
        effects = self.run.effects
        if not isinstance(effects, Sweeper):
            raise StepFailedError(f"{self.target.ref}: nothing here can sweep it")
        return effects

    async def _progress(self, found: Round) -> None:
        """Say in the journal what is waited for: the record shows it while it lasts."""
        if found.says == self._said:
            return
        self._said = found.says
        await self.run.mark(turned(self.row, "intended", found.says, self.row.data))
        entry, says = self.run.entry, redact(f"{self.target.ref}: {found.says}")
        await self.run.hands.journal.turn(self.run.lease, "running", says, body=entry.body)

    async def _carry(self, part: Part) -> None:
        """One part. Raises StepFailedError when it is refused for good."""
        effects = self._sweeper()
        with anyio.CancelScope(shield=True):
            row = await self.run.intend(self._part_row(part), self._part_says(part))
            try:
                with anyio.fail_after(EFFECT_DEADLINE_S):
                    held = await effects.carry_part(self.target.ref, self.step, part, self.run.permit)
            except (ConflictError, UpstreamError, TimeoutError) as error:
                # Read at the next look: it is gone, or it is tried again with its uid as precondition.
                why = str(error) or "no answer in time"
                await self.run.outcome(turned(row, "pending", why, row.data), "not known")
            except UnauthenticatedError as error:
                await self.run.outcome(turned(row, "pending", str(error), row.data), "not applied")
                raise
            except AiopsError as error:
                await self.run.outcome(turned(row, "failed", str(error), row.data), "not applied")
                raise StepFailedError(f"{part.ref}: {error}", escalate=True) from error
            else:
                await self._ended(row, held or "gone", applied=not held)

    async def _ended(self, row: StepRow, says: str, *, applied: bool) -> None:
        state: StepState = "applied" if applied else "pending"
        await self.run.outcome(turned(row, state, says, row.data), "applied" if applied else "not applied")

    async def _settle_parts(self, found: Round) -> None:
        """Parts whose outcome nobody journalled, or knew: what is read now settles them."""
        for row in self._part_rows():
            there = row.data["uid"] in found.left - found.going
            if row.state == "intended":
                await self._ended(row, "read back", applied=not there)
            elif row.state == "pending" and not there:
                await self.run.correct(turned(row, "applied", "gone, as was read back", row.data))

    def _first(self) -> int:
        return PARTS + self._seq * MOST_PARTS

    def _part_rows(self) -> list[StepRow]:
        first = self._first()
        return [row for seq, row in self.run.entry.steps.items() if first <= seq < first + MOST_PARTS]

    def _part_row(self, part: Part) -> StepRow:
        rows = self._part_rows()
        known = next((row for row in rows if row.data["uid"] == part.uid), None)
        if known is not None:
            return turned(known, "pending", "", known.data)
        if len(rows) >= MOST_PARTS:
            raise StepFailedError(f"{self.target.ref}: more than {MOST_PARTS} parts came", escalate=True)
        seq = self._first() + len(rows)
        return StepRow(seq, str(part.ref), self.step.name, "pending", data={"uid": part.uid})

    def _part_says(self, part: Part) -> dict[str, object]:
        return {
            "plan_id": self.run.plan.plan_id,
            "target": str(self.target.ref),
            "part": str(part.ref),
            "uid": part.uid,
            "step": self.step.name,
            "verb": "evict part",
        }
