"""The sizing page is what its formulas say, and its formulas do what the page says."""

from pathlib import Path

from bench.sizing import PAGE, USE, Size, table, with_table


def test_the_page_holds_the_table_as_it_is_computed() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert table() in page
    assert with_table(page) == page


def test_a_tenfold_of_engineers_is_a_tenfold_of_load_and_hardly_more_memory() -> None:
    few, many = Size(100, 20), Size(1_000, 20)
    assert round(many.cpu / few.cpu, 6) == round(many.requests_s / few.requests_s, 6) == 10
    assert round(many.memory_mb - few.memory_mb, 6) == 900 * USE.caller_kb / 1000


def test_more_clusters_share_the_same_questions() -> None:
    assert round(Size(100, 1).requests_s / Size(100, 20).requests_s, 6) == 20
    assert Size(10, 1).replicas == 2


def test_the_page_is_on_the_map() -> None:
    assert "sizing.md" in (Path(PAGE).parent / "README.md").read_text(encoding="utf-8")
