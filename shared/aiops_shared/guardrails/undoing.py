"""The way back: exactly the snapshot's values of the fields that our action wrote, nothing else.

A rival's undo overwrote what somebody else had changed since, and uncordoned a node that had been cordoned
before. So an undo is refused when a written field no longer reads as our action left it, and what it writes
comes from the snapshot, never from a notion of an opposite.
"""

from dataclasses import dataclass
from typing import Literal

import anyio

from aiops_shared.errors import AiopsError, ConflictError, UnauthenticatedError, UpstreamError
from aiops_shared.guardrails.bindings import changed_since, in_place
from aiops_shared.guardrails.effecting import reading
from aiops_shared.guardrails.journal import Entry, StepRow, seq_of, undo_seq
from aiops_shared.guardrails.models import Json, Plan, Step, TargetChange
from aiops_shared.guardrails.paths import MISSING, get, moved, remove, restore, uid_of
from aiops_shared.guardrails.ports import Leaver
from aiops_shared.guardrails.run_context import (
    EFFECT_DEADLINE_S,
    WRITE_TRIES,
    RunContext,
    StepFailedError,
    UndoBlockedError,
    turned,
)

Way = Literal["nothing", "restore", "delete", "recreate", "lost"]
_DONE = frozenset({"intended", "applied", "verified", "unknown", "failed"})
_SERVER_MADE = ("uid", "resourceVersion", "creationTimestamp", "generation", "managedFields", "selfLink")


@dataclass(frozen=True, slots=True)
class Trace:
    """What our action did to one target, from the journal."""

    target: TargetChange
    rows: tuple[StepRow, ...]  # those that had, or may have had, an effect
    way: Way
    uid: str
    left: dict[str, str]

    @property
    def unsure(self) -> StepRow | None:
        """The last row, when nobody could say whether it happened."""
        last = self.rows[-1] if self.rows else None
        return last if last is not None and last.state in {"intended", "unknown"} else None

    def step(self, row: StepRow) -> Step:
        """The step of a row."""
        return next(step for step in self.target.steps if step.name == row.step)


def trace(plan: Plan, entry: Entry, index: int) -> Trace:
    """Read the journal of one target."""
    target = plan.targets[index]
    first = seq_of(plan, index, 0)
    found = [(step, entry.steps[first + at]) for at, step in enumerate(target.steps)]
    done = [(step, row) for step, row in found if row.state in _DONE and "before" in row.data]
    certain = [row for _, row in done if "left" in row.data]
    uid = next((str(row.data["uid"]) for row in reversed(certain) if row.data["uid"]), target.uid)
    left = dict(certain[-1].data["left"]) if certain else {}
    way = _way([step.verb for step, _ in done])
    return Trace(target, tuple(row for _, row in done), way, uid, left)


def _way(verbs: list[str]) -> Way:
    if not verbs:
        return "nothing"
    if "create" in verbs:
        return "delete"
    if "delete" in verbs:
        return "recreate"
    return "restore" if {"write", "apply"} & set(verbs) else "lost"


def blocked(found: Trace, now: Json | None, seen: Json | None) -> str:
    """Why this target cannot be given back without touching what is not ours; empty when it can."""
    match found.way:
        case "recreate":
            return _blocked_recreate(found, now)
        case "delete":
            return _blocked_delete(found, now)
        case _:
            return "" if _given_back(found, now, seen) else _foreign(found, now)


def _blocked_delete(found: Trace, now: Json | None) -> str:
    if now is None:
        return ""
    if not found.uid:  # the creation was never confirmed
        ours = found.unsure is not None and in_place(found.step(found.unsure), now, "")
        return f"{found.target.ref} exists, and nobody can say whether our action made it" if ours else ""
    return _foreign(found, now) if uid_of(now) == found.uid else ""


def _blocked_recreate(found: Trace, now: Json | None) -> str:
    if now is None or uid_of(now) == found.uid:
        return ""  # gone, on its way out, or never deleted
    return f"{found.target.ref} exists again: somebody created it"


def _foreign(found: Trace, now: Json | None) -> str:
    """What somebody else did to the object since our last step; an unsure step may or may not show."""
    row = found.unsure
    if row is None:
        return changed_since(found.target.ref, now, found.uid, found.left)
    if why := changed_since(found.target.ref, now, found.uid, {}):
        return why
    if in_place(found.step(row), now, found.uid):
        return ""
    return changed_since(found.target.ref, now, found.uid, row.data["before"])


def _given_back(found: Trace, now: Json | None, seen: Json | None) -> bool:
    return uid_of(now) == found.uid and not moved(now, seen, found.target.paths)


class UndoHand:
    """Gives one target back and verifies it."""

    def __init__(self, run: RunContext, index: int) -> None:
        self.run = run
        self.found = trace(run.plan, run.entry, index)
        self.target = self.found.target
        self._seq = undo_seq(run.plan, index)

    async def give_back(self) -> None:
        """Bring the target's undo row to `undone` or `skipped`.

        Raises UndoBlockedError, HaltedError, LeaseLostError.
        """
        row = self.run.entry.steps.get(self._seq) or StepRow(
            self._seq, str(self.target.ref), "undo", "pending"
        )
        if self.found.way == "nothing" or row.state in {"undone", "skipped"}:
            return
        self.run.keep(row)
        with anyio.CancelScope(shield=True):
            if self.target.may_go and self._is_gone(await self._read()):
                await self.run.mark(turned(row, "skipped", "is gone: nothing to give back", row.data))
                return
            if self.found.way == "lost":
                says = f"cannot be given back{await self._left_behind()}"
                await self.run.mark(turned(row, "skipped", says, row.data))
                return
            seen = await self._seen()
            for _ in range(WRITE_TRIES):
                if await self._try(seen):
                    return
            raise await self._failed("others change it all the time")

    async def _left_behind(self) -> str:
        """Our own helpers (debug pods) go, also where nothing can be given back; a failure is only said."""
        effects = self.run.effects
        if not isinstance(effects, Leaver):
            return ""
        try:
            taken = await effects.leave(self.target.ref, self.target.steps, self.run.permit)
        except AiopsError as error:
            return f"; what our steps left is still there: {error}"
        return f"; {taken}" if taken else ""

    async def look(self) -> str:
        """Why it cannot be given back now; empty when it can. Changes nothing."""
        if self.found.way in {"nothing", "lost"}:
            return ""
        try:
            now = await self.run.read(self.target.ref)
            if self.target.may_go and self._is_gone(now):
                return ""
            return blocked(self.found, now, await self._seen())
        except (AiopsError, UndoBlockedError) as error:
            return str(error)

    def _is_gone(self, now: Json | None) -> bool:
        return now is None or uid_of(now) != self.found.uid

    async def _seen(self) -> Json | None:
        if not self.target.snapshot_id:
            return None
        try:
            return await self.run.hands.snapshots.open(self.target.snapshot_id)
        except AiopsError as error:
            raise UndoBlockedError(str(error)) from error

    async def _try(self, seen: Json | None) -> bool:
        row = self.run.entry.steps[self._seq]
        now = await self._read()
        if self._is_back(now, seen, row):
            await self._undone(row)
            return True
        if problem := blocked(self.found, now, seen):
            raise await self._failed(problem)
        if row.state == "intended":  # of a process that was stopped: not in place, as was just read
            row = await self.run.keep_trying(row, "the process stopped before the answer came")
        row = await self.run.intend(row, self._says())
        try:
            with anyio.fail_after(EFFECT_DEADLINE_S):
                await self._effect(now, seen)
        except (ConflictError, UnauthenticatedError, UpstreamError, TimeoutError) as error:
            # What became of it is read at the next turn of the loop, which ends here if it is in place.
            await self.run.keep_trying(row, str(error) or "no answer in time")
            return False
        except AiopsError as error:
            raise await self._failed(str(error)) from error
        return False  # the next turn reads it back

    async def _effect(self, now: Json | None, seen: Json | None) -> None:
        effects, ref, permit = self.run.effects, self.target.ref, self.run.permit
        match self.found.way:
            case "delete":
                await effects.delete(ref, self.found.uid, permit)
            case "recreate":
                if now is not None:
                    await self.run.pause(1)  # still on its way out
                else:
                    await effects.create(ref, without_server_fields(seen), permit)
            case _:
                await effects.replace(ref, restore(now, seen, self.target.paths), permit)

    def _is_back(self, now: Json | None, seen: Json | None, row: StepRow) -> bool:
        match self.found.way:
            case "delete":
                return now is None or uid_of(now) != self.found.uid or _going(now)
            case "recreate":
                tried = row.state == "intended" or bool(row.data.get("tried"))
                made = tried and now is not None and uid_of(now) != self.found.uid
                return made or (uid_of(now) == self.found.uid and not _going(now))
            case _:
                return _given_back(self.found, now, seen)

    async def _read(self) -> Json | None:
        try:
            return await reading(lambda: self.run.read(self.target.ref), str(self.target.ref))
        except StepFailedError as error:
            raise await self._failed(str(error)) from error

    async def _undone(self, row: StepRow) -> None:
        done = turned(row, "undone", "reads as before the action", row.data)
        if row.state == "intended":
            await self.run.outcome(done, "undone")
        else:
            await self.run.mark(done)

    async def _failed(self, why: str) -> UndoBlockedError:
        row = self.run.entry.steps[self._seq]
        failed = turned(row, "failed", why, row.data)
        if row.state == "intended":
            await self.run.outcome(failed, "failed")
        else:
            await self.run.mark(failed)
        return UndoBlockedError(why)

    def _says(self) -> dict[str, object]:
        return {
            "plan_id": self.run.plan.plan_id,
            "target": str(self.target.ref),
            "uid": self.found.uid,
            "step": "undo",
            "verb": self.found.way,
            "paths": list(self.target.paths),
            "snapshot_id": self.target.snapshot_id,
        }


def _going(now: Json) -> bool:
    return get(now, "metadata.deletionTimestamp") is not MISSING


def without_server_fields(seen: Json) -> Json:
    """A snapshot as it can be created again."""
    body = {key: value for key, value in seen.items() if key != "status"}
    for name in _SERVER_MADE:
        body = remove(body, f"metadata.{name}")
    return body
