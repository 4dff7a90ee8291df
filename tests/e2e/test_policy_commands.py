"""`eks-aiops policy`: an operator makes a bundle, checks it and sees what it says, without any cluster."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from aiops_shared.errors import InvalidInputError
from aiops_shared.guardrails.models import Caller
from aiops_shared.guardrails.policy import SHIPPED
from eks_aiops.cli import app
from eks_aiops.policy_questions import question

RULE = (
    '@id("no-scale") @advice("Not here.") forbid (principal, action == Aiops::Action::"scale", resource);\n'
)


def said(*words: str, policies: Path | None = None, code: int = 0) -> str:
    env = {"AIOPS_POLICY_DIR": str(policies) if policies else "", "AIOPS_POLICY_AUTONOMY_STAGING": "propose"}
    done = CliRunner().invoke(app, ["policy", *words], env=env)
    assert done.exit_code == code, done.output
    return done.output.strip()


def test_a_copied_bundle_says_what_the_shipped_one_says_until_a_rule_is_added(tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    said("copy", str(mine))
    asked = ("ask", "scale", "Deployment/shop/web", "--env", "staging", "--fact", "replicas_after=5")
    assert {path.name for path in mine.iterdir()} == {path.name for path in SHIPPED.glob("*.cedar")}
    assert said(*asked, policies=mine) == said(*asked) == "allow by rule staging-write"
    (mine / "50-mine.cedar").write_text(RULE, encoding="utf-8")
    assert said(*asked, policies=mine) == "deny by rule no-scale: Not here."
    assert said("copy", str(mine), code=1).startswith(f"{mine} is there already")


def test_an_answer_says_what_autonomy_adds() -> None:
    agent = said("ask", "restart", "Deployment/shop/web", "--env", "staging", "--agent")
    assert agent == "allow by rule staging-write\nunder autonomy propose: waits for another person"


def test_a_broken_bundle_is_named_by_its_file(tmp_path: Path) -> None:
    (tmp_path / "a.cedar").write_text('@id("x") permit (principal, action, resource) when { context.moon };')
    assert "a.cedar" in said("check", str(tmp_path), code=1)
    assert said("check").startswith("75 rules in 3 files, digest ")


@pytest.mark.parametrize(
    ("action", "target", "told", "env"),
    [
        ("destroy", "Pod/shop/web", [], "prod"),
        ("delete", "web", [], "prod"),
        ("delete", "Pod//web", [], "prod"),
        ("delete", "Pod/shop/web", ["moon=full"], "prod"),
        ("delete", "Pod/shop/web", ["affected_pods"], "prod"),
        ("delete", "Pod/shop/web", ["affected_pods=many"], "prod"),
        ("delete", "Pod/shop/web", [], "production"),
    ],
)
def test_a_question_that_names_nothing_known_is_refused(
    action: str, target: str, told: list[str], env: str
) -> None:
    at = datetime(2026, 11, 23, tzinfo=UTC)
    with pytest.raises(InvalidInputError):
        question(action, target, told, env=env, caller=Caller(name="ann"), at=at)
    said("ask", action, target, *(f"--fact={one}" for one in told), "--env", env, code=1)


def test_a_time_without_a_zone_is_refused() -> None:
    said("ask", "delete", "Pod/shop/web", "--at", "2026-11-27T18:00:00", code=1)
