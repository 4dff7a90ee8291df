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
    seen: dict[str, str]  # commands that already ran, without their comments -> where


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """One warm process and one lab for all pages."""
    folder = tmp_path_factory.mktemp("snippets")
    with warm(folder) as stand, sandbox(folder / "lab", stand, {}) as first:
        export = folder / "lab.env"
        up = f"eks-aiops lab up --scenario oom-raise-limits --export {export}"
        ran = first.run(Block("the lab", 0, "sh", up))
        assert ran.code == 0, ran.said
        yield Place(stand, exported(export.read_text("utf-8")), {})


def commands(blocks: tuple[Block, ...]) -> str:
    """What a page runs, without comments: a translation runs the same."""
    lines = "\n".join(block.text for block in blocks).splitlines()
    bare = (line.partition("  #")[0].strip() for line in lines if not line.lstrip().startswith("#"))
    return "\n".join(line for line in bare if line)


def run(here: Sandbox, blocks: tuple[Block, ...]) -> list[str]:
    """Each block; what failed."""
    ran = [(block, here.run(block)) for block in blocks]
    return [f"{block.where} ends {one.code}\n{block.text}\n{one.said}" for block, one in ran if one.code]


@pytest.mark.parametrize("page", PAGES)
def test_every_line_of_a_page_does_what_it_says(page: str, place: Place, tmp_path: Path) -> None:
    blocks = PAGES[page]
    if commands(blocks) in place.seen:
        return
    place.seen[commands(blocks)] = page
    with sandbox(tmp_path / "page", place.stand, place.lab) as here:
        if "kubectl" in commands(blocks):
            subprocess.run([here.folder / "bin/eks-aiops", "lab", "reset"], env=here.environment, check=True)
        assert run(here, blocks) == []
