"""Fault R5 for an action under way: a second 401 pauses it, nothing is lost, it goes on where it was."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import pytest

from aiops_shared.errors import UnauthenticatedError
from aiops_shared.guardrails.models import ActionRecord, GateResult, ObjectRef, Plan, Step
from aiops_shared.guardrails.permits import Permit
from tests.fakes.houses import ANNA, IMAGE, House, writing
from tests.fakes.worlds import FakeWorld, deployment, ref_of
from tests.faults.test_executor_faults import intents_have_outcomes, same_world

pytestmark = pytest.mark.fault("R5")
WEB, API = ref_of(deployment()), ref_of(deployment("api"))
CALLS = 24  # more than any run below makes


@dataclass
class Expiring(FakeWorld):
    """From its k-th call on the API takes the credentials no more, until a test renews them."""

    lives: int = 0

    def _call(self, ref: ObjectRef) -> None:
        self.lives -= 1
        if self.lives < 0:
            raise UnauthenticatedError(
                str(ref), "the API server did not accept the credentials", "renew them"
            )

    async def read(self, ref: ObjectRef) -> Any:
        self._call(ref)
        return await super().read(ref)

    async def apply_step(self, ref: ObjectRef, step: Step, current: Any, permit: Permit) -> Any:
        self._call(ref)
        return await super().apply_step(ref, step, current, permit)

    async def replace(self, ref: ObjectRef, body: Any, permit: Permit) -> Any:
        self._call(ref)
        return await super().replace(ref, body, permit)

    async def look(self, ref: ObjectRef, check: Any) -> GateResult:
        self._call(ref)
        return await super().look(ref, check)


@dataclass(frozen=True)
class Stopped:
    """A run of two targets with a gate each, whose credentials ended somewhere."""

    house: House
    world: Expiring
    plan: Plan

    async def first(self) -> ActionRecord:
        """Until it ends or rests."""
        async with self.house.executor.running() as executor:
            action = await executor.start(self.plan.plan_id, self.plan.confirm, ANNA, wait_s=0)
            for _turn in range(400):
                action = await executor.get(action.action_id, ANNA)
                if action.state not in {"running", "undoing"} or action.says.startswith("paused"):
                    break
                await anyio.sleep(0.005)
            return action

    async def renewed(self, action: ActionRecord) -> ActionRecord:
        """The credentials are taken again; whoever finds the action carries it on."""
        self.world.lives = 10_000
        async with self.house.executor.running() as executor:
            for _turn in range(400):
                found = await executor.get(action.action_id, ANNA)
                if found.state not in {"running", "undoing"}:
                    return found
                await anyio.sleep(0.01)
        raise AssertionError("it was not taken up")


async def stopped(folder: Path, lives: int, gate: GateResult) -> Stopped:
    house = House(folder)
    world = Expiring(house.world.path, lives=10_000)
    house.world = world
    world.gates["ready"] = lambda body: gate if body and "api" in str(body["metadata"]) else MET
    for name in ("web", "api"):
        world.add(deployment(name))
    targets = [writing(world, ref, {IMAGE: "shop/web:2"}, check="ready") for ref in (WEB, API)]
    plan = await house.planned(*targets)
    world.lives = lives
    return Stopped(house, world, plan)


MET = GateResult(state="met", says="ready")
BAD = GateResult(state="failed", says="it crashes")
CHECKED = 2  # calls before the action exists: execute_plan reads both targets


@pytest.mark.parametrize("step", range(CHECKED, CALLS))
async def test_an_action_refused_at_any_step_rests_and_goes_on_there(step: int, tmp_path: Path) -> None:
    run = await stopped(tmp_path, step, MET)
    action = await run.first()
    if action.state != "succeeded":
        assert action.state == "running", action
        assert action.says.startswith("paused: ")
        assert "renew them" in action.says
        action = await run.renewed(action)
    assert action.state == "succeeded", action
    assert [effect[1] for effect in run.world.effects()] == [str(WEB), str(API)]  # I1: each once, in order
    assert intents_have_outcomes(run.house)


@pytest.mark.parametrize("step", range(CHECKED, CALLS))
async def test_the_way_back_of_an_action_refused_at_any_step_rests_and_goes_on_too(
    step: int, tmp_path: Path
) -> None:
    run = await stopped(tmp_path, step, BAD)
    before = run.world.everything()
    action = await run.first()
    if action.state != "undone":
        assert action.state in {"running", "undoing"}, action
        assert action.says.startswith("paused: ")
        action = await run.renewed(action)
    assert action.state == "undone", action
    assert same_world(before, run.world.everything())
    assert intents_have_outcomes(run.house)


async def test_an_execution_whose_credentials_are_refused_at_once_starts_nothing(tmp_path: Path) -> None:
    run = await stopped(tmp_path, 0, MET)
    async with run.house.executor.running() as executor:
        with pytest.raises(UnauthenticatedError):
            await executor.start(run.plan.plan_id, run.plan.confirm, ANNA)
    assert run.world.effects() == []
