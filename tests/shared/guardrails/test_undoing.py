"""An undo gives back exactly what our action wrote, and refuses where somebody else wrote since."""

import anyio
import pytest

from aiops_shared.errors import ActionNotFoundError, FrozenError, InvalidInputError, UndoRefusedError
from aiops_shared.guardrails.models import (
    ActionRecord,
    Caller,
    Json,
    ObjectRef,
    Plan,
    Step,
    TargetChange,
    Verdict,
)
from aiops_shared.guardrails.snapshots import comparable
from tests.fakes.houses import ANNA, BEN, IMAGE, House, bound, writing
from tests.fakes.worlds import deployment, ref_of

WEB = ref_of(deployment())
NODE = ObjectRef(cluster="dev", api_version="v1", kind="Node", name="n1")
CONFIG = ObjectRef(cluster="dev", api_version="v1", kind="ConfigMap", namespace="shop", name="settings")
BODY: dict[str, Json] = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "settings", "namespace": "shop"},
    "data": {"level": "1"},
}


async def done(house: House, *targets: TargetChange, **more: object) -> ActionRecord:
    plan = await house.planned(*targets, **more)  # type: ignore[arg-type]
    return await start(house, plan)


async def start(house: House, plan: Plan) -> ActionRecord:
    async with house.executor.running() as executor:
        return await executor.start(plan.plan_id, plan.confirm, ANNA)


async def undo(house: House, action: ActionRecord, caller: Caller = ANNA, **more: str) -> ActionRecord:
    async with house.executor.running() as executor:
        return await executor.undo(action.action_id, caller, **more)  # type: ignore[arg-type]


def image(house: House) -> TargetChange:
    return writing(house.world, WEB, {IMAGE: "shop/web:2"})


@pytest.mark.row("S74")
@pytest.mark.row("F17e")
async def test_the_state_before_is_the_state_after_the_undo(house: House) -> None:
    before = house.world.see(WEB)
    steps: list[dict[str, Json]] = [
        {IMAGE: "shop/web:2", 'metadata.annotations."aiops/why"': "x", "spec.paused": True},
        {
            "spec.paused": None,
            "spec.template.spec.containers[name=app].resources": {"limits": {"memory": "1Gi"}},
        },
    ]
    action = await done(house, writing(house.world, WEB, *steps))
    assert comparable(house.world.see(WEB)) != comparable(before)
    assert (await undo(house, action)).state == "undone"
    assert comparable(house.world.see(WEB)) == comparable(before)


async def test_other_peoples_other_fields_survive_the_undo(house: House) -> None:
    action = await done(house, image(house))
    house.world.change(WEB, {"spec.replicas": 9, "metadata.labels.team": "shop"})
    assert (await undo(house, action)).state == "undone"
    now = house.world.see(WEB)
    assert (now["spec"]["replicas"], now["metadata"]["labels"]["team"]) == (9, "shop")
    assert now["spec"]["template"]["spec"]["containers"][0]["image"] == "shop/web:1"


@pytest.mark.fault("R15")
async def test_an_undo_is_refused_when_somebody_changed_the_same_field_and_names_it(house: House) -> None:
    action = await done(house, image(house))
    house.world.change(WEB, {IMAGE: "shop/web:hotfix"})
    with pytest.raises(UndoRefusedError, match=r"changed since by somebody else: spec.*image"):
        await undo(house, action)
    assert [verb for verb, _, _ in house.world.effects()] == ["write"]
    assert (await house.executor.get(action.action_id, ANNA)).state == "succeeded"


@pytest.mark.fault("R15")
async def test_an_undo_is_refused_when_the_target_is_gone(house: House) -> None:
    action = await done(house, image(house))
    house.world.drop(WEB)
    with pytest.raises(UndoRefusedError, match="is gone: somebody deleted it"):
        await undo(house, action)


@pytest.mark.fault("R16")
async def test_an_undo_is_refused_on_an_object_made_again_with_the_same_name(house: House) -> None:
    action = await done(house, image(house))
    house.world.recreate(WEB)
    with pytest.raises(UndoRefusedError, match="deleted and created again"):
        await undo(house, action)


async def test_one_refused_target_keeps_all_others_as_they_are(house: House) -> None:
    house.world.add(deployment("api"))
    api = ref_of(deployment("api"))
    action = await done(house, image(house), writing(house.world, api, {IMAGE: "x:2"}))
    house.world.change(WEB, {IMAGE: "shop/web:hotfix"})
    with pytest.raises(UndoRefusedError):
        await undo(house, action)
    assert len(house.world.effects()) == 2


async def test_undoing_twice_returns_the_same_record_and_writes_once(house: House) -> None:
    action = await done(house, image(house))
    first, second = await undo(house, action), await undo(house, action)
    assert (first.action_id, first.state) == (second.action_id, second.state)
    assert [verb for verb, _, _ in house.world.effects()] == ["write", "replace"]


async def test_a_node_that_was_cordoned_before_stays_cordoned(house: House) -> None:
    house.world.add(
        {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n1"}, "spec": {"unschedulable": True}}
    )
    drained = writing(
        house.world, NODE, {"spec.unschedulable": True, 'metadata.annotations."aiops/drain"': "1"}
    )
    action = await done(house, drained, action="cordon")
    assert (await undo(house, action)).state == "undone"
    now = house.world.see(NODE)
    assert now["spec"] == {"unschedulable": True}
    assert "annotations" not in now["metadata"]


async def test_what_was_created_is_deleted_only_if_it_still_is_ours(house: House) -> None:
    make = bound(house.world, CONFIG, (Step(name="make", verb="create", body=BODY),), ("data.level",))
    action = await done(house, make, action="apply")
    assert (await undo(house, action)).state == "undone"
    assert house.world.see(CONFIG) is None
    assert house.world.effects()[-1][0] == "delete"


async def test_what_was_created_and_then_edited_by_others_is_not_deleted(house: House) -> None:
    make = bound(house.world, CONFIG, (Step(name="make", verb="create", body=BODY),), ("data.level",))
    action = await done(house, make, action="apply")
    house.world.change(CONFIG, {"data.level": "9"})
    with pytest.raises(UndoRefusedError, match=r"data\.level"):
        await undo(house, action)


async def test_an_object_of_the_same_name_that_is_not_ours_stays(house: House) -> None:
    make = bound(house.world, CONFIG, (Step(name="make", verb="create", body=BODY),), ("data.level",))
    action = await done(house, make, action="apply")
    house.world.recreate(CONFIG)
    assert (await undo(house, action)).state == "undone"
    assert house.world.see(CONFIG) is not None


async def test_what_was_deleted_is_created_again(house: House) -> None:
    before = house.world.see(WEB)
    gone = bound(house.world, WEB, (Step(name="delete", verb="delete"),))
    action = await done(house, gone, action="delete", reversible="partial", lost=("its pods",))
    assert house.world.see(WEB) is None
    assert (await undo(house, action)).state == "undone"
    now = house.world.see(WEB)
    assert now["spec"] == before["spec"]
    assert now["metadata"]["uid"] != before["metadata"]["uid"]


async def test_what_was_deleted_and_made_again_by_others_is_left_to_them(house: House) -> None:
    gone = bound(house.world, WEB, (Step(name="delete", verb="delete"),))
    action = await done(house, gone, action="delete", reversible="partial")
    house.world.add(deployment(image="theirs:1"))
    with pytest.raises(UndoRefusedError, match="exists again"):
        await undo(house, action)


async def test_a_manifest_that_was_applied_is_taken_back_field_by_field(house: House) -> None:
    house.world.add(BODY)
    body = {**BODY, "data": {"level": "2", "new": "x"}}
    step = Step(name="apply", verb="apply", body=body)
    target = bound(house.world, CONFIG, (step,), ("data.level", "data.new"))
    action = await done(house, target, action="apply")
    house.world.change(CONFIG, {"data.theirs": "y"})
    assert (await undo(house, action)).state == "undone"
    assert house.world.see(CONFIG)["data"] == {"level": "1", "theirs": "y"}


async def test_what_cannot_be_given_back_says_what_is_lost(house: House) -> None:
    evict = bound(house.world, WEB, (Step(name="evict", verb="evict"),))
    action = await done(house, evict, action="evict", reversible="none", lost=("the pod's local data",))
    assert not action.can_undo
    with pytest.raises(UndoRefusedError, match="the pod's local data"):
        await undo(house, action)


async def test_a_partly_reversible_action_gives_back_what_it_can_and_says_the_rest(house: House) -> None:
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "shop"}}
    house.world.add(pod)
    evict = bound(house.world, ref_of(pod), (Step(name="evict", verb="evict"),))
    action = await done(house, image(house), evict, action="drain", reversible="partial")
    undone = await undo(house, action)
    assert undone.state == "undone"
    assert "cannot be given back: pod shop/p" in undone.says


async def test_an_action_that_changed_nothing_or_still_runs_is_not_undone(house: House) -> None:
    plan = await house.planned(image(house))
    house.world.plant("write", "conflict", "conflict", "conflict", "conflict", "conflict")
    action = await start(house, plan)
    assert (action.state, action.can_undo) == ("failed", False)
    with pytest.raises(UndoRefusedError, match="changed nothing"):
        await undo(house, action)


async def test_a_foreign_action_is_not_undone(house: House) -> None:
    action = await done(house, image(house))
    with pytest.raises(ActionNotFoundError):
        await undo(house, action, Caller(name="eve"))
    assert (await undo(house, action, BEN)).state == "undone"


async def test_the_undo_of_an_approved_action_needs_no_second_approval(house: House) -> None:
    house.needs()
    plan = await house.planned(image(house))
    approval = await house.approvals.ask(plan, "requester")
    await house.approvals.approve(approval.approval_id, ANNA, "terminal")
    action = await start(house, plan)
    assert action.approval_id == approval.approval_id
    assert (await undo(house, action)).state == "undone"


async def test_a_denial_or_a_freeze_stops_an_undo_that_somebody_asked_for(house: House) -> None:
    action = await done(house, image(house))
    house.brake.reason = "holidays"
    with pytest.raises(FrozenError):
        await undo(house, action)
    house.brake.reason = ""
    house.judge.verdict = Verdict(decision="deny", rule="gitops-owned")
    with pytest.raises(Exception, match="gitops-owned"):
        await undo(house, action)
    assert len(house.world.effects()) == 1


async def test_an_undo_takes_an_idempotency_key(house: House) -> None:
    action = await done(house, image(house))
    await undo(house, action, idempotency_key="key-undo")
    assert (await undo(house, action, idempotency_key="key-undo")).state == "undone"
    other = await done(house, image(house))
    with pytest.raises(InvalidInputError):
        await undo(house, other, idempotency_key="key-undo")


async def test_an_undo_lost_on_the_way_is_read_back_and_not_repeated(house: House) -> None:
    action = await done(house, image(house))
    house.world.plant("replace", "reset_after")
    assert (await undo(house, action)).state == "undone"
    assert [verb for verb, _, _ in house.world.effects()] == ["write", "replace"]


async def test_an_undo_that_did_not_arrive_is_tried_again(house: House) -> None:
    action = await done(house, image(house))
    house.world.plant("replace", "reset_before", "conflict")
    assert (await undo(house, action)).state == "undone"
    assert [verb for verb, _, _ in house.world.effects()] == ["write", "replace"]


async def test_a_creation_of_what_was_deleted_that_got_lost_is_not_repeated(house: House) -> None:
    gone = bound(house.world, WEB, (Step(name="delete", verb="delete"),))
    action = await done(house, gone, action="delete", reversible="partial")
    house.world.plant("create", "reset_after")
    assert (await undo(house, action)).state == "undone"
    assert [verb for verb, _, _ in house.world.effects()] == ["delete", "create"]


async def test_an_undo_that_failed_is_loud_and_may_be_asked_for_again(house: House) -> None:
    action = await done(house, image(house))
    house.world.plant("replace", "conflict", "conflict", "conflict", "conflict", "conflict")
    failed = await undo(house, action)
    assert (failed.state, failed.can_undo) == ("undo_failed", True)
    assert failed.says.startswith("ESCALATE: ")
    assert house.brake.frozen_keys == [("image", str(WEB))]
    assert (await undo(house, action)).state == "undone"


async def test_an_object_still_on_its_way_out_is_waited_for(house: House) -> None:
    gone = bound(house.world, WEB, (Step(name="delete", verb="delete"),))
    before = house.world.see(WEB)
    action = await done(house, gone, action="delete", reversible="partial")
    house.world._store(WEB, {**before, "metadata": {**before["metadata"], "deletionTimestamp": "now"}})
    begun = house.clock.world
    house.clock.after = (begun, lambda: house.world.drop(WEB))
    assert (await undo(house, action)).state == "undone"
    assert house.world.see(WEB)["metadata"]["uid"] != before["metadata"]["uid"]


async def test_two_undos_at_once_are_one(house: House) -> None:
    action = await done(house, image(house))
    states: list[str] = []

    async def go(worker: str) -> None:
        states.append((await undo(House(house.dir, worker=worker), action)).state)

    async with anyio.create_task_group() as tasks:
        for worker in ("worker-a", "worker-b", "worker-c"):
            tasks.start_soon(go, worker)
    assert states == ["undone"] * 3
    assert [verb for verb, _, _ in house.world.effects()] == ["write", "replace"]


async def test_of_two_undos_that_begin_together_the_second_finds_it_begun(house: House) -> None:
    action = await done(house, image(house))
    entry = await house.journal.load(action.action_id)
    body = {**entry.body, "why": "first"}
    begin = house.journal.begin_undo_in
    first = await house.store.run(lambda conn: begin(conn, action.action_id, "succeeded", body))
    second = await house.store.run(lambda conn: begin(conn, action.action_id, "succeeded", body))
    assert first is not None
    assert second is None
