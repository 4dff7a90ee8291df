"""What is left after an action that nothing can give back: its state, our own helpers, its history."""

from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from aiops_shared.errors import NotFoundError
from aiops_shared.guardrails.history import past_actions
from aiops_shared.guardrails.models import (
    ActionRecord,
    GateCheck,
    GateResult,
    ObjectRef,
    Step,
    TargetChange,
)
from aiops_shared.guardrails.permits import Permit
from tests.fakes.houses import ANNA, House, bound
from tests.fakes.worlds import deployment, ref_of

WEB = ref_of(deployment())
DAY = timedelta(days=1)


@dataclass
class Leaving:
    """An adapter's helpers: what they were asked to take away, and whether they can."""

    fails: bool = False
    asked: list[tuple[str, ...]] = field(default_factory=list)

    async def leave(self, ref: ObjectRef, steps: tuple[Step, ...], permit: Permit) -> str:
        permit.covers(ref)
        self.asked.append(tuple(step.name for step in steps))
        if self.fails:
            raise NotFoundError("debug pod", "is gone")
        return "2 debug pods removed"


def evicting(house: House) -> TargetChange:
    """An eviction whose check fails: nothing of it can be given back."""
    house.world.gates["bad"] = lambda body: GateResult(state="failed", says="still full")
    step = Step(name="evict", verb="evict", gate=GateCheck(check="bad"))
    return bound(house.world, WEB, (step,))


async def ended(house: House, target: TargetChange) -> ActionRecord:
    plan = await house.planned(target, action="evict", reversible="none", lost=("its data",))
    async with house.executor.running() as executor:
        return await executor.start(plan.plan_id, plan.confirm, ANNA)


async def test_what_cannot_be_given_back_ends_failed_and_not_undone(house: House) -> None:
    action = await ended(house, evicting(house))
    assert action.state == "failed"
    assert "still full" in action.says
    assert "what was done stays" in action.says


@pytest.mark.parametrize("fails", [False, True])
async def test_helpers_of_a_failed_action_are_taken_away_and_a_failure_of_that_is_only_said(
    house: House, monkeypatch: pytest.MonkeyPatch, fails: bool
) -> None:
    helpers = Leaving(fails)
    monkeypatch.setattr(type(house.world), "leave", lambda _, *given: helpers.leave(*given), raising=False)
    action = await ended(house, evicting(house))
    assert helpers.asked == [("evict",)]
    (row,) = [step for step in action.steps if step.step == "undo"]
    assert ("still there" if fails else "2 debug pods removed") in row.says
    assert action.state == "failed"


async def test_history_tells_what_was_done_to_an_owner_and_what_was_seen(house: House) -> None:
    target = evicting(house).model_copy(update={"owner": "nodepool default"})
    action = await ended(house, target)
    now = await house.clock.now()
    store = house.store

    async def past(owner: str, back: timedelta = DAY) -> list[str]:
        found = await store.read(lambda conn: past_actions(conn, "evict", "dev", owner, now, back))
        return [f"{each.action_id} {each.state} {each.said(['evict'])}" for each in found]

    assert await past("nodepool default") == [f"{action.action_id} failed ['still full']"]
    assert await past("nodepool other") == []
    assert await past("nodepool default", timedelta(0)) == []
