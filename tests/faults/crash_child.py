"""A process that executes a plan and is killed at one point of its journal; started by test_crash.

`python -m tests.faults.crash_child DIR PLAN_ID POINT NTH CONFIRM`
"""

import os
import signal
import sys
from pathlib import Path
from typing import Any

import anyio
from sqlalchemy import Connection

from aiops_shared.guardrails.audit import Audit
from aiops_shared.guardrails.models import Caller, GateCheck, GateResult, Json, ObjectRef
from tests.fakes.houses import ANNA, House
from tests.fakes.worlds import FakeWorld


class Countdown:
    """Kills at the nth time that the point is passed, as a pulled node would; `sleep` only stops it."""

    def __init__(self, point: str, nth: int) -> None:
        self.sleeps = point.startswith("sleep ")
        self.point = point.removeprefix("sleep ")
        self.left = nth

    def pass_by(self, point: str) -> None:
        if point == self.point:
            self.left -= 1
            if self.left == -1:
                os.kill(os.getpid(), signal.SIGSTOP if self.sleeps else signal.SIGKILL)


class FragileAudit(Audit):
    """Dies before a record is committed."""

    countdown: Countdown

    def intent_in(self, conn: Connection, caller: Caller, action_id: str, says: dict[str, Any]) -> int:
        self.countdown.pass_by("before_undo_intent" if says["step"] == "undo" else "before_intent")
        return super().intent_in(conn, caller, action_id, says)

    def outcome_in(
        self, conn: Connection, caller: Caller, action_id: str, intent: int, says: dict[str, Any]
    ) -> None:
        self.countdown.pass_by("before_undo_outcome" if says["step"] == "undo" else "before_outcome")
        super().outcome_in(conn, caller, action_id, intent, says)


class FragileWorld(FakeWorld):
    """Dies before an effect, after it, or when its outcome is known."""

    countdown: Countdown

    async def look(self, ref: ObjectRef, check: GateCheck) -> GateResult:
        self.countdown.pass_by("after_outcome")
        return look(self.see(ref))

    async def _before(self, fault: Any, ref: ObjectRef) -> None:
        self.countdown.pass_by("after_undo_intent" if self.undoing else "after_intent")

    @property
    def undoing(self) -> bool:
        """Whether the effect under way is the way back."""
        return self.verb == "replace"

    verb = ""

    async def _effect(self, verb: str, *args: Any) -> Any:
        self.verb = verb
        answer = await super()._effect(verb, *args)
        self.countdown.pass_by("after_undo_effect" if self.undoing else "after_effect")
        return answer


def look(body: dict[str, Json] | None) -> GateResult:
    """The plan whose image is bad fails at its last target."""
    image = (body or {}).get("spec", {}).get("template", {}).get("spec", {}).get("containers", [{}])[0]
    bad = image.get("image") == "shop/web:bad"
    return GateResult(state="failed" if bad else "met", says="it crashes" if bad else "ready")


def fragile_house(folder: Path, point: str, nth: int) -> House:
    """The house of the process that will die."""
    plain = House(folder)
    countdown = Countdown(point, nth)
    audit = FragileAudit(plain.store, plain.keys, plain.clock)
    audit.countdown = countdown
    house = House(folder, audit=audit)
    world = FragileWorld(house.world.path)
    world.countdown = countdown
    house.world = world
    return house


async def main(*args: str) -> None:
    """Execute, and do not come back; a process that does come back prints its action."""
    folder, plan_id, point, nth, confirm = args
    house = fragile_house(Path(folder), point, int(nth))
    async with house.executor.running() as executor:
        action = await executor.start(plan_id, confirm, ANNA)
    sys.stdout.write(action.action_id)


if __name__ == "__main__":
    anyio.run(main, *sys.argv[1:])
