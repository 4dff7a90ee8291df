"""`eks-aiops approve ask_…`: a person at a real terminal answers a run's question, and nobody else (D5)."""

import io
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from aiops_shared.clock import SystemClock
from aiops_shared.errors import ApprovalInvalidError
from aiops_shared.settings import AGENT_MARKS
from eks_aiops.answering import answer_at_terminal
from eks_aiops.approving import approve_at_terminal
from tests.fakes.runhouses import ANNA, RunHouse, front, step

ASKING = front("asking") + step(
    1, "ask", "ask: 'Is {{ params.name }} out of traffic?'", "- You MUST ask because only people know"
)


class Terminal(io.StringIO):
    """A screen and a keyboard."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
async def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[RunHouse]:
    for mark in AGENT_MARKS:
        monkeypatch.delenv(mark, raising=False)
    async with RunHouse(tmp_path, clock=SystemClock()).running() as house:
        house.library.add(ASKING)
        yield house


async def asked(house: RunHouse) -> tuple[str, str]:
    run = await house.did("asking", "supervised")
    assert run.waiting is not None
    return run.run_id, run.waiting.id


def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """What the person sees; put in place by the test itself, since pytest puts its own back before."""
    found = Terminal()
    monkeypatch.setattr(sys, "stdin", Terminal())
    monkeypatch.setattr(sys, "stdout", found)
    return found


def types_what_it_reads(prompt: str) -> str:
    """A person who copies the code."""
    return prompt.split()[1]


@pytest.mark.threat("T9")
@pytest.mark.parametrize("decline", [False, True])
async def test_a_person_sees_the_question_types_the_code_and_the_run_goes_on(
    house: RunHouse, monkeypatch: pytest.MonkeyPatch, decline: bool
) -> None:
    screen = terminal(monkeypatch)
    run_id, ask_id = await asked(house)
    assert await answer_at_terminal(house.asks, ask_id, ANNA, types_what_it_reads, decline=decline) == 0
    assert "Is web out of traffic?" in screen.getvalue()
    assert run_id in screen.getvalue()
    await house.runner.look()
    assert (await house.drive(run_id)).state == ("escalated" if decline else "succeeded")


async def test_another_word_than_the_code_leaves_it(house: RunHouse, monkeypatch: pytest.MonkeyPatch) -> None:
    screen = terminal(monkeypatch)
    run_id, ask_id = await asked(house)
    assert await answer_at_terminal(house.asks, ask_id, ANNA, lambda _: "yes", decline=False) == 1
    assert await answer_at_terminal(house.asks, "ask_nothing", ANNA, lambda _: "", decline=False) == 1
    assert "left as it is" in screen.getvalue()
    assert (await house.seen(run_id)).state == "waiting"


@pytest.mark.threat("T9")
@pytest.mark.row("S34")
async def test_a_shell_without_a_terminal_is_refused_and_audited(
    house: RunHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id, ask_id = await asked(house)
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    with pytest.raises(ApprovalInvalidError, match="no terminal"):
        await answer_at_terminal(house.asks, ask_id, ANNA, types_what_it_reads, decline=False)
    told = await house.guard.audit.show(about=ask_id)
    assert [record.event for record in told] == ["refusal"]
    assert (await house.seen(run_id)).state == "waiting"


async def test_open_questions_are_listed_with_the_approvals(
    house: RunHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    screen = terminal(monkeypatch)
    _, ask_id = await asked(house)
    monkeypatch.setenv("AIOPS_STATE_DIR", str(house.settings.state.dir))
    assert await approve_at_terminal("", decline=False) == 0
    assert ask_id in screen.getvalue()
