"""The filter for log lines: a literal or a regular expression that always matches in linear time.

Called by the log reader before any request. Patterns run on the Rust regex engine that pydantic brings: no
back-references, no look-around, no backtracking, so no pattern can hang the server (BI-036). Nested
quantifiers and long patterns are refused all the same: nobody means them.
"""

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from pydantic_core import SchemaError, SchemaValidator, core_schema

from aiops_shared.errors import InvalidInputError

LONGEST_PATTERN = 200
LONGEST_LINE = 2_000  # characters of a line that are searched
MOST_SECONDS = 1.5
_NESTED = re.compile(r"[+*}]\)[+*{]|\)[+*]\)[+*{]")
_LARGE_COUNT = re.compile(r"\{(?:\d{3,}|\d*,\d{3,})")
_HINT = "a literal or a simple pattern such as 'timeout|refused' or 'status=5..'; escape others with \\"

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Found:
    """How many of the texts were searched within the time, and which of them match."""

    matching: frozenset[int]
    searched: int


@dataclass(frozen=True, slots=True)
class Search:
    """A compiled filter, blind to case."""

    validator: SchemaValidator

    def among(self, texts: Sequence[str], most_s: float = MOST_SECONDS) -> Found:
        """The positions that match, newest (last) first until the time is up."""
        until = time.monotonic() + most_s
        matching = set()
        for done, at in enumerate(range(len(texts) - 1, -1, -1)):
            if self.validator.isinstance_python(texts[at][:LONGEST_LINE]):
                matching.add(at)
            if time.monotonic() > until:
                return Found(frozenset(matching), done + 1)
        return Found(frozenset(matching), len(texts))


def compiled(pattern: str) -> Search:
    """The filter for a pattern. Raises InvalidInputError for one that is not simple."""
    if not pattern.isprintable() or len(pattern) > LONGEST_PATTERN:
        raise InvalidInputError("grep", f"takes at most {LONGEST_PATTERN} printable characters", _HINT)
    if _NESTED.search(pattern) or _LARGE_COUNT.search(pattern):
        raise InvalidInputError("grep", "nested or very large repetition", _HINT)
    try:
        rule = core_schema.str_schema(pattern=f"(?i){pattern}", regex_engine="rust-regex")
        return Search(SchemaValidator(rule))
    except SchemaError:
        raise InvalidInputError("grep", "not a pattern of this kind", _HINT) from None
