"""The default policies against the agreed table, row by row (F17a)."""

from typing import Any

import pytest

from aiops_shared.guardrails.models import Facts, Request
from aiops_shared.guardrails.modes import Modes
from aiops_shared.guardrails.policy import Policy
from aiops_shared.settings import PolicySettings
from eks_aiops.drilling.verdict_rows import ANN, BOT, CONDITIONS, NO_FACTS, Row, ask, questions, rows

pytestmark = [pytest.mark.row("S30"), pytest.mark.row("C3"), pytest.mark.row("B1")]
ROWS = rows()

# docs/decisions/0002: two rows of the file that others overrule, by (line, question).
OVERRULED = {
    "bare-pod": "prod-pod-delete",  # an agent's bare pod in production: the stricter approver
}


@pytest.fixture(scope="module")
def policy() -> Policy:
    return Policy(PolicySettings())


def said(rule: str) -> str:
    """The rule's name without the remark behind it: `repeat-limit (escalate)`."""
    return rule.split(" ")[0]


def overruled(row: Row, question: Request) -> str:
    agent_in_prod = question.caller.kind == "agent" and question.facts.env == "prod"
    return OVERRULED.get(row.rule, "") if agent_in_prod else ""


@pytest.mark.parametrize("row", [row for row in ROWS if row.rule not in NO_FACTS], ids=str)
def test_every_row_gets_exactly_its_verdict_rule_and_approver(policy: Policy, row: Row) -> None:
    asked = list(questions(row))
    assert asked
    for question in asked:
        verdict = policy.decide(question)
        if stricter := overruled(row, question):
            assert (verdict.decision, verdict.rule, verdict.approver) == ("needs_approval", stricter, "other")
            continue
        assert (verdict.decision, verdict.rule, verdict.approver) == (
            row.verdict,
            said(row.rule),
            row.approver,
        ), question


def test_every_condition_of_the_file_is_translated() -> None:
    assert {row.condition for row in ROWS} <= CONDITIONS.keys()
    assert len(ROWS) == 82


def test_every_refusal_says_what_to_do_next(policy: Policy) -> None:
    assert [rule.name for rule in policy.rules if rule.effect == "forbid" and not rule.advice] == []


def test_an_unlabelled_namespace_counts_as_production(policy: Policy) -> None:
    known = ask("restart", "Deployment")
    unlabelled = known.model_copy(update={"facts": Facts(**known.facts.model_dump(exclude={"env"}))})
    assert unlabelled.facts.env == "prod"
    assert policy.decide(unlabelled) == policy.decide(known)
    assert policy.decide(unlabelled).rule == "prod-write"


def test_a_fresh_rollback_goes_alone_only_where_autonomy_is_auto_safe(policy: Policy) -> None:
    fresh = ask("rollback", "Deployment", caller=BOT, previous_healthy=True, deploy_age_s=600)
    verdict = policy.decide(fresh)
    auto = Modes(write=True, autonomy={"prod": "auto-safe"})
    observing = Modes(write=True)
    assert auto.capped(verdict, fresh).decision == "allow"
    capped = observing.capped(verdict, fresh)
    assert (capped.decision, capped.rule, capped.approver) == ("needs_approval", "fresh-rollback", "other")


@pytest.mark.parametrize(
    ("facts", "rule"),
    [
        ({"deploy_age_s": 601, "previous_healthy": True}, "prod-write"),
        ({"deploy_age_s": 600, "previous_healthy": False}, "prod-write"),
        ({"revisions_back": 0, "previous_healthy": True, "deploy_age_s": 1}, "far-rollback"),
    ],
)
def test_a_rollback_that_is_not_quite_fresh_waits(policy: Policy, facts: dict[str, Any], rule: str) -> None:
    assert policy.decide(ask("rollback", "Deployment", caller=BOT, **facts)).rule == rule


@pytest.mark.parametrize(
    ("action", "kind", "facts", "rule", "approver"),
    [
        # Where rows contradict each other the stricter holds: docs/decisions/0002.
        ("scale", "Deployment", {"replicas_before": 10, "replicas_after": 5}, "blast-radius", "other"),
        (
            "scale",
            "Deployment",
            {"replicas_before": 10, "replicas_after": 6, "affected_pods": 4, "total_pods": 10},
            "blast-radius",
            "other",
        ),
        (
            "delete",
            "Deployment",
            {"env": "dev", "affected_pods": 3, "total_pods": 3},
            "blast-radius",
            "other",
        ),
        ("delete", "Job", {"job_finished": True, "reversible": "none"}, "irreversible", "requester"),
        # What no row names.
        ("evict", "Pod", {"crashloop_restarts": 4}, "evict-approval", "requester"),
        ("apply", "Widget", {"env": "staging"}, "unlisted-kind", "other"),
        ("resources", "Deployment", {"env": "staging", "raise_pct": 201}, "raise-beyond", "requester"),
        ("resources", "Deployment", {"raise_pct": 201}, "raise-beyond", "other"),
        ("clean_disk", "Node", {"pressure": False}, "clean-disk-approval", "requester"),
        ("drain", "Node", {"pressure": True, "pdb_headroom": False}, "drain-approval", "requester"),
    ],
)
def test_what_rows_leave_open_is_decided_for_the_stricter(
    policy: Policy, action: str, kind: str, facts: dict[str, Any], rule: str, approver: str
) -> None:
    verdict = policy.decide(ask(action, kind, **facts))
    assert (verdict.decision, verdict.rule, verdict.approver) == ("needs_approval", rule, approver)


@pytest.mark.parametrize("action", ["scale", "delete", "apply", "evict", "rollback", "profile", "image"])
def test_nothing_in_kube_system_is_written(policy: Policy, action: str) -> None:
    verdict = policy.decide(ask(action, "Deployment", namespace="kube-system", env="dev"))
    assert verdict.decision == "deny"


def test_a_three_node_pool_may_still_drain_one_node(policy: Policy) -> None:
    one = ask("drain", "Node", pressure=True, pool_pct=33, pool_drains=1)
    assert policy.decide(one).rule == "pressure-drain"
    unmeasured = ask("drain", "Node", pressure=True, pool_pct=33, pool_drains=1_000_000)
    assert policy.decide(unmeasured).decision == "deny"


@pytest.mark.threat("T10")
def test_of_three_nodes_three_are_never_drained(policy: Policy) -> None:
    """Nor two, whoever approves: at most one at once, or a tenth of the pool."""
    for drained in (2, 3):
        many = ask("drain", "Node", pressure=True, pool_pct=100 * drained // 3, pool_drains=drained)
        by_ben = many.model_copy(update={"approval_needs": "other", "approved_by": "ben"})
        for asked in (many, by_ben):
            verdict = policy.decide(asked)
            assert (verdict.decision, verdict.rule) == ("deny", "blast-radius")


def test_an_agent_can_not_approve_even_where_its_requester_may(policy: Policy) -> None:
    asked = ask("restart", "Deployment", caller=BOT).model_copy(
        update={"approval_needs": "requester", "approved_by": BOT.name}
    )
    assert policy.decide(asked).rule == "four-eyes"
    by_ann = asked.model_copy(update={"approved_by": ANN.name})
    assert policy.decide(by_ann).decision == "needs_approval"
