"""A process that drains a node and is killed at one point of the sweep; started by test_drain_faults.

`python -m tests.faults.drain_child DIR PLAN_ID POINT NTH CONFIRM`
"""

import sys
from pathlib import Path
from typing import Any

import anyio

from aiops_shared.guardrails.models import ObjectRef, Part, Round, Step
from aiops_shared.guardrails.permits import Permit
from tests.fakes.houses import ANNA, House
from tests.fakes.racks import FakeRack
from tests.faults.crash_child import Countdown, FragileAudit


class FragileRack(FakeRack):
    """Dies before a look, before an eviction or after it."""

    countdown: Countdown

    async def parts(self, ref: ObjectRef, step: Step) -> Round:
        self.countdown.pass_by("before_look")
        return await super().parts(ref, step)

    async def carry_part(self, ref: ObjectRef, step: Step, part: Part, permit: Permit) -> str:
        self.countdown.pass_by("before_eviction")
        answer = await super().carry_part(ref, step, part, permit)
        self.countdown.pass_by("after_eviction")
        return answer


async def main(*args: str) -> None:
    """Drain, and do not come back."""
    folder, plan_id, point, nth, confirm = args
    countdown, plain = Countdown(point, int(nth)), House(Path(folder))
    audit: Any = FragileAudit(plain.store, plain.keys, plain.clock)
    audit.countdown = countdown
    house = House(Path(folder), audit=audit)
    rack = FragileRack(house.world.path)
    rack.countdown = countdown
    house.world = rack
    async with house.executor.running() as executor:
        await executor.start(plan_id, confirm, ANNA)


if __name__ == "__main__":
    anyio.run(main, *sys.argv[1:])
