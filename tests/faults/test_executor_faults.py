"""The executor under faults: cut, changed, frozen, taken over and asked twice (R2, R9, R11-R19, R22)."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest
from sqlalchemy.exc import IntegrityError

from aiops_shared.errors import (
    AccessDeniedError,
    ActionNotFoundError,
    AiopsError,
    ApprovalPendingError,
    AuditDownError,
    FrozenError,
    InvalidInputError,
    NotConfiguredError,
    PlanStaleError,
    RepeatLimitError,
    UndoRefusedError,
    UnreachableError,
)
from aiops_shared.guardrails.journal import Entry, Journal, LeaseLostError
from aiops_shared.guardrails.models import (
    ActionRecord,
    GateCheck,
    GateResult,
    Json,
    ObjectRef,
    Plan,
    Step,
    Verdict,
)
from aiops_shared.guardrails.permits import Permit
from aiops_shared.guardrails.snapshots import comparable
from tests.fakes.clocks import FakeClock
from tests.fakes.gates import FakeBrake, FakeJudge
from tests.fakes.houses import ANNA, IMAGE, House, bound, writing
from tests.fakes.worlds import FakeWorld, Fault, deployment, ref_of

WEB = ref_of(deployment())
API = ref_of(deployment("api"))
BAD = GateResult(state="failed", says="it crashes")


@pytest.fixture
def house(tmp_path: Path) -> House:
    built = House(tmp_path)
    built.world.add(deployment())
    built.world.add(deployment("api"))
    return built


async def planned(house: House, check: str = "") -> Plan:
    return await house.planned(writing(house.world, WEB, {IMAGE: "shop/web:2"}, check=check))


async def start(house: House, plan: Plan, wait_s: float = 45.0) -> ActionRecord:
    async with house.executor.running() as executor:
        return await executor.start(plan.plan_id, plan.confirm, ANNA, wait_s=wait_s)


def intents_have_outcomes(house: House) -> bool:
    """Invariant I3, from the records: one outcome per intent."""
    intents = [number for number, record in enumerate(house.trail.records, 1) if record[0] == "intent"]
    ended = [record[2]["intent"] for record in house.trail.records if record[0] == "outcome"]
    return intents == sorted(ended)


def same_world(before: dict[str, Any], after: dict[str, Any]) -> bool:
    """Invariant I7: nothing differs but what the cluster moves by itself."""
    return {ref: comparable(body) for ref, body in before.items()} == {
        ref: comparable(body) for ref, body in after.items()
    }


# R2, R3: the answer got lost.


@pytest.mark.fault("R2")
@pytest.mark.parametrize("fault", ["conflict", "reset_before", "reset_after"])
async def test_a_write_whose_answer_is_lost_happens_exactly_once(house: House, fault: Fault) -> None:
    plan = await planned(house)
    house.world.plant("write", fault)
    action = await start(house, plan)
    assert action.state == "succeeded"
    assert len(house.world.effects()) == 1
    assert intents_have_outcomes(house)


@pytest.mark.fault("R2")
@pytest.mark.parametrize("verb", ["create", "delete", "evict", "apply"])
async def test_other_effects_whose_answer_is_lost_happen_exactly_once(house: House, verb: Any) -> None:
    made = {**deployment("made"), "metadata": {"name": "made", "namespace": "shop"}}
    ref, body = (ref_of(made), made) if verb == "create" else (WEB, deployment(image="x:3"))
    step = Step(name=verb, verb=verb, body=body if verb in {"create", "apply"} else None)
    paths = (IMAGE,) if verb == "apply" else ()
    plan = await house.planned(bound(house.world, ref, (step,), paths), action="apply", reversible="partial")
    house.world.plant(verb, "reset_after")
    assert (await start(house, plan)).state == "succeeded"
    assert len(house.world.effects()) == 1


@pytest.mark.fault("R2")
async def test_when_nobody_can_say_what_happened_it_is_said_and_the_key_is_frozen(house: House) -> None:
    plan = await planned(house)
    house.world.plant("write", "reset_after")
    house.world.on_effect = lambda verb: setattr(house.world, "unreadable", 99)
    action = await start(house, plan)
    assert action.state == "unknown"
    assert action.says.startswith("ESCALATE: outcome unknown")
    assert action.steps[0].state == "unknown"
    assert house.brake.frozen_keys == [("image", str(WEB))]
    assert intents_have_outcomes(house)
    house.world.unreadable, house.world.on_effect = 0, None
    async with house.executor.running() as executor:
        undone = await executor.undo(action.action_id, ANNA)
    assert undone.state == "undone"
    assert house.world.see(WEB)["spec"]["template"]["spec"]["containers"][0]["image"] == "shop/web:1"


@pytest.mark.fault("R2")
async def test_a_lost_write_over_which_somebody_else_wrote_is_unknown_and_not_written_again(
    house: House,
) -> None:
    plan = await planned(house)
    house.world.plant("write", "reset_after")

    def overwrite(verb: str) -> None:
        house.world.change(WEB, {IMAGE: "theirs:1"})

    house.world.on_effect = overwrite
    action = await start(house, plan)
    assert action.state == "unknown"
    assert "neither as before nor as written" in action.says
    assert len(house.world.effects()) == 1
    async with house.executor.running() as executor:
        with pytest.raises(UndoRefusedError):
            await executor.undo(action.action_id, ANNA)
    assert house.world.see(WEB)["spec"]["template"]["spec"]["containers"][0]["image"] == "theirs:1"


@pytest.mark.fault("R2")
async def test_a_lost_creation_that_nobody_can_confirm_is_not_deleted_by_an_undo(house: House) -> None:
    made = {**deployment("made"), "metadata": {"name": "made", "namespace": "shop"}}
    plan = await house.planned(bound(house.world, ref_of(made), (Step(name="m", verb="create", body=made),)))
    house.world.plant("create", "reset_after")
    house.world.on_effect = lambda verb: setattr(house.world, "unreadable", 99)
    action = await start(house, plan)
    assert action.state == "unknown"
    house.world.unreadable, house.world.on_effect = 0, None
    async with house.executor.running() as executor:
        with pytest.raises(UndoRefusedError, match="nobody can say whether our action made it"):
            await executor.undo(action.action_id, ANNA)
        house.world.drop(ref_of(made))
        assert (await executor.undo(action.action_id, ANNA)).state == "undone"


@pytest.mark.fault("R2")
async def test_a_deletion_that_never_arrived_needs_no_giving_back(house: House) -> None:
    plan = await house.planned(
        bound(house.world, WEB, (Step(name="delete", verb="delete"),)), action="delete", reversible="partial"
    )
    before = house.world.see(WEB)

    class Cut(FakeWorld):
        async def apply_step(self, ref: ObjectRef, step: Step, current: Any, permit: Permit) -> Any:
            self.unreadable = 99
            return await super().apply_step(ref, step, current, permit)

    house.world = Cut(house.world.path)
    house.world.plant("delete", "reset_before")
    action = await start(house, plan)
    assert action.state == "unknown"
    house.world.unreadable = 0
    async with house.executor.running() as executor:
        assert (await executor.undo(action.action_id, ANNA)).state == "undone"
    assert house.world.see(WEB) == before


@pytest.mark.fault("R3")
async def test_a_write_that_arrives_after_its_deadline_is_recognised(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aiops_shared.guardrails.effecting.EFFECT_DEADLINE_S", 0.05)
    plan = await planned(house)
    house.world.plant("write", "slow")
    action = await start(house, plan)
    assert action.state == "succeeded"
    assert len(house.world.effects()) == 1


@pytest.mark.fault("R3")
async def test_a_write_that_arrives_after_it_was_read_back_is_recognised_as_ours(house: House) -> None:
    class Late(FakeWorld):
        """The first write is cut off, is not there yet when it is read back, and arrives then."""

        under_way: list[Any] | None = None
        reads = 0

        async def apply_step(self, ref: ObjectRef, step: Step, current: Any, permit: Permit) -> Any:
            if self.under_way is None:
                self.under_way = [ref, step, current, permit]
                raise UnreachableError("api server", "connection reset")
            return await super().apply_step(ref, step, current, permit)

        async def read(self, ref: ObjectRef) -> Any:
            if self.under_way:
                self.reads += 1
                if self.reads == 2:
                    await super().apply_step(*self.under_way)
            return await super().read(ref)

    plan = await planned(house)
    house.world = Late(house.world.path)
    assert (await start(house, plan)).state == "succeeded"
    assert len(house.world.effects()) == 1
    assert house.trail.events() == ["intent", "outcome", "outcome_corrected"]
    assert intents_have_outcomes(house)


@pytest.mark.fault("R16")
async def test_an_unknown_write_on_an_object_made_again_since_is_not_undone(house: House) -> None:
    plan = await planned(house)
    house.world.plant("write", "reset_after")
    house.world.on_effect = lambda verb: setattr(house.world, "unreadable", 99)
    action = await start(house, plan)
    house.world.unreadable, house.world.on_effect = 0, None
    house.world.recreate(WEB)
    async with house.executor.running() as executor:
        with pytest.raises(UndoRefusedError, match="deleted and created again"):
            await executor.undo(action.action_id, ANNA)


async def test_a_stopping_process_launches_nothing_more(house: House) -> None:
    ran: list[str] = []

    async def work() -> None:
        ran.append("ran")

    async with house.executor.lifetime.open() as lifetime:
        lifetime.launch(work)
        await anyio.wait_all_tasks_blocked()
        lifetime.stop()
        lifetime.launch(work)
        with pytest.raises(NotConfiguredError):
            lifetime.check()
    assert ran == ["ran"]


async def test_an_api_that_is_away_before_the_first_write_changes_nothing(house: House) -> None:
    plan = await planned(house)

    async def measure(plan: Plan) -> Any:
        house.world.unreadable = 99
        return house.world.facts

    house.world.measure = measure  # type: ignore[method-assign]
    action = await start(house, plan)
    assert (action.state, action.can_undo) == ("failed", False)
    assert "cannot be read" in action.says
    assert house.world.effects() == []


async def test_a_refusal_of_the_api_is_final_and_undoes_what_was_done(house: House) -> None:
    class Guarded(FakeWorld):
        async def apply_step(self, ref: ObjectRef, step: Step, current: Any, permit: Permit) -> Any:
            if ref == API:
                raise AccessDeniedError(str(ref), "may not patch deployments", "grant it")
            return await super().apply_step(ref, step, current, permit)

    before = house.world.everything()
    plan = await house.planned(
        writing(house.world, WEB, {IMAGE: "x:2"}), writing(house.world, API, {IMAGE: "x:2"})
    )
    house.world = Guarded(house.world.path)
    action = await start(house, plan)
    assert action.state == "undone"
    assert "may not patch" in action.says
    assert same_world(before, house.world.everything())
    assert intents_have_outcomes(house)


# R9, T15: without an audit there is no effect.


@pytest.mark.fault("R9")
@pytest.mark.threat("T15")
async def test_without_an_audit_there_is_no_effect_and_it_recovers_by_itself(house: House) -> None:
    plan = await planned(house)
    house.trail.down = True
    action = await until_the_audit_refuses(house, plan)
    assert action.state == "running"
    assert house.world.effects() == []
    house.trail.down = False
    assert (await start(house, plan)).state == "succeeded"
    assert len(house.world.effects()) == 1
    assert intents_have_outcomes(house)


@pytest.mark.fault("R9")
async def test_an_audit_that_fails_between_intent_and_outcome_is_made_good_by_reading_back(
    house: House,
) -> None:
    plan = await planned(house)
    house.world.on_effect = lambda verb: setattr(house.trail, "down", True)
    action = await until_the_audit_refuses(house, plan)
    assert (action.state, action.steps[0].state) == ("running", "intended")
    house.world.on_effect, house.trail.down = None, False
    assert (await start(house, plan)).state == "succeeded"
    assert len(house.world.effects()) == 1
    assert intents_have_outcomes(house)


async def until_the_audit_refuses(house: House, plan: Plan) -> ActionRecord:
    """Start, and stop the process once the audit said no."""
    async with house.executor.running() as executor:
        action = await executor.start(plan.plan_id, plan.confirm, ANNA, wait_s=0)
        assert await anyio.to_thread.run_sync(lambda: house.trail.refused.wait(20))
    return await house.executor.get(action.action_id, ANNA)


@pytest.mark.fault("R9")
async def test_a_refusal_that_cannot_be_audited_is_still_no_effect(house: House) -> None:
    plan = await planned(house)
    house.brake.reason, house.trail.down = "holidays", True
    with pytest.raises(AuditDownError):
        await start(house, plan)
    assert house.world.effects() == []


# R11, R12: asked twice.


@pytest.mark.fault("R12")
@pytest.mark.row("S74")
async def test_two_processes_executing_one_plan_at_once_start_one_action(house: House) -> None:
    plans = [await planned(house) for _ in range(5)]
    for number, plan in enumerate(plans):
        house.world.change(WEB, {IMAGE: "shop/web:1"})
        ids: set[str] = set()

        async def go(one: House, plan: Plan = plan, ids: set[str] = ids) -> None:
            async with one.executor.running() as executor:
                ids.add((await executor.start(plan.plan_id, plan.confirm, ANNA)).action_id)

        async with anyio.create_task_group() as tasks:
            for worker in ("worker-a", "worker-b", "worker-c"):
                tasks.start_soon(go, House(house.dir, worker=worker))
        assert len(ids) == 1
        assert len(house.world.effects()) == number + 1


@pytest.mark.fault("R12")
async def test_a_plan_that_another_process_began_meanwhile_is_its_action_and_not_stale(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan, seen = await planned(house), Journal.by_plan
    async with House(house.dir, worker="worker-a").executor.running() as executor:
        first = await executor.start(plan.plan_id, plan.confirm, ANNA)
    looks: list[str] = []

    async def late(journal: Journal, plan_id: str) -> Entry | None:
        looks.append(plan_id)
        return None if len(looks) <= 2 else await seen(journal, plan_id)

    monkeypatch.setattr(Journal, "by_plan", late)
    async with House(house.dir, worker="worker-b").executor.running() as executor:
        again = await executor.start(plan.plan_id, plan.confirm, ANNA)
    assert again.action_id == first.action_id
    assert len(house.world.effects()) == 1


# R14: the gate fails after the change.


@pytest.mark.fault("R14")
async def test_a_failed_gate_undoes_all_targets_in_reverse_order_once(house: House) -> None:
    before = house.world.everything()
    house.world.gates["ready"] = lambda body: (
        BAD if body and body["metadata"]["name"] == "api" else GateResult(state="met")
    )
    plan = await house.planned(
        writing(house.world, WEB, {IMAGE: "x:2"}, check="ready"),
        writing(house.world, API, {IMAGE: "x:2"}, check="ready"),
    )
    action = await start(house, plan)
    assert action.state == "undone"
    assert "gate ready failed: it crashes" in action.says
    assert [(verb, ref) for verb, ref, _ in house.world.effects()] == [
        ("write", "deployment shop/web"),
        ("write", "deployment shop/api"),
        ("replace", "deployment shop/api"),
        ("replace", "deployment shop/web"),
    ]
    assert same_world(before, house.world.everything())
    assert intents_have_outcomes(house)


@pytest.mark.fault("R14")
@pytest.mark.fault("R15")
@pytest.mark.parametrize(
    ("meddle", "why"),
    [
        (lambda world: world.change(WEB, {IMAGE: "theirs:1"}), "changed since by somebody else"),
        (lambda world: world.drop(WEB), "is gone"),
        (lambda world: world.recreate(WEB), "deleted and created again"),
    ],
)
async def test_a_rollback_that_would_touch_others_work_stops_and_is_loud(
    house: House, meddle: Callable[[FakeWorld], object], why: str
) -> None:
    def look(body: dict[str, Json] | None) -> GateResult:
        meddle(house.world)
        return BAD

    house.world.gates["ready"] = look
    plan = await planned(house, check="ready")
    action = await start(house, plan)
    assert action.state == "undo_failed"
    assert action.says.startswith("ESCALATE: ")
    assert why in action.says
    assert house.brake.frozen_keys == [("image", str(WEB))]
    assert "escalation" in house.trail.events()
    assert [verb for verb, _, _ in house.world.effects()] == ["write"]


@pytest.mark.fault("R14")
async def test_a_rollback_that_the_api_refuses_is_loud(house: House) -> None:
    class Stubborn(FakeWorld):
        async def replace(self, ref: ObjectRef, body: Any, permit: Permit) -> Any:
            raise InvalidInputError(str(ref), "the webhook says no")

    plan = await planned(house, check="ready")
    house.world = Stubborn(house.world.path)
    house.world.gates["ready"] = lambda body: BAD
    action = await start(house, plan)
    assert action.state == "undo_failed"
    assert "the webhook says no" in action.says
    assert intents_have_outcomes(house)


@pytest.mark.fault("R14")
async def test_a_rollback_whose_snapshot_is_gone_is_loud(house: House) -> None:
    plan = await planned(house, check="ready")

    def look(body: dict[str, Json] | None) -> GateResult:
        house.store.run_now(lambda conn: conn.exec_driver_sql("DELETE FROM snapshots"))
        return BAD

    house.world.gates["ready"] = look
    action = await start(house, plan)
    assert action.state == "undo_failed"


@pytest.mark.fault("R14")
async def test_a_rollback_that_cannot_read_its_target_is_loud(house: House) -> None:
    def look(body: dict[str, Json] | None) -> GateResult:
        house.world.unreadable = 99
        return BAD

    house.world.gates["ready"] = look
    plan = await planned(house, check="ready")
    assert (await start(house, plan)).state == "undo_failed"


# R16: the object is another one.


@pytest.mark.fault("R16")
async def test_an_object_recreated_before_the_execution_is_refused(house: House) -> None:
    plan = await planned(house)
    house.world.recreate(WEB)
    with pytest.raises(PlanStaleError, match="deleted and created again with the same name"):
        await start(house, plan)
    assert house.world.effects() == []


@pytest.mark.fault("R16")
@pytest.mark.parametrize("fault", ["recreated", "gone"])
async def test_an_object_recreated_or_gone_in_the_last_moment_is_not_written(
    house: House, fault: Fault
) -> None:
    plan = await planned(house)
    house.world.plant("write", fault)
    action = await start(house, plan)
    assert action.state == "failed"
    assert house.world.effects() == []


@pytest.mark.fault("R16")
async def test_an_object_that_changes_between_two_steps_is_left_and_the_rest_undone(house: House) -> None:
    steps: list[dict[str, Json]] = [{IMAGE: "x:2"}, {"spec.replicas": 9}]

    def look(body: dict[str, Json] | None) -> GateResult:
        if body and body["spec"]["replicas"] == 4:
            house.world.change(WEB, {"spec.replicas": 5})
        return GateResult(state="met")

    house.world.gates["ready"] = look
    plan = await house.planned(writing(house.world, WEB, *steps, check="ready"))
    action = await start(house, plan)
    assert action.state == "undo_failed"  # spec.replicas is ours to give back, and somebody else moved it
    assert house.world.see(WEB)["spec"]["replicas"] == 5


# The kill switch and freezes.


@pytest.mark.threat("T10")
async def test_the_kill_switch_stops_before_the_next_effect_and_is_said(house: House) -> None:
    house.world.on_effect = lambda verb: setattr(house.brake, "reason", "kill switch by ben")
    house.brake.kill = True
    plan = await house.planned(
        writing(house.world, WEB, {IMAGE: "x:2"}), writing(house.world, API, {IMAGE: "x:2"})
    )
    action = await start(house, plan)
    assert action.state == "failed"
    assert "stopped: kill switch by ben; 1 of 2 steps done" in action.says
    assert (action.can_undo, [step.state for step in action.steps]) == (True, ["verified", "skipped"])
    assert len(house.world.effects()) == 1
    async with house.executor.running() as executor:
        with pytest.raises(FrozenError):
            await executor.undo(action.action_id, ANNA)
        house.brake.reason = ""
        house.world.on_effect = None
        assert (await executor.undo(action.action_id, ANNA)).state == "undone"


@pytest.mark.threat("T10")
async def test_a_switch_thrown_between_start_and_first_step_leaves_nothing_done(house: House) -> None:
    plan = await planned(house)

    class Late(FakeBrake):
        asked = 0

        def reason_in(self, *args: Any) -> str:
            Late.asked += 1
            return "late" if Late.asked > 2 else ""

    late = House(house.dir, brake=Late())
    action = await start(late, plan)
    assert (action.state, action.can_undo) == ("failed", False)
    assert house.world.effects() == []


async def test_a_freeze_window_does_not_stop_the_way_back_but_the_kill_switch_does(house: House) -> None:
    for kill, state in ((False, "undone"), (True, "undo_failed")):

        def look(body: dict[str, Json] | None, kill: bool = kill) -> GateResult:
            house.brake.reason, house.brake.kill = "frozen", kill
            return BAD

        house.world.gates["ready"] = look
        house.brake.reason = ""
        plan = await planned(house, check="ready")
        action = await start(house, plan)
        assert action.state == state
        if kill:
            assert "was not allowed to write: frozen" in action.says


# R19, R22: taken over, handed over.


@pytest.mark.fault("R19")
async def test_a_stale_worker_is_refused_at_its_next_write(house: House) -> None:
    plan = await planned(house)
    action = await start(house, plan)
    journal: Journal = house.journal
    await house.store.run(
        lambda conn: conn.exec_driver_sql("UPDATE actions SET state='running', lease_owner='worker-1'")
    )
    stale = (await journal.load(action.action_id)).fence
    taken = await Journal(house.store, house.clock, "worker-2").take_over(action.action_id)
    assert taken is not None
    assert taken.fence == stale + 1
    old = type(taken)(action.action_id, "worker-1", stale)
    with pytest.raises(LeaseLostError):
        await journal.renew(old)
    with pytest.raises(LeaseLostError):
        await journal.turn(old, "succeeded", "no")
    await journal.release(old)  # somebody else's lease stays
    assert await journal.orphans() == []


@pytest.mark.fault("R19")
async def test_a_worker_that_slept_past_its_lease_writes_nothing_more(house: House) -> None:
    """The first process sleeps in the gate of its first step; the second one carries the action on."""
    twin, asleep = House(house.dir, worker="worker-2"), anyio.Event()
    woken = anyio.Event()

    class Sleepy(FakeWorld):
        async def look(self, ref: ObjectRef, check: GateCheck) -> GateResult:
            asleep.set()
            await woken.wait()
            return GateResult(state="met")

    plan = await house.planned(
        writing(house.world, WEB, {IMAGE: "x:2"}, check="ready"), writing(house.world, API, {IMAGE: "x:2"})
    )
    house.world = Sleepy(house.world.path)
    async with house.executor.running() as executor:
        action = await executor.start(plan.plan_id, plan.confirm, ANNA, wait_s=0)
        await asleep.wait()
        twin.clock.pass_safely(house.journal.lease_s + 1)
        async with twin.executor.running() as other:
            assert (await other.start(plan.plan_id, plan.confirm, ANNA)).state == "succeeded"
        woken.set()
    assert [ref for _, ref, _ in house.world.effects()] == ["deployment shop/web", "deployment shop/api"]
    assert (await house.executor.get(action.action_id, ANNA)).state == "succeeded"


@pytest.mark.fault("R22")
async def test_a_stop_ends_the_step_under_way_and_hands_the_rest_over(house: House) -> None:
    begun = anyio.Event()

    class Slow(FakeWorld):
        async def apply_step(self, ref: ObjectRef, step: Step, current: Any, permit: Permit) -> Any:
            begun.set()
            await anyio.sleep(0.2)  # the stop comes meanwhile
            return await super().apply_step(ref, step, current, permit)

    plan = await house.planned(
        writing(house.world, WEB, {IMAGE: "x:2"}), writing(house.world, API, {IMAGE: "x:2"})
    )
    house.world = Slow(house.world.path)
    async with house.executor.running() as executor:
        action = await executor.start(plan.plan_id, plan.confirm, ANNA, wait_s=0)
        await begun.wait()
    half = await house.executor.get(action.action_id, ANNA)
    assert half.state == "running"
    assert len(house.world.effects()) == 1
    assert "intended" not in {step.state for step in half.steps}
    assert (await start(House(house.dir, worker="worker-2"), plan)).state == "succeeded"
    assert len(house.world.effects()) == 2


@pytest.mark.fault("R22")
async def test_a_stop_ends_the_wait_of_a_gate_at_once(house: House) -> None:
    class Slow(FakeClock):
        async def sleep(self, seconds: float) -> None:
            await anyio.sleep(seconds)

    slow = House(house.dir, clock=Slow())
    slow.world.gates["ready"] = lambda body: GateResult(state="waiting")
    plan = await planned(slow, check="ready")
    with anyio.fail_after(4):
        async with slow.executor.running() as executor:
            action = await executor.start(plan.plan_id, plan.confirm, ANNA, wait_s=0.2)
    assert (await slow.executor.get(action.action_id, ANNA)).state == "running"
    assert await slow.journal.orphans() == [action.action_id]


async def test_a_bug_in_a_run_ends_it_as_unknown_and_leaves_the_server_alive(house: House) -> None:
    def look(body: dict[str, Json] | None) -> GateResult:
        raise KeyError("a bug")

    house.world.gates["ready"] = look
    plan = await planned(house, check="ready")
    action = await start(house, plan)
    assert action.state == "unknown"
    assert "internal error: KeyError" in action.says


async def test_an_action_whose_cluster_cannot_be_reached_is_taken_up_later(house: House) -> None:
    plan, calls = await planned(house), 0
    reach = house.effects_for

    async def effects_for(cluster: str) -> Any:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise AiopsError("cluster dev", "no route")
        return await reach(cluster)

    parts = house.parts
    object.__setattr__(parts, "effects_for", effects_for)
    action = await start(house, plan, wait_s=0.1)
    assert action.state == "running"
    async with house.executor.running() as executor:
        assert (await executor.start(plan.plan_id, plan.confirm, ANNA)).state == "succeeded"


async def test_a_shadow_action_stays_one_when_an_enforcing_process_takes_it_over(house: House) -> None:
    shadow = House(house.dir, shadow=True)
    plan = await planned(shadow)
    shadow.trail.down = True
    await until_the_audit_refuses(shadow, plan)
    assert (await start(House(house.dir, worker="worker-2"), plan)).state == "shadowed"
    assert house.world.effects() == []


async def test_a_gate_that_cannot_look_is_no_verdict(house: House) -> None:
    looks = iter([UnreachableError("api server", "no route")])

    def look(body: dict[str, Json] | None) -> GateResult:
        for error in looks:
            raise error
        return GateResult(state="met")

    house.world.gates["ready"] = look
    assert (await start(house, await planned(house, check="ready"))).state == "succeeded"


async def test_a_step_marked_failed_by_a_dead_process_is_undone(house: House) -> None:
    house.world.gates["ready"] = lambda body: BAD
    plan = await planned(house, check="ready")

    class Dying(Journal):
        async def turn(self, lease: Any, state: Any, says: str, **more: Any) -> None:
            if state == "undoing":
                raise UnreachableError("state store", "the process dies here")
            await super().turn(lease, state, says, **more)

    house.parts.hands.journal.__class__ = Dying
    action = await start(house, plan, wait_s=1)
    assert [step.state for step in action.steps] == ["failed"]
    assert (await start(House(house.dir, worker="worker-2"), plan)).state == "undone"


async def test_limits_and_verdicts_that_move_between_question_and_start_are_met(house: House) -> None:
    """Two processes were both cleared for the last place; the second one is refused in the start itself."""
    moved: tuple[tuple[Verdict, type[AiopsError]], ...] = (
        (Verdict(decision="deny", rule="repeat-limit"), RepeatLimitError),
        (Verdict(decision="needs_approval", rule="r", approver="other"), ApprovalPendingError),
    )
    for verdict, error in moved:

        class Turning(FakeJudge):
            def decide(self, request: Any, verdict: Verdict = verdict) -> Verdict:
                self.asked.append(request)
                return self.verdict if len(self.asked) == 1 else verdict

        turning = House(house.dir, judge=Turning())
        plan = await planned(turning)
        with pytest.raises(error):
            await start(turning, plan)
        assert turning.trail.events() == ["refusal"]
        assert await turning.journal.by_plan(plan.plan_id) is None
    assert house.world.effects() == []


@pytest.mark.fault("R19")
async def test_a_lease_is_kept_alive_by_its_worker_and_survives_a_store_that_is_away(house: House) -> None:
    beats: list[str] = []

    class Beating(Journal):
        async def renew(self, lease: Any) -> None:
            beats.append("beat")
            if len(beats) == 1:
                raise UnreachableError("state store", "busy")
            await super().renew(lease)
            if len(beats) == 3:
                raise LeaseLostError(lease.action_id)

    house.journal.__class__, house.journal.lease_s = Beating, 0.03

    def look(body: dict[str, Json] | None) -> GateResult:
        return GateResult(state="met" if len(beats) > 2 else "waiting")

    class Slow(FakeWorld):
        async def look(self, ref: ObjectRef, check: GateCheck) -> GateResult:
            await anyio.sleep(0.02)
            return look(None)

    step = Step(name="w", verb="write", values={IMAGE: "x:1"}, gate=GateCheck(check="ready", within_s=10**9))
    plan = await house.planned(bound(house.world, WEB, (step,), (IMAGE,)))
    house.world = Slow(house.world.path)
    assert (await start(house, plan)).state == "succeeded"


async def test_a_store_that_is_away_does_not_end_the_search_for_orphans(house: House) -> None:
    asked: list[str] = []

    class Away(Journal):
        async def orphans(self) -> list[str]:
            asked.append("orphans")
            if len(asked) == 1:
                raise UnreachableError("state store", "away")
            return ["act_taken_by_somebody_else"]

        async def release(self, lease: Any) -> None:
            raise UnreachableError("state store", "away")

    house.journal.__class__ = Away
    object.__setattr__(house.parts, "orphans_every_s", 0.01)
    action = await start(house, await planned(house))
    assert action.state == "succeeded"
    assert len(asked) > 1


async def test_an_action_that_is_not_in_the_store_after_its_start_is_said(house: House) -> None:
    class Forgetful(Journal):
        def insert_in(self, *args: Any) -> Any:
            raise IntegrityError("insert", {}, ValueError("the plan's row is gone"))

    house.journal.__class__ = Forgetful
    with pytest.raises(ActionNotFoundError, match="was not stored"):
        await start(house, await planned(house))


async def test_an_undo_of_a_running_action_or_without_its_snapshot_is_refused(house: House) -> None:
    house.world.gates["ready"] = lambda body: GateResult(state="waiting")
    step = Step(name="w", verb="write", values={IMAGE: "x:1"}, gate=GateCheck(check="ready", within_s=10**9))
    action = await start(house, await planned(house))
    await house.store.run(lambda conn: conn.exec_driver_sql("DELETE FROM snapshots"))
    running = await house.planned(bound(house.world, API, (step,), (IMAGE,)))
    async with house.executor.running() as executor:
        with pytest.raises(UndoRefusedError, match="none of that id"):
            await executor.undo(action.action_id, ANNA)
        live = await executor.start(running.plan_id, running.confirm, ANNA, wait_s=0)
        with pytest.raises(UndoRefusedError, match="still running"):
            await executor.undo(live.action_id, ANNA)
