"""Every threat and fault has controls that can be taken away, and tests that carry its id."""

import ast

import pytest

from proofs import markers
from proofs.controls import CONTROLS
from proofs.mutation import ROOT, Edit, Mutation
from proofs.page import PAGE
from proofs.threats import FAULTS, OWASP, THREATS

IDS = (*THREATS, *FAULTS)
KNOWN = {one.test: one.ids for one in markers.marked_tests()}


def named(mutation: Mutation) -> str:
    return f"{mutation.id}-{mutation.file.rpartition('/')[2]}"


@pytest.mark.parametrize("identity", IDS)
def test_every_threat_and_fault_has_a_test_and_a_control_that_can_be_taken_away(identity: str) -> None:
    assert markers.tests_of(identity)
    assert [one for one in CONTROLS if one.id == identity]


@pytest.mark.parametrize("mutation", CONTROLS, ids=named)
def test_what_is_taken_away_stands_exactly_once_and_leaves_a_file_that_can_be_read(
    mutation: Mutation,
) -> None:
    texts = {edit.file: (ROOT / edit.file).read_text(encoding="utf-8") for edit in mutation.edits}
    before = dict(texts)
    for edit in mutation.edits:
        texts[edit.file] = edit.applied(texts[edit.file])
    for file, text in texts.items():
        assert text != before[file]
        if file.endswith(".py"):
            ast.parse(text)


@pytest.mark.parametrize("mutation", CONTROLS, ids=named)
def test_the_tests_of_a_control_are_there_and_carry_its_id(mutation: Mutation) -> None:
    assert mutation.tests
    for test in mutation.tests:
        function = test.partition("[")[0]
        assert function in KNOWN, f"{function} is gone"
        assert mutation.id in KNOWN[function], f"{function} does not carry {mutation.id}"


def test_controls_are_told_apart_by_their_sentence_and_markers_know_no_other_ids() -> None:
    assert len({(one.id, one.control) for one in CONTROLS}) == len(CONTROLS)
    assert all(one.control.endswith(".") and "|" not in one.control for one in CONTROLS)
    used = {identity for ids in KNOWN.values() for identity in ids if identity[1:].isdigit()}
    assert {one for one in used if one[0] in "TR"} <= {*IDS}


def test_the_page_names_every_control_and_owasp_names_threats_that_there_are() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert [one.control for one in CONTROLS if f"| {one.control} |" not in page] == []
    assert {threat for _, threats in OWASP.values() for threat in threats} <= {*THREATS}


def test_an_edit_that_does_not_fit_is_refused() -> None:
    for text in ("", "aa"):
        with pytest.raises(ValueError, match="not once"):
            Edit("x", "a", "b").applied(text)
