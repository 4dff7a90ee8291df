"""What a run is started with, who may start, see and steer it, and what a person is asked."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import anyio
import pytest
import pytest_asyncio

from aiops_shared.errors import (
    ActionRefusedError,
    ApprovalInvalidError,
    ConflictError,
    FrozenError,
    InvalidInputError,
    NotConfiguredError,
    RateLimitedError,
    ReadOnlyError,
    RepeatLimitError,
    RunNotFoundError,
    SopNotFoundError,
    UnreachableError,
)
from aiops_shared.guardrails import Caller
from aiops_sop.engine.needs import LostError
from tests.fakes.runhouses import ANNA, BOT, RunHouse, change, front, step

pytestmark = pytest.mark.asyncio(loop_scope="module")
BEN = Caller(name="ben")
ASKS = "ask: 'Is {{ params.name }} out of traffic?'"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def one(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RunHouse]:
    async with RunHouse(tmp_path_factory.mktemp("desk")).running() as house:
        yield house


@pytest_asyncio.fixture(loop_scope="module")
async def house(one: RunHouse) -> RunHouse:
    await one.fresh()
    two = front("two") + step(1, "first", change("a")) + step(2, "second", change("b"))
    one.library.add(two)
    asked = step(1, "ask", ASKS, "- You MUST ask because only people know")
    one.library.add(front("asking") + asked + step(2, "first", change("a")))
    one.library.add(front("rare", "limits: {per_hour: 2, per_day: 3}\n") + step(1, "first", change("a")))
    return one


async def waits(house: RunHouse, sop: str = "two") -> str:
    """A run that is paused before its first effect."""
    house.hands.says["eks.plan_workload_change"] = [UnreachableError("eks", "no connection")]
    run = await house.did(sop)
    assert run.state == "waiting"
    house.hands.says.pop("eks.plan_workload_change")
    return run.run_id


@pytest.mark.fault("R11")
async def test_a_second_start_on_the_same_target_gets_the_first_one_s_id(house: RunHouse) -> None:
    found: list[str] = []

    async def go(name: str) -> None:
        found.append((await house.start("two", params={"name": name})).run_id)

    async with anyio.create_task_group() as tasks:
        for name in ("web", "web", "web", "api"):
            tasks.start_soon(go, name)
    assert len(set(found)) == 2
    again = await house.start("two", caller=BEN)
    assert again.already_running
    assert again.run_id in found
    for run_id in set(found):
        await house.drive(run_id)
    assert sorted(house.hands.effects()) == ["do api-a", "do api-b", "do web-a", "do web-b"]


@pytest.mark.fault("R12")
@pytest.mark.row("BI-100")
async def test_the_same_key_gives_the_same_run_and_other_arguments_are_refused(house: RunHouse) -> None:
    first = await house.start("two", idempotency_key="key-00001")
    await house.drive(first.run_id)
    again = await house.start("two", idempotency_key="key-00001")
    assert (again.run_id, again.state, again.already_running) == (first.run_id, "succeeded", False)
    with pytest.raises(InvalidInputError, match="other arguments"):
        await house.start("two", params={"name": "api"}, idempotency_key="key-00001")
    assert house.hands.effects() == ["do web-a", "do web-b"]


async def test_a_sop_s_own_limits_count_for_one_target(house: RunHouse) -> None:
    for _ in range(2):
        assert (await house.did("rare")).state == "succeeded"
    with pytest.raises(RepeatLimitError, match="REPEAT_LIMIT"):
        await house.start("rare")
    assert (await house.did("rare", params={"name": "api"})).state == "succeeded"
    assert (await house.did("rare", "plan")).state == "succeeded"
    await house.clock.sleep(timedelta(hours=2).total_seconds())
    assert (await house.did("rare")).state == "succeeded"
    with pytest.raises(RepeatLimitError, match="within the day"):
        await house.start("rare")


@pytest.mark.row("BI-102")
async def test_the_thirty_first_start_within_a_minute_is_refused(house: RunHouse) -> None:
    for number in range(30):
        await house.start("two", "plan", params={"name": f"n-{number}"}, caller=BOT)
    with pytest.raises(RateLimitedError):
        await house.start("two", "plan", params={"name": "n-30"}, caller=BOT)
    assert house.hands.effects() == []


@pytest.mark.row("BI-104")
async def test_the_kill_switch_refuses_a_start_and_leaves_plans(house: RunHouse) -> None:
    await house.guard.freeze_on("anna", "stop")
    try:
        with pytest.raises(FrozenError):
            await house.start("two")
        assert (await house.did("two", "plan")).state == "succeeded"
    finally:
        await house.guard.freeze_off("anna")
    assert house.hands.effects() == []


async def test_what_cannot_be_started_is_refused_before_anything_is_written(house: RunHouse) -> None:
    with pytest.raises(SopNotFoundError):
        await house.start("nothing")
    house.hands.away["eks"] = "it does not start"
    with pytest.raises(NotConfiguredError, match="eks server"):
        await house.start("two")
    house.hands.away.clear()
    assert house.hands.calls == []


async def test_a_read_only_process_plans_and_starts_nothing(tmp_path: Path, house: RunHouse) -> None:
    async with RunHouse(tmp_path, write=False).running() as reader:
        reader.library.sops.update(house.library.sops)
        with pytest.raises(ReadOnlyError):
            await reader.start("two")


@pytest.mark.threat("T12")
async def test_another_caller_s_run_is_not_there(house: RunHouse) -> None:
    run = await house.did("two")
    with pytest.raises(RunNotFoundError):
        await house.seen(run.run_id, BEN)
    with pytest.raises(RunNotFoundError):
        await house.desk.control(run.run_id, "undo", BEN)
    event = await house.did("two", pattern="event", params={"name": "api"}, caller=BOT)
    assert (await house.seen(event.run_id, BEN)).human_inputs == 0


async def test_a_cancelled_run_stays_as_it_is_and_can_be_undone(house: RunHouse) -> None:
    run_id = await waits(house)
    await house.desk.control(run_id, "cancel", ANNA)
    assert (await house.drive(run_id)).state == "cancelled"
    with pytest.raises(ActionRefusedError, match="changed nothing"):
        await house.desk.control(run_id, "undo", ANNA)
    run = await house.did("two")
    await house.desk.control(run.run_id, "undo", ANNA)
    undone = await house.drive(run.run_id)
    assert (undone.state, house.hands.effects()[-2:]) == ("undone", ["undo web-b", "undo web-a"])
    assert undone.audit is not None
    assert [row[2] for row in undone.audit.rows] == ["run_started", "run_ended", "run_undo", "run_ended"]


async def test_a_resumed_run_goes_on_at_the_step_that_failed(house: RunHouse) -> None:
    house.library.add(front("stops") + step(1, "first", change("a", "on_fail: stop")))
    house.hands.says["eks.get_resource"] = [{"ok": False}]
    run = await house.did("stops")
    assert run.state == "escalated"
    house.hands.says["eks.get_resource"] = [{"ok": True}]
    await house.desk.control(run.run_id, "resume", ANNA)
    assert (await house.drive(run.run_id)).state == "succeeded"
    assert house.hands.effects() == ["do web-a"]  # its action stands: only the check is done again


async def test_a_run_cannot_be_resumed_while_another_one_holds_its_target(house: RunHouse) -> None:
    house.library.add(front("stops") + step(1, "first", change("a", "on_fail: stop")))
    house.hands.says["eks.get_resource"] = [{"ok": False}]
    run = await house.did("stops")
    run_id = await waits(house)
    with pytest.raises(ConflictError):
        await house.desk.control(run.run_id, "resume", ANNA)
    await house.desk.control(run_id, "cancel", ANNA)
    await house.drive(run_id)


@pytest.mark.fault("R19")
async def test_who_lost_the_run_writes_and_executes_nothing_more(house: RunHouse) -> None:
    started = await house.start("two")
    late = await house.runner.begin(started.run_id, 0)
    assert late is not None
    assert await house.desk.ledger.take(started.run_id, 0, "exe_other") is not None
    with pytest.raises(LostError):
        await house.runner.advance(late)
    await house.runner.end(late, "lost")
    assert (house.hands.effects(), house.hands.plans()) == ([], 0)
    await house.drive(started.run_id)


@pytest.mark.fault("R22")
async def test_a_run_is_handed_over_when_its_process_ends(tmp_path: Path, house: RunHouse) -> None:
    leaving = RunHouse(tmp_path)
    leaving.library.sops.update(house.library.sops)
    async with leaving.running():
        started = await leaving.start("two")
        held = await leaving.runner.begin(started.run_id, 0)
        assert held is not None
        await leaving.runner.advance(held)
        leaving.lifetime.stop()
        said = await leaving.runner.advance(held)
        assert said["state"] == "handed_over"
        await leaving.runner.end(held, said["state"])
    coming = RunHouse(tmp_path)
    coming.library.sops.update(house.library.sops)
    async with coming.running():
        await coming.runner.look()
        assert (await coming.drive(started.run_id)).state == "succeeded"
        assert coming.hands.effects() == ["do web-a", "do web-b"]


async def question(house: RunHouse) -> tuple[str, str]:
    run = await house.did("asking", "supervised")
    assert run.waiting is not None
    assert (run.state, run.waiting.kind) == ("waiting", "answer")
    assert run.waiting.how == f"eks-aiops approve {run.waiting.id}"
    assert run.waiting.says == "Is web out of traffic?"
    return run.run_id, run.waiting.id


@pytest.mark.threat("T9")
async def test_a_person_answers_a_question_once_and_the_run_goes_on(house: RunHouse) -> None:
    run_id, ask_id = await question(house)
    await house.runner.look()
    assert (await house.seen(run_id)).state == "waiting"
    with pytest.raises(ApprovalInvalidError, match="agent"):
        await house.asks.decide(ask_id, BOT, "yes", "terminal")
    await house.asks.decide(ask_id, ANNA, "yes", "terminal")
    with pytest.raises(ApprovalInvalidError, match="once"):
        await house.asks.decide(ask_id, ANNA, "yes", "terminal")
    await house.runner.look()
    run = await house.drive(run_id)
    assert (run.state, run.human_inputs) == ("succeeded", 2)


async def test_a_no_fails_the_step_and_nothing_is_changed(house: RunHouse) -> None:
    run_id, ask_id = await question(house)
    await house.asks.decide(ask_id, ANNA, "no", "terminal")
    await house.runner.look()
    run = await house.drive(run_id)
    assert (run.state, house.hands.effects()) == ("escalated", [])
    assert "said no" in run.summary


@pytest.mark.threat("T9")
async def test_a_question_that_was_edited_in_the_database_counts_for_nothing(house: RunHouse) -> None:
    from sqlalchemy import update

    from aiops_shared.state.sop_schema import sop_asks

    run_id, ask_id = await question(house)
    forged = update(sop_asks).where(sop_asks.c.id == ask_id).values(state="yes", approver="anna")
    await house.store.run(lambda conn: conn.execute(forged))
    await house.runner.look()
    run = await house.drive(run_id)
    assert (run.state, house.hands.effects()) == ("refused", [])
    assert "seal" in run.summary


@pytest.mark.fault("R17")
async def test_a_question_that_expired_pauses_the_run_until_it_is_asked_anew(house: RunHouse) -> None:
    run_id, ask_id = await question(house)
    house.clock.pass_safely(3 * 3600)
    await house.runner.look()
    paused = await house.seen(run_id)
    assert paused.waiting is not None
    assert "expired" in paused.waiting.says
    assert "resume" in paused.waiting.how
    with pytest.raises(ApprovalInvalidError, match="expired"):
        await house.asks.decide(ask_id, ANNA, "yes", "terminal")
    await house.desk.control(run_id, "resume", ANNA)
    again = await house.drive(run_id)
    assert again.waiting is not None
    assert again.waiting.id != ask_id
    await house.asks.decide(again.waiting.id, ANNA, "yes", "terminal")
    await house.runner.look()
    assert (await house.drive(run_id)).state == "succeeded"


@pytest.mark.threat("T8")
@pytest.mark.row("BI-092")
async def test_a_pinned_document_that_was_edited_is_not_carried_on(house: RunHouse) -> None:
    from sqlalchemy import update

    from aiops_shared.state.sop_schema import sop_runs

    started = await house.start("two")
    house.library.add(front("two") + step(1, "other", change("z")))  # the file changes: the run does not
    edit = update(sop_runs).where(sop_runs.c.id == started.run_id)
    other = front("two") + step(1, "other", change("evil"))
    await house.store.run(lambda conn: conn.execute(edit.values(document=other)))
    record = await house.desk.ledger.load(started.run_id)
    held = await house.runner.begin(started.run_id, record.generation)
    assert held is not None
    said = await house.runner.advance(held)
    await house.runner.end(held, said["state"])
    assert (said["state"], house.hands.effects()) == ("refused", [])
    assert "[sop_changed]" in (await house.seen(started.run_id)).summary
