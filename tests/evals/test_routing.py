"""An everyday sentence finds its tool by the words of names and descriptions alone (S5)."""

import pytest

from evals.routing.__main__ import TARGET
from evals.routing.ranking import Ranked, described, phrases, ranked, shared
from evals.routing.sentences import GUIDE, HELD_OUT, SECOND, SENTENCES, Sentence


@pytest.fixture(scope="module")
def tools() -> dict[str, str]:
    return described()


@pytest.mark.row("S5")
def test_the_right_tool_comes_first_for_nearly_every_sentence(tools: dict[str, str]) -> None:
    found = ranked(SENTENCES, tools)
    missed = {one.sentence.text: one.tools[0] for one in found if one.rank != 1}
    assert len(found) == 23
    assert len(found) - len(missed) >= TARGET, missed


@pytest.mark.row("S5")
def test_no_sentence_shares_a_phrase_with_a_tool(tools: dict[str, str]) -> None:
    for sentence in SENTENCES:
        assert list(shared(sentence, tools)) == [], sentence.text


def test_every_right_tool_exists_and_held_out_sentences_are_others(tools: dict[str, str]) -> None:
    assert {name for one in (*SENTENCES, *SECOND, *HELD_OUT) for name in one.right} <= set(tools)
    texts = [one.text for one in (*SENTENCES, *SECOND, *HELD_OUT)]
    assert len(set(texts)) == len(texts) == 69
    assert set(GUIDE) < set(SENTENCES)


def test_a_question_that_is_not_ours_is_claimed_by_two_words_in_one_tool() -> None:
    foreign = Sentence("Deploy a site to S3", ())
    assert Ranked(foreign, ("get_costs",), claimed=1).rank == 1
    assert Ranked(foreign, ("get_costs",), claimed=2).rank == 0


def test_a_phrase_is_two_counting_words_in_a_row() -> None:
    assert phrases("What is the error budget; left of it") == {
        ("what", "error"),
        ("error", "budget"),
    }
