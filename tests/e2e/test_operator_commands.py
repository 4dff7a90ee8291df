"""`eks-aiops approve`, `audit` and `freeze` beside a running server, on the same store."""

import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from aiops_lab.run import Lab
from aiops_lab.scenarios.names import cast
from tests.e2e.processes import environment, served
from tests.e2e.stage import Answer, Person, asked
from tests.e2e.terminal import in_terminal, piped
from tests.lab_fixture import running_lab

SEED, HOME = 5, "production"
pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


async def planned(client: Any, replicas: int = 11) -> dict[str, str]:
    """The arguments that execute a plan which needs approval."""
    wish = {"action": "scale", "namespace": HOME, "name": cast(SEED).api, "replicas": replicas}
    plan = await asked(client, "plan_workload_change", wish)
    return {"plan_id": plan.data["plan_id"], "confirm": plan.data["confirm"]}


def approval_of(refused: Answer) -> str:
    """The id that the refusal names."""
    assert refused.code == "approval_pending", refused.text
    return refused.error.rpartition("eks-aiops approve ")[2].split()[0]


def rows(folder: Path, query: str) -> list[Any]:
    """Look into the store."""
    connection = sqlite3.connect(folder / "state" / "state.db", timeout=10)
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()


def written(lab: Lab) -> int:
    """How many real writes the simulator saw."""
    return len(lab.requests.writes())


@pytest.mark.threat("T9")
@pytest.mark.row("F17m")
async def test_only_a_person_at_a_terminal_with_the_code_of_the_screen_approves(tmp_path: Path) -> None:
    async with running_lab("guardrail-drill", SEED) as lab:
        shell = environment(lab, tmp_path)
        async with served(lab, tmp_path, AIOPS_WRITE="true") as client:
            arguments = await planned(client)
            approval = approval_of(await asked(client, "execute_plan", arguments))

            listed = await piped(shell, "approve")
            assert (listed.code, approval in listed.text) == (0, True), listed.text

            refused = await piped(shell, "approve", approval)
            assert refused.code == 1
            assert "[approval_invalid]" in refused.text
            assert "no terminal" in refused.text

            agent = await in_terminal({**shell, "CLAUDECODE": "1"}, "approve", approval)
            assert agent.code == 1
            assert "an agent's shell (CLAUDECODE is set)" in agent.text

            wrong = await in_terminal(shell, "approve", approval, right_code=False)
            assert wrong.code == 1
            assert "left as it is" in wrong.text

            assert approval_of(await asked(client, "execute_plan", arguments)) == approval
            assert written(lab) == 0
            says = [str(row) for row in rows(tmp_path, "SELECT body FROM audit WHERE event = 'refusal'")]
            assert sum("no terminal" in each for each in says) == 1
            assert sum("CLAUDECODE" in each for each in says) == 1

            approved = await in_terminal(shell, "approve", approval)
            assert approved.code == 0, approved.text
            for shown in ("spec.replicas", "- 10", "+ 11", arguments["confirm"], "Digest"):
                assert shown in approved.text
            done = await asked(client, "execute_plan", arguments)
            assert done.data["state"] == "succeeded", done.text
            assert written(lab) == 1

            again = await in_terminal(shell, "approve", approval)
            assert again.code == 1, "an approval is used once"


@pytest.mark.threat("T9")
async def test_a_declined_approval_executes_nothing(tmp_path: Path) -> None:
    async with running_lab("guardrail-drill", SEED) as lab:
        async with served(lab, tmp_path, AIOPS_WRITE="true") as client:
            arguments = await planned(client)
            approval = approval_of(await asked(client, "execute_plan", arguments))
            declined = await in_terminal(environment(lab, tmp_path), "approve", approval, "--decline")
            assert declined.code == 0, declined.text
            assert approval_of(await asked(client, "execute_plan", arguments)) == approval
        assert written(lab) == 0


@pytest.mark.threat("T15")
@pytest.mark.timeout(120)  # three tampered copies of one true audit
async def test_a_tampered_audit_is_reported_with_the_record(tmp_path: Path) -> None:
    async with running_lab("guardrail-drill", SEED) as lab:
        shell = environment(lab, tmp_path)
        async with served(lab, tmp_path, Person(), AIOPS_WRITE="true") as client:
            done = await asked(client, "execute_plan", await planned(client))
            assert done.data["state"] == "succeeded", done.text
        holds = await piped(shell, "audit", "verify")
        assert (holds.code, "the chain holds" in holds.text) == (0, True), holds.text
        last = rows(tmp_path, "SELECT max(seq) FROM audit")[0][0]
        assert last >= 4
        state, kept = tmp_path / "state", tmp_path / "kept"
        shutil.copytree(state, kept)
        for edit in EDITS:
            shutil.rmtree(state)
            shutil.copytree(kept, state)
            tamper(tmp_path, edit)
            await reported(shell, edit)


async def reported(shell: dict[str, str], edit: str) -> None:
    """The record is named, and what is left can still be read."""
    broken = await piped(shell, "audit", "verify")
    assert broken.code == 1, edit
    assert "BROKEN at record 2" in broken.text or "BROKEN at record 3" in broken.text, (
        f"{edit}: {broken.text}"
    )
    shown = await piped(shell, "audit", "show", "--limit", "50")
    assert shown.code == 0, f"{edit}: {shown.text}"
    exported = await piped(shell, "audit", "export")
    assert exported.code == 0, f"{edit}: {exported.text}"


EDITS = {
    "changed": ["UPDATE audit SET body = replace(body, 'a', 'b') WHERE seq = 2"],
    "deleted": ["DELETE FROM audit WHERE seq = 2"],
    "moved": [
        "UPDATE audit SET seq = -2 WHERE seq = 2",
        "UPDATE audit SET seq = 2 WHERE seq = 3",
        "UPDATE audit SET seq = 3 WHERE seq = -2",
    ],
}


def tamper(folder: Path, edit: str) -> None:
    """What somebody with the file could do."""
    connection = sqlite3.connect(folder / "state" / "state.db", timeout=10)
    try:
        for statement in EDITS[edit]:
            assert connection.execute(statement).rowcount == 1
        connection.commit()
    finally:
        connection.close()


@pytest.mark.threat("T10")
async def test_the_kill_switch_stops_the_next_step_of_every_process(tmp_path: Path) -> None:
    async with running_lab("guardrail-drill", SEED) as lab:
        shell, person = environment(lab, tmp_path), Person()
        async with served(lab, tmp_path, person, AIOPS_WRITE="true") as client:
            arguments = await planned(client)
            frozen = await piped(shell, "freeze", "on", "--reason", "incident 4711")
            assert frozen.code == 0, frozen.text
            refused = await asked(client, "execute_plan", arguments)
            assert refused.code == "frozen", refused.text
            assert (
                "incident 4711" in refused.text
                or "incident 4711" in (await piped(shell, "freeze", "status")).text
            )
            assert written(lab) == 0
            assert not (await asked(client, "list_resources", {"kind": "Pod", "namespace": HOME})).error
            alone = await piped(shell, "freeze", "off")
            assert (alone.code, "no terminal" in alone.text) == (1, True), (
                "stopping is for all, lifting is not"
            )
            assert (await asked(client, "execute_plan", arguments)).code == "frozen"
            lifted = await in_terminal(shell, "freeze", "off")
            assert lifted.code == 0, lifted.text
            done = await asked(client, "execute_plan", arguments)
            assert done.data["state"] == "succeeded", done.text
        assert written(lab) == 1
