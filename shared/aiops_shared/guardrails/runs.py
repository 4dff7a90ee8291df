"""One run of an action from wherever the journal stands to its end: waves, steps, gates, and the way back.

Started by the executor in the process that was asked, or in any other that took the action over. Everything
that decides what comes next is in the journal, so a run that is cut off anywhere continues at the next step.
"""

from sqlalchemy import Connection

from aiops_shared.errors import UnauthenticatedError
from aiops_shared.guardrails.checking import hold
from aiops_shared.guardrails.effecting import StepHand
from aiops_shared.guardrails.journal import seq_of
from aiops_shared.guardrails.models import ActionState
from aiops_shared.guardrails.plans import keys_of
from aiops_shared.guardrails.redacting import redact
from aiops_shared.guardrails.run_context import (
    HaltedError,
    OutcomeUnknownError,
    RunContext,
    StepFailedError,
    UndoBlockedError,
    turned,
)
from aiops_shared.guardrails.sweeping import SweepHand
from aiops_shared.guardrails.undoing import UndoHand, trace
from aiops_shared.guardrails.waves import wave_ranges


class Run:
    """Carries one action on to a final state."""

    def __init__(self, context: RunContext) -> None:
        self.ctx = context
        self.plan = context.plan

    async def to_the_end(self) -> None:
        """Do what is left. Raises LeaseLostError and HandOverError; every other end is a state.

        Raises UnauthenticatedError too: the action stays alive, says why, and is taken up again (R5).
        """
        try:
            await self._to_the_end()
        except UnauthenticatedError as error:
            state: ActionState = "undoing" if self.ctx.undoing else "running"
            await self._turn(state, f"paused: {error}; it goes on by itself once they are accepted")
            raise

    async def _to_the_end(self) -> None:
        if self.ctx.entry.state == "undoing":
            await self._undo(self.ctx.entry.body.get("why", self.ctx.entry.says))
            return
        if self.ctx.entry.body.get("shadow"):
            await self._only_say()
            return
        try:
            await self._forward()
        except StepFailedError as error:
            self.ctx.entry.body["escalate"] = error.escalate
            await self._begin_undo(str(error))
        except HaltedError as error:
            await self._stopped(str(error))
        except OutcomeUnknownError as error:
            await self._loud("unknown", f"outcome unknown: {error}; look at it, then undo_action")
        else:
            await self._turn("succeeded", f"done: {self.plan.confirm}")

    async def give_up(self, why: str) -> None:
        """End as `unknown`: something went wrong that this program does not understand."""
        await self._loud("unknown", f"internal error: {why}; look at the targets, then undo_action")

    async def _forward(self) -> None:
        for number, wave in enumerate(wave_ranges(self.plan.waves), start=1):
            await self._turn("running", f"wave {number} of {len(self.plan.waves)}")
            for target in wave:
                for step in range(len(self.plan.targets[target].steps)):
                    await self._step(target, step)

    async def _only_say(self) -> None:
        """Shadow mode: everything but the effect, audited (D7)."""
        for row in self.ctx.entry.forward():
            said = await self.ctx.intend(row, {"target": row.target, "step": row.step, "mode": "shadow"})
            await self.ctx.outcome(turned(said, "skipped", "shadow: not written", said.data), "shadow")
        await self._turn("shadowed", f"shadow: would have done: {self.plan.confirm}")

    async def _step(self, target: int, step: int) -> None:
        ctx, seq = self.ctx, seq_of(self.plan, target, step)
        if ctx.entry.steps[seq].state == "verified":
            return
        await ctx.pause(0)  # a stopping process begins no step
        change = self.plan.targets[target]
        sweeps = change.steps[step].verb == "sweep"
        if ctx.entry.steps[seq].state == "failed":
            raise StepFailedError(ctx.entry.steps[seq].says, escalate=sweeps)
        await (SweepHand if sweeps else StepHand)(ctx, target, step).carry_out()
        check, says = change.steps[step].gate, "applied"
        if check is not None:
            result = await hold(ctx.effects, change.ref, check, ctx.hands.clock, ctx.pause)
            says = result.says or check.check
            if result.state == "failed":
                row = ctx.entry.steps[seq]
                await ctx.mark(turned(row, "failed", says, row.data))
                failed = f"{change.ref}: gate {check.check} failed: {says}"
                raise StepFailedError(failed, escalate=sweeps)
        row = ctx.entry.steps[seq]
        await ctx.mark(turned(row, "verified", says, row.data))

    async def _begin_undo(self, why: str) -> None:
        await self._skip_pending()
        if not self._touched():
            await self._turn("failed", f"nothing was changed: {why}")
            return
        self.ctx.entry.body["why"] = why
        await self._turn("undoing", why)
        await self._undo(why)

    async def _undo(self, why: str) -> None:
        self.ctx.undoing = "asked" if self.ctx.entry.body.get("asked") else "auto"
        lost: list[str] = []
        try:
            for index in reversed(range(len(self.plan.targets))):
                hand = UndoHand(self.ctx, index)
                await hand.give_back()
                if hand.found.way == "lost":
                    lost.append(str(hand.target.ref))
        except UndoBlockedError as error:
            await self._loud("undo_failed", f"{why}; the undo stopped: {error}")
        except HaltedError as error:
            await self._loud("undo_failed", f"{why}; the undo was not allowed to write: {error}")
        else:
            if self.plan.reversible == "none" and lost and self.ctx.undoing == "auto":
                await self._turn("failed", f"{why}; what was done stays: {', '.join(lost)}")
                return
            tail = f"; cannot be given back: {', '.join(lost)}" if lost else ""
            await self._undone(f"{why}; all written fields read as before{tail}")

    async def _undone(self, says: str) -> None:
        """The end of a way back; parts that are gone cannot come back, so a person hears of it (R13)."""
        if self.ctx.undoing == "asked" or not self.ctx.entry.body.get("escalate"):
            await self._turn("undone", says)
            return
        hands, entry, text = self.ctx.hands, self.ctx.entry, f"ESCALATE: {says}"

        def also(conn: Connection) -> None:
            about = {"action": self.plan.action, "says": redact(text)}
            hands.trail.note_in(conn, entry.caller, entry.action_id, "escalation", about)

        await hands.journal.turn(self.ctx.lease, "undone", redact(text), body=entry.body, also=also)

    async def _stopped(self, reason: str) -> None:
        done = sum(1 for row in self.ctx.entry.forward() if row.state == "verified")
        total = len(self.ctx.entry.forward())
        await self._skip_pending()
        says = f"stopped: {reason}; {done} of {total} steps done and left as they are"
        await self._turn("failed", f"{says}; undo_action gives them back once it is lifted" if done else says)

    async def _skip_pending(self) -> None:
        for row in self.ctx.entry.forward():
            if row.state == "pending":
                await self.ctx.mark(turned(row, "skipped", row.says or "not reached", row.data))

    def _touched(self) -> bool:
        ctx = self.ctx
        return any(trace(self.plan, ctx.entry, index).rows for index in range(len(self.plan.targets)))

    async def _loud(self, state: ActionState, says: str) -> None:
        """A person is needed: nobody may repeat this action on these owners until they lifted the freeze."""
        hands, plan = self.ctx.hands, self.plan
        frozen = ", ".join(f"{action} on {owner}" for action, owner in sorted(keys_of(plan)))
        text = f"ESCALATE: {says}; {frozen} is frozen until a person lifts it (eks-aiops freeze)"

        def also(conn: Connection) -> None:
            for key in sorted(keys_of(plan)):
                reason = f"action {self.ctx.entry.action_id} ended {state}"
                hands.brake.freeze_key_in(conn, plan.cluster, key, reason)
            about = {"action": self.plan.action, "says": text}
            hands.trail.note_in(conn, self.ctx.entry.caller, self.ctx.entry.action_id, "escalation", about)

        await hands.journal.turn(self.ctx.lease, state, redact(text), also=also)

    async def _turn(self, state: ActionState, says: str) -> None:
        await self.ctx.hands.journal.turn(self.ctx.lease, state, redact(says), body=self.ctx.entry.body)
