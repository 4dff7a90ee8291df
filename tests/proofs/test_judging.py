"""Only a test that saw the control missing counts as a kill."""

from typing import Any

import pytest

from proofs.judging import unproved, verdict

TEST = "tests/x/test_y.py::test_z"
END: list[dict[str, Any]] = [{"strangers": []}, {"exit": 1, "said": ""}]


def failed(raised: str, words: str = "assert 1 == 2", when: str = "call", test: str = TEST) -> dict[str, Any]:
    return {"test": test, "when": when, "outcome": "failed", "raised": [raised, "Exception"], "words": words}


def passed(test: str = TEST) -> dict[str, Any]:
    return {"test": test, "when": "call", "outcome": "passed"}


@pytest.mark.parametrize("raised", ["AssertionError", "Failed", "AiopsError"])
def test_an_assertion_a_refusal_that_does_not_come_and_another_error_of_ours_kill(raised: str) -> None:
    assert verdict([failed(raised), *END], [TEST]).killed
    assert verdict([passed(f"{TEST}[a]"), failed(raised, test=f"{TEST}[b]"), *END], [TEST]).killed


@pytest.mark.parametrize(
    "line",
    [
        failed("NameError"),
        failed("ImportError"),
        failed("AssertionError", when="setup"),
        failed("Failed", "Timeout (>240.0s) from pytest-timeout."),
    ],
)
def test_a_broken_file_a_broken_fixture_and_a_timeout_kill_nothing(line: dict[str, Any]) -> None:
    assert verdict([line, *END], [TEST]).word == "broken"


def test_a_test_that_passes_is_a_survivor_though_another_fails() -> None:
    other = "tests/x/test_y.py::test_other"
    assert verdict([failed("AssertionError"), passed(other), *END], [TEST, other]).word == "SURVIVED"


def test_what_was_not_collected_not_ended_or_imported_from_elsewhere_proves_nothing() -> None:
    assert verdict(END, [TEST]).word == "broken"
    assert verdict([failed("AssertionError")], [TEST]).word == "broken"
    assert verdict([failed("AssertionError"), {"strangers": ["aiops_eks"]}], [TEST]).word == "broken"


def test_a_start_is_every_named_test_passed_in_the_copy_alone() -> None:
    assert unproved([passed(), *END], [TEST]) == []
    skipped = {"test": TEST, "when": "setup", "outcome": "skipped"}
    assert unproved([skipped, *END], [TEST]) != []
    assert unproved(END, [TEST]) == [f"{TEST}: not collected"]
    assert unproved([passed(), {"strangers": ["aiops_sop"]}], [TEST]) != []
