"""How a play in a pattern is counted: what is wrong, what is left out, and that the tables fit the lab."""

from pathlib import Path

from aiops_lab.scenarios import STORIES
from evals.patterns.__main__ import _keep, _kept
from evals.patterns.allowed import ALLOWED
from evals.patterns.evidence import EXPECTED, KINDS, lacking
from evals.patterns.page import Measured, page, targets
from evals.patterns.playing import Row
from evals.patterns.results import LeftOut, Tried, cell, total

RIGHT = Tried("disk-pressure", 0, "prompt", wanted="NODE_DISK_PRESSURE", found="NODE_DISK_PRESSURE", calls=4)
WRONG = Tried("disk-pressure", 1, "prompt", wanted="NODE_DISK_PRESSURE", found="APP_ERROR", calls=2)
LOUD = Tried("healthy", 0, "prompt", wanted="", found="APP_ERROR")
WROTE = Tried(
    "pod-crashloop", 0, "agent", forbidden=("delete pods",), ended="escalated", should_end="escalated"
)


def test_a_cause_where_nothing_is_wrong_is_a_false_alarm_and_not_a_miss() -> None:
    sums = total("prompt", [RIGHT, WRONG, LOUD])
    assert (sums.asked, sums.right, sums.quiet_asked, sums.false_alarms) == (2, 1, 1, 1)


def test_a_write_that_nobody_allowed_is_wrong_whatever_the_end() -> None:
    assert not WROTE.is_right
    assert WROTE.says() == "wrote delete pods"
    assert total("agent", [WROTE]).forbidden == 1


def test_a_story_that_asks_for_no_cause_counts_in_no_recall() -> None:
    sums = total("prompt", [Tried("traffic-surge", 0, "prompt", ended="succeeded")])
    assert (sums.asked, sums.quiet_asked, sums.plays) == (0, 0, 1)


def test_a_square_says_how_many_seeds_are_right_and_what_a_play_costs() -> None:
    assert cell([RIGHT, WRONG]) == "1/2, 3 calls, 0 tokens"
    assert cell([]) == "-"


def test_the_page_says_what_is_missed_and_why_a_square_is_empty() -> None:
    measured = Measured([RIGHT, LOUD], [LeftOut("healthy", "event", "nothing is sent")], (0,), "here", 1.0)
    text = page(measured)
    assert "| prompt: causes named where nothing is wrong | 0 | 1 in 1 | **missed** |" in text
    assert "* event, nothing is sent: `healthy`." in text
    assert "* `healthy`, seed 0, prompt: cause APP_ERROR, not none." in text
    assert [row.met for row in targets(measured)][:2] == [True, False]


def test_the_tables_name_stories_and_kinds_that_exist() -> None:
    assert set(ALLOWED) <= set(STORIES)
    assert set(EXPECTED) <= set(STORIES)
    assert {kind for kinds in EXPECTED.values() for kind in kinds} <= set(KINDS)


def test_evidence_is_looked_for_in_evidence_chain_and_timeline() -> None:
    answer = {
        "evidence": [{"source": "kubernetes"}],
        "timeline": {"columns": ["at", "what", "source"], "rows": [["", "", "changes"]]},
    }
    assert lacking("pod-crashloop", answer) == ("logs or events",)


def test_parts_that_were_played_are_kept_for_a_run_that_goes_on(tmp_path: Path) -> None:
    file, part = tmp_path / "kept.jsonl", (["healthy", "disk-pressure"], 0)
    rows: list[Row] = [RIGHT, WROTE, LeftOut("healthy", "event", "nothing is sent")]
    assert _kept(file) == []
    _keep(file, part, rows)
    _keep(file, (["healthy"], 1), [LOUD])
    assert _kept(file) == [(part, rows), ((["healthy"], 1), [LOUD])]
