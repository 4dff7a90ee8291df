"""The part `peers` of `make bench`: starts, ten questions, three causes, long lists; ours and the field's."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import groupby
from typing import Any

from bench.field.asking import Question, World, ask
from bench.field.causes import CAUSES
from bench.field.listing import long_lists
from bench.field.page import headlines
from bench.field.questions import QUESTIONS
from bench.field.starting import cold_starts
from bench.rows import told
from bench.talking import talking

STARTS, ROUNDS, PODS = 9, 3, (5_000, 20_000)


def beside_peers(
    base: Mapping[str, str], starts: int = STARTS, rounds: int = ROUNDS, pods: Sequence[int] = PODS
) -> dict[str, Any]:
    """What is kept of a run; `rows` are its headlines."""
    with played(("healthy",), base) as world, told("  cold starts, memory, tools"):
        began = cold_starts(world, starts)
    found = {
        "rounds": rounds,
        "starts_each": starts,
        "starts": began,
        "questions": _asked(QUESTIONS, base, rounds),
        "causes": _asked(CAUSES, base, rounds),
        "lists": [row for count in pods for row in long_lists(count, base)],
    }
    return {"rows": headlines(found), **found}


@contextmanager
def played(scenarios: Sequence[str], base: Mapping[str, str]) -> Iterator[World]:
    """A lab in a process of its own that plays these."""
    with talking([sys.executable, "-m", "bench.field.stage", *scenarios], base) as child:
        said = child.hear()
        yield World(said["environment"], base, said["places"])


def _asked(questions: Sequence[Question], base: Mapping[str, str], rounds: int) -> list[dict[str, Any]]:
    """Questions about one world that follow each other share it."""
    found: list[dict[str, Any]] = []
    for scenarios, some in groupby(questions, lambda question: question.scenarios):
        with told(f"  {' and '.join(scenarios)}"), played(scenarios, base) as world:
            found += [ask(question, world, rounds) for question in some]
    return found
