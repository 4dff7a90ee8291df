"""`python -m evals.routing [--write]`: rank the tools for every sentence, print, end 1 below the target."""

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from evals.routing.ranking import Ranked, described, ranked
from evals.routing.sentences import HELD_OUT, SECOND, SENTENCES

PAGE: Final = Path(__file__).parents[2] / "docs" / "evaluation-routing.md"
TARGET: Final = 21
_BEFORE: Final = "9 of 23 and 5 of 23, mean reciprocal rank 0.47 and 0.35"
_HEAD: Final = f"""# The right tool for an everyday sentence

Three lists of twenty-three sentences as an engineer on call types them. BM25 over name and description of all
42 tools ranks them; it knows words and not their meaning, so this is a lower bound for a model. Made by
`python -m evals.routing --write`.

The first two (three sentences are the guide's) were written before any was ranked. Before descriptions were
bettered for them they stood at {_BEFORE}; those of the first
still share no two words in a row, stop words apart, with a name or a description. The third, held out, was
written after that by somebody who had seen nothing but the names of the tools; nothing was changed for it."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Rank, print, with --write keep."""
    parser = argparse.ArgumentParser(prog="python -m evals.routing")
    parser.add_argument("--write", action="store_true", help="write docs/evaluation-routing.md")
    asked = parser.parse_args(arguments)
    tools = described()
    lists = {"first list": SENTENCES, "second list": SECOND, "held out": HELD_OUT}
    found = {name: ranked(some, tools) for name, some in lists.items()}
    text = "\n".join(_lines(found)) + "\n"
    print(text)
    if asked.write:
        PAGE.write_text(text)
    hits = _hits(found["first list"])
    if hits < TARGET:
        print(f"missed: right tool first: {hits} of {len(SENTENCES)}, not >= {TARGET}")
    return 0 if hits >= TARGET else 1


def _lines(found: Mapping[str, Sequence[Ranked]]) -> Iterator[str]:
    yield _HEAD
    yield ""
    yield "| what | target | measured | |"
    yield "|---|---|---|---|"
    for name, some in found.items():
        hits, near = _hits(some), sum(1 <= one.rank <= 3 for one in some)
        asked = name == "first list"
        verdict = ("met" if hits >= TARGET else "**missed**") if asked else ""
        target = f">= {TARGET}" if asked else ""
        yield f"| right tool first, {name} | {target} | {hits} of {len(some)} | {verdict} |"
        yield f"| among the first three, {name} | | {near} of {len(some)} | |"
        yield f"| mean reciprocal rank, {name} | | {_reciprocal(some):.2f} | |"
    for name, some in found.items():
        yield ""
        yield f"## {name.capitalize()}"
        yield ""
        yield "| sentence | right tool | rank | first |"
        yield "|---|---|---|---|"
        yield from map(_row, some)


def _hits(some: Sequence[Ranked]) -> int:
    return sum(one.rank == 1 for one in some)


def _row(one: Ranked) -> str:
    wanted = " or ".join(f"`{name}`" for name in one.sentence.right) or "none of ours"
    best = f"`{one.tools[0]}`" if one.sentence.right else f"{one.claimed} words in one tool"
    return f"| {one.sentence.text} | {wanted} | {one.rank or 'claimed'} | {best} |"


def _reciprocal(some: Sequence[Ranked]) -> float:
    return sum(1 / one.rank for one in some if one.rank) / len(some)


if __name__ == "__main__":
    sys.exit(main())
