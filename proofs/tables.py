"""The measured tables of docs, read back: what was asked, what came out, met or missed.

Every command that measures (`bench`, `evals`, `faults`, `fuzz`, `proofs`) keeps its page under docs.
`proofs.targets` joins them into one page, so that nothing missed can hide on a page that nobody opens.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

DOCS = Path(__file__).resolve().parents[1] / "docs"
_VERDICTS = {
    "met": True,
    "missed": False,
    "killed": True,
    "survived": False,
}  # the latter of a control taken away


@dataclass(frozen=True, slots=True)
class Figure:
    """One row of a page that has a target."""

    page: str  # file in docs
    what: str
    target: str
    measured: str
    met: bool


def figures(page: str) -> list[Figure]:
    """The rows of one page whose last cell is a verdict, or the last but one before a date. None of none."""
    path = DOCS / page
    if not path.exists():
        return []
    return [figure for line in path.read_text("utf-8").splitlines() if (figure := _figure(page, line))]


def measured_pages() -> list[str]:
    """Every page of docs with at least one verdict, by name."""
    return sorted(path.name for path in DOCS.glob("*.md") if path.name != "targets.md" and figures(path.name))


def _figure(page: str, line: str) -> Figure | None:
    cells = list(_cells(line))
    if len(cells) < 4:
        return None
    verdicts = [_VERDICTS.get(cell.strip("* ").lower()) for cell in cells[-2:]]
    met = verdicts[1] if verdicts[1] is not None else verdicts[0]
    return None if met is None else Figure(page, cells[0], cells[1], cells[2], met)


def _cells(line: str) -> Iterator[str]:
    """The cells of a row of a Markdown table; an escaped bar belongs to its cell."""
    if line.startswith("|"):
        inner = line.strip().removeprefix("|").removesuffix("|")
        yield from (cell.replace("\0", "|").strip() for cell in inner.replace("\\|", "\0").split("|"))
