"""SEARCH expressions: which metrics of a dimension set match some words.

"CloudWatch search expression syntax" in the user guide: `{Namespace,Dimension,…}` is the exact set of
dimensions, `Name="value"` an exact value, a bare word or `Name=word` matches tokens; AND (also by standing
side by side), OR, NOT and brackets.
"""

import re
from collections.abc import Callable, Iterator

from aiops_lab.aws.cloudwatch.book import Book, CloudMetric
from aiops_lab.aws.cloudwatch.stats import invalid

MOST_FOUND = 100  # "Search expression quotas"
MOST_CHARACTERS = 1024
_SCHEMA = re.compile(r"\s*\{([^}]*)\}(.*)$", re.DOTALL)
_TERM = re.compile(r'\s*(\(|\)|(?:[\w.:/-]+\s*=\s*)?(?:"[^"]*"|[\w.:/*-]+))')
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")
Test = Callable[[CloudMetric], bool]


def searched(book: Book, text: str) -> list[CloudMetric]:
    """The metrics that a search finds, at most 100. Raises AwsError for one that does not parse."""
    found = _SCHEMA.match(text)
    if len(text) > MOST_CHARACTERS or found is None:
        raise invalid("Invalid SEARCH: it needs a schema in braces and at most 1024 characters")
    schema = [part.strip().strip('"') for part in found[1].split(",")]
    namespace, names = schema[0], set(schema[1:])
    words = list(_terms(found[2]))
    test, left = _either(words) if words else (lambda _: True, [])
    if left:
        raise invalid(f"Invalid SEARCH near {left[0]}")
    matching = [
        one
        for one in book.by_key.values()
        if one.namespace == namespace and {name for name, _ in one.dimensions} == names and test(one)
    ]
    return sorted(matching, key=lambda one: one.key)[:MOST_FOUND]


def _terms(text: str) -> Iterator[str]:
    at = 0
    while text[at:].strip():
        found = _TERM.match(text, at)
        if found is None:
            raise invalid(f"Invalid SEARCH near {text[at : at + 20]!r}")
        yield found[1]
        at = found.end()


def _either(words: list[str]) -> tuple[Test, list[str]]:
    left, rest = _both(words)
    while rest and rest[0] == "OR":
        right, rest = _both(rest[1:])
        left = _or(left, right)
    return left, rest


def _both(words: list[str]) -> tuple[Test, list[str]]:
    left, rest = _one(words)
    while rest and rest[0] not in {"OR", ")"}:
        right, rest = _one(rest[1:] if rest[0] == "AND" else rest)
        left = _and(left, right)
    return left, rest


def _one(words: list[str]) -> tuple[Test, list[str]]:
    if not words:
        raise invalid("Invalid SEARCH: it ends too early")
    first, rest = words[0], words[1:]
    if first == "NOT":
        inner, rest = _one(rest)
        return (lambda one: not inner(one)), rest
    if first == "(":
        inner, rest = _either(rest)
        if not rest or rest[0] != ")":
            raise invalid("Invalid SEARCH: a bracket is not closed")
        return inner, rest[1:]
    return _term(first), rest


def _term(text: str) -> Test:
    name, sign, value = (part.strip() for part in text.partition("="))
    if not sign:
        name, value = "", text
    exact, word = value.startswith('"'), value.strip('"')
    wanted = _tokens(word)

    def fits(one: CloudMetric) -> bool:
        fields = _fields(one)
        held = [fields[name]] if name in fields else ([] if name else list(fields.values()))
        if exact:
            return any(value == word for value in held)
        return any(wanted <= _tokens(value) for value in held)

    return fits


def _fields(one: CloudMetric) -> dict[str, str]:
    return {"MetricName": one.name, "Namespace": one.namespace, **dict(one.dimensions)}


def _tokens(text: str) -> set[str]:
    return {word.lower() for word in _WORD.findall(text)} | {text.lower()}


def _or(left: Test, right: Test) -> Test:
    return lambda one: left(one) or right(one)


def _and(left: Test, right: Test) -> Test:
    return lambda one: left(one) and right(one)
