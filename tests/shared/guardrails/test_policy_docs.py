"""docs/guardrails.md says what the policies and the modes do: its tables are compared with the code."""

from pathlib import Path
from typing import get_args

import pytest

from aiops_shared.auth.behalf import RunMode
from aiops_shared.guardrails.policy import Policy
from aiops_shared.settings import Autonomy, PolicySettings
from tests.shared.guardrails.test_modes import TABLE

PAGE = Path(__file__).parents[3] / "docs" / "guardrails.md"
HEAD = "| rule | verdict | approver | what to do next |\n|---|---|---|---|"
SPOKEN = {"allow": "as the policy says", "deny": "never executed", "requester": "requester", "other": "other"}


def table(policy: Policy) -> str:
    """The rules in their order, one line each; what a page can say of them without their conditions."""
    lines = []
    for rule in policy.rules:
        verdict = "needs approval" if rule.needs_approval else "deny" if rule.effect == "forbid" else "allow"
        lines.append(
            f"| `{rule.name}` | {verdict} | {rule.approver} | {rule.advice} |".replace("|  |", "| |")
        )
    return "\n".join([HEAD, *dict.fromkeys(lines)])


@pytest.fixture(scope="module")
def page() -> str:
    return PAGE.read_text(encoding="utf-8")


def test_the_page_lists_every_rule_with_its_verdict_approver_and_advice(page: str) -> None:
    assert table(Policy(PolicySettings())) in page


@pytest.mark.parametrize("autonomy", get_args(Autonomy))
@pytest.mark.parametrize("run_mode", get_args(RunMode))
def test_the_page_says_every_cell_of_the_modes(page: str, autonomy: Autonomy, run_mode: RunMode) -> None:
    human, agent = TABLE[autonomy, run_mode]
    run = f"`{run_mode}`" if run_mode else "none"
    assert f"| `{autonomy}` | {run} | {SPOKEN[human]} | {SPOKEN[agent]} |" in page
