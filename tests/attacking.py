"""What the attacks on the servers share: the bad texts, a stage played from plain tests, and what is wrong
with an answer to a bad text.

Used by `test_attack_inputs.py` of the observability, cost and sop servers. The stage is an `Asking`; tools
and their parameters come from the listed schemas, so that a new parameter is attacked without a line here.
"""

import csv
import json
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Generic, TypeVar

import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal

from tests.asking import Asking
from tests.contracts.snapshots import Tool
from tests.e2e.stage import Answer, Obj

BOOK = Path(__file__).parent / "eks" / "bad_inputs.csv"
ROWS: dict[str, str] = {
    row["id"]: json.loads(row["text"])
    for row in csv.DictReader(BOOK.read_text(encoding="utf-8").splitlines())
}
COMMON = {
    "path traversal": "../../../../etc/passwd",
    "metadata address": "http://169.254.169.254/latest/meta-data/",
    "look-alike letters": "ｐｒｏｄ\u0443ction\u200b",
    "a line break": "a\r\nX-Injected: 1",
    "half a pair": "\ud800",
    "PromQL out of a label": '"} or vector(1) # ',
    "8 kB": "a" * 8_193,
    "catastrophe": "(a+)+$" * 20 + "!",
}
S = TypeVar("S", bound=Asking)


@dataclass(frozen=True)
class Play(Generic[S]):
    """The stage, played from tests that are no coroutines. `good`: arguments a tool answers to."""

    portal: BlockingPortal
    stage: S
    tools: tuple[Tool, ...]
    good: Callable[[S, str, str], Obj]

    def ask(self, tool: str, **arguments: object) -> Answer:
        """Call one tool."""
        return self.portal.call(partial(self.stage.ask, tool, **arguments))

    @property
    def upstream(self) -> int:
        """Requests that anything outside has seen."""
        lab = self.stage.lab
        return lab.requests.total + len(lab.aws_requests()) + len(lab.observatory.log.asked)

    def parameters(self) -> Iterator[tuple[str, str, Obj]]:
        """Every parameter of every tool, from the schemas."""
        for tool in self.tools:
            for word, schema in tool["inputSchema"].get("properties", {}).items():
                yield tool["name"], word, schema

    def words(self, of_type: str) -> Iterator[tuple[str, str, Obj]]:
        """Every parameter of this JSON type that is no closed set."""
        for tool, word, schema in self.parameters():
            if schema.get("type") == of_type and "enum" not in schema:
                yield tool, word, schema

    def with_one(self, tool: str, word: str, value: object) -> Answer:
        """A good call with this one argument instead."""
        return self.ask(tool, **{**self.good(self.stage, tool, word), word: value})


@contextmanager
def played(
    opened: Callable[[pytest.MonkeyPatch], AbstractAsyncContextManager[S]],
    good: Callable[[S, str, str], Obj],
) -> Iterator[Play[S]]:
    """The stage that `opened` makes; nothing that is done to it may write."""
    with (
        pytest.MonkeyPatch.context() as patch,
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(opened(patch)) as stage,
    ):
        yield Play(portal, stage, portal.call(_tools, stage), good)
        assert stage.lab.requests.writes() == [], "an attack wrote something"


async def _tools(stage: Asking) -> tuple[Tool, ...]:
    found = await stage.client.list_tools()
    return tuple(tool.model_dump(mode="json", by_alias=True, exclude_none=True) for tool in found)


def faults(
    play: "Play[Any]", answer: Answer, value: str, before: int, allowed: frozenset[str]
) -> Iterator[str]:
    """What is wrong with one answer to one bad text; `before`: requests upstream before it was given."""
    if answer.code not in allowed:
        yield answer.text[:200]
    if answer.code == "invalid_input" and value and play.upstream != before:
        yield f"refused after {play.upstream - before} requests: {answer.text[:200]}"
    if len(answer.error) > 2_000 or (len(value) > 600 and value in answer.error):
        yield f"an error of {len(answer.error)} characters"
    if any((ord(char) < 32 and char not in "\n\t") or char in "\u202e\u200b" for char in answer.error):
        yield f"raw characters: {answer.error[:200]!r}"
