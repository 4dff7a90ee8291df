"""The gate: one yes or no, asked twice, deny wins, every refusal audited once (T2, D3)."""

import ast
from datetime import timedelta
from pathlib import Path

import pytest

import aiops_shared
from aiops_shared.auth.behalf import Behalf, acting_for
from aiops_shared.clock import SystemClock
from aiops_shared.errors import (
    ActionRefusedError,
    AuditDownError,
    FrozenError,
    RateLimitedError,
    ReadOnlyError,
    RepeatLimitError,
)
from aiops_shared.guardrails.brakes import Brakes, key_scope
from aiops_shared.guardrails.freezing import Freeze, Freezer
from aiops_shared.guardrails.gate import strictness
from aiops_shared.guardrails.models import Facts, Plan, Request, Verdict
from aiops_shared.guardrails.modes import Modes
from aiops_shared.guardrails.permits import Permit
from aiops_shared.guardrails.policy import Policy
from aiops_shared.settings import PolicySettings
from tests.fakes.gates import FakeJudge
from tests.fakes.houses import ANNA, IMAGE, House, writing
from tests.fakes.worlds import deployment, ref_of

WEB = ref_of(deployment())
FACTS = Facts(env="staging", reversible="full")


async def planned(house: House) -> Plan:
    return await house.planned(writing(house.world, WEB, {IMAGE: "shop/web:2"}))


def asking(**changes: object) -> Request:
    request = Request(
        action="image",
        kind="Deployment",
        namespace="shop",
        name="web",
        cluster="dev",
        caller=ANNA,
        facts=FACTS,
    )
    return request.model_copy(update=changes)


async def start(house: House, plan: Plan) -> str:
    async with house.executor.running() as executor:
        return (await executor.start(plan.plan_id, plan.confirm, ANNA)).state


@pytest.mark.threat("T2")
async def test_in_read_only_mode_a_good_plan_is_refused_before_the_policy_is_asked(tmp_path: Path) -> None:
    house = House(tmp_path, modes=Modes(write=False))
    house.world.add(deployment())
    plan = await planned(house)
    with pytest.raises(ReadOnlyError):
        await start(house, plan)
    assert house.world.effects() == []
    assert house.trail.events() == ["refusal"]
    assert house.judge.asked == []


@pytest.mark.threat("T2")
@pytest.mark.parametrize(
    ("rule", "error"),
    [
        ("no-data-delete", ActionRefusedError),
        ("repeat-limit", RepeatLimitError),
        ("rate-limit", RateLimitedError),
        ("freeze", FrozenError),
        ("audit-down", AuditDownError),
    ],
)
async def test_a_denial_at_execution_wins_over_the_advice_at_plan_time(
    house: House, rule: str, error: type[ActionRefusedError]
) -> None:
    plan = await planned(house)
    house.judge.verdict = Verdict(decision="deny", rule=rule, advice="do it otherwise")
    with pytest.raises(error, match=f"refused by rule {rule}; do it otherwise"):
        await start(house, plan)
    assert house.world.effects() == []
    assert house.trail.events() == ["refusal"]


def for_a_run(**more: object) -> Behalf:
    until = SystemClock().safe_now() + timedelta(minutes=4)
    given = {"caller": "anna", "kind": "human", "run_id": "run_1", "sop": "disk-pressure", "audience": "eks"}
    return Behalf.model_validate({**given, "until": until, **more})


@pytest.mark.row("S58")
@pytest.mark.parametrize(
    ("run", "decision"),
    [
        (for_a_run(mode="auto"), "allow"),
        (for_a_run(mode="auto", always_ask=True), "needs_approval"),
        (for_a_run(mode="supervised"), "needs_approval"),
        (for_a_run(mode="plan"), "needs_approval"),
    ],
)
async def test_a_run_makes_a_verdict_stricter_by_its_mode(house: House, run: Behalf, decision: str) -> None:
    with acting_for(run):
        assert (await house.gate.judge(asking())).decision == decision
    facts = house.judge.asked[-1].facts
    assert (facts.sop, facts.confidence_pct) == ("disk-pressure", 100)


@pytest.mark.row("S79")
async def test_in_production_mode_auto_is_earned(house: House) -> None:
    prod = asking(facts=Facts(env="prod", reversible="full"))
    with acting_for(for_a_run(mode="auto")):
        assert (await house.gate.judge(prod)).decision == "needs_approval"
    with acting_for(for_a_run(mode="auto", promoted=True)):
        assert (await house.gate.judge(prod)).decision == "allow"


@pytest.mark.threat("T2")
async def test_a_run_of_mode_plan_never_executes(house: House) -> None:
    plan = await planned(house)
    with acting_for(for_a_run(mode="plan")), pytest.raises(ActionRefusedError, match="run-mode"):
        await start(house, plan)
    assert house.world.effects() == []
    assert house.trail.events() == ["refusal"]


async def test_policy_sees_the_facts_as_they_are_at_execution(house: House) -> None:
    plan = await planned(house)
    house.world.facts = FACTS.model_copy(update={"affected_pods": 7})
    await start(house, plan)
    assert {request.facts.affected_pods for request in house.judge.asked} == {7}


async def test_policy_is_told_the_world_time_of_each_question(house: House) -> None:
    plan = await planned(house)
    await start(house, plan)
    assert house.judge.asked
    assert all(request.at == house.clock.world for request in house.judge.asked)


async def test_the_strictest_target_decides_for_all(house: House) -> None:
    house.world.add(deployment("api"))
    targets = [writing(house.world, ref_of(deployment(name)), {IMAGE: "x:1"}) for name in ("web", "api")]
    plan = await house.planned(*targets)

    class Picky(FakeJudge):
        def decide(self, request: Request) -> Verdict:
            return Verdict(decision="deny" if request.name == "api" else "allow", rule="picky")

    picky = House(house.dir, judge=Picky())
    with pytest.raises(ActionRefusedError, match="2 targets"):
        await start(picky, plan)


async def test_a_freeze_is_said_with_its_reason(house: House) -> None:
    plan = await planned(house)
    house.brake.reason = "frozen by ben since noon"
    with pytest.raises(FrozenError, match="frozen by ben since noon"):
        await start(house, plan)


async def test_judging_is_advice_and_refuses_nothing(house: House) -> None:
    house.judge.verdict = Verdict(decision="deny", rule="no-data-delete")
    assert (await house.gate.judge(asking())).decision == "deny"
    assert (await house.gate.judge(asking(namespace=""))).decision == "deny"
    assert house.trail.events() == []
    error = await house.gate.refuse(asking(), house.judge.verdict)
    assert str(error).startswith("image deployment shop/web: refused by rule no-data-delete")
    assert "image deployment web" in str(await house.gate.refuse(asking(namespace=""), house.judge.verdict))
    assert house.trail.events() == ["refusal", "refusal"]


@pytest.mark.threat("T10")
@pytest.mark.row("S74")
async def test_the_fourth_same_action_in_an_hour_is_denied_and_a_restart_forgets_nothing(
    tmp_path: Path,
) -> None:
    policy = Policy(PolicySettings())
    for number in range(1, 5):
        house = House(tmp_path, policy=policy)  # every time a new process
        if number == 1:
            house.world.add(deployment())
        plan = await house.planned(writing(house.world, WEB, {IMAGE: f"shop/web:{number + 1}"}))
        if number < 4:
            assert await start(house, plan) == "succeeded"
        else:
            with pytest.raises(RepeatLimitError, match="repeat-limit"):
                await start(house, plan)
        house.store.close()
    assert len(house.world.effects()) == 3
    house.clock.world += timedelta(hours=1, seconds=1)
    assert await start(house, await planned(house)) == "succeeded"


@pytest.mark.threat("T10")
async def test_the_thirty_first_action_in_a_minute_is_refused_and_thirty_are_done(tmp_path: Path) -> None:
    house = House(tmp_path, policy=Policy(PolicySettings()))
    async with house.executor.running() as executor:
        for number in range(31):
            name = f"web-{number}"
            house.world.add(deployment(name))
            plan = await house.planned(writing(house.world, ref_of(deployment(name)), {IMAGE: "x:2"}))
            if number < 30:
                assert (await executor.start(plan.plan_id, plan.confirm, ANNA)).state == "succeeded"
            else:
                with pytest.raises(RateLimitedError):
                    await executor.start(plan.plan_id, plan.confirm, ANNA)
    assert len(house.world.effects()) == 30


async def test_an_undo_is_no_repetition_of_the_action(tmp_path: Path) -> None:
    house = House(tmp_path, policy=Policy(PolicySettings()))
    house.world.add(deployment())
    async with house.executor.running() as executor:
        for number in (2, 3, 4):
            plan = await house.planned(writing(house.world, WEB, {IMAGE: f"shop/web:{number}"}))
            action = await executor.start(plan.plan_id, plan.confirm, ANNA)
        assert (await executor.undo(action.action_id, ANNA)).state == "undone"


@pytest.mark.threat("T2")
def test_only_the_gate_makes_a_permit() -> None:
    root = Path(aiops_shared.__file__).parents[2]
    makers = {
        path.name
        for folder in ("shared", "servers")
        for path in (root / folder).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and getattr(node.func, "id", getattr(node.func, "attr", "")) == "Permit"
    }
    assert makers == {"gate.py"}


def test_a_permit_covers_its_targets_alone() -> None:
    permit = Permit("act_1", "digest", frozenset({WEB}), 1)
    permit.covers(WEB)
    with pytest.raises(ActionRefusedError):
        permit.covers(WEB.model_copy(update={"name": "api"}))


def test_what_is_not_understood_counts_as_a_denial() -> None:
    assert strictness(Verdict(decision="needs_approval", rule="odd")) == 3


async def test_windows_switches_and_frozen_keys_brake_and_only_the_switch_stops_an_automatic_undo(
    house: House,
) -> None:
    now, keys = house.clock.world, frozenset({("image", "deployment shop/web")})
    window = Freeze(since=now, until=now + timedelta(hours=1), reason="holidays")
    freezer = Freezer(house.store, PolicySettings(), house.clock)
    windowed, plain = Brakes((window,), house.clock), Brakes((), house.clock)

    async def reason(brakes: Brakes, kill_only: bool = False) -> str:
        return await house.store.read(lambda conn: brakes.reason_in(conn, "dev", keys, now, kill_only))

    assert await reason(plain) == ""
    assert "holidays" in await reason(windowed)
    assert await reason(windowed, kill_only=True) == ""
    for _ in range(2):
        await house.store.run(
            lambda conn: plain.freeze_key_in(conn, "dev", ("image", "deployment shop/web"), "undo failed")
        )
    assert "undo failed" in await reason(plain)
    assert await reason(plain, kill_only=True) == ""
    assert len(await freezer.holding()) == 1
    await freezer.lift("ben", key_scope("image", "dev", "deployment shop/web"))
    assert await reason(plain) == ""
    await freezer.freeze("ben", "incident", "dev")
    assert "incident" in await reason(plain, kill_only=True)


def test_a_long_key_keeps_within_its_column() -> None:
    long = [key_scope("image", "dev", "x" * 400 + end) for end in "ab"]
    assert len({*long}) == 2
    assert max(map(len, long)) <= 256
