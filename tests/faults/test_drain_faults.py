"""A drain under faults: held by a budget, cut, refused, frozen, killed and carried on by another (R13).

Evictions are counted by the world's own file, never by our journal or audit.
"""

import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import anyio
import pytest
from sqlalchemy import select

from aiops_shared.errors import AccessDeniedError, UnauthenticatedError, UndoRefusedError
from aiops_shared.guardrails.models import ActionRecord, GateCheck, GateResult, Plan, Step, TargetChange
from aiops_shared.guardrails.snapshots import comparable
from aiops_shared.state.schema import action_steps
from tests.fakes.houses import ANNA, House, bound
from tests.fakes.racks import BUDGET, FakeRack, node, pod
from tests.fakes.worlds import FakeWorld, Fault, ref_of

N1, N2 = ref_of(node("n1")), ref_of(node("n2"))
PODS = ("a", "b", "c")
CORDONED = "spec.unschedulable"
WAIT_S = 60.0
pytestmark = pytest.mark.fault("R13")


class DrainHouse(House):
    """A house over a rack."""

    @property
    def rack(self) -> FakeRack:
        assert isinstance(self.world, FakeRack)
        return self.world


@pytest.fixture
def house(tmp_path: Path) -> DrainHouse:
    return housed(tmp_path)


def housed(folder: Path, worker: str = "worker-1", *, audited: bool = False) -> DrainHouse:
    built = DrainHouse(folder, worker=worker, audited=audited)
    built.world = FakeRack(built.world.path)
    if not built.world.everything():
        for name in ("n1", "n2"):
            built.world.add(node(name))
        for name in PODS:
            built.world.add(pod(name))
        built.world.add(pod("elsewhere", "n2"))
    return built


def draining(world: FakeWorld, *names: str) -> list[TargetChange]:
    steps = (
        Step(name="cordon", verb="write", values={CORDONED: True}),
        Step(name="evict", verb="sweep", body={"within_s": WAIT_S}),
    )
    found = [bound(world, ref_of(node(name)), steps, (CORDONED,)) for name in names]
    return [target.model_copy(update={"may_go": True}) for target in found]


async def planned(house: DrainHouse, *names: str) -> Plan:
    targets = draining(house.world, *(names or ("n1",)))
    return await house.planned(*targets, action="drain", reversible="partial", lost=("the pods' logs",))


async def start(house: DrainHouse, plan: Plan, wait_s: float = 20.0) -> ActionRecord:
    async with house.executor.running() as executor:
        return await executor.start(plan.plan_id, plan.confirm, ANNA, wait_s=wait_s)


def after(house: DrainHouse, seconds: float, act: Callable[[], object]) -> None:
    """Once world time passed so many seconds."""
    house.clock.after = (house.clock.world + timedelta(seconds=seconds), act)


def cordoned(house: DrainHouse, name: str = "n1") -> bool:
    return bool(house.world.see(ref_of(node(name)))["spec"].get("unschedulable"))


def intents_have_outcomes(house: DrainHouse) -> bool:
    intents = [number for number, record in enumerate(house.trail.records, 1) if record[0] == "intent"]
    return intents == sorted(r[2]["intent"] for r in house.trail.records if r[0] == "outcome")


async def test_every_pod_is_evicted_once_with_an_intent_and_an_outcome_of_its_own(house: DrainHouse) -> None:
    action = await start(house, await planned(house))
    assert action.state == "succeeded", action
    assert house.rack.evicted() == list(PODS)
    assert cordoned(house)
    assert intents_have_outcomes(house)
    parts = [
        record[2]["part"] for record in house.trail.records if record[0] == "intent" and "part" in record[2]
    ]
    assert parts == [f"pod shop/{name}" for name in PODS]
    assert [row.target for row in action.steps if row.step == "evict"][1:] == parts
    assert [body["metadata"]["name"] for body in house.rack.on("n2")] == ["elsewhere"]


@pytest.mark.parametrize("fault", ["conflict", "reset_before", "reset_after", "slow"])
async def test_an_eviction_whose_answer_is_lost_happens_once(
    house: DrainHouse, fault: Fault, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aiops_shared.guardrails.sweeping.EFFECT_DEADLINE_S", 0.05)
    house.world.plant("evict", fault)
    action = await start(house, await planned(house))
    assert action.state == "succeeded", action
    assert house.rack.evicted() == list(PODS)
    assert intents_have_outcomes(house)


async def test_a_conflict_on_the_cordon_is_tried_again_on_the_fresh_node(house: DrainHouse) -> None:
    house.world.plant("write", "conflict")
    assert (await start(house, await planned(house))).state == "succeeded"
    assert house.rack.evicted() == list(PODS)


async def test_an_api_that_answers_500_for_a_while_is_waited_for(house: DrainHouse) -> None:
    house.rack.unlisted = 4
    assert (await start(house, await planned(house))).state == "succeeded"
    assert house.rack.evicted() == list(PODS)


@pytest.mark.parametrize("way", ["held", "refused"])
async def test_a_budget_is_waited_for_and_the_record_says_so(house: DrainHouse, way: str) -> None:
    setattr(house.rack, way, {"b"})
    plan = await planned(house)
    said: list[str] = []

    def free() -> None:
        said.extend(_said(house))
        house.rack.held, house.rack.refused = set(), set()

    after(house, 30, free)
    action = await start(house, plan)
    assert action.state == "succeeded", action
    assert sorted(house.rack.evicted()) == list(PODS)
    wanted = BUDGET if way == "held" else "would violate the pod's disruption budget"
    assert any(wanted in each for each in said), said
    assert intents_have_outcomes(house)


def _said(house: DrainHouse) -> list[str]:
    """What the steps say right now, as `get_action` of any process would read it."""
    query = select(action_steps.c.says)
    return list(house.store.read_now(lambda conn: conn.execute(query).scalars().all()))


async def test_at_its_deadline_it_says_who_is_left_uncordons_and_tells_a_person(house: DrainHouse) -> None:
    house.rack.held = {"b"}
    before = comparable(house.world.see(N1))
    action = await start(house, await planned(house))
    assert action.state == "undone", action
    assert action.says.startswith("ESCALATE: ")
    assert BUDGET in action.says
    assert house.rack.evicted() == ["a", "c"]
    assert comparable(house.world.see(N1)) == before
    assert "escalation" in house.trail.events()
    assert house.brake.frozen_keys == []
    assert intents_have_outcomes(house)


async def test_of_two_nodes_the_second_is_not_touched_when_the_first_is_stuck(house: DrainHouse) -> None:
    house.rack.held = {"b"}
    action = await start(house, await planned(house, "n1", "n2"))
    assert action.state == "undone"
    assert not cordoned(house, "n1")
    assert not cordoned(house, "n2")
    assert "elsewhere" not in house.rack.evicted()
    assert {row.state for row in action.steps if row.target == str(N2)} == {"skipped"}


async def test_a_failure_at_the_second_node_uncordons_both(house: DrainHouse) -> None:
    house.rack.held = {"elsewhere"}
    action = await start(house, await planned(house, "n1", "n2"))
    assert action.state == "undone"
    assert not cordoned(house, "n1")
    assert not cordoned(house, "n2")
    assert house.rack.evicted() == list(PODS)


async def test_a_missing_right_ends_it_at_once_and_says_which(house: DrainHouse) -> None:
    house.rack.forbidden = AccessDeniedError("evict pod shop/a", "may not create pods/eviction", "ask for it")
    action = await start(house, await planned(house))
    assert action.state == "undone"
    assert "may not create pods/eviction" in action.says
    assert house.rack.evicted() == []
    assert not cordoned(house)
    assert intents_have_outcomes(house)


async def test_somebody_who_uncordons_it_meanwhile_is_not_fought(house: DrainHouse) -> None:
    house.rack.held = {"b"}
    plan = await planned(house)
    after(house, 20, lambda: house.world.change(N1, {CORDONED: None}))
    action = await start(house, plan)
    assert action.state == "undone"
    assert "changed since by somebody else" in action.says
    assert house.rack.evicted() == ["a", "c"]
    assert not cordoned(house)


async def test_a_freeze_stops_the_evictions_and_an_undo_uncordons_later(house: DrainHouse) -> None:
    plan = await planned(house)

    def freeze(verb: str) -> None:
        if verb == "evict":
            house.brake.reason = "freeze by anna"

    house.world.on_effect = freeze
    action = await start(house, plan)
    assert action.state == "failed"
    assert house.rack.evicted() == ["a"]
    assert cordoned(house)
    assert intents_have_outcomes(house)
    house.brake.reason, house.world.on_effect = "", None
    async with house.executor.running() as executor:
        assert (await executor.undo(action.action_id, ANNA)).state == "undone"
    assert not cordoned(house)


@pytest.mark.parametrize("where", ["list", "evict"])
async def test_credentials_that_ran_out_pause_the_drain_and_it_goes_on(house: DrainHouse, where: str) -> None:
    """R5: nothing is undone for that; whoever has credentials again carries it on."""
    plan = await planned(house)
    error = UnauthenticatedError("api server", "the token is no longer accepted", "log in again")
    setattr(house.rack, "unlistable" if where == "list" else "forbidden", error)
    paused = await start(house, plan, wait_s=0.5)
    assert paused.state == "running"
    assert paused.says.startswith("paused: ")
    house.rack.forbidden = house.rack.unlistable = None
    done = await start(house, plan)
    assert done.state == "succeeded"
    assert house.rack.evicted() == list(PODS)


async def test_a_listing_that_is_forbidden_ends_it_and_tells_a_person(house: DrainHouse) -> None:
    house.rack.unlistable = AccessDeniedError("list pods", "may not list pods", "ask for it")
    action = await start(house, await planned(house))
    assert action.state == "undone"
    assert action.says.startswith("ESCALATE: ")
    assert not cordoned(house)


async def test_a_node_made_again_under_the_same_name_is_not_drained(house: DrainHouse) -> None:
    house.rack.held = {"b"}
    target = draining(house.world, "n1")[0].model_copy(update={"may_go": False})
    plan = await house.planned(target, action="drain", reversible="partial")
    after(house, 20, lambda: house.world.recreate(N1))
    action = await start(house, plan)
    assert action.state == "undo_failed"
    assert "created again with the same name" in action.says
    assert house.rack.evicted() == ["a", "c"]


async def test_more_pods_than_can_be_journalled_stop_the_drain(
    house: DrainHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aiops_shared.guardrails.sweeping.MOST_PARTS", 2)
    action = await start(house, await planned(house))
    assert action.state == "undone"
    assert "more than 2 parts came" in action.says
    assert house.rack.evicted() == ["a", "b"]


@pytest.mark.fault("R22")
async def test_a_process_that_stops_while_the_pods_come_back_is_carried_on_at_the_gate(
    house: DrainHouse,
) -> None:
    house.world.gates["pods_back"] = lambda _: GateResult(state="waiting", says="shop/web (1 of 3)")
    target = draining(house.world, "n1")[0]
    sweep = target.steps[1].model_copy(update={"gate": GateCheck(check="pods_back", within_s=600)})
    target = target.model_copy(update={"steps": (target.steps[0], sweep)})
    plan = await house.planned(target, action="drain", reversible="partial")
    after(house, 20, house.executor.lifetime.stop)
    assert (await start(house, plan, wait_s=0.5)).state == "running"
    second = housed(house.dir, "worker-2")
    assert (await start(second, plan)).state == "succeeded"
    assert second.rack.evicted() == list(PODS)


async def test_a_node_that_its_pool_takes_away_meanwhile_is_done_and_needs_no_undo(house: DrainHouse) -> None:
    plan = await planned(house)

    def take(verb: str) -> None:
        if house.rack.evicted() == list(PODS):
            house.world.drop(N1)

    house.world.on_effect = take
    action = await start(house, plan)
    assert action.state == "succeeded", action
    house.world.on_effect = None
    async with house.executor.running() as executor:
        undone = await executor.undo(action.action_id, ANNA)
    assert undone.state == "undone"
    assert "is gone: nothing to give back" in {row.says for row in undone.steps}


async def test_a_target_that_may_not_go_and_is_gone_refuses_its_undo(house: DrainHouse) -> None:
    target = draining(house.world, "n1")[0].model_copy(update={"may_go": False})
    plan = await house.planned(target, action="drain", reversible="partial")
    action = await start(house, plan)
    house.world.drop(N1)
    async with house.executor.running() as executor:
        with pytest.raises(UndoRefusedError, match="is gone"):
            await executor.undo(action.action_id, ANNA)


async def test_pods_that_do_not_become_ready_elsewhere_uncordon_and_escalate(house: DrainHouse) -> None:
    house.world.gates["pods_back"] = lambda _: GateResult(state="failed", says="shop/web (1 of 3)")
    target = draining(house.world, "n1")[0]
    sweep = target.steps[1].model_copy(update={"gate": GateCheck(check="pods_back", within_s=30)})
    target = target.model_copy(update={"steps": (target.steps[0], sweep)})
    action = await start(house, await house.planned(target, action="drain", reversible="partial"))
    assert action.state == "undone"
    assert action.says.startswith("ESCALATE: ")
    assert not cordoned(house)


async def test_a_hand_that_knows_no_parts_fails_the_step(house: DrainHouse) -> None:
    plan = await planned(house)
    house.world = FakeWorld(house.world.path)
    action = await start(house, plan)
    assert action.state == "undone"
    assert "nothing here can sweep it" in action.says


async def test_shadow_mode_evicts_nothing(tmp_path: Path) -> None:
    house = DrainHouse(tmp_path, shadow=True)
    house.world = FakeRack(house.world.path)
    house.world.add(node())
    house.world.add(pod("a"))
    action = await start(house, await planned(house))
    assert action.state == "shadowed"
    assert house.world.effects() == []


@pytest.mark.fault("R22")
async def test_a_process_that_stops_hands_the_drain_over_and_the_deadline_stays(tmp_path: Path) -> None:
    first = housed(tmp_path)
    first.rack.held = {"b"}
    plan = await planned(first)
    after(first, 20, first.executor.lifetime.stop)
    action = await start(first, plan, wait_s=0.5)
    assert action.state == "running"
    second = housed(tmp_path, "worker-2")
    second.rack.held = {"b"}
    second.clock.world = first.clock.world + timedelta(seconds=WAIT_S - 25)
    began = second.clock.world
    done = await start(second, plan)
    assert done.state == "undone"
    assert (second.clock.world - began).total_seconds() < 20  # not sixty seconds anew
    assert second.rack.evicted() == ["a", "c"]


@pytest.mark.slow
@pytest.mark.fault("R7")
@pytest.mark.parametrize("nth", range(3))
@pytest.mark.parametrize("point", ["before_look", "before_eviction", "after_eviction", "before_outcome"])
async def test_a_drain_that_is_killed_is_carried_on_and_each_pod_goes_once(
    tmp_path: Path, point: str, nth: int
) -> None:
    house = housed(tmp_path, "worker-2", audited=True)
    plan = await planned(house)
    args = [str(house.dir), plan.plan_id, point, str(nth), plan.confirm]
    child = await anyio.run_process(
        [sys.executable, "-m", "tests.faults.drain_child", *args],
        cwd=Path(__file__).parents[2],
        check=False,
        stderr=subprocess.PIPE,
    )
    assert child.returncode == -signal.SIGKILL, child.stderr[-2000:]
    house.clock.pass_safely(house.journal.lease_s + 1)
    action = await start(house, plan)
    assert action.state == "succeeded", action
    assert house.rack.evicted() == list(PODS)
    assert house.audit is not None
    report = await house.audit.verify()
    assert report.holds
    assert report.unknown == ()
