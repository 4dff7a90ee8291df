"""Metric math as text, and as a tree: "Using metric math" in the CloudWatch user guide.

Called by `maths` (which evaluates the tree) and by `alarms` (which metrics an expression needs).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from aiops_lab.aws.cloudwatch.stats import invalid

_TOKEN = re.compile(
    r"""\s*(?:(?P<number>\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+)|(?P<name>[A-Za-z_][A-Za-z0-9_]*)"""
    r"""|(?P<text>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")|(?P<sign>==|!=|<=|>=|&&|\|\||[-+*/^()<>,\[\]]))"""
)
_LEVELS: tuple[tuple[str, ...], ...] = (
    ("||", "OR"),
    ("&&", "AND"),
    ("==", "!=", "<", "<=", ">", ">="),
    ("+", "-"),
    ("*", "/"),
)
_WORDS = {"OR": "||", "AND": "&&"}


@dataclass(frozen=True, slots=True)
class Node:
    """One node: `kind` number | text | name | call | list | operation; `word` its value, name or sign."""

    kind: str
    word: str
    parts: tuple["Node", ...] = ()

    def walk(self) -> Iterator["Node"]:
        """It and all below it."""
        yield self
        for part in self.parts:
            yield from part.walk()


def parse(expression: str, query_id: str) -> Node:
    """The tree of an expression. Raises AwsError for one that does not parse."""
    reader = _Reader(expression, query_id)
    tree = reader.level(0)
    reader.expect("")
    return tree


def ids_in(tree: Node) -> set[str]:
    """The ids of other queries that it names."""
    return {node.word for node in tree.walk() if node.kind == "name"}


class _Reader:
    def __init__(self, text: str, query_id: str) -> None:
        self._id, self._text = query_id, text
        self._tokens = list(self._split(text))
        self._at = 0

    def _split(self, text: str) -> Iterator[tuple[str, str]]:
        at = 0
        while text[at:].strip():
            found = _TOKEN.match(text, at)
            if found is None or found.lastgroup is None:
                raise self._error(f"Unexpected character at position {at}")
            yield found.lastgroup, found[found.lastgroup]
            at = found.end()

    def _error(self, why: str) -> Exception:
        return invalid(f"Error in expression '{self._id}': {why}")

    @property
    def _next(self) -> tuple[str, str]:
        return self._tokens[self._at] if self._at < len(self._tokens) else ("end", "")

    def _take(self) -> tuple[str, str]:
        token = self._next
        self._at += 1
        return token

    def expect(self, sign: str) -> None:
        if self._take()[1] != sign:
            raise self._error(
                "Syntax Error" if sign else f"Syntax Error near '{self._tokens[self._at - 1][1]}'"
            )

    def level(self, depth: int) -> Node:
        """Operators of one precedence, from the left."""
        if depth == len(_LEVELS):
            return self._power()
        left = self.level(depth + 1)
        while self._next[0] in {"sign", "name"} and self._next[1] in _LEVELS[depth]:
            sign = self._take()[1]
            left = Node("operation", _WORDS.get(sign, sign), (left, self.level(depth + 1)))
        return left

    def _power(self) -> Node:
        if self._next == ("sign", "-"):
            self._take()
            return Node("operation", "-", (Node("number", "0"), self._power()))
        left = self._atom()
        if self._next == ("sign", "^"):
            self._take()
            return Node("operation", "^", (left, self._power()))
        return left

    def _atom(self) -> Node:
        kind, word = self._take()
        if kind == "text":
            return Node("text", word[1:-1])
        if kind == "number":
            return Node("number", word)
        if kind == "name":
            return (
                Node("call", word.upper(), self._until(")")) if self._next[1] == "(" else Node("name", word)
            )
        if word == "(":
            inner = self.level(0)
            self.expect(")")
            return inner
        if word == "[":
            self._at -= 1
            return Node("list", "", self._until("]"))
        raise self._error("Syntax Error")

    def _until(self, closing: str) -> tuple[Node, ...]:
        """Arguments between brackets; the opening one is next."""
        self._take()
        found: list[Node] = []
        while self._next[1] != closing:
            found.append(self.level(0))
            if self._next[1] == ",":
                self._take()
            elif self._next[1] != closing:
                raise self._error("Syntax Error")
        self.expect(closing)
        return tuple(found)
