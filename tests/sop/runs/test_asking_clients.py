"""What a run waits for, asked through its requester's client, in both generations and over HTTP (D4, T9)."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from fastmcp import Client, FastMCP

from aiops_shared.app import build
from aiops_shared.guardrails import Caller
from aiops_sop.clients.run_answers import StoredAnswers
from aiops_sop.tools.runs import RunTools
from tests.e2e.stage import Person, asked
from tests.fakes.runhouses import ANNA, RunHouse
from tests.remote.issuer import remote_settings, served
from tests.sop.runs.test_answering import ASKING

pytestmark = pytest.mark.threat("T9")


@asynccontextmanager
async def waiting_run(folder: Path) -> AsyncIterator[tuple[RunHouse, str]]:
    """A run of Anna's that waits for an answer."""
    async with RunHouse(folder).running() as house:
        house.library.add(ASKING)
        run = await house.did("asking", "supervised")
        assert run.waiting
        yield house, run.run_id


def server(house: RunHouse, caller: Caller = ANNA) -> FastMCP:
    answers = StoredAnswers(house.asks, house.guard)
    tools = RunTools(house.desk, lambda: caller, answers).tools()
    return build("sop", tools, settings=house.settings, instructions="")


async def is_open(house: RunHouse, run_id: str) -> bool:
    """Whether the question still waits, once the run stands still again."""
    run = await house.drive(run_id)
    return bool(await house.asks.open()) and run.state == "waiting"


async def resumed(made: Any, run_id: str, person: Person | None, **more: Any) -> Any:
    """Resume the run through a client with this person behind it."""
    handler = person.answer if person else None
    async with Client(made, elicitation_handler=handler, **more) as client:
        return await asked(client, "control_run", {"run_id": run_id, "action": "resume"})


@pytest.mark.parametrize("era", ["auto", "legacy"])
async def test_resume_asks_the_requester_and_only_a_clear_word_counts(tmp_path: Path, era: str) -> None:
    async with waiting_run(tmp_path) as (house, run_id):
        for says in ("cancel", "decline"):
            person = Person(says=says)
            answer = await resumed(server(house), run_id, person, mode=era)
            assert answer.data["state"] == "waiting", answer.error
            assert "out of traffic?" in person.asked[0]
            assert await is_open(house, run_id), says
        person = Person(says="yes")
        assert not (await resumed(server(house), run_id, person, mode=era)).error
        assert await house.asks.open() == ()
        run = await house.drive(run_id)
        assert run.state == "succeeded"
        assert run.human_inputs == 2


async def test_nobody_else_is_asked_and_who_cannot_be_asked_is_told_how(tmp_path: Path) -> None:
    async with waiting_run(tmp_path) as (house, run_id):
        approver = Caller(name="ben", scopes=ANNA.scopes | {"aiops:approve"})
        for caller in (approver, Caller(name="anna", kind="agent")):
            person = Person()
            await resumed(server(house, caller), run_id, person)
            assert person.asked == []
            assert await is_open(house, run_id)
        assert not (await resumed(server(house), run_id, None)).error
        assert await is_open(house, run_id)


async def test_over_stateless_http_the_question_goes_round_and_older_clients_are_told_how(
    tmp_path: Path,
) -> None:
    async with waiting_run(tmp_path) as (house, run_id):
        settings = remote_settings(None, tmp_path / "state", public_url="").model_copy(update={"write": True})
        async with served(server(house), settings) as place:
            person = Person()
            old = await resumed(place.url, run_id, person, mode="legacy")
            assert person.asked == []
            assert not old.error
            assert await is_open(house, run_id)
            new = await resumed(place.url, run_id, person)
            assert not new.error
            assert len(person.asked) == 1
        assert await house.asks.open() == ()


async def test_a_nonce_answers_one_question_once(tmp_path: Path) -> None:
    from aiops_shared.errors import ApprovalInvalidError

    async with waiting_run(tmp_path) as (house, run_id):
        asks = house.asks
        (question,) = await asks.open()
        nonce = asks.issue_nonce(question.ask_id)
        forged = nonce[:-1] + ("0" if nonce[-1] != "0" else "1")
        for wrong in (None, "", "a.b", forged, asks.issue_nonce("ask_x")):
            with pytest.raises(ApprovalInvalidError, match="no nonce"):
                await asks.decide(question.ask_id, ANNA, "yes", "client", wrong)
        with pytest.raises(ApprovalInvalidError, match="only who asked"):
            await asks.decide(question.ask_id, Caller(name="ben"), "yes", "client", nonce)
        await asks.decide(question.ask_id, ANNA, None, "client", nonce)
        with pytest.raises(ApprovalInvalidError, match="used already"):
            await asks.decide(question.ask_id, ANNA, "yes", "client", nonce)
        assert await is_open(house, run_id)
