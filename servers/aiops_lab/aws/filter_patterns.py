"""CloudWatch Logs filter patterns, as FilterLogEvents takes them.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html: terms that must all be
there, `?terms` of which one must be, `-terms` that must not, quoted phrases, `%regular expression%`, JSON
conditions `{ $.status >= 500 && $.level = "ERR*" }`, and columns `[ip, user, status = 5*, size > 100]`.
Everything is case-sensitive. What is none of it is refused, as AWS does.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

import orjson

from aiops_lab.aws.errors import AwsError

Test = Callable[[str], bool]
_TERM = re.compile(
    r'\s*(?P<sign>[?-]?)(?:"(?P<phrase>(?:\\.|[^"\\])*)"|%(?P<regex>[^%]+)%|(?P<word>[^\s"]+))'
)
_JSON = re.compile(
    r"\s*(?:(?P<path>\$(?:\.[\w@-]+|\[\d+\]|\[\"[^\"]+\"\])+)|(?P<text>\"(?:\\.|[^\"\\])*\")|%(?P<regex>[^%]+)%"
    r"|(?P<sign>&&|\|\||!=|<=|>=|[=<>()])|(?P<word>[^\s()&|=<>!\"]+))"
)


def refused(why: str) -> AwsError:
    """`InvalidParameterException`, as FilterLogEvents answers a pattern that it cannot read."""
    return AwsError("InvalidParameterException", f"Invalid filter pattern: {why}")


def compiled(pattern: str) -> Test:
    """The test of a pattern. Raises AwsError InvalidParameterException."""
    text = pattern.strip()
    if not text:
        return lambda message: True
    if text.startswith("{"):
        if not text.endswith("}"):
            raise refused("} is missing")
        return _json(text[1:-1])
    if text.startswith("["):
        if not text.endswith("]"):
            raise refused("] is missing")
        return _columns(text[1:-1])
    return _terms(text)


def _terms(text: str) -> Test:
    every: list[Test] = []
    some: list[Test] = []
    none: list[Test] = []
    at = 0
    while at < len(text):
        match = _TERM.match(text, at)
        if match is None:
            raise refused(f"Invalid character(s) in term '{text[at : at + 20]}'")
        {"": every, "?": some, "-": none}[match["sign"]].append(_term(match))
        at = match.end()

    def test(message: str) -> bool:
        if any(one(message) for one in none) or not all(one(message) for one in every):
            return False
        return not some or bool(every) or any(one(message) for one in some)

    return test


def _term(match: re.Match[str]) -> Test:
    if match["regex"] is not None:
        search = _regex(match["regex"]).search
        return lambda message: search(message) is not None
    if match["phrase"] is not None:
        phrase = match["phrase"].replace('\\"', '"')
        return lambda message: phrase in message
    word = match["word"]
    if re.fullmatch(r"\w+", word) is None:
        raise refused(f"Invalid character(s) in term '{word}'")
    return lambda message: word in message


def _regex(text: str) -> re.Pattern[str]:
    try:
        return re.compile(text)
    except re.error as error:
        raise refused(f"invalid regular expression ({error})") from error


@dataclass(slots=True)
class _Json:
    """Reads a condition on a JSON line: `||` binds less than `&&`."""

    tokens: list[tuple[str, str]]
    at: int = 0

    def took(self, sign: str) -> bool:
        if self.at < len(self.tokens) and self.tokens[self.at][1].upper() == sign:
            self.at += 1
            return True
        return False

    def next(self, *kinds: str) -> tuple[str, str]:
        if self.at >= len(self.tokens) or (kinds and self.tokens[self.at][0] not in kinds):
            raise refused("a condition is $.field = value")
        self.at += 1
        return self.tokens[self.at - 1]

    def either(self) -> Callable[[Any], bool]:
        parts = [self.both()]
        while self.took("||"):
            parts.append(self.both())
        return lambda value: any(part(value) for part in parts)

    def both(self) -> Callable[[Any], bool]:
        parts = [self.one()]
        while self.took("&&"):
            parts.append(self.one())
        return lambda value: all(part(value) for part in parts)

    def one(self) -> Callable[[Any], bool]:
        if self.took("("):
            inner = self.either()
            if not self.took(")"):
                raise refused(") is missing")
            return inner
        path = self.next("path")[1]
        if self.took("IS"):
            return self._is(path)
        if self.took("EXISTS"):
            return lambda value: _at(value, path)[0]
        if self.took("NOT"):
            if not self.took("EXISTS"):
                raise refused("NOT stands before EXISTS")
            return lambda value: not _at(value, path)[0]
        sign = self.next("sign")[1]
        kind, wanted = self.next("text", "word", "regex")
        return _condition(path, sign, kind, wanted)

    def _is(self, path: str) -> Callable[[Any], bool]:
        word = self.next("word")[1].upper()
        wanted = {"NULL": None, "TRUE": True, "FALSE": False}
        if word not in wanted:
            raise refused("IS takes NULL, TRUE or FALSE")
        return lambda value: _at(value, path) == (True, wanted[word])


def _json(text: str) -> Test:
    found: list[tuple[str, str]] = []
    at, text = 0, text.strip()
    while at < len(text):
        match = _JSON.match(text, at)
        if match is None or match.lastgroup is None:
            raise refused(f"Invalid character(s) in term '{text[at : at + 20]}'")
        found.append((match.lastgroup, match[match.lastgroup]))
        at = match.end()
    reader = _Json(found)
    condition = reader.either()
    if reader.at < len(found):
        raise refused(f"Invalid character(s) in term '{found[reader.at][1]}'")

    def test(message: str) -> bool:
        try:
            value = orjson.loads(message)
        except orjson.JSONDecodeError:
            return False
        return isinstance(value, dict) and condition(value)

    return test


def _at(value: Any, path: str) -> tuple[bool, Any]:
    """Whether a path is there, and what stands there."""
    for name, number, quoted in re.findall(r"\.([\w@-]+)|\[(\d+)\]|\[\"([^\"]+)\"\]", path):
        key: Any = int(number) if number else name or quoted
        listed = isinstance(value, list) and isinstance(key, int) and key < len(value)
        if not listed and not (isinstance(value, dict) and key in value):
            return False, None
        value = value[key]
    return True, value


def _condition(path: str, sign: str, kind: str, wanted: str) -> Callable[[Any], bool]:
    def test(value: Any) -> bool:
        there, found = _at(value, path)
        return there and _holds(found, sign, kind, wanted)

    return test


def _holds(found: Any, sign: str, kind: str, wanted: str) -> bool:
    if sign in {"=", "!="}:
        return _equal(found, kind, wanted) == (sign == "=")
    try:
        one, other = float(found), float(wanted.strip('"'))
    except (TypeError, ValueError):
        return False
    return {"<": one < other, "<=": one <= other, ">": one > other, ">=": one >= other}[sign]


def _equal(found: Any, kind: str, wanted: str) -> bool:
    if kind == "regex":
        return re.search(wanted, str(found)) is not None
    if kind == "text":
        return isinstance(found, str) and fnmatchcase(found, _literal(wanted[1:-1]))
    if isinstance(found, bool):
        return str(found).lower() == wanted.lower()
    if isinstance(found, int | float):
        return fnmatchcase(str(found), _literal(wanted)) or _number(wanted) == found
    return fnmatchcase(str(found), _literal(wanted))


def _literal(text: str) -> str:
    """Only `*` is a wild card."""
    return text.replace("[", "[[]").replace("?", "[?]")


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _columns(text: str) -> Test:
    """`[ip, user, status = 5*, ...]`: what stands between blanks, brackets and quotes, by place."""
    tests: list[Callable[[str], bool] | None] = []
    for part in text.split(","):
        match = re.fullmatch(
            r"\s*(?:\.\.\.|(\w+)\s*(?:(=|!=|<=|>=|<|>)\s*(?:\"([^\"]*)\"|%([^%]+)%|(\S+)))?)\s*", part
        )
        if match is None:
            raise refused(f"Invalid character(s) in term '{part.strip()[:20]}'")
        if part.strip() == "...":
            tests.append(None)
            continue
        tests.append(_column(match))
    if tests.count(None) > 1:
        raise refused("... may stand once")

    def test(message: str) -> bool:
        words = [a or b or c for a, b, c in re.findall(r"\[([^\]]*)\]|\"([^\"]*)\"|(\S+)", message)]
        return _places(tests, words)

    return test


def _column(match: re.Match[str]) -> Callable[[str], bool]:
    sign = match[2]
    if not sign:
        return lambda word: True
    if match[4] is not None:
        search = _regex(match[4]).search
        return lambda word: (search(word) is not None) == (sign == "=")
    kind, wanted = ("text", f'"{match[3]}"') if match[3] is not None else ("word", match[5])
    return lambda word: _holds(word, sign, kind, wanted)


def _places(tests: list[Callable[[str], bool] | None], words: list[str]) -> bool:
    if None in tests:
        gap = tests.index(None)
        missing = len(words) - (len(tests) - 1)
        if missing < 0:
            return False
        words = [*words[:gap], *words[gap + missing :]]
        tests = [one for one in tests if one is not None]
    return len(tests) == len(words) and all(
        one is None or one(word) for one, word in zip(tests, words, strict=True)
    )
