"""The approval as real clients of both generations play it: the person's answer decides, nothing else."""

from pathlib import Path
from typing import Literal

import pytest

from aiops_lab.scenarios.names import cast
from tests.e2e.processes import served
from tests.e2e.stage import Era, Person, asked
from tests.lab_fixture import running_lab

SEED, HOME = 5, "production"
pytestmark = [pytest.mark.slow, pytest.mark.timeout(120), pytest.mark.threat("T9")]


@pytest.mark.parametrize("era", ["auto", "legacy"])
async def test_decline_cancel_and_no_leave_it_pending_and_a_yes_executes(era: Era, tmp_path: Path) -> None:
    person = Person()
    answers: tuple[Literal["no", "decline", "cancel"], ...] = ("no", "decline", "cancel")
    async with (
        running_lab("guardrail-drill", SEED) as lab,
        served(lab, tmp_path, person, era, AIOPS_WRITE="true") as client,
    ):
        wish = {"action": "scale", "namespace": HOME, "name": cast(SEED).api, "replicas": 11}
        plan = (await asked(client, "plan_workload_change", wish)).data
        arguments = {"plan_id": plan["plan_id"], "confirm": plan["confirm"]}
        for count, says in enumerate(answers, 1):
            person.says = says
            refused = await asked(client, "execute_plan", arguments)
            assert refused.code == "approval_pending", refused.text
            assert "eks-aiops approve apr_" in refused.error
            assert len(person.asked) == count
            assert lab.requests.writes() == []
        person.says = "yes"
        done = await asked(client, "execute_plan", arguments)
        assert done.data["state"] == "succeeded", done.text
        assert len(lab.requests.writes()) == 1
    for question in person.asked:
        assert plan["confirm"] in question
        assert "spec.replicas: 10 -> 11" in question, "the diff is what is approved"


@pytest.mark.parametrize("era", ["auto", "legacy"])
async def test_a_client_without_elicitation_is_told_the_command(era: Era, tmp_path: Path) -> None:
    async with (
        running_lab("guardrail-drill", SEED) as lab,
        served(lab, tmp_path, None, era, AIOPS_WRITE="true") as client,
    ):
        wish = {"action": "scale", "namespace": HOME, "name": cast(SEED).api, "replicas": 11}
        plan = (await asked(client, "plan_workload_change", wish)).data
        refused = await asked(
            client, "execute_plan", {"plan_id": plan["plan_id"], "confirm": plan["confirm"]}
        )
        assert refused.code == "approval_pending"
        assert "eks-aiops approve apr_" in refused.error
        assert lab.requests.writes() == []
