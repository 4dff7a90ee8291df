"""`python -m evals.routing [--write]`: rank the tools for every sentence, print, end 1 below the target."""

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from evals.routing.ranking import Ranked, described, ranked
from evals.routing.sentences import HELD_OUT, SENTENCES

PAGE: Final = Path(__file__).parents[2] / "docs" / "evaluation-routing.md"
TARGET: Final = 21
_BEFORE: Final = "9 of 23 and 5 of 23, mean reciprocal rank 0.47 and 0.35"
_HEAD: Final = f"""# The right tool for an everyday sentence

Twenty-three sentences as an engineer on call types them (three are the guide's) and twenty-three held out,
written at the same time, before any was ranked. None shares two words in a row, stop words apart, with a name
or a description. BM25 over name and description of all 42 tools ranks them; it knows words and not their
meaning, so this is a lower bound for a model. Made by `python -m evals.routing --write`.

Descriptions were bettered for the first list, sentence by sentence, and not for the second: what the second
says is what such a ranker does with words that nobody prepared for. Before that both lists stood at
{_BEFORE}."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Rank, print, with --write keep."""
    parser = argparse.ArgumentParser(prog="python -m evals.routing")
    parser.add_argument("--write", action="store_true", help="write docs/evaluation-routing.md")
    asked = parser.parse_args(arguments)
    tools = described()
    first, held_out = ranked(SENTENCES, tools), ranked(HELD_OUT, tools)
    text = "\n".join(_lines(first, held_out)) + "\n"
    print(text)
    if asked.write:
        PAGE.write_text(text)
    hits = sum(one.rank == 1 for one in first)
    if hits < TARGET:
        print(f"missed: right tool first: {hits} of {len(first)}, not >= {TARGET}")
    return 0 if hits >= TARGET else 1


def _lines(first: Sequence[Ranked], held_out: Sequence[Ranked]) -> Iterator[str]:
    hits = sum(one.rank == 1 for one in first)
    yield _HEAD
    yield ""
    yield "| what | target | measured | |"
    yield "|---|---|---|---|"
    verdict = "met" if hits >= TARGET else "**missed**"
    yield f"| right tool first, {len(first)} sentences | >= {TARGET} | {hits} of {len(first)} | {verdict} |"
    yield f"| mean reciprocal rank of them | | {_reciprocal(first):.2f} | |"
    hits = sum(one.rank == 1 for one in held_out)
    near = sum(1 <= one.rank <= 3 for one in held_out)
    yield f"| right tool first, {len(held_out)} held out | | {hits} of {len(held_out)} | |"
    yield f"| among the first three, held out | | {near} of {len(held_out)} | |"
    yield f"| mean reciprocal rank of them | | {_reciprocal(held_out):.2f} | |"
    for title, some in (("The sentences", first), ("Held out", held_out)):
        yield ""
        yield f"## {title}"
        yield ""
        yield "| sentence | right tool | rank | first |"
        yield "|---|---|---|---|"
        yield from map(_row, some)


def _row(one: Ranked) -> str:
    wanted = " or ".join(f"`{name}`" for name in one.sentence.right) or "none of ours"
    best = f"`{one.tools[0]}`" if one.sentence.right else f"{one.claimed} words in one tool"
    return f"| {one.sentence.text} | {wanted} | {one.rank or 'claimed'} | {best} |"


def _reciprocal(some: Sequence[Ranked]) -> float:
    return sum(1 / one.rank for one in some if one.rank) / len(some)


if __name__ == "__main__":
    sys.exit(main())
