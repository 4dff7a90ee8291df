"""From a stored plan to its effect: what is checked, in which order, and what is recorded."""

from pathlib import Path

import anyio
import pytest

from aiops_shared.errors import (
    ActionNotFoundError,
    ActionRefusedError,
    ConfirmMismatchError,
    InvalidInputError,
    NotConfiguredError,
    PlanExpiredError,
    PlanNotFoundError,
    PlanStaleError,
)
from aiops_shared.guardrails.models import (
    ActionRecord,
    Caller,
    GateCheck,
    GateResult,
    Json,
    ObjectRef,
    Plan,
    Step,
)
from aiops_shared.guardrails.snapshots import comparable
from tests.fakes.houses import ANNA, BEN, IMAGE, House, bound, writing
from tests.fakes.worlds import deployment, ref_of

WEB = ref_of(deployment())
CONFIG = ObjectRef(cluster="dev", api_version="v1", kind="ConfigMap", namespace="shop", name="settings")


def config(value: str = "1") -> dict[str, Json]:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "settings", "namespace": "shop"},
        "data": {"level": value},
    }


async def planned(house: House, image: str = "shop/web:2", check: str = "") -> Plan:
    return await house.planned(writing(house.world, WEB, {IMAGE: image}, check=check))


async def run(house: House, plan: Plan, caller: Caller = ANNA, **more: object) -> ActionRecord:
    async with house.executor.running() as executor:
        return await executor.start(plan.plan_id, plan.confirm, caller, **more)  # type: ignore[arg-type]


async def test_a_plan_is_executed_verified_and_undone(house: House) -> None:
    before = house.world.see(WEB)
    plan = await planned(house, check="ready")
    async with house.executor.running() as executor:
        action = await executor.start(plan.plan_id, plan.confirm, ANNA)
        assert (action.state, action.can_undo) == ("succeeded", True)
        assert [(step.state, step.says) for step in action.steps] == [("verified", "ready")]
        assert house.world.effects() == [("write", "deployment shop/web", "write 1")]
        undone = await executor.undo(action.action_id, ANNA)
    assert (undone.state, undone.can_undo) == ("undone", False)
    assert comparable(house.world.see(WEB)) == comparable(before)
    assert house.trail.events() == ["intent", "outcome", "intent", "outcome"]


async def test_a_wrong_sentence_executes_nothing_and_does_not_tell_the_right_one(house: House) -> None:
    plan = await planned(house)
    async with house.executor.running() as executor:
        for wrong in ("", plan.confirm + " ", plan.confirm.upper()):
            with pytest.raises(ConfirmMismatchError) as refused:
                await executor.start(plan.plan_id, wrong, ANNA)
            assert plan.confirm not in str(refused.value)
    assert house.world.effects() == []


async def test_unknown_foreign_and_expired_plans_execute_nothing(house: House) -> None:
    plan = await planned(house)
    with pytest.raises(PlanNotFoundError):
        await run(house, plan, Caller(name="eve"))
    house.clock.pass_safely(3601)
    with pytest.raises(PlanExpiredError):
        await run(house, plan)
    assert house.world.effects() == []


async def test_a_plan_that_no_server_dry_ran_is_not_executed(house: House) -> None:
    plan = (await planned(house)).model_copy(update={"plan_id": "pln_x", "validation": "schema_only"})
    await house.plans.save(plan)
    with pytest.raises(ActionRefusedError, match="never dry-run"):
        await run(house, plan)


@pytest.mark.row("S74")
async def test_a_target_changed_since_the_plan_is_refused_and_the_field_is_named(house: House) -> None:
    plan = await planned(house)
    house.world.change(WEB, {IMAGE: "shop/web:9"})
    with pytest.raises(PlanStaleError, match=r"changed .*image since the plan"):
        await run(house, plan)
    assert house.world.effects() == []


async def test_a_field_that_the_plan_reasoned_from_makes_it_stale_too(house: House) -> None:
    target = writing(house.world, WEB, {IMAGE: "shop/web:2"}, reads=("spec.replicas",))
    plan = await house.planned(target)
    house.world.change(WEB, {"spec.replicas": 9})
    with pytest.raises(PlanStaleError, match=r"spec\.replicas"):
        await run(house, plan)


async def test_churn_of_status_and_other_fields_does_not_make_a_plan_stale(house: House) -> None:
    plan = await planned(house)
    house.world.change(WEB, {"status.readyReplicas": 1, 'metadata.annotations."a/b"': "x"})
    assert (await run(house, plan)).state == "succeeded"
    assert house.world.see(WEB)["metadata"]["annotations"] == {"a/b": "x"}


async def test_a_target_that_is_gone_or_appeared_since_the_plan_is_said(house: House) -> None:
    gone = await planned(house)
    house.world.drop(WEB)
    with pytest.raises(PlanStaleError, match="it is gone"):
        await run(house, gone)
    making = Step(name="make", verb="create", body=config())
    appeared = await house.planned(bound(house.world, CONFIG, (making,)), action="apply")
    house.world.add(config("2"))
    with pytest.raises(PlanStaleError, match="it was created"):
        await run(house, appeared)


async def test_without_a_snapshot_the_possible_fields_are_named(house: House) -> None:
    target = writing(house.world, WEB, {IMAGE: "shop/web:2"})
    plan = await house.planned(target)
    bare = plan.model_copy(update={"plan_id": "pln_y", "targets": (target,)})
    await house.plans.save(bare)
    house.world.change(WEB, {IMAGE: "shop/web:9"})
    with pytest.raises(PlanStaleError, match="one of these changed"):
        await run(house, bare)


async def test_steps_run_in_order_and_each_is_watched(house: House) -> None:
    steps: list[dict[str, Json]] = [{"spec.paused": True}, {IMAGE: "shop/web:2"}, {"spec.paused": None}]
    plan = await house.planned(writing(house.world, WEB, *steps, check="ready"))
    action = await run(house, plan)
    assert [step for _, _, step in house.world.effects()] == ["write 1", "write 2", "write 3"]
    assert [step.state for step in action.steps] == ["verified"] * 3
    assert "paused" not in house.world.see(WEB)["spec"]


async def test_create_apply_delete_and_evict_are_carried_out(house: House) -> None:
    house.world.add(config())
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "shop"}}
    house.world.add(pod)
    other = CONFIG.model_copy(update={"name": "made"})
    made = {**config(), "metadata": {"name": "made", "namespace": "shop"}}
    plan = await house.planned(
        bound(house.world, CONFIG, (Step(name="apply", verb="apply", body=config("2")),), ("data.level",)),
        bound(house.world, other, (Step(name="make", verb="create", body=made),)),
        bound(house.world, ref_of(pod), (Step(name="evict", verb="evict"),)),
        bound(house.world, WEB, (Step(name="delete", verb="delete"),)),
        action="apply",
    )
    assert (await run(house, plan)).state == "succeeded"
    assert house.world.see(CONFIG)["data"] == {"level": "2"}
    assert house.world.see(other)["data"] == {"level": "1"}
    assert house.world.see(ref_of(pod)) is None
    assert house.world.see(WEB) is None


@pytest.mark.row("S74")
async def test_ten_replicas_get_one_bad_pod_and_then_the_old_image_back(house: House) -> None:
    """F17d: the canary stops after one pod of ten; the blast radius is 10 %."""
    big = house.world.add(deployment("big", replicas=10))
    ref, touched = ref_of(big), set[int]()

    def controller(body: dict[str, Json]) -> dict[str, Json]:
        """maxSurge 1, maxUnavailable 0: a pod that never gets ready stops the rollout at itself."""
        image = body["spec"]["template"]["spec"]["containers"][0]["image"]
        if image == "shop/web:bad":
            surge = body["spec"].get("strategy", {}).get("rollingUpdate", {}).get("maxSurge", 10)
            touched.add(surge)
            return {**body, "status": {"readyReplicas": 10, "bad": surge}}
        return {**body, "status": {"readyReplicas": 10}}

    def canary(body: dict[str, Json] | None) -> GateResult:
        bad = (body or {}).get("status", {}).get("bad", 0)
        return GateResult(state="failed" if bad else "met", says=f"{bad} of 10 pods: ImagePullBackOff")

    house.world.on_write, house.world.gates["canary"] = controller, canary
    one_by_one = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
    target = writing(
        house.world,
        ref,
        {IMAGE: "shop/web:bad", "spec.strategy": one_by_one},
        {"spec.strategy": None},
        check="canary",
    )
    plan = await house.planned(target)
    before = house.world.see(ref)
    action = await run(house, plan)
    assert action.state == "undone"
    assert "ImagePullBackOff" in action.says
    assert touched == {1}
    assert [step.state for step in action.steps] == ["failed", "skipped", "undone"]
    assert comparable(house.world.see(ref)) == comparable(before)


async def test_waves_stop_at_the_canary(house: House) -> None:
    names = [f"web-{number}" for number in range(4)]
    for name in names:
        house.world.add(deployment(name))
    house.world.gates["bad"] = lambda body: GateResult(state="failed", says="it crashes")
    targets = [writing(house.world, ref_of(deployment(name)), {IMAGE: "x:1"}, check="bad") for name in names]
    plan = await house.planned(*targets, waves=(1, 3))
    before = house.world.everything()
    action = await run(house, plan)
    assert action.state == "undone"
    assert [verb for verb, _, _ in house.world.effects()] == ["write", "replace"]
    after = house.world.everything()
    assert {ref: comparable(body) for ref, body in after.items()} == {
        ref: comparable(body) for ref, body in before.items()
    }


async def test_a_gate_waits_until_it_is_met_steadily(house: House) -> None:
    looks = iter([GateResult(state="waiting"), GateResult(state="met"), GateResult(state="waiting")])
    seen: list[str] = []

    def look(body: dict[str, Json] | None) -> GateResult:
        result = next(looks, GateResult(state="met", says="steady"))
        seen.append(result.state)
        return result

    house.world.gates["ready"] = look
    gate = GateCheck(check="ready", within_s=60, every_s=5, steady_s=10)
    step = Step(name="write 1", verb="write", values={IMAGE: "shop/web:2"}, gate=gate)
    plan = await house.planned(bound(house.world, WEB, (step,), (IMAGE,)))
    begun = house.clock.world
    action = await run(house, plan)
    assert action.steps[0].says == "steady"
    assert seen == ["waiting", "met", "waiting", "met", "met", "met"]
    assert (house.clock.world - begun).total_seconds() == 25


async def test_a_gate_that_is_never_met_fails_after_its_time(house: House) -> None:
    house.world.gates["ready"] = lambda body: GateResult(state="waiting", says="0 of 4 ready")
    action = await run(house, await planned(house, check="ready"))
    assert action.state == "undone"
    assert "not met within 60 s: 0 of 4 ready" in action.says


async def test_start_answers_in_time_while_the_action_goes_on(house: House) -> None:
    release = anyio.Event()

    def look(body: dict[str, Json] | None) -> GateResult:
        return GateResult(state="met" if release.is_set() else "waiting")

    house.world.gates["ready"] = look
    step = Step(name="w", verb="write", values={IMAGE: "x:1"}, gate=GateCheck(check="ready", within_s=10**9))
    plan = await house.planned(bound(house.world, WEB, (step,), (IMAGE,)))
    async with house.executor.running() as executor:
        action = await executor.start(plan.plan_id, plan.confirm, ANNA, wait_s=0.05)
        assert action.state == "running"
        release.set()
        assert (await executor.start(plan.plan_id, plan.confirm, ANNA, wait_s=9)).state == "succeeded"


async def test_an_action_is_shown_to_its_caller_and_to_who_may_approve(house: House) -> None:
    action = await run(house, await planned(house))
    assert (await house.executor.get(action.action_id, BEN)).action_id == action.action_id
    for caller, action_id in ((Caller(name="eve"), action.action_id), (ANNA, "act_none")):
        with pytest.raises(ActionNotFoundError, match="no action of that id"):
            await house.executor.get(action_id, caller)


@pytest.mark.fault("R12")
async def test_the_same_key_is_the_same_call_and_another_plan_under_it_is_refused(house: House) -> None:
    plan = await planned(house)
    first = await run(house, plan, idempotency_key="key-1")
    again = await run(house, plan, idempotency_key="key-1")
    assert again.action_id == first.action_id
    assert len(house.world.effects()) == 1
    other = await planned(house, image="shop/web:3")
    with pytest.raises(InvalidInputError, match="other arguments"):
        await run(house, other, idempotency_key="key-1")
    assert len(house.world.effects()) == 1


async def test_an_executed_plan_answers_with_its_action_even_after_it_expired(house: House) -> None:
    plan = await planned(house)
    first = await run(house, plan)
    house.clock.pass_safely(7200)
    assert (await run(house, plan)).action_id == first.action_id


async def test_shadow_mode_does_everything_but_the_effect(tmp_path: Path) -> None:
    house = House(tmp_path, shadow=True)
    house.world.add(deployment())
    action = await run(house, await planned(house))
    assert (action.state, action.can_undo) == ("shadowed", False)
    assert house.world.effects() == []
    assert house.trail.events() == ["intent", "outcome"]
    assert house.trail.records[1][2]["result"] == "shadow"


async def test_outside_of_a_lifespan_nothing_is_started(house: House) -> None:
    plan = await planned(house)
    with pytest.raises(NotConfiguredError):
        await house.executor.start(plan.plan_id, plan.confirm, ANNA)
    assert house.world.effects() == []
