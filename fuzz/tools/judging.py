"""What is wrong with one answer, by code: the invariants that hold for every call whatever it says.

An answer comes in time, its error has a documented code, nothing of our inside and no planted secret is in
it, hidden characters are spelled out, and a refusal of arguments happened before anything upstream.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from aiops_shared.errors import AiopsError
from aiops_shared.guardrails.redacting import escape_untrusted
from fuzz.canaries.finding import leaks_in
from fuzz.tools.talking import Heard

ANSWER_S: Final = 60.0  # the door's 50 s and what a busy machine adds
LONGEST_ERROR: Final = 2_000
# What JSON-RPC and MCP define for a request that is no request, or is for something that is not there.
PROTOCOL: Final = frozenset({-32700, -32600, -32601, -32602, -32002, -32020, -32021, -32022})
INSIDE: Final = re.compile(
    r"Traceback \(most recent|File \"[^\"]*\.py\"|site-packages|line \d+, in \w|<object \w+ at 0x|"
    r"\b(?:aiops_(?:shared|eks|cost|sop|observability)|eks_aiops|fastmcp|pydantic|pydantic_core|botocore|"
    r"httpx|httpcore|sqlalchemy|cedarpy|promql_parser)\.[a-z_]+\b|"
    r"\b(?:KeyError|TypeError|ValueError|AttributeError|IndexError|RecursionError|UnicodeEncodeError|"
    r"OverflowError|ZeroDivisionError|AssertionError|ValidationError|RuntimeError|OSError)\b"
)


def codes() -> frozenset[str]:
    """Every documented code but `internal`."""
    found: set[str] = set()
    kinds = [AiopsError]
    while kinds:
        kind = kinds.pop()
        kinds += kind.__subclasses__()
        found.add(kind.code)
    return frozenset(found - {"internal"})


@dataclass(frozen=True, slots=True)
class Seen:
    """What the lab saw of one call."""

    upstream: int = 0
    writes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Judge:
    """Holds answers against the invariants. `home`: a path of this machine that no answer may name."""

    home: str
    known: frozenset[str] = field(default_factory=codes)

    def faults(self, heard: Heard, *, sent: str = "", silent: bool = False) -> Iterator[str]:
        """Everything that is wrong with an answer; `sent`: what the caller said itself.

        `silent`: what was sent asks for no answer.
        """
        if heard.took_s > ANSWER_S:
            yield f"no answer within {ANSWER_S:.0f} s: {heard.took_s:.0f} s"
        if heard.status >= 500:
            yield f"HTTP {heard.status}: {heard.raw[:200]}"
        if heard.error:
            yield from self._protocol(heard)
        elif heard.result.get("isError"):
            yield from self._refused(heard)
        elif "result" not in heard.answer and heard.status in {0, 200} and not silent:
            yield f"neither result nor error: {heard.raw[:200]}"
        yield from self._inside(heard, sent)
        yield from (f"leaks {where}" for where in leaks_in(heard.raw))

    def _protocol(self, heard: Heard) -> Iterator[str]:
        code, says = heard.error.get("code"), str(heard.error.get("message", ""))
        if code not in PROTOCOL:
            yield f"JSON-RPC error {code}: {says[:200]}"
        if len(says) > LONGEST_ERROR:
            yield f"a JSON-RPC error of {len(says)} characters"

    def _refused(self, heard: Heard) -> Iterator[str]:
        if heard.code not in self.known:
            yield f"code {heard.code!r}: {heard.text[:300]}"
        if len(heard.text) > LONGEST_ERROR:
            yield f"an error of {len(heard.text)} characters"

    def _inside(self, heard: Heard, sent: str) -> Iterator[str]:
        for text in strings(heard.result):  # an id and the words of a protocol error are the caller's own
            if escape_untrusted(text) != text:
                yield f"raw characters: {text[:200]!r}"
                break
        refused = heard.text if heard.result.get("isError") else str(heard.error.get("message", ""))
        found = INSIDE.search(refused)
        if found and found.group() not in sent:
            yield f"tells of our inside: {found.group()!r} in {refused[:300]}"
        if self.home and self.home in heard.raw and self.home not in sent:
            yield "names a path of this machine"


def strings(value: Any) -> Iterator[str]:
    """Every text of a JSON value, keys among them."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, each in value.items():
            yield key
            yield from strings(each)
    elif isinstance(value, list):
        for each in value:
            yield from strings(each)
