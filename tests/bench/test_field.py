"""The judge of the peers' bench, its figures and its page, on small made-up runs."""

from pathlib import Path
from typing import Any

import pytest

from bench.__main__ import PARTS
from bench.field.asking import without_paths
from bench.field.better import better_lines
from bench.field.causes import CAUSES
from bench.field.facts import Fact, filled_all, unfolded
from bench.field.figures import ratio
from bench.field.page import headlines, peers_page
from bench.field.pictures import PICTURES, draw
from bench.field.questions import QUESTIONS
from bench.keeping import keep, kept, machines_line
from bench.pages import DOCS, pages

MEMORY = Fact("now", amount="<memory:shop>", within=0.05)
PLACES = {"memory:shop": str(980 * 2**20), "pod:shop": "shop-1.2"}


@pytest.mark.parametrize("said", ["980Mi", "1,027,604,480", "0.96 GiB", '"value": 1027604480.0', "975 MiB"])
def test_an_amount_counts_in_any_unit(said: str) -> None:
    assert MEMORY.stands_in(said, PLACES)


def test_members_of_a_list_are_not_taken_for_thousands() -> None:
    assert MEMORY.stands_in("[120,33.33,1027604480,1]", PLACES)
    assert not MEMORY.stands_in("[1,027,60]", PLACES)


def test_folders_of_the_machine_are_not_kept() -> None:
    assert without_paths("/home/me/.cache/x-1.2/bin/y ended: 404") == "(path) ended: 404"


@pytest.mark.parametrize("said", ["", "980", "98%", "v980Mi-x", "880Mi", "9801027604480"])
def test_another_number_is_not_the_amount(said: str) -> None:
    assert not MEMORY.stands_in(said, PLACES)


def test_a_fact_needs_all_its_patterns_and_a_place_is_no_pattern() -> None:
    fact = Fact("crashes", ("<pod:shop>", "CrashLoop"))
    assert fact.stands_in("shop-1.2 crashloopbackoff", PLACES)
    assert not fact.stands_in("shop-1.2 is well", PLACES)
    assert not fact.stands_in("shop-1x2 CrashLoopBackOff", PLACES)


def test_folded_yaml_and_quoted_json_are_read_as_one_line() -> None:
    text = unfolded(["failed to assign an\n    IP address", '"{\\"name\\": \\"a b\\"}"'])
    assert "assign an IP address" in text
    assert '{"name": "a b"}' in text


def test_places_are_put_in_at_any_depth_of_the_arguments() -> None:
    arguments = {"a": ["<pod:shop>"], "b": {"c": "is <pod:shop>"}, "d": 3, "e": True}
    wanted = {"a": ["shop-1.2"], "b": {"c": "is shop-1.2"}, "d": 3, "e": True}
    assert filled_all(arguments, PLACES) == wanted


def test_a_place_that_the_world_lacks_is_an_error() -> None:
    with pytest.raises(KeyError, match="pod:none"):
        filled_all("<pod:none>", PLACES)


def test_every_question_has_facts_and_a_way_of_ours() -> None:
    assert len(QUESTIONS) == 10
    assert len(CAUSES) == 3
    for question in (*QUESTIONS, *CAUSES):
        assert question.facts
        assert question.ways[0].title.startswith("eks-aiops ")
        assert len({way.title for way in question.ways}) == len(question.ways)


def _way(title: str, **more: Any) -> dict[str, Any]:
    told = {
        "title": title,
        "note": "",
        "calls": 1,
        "tokens": 100,
        "seconds": 1.0,
        "again_s": 0.5,
        "stands": ["a", "b"],
    }
    return {**told, **more}


def _run(**more: Any) -> dict[str, Any]:
    """A run with one question, which a peer answers in fewer tokens and another one with fewer facts."""
    ways = [
        _way("eks-aiops eks"),
        _way("short", tokens=50),
        _way("hasty", seconds=0.1, again_s=0.1, stands=["a"]),
        {"title": "broken", "note": "", "error": "TalkError: ended"},
    ]
    question = {"title": "What is it?", "scenarios": ["healthy"], "facts": ["a", "b"], "ways": ways}
    start = {"wall_s": 1.0, "cpu_s": 1.0, "rss_bytes": 100e6, "tools": 14, "tokens": 5000}
    listed = {"pods": 5000, "first_s": 2.0, "seconds": 1.0, "tokens": 1300, "peak_bytes": 140e6}
    machine = {"system": "Linux", "cores": 2, "python": "3.11.7", "load": 0.5, "date": "2026-11-23"}
    return {
        "machine": machine,
        "rounds": 3,
        "starts_each": 9,
        "starts": [
            {"server": "eks-aiops eks", **start},
            {"server": "small", **start, "rss_bytes": 30e6},
            {"server": "gone", "error": "cannot be installed here"},
        ],
        "questions": [question],
        "causes": [{**question, "title": "Why is it?"}],
        "lists": [
            {"server": "eks-aiops eks", "asked": "those that are not well", **listed},
            {"server": "small", "asked": "all", **listed, "tokens": 800_000, "seconds": 0.5},
            {"server": "gone", "asked": "all", "pods": 5000, "error": "cannot be installed here"},
        ],
        **more,
    }


def test_where_a_peer_is_better_is_said_and_less_said_in_less_time_is_not_better() -> None:
    lines = "\n".join(better_lines(_run()))
    assert "What is it: short needs 50 tokens, ours 100." in lines
    assert "small holds less memory after its start: 30 MB beside 100 MB" in lines
    assert "5,000 pods, all listed by small: 0.50 s beside 1.00 s" in lines
    assert "hasty" not in lines
    assert "broken" not in lines


def test_a_fact_that_only_a_peer_names_is_said() -> None:
    found = _run()
    found["questions"][0]["ways"][0]["stands"] = ["a"]
    assert "What is it: short names 2 of 2, ours 1 of 2." in "\n".join(better_lines(found))


def test_the_page_has_a_row_for_what_cannot_be_installed_and_for_what_failed() -> None:
    page = peers_page(_run())
    assert "| gone | cannot be installed here |" in page
    assert "| broken |  |  |  |  |  | not measured: TalkError: ended |" in page
    assert "| short | 2 of 2 | 1 | 50 (0.5 x) | 1.00 (1 x) | 0.50 (1 x) |  |" in page
    assert "The machine was busy" not in page


def test_a_busy_machine_is_said_on_the_page() -> None:
    busy = _run()
    busy["machine"]["load"] = 26
    assert "The machine was busy: load 26 on 2 cores" in peers_page(busy)


def test_headlines_name_every_way() -> None:
    assert [row[0] for row in headlines(_run())][:2] == [
        "What is it? eks-aiops eks",
        "What is it? short",
    ]


def test_a_ratio_needs_something_to_divide_by() -> None:
    assert ratio({"tokens": 250}, {"tokens": 100}, "tokens") == " (2.5 x)"
    assert ratio({"tokens": 25_000}, {"tokens": 100}, "tokens") == " (250 x)"
    assert ratio({"tokens": 25}, None, "tokens") == ""
    assert ratio({"tokens": 25}, {"tokens": 0}, "tokens") == ""


def test_every_picture_of_the_page_is_drawn(tmp_path: Path) -> None:
    draw(_run(), tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {f"peers-{name}.png" for name in PICTURES}
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in tmp_path.iterdir())


def test_what_is_kept_comes_back_with_the_machine_it_was_measured_on(tmp_path: Path) -> None:
    keep("gate", {"rows": [["a", "", "1", "met"]]}, tmp_path)
    found = kept("gate", tmp_path)
    assert found is not None
    assert found["rows"] == [["a", "", "1", "met"]]
    assert f"{found['machine']['cores']} cores" in machines_line([found])
    assert kept("none", tmp_path) is None


def test_the_pages_are_what_the_raw_figures_make() -> None:
    for name, text in pages([*PARTS]).items():
        assert (DOCS / name).read_text(encoding="utf-8") == text, f"{name}: python -m bench --pages"
