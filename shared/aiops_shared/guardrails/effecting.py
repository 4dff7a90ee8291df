"""Carries out one step of one target: bound → intent → effect → read back → outcome (D1, R2, R16).

An outcome that is not known is never tried again blindly: the object is read and compared with what the
step writes. Only a step that is certainly not in place is tried again, with the object's own preconditions.
"""

from collections.abc import Awaitable, Callable

import anyio

from aiops_shared.errors import AiopsError, ConflictError, UnauthenticatedError, UpstreamError
from aiops_shared.guardrails.bindings import changed_since, in_place, prints, stale
from aiops_shared.guardrails.canonical import sha256_of
from aiops_shared.guardrails.journal import StepRow, seq_of
from aiops_shared.guardrails.models import Json, Step, TargetChange
from aiops_shared.guardrails.paths import uid_of
from aiops_shared.guardrails.run_context import (
    EFFECT_DEADLINE_S,
    WRITE_TRIES,
    OutcomeUnknownError,
    RunContext,
    StepFailedError,
    turned,
)


class StepHand:
    """One step of one target."""

    def __init__(self, run: RunContext, target: int, step: int) -> None:
        self.run = run
        self.target: TargetChange = run.plan.targets[target]
        self.step: Step = self.target.steps[step]
        first = seq_of(run.plan, target, 0)
        self._earlier = [first + index for index in range(step)]
        self._seq = first + step
        self._unsettled = False  # an attempt of this step may still arrive

    @property
    def row(self) -> StepRow:
        """The step's row as it stands."""
        return self.run.entry.steps[self._seq]

    async def carry_out(self) -> None:
        """Bring the step to `applied`.

        Raises StepFailedError (nothing was done), OutcomeUnknownError, HaltedError, LeaseLostError, and
        UnauthenticatedError: the run rests, and goes on here once the credentials are taken again (R5).
        """
        # Nothing here is cut in half by a stop: the step ends, then the run hands over (R22).
        with anyio.CancelScope(shield=True):
            if self.row.state == "intended":
                self._unsettled = True
                await self._settle("the process stopped before the answer came")
            for _ in range(WRITE_TRIES):
                if self.row.state != "pending":
                    return
                await self._try()
            if self.row.state == "pending":
                why = self.row.says or "others change it all the time"
                raise StepFailedError(f"{self.target.ref}: not done in {WRITE_TRIES} tries: {why}")

    async def _try(self) -> None:
        current = await self._read()
        if self._unsettled and in_place(self.step, current, self._uid()):
            # An earlier attempt arrived after it was read back: its outcome stands corrected.
            await self.run.correct(turned(self.row, "applied", "", self._left(current)))
            return
        await self._bound(current)
        paths = self._paths()
        row = turned(self.row, "pending", "", {"before": prints(current, paths), "uid": uid_of(current)})
        await self.run.intend(row, self._says())
        await self._effect(current)

    async def _effect(self, current: Json | None) -> None:
        try:
            with anyio.fail_after(EFFECT_DEADLINE_S):
                answer = await self.run.effects.apply_step(
                    self.target.ref, self.step, current, self.run.permit
                )
        except ConflictError as error:
            await self._not_applied(str(error))
        except (UpstreamError, TimeoutError) as error:
            self._unsettled = True
            await self._settle(str(error) or "no answer in time")
        except UnauthenticatedError as error:
            await self._not_applied(str(error))
            raise
        except AiopsError as error:
            await self._not_applied(str(error))
            raise StepFailedError(f"{self.target.ref}: {error}") from error
        else:
            await self._applied(answer if answer is not None else await self._read())

    async def _settle(self, why: str) -> None:
        """Find out by reading whether an unanswered effect happened."""
        try:
            now = await self._read()
        except StepFailedError as error:
            raise await self._unknown(f"{why}; {error}") from error
        if in_place(self.step, now, self._uid()):
            await self._applied(now)
        elif prints(now, self._paths()) == self.row.data["before"] and uid_of(now) == self.row.data["uid"]:
            await self._not_applied(why)
        else:
            raise await self._unknown(f"{why}; the object reads neither as before nor as written")

    async def _applied(self, left: Json | None) -> None:
        await self.run.outcome(turned(self.row, "applied", "", self._left(left)), "applied")

    def _left(self, left: Json | None) -> dict[str, object]:
        return {**self.row.data, "left": prints(left, self._paths()), "uid": uid_of(left) or self._uid()}

    async def _not_applied(self, why: str) -> None:
        await self.run.outcome(turned(self.row, "pending", why, self.row.data), "not applied")

    async def _unknown(self, why: str) -> OutcomeUnknownError:
        await self.run.outcome(turned(self.row, "unknown", why, self.row.data), "unknown")
        return OutcomeUnknownError(f"{self.target.ref}: {why}")

    async def _bound(self, current: Json | None) -> None:
        """Raises StepFailedError when the object is not what the plan saw or what our last step left."""
        if not self._earlier:
            seen = None
            if self.target.snapshot_id:
                seen = await self.run.hands.snapshots.open(self.target.snapshot_id)
            problem: object = stale(self.target, current, seen)
        else:
            last = self.run.entry.steps[self._earlier[-1]]
            problem = changed_since(self.target.ref, current, self._uid(), last.data["left"])
        if problem:
            raise StepFailedError(str(problem))

    async def _read(self) -> Json | None:
        return await reading(lambda: self.run.read(self.target.ref), str(self.target.ref))

    def _uid(self) -> str:
        for seq in reversed(self._earlier):
            if uid := self.run.entry.steps[seq].data.get("uid"):
                return str(uid)
        return self.target.uid

    def _paths(self) -> tuple[str, ...]:
        return tuple(sorted({*self.target.paths, *self.step.values}))

    def _says(self) -> dict[str, object]:
        return {
            "plan_id": self.run.plan.plan_id,
            "target": str(self.target.ref),
            "uid": self._uid(),
            "step": self.step.name,
            "verb": self.step.verb,
            "paths": sorted(self.step.values),
            "step_digest": sha256_of(self.step.model_dump(mode="json")),
        }


async def reading(read: Callable[[], Awaitable[Json | None]], thing: str) -> Json | None:
    """A read whose failure ends the step: nothing was written. Raises UnauthenticatedError as it is."""
    try:
        return await read()
    except UnauthenticatedError:
        raise
    except AiopsError as error:
        raise StepFailedError(f"{thing} cannot be read: {error}") from error
