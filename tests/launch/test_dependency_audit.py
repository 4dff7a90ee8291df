"""What pip-audit says, translated: clean, vulnerable, and not audited, which is not clean (T16)."""

import json
from typing import Any

import pytest

from eks_aiops.dependency_audit import CLEAN, NOT_AUDITED, VULNERABLE, npm_outcome, outcome_of
from eks_aiops.locked import ROOT, Locked

pytestmark = pytest.mark.threat("T16")
ASKED = (Locked("jinja2", "3.1.2", "", ()), Locked("sniffio", "1.3.1", "", ()))
# As pip-audit 2.10 answered; the second one by an index that serves files and no advisories.
FINE: dict[str, Any] = {"name": "sniffio", "version": "1.3.1", "vulns": []}
SKIPPED = {
    "name": "sniffio",
    "skip_reason": "Dependency not found on PyPI and could not be audited: sniffio (1.3.1)",
}
BAD = {
    "name": "jinja2",
    "version": "3.1.2",
    "vulns": [
        {
            "id": "GHSA-h5c8-rqwp-cp95",
            "fix_versions": ["3.1.3"],
            "aliases": ["CVE-2024-22195"],
            "description": "The xmlattr filter takes keys with spaces.",
        }
    ],
}


def said(*entries: dict[str, Any]) -> str:
    return json.dumps({"dependencies": list(entries), "fixes": []})


def test_all_looked_up_and_nothing_known_is_clean() -> None:
    outcome = outcome_of(said({**FINE, "name": "jinja2"}, FINE), ASKED)
    assert (outcome.code, list(outcome.lines())) == (
        CLEAN,
        ["2 packages looked up, none has a known vulnerability"],
    )


def test_a_known_vulnerability_is_named_with_the_version_that_mends_it() -> None:
    outcome = outcome_of(said(BAD, FINE), ASKED)
    assert outcome.code == VULNERABLE
    assert next(outcome.lines()) == "jinja2 3.1.2: GHSA-h5c8-rqwp-cp95, mended in 3.1.3"


def test_a_vulnerability_counts_though_others_were_not_looked_up() -> None:
    assert outcome_of(said(BAD, SKIPPED), ASKED).code == VULNERABLE


def test_what_was_skipped_is_not_audited_though_pip_audit_ends_with_nothing_known() -> None:
    outcome = outcome_of(said({**FINE, "name": "jinja2"}, SKIPPED), ASKED)
    assert outcome.code == NOT_AUDITED
    lines = list(outcome.lines())
    assert "sniffio" in lines[0]
    assert lines[-1].startswith("NOT AUDITED")


@pytest.mark.parametrize(
    "answer", ["", "Traceback", "[]", "{}", '{"dependencies": 7}', '{"dependencies": [{"version": "1"}]}']
)
def test_no_answer_or_a_broken_one_is_not_audited(answer: str) -> None:
    assert outcome_of(answer, ASKED).code == NOT_AUDITED


def test_a_package_that_the_answer_leaves_out_is_not_audited() -> None:
    assert outcome_of(said(FINE), ASKED).code == NOT_AUDITED
    assert outcome_of(said(), ASKED).code == NOT_AUDITED


def test_the_npm_package_has_nothing_to_look_up_and_one_with_dependencies_would_be_told() -> None:
    ours = npm_outcome((ROOT / "deploy" / "npm" / "package.json").read_text(encoding="utf-8"))
    assert (ours.code, ours.asked) == (CLEAN, 0)
    assert npm_outcome('{"dependencies": {"left-pad": "1.0.0"}}').code == NOT_AUDITED
