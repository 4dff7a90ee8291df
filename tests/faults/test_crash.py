"""kill -9 at every point of the journal, for every step: another process carries the action on (R7).

The effects are counted by the world's own file, never by our journal or audit.
"""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from aiops_shared.guardrails.models import ActionRecord, Plan
from aiops_shared.guardrails.snapshots import comparable
from tests.fakes.houses import ANNA, IMAGE, House, writing
from tests.fakes.worlds import deployment, ref_of
from tests.faults.crash_child import look

NAMES = ("web", "api")
FORWARD = ("before_intent", "after_intent", "after_effect", "before_outcome", "after_outcome")
BACK = ("before_undo_intent", "after_undo_intent", "after_undo_effect", "before_undo_outcome")
pytestmark = [pytest.mark.slow, pytest.mark.fault("R7")]


@pytest.fixture
def house(tmp_path: Path) -> House:
    built = House(tmp_path, audited=True, worker="worker-2")
    for name in (*NAMES, "bystander"):
        built.world.add(deployment(name))
    built.world.gates["ready"] = look
    return built


async def planned(house: House, last_image: str) -> Plan:
    """Two targets of two steps each, watched after each step."""
    images = {"web": "shop/web:2", "api": last_image}
    targets = [
        writing(
            house.world,
            ref_of(deployment(name)),
            {"spec.paused": True},
            {IMAGE: images[name], "spec.paused": None},
            check="ready",
        )
        for name in NAMES
    ]
    return await house.planned(*targets)


def process(house: House, plan: Plan, point: str = "", nth: int = 0) -> subprocess.Popen[str]:
    args = [str(house.dir), plan.plan_id, point, str(nth), plan.confirm]
    return subprocess.Popen(
        [sys.executable, "-m", "tests.faults.crash_child", *args],
        cwd=Path(__file__).parents[2],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def killed(house: House, plan: Plan, point: str, nth: int) -> None:
    child = process(house, plan, point, nth)
    _, said = child.communicate(timeout=25)
    assert child.returncode == -signal.SIGKILL, said[-2000:]


def sleeps(child: subprocess.Popen[str]) -> bool:
    """Wait until the child stopped itself."""
    stopped = os.waitid(os.P_PID, child.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
    return stopped is not None and stopped.si_status == signal.SIGSTOP


def said_by(child: subprocess.Popen[str]) -> str:
    """What a child that ended well printed."""
    said, wrong = child.communicate(timeout=25)
    assert child.returncode == 0, wrong[-2000:]
    return said


async def taken_over(house: House, plan: Plan) -> ActionRecord:
    """The surviving process, after the dead one's lease ran out."""
    entry = await house.journal.by_plan(plan.plan_id)
    assert entry is not None
    assert await house.journal.orphans() == []
    house.clock.pass_safely(house.journal.lease_s + 1)
    assert await house.journal.orphans() == [entry.action_id]
    async with house.executor.running() as executor:
        return await executor.start(plan.plan_id, plan.confirm, ANNA, wait_s=20)


async def invariants_hold(house: House, action: ActionRecord) -> None:
    """I3: the chain verifies and every intent ended; I4: nobody holds a lease."""
    assert house.audit is not None
    report = await house.audit.verify()
    assert report.holds
    assert report.unknown == ()
    intents = [one for one in await house.audit.show(500, action.action_id) if one.event == "intent"]
    assert len(intents) >= len(house.world.effects())  # an effect without an intent does not exist
    assert await house.journal.orphans() == []


@pytest.mark.parametrize("nth", range(4))
@pytest.mark.parametrize("point", FORWARD)
async def test_a_killed_process_is_carried_on_and_every_effect_happens_once(
    house: House, point: str, nth: int
) -> None:
    plan = await planned(house, "shop/web:2")
    bystander = house.world.see(ref_of(deployment("bystander")))
    killed(house, plan, point, nth)
    action = await taken_over(house, plan)
    assert action.state == "succeeded"
    assert house.world.effects() == [
        ("write", f"deployment shop/{name}", f"write {step}") for name in NAMES for step in (1, 2)
    ]
    assert house.world.see(ref_of(deployment("bystander"))) == bystander
    await invariants_hold(house, action)


@pytest.mark.parametrize("nth", range(2))
@pytest.mark.parametrize("point", BACK)
async def test_a_process_killed_on_the_way_back_is_carried_on_and_all_is_as_before(
    house: House, point: str, nth: int
) -> None:
    plan = await planned(house, "shop/web:bad")
    before = {name: comparable(house.world.see(ref_of(deployment(name)))) for name in NAMES}
    killed(house, plan, point, nth)
    action = await taken_over(house, plan)
    assert action.state == "undone"
    assert [verb for verb, _, _ in house.world.effects()] == ["write"] * 4 + ["replace"] * 2
    assert {name: comparable(house.world.see(ref_of(deployment(name)))) for name in NAMES} == before
    await invariants_hold(house, action)


@pytest.mark.row("S74")
@pytest.mark.fault("R11")
async def test_two_processes_that_execute_one_plan_at_the_same_instant_start_one_action(house: House) -> None:
    plan = await planned(house, "shop/web:2")
    children = [process(house, plan) for _ in range(2)]
    assert len({said_by(child) for child in children}) == 1
    assert len(house.world.effects()) == 4


@pytest.mark.fault("R19")
async def test_a_process_that_sleeps_between_intent_and_effect_writes_nothing_when_it_wakes(
    house: House,
) -> None:
    plan = await planned(house, "shop/web:2")
    sleeper = process(house, plan, "sleep after_intent", 1)
    assert sleeps(sleeper)
    action = await taken_over(house, plan)
    assert action.state == "succeeded"
    effects = house.world.effects()
    os.kill(sleeper.pid, signal.SIGCONT)
    assert said_by(sleeper) == action.action_id
    assert house.world.effects() == effects
    assert len(effects) == 4
