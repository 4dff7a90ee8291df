"""Every fenced block of the documentation, as a CommonMark parser sees it: where, of what kind, its text."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from markdown_it import MarkdownIt

from tests.contracts.repository import ROOT

# Pages that a person reads; those of deploy/ travel with what they describe.
PLACES = ("README.md", "docs/**/*.md", "deploy/npm/README.md", "deploy/claude-plugin/README.md")

_TITLE = re.compile(r'title="([^"]*)"')


@dataclass(frozen=True)
class Block:
    """One fenced block; `line` is that of its fence, counted from 1; `title` as in ```json title="answer"."""

    page: str
    line: int
    language: str
    text: str
    title: str = ""

    @property
    def where(self) -> str:
        """For a message or a test's name: `docs/lab.md:7`."""
        return f"{self.page}:{self.line}"


def written_pages() -> list[Path]:
    """Every page whose blocks are executed."""
    return sorted({page for place in PLACES for page in ROOT.glob(place)})


def blocks_of(text: str, page: str) -> Iterator[Block]:
    """The fenced blocks of one page; the first word after a fence is its language."""
    for token in MarkdownIt().parse(text):
        if token.type == "fence" and token.map:
            language, _, more = token.info.strip().partition(" ")
            titled = _TITLE.search(more)
            yield Block(page, token.map[0] + 1, language, token.content, titled[1] if titled else "")


@cache
def all_blocks() -> tuple[Block, ...]:
    """Every block of every page."""
    return tuple(
        block
        for page in written_pages()
        for block in blocks_of(page.read_text("utf-8"), str(page.relative_to(ROOT)))
    )


def of(*languages: str) -> tuple[Block, ...]:
    """The blocks of some languages."""
    return tuple(block for block in all_blocks() if block.language in languages)
