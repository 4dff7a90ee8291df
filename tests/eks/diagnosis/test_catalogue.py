"""The page of causes is what the rules say, and every rule says enough."""

import re
from pathlib import Path

import pytest

from aiops_eks.diagnosis.registry import every_cause
from eks_aiops.docs import causes

PAGE = Path(__file__).resolve().parents[3] / "docs" / "causes.md"
CAUSES = list(every_cause())


def test_the_page_in_docs_is_the_one_that_the_rules_give() -> None:
    assert PAGE.read_text(encoding="utf-8") == causes(), "run `make docs`"


@pytest.mark.parametrize("cause", CAUSES, ids=lambda cause: str(cause.code))
def test_every_cause_says_what_it_means_how_it_is_told_and_what_is_next(cause: object) -> None:
    from aiops_eks.diagnosis.findings import Cause

    assert isinstance(cause, Cause)
    assert re.fullmatch(r"[A-Z][A-Z0-9_]*", cause.code)
    assert all([cause.means, cause.told_by, cause.source, cause.next_step])


def test_no_code_has_two_meanings() -> None:
    meanings = {(cause.code, cause.means) for cause in CAUSES}
    assert len(meanings) == len(CAUSES)
