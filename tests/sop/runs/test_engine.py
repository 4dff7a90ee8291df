"""What the engine does with each kind of step, and how a run ends."""

from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import anyio
import pytest
import pytest_asyncio

from aiops_shared.errors import (
    ActionRefusedError,
    InvalidInputError,
    PlanStaleError,
    RepeatLimitError,
    UnreachableError,
)
from aiops_sop.models.runs import RunStatus
from tests.fakes.runhouses import ANNA, RunHouse, change, front, step

pytestmark = pytest.mark.asyncio(loop_scope="module")
NOT_WELL = {"ok": False, "summary": "it is not"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def one(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RunHouse]:
    async with RunHouse(tmp_path_factory.mktemp("runs")).running() as house:
        yield house


@pytest_asyncio.fixture(loop_scope="module")
async def house(one: RunHouse) -> RunHouse:
    await one.fresh()
    return one


def two(house: RunHouse, name: str = "two", more: str = "on_fail: undo") -> None:
    """Two changes, each verified."""
    house.library.add(
        front(name) + step(1, "first", change("a", more)) + step(2, "second", change("b", more))
    )


def states(run: RunStatus) -> dict[str, str]:
    return {view.id: view.state for view in run.steps}


async def test_each_change_is_planned_executed_verified_and_noted(house: RunHouse) -> None:
    two(house)
    run = await house.did("two")
    assert (run.state, states(run)) == ("succeeded", {"first": "done", "second": "done"})
    assert house.hands.effects() == ["do web-a", "do web-b"]
    assert all(view.verified and view.plan_id and view.action_id for view in run.steps)
    assert run.audit is not None
    assert [row[2] for row in run.audit.rows] == ["run_started", "run_ended"]
    assert run.audit_chain.startswith("valid")


async def test_every_call_says_for_whom_it_is(house: RunHouse) -> None:
    two(house)
    run = await house.did("two", "supervised")
    for name, _, behalf in house.hands.calls:
        assert behalf is not None
        assert (behalf.caller, behalf.run_id, behalf.sop_digest) == ("anna", run.run_id, run.digest)
        assert (behalf.mode, behalf.audience) == ("supervised", name.partition(".")[0])


async def test_a_change_that_does_not_verify_is_given_back_in_reverse_order(house: RunHouse) -> None:
    two(house)
    well, times = {"ok": True, "summary": "well"}, 7
    house.hands.says["eks.get_resource"] = [well, *[NOT_WELL] * times]
    run = await house.did("two")
    assert run.state == "undone"
    assert house.hands.effects() == ["do web-a", "do web-b", "undo web-b", "undo web-a"]
    assert house.teller.notices[-1]["kind"] == "undone"
    assert states(run) == {"first": "undone", "second": "undone", "undo/first": "done", "undo/second": "done"}


async def test_a_way_back_that_fails_goes_to_people(house: RunHouse) -> None:
    two(house)
    house.hands.says["eks.get_resource"] = [NOT_WELL]
    house.hands.says["eks.undo_action"] = [ActionRefusedError("action", "somebody else changed it")]
    run = await house.did("two")
    assert run.state == "escalated"
    assert "could not be given back" in run.summary
    assert house.teller.notices[-1]["kind"] == "escalated"


async def test_a_step_that_says_undo_none_is_left_and_said(house: RunHouse) -> None:
    kept = "on_fail: undo\nundo: none\nundo_reason: files are gone"
    house.library.add(front("kept") + step(1, "first", change("a", kept)) + step(2, "second", change("b")))
    house.hands.says["eks.get_resource"] = [{"ok": True}, NOT_WELL]
    run = await house.did("kept")
    assert run.state == "undone"
    assert "not given back: undo/first" in run.summary
    assert house.hands.effects() == ["do web-a", "do web-b", "undo web-b"]


@pytest.mark.parametrize(("on_fail", "end"), [("stop", "escalated"), ("escalate", "escalated")])
async def test_a_failed_step_stops_the_run_and_people_hear_of_it(
    house: RunHouse, on_fail: str, end: str
) -> None:
    two(house, more=f"on_fail: {on_fail}")
    house.hands.ends["web-a"] = "failed"
    run = await house.did("two")
    assert run.state == end
    assert states(run) == {"first": "failed", "second": "pending"}
    assert [notice["kind"] for notice in house.teller.notices] == [end]


async def test_a_policy_that_says_no_refuses_the_run(house: RunHouse) -> None:
    two(house, more="on_fail: stop")
    house.hands.says["eks.plan_workload_change"] = [ActionRefusedError("scale web", "rule prod-deny")]
    run = await house.did("two")
    assert run.state == "refused"
    assert house.hands.effects() == []


async def test_a_limit_that_is_reached_escalates_with_its_code(house: RunHouse) -> None:
    two(house, more="on_fail: stop")
    house.hands.says["eks.execute_plan"] = [RepeatLimitError("clean", "twice today")]
    run = await house.did("two")
    assert run.state == "escalated"
    assert "[repeat_limit]" in run.summary


async def test_what_continues_after_a_failure_and_is_made_good_later_succeeds(house: RunHouse) -> None:
    second = 'when: "!steps.first.verified"\n' + change("b")
    house.library.add(
        front("or") + step(1, "first", change("a", "on_fail: continue")) + step(2, "second", second)
    )
    house.hands.says["eks.get_resource"] = [*[NOT_WELL] * 7, {"ok": True, "summary": "well"}]
    run = await house.did("or")
    assert (run.state, states(run)) == ("succeeded", {"first": "failed", "second": "done"})


async def test_a_step_whose_condition_does_not_hold_is_skipped(house: RunHouse) -> None:
    second = 'when: "!steps.first.verified"\n' + change("b")
    house.library.add(front("or") + step(1, "first", change("a")) + step(2, "second", second))
    run = await house.did("or")
    assert (run.state, states(run)) == ("succeeded", {"first": "done", "second": "skipped"})
    assert house.hands.effects() == ["do web-a"]


async def test_a_plan_plans_every_step_it_can_and_executes_nothing(tmp_path: Path) -> None:
    async with RunHouse(tmp_path, write=False).running() as house:
        second = 'when: "!steps.first.verified"\n' + change("b")
        told = step(3, "tell", "notify: any\ntemplate: done", "- You MUST tell people because they ask")
        house.library.add(front("or") + step(1, "first", change("a")) + step(2, "second", second) + told)
        run = await house.did("or", "plan")
        assert run.state == "succeeded"
        assert states(run) == {"first": "planned", "second": "planned", "tell": "planned"}
        assert (house.hands.effects(), house.hands.plans(), house.teller.notices) == ([], 2, [])
        assert "execute_plan" not in {name.partition(".")[2] for name, _, _ in house.hands.calls}


async def test_a_plan_that_went_stale_before_it_was_executed_is_made_again(house: RunHouse) -> None:
    two(house)
    stale = PlanStaleError("plan", "the target changed")
    house.hands.says["eks.execute_plan"] = [stale, {"go": "on"}]
    run = await house.did("two")
    assert run.state == "succeeded"
    assert (house.hands.plans(), house.hands.effects()) == (3, ["do web-a", "do web-b"])


async def test_a_read_is_tried_again_and_a_write_is_not(house: RunHouse) -> None:
    read = "call: eks.list_events\nretry: {attempts: 3, backoff: 1s}\nevidence: [result.summary]"
    house.library.add(front("read") + step(1, "look", read) + step(2, "first", change("a")))
    gone = UnreachableError("eks", "no connection")
    house.hands.says["eks.list_events"] = [gone, gone, {"summary": "3 events"}]
    run = await house.did("read")
    assert run.state == "succeeded"
    assert run.steps[0].evidence == {"result.summary": "3 events"}


@pytest.mark.row("S31")
async def test_a_source_that_is_away_blocks_the_run_and_nothing_is_written_blindly(house: RunHouse) -> None:
    read = "call: observability.query_metrics"
    house.library.add(front("blind") + step(1, "look", read) + step(2, "first", change("a")))
    house.hands.says["observability.query_metrics"] = [UnreachableError("metrics", "no connection")]
    run = await house.did("blind")
    assert run.state == "waiting"
    assert run.waiting is not None
    assert run.waiting.kind == "evidence"
    assert run.waiting.says.startswith("BLOCKED_EVIDENCE")
    assert house.hands.effects() == []
    house.hands.says["observability.query_metrics"] = [{"summary": "12 %"}]
    await house.desk.control(run.run_id, "resume", ANNA)
    assert (await house.drive(run.run_id)).state == "succeeded"
    assert house.hands.effects() == ["do web-a"]


async def test_a_check_whose_source_is_away_at_the_end_waits_for_it_and_changes_nothing_again(
    house: RunHouse,
) -> None:
    two(house)
    house.hands.says["eks.get_resource"] = [UnreachableError("metrics", "no connection")]
    run = await house.did("two")
    assert (run.state, states(run)["first"]) == ("waiting", "waiting")
    house.hands.says["eks.get_resource"] = [{"ok": True}]
    await house.desk.control(run.run_id, "resume", ANNA)
    assert (await house.drive(run.run_id)).state == "succeeded"
    assert house.hands.effects() == ["do web-a", "do web-b"]


async def test_a_bad_parameter_is_refused_before_anything_is_asked(house: RunHouse) -> None:
    two(house)
    for params, word in (
        ({}, "required"),
        ({"name": "A B"}, "form"),
        ({"name": "web", "count": "many"}, "integer"),
        ({"name": "web", "count": 10}, "range"),
        ({"name": "web", "approve": True}, "no parameter"),
    ):
        with pytest.raises(InvalidInputError, match=word):
            await house.start("two", params=params)
    assert house.hands.calls == []


async def test_a_foreach_goes_in_waves_with_a_gate_between(house: RunHouse) -> None:
    body = (
        "foreach: \"['a', 'b', 'c', 'd', 'e']\"\nwaves: [1, 50%, 100%]\n"
        "plan: eks.plan_workload_change\nwith: {name: '{{ item }}'}\n"
        'verify: {call: eks.get_resource, until: "result.ok == true", within: 60s, every: 10s}\n'
        'gate: {call: eks.diagnose, until: "result.quiet == true", within: 60s, every: 10s}\non_fail: undo'
    )
    house.library.add(front("waves") + step(1, "all", body))
    house.hands.says["eks.diagnose"] = [{"quiet": True}, {"quiet": False}]
    run = await house.did("waves")
    assert run.state == "undone"
    assert house.hands.effects() == ["do a", "do b", "undo b", "undo a"]


async def test_another_sop_runs_as_a_child_of_its_own(house: RunHouse) -> None:
    two(house)
    child = "run: two\nwith: {name: '{{ params.name }}'}"
    house.library.add(front("parent") + step(1, "child", child, "- You MUST end because it is done"))
    started = await house.start("parent")
    record = await house.desk.ledger.load(started.run_id)
    held = await house.runner.begin(started.run_id, record.generation)
    assert held is not None
    async with anyio.create_task_group() as tasks:

        async def carry_child() -> None:
            await house.drive(await house.started_after(started.run_id))

        tasks.start_soon(carry_child)
        said = await house.runner.advance(held)
        while not said["over"]:
            said = await house.runner.advance(held)
        await house.runner.end(held, said["state"])
    run = await house.seen(started.run_id)
    assert run.state == "succeeded"
    assert house.hands.effects() == ["do web-a", "do web-b"]


TELLS = "- You MUST tell people because they ask"


async def test_a_wait_takes_world_time_or_ends_with_a_condition(house: RunHouse) -> None:
    until = 'wait: {call: eks.diagnose, until: "result.quiet == true", within: 90s, every: 30s}'
    house.library.add(front("waits") + step(1, "rest", "wait: 5m", TELLS) + step(2, "quiet", until, TELLS))
    house.hands.says["eks.diagnose"] = [{"quiet": False}, {"quiet": True}]
    began = await house.clock.now()
    run = await house.did("waits")
    assert run.state == "succeeded"
    assert (await house.clock.now() - began).total_seconds() == 330
    house.hands.says["eks.diagnose"] = [{"quiet": False}]
    assert (await house.did("waits")).state == "escalated"


async def test_people_are_told_once_with_what_the_run_found(house: RunHouse) -> None:
    tell = (
        'notify: any\ntemplate: "{{ params.name }} has {{ steps.look.result.count }} of {{ params.count }}"'
    )
    house.library.add(front("tells") + step(1, "look", "call: eks.diagnose") + step(2, "tell", tell, TELLS))
    house.hands.says["eks.diagnose"] = [{"count": 2}]
    run = await house.did("tells")
    assert run.state == "succeeded"
    assert [notice["text"] for notice in house.teller.notices] == ["web has 2 of 3"]
    assert [(duty.says[:15], duty.verdict) for duty in run.duties][-1] == ("You MUST tell p", "met")


async def test_an_action_that_goes_on_is_followed_to_its_end_and_bounded_by_the_step_s_time(
    house: RunHouse,
) -> None:
    house.library.add(front("slow") + step(1, "first", change("a", "on_fail: undo\ntimeout: 60s")))
    going = {"action_id": "act_1", "state": "running", "summary": "going"}
    done = {"action_id": "act_1", "state": "succeeded", "summary": "done"}
    undone = {**done, "state": "undone"}
    house.hands.says["eks.execute_plan"] = [going]
    house.hands.says["eks.get_action"] = [going, UnreachableError("eks", "gone for a moment"), done]
    assert (await house.did("slow")).state == "succeeded"

    def later(_: Mapping[str, Any]) -> dict[str, Any]:
        house.clock.world += timedelta(seconds=61)
        return going

    house.hands.says["eks.execute_plan"] = [going]
    house.hands.says["eks.get_action"] = [later, undone]
    house.hands.says["eks.undo_action"] = [{**going, "state": "undoing"}]
    run = await house.did("slow")
    assert run.state == "undone"
    assert "not done within 60 s" in run.summary


async def test_a_broken_expression_ends_the_run_loudly(house: RunHouse) -> None:
    odd = 'call: eks.diagnose\nwith: {name: "{{ steps.look.result.nothing.here }}"}'
    house.library.add(front("odd") + step(1, "look", "call: eks.diagnose") + step(2, "then", odd))
    run = await house.did("odd")
    assert (run.state, states(run)) == ("escalated", {"look": "done", "then": "failed"})
    assert house.teller.notices[-1]["kind"] == "escalated"


async def test_a_condition_that_fails_ends_the_run_with_what_is_wrong(house: RunHouse) -> None:
    odd = "when: steps.look.result.nothing.here\n" + change("web")
    house.library.add(front("odd") + step(1, "look", "call: eks.diagnose") + step(2, "then", odd))
    run = await house.did("odd")
    assert (run.state, states(run)) == ("escalated", {"look": "done", "then": "failed"})
    assert "unexpected" not in run.summary
    planned = await house.did("odd", "plan", params={"name": "other"})
    assert states(planned) == {"look": "done", "then": "failed"}
    assert house.hands.effects() == []


async def test_a_bug_in_a_step_ends_its_run_loudly_and_no_other(house: RunHouse) -> None:
    two(house)
    house.hands.says["eks.plan_workload_change"] = [lambda given: dict(given)["nothing"]]
    run = await house.did("two")
    assert run.state == "escalated"
    assert "unexpected failure KeyError" in run.summary


async def test_parameters_are_read_as_their_type_says(house: RunHouse) -> None:
    typed = front("typed").replace(
        "  count: {type: integer",
        "  on: {type: boolean, default: false}\n  pct: {type: number, default: 1.5, maximum: 9}\n"
        "  zones: {type: list, default: [], pattern: '^[a-z]$'}\n"
        "  size: {type: string, default: small, enum: [small, big]}\n  count: {type: integer",
    )
    told = "\n".join(f"- **{name}** (optional): it" for name in ("on", "pct", "zones", "size"))
    house.library.add(
        typed.replace("- **name**", f"{told}\n- **name**") + step(1, "look", "call: eks.diagnose")
    )
    given = {"name": "web", "on": "true", "pct": "2.5", "zones": "a,b", "count": 4.0, "size": "big"}
    started = await house.start("typed", params=given)
    record = await house.desk.ledger.load(started.run_id)
    assert record.params == {
        "name": "web",
        "on": True,
        "pct": 2.5,
        "zones": ["a", "b"],
        "count": 4,
        "size": "big",
    }
    await house.drive(started.run_id)
    wrongs: list[dict[str, object]] = [
        {"on": 1},
        {"pct": "x"},
        {"pct": 10},
        {"zones": [{}]},
        {"zones": "A"},
        {"size": "huge"},
        {"count": True},
        {"name": 5},
        {"name": "a" * 5000},
    ]
    for wrong in wrongs:
        with pytest.raises(InvalidInputError):
            await house.start("typed", params={**given, **wrong})
