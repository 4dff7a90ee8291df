"""The page of `make faults`: every row of the safety page's fault table, and when the command fails."""

import pytest

from evals.figures import Evaluation, Row
from faults.concerns import CONCERNS, rows
from faults.kills import LANES, lane_of
from faults.stories import every_story


def test_every_row_of_the_fault_table_names_tests_that_carry_its_number() -> None:
    assert [one.number for one in CONCERNS] == list(range(1, 24))
    assert [row.measured for row in rows(0) if not row.met] == []


def test_each_lane_of_kills_has_stories_and_no_story_is_in_none() -> None:
    assert {lane_of(story) for story in every_story()} == set(range(LANES))


RIGHT = Row("kills", "0 lost", "0 lost", met=True)
SLOW = Row("takeover", "<= 10 s", "12 s", met=False, speed=True)
WRONG = Row("moments", "0 lost", "1 lost", met=False)


@pytest.mark.parametrize(
    ("found", "code", "last"),
    [
        ([RIGHT], 0, ""),
        ([RIGHT, SLOW], 0, "slow, and nothing wrong: takeover: 12 s, not <= 10 s"),
        ([WRONG, SLOW], 1, "slow, and nothing wrong: takeover: 12 s, not <= 10 s"),
        ([WRONG], 1, "missed: moments: 1 lost, not 0 lost"),
    ],
)
def test_what_is_wrong_fails_the_command_and_what_is_slow_is_said(
    found: list[Row],
    code: int,
    last: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("faults.concerns.rows", lambda seed: found)
    page = Evaluation("faults", "Title", "Why.", "nowhere.md", {"concerns": "R"})
    assert page.run([]) == code
    said = capsys.readouterr().out.strip().splitlines()[-1]
    assert said == last if last else said.startswith("|")
