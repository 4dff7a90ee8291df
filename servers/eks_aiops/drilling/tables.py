"""What of a drill needs no cluster: the verdicts of the policy in force, and what redaction lets through.

The agreed verdicts (verdicts.csv) are a floor: an operator's own policies may be stricter, and never milder.
"""

from collections.abc import Iterable

from aiops_shared.guardrails.models import Verdict
from aiops_shared.guardrails.policy import Policy
from aiops_shared.guardrails.redacting import redact
from eks_aiops.drilling.secret_corpus import look_alikes, planted
from eks_aiops.drilling.stage import Check
from eks_aiops.drilling.verdict_rows import NO_FACTS, Row, questions, rows

SECRETS, CLEAN = 900, 900
MOST_NAMED = 3


def strictness(decision: str, approver: str) -> int:
    """0 allows, 1 asks the requester, 2 asks another person, 3 denies."""
    return {"allow": 0, "deny": 3}.get(decision, 2 if approver == "other" else 1)


def milder(row: Row, verdict: Verdict) -> bool:
    """Whether a verdict lets through what the row does not."""
    return strictness(verdict.decision, verdict.approver) < strictness(row.verdict, row.approver)


def verdicts(policy: Policy) -> list[Check]:
    """A row for each agreed verdict that does not hold, or one for all that do."""
    asked, broken = 0, []
    for row in (one for one in rows() if one.rule not in NO_FACTS):
        found = [(question, policy.decide(question)) for question in questions(row)]
        asked += len(found)
        wrong = [(question, verdict) for question, verdict in found if milder(row, verdict)]
        if wrong:
            question, verdict = wrong[0]
            who = f"{question.action} {question.kind} in {question.facts.env} by {question.caller.kind}"
            broken.append(
                Check(
                    f"verdict of line {row.line}: {who}",
                    _said(row.verdict, row.approver),
                    f"{_said(verdict.decision, verdict.approver)} by rule {verdict.rule}",
                    holds=False,
                    unsafe=len(wrong),
                )
            )
    return broken or [
        Check(f"verdicts of the policy, {asked} questions", "none milder", "none milder", holds=True)
    ]


def _said(decision: str, approver: str) -> str:
    return f"{decision} ({approver})" if approver else decision


def redaction(seed: int) -> list[Check]:
    """Planted secrets of every kind, and lines that only look like some."""
    told = planted(seed, SECRETS)
    leaked = [one.kind for one in told if one.secret in redact(one.text)]
    changed = [text for text in look_alikes(seed, CLEAN) if redact(text) != text]
    return [
        Check(
            f"redaction, {len(told)} planted secrets",
            "none shown",
            f"{len(leaked)} shown{_kinds(leaked)}" if leaked else "none shown",
            holds=not leaked,
            unsafe=len(leaked),
        ),
        Check(
            f"redaction, {CLEAN} lines without a secret",
            "none changed",
            f"{len(changed)} changed" if changed else "none changed",
            holds=not changed,
        ),
    ]


def _kinds(leaked: Iterable[str]) -> str:
    named = sorted(set(leaked))
    return f": {', '.join(named[:MOST_NAMED])}"
