"""The output budget: what is kept, what is cut, and that the cut is said."""

from hypothesis import given
from hypothesis import strategies as st

from aiops_shared.app.fitting import fit, size_bytes, without_empties

texts = st.text(max_size=200)
answers = st.dictionaries(
    st.sampled_from(["rows", "lines", "text", "more"]),
    st.one_of(texts, st.lists(texts, max_size=60), st.lists(st.lists(texts, max_size=4), max_size=40)),
)


def test_of_a_log_the_newest_lines_stay_and_of_a_list_the_worst() -> None:
    answer = {"summary": "s", "lines": {"columns": ["text"], "rows": [[f"line {n}"] for n in range(900)]}}
    assert fit(answer, 3000)["lines"]["rows"][-1] == ["line 899"]
    answer = {"summary": "s", "pods": {"columns": ["name"], "rows": [[f"pod {n}"] for n in range(900)]}}
    assert fit(answer, 3000)["pods"]["rows"][0] == ["pod 0"]


def test_a_required_field_stays_also_when_it_is_empty() -> None:
    assert without_empties({"pods": [], "hint": "", "truncated": False}, ["pods"]) == {"pods": []}
    assert without_empties({"rows": [["", None]]}) == {"rows": [["", None]]}


@given(answers, st.integers(1_500, 9_000))
def test_what_is_cut_fits_and_is_said(data: dict[str, object], budget: int) -> None:
    before = size_bytes({"summary": "s", **data})
    answer = fit({"summary": "s", "next_cursor": "c", **data}, budget)
    assert answer["summary"] == "s"
    if before > budget:
        assert size_bytes(answer) <= budget + 700
        assert answer["truncated"] is True
        assert "Cut to fit" in answer["warnings"][-1]
        assert "next_cursor" not in answer
