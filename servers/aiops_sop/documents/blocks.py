"""One YAML mapping of a SOP, read safely and strictly: no tags, no bombs, no unknown or doubled keys.

Called by the parser for the front matter and for each step's block. Raises SopInvalidError with the file's
own line.
"""

import re
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any, Final, NoReturn

from aiops_shared.errors import InvalidInputError, SopInvalidError
from aiops_shared.kube.manifests import load_with_nodes
from aiops_sop.documents.durations import duration_s

Json = Any
_LINE: Final = re.compile(r"line (\d+)")


def invalid(source: str, line: int, reason: str, hint: str = "") -> NoReturn:
    """Refuse a file: `file:line: reason`."""
    raise SopInvalidError(f"{source}:{line}", reason, hint)


@dataclass(frozen=True)
class Block:
    """A mapping and where its keys stand."""

    source: str
    line: int  # of its first line
    values: dict[str, Json]
    lines: dict[str, int]

    def at(self, key: str) -> int:
        """The line of a key; the block's own without it."""
        return self.lines.get(key, self.line)

    def fail(self, key: str, reason: str, hint: str = "") -> NoReturn:
        """Refuse the file for one key."""
        invalid(self.source, self.at(key), f"{key} {reason}", hint)

    def known(self, names: AbstractSet[str]) -> None:
        """Refuse keys that mean nothing here."""
        if more := sorted(set(self.values) - names):
            word = "".join(char if char.isprintable() else "?" for char in more[0])[:40]
            invalid(
                self.source, self.at(more[0]), f"unknown key {word}", f"known: {', '.join(sorted(names))}"
            )

    def text(self, key: str, default: str = "", *, most: int = 4000) -> str:
        """A text; numbers and truths are not taken for one."""
        value = self.values.get(key, default)
        if not isinstance(value, str) or len(value) > most:
            self.fail(key, f"is no text of at most {most} characters")
        return value.strip()

    def word(self, key: str, among: tuple[str, ...], default: str) -> str:
        """One of some words."""
        value = self.values.get(key, default)
        if not isinstance(value, str) or value not in among:
            self.fail(key, "is unknown", f"one of {', '.join(among)}")
        return value

    def texts(self, key: str, *, most: int = 50) -> tuple[str, ...]:
        """A list of texts; one text stands for a list of it."""
        value = self.values.get(key, [])
        found = [value] if isinstance(value, str) else value
        if not isinstance(found, list) or len(found) > most or not all(isinstance(one, str) for one in found):
            self.fail(key, f"is no list of at most {most} texts")
        return tuple(found)

    def mapping(self, key: str) -> dict[str, Json]:
        """A mapping; empty without it."""
        value = self.values.get(key, {})
        if not isinstance(value, dict):
            self.fail(key, "is no mapping")
        return value

    def number(self, key: str, default: int, least: int, most: int) -> int:
        """A whole number within bounds."""
        value = self.values.get(key, default)
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            self.fail(key, f"is no whole number from {least} to {most}")
        return value

    def seconds(self, key: str, default: float) -> float:
        """A stretch of time, as 8m."""
        if key not in self.values:
            return default
        try:
            return duration_s(str(self.values[key]))
        except InvalidInputError as problem:
            self.fail(key, problem.reason, problem.hint)

    def within(self, key: str) -> "Block":
        """A mapping under a key, as a block of its own."""
        return Block(self.source, self.at(key), self.mapping(key), {})


def load_block(text: str, source: str, line: int) -> Block:
    """The mapping that a YAML text holds; `line` is the file's line of its first one."""
    try:
        pairs, more = load_with_nodes(text, most=1)
    except InvalidInputError as problem:
        found = _LINE.search(problem.thing)
        invalid(source, line + (int(found[1]) - 1 if found else 0), f"YAML {problem.reason}", problem.hint)
    if more or not pairs:
        invalid(source, line, "YAML holds no mapping, or several documents", "write one mapping")
    node, values = pairs[0]
    lines = {str(key.value): line + key.start_mark.line for key, _ in node.value}
    return Block(source, line, values, lines)
