"""The approval of 2026-07-28 as raw messages: only one answer executes, and the simulator counts (D4, T9)."""

from pathlib import Path

import pytest

from aiops_lab.run import Lab
from aiops_lab.scenarios.names import cast
from tests.e2e.wire import Message, Wire, text_of, wired
from tests.lab_fixture import running_lab

SEED, HOME = 5, "production"
YES: Message = {"approval": {"action": "accept", "content": {"approve": True}}}
pytestmark = [pytest.mark.slow, pytest.mark.timeout(120), pytest.mark.threat("T9")]


async def planned(wire: Wire, replicas: int) -> Message:
    """The arguments that execute a plan which needs the requester's approval."""
    wish = {"action": "scale", "namespace": HOME, "name": cast(SEED).api, "replicas": replicas}
    plan = (await wire.call("plan_workload_change", wish))["structuredContent"]
    return {"plan_id": plan["plan_id"], "confirm": plan["confirm"]}


async def asked(wire: Wire, arguments: Message) -> str:
    """Execute; the state that comes with the question."""
    question = await wire.call("execute_plan", arguments)
    assert question["resultType"] == "input_required", question
    return str(question["requestState"])


async def refused(wire: Wire, lab: Lab, arguments: Message, answer: object, state: str | None) -> str:
    """An answer that must not execute; what came back."""
    more = {"inputResponses": answer} | ({} if state is None else {"requestState": state})
    result = await wire.call("execute_plan", arguments, **more)
    assert result.get("isError") or result.get("resultType") == "input_required" or "code" in result, result
    assert lab.requests.writes() == [], "nothing was written"
    return text_of(result) or str(result.get("resultType") or result.get("message"))


async def test_only_the_answer_to_the_question_itself_executes(tmp_path: Path) -> None:
    async with running_lab("guardrail-drill", SEED) as lab, wired(lab, tmp_path, AIOPS_WRITE="true") as wire:
        first, second = await planned(wire, 11), await planned(wire, 12)
        state, other = await asked(wire, first), await asked(wire, second)
        # An answer without a question: invented by the client, or by a model that drives it.
        assert await refused(wire, lab, first, YES, None) == "input_required"
        # The state of another plan's question, and one with a changed byte.
        assert "state" in (await refused(wire, lab, first, YES, other)).lower()
        broken = state[:-2] + ("AA" if state[-2:] != "AA" else "BB")
        assert "state" in (await refused(wire, lab, first, YES, broken)).lower()
        # A yes that is none.
        for answer in (
            {"approval": {"action": "accept", "content": {"approve": False}}},
            {"approval": {"action": "accept", "content": {}}},
            {"approval": {"action": "decline"}},
            {"approval": {"action": "cancel"}},
        ):
            fresh = await asked(wire, first)
            assert (await refused(wire, lab, first, answer, fresh)).startswith("[approval_pending]")
            # The same question cannot be answered again, now with a yes.
            assert (await refused(wire, lab, first, YES, fresh)).startswith("[approval_invalid]")
        # An answer under another key is no answer: the question comes again.
        assert await refused(wire, lab, first, {"other": YES["approval"]}, state) == "input_required"

        done = await wire.call("execute_plan", first, inputResponses=YES, requestState=state)
        assert done["structuredContent"]["state"] == "succeeded", done
        effects = [(each.verb, each.resource, each.name) for each in lab.requests.writes()]
        assert effects == [("update", "deployments", cast(SEED).api)]

        # Replayed: the same action, no second effect.
        again = await wire.call("execute_plan", first, inputResponses=YES, requestState=state)
        assert again["structuredContent"]["action_id"] == done["structuredContent"]["action_id"]
        assert len(lab.requests.writes()) == 1


async def test_a_client_that_cannot_ask_gets_the_command_and_no_question(tmp_path: Path) -> None:
    async with (
        running_lab("guardrail-drill", SEED) as lab,
        wired(lab, tmp_path, {}, AIOPS_WRITE="true") as wire,
    ):
        arguments = await planned(wire, 11)
        result = await wire.call("execute_plan", arguments)
        assert text_of(result).startswith("[approval_pending]")
        assert "eks-aiops approve apr_" in text_of(result)
        assert (await refused(wire, lab, arguments, YES, None)).startswith("[approval_pending]")


async def test_an_agent_is_never_asked_to_approve_itself(tmp_path: Path) -> None:
    async with (
        running_lab("guardrail-drill", SEED) as lab,
        wired(lab, tmp_path, AIOPS_WRITE="true", AIOPS_CALLER_KIND="agent") as wire,
    ):
        arguments = await planned(wire, 11)
        result = await wire.call("execute_plan", arguments)
        assert text_of(result).startswith("[approval_pending]"), result
        assert lab.requests.writes() == []


async def test_a_state_holds_at_another_process_of_the_store_for_its_own_caller_alone(tmp_path: Path) -> None:
    async with running_lab("guardrail-drill", SEED) as lab:
        async with wired(lab, tmp_path, AIOPS_WRITE="true") as wire:
            arguments = await planned(wire, 11)
            state = await asked(wire, arguments)
        async with wired(lab, tmp_path, AIOPS_WRITE="true", AIOPS_CALLER_NAME="mallory") as other:
            assert (await refused(other, lab, arguments, YES, state)).startswith("[plan_not_found]")
        async with wired(lab, tmp_path, AIOPS_WRITE="true") as replica:
            result = await replica.call("execute_plan", arguments, inputResponses=YES, requestState=state)
            assert text_of(result).startswith('{"summary":"succeeded'), result
