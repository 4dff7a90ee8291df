"""Every block that is no command is read by whoever would read it; a diagram is parsed by mermaid itself."""

import json
from pathlib import Path

import anyio
import pytest

from tests.clients.packages import missing
from tests.docs.blocks import Block, all_blocks, of
from tests.docs.mermaid import script
from tests.docs.readers import READERS
from tests.docs.test_snippets_shell import SHELL
from tests.remote.browser import browser

OUTPUT = ("text", "diff")  # what a program says; no command, and nothing that is read
DIAGRAMS = of("mermaid")


def test_every_block_says_what_it_is_and_somebody_reads_it() -> None:
    known = {*SHELL, *READERS, *OUTPUT, "mermaid"}
    strange = [block.where for block in all_blocks() if block.language not in known]
    assert not strange, f"blocks of no known language: {', '.join(strange)}"


def test_output_is_no_command() -> None:
    """A block of output must not hide a command line: those are run."""
    told = ("$ ", "eks-aiops ", "make ", "kubectl ", "helm ", "uvx ", "pip ", "docker ", "aws ")
    hidden = [block.where for block in of(*OUTPUT) if block.text.startswith(told)]
    assert not hidden


@pytest.mark.parametrize("block", of(*READERS), ids=lambda block: block.where)
@pytest.mark.timeout(120)
def test_a_block_is_accepted_by_its_reader(block: Block, tmp_path: Path) -> None:
    READERS[block.language](block, tmp_path)


@pytest.mark.slow
@pytest.mark.timeout(240)
async def test_every_diagram_is_one_that_mermaid_draws(tmp_path: Path) -> None:
    found = await anyio.to_thread.run_sync(script)
    if found is None:
        missing("mermaid cannot be fetched: npm")
    page = tmp_path / "page.html"
    page.write_text(f'<!doctype html><script src="{found}"></script>', encoding="utf-8")
    async with browser() as chromium:
        tab = await chromium.open(page.as_uri())
        for block in DIAGRAMS:
            said = json.dumps(block.text)
            drawn = f"mermaid.render('d{block.line}', {said}).then(() => '', (one) => String(one))"
            assert await tab.script(drawn) == "", block.where
