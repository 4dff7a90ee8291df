"""R10 at the executor: clocks of two processes that differ, and one that is set back, with a lease held."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import anyio
import pytest

from aiops_shared.errors import ApprovalInvalidError
from aiops_shared.guardrails.models import GateCheck, GateResult, ObjectRef
from tests.fakes.houses import ANNA, IMAGE, House, writing
from tests.fakes.worlds import FakeWorld, deployment, ref_of

pytestmark = pytest.mark.fault("R10")
WEB, API = ref_of(deployment()), ref_of(deployment("api"))
JUMPS = {"five minutes on": 300, "five minutes back": -300, "an hour back": -3600}


@pytest.fixture
def house(tmp_path: Path) -> House:
    built = House(tmp_path)
    for name in ("web", "api"):
        built.world.add(deployment(name))
    return built


class Watched(FakeWorld):
    """Its first check waits for a test."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.looked, self.go_on = anyio.Event(), anyio.Event()

    async def look(self, ref: ObjectRef, check: GateCheck) -> GateResult:
        self.looked.set()
        await self.go_on.wait()
        return GateResult(state="met")


async def both(house: House) -> Any:
    return await house.planned(
        writing(house.world, WEB, {IMAGE: "x:2"}, check="ready"), writing(house.world, API, {IMAGE: "x:2"})
    )


@pytest.mark.parametrize("jump", JUMPS)
async def test_whatever_another_process_s_clock_says_each_effect_happens_once(
    house: House, jump: str
) -> None:
    """A clock that is ahead takes the lease early: the fence holds. One behind waits."""
    plan, twin = await both(house), House(house.dir, worker="worker-2")
    house.world = world = Watched(house.world.path)
    async with house.executor.running() as executor:
        action = await executor.start(plan.plan_id, plan.confirm, ANNA, wait_s=0)
        await world.looked.wait()
        twin.clock.pass_safely(JUMPS[jump])
        async with twin.executor.running() as other:
            if JUMPS[jump] > 0:
                assert (await other.start(plan.plan_id, plan.confirm, ANNA)).state == "succeeded"
            else:
                assert await twin.journal.orphans() == []
        world.go_on.set()
        ended = await executor.start(plan.plan_id, plan.confirm, ANNA)
    assert (ended.action_id, ended.state) == (action.action_id, "succeeded")
    assert [ref for _, ref, _ in house.world.effects()] == ["deployment shop/web", "deployment shop/api"]
    assert await house.journal.orphans() == []


async def test_an_approval_is_used_once_also_when_the_clock_is_set_back_afterwards(house: House) -> None:
    house.needs()
    plan = await both(house)
    approval = await house.approvals.ask(plan, "requester")
    await house.approvals.approve(approval.approval_id, ANNA, "terminal")
    async with house.executor.running() as executor:
        first = await executor.start(plan.plan_id, plan.confirm, ANNA)
        house.clock.safe -= timedelta(hours=1)
        house.clock.world -= timedelta(hours=1)
        again = await executor.start(plan.plan_id, plan.confirm, ANNA)
    assert (first.state, again.action_id) == ("succeeded", first.action_id)
    assert len(house.world.effects()) == 2
    with pytest.raises(ApprovalInvalidError, match="used already"):
        await house.approvals.approve(approval.approval_id, ANNA, "terminal")
