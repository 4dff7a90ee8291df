"""The site's navigation is the whole map; links that leave docs/ stay readable. `make docs` builds it."""

from pathlib import Path

from tests.contracts.repository import ROOT
from tests.docs.site_hooks import Nav, inside, navigation

DOCS = ROOT / "docs"


def flat(nav: Nav) -> list[str]:
    """The pages of a navigation, in order."""
    found: list[str] = []
    for entry in nav:
        found += [entry] if isinstance(entry, str) else [page for part in entry.values() for page in part]
    return found


def test_every_page_stands_once_in_the_map() -> None:
    pages = {str(page.relative_to(DOCS)) for page in DOCS.rglob("*.md")}
    listed = flat(navigation(DOCS))
    assert sorted(listed) == sorted(set(listed)), "a page stands in docs/README.md twice"
    assert set(listed) == pages, "docs/README.md misses a page, or names one that is not there"


def test_a_heading_of_the_map_is_a_section_and_a_folder_its_pages(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    for name in ("old/b.md", "old/README.md"):
        (tmp_path / name).write_text("# x\n")
    (tmp_path / "README.md").write_text(
        "# Map\n\n| [a](a.md) | one |\n\n## Use\n\n| [old](old/) | see [c](c.md) |\n"
    )
    assert navigation(tmp_path) == ["README.md", "a.md", {"Use": ["old/README.md", "old/b.md"]}]


def test_a_link_out_of_docs_becomes_the_path_of_what_it_names() -> None:
    page = DOCS / "sops.md"
    assert inside("[README](../README.md)", page, DOCS) == "README (`README.md`)"
    assert inside("[Makefile](../Makefile#x)", page, DOCS) == "`Makefile`"
    assert inside("[lab](lab.md#faults) [web](https://x.example)", page, DOCS) == (
        "[lab](lab.md#faults) [web](https://x.example)"
    )
    assert inside("[records](decisions/)", page, DOCS) == "[records](decisions/README.md)"
