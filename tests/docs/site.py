"""`python -m tests.docs.site`: build the documentation as a site, strictly, and print what it holds.

A dead link or anchor, a page that the map forgot, a page that the map invents: each is a warning of mkdocs,
and a warning ends the build with 1.
"""

import logging
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from mkdocs.commands.build import build
from mkdocs.config import load_config

from tests.contracts.repository import ROOT
from tests.docs.blocks import all_blocks, written_pages


class Heard(logging.Handler):
    """What mkdocs warned of."""

    def __init__(self) -> None:
        """Listen to warnings and worse."""
        super().__init__(logging.WARNING)
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one."""
        self.said.append(record.getMessage())


def built(folder: Path) -> list[str]:
    """Build the site into a folder; the warnings, of which there should be none."""
    heard, logger = Heard(), logging.getLogger("mkdocs")
    logger.addHandler(heard)
    try:
        build(load_config(str(ROOT / "mkdocs.yml"), site_dir=str(folder)))
    finally:
        logger.removeHandler(heard)
    return heard.said


def words() -> int:
    """How many words there are to read, blocks included."""
    return sum(len(re.findall(r"\w+", page.read_text("utf-8"))) for page in written_pages())


def table(folder: Path, warnings: Sequence[str]) -> str:
    """What was built, for the end of `make docs`."""
    found: Mapping[str, int] = {
        "pages of the site": len(list(folder.rglob("*.html"))) - 1,  # 404.html is nobody's page
        "words in README.md, docs/ and deploy/": words(),
        "fenced blocks (tests/docs executes each)": len(all_blocks()),
        "warnings": len(warnings),
    }
    return "\n".join(
        ["| Documentation | |", "|---|---|", *(f"| {name} | {n:,} |" for name, n in found.items()), ""]
    )


def main(folder: Path) -> int:
    """Build, say what was warned of, print the table; 1 when there was a warning."""
    warnings = built(folder)
    sys.stderr.writelines(f"{warning}\n" for warning in warnings)
    sys.stdout.write(table(folder, warnings))
    return 1 if warnings else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]) if sys.argv[1:] else ROOT / "site"))
