"""The door that servers and the command line use, with the real policy, audit, limits and freezes."""

import subprocess
import sys
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path

import anyio
import pytest

import aiops_shared.guardrails as door
from aiops_shared.errors import (
    ApprovalInvalidError,
    ApprovalPendingError,
    FrozenError,
    NotConfiguredError,
    PlanNotFoundError,
    PlanStaleError,
    PlanTamperedError,
    ReadOnlyError,
)
from aiops_shared.guardrails import (
    BlastRadius,
    Caller,
    Effects,
    Facts,
    Guardrails,
    ObjectRef,
    Plan,
    Request,
    Step,
    TargetChange,
    new_id,
)
from aiops_shared.settings import PolicySettings, Settings, StateSettings
from tests.fakes.clocks import FakeClock
from tests.fakes.houses import ANNA, BEN, IMAGE, bound, writing
from tests.fakes.worlds import FakeWorld, deployment, ref_of

WEB = ref_of(deployment())
PROD = Facts(env="prod", reversible="full")


class Stage:
    """A world, its clock, and a door onto it."""

    def __init__(self, folder: Path, *, write: bool = True, caller: Caller = ANNA, **policy: object) -> None:
        self.clock = FakeClock()
        self.world = FakeWorld(folder / "world.db")
        if self.world.see(WEB) is None:
            self.world.add(deployment())
        settings = Settings(
            write=write,
            state=StateSettings(dir=folder / "state"),
            policy=PolicySettings.model_validate({"autonomy_staging": "auto-safe", **policy}),
        )
        self.guard = Guardrails.open(settings, self.clock, self.reach(), caller)

    def reach(self) -> Callable[[str], Awaitable[Effects]]:
        async def found(cluster: str) -> Effects:
            return self.world

        return found

    def plan(self, target: TargetChange | None = None, caller: Caller = ANNA) -> Plan:
        now = self.clock.safe_now()
        target = target or writing(self.world, WEB, {IMAGE: "shop/web:2"})
        return Plan(
            plan_id=new_id("pln_"),
            action="image",
            cluster="dev",
            confirm=f"change {target.ref}",
            targets=(target,),
            requester=caller,
            created_at=now,
            expires_at=now + timedelta(hours=1),
            reversible="full",
            blast_radius=BlastRadius(says="1 object"),
            facts=self.world.facts,
            verdict=door.Verdict(decision="allow", rule="staging-write"),
            policy_digest=self.guard.policy_digest,
        )


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


async def test_a_saved_plan_is_executed_shown_undone_and_audited(stage: Stage) -> None:
    plan = await stage.guard.save_plan(stage.plan())
    assert plan.targets[0].snapshot_id
    assert (await stage.guard.public_plan(plan.plan_id))["confirm"] == plan.confirm
    async with stage.guard.running() as guard:
        action = await guard.execute(plan.plan_id, plan.confirm)
        assert (await guard.get_action(action.action_id)).state == "succeeded"
        assert (await guard.undo(action.action_id)).state == "undone"
    report = await stage.guard.audit.verify()
    assert (report.holds, report.records, report.unknown) == (True, 4, ())
    stage.guard.close()
    Stage.__init__(stage, stage.world.path.parent)
    stage.guard.close()  # nothing was opened yet


async def test_a_plan_on_an_object_that_moved_while_it_was_planned_is_not_stored(stage: Stage) -> None:
    plan = stage.plan()
    stage.world.change(WEB, {IMAGE: "theirs:1"})
    with pytest.raises(PlanStaleError):
        await stage.guard.save_plan(plan)
    with pytest.raises(PlanNotFoundError):
        await stage.guard.public_plan(plan.plan_id)


async def test_a_plan_of_something_new_or_secret_has_no_snapshot(stage: Stage) -> None:
    body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "db", "namespace": "shop"}}
    secret = ref_of(stage.world.add(body))
    made = ObjectRef(cluster="dev", api_version="v1", kind="ConfigMap", namespace="shop", name="c")
    making = bound(stage.world, made, (Step(name="make", verb="create", body={}),))
    for target in (making, writing(stage.world, secret, {"metadata.labels.a": "b"})):
        assert (await stage.guard.save_plan(stage.plan(target))).targets[0].snapshot_id == ""


@pytest.mark.threat("T2")
async def test_a_read_only_server_plans_and_judges_and_executes_nothing(tmp_path: Path) -> None:
    stage = Stage(tmp_path, write=False)
    plan = await stage.guard.save_plan(stage.plan())
    async with stage.guard.running() as guard:
        with pytest.raises(ReadOnlyError):
            await guard.execute(plan.plan_id, plan.confirm)
    assert stage.world.effects() == []


async def test_policy_gives_advice_and_a_denial_becomes_an_audited_refusal(stage: Stage) -> None:
    request = Request(
        action="delete", kind="Namespace", name="shop", cluster="dev", caller=ANNA, facts=Facts(env="dev")
    )
    verdict = await stage.guard.judge(request)
    assert (verdict.decision, verdict.rule) == ("deny", "no-namespace-delete")
    error = await stage.guard.refuse(request, verdict)
    assert error.wire().startswith("[refused] delete namespace shop: refused by rule no-namespace-delete; ")
    (record,) = await stage.guard.audit.show()
    assert record.event == "refusal"


@pytest.mark.threat("T9")
async def test_production_waits_for_a_person_who_sees_the_change(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    stage.world.facts = PROD
    plan = await stage.guard.save_plan(stage.plan())
    async with stage.guard.running() as guard:
        with pytest.raises(ApprovalPendingError, match="eks-aiops approve apr_"):
            await guard.execute(plan.plan_id, plan.confirm)
        waiting = await guard.pending_for(plan.plan_id)
        assert waiting is not None
        assert (waiting.confirm, waiting.requester_may, waiting.needs) == (plan.confirm, False, "other")
        assert await guard.pending_for("pln_none") is None
        nonce = await guard.nonce_for(waiting.approval_id)
        with pytest.raises(ApprovalInvalidError, match="four eyes"):
            await guard.approve_by_client(waiting.approval_id, nonce)
        await guard.decline(waiting.approval_id, BEN, "terminal")
        assert "agent" in str(await guard.refuse_approval(waiting.approval_id, ANNA, "an agent's shell"))
        await guard.approve(waiting.approval_id, BEN, "terminal")
        assert (await guard.execute(plan.plan_id, plan.confirm)).state == "succeeded"
    events = [record.event for record in await stage.guard.audit.show()]
    assert events == ["approval_asked", "refusal", "declined", "refusal", "approved", "intent", "outcome"]


async def test_an_approval_whose_plan_was_edited_is_not_shown(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    stage.world.facts = PROD
    plan = await stage.guard.save_plan(stage.plan())
    async with stage.guard.running() as guard:
        with pytest.raises(ApprovalPendingError):
            await guard.execute(plan.plan_id, plan.confirm)
        store = guard._wired.store
        await store.run(
            lambda conn: conn.exec_driver_sql("UPDATE plans SET body = 'evil' || substr(body, 5)")
        )
        assert await guard.pending_approvals() == ()
        with pytest.raises(PlanTamperedError):
            await guard.execute(plan.plan_id, plan.confirm)


@pytest.mark.threat("T10")
async def test_the_kill_switch_of_one_process_stops_all_others(tmp_path: Path) -> None:
    stage, other = Stage(tmp_path), Stage(tmp_path)
    plan = await stage.guard.save_plan(stage.plan())
    await other.guard.freeze_on("ben", "incident 7")
    (held,) = await stage.guard.freeze_status()
    assert held.reason == "incident 7"
    async with stage.guard.running() as guard:
        with pytest.raises(FrozenError, match="incident 7"):
            await guard.execute(plan.plan_id, plan.confirm)
        assert await other.guard.freeze_off("ben") == 1
        assert (await guard.execute(plan.plan_id, plan.confirm)).state == "succeeded"


@pytest.mark.fault("R14")
async def test_a_failed_undo_freezes_its_key_until_a_person_lifts_it_and_may_then_be_repeated(
    stage: Stage,
) -> None:
    plan = await stage.guard.save_plan(stage.plan())
    async with stage.guard.running() as guard:
        action = await guard.execute(plan.plan_id, plan.confirm)
        stage.world.plant("replace", "conflict", "conflict", "conflict", "conflict", "conflict")
        assert (await guard.undo(action.action_id)).state == "undo_failed"
        again = await guard.save_plan(stage.plan(writing(stage.world, WEB, {IMAGE: "shop/web:3"})))
        with pytest.raises(FrozenError, match="ended undo_failed"):
            await guard.execute(again.plan_id, again.confirm)
        assert (await guard.undo(action.action_id)).state == "undone"
        (held,) = await guard.freeze_status()
        assert await guard.freeze_off("ben", held.scope) == 1


async def test_a_server_adopts_what_a_dead_one_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aiops_shared.guardrails.facade.ADOPT_AFTER_S", 0.05)
    stage = Stage(tmp_path)
    plan = await stage.guard.save_plan(stage.plan())
    async with stage.guard.running() as guard:
        action = await guard.execute(plan.plan_id, plan.confirm)
        await guard._wired.store.run(
            lambda conn: conn.exec_driver_sql("UPDATE actions SET state='running', lease_expires_at=NULL")
        )
    other = Stage(tmp_path)
    async with other.guard.running() as guard:
        assert (await guard.execute(plan.plan_id, plan.confirm, wait_s=9)).action_id == action.action_id
        assert (await guard.get_action(action.action_id)).state == "succeeded"
    assert len(stage.world.effects()) == 1


async def test_a_server_with_a_wrong_policy_lives_and_says_why_nothing_can_be_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("aiops_shared.guardrails.facade.ADOPT_AFTER_S", 0.0)
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "wrong.cedar").write_text("permit(", encoding="utf-8")
    stage = Stage(tmp_path, dir=tmp_path / "policies")
    async with stage.guard.running() as guard:
        with anyio.fail_after(20):
            while not caplog.records:  # noqa: ASYNC110  # a log raises no event
                await anyio.sleep(0.01)
        with pytest.raises(NotConfiguredError, match=r"wrong\.cedar"):
            await guard.save_plan(stage.plan())
    assert "nothing can be changed" in caplog.text


async def test_over_http_the_caller_is_who_calls_now(tmp_path: Path) -> None:
    now = [ANNA]
    stage = Stage(tmp_path)
    guard = Guardrails.open(stage.guard.settings, stage.clock, stage.reach(), lambda: now[0])
    plan = await guard.save_plan(stage.plan())
    now[0] = Caller(name="eve")
    assert guard.caller.name == "eve"
    with pytest.raises(PlanNotFoundError):
        await guard.execute(plan.plan_id, plan.confirm)


def test_the_door_is_sorted_complete_and_light() -> None:
    kinds = [(not name.isupper(), name[0].islower(), name) for name in door.__all__]
    assert kinds == sorted(kinds)
    assert all(hasattr(door, name) for name in door.__all__)
    heavy = ("sqlalchemy", "cedarpy", "cryptography", "orjson", "httpx")
    code = f"import sys, aiops_shared.guardrails; print([m for m in {heavy!r} if m in sys.modules])"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=20
    )
    assert loaded.stdout.strip() == "[]"
