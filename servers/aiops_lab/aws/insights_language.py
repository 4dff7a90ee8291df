"""The part of the Logs Insights query language that the suite uses, played as AWS documents it.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CWL_QuerySyntax.html: `fields`, `filter` with
comparisons, `like /regex/` or a substring, `in [...]`, `ispresent(...)`, and, or, not, parentheses; `sort`;
`limit`. Anything else is refused as a malformed query: a wrong answer would be worse. A field of a JSON
message is named by its path; one that is absent makes a comparison false, and `!=` and `not like` true.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from aiops_lab.aws.errors import AwsError

Row = Mapping[str, Any]
Test = Callable[[Row], bool]
LIMIT = 10_000
_TOKEN = re.compile(
    r"\s*(?:(?P<regex>/(?:\\.|[^/\\])+/)|(?P<text>\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*')"
    r"|(?P<number>-?\d+(?:\.\d+)?(?![\w.]))|(?P<word>@?[A-Za-z_][\w.@]*)|(?P<sign><=|>=|!=|=~|[=<>()\[\],]))"
)


@dataclass(frozen=True, slots=True)
class Parsed:
    """A query that can be run."""

    fields: tuple[str, ...] = ("@timestamp", "@message")
    tests: tuple[Test, ...] = ()
    sort: str = "@timestamp"
    descending: bool = True
    limit: int = LIMIT

    def run(self, rows: Sequence[Row]) -> list[Row]:
        """The rows that pass, in order."""
        kept = [row for row in rows if all(test(row) for test in self.tests)]
        kept.sort(key=lambda row: str(row.get(self.sort, "")), reverse=self.descending)
        return kept[: self.limit]


def malformed(why: str) -> AwsError:
    """`MalformedQueryException`, as StartQuery answers."""
    return AwsError("MalformedQueryException", f"Query has a syntax error: {why}")


def parse_query(text: str) -> Parsed:
    """Raises AwsError MalformedQueryException for what the lab does not play."""
    found = Parsed()
    for line in _commands(text):
        word, _, rest = line.partition(" ")
        match word.lower():
            case "fields" | "display":
                names = tuple(name.strip() for name in rest.split(","))
                found = Parsed(names, found.tests, found.sort, found.descending, found.limit)
            case "filter":
                tests = (*found.tests, _Reader(_tokens(rest)).whole())
                found = Parsed(found.fields, tests, found.sort, found.descending, found.limit)
            case "sort":
                name, _, order = rest.strip().partition(" ")
                down = order.strip().lower() == "desc"
                found = Parsed(found.fields, found.tests, name, down, found.limit)
            case "limit" if rest.strip().isdecimal():
                found = Parsed(found.fields, found.tests, found.sort, found.descending, int(rest))
            case _:
                raise malformed(f"unexpected symbol found {word} (the lab plays fields, filter, sort, limit)")
    return found


def _commands(text: str) -> list[str]:
    """The commands between pipes that stand outside of texts and regular expressions."""
    parts, start, quote = [], 0, ""
    for at, letter in enumerate(text):
        if quote:
            if letter == quote and text[at - 1] != "\\":
                quote = ""
        elif letter in "\"'" or (letter == "/" and text[:at].rstrip().endswith("like")):
            quote = letter
        elif letter == "|":
            parts.append(text[start:at])
            start = at + 1
    found = [part.strip() for part in (*parts, text[start:]) if part.strip()]
    if not found:
        raise malformed("the query is empty")
    return found


def _tokens(text: str) -> list[tuple[str, str]]:
    found, at = [], 0
    while at < len(text.rstrip()):
        match = _TOKEN.match(text, at)
        if match is None or match.lastgroup is None:
            raise malformed(f"unexpected symbol found {text[at : at + 20].strip()}")
        found.append((match.lastgroup, match.group(match.lastgroup)))
        at = match.end()
    return found


@dataclass(slots=True)
class _Reader:
    """Reads one condition: `or` binds less than `and`, `not` most."""

    tokens: list[tuple[str, str]]
    at: int = field(default=0)

    def whole(self) -> Test:
        """The condition. Raises AwsError where something is left."""
        test = self._either()
        if self.at < len(self.tokens):
            raise malformed(f"unexpected symbol found {self.tokens[self.at][1]}")
        return test

    def _next(self) -> tuple[str, str]:
        if self.at >= len(self.tokens):
            raise malformed("the query ends too early")
        self.at += 1
        return self.tokens[self.at - 1]

    def _took(self, word: str) -> bool:
        if self.at < len(self.tokens) and self.tokens[self.at][1].lower() == word:
            self.at += 1
            return True
        return False

    def _either(self) -> Test:
        tests = [self._both()]
        while self._took("or"):
            tests.append(self._both())
        return tests[0] if len(tests) == 1 else lambda row: any(test(row) for test in tests)

    def _both(self) -> Test:
        tests = [self._one()]
        while self._took("and"):
            tests.append(self._one())
        return tests[0] if len(tests) == 1 else lambda row: all(test(row) for test in tests)

    def _one(self) -> Test:
        if self._took("not"):
            inner = self._one()
            return lambda row: not inner(row)
        if self._took("("):
            inner = self._either()
            self._expect(")")
            return inner
        if self._took("ispresent"):
            self._expect("(")
            name = self._next()[1]
            self._expect(")")
            return lambda row: row.get(name) is not None
        return self._comparison()

    def _comparison(self) -> Test:
        kind, name = self._next()
        if kind != "word":
            raise malformed(f"unexpected symbol found {name}")
        negated = self._took("not")
        sign = self._next()[1].lower()
        if sign in {"like", "=~"}:
            test = _like(name, self._next())
        elif sign == "in":
            values = self._values()
            test = lambda row: _text(row.get(name)) in values  # noqa: E731  # as short as the others
        elif sign in {"=", "!=", "<", "<=", ">", ">="} and not negated:
            return _compared(name, sign, _plain(self._next()))
        else:
            raise malformed(f"unexpected symbol found {sign}")
        return (lambda row: not test(row)) if negated else test

    def _values(self) -> frozenset[str]:
        self._expect("[")
        found = [_plain(self._next())]
        while self._took(","):
            found.append(_plain(self._next()))
        self._expect("]")
        return frozenset(found)

    def _expect(self, sign: str) -> None:
        if not self._took(sign):
            raise malformed(f"{sign} is missing")


def _plain(token: tuple[str, str]) -> str:
    kind, text = token
    if kind == "text":
        return text[1:-1].replace('\\"', '"').replace("\\'", "'")
    if kind == "number":
        return text
    raise malformed(f"unexpected symbol found {text}")


def _like(name: str, token: tuple[str, str]) -> Test:
    kind, text = token
    if kind == "regex":
        pattern = re.compile(text[1:-1])
        return lambda row: bool(pattern.search(_text(row.get(name)))) if row.get(name) is not None else False
    wanted = _plain(token)
    return lambda row: wanted in _text(row.get(name))


def _compared(name: str, sign: str, wanted: str) -> Test:
    def test(row: Row) -> bool:
        value = row.get(name)
        if value is None:
            return sign == "!="
        if sign in {"=", "!="}:
            return (_text(value) == wanted) == (sign == "=")
        try:
            one, other = float(_text(value)), float(wanted)
        except ValueError:
            return False
        return {"<": one < other, "<=": one <= other, ">": one > other, ">=": one >= other}[sign]

    return test


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "1" if value else "0"
    return "" if value is None else str(value)
