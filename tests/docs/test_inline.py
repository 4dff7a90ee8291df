"""Commands within sentences: each `eks-aiops …` has its subcommand and options, each `make …` its target."""

import re
import shlex
from collections.abc import Iterator
from typing import Any

import typer
from markdown_it import MarkdownIt

from aiops_lab.cli import app as lab
from eks_aiops.cli import app
from tests.contracts.repository import ROOT
from tests.docs.blocks import written_pages

PLACEHOLDER = re.compile(r"[A-Z_]{2,}|.*(?:…|\.\.\.|\{)")
OPTION = re.compile(r"--?[a-zA-Z][\w-]*")
ROOT_COMMAND: Any = typer.main.get_command(app)
ROOT_COMMAND.commands["lab"] = typer.main.get_command(lab)  # which `run` adds, where it is installed


def inline(start: str) -> Iterator[tuple[str, list[str]]]:
    """Page and words of every code span that starts so."""
    for page in written_pages():
        for token in MarkdownIt().enable("table").parse(page.read_text("utf-8")):
            for span in token.children or ():
                if span.type == "code_inline" and span.content.startswith(f"{start} "):
                    text = span.content.partition(" && ")[0]
                    yield str(page.relative_to(ROOT)), shlex.split(text.replace("'", '"'))[1:]


def unknown(words: list[str], command: Any) -> str:
    """The first word that the command line does not know; empty when it knows all."""
    while hasattr(command, "commands") and words and not words[0].startswith("-"):
        named = words[0].split("|")
        strange = [word for word in named if word not in command.commands]
        if strange:
            return "" if PLACEHOLDER.fullmatch(words[0]) and len(named) == 1 else strange[0]
        command, words = command.commands[named[0]], words[1:]
    options = {name for one in command.params for name in one.opts + one.secondary_opts} | {"--help"}
    used = {found[0] for word in words for part in word.split("|") if (found := OPTION.match(part))}
    return ", ".join(sorted(used - options))


def test_every_command_in_a_sentence_is_known() -> None:
    wrong = [
        f"{page}: {' '.join(words)}" for page, words in inline("eks-aiops") if unknown(words, ROOT_COMMAND)
    ]
    assert not wrong, "\n".join(wrong)


def test_every_target_in_a_sentence_is_one_of_the_makefile() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), flags=re.MULTILINE))
    wrong = [
        f"{page}: make {words[0]}"
        for page, words in inline("make")
        if re.fullmatch(r"[a-z-]+", words[0]) and words[0] not in targets
    ]
    assert not wrong, "\n".join(wrong)


def test_a_wrong_command_is_found() -> None:
    assert unknown(["sops", "listen"], ROOT_COMMAND) == "listen"
    assert unknown(["lab", "up", "--scenery", "x"], ROOT_COMMAND) == "--scenery"
    assert not unknown(["lab", "up", "--scenario", "x"], ROOT_COMMAND)
