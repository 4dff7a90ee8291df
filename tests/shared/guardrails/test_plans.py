"""Plans between `plan_*` and `execute_plan`: who sees them, for how long, how an edited one is found."""

import json
from typing import Any

import pytest
from sqlalchemy import update

from aiops_shared.errors import (
    ActionRefusedError,
    InvalidInputError,
    NotFoundError,
    PlanExpiredError,
    PlanNotFoundError,
    PlanTamperedError,
)
from aiops_shared.guardrails.ids import new_id
from aiops_shared.guardrails.models import Caller, ObjectRef, Plan, Step
from aiops_shared.guardrails.plans import check_plan, digest_of_plan, keys_of, public_view
from aiops_shared.guardrails.snapshots import comparable
from aiops_shared.state.schema import plans, snapshots
from tests.fakes.houses import ANNA, BEN, IMAGE, House, bound, writing
from tests.fakes.worlds import deployment, ref_of

WEB = ref_of(deployment())


async def planned(house: House) -> Plan:
    return await house.planned(writing(house.world, WEB, {IMAGE: "shop/web:2"}))


async def edit(house: House, **values: object) -> None:
    await house.store.run(lambda conn: conn.execute(update(plans).values(**values)))


async def test_a_plan_comes_back_as_it_was_saved(house: House) -> None:
    plan = await planned(house)
    assert await house.plans.load(plan.plan_id, ANNA) == plan


async def test_another_callers_plan_answers_like_an_unknown_one_unless_they_may_approve(house: House) -> None:
    plan = await planned(house)
    with pytest.raises(PlanNotFoundError) as foreign:
        await house.plans.load(plan.plan_id, Caller(name="eve"))
    with pytest.raises(PlanNotFoundError) as unknown:
        await house.plans.load(new_id("pln_"), Caller(name="eve"))
    assert foreign.value.reason == unknown.value.reason
    assert (await house.plans.load(plan.plan_id, BEN)).plan_id == plan.plan_id
    assert (await house.plans.load_any(plan.plan_id)).plan_id == plan.plan_id


@pytest.mark.threat("T9")
async def test_a_plan_edited_in_the_database_is_found(house: House) -> None:
    plan = await planned(house)
    body = plan.model_dump(mode="json")
    body["targets"][0]["steps"][0]["values"] = {IMAGE: "evil:1"}
    await edit(house, body=json.dumps(body))
    with pytest.raises(PlanTamperedError):
        await house.plans.load(plan.plan_id, ANNA)


@pytest.mark.threat("T9")
async def test_a_plan_whose_life_was_stretched_in_the_database_is_found(house: House) -> None:
    plan = await planned(house)
    stretched = plan.model_copy(update={"expires_at": plan.expires_at.replace(year=2036)})
    await edit(house, body=stretched.model_dump_json(), expires_at=stretched.expires_at)
    with pytest.raises(PlanTamperedError):
        await house.plans.load(plan.plan_id, ANNA)


@pytest.mark.threat("T9")
async def test_a_whole_other_plan_put_under_an_id_is_found(house: House) -> None:
    plan = await planned(house)
    other = await house.planned(writing(house.world, WEB, {IMAGE: "shop/web:3"}))

    def swap(conn: Any) -> None:
        row = conn.execute(plans.select().where(plans.c.id == other.plan_id)).one()
        mine = plans.c.id == plan.plan_id
        conn.execute(update(plans).where(mine).values(body=row.body, digest=row.digest))

    await house.store.run(swap)
    with pytest.raises(PlanTamperedError):
        await house.plans.load(plan.plan_id, ANNA)


@pytest.mark.threat("T9")
async def test_a_row_that_was_given_to_another_requester_is_found(house: House) -> None:
    plan = await planned(house)
    await edit(house, requester="eve")
    with pytest.raises(PlanTamperedError):
        await house.plans.load(plan.plan_id, Caller(name="eve"))


async def test_a_plan_expires_by_safety_time_and_not_by_the_labs(house: House) -> None:
    plan = await planned(house)
    await house.clock.sleep(86_400)
    await house.plans.load(plan.plan_id, ANNA)
    house.clock.pass_safely(3601)
    with pytest.raises(PlanExpiredError):
        await house.plans.load(plan.plan_id, ANNA)
    assert (await house.plans.load(plan.plan_id, ANNA, even_expired=True)).plan_id == plan.plan_id


async def test_the_digest_covers_what_was_reviewed_and_not_its_lifetime(house: House) -> None:
    plan = await planned(house)
    later = plan.model_copy(update={"expires_at": plan.expires_at.replace(year=2036)})
    assert digest_of_plan(plan) == digest_of_plan(later)
    for change in ({"confirm": "x"}, {"sop_digest": "x"}, {"policy_digest": "x"}, {"requester": BEN}):
        assert digest_of_plan(plan) != digest_of_plan(plan.model_copy(update=change))


@pytest.mark.threat("T10")
async def test_a_plan_that_could_not_be_carried_out_is_refused(house: House) -> None:
    plan = await planned(house)
    target = plan.targets[0]
    twin = target.model_copy(update={"ref": WEB.model_copy(update={"name": "api"})})
    nameless = target.model_copy(update={"ref": WEB.model_copy(update={"name": ""})})
    stranger = target.model_copy(update={"ref": WEB.model_copy(update={"cluster": "other"})})
    undeclared = target.model_copy(update={"paths": ("spec.replicas",)})
    wrong_path = target.model_copy(update={"reads": ("spec..",)})
    changes: list[dict[str, object]] = [
        {"targets": ()},
        {"targets": (nameless,)},
        {"targets": (stranger,)},
        {"targets": (undeclared,)},
        {"targets": (wrong_path,)},
        {"targets": (target.model_copy(update={"steps": ()}),)},
        {"targets": (target, target), "waves": (1, 1)},
        {"targets": (target, twin), "waves": (2,)},
        {"targets": (target, twin), "waves": (1,)},
        {"targets": (target, twin), "waves": (1, 0, 1)},
        {"waves": ()},
        {"confirm": "  "},
    ]
    for change in changes:
        with pytest.raises(InvalidInputError):
            check_plan(plan.model_copy(update=change))
    check_plan(plan.model_copy(update={"targets": (target, twin), "waves": (1, 1)}))


async def test_the_public_view_shows_the_change_and_no_body(house: House) -> None:
    step = Step(name="make", verb="create", body={"kind": "ConfigMap", "data": {"password": "hunter2-fake"}})
    made = ObjectRef(cluster="dev", api_version="v1", kind="ConfigMap", namespace="shop", name="settings")
    plan = await house.planned(bound(house.world, made, (step,)), action="apply")
    view = public_view(plan)
    assert "hunter2" not in json.dumps(view)
    assert (view["requester"], view["digest"]) == ("anna", digest_of_plan(plan))
    assert view["targets"][0]["steps"] == [{"name": "make", "verb": "create"}]


async def test_limits_go_by_the_owner_that_the_planner_names_or_by_the_object(house: House) -> None:
    owned = writing(house.world, WEB, {IMAGE: "x:1"}, owner="deployment shop/web")
    plan = await house.planned(owned)
    assert keys_of(plan) == {("image", "deployment shop/web")}
    bare = plan.model_copy(update={"targets": (owned.model_copy(update={"owner": ""}),)})
    assert keys_of(bare) == {("image", str(WEB))}


async def test_a_snapshot_comes_back_and_is_not_to_be_read_in_the_database(house: House) -> None:
    seen = house.world.see(WEB)
    snapshot_id = await house.snapshots.take(WEB, seen)
    assert await house.snapshots.open(snapshot_id) == seen
    sealed = await house.store.read(lambda conn: conn.execute(snapshots.select()).one().ciphertext)
    assert b"shop/web:1" not in bytes(sealed)


async def test_no_snapshot_is_made_of_a_secret(house: House) -> None:
    ref = ObjectRef(cluster="dev", api_version="v1", kind="Secret", namespace="shop", name="db")
    with pytest.raises(ActionRefusedError):
        await house.snapshots.take(ref, {"kind": "Secret", "metadata": {}})
    with pytest.raises(ActionRefusedError):
        await house.snapshots.take(WEB, {"kind": "Secret", "metadata": {}})


async def test_an_altered_snapshot_is_found_and_an_unknown_one_is_said(house: House) -> None:
    snapshot_id = await house.snapshots.take(WEB, house.world.see(WEB))
    other_id = await house.snapshots.take(WEB, deployment("api"))

    def swap(conn: Any) -> None:
        other = conn.execute(snapshots.select().where(snapshots.c.id == other_id)).one().ciphertext
        conn.execute(update(snapshots).where(snapshots.c.id == snapshot_id).values(ciphertext=other))

    await house.store.run(swap)
    with pytest.raises(PlanTamperedError):
        await house.snapshots.open(snapshot_id)
    with pytest.raises(NotFoundError):
        await house.snapshots.open("snp_none")


async def test_snapshots_go_after_thirty_days(house: House) -> None:
    old = await house.snapshots.take(WEB, house.world.see(WEB))
    house.clock.pass_safely(31 * 86_400)
    await house.snapshots.take(WEB, house.world.see(WEB))
    with pytest.raises(NotFoundError):
        await house.snapshots.open(old)


def test_what_the_cluster_moves_by_itself_is_not_compared() -> None:
    body = deployment()
    busy = {**body, "metadata": {**body["metadata"], "resourceVersion": "7", "generation": 3}, "status": {}}
    assert comparable(body) == comparable(busy)
