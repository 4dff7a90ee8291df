"""Every promise has a figure or a test, and the page that says so agrees with the pages it is made from."""

from pathlib import Path

import pytest

from proofs.promises import PROMISES
from proofs.tables import Figure, figures, measured_pages
from proofs.targets import PAGE, held, page


def test_every_promise_is_looked_at() -> None:
    assert [one.what for one in PROMISES if held(one).verdict == "nobody looks"] == []


def test_the_page_of_targets_agrees_with_the_measured_pages() -> None:
    assert PAGE.read_text("utf-8") == page(), "run `python -m proofs.targets --write`"


def test_a_missed_figure_anywhere_is_on_the_page() -> None:
    text = page()
    missed = [one for name in measured_pages() for one in figures(name) if not one.met]
    assert all(f"| {one.page} | {one.what} |" in text for one in missed)


def test_verdicts_are_read_in_every_form_that_pages_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "some.md").write_text(
        "| What | Target | Measured | |\n|---|---|---|---|\n| a \\| b | 1 | 1 | met |\n"
        "| c | 1 | 2 | - | **missed** |\n| d | 1 | 3 | MISSED |\n| e | | 4 | |\n",
        encoding="utf-8",
    )
    monkeypatch.setattr("proofs.tables.DOCS", tmp_path)
    assert figures("some.md") == [
        Figure("some.md", "a | b", "1", "1", met=True),
        Figure("some.md", "c", "1", "2", met=False),
        Figure("some.md", "d", "1", "3", met=False),
    ]
