"""Every shell block of every page is run, line by line, by bash: our programs for real, those of others as
`programs` says. No block is left out; what nothing can run is no command, and stands as `text`.
"""

import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import pytest

from eks_aiops.demo.lab_process import exported
from tests.docs.blocks import Block, of
from tests.docs.sandbox import Sandbox, sandbox
from tests.docs.warm import Stand, warm

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
SHELL = ("sh", "bash", "shell", "console")
PAGES = {page: tuple(blocks) for page, blocks in groupby(of(*SHELL), key=lambda block: block.page)}


@dataclass(frozen=True)
class Place:
    """What the pages share."""

    stand: Stand
    lab: Mapping[str, str]
    seen: list[tuple[str, ...]]  # the blocks of each page that already ran, without their comments


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """One warm process and one lab for all pages."""
    folder = tmp_path_factory.mktemp("snippets")
    with warm(folder) as stand, sandbox(folder / "lab", stand, {}) as first:
        export = folder / "lab.env"
        up = f"eks-aiops lab up --scenario oom-raise-limits --export {export}"
        started = first.run(Block("the lab", 0, "sh", up))
        assert started.code == 0, started.said
        yield Place(stand, exported(export.read_text("utf-8")), [])


def commands(block: Block) -> str:
    """What a block runs, without comments: that of a translation runs the same."""
    lines = (line for line in block.text.splitlines() if not line.lstrip().startswith("#"))
    return "\n".join(line.partition("  #")[0].strip() for line in lines)


def ran(page: tuple[str, ...], place: Place) -> bool:
    """Whether another page ran all of these, in this order: a translation, which may say less."""
    for other in place.seen:
        rest = iter(other)
        if all(block in rest for block in page):
            return True
    return False


def run(here: Sandbox, blocks: tuple[Block, ...]) -> list[str]:
    """Each block; what failed."""
    done = [(block, here.run(block)) for block in blocks]
    return [f"{block.where} ends {one.code}\n{block.text}\n{one.said}" for block, one in done if one.code]


@pytest.mark.parametrize("page", PAGES)
def test_every_line_of_a_page_does_what_it_says(page: str, place: Place, tmp_path: Path) -> None:
    blocks = PAGES[page]
    bare = tuple(commands(block) for block in blocks)
    if ran(bare, place):
        return
    place.seen.append(bare)
    with sandbox(tmp_path / "page", place.stand, place.lab) as here:
        if any("kubectl" in block for block in bare):
            subprocess.run([here.folder / "bin/eks-aiops", "lab", "reset"], env=here.environment, check=True)
        assert run(here, blocks) == []
