"""From a stored plan to its effect and back, against a fake world and the real store."""

from pathlib import Path

import pytest

from aiops_shared.guardrails.snapshots import comparable
from tests.fakes.houses import ANNA, IMAGE, House, writing
from tests.fakes.worlds import deployment, ref_of

WEB = ref_of(deployment())


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


async def test_a_plan_is_executed_verified_and_undone(house: House) -> None:
    house.world.add(deployment())
    before = house.world.see(WEB)
    plan = await house.planned(writing(house.world, WEB, {IMAGE: "shop/web:2"}, check="ready"))
    async with house.executor.running() as executor:
        action = await executor.start(plan.plan_id, plan.confirm, ANNA)
        assert (action.state, action.can_undo) == ("succeeded", True)
        assert [step.state for step in action.steps] == ["verified"]
        assert house.world.effects() == [("write", "deployment shop/web", "write 1")]
        undone = await executor.undo(action.action_id, ANNA)
    assert undone.state == "undone"
    assert comparable(house.world.see(WEB)) == comparable(before)
    assert house.trail.events() == ["intent", "outcome", "intent", "outcome"]
