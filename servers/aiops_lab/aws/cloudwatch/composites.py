"""The rules of composite alarms: `ALARM("a") AND (ALARM(b) OR NOT OK("c"))`, TRUE and FALSE.

"AlarmRule" of PutCompositeAlarm in the CloudWatch API reference. Names may be ARNs; quotes may be left out
for names without spaces and brackets.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from aiops_lab.aws.cloudwatch.stats import invalid
from aiops_lab.telemetry.alarms import STATES

_TOKEN = re.compile(r"""\s*("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[()]|[^\s()"']+)""")


@dataclass(frozen=True, slots=True)
class Rule:
    """`kind`: a state (its `name` an alarm), AND, OR, NOT, TRUE, FALSE."""

    kind: str
    name: str = ""
    parts: tuple["Rule", ...] = ()

    def walk(self) -> Iterator["Rule"]:
        """It and all below it."""
        yield self
        for part in self.parts:
            yield from part.walk()


def parse(text: str) -> Rule:
    """The rule of a text. Raises AwsError ValidationError."""
    words: list[str] = []
    at = 0
    while text[at:].strip():
        found = _TOKEN.match(text, at)
        if found is None:
            raise _wrong(text)
        words.append(found[1])
        at = found.end()
    rule, left = _either(words, text)
    if left:
        raise _wrong(text)
    return rule


def names_in(rule: Rule) -> list[str]:
    """The alarms that a rule asks for."""
    return sorted({one.name for one in rule.walk() if one.kind in STATES})


def holds(rule: Rule, state: Callable[[str], str]) -> bool:
    """Whether a rule is true, when `state` says what the alarms are in."""
    if rule.kind == "AND":
        return all(holds(part, state) for part in rule.parts)
    if rule.kind == "OR":
        return any(holds(part, state) for part in rule.parts)
    if rule.kind == "NOT":
        return not holds(rule.parts[0], state)
    return rule.kind == "TRUE" or (rule.kind in STATES and state(rule.name) == rule.kind)


def _wrong(text: str) -> Exception:
    return invalid(f"AlarmRule is not valid: {text}")


def _either(words: list[str], text: str) -> tuple[Rule, list[str]]:
    return _joined("OR", _both, words, text)


def _both(words: list[str], text: str) -> tuple[Rule, list[str]]:
    return _joined("AND", _one, words, text)


def _joined(
    sign: str, inner: Callable[[list[str], str], tuple[Rule, list[str]]], words: list[str], text: str
) -> tuple[Rule, list[str]]:
    found, rest = inner(words, text)
    parts = [found]
    while rest and rest[0].upper() == sign:
        found, rest = inner(rest[1:], text)
        parts.append(found)
    return (parts[0] if len(parts) == 1 else Rule(sign, "", tuple(parts))), rest


def _one(words: list[str], text: str) -> tuple[Rule, list[str]]:
    if not words:
        raise _wrong(text)
    first, rest = words[0].upper(), words[1:]
    if first == "NOT":
        inner, rest = _one(rest, text)
        return Rule("NOT", "", (inner,)), rest
    if first == "(":
        inner, rest = _either(rest, text)
        if not rest or rest[0] != ")":
            raise _wrong(text)
        return inner, rest[1:]
    if first in {"TRUE", "FALSE"}:
        return Rule(first), rest
    if first not in STATES or len(rest) < 3 or (rest[0], rest[2]) != ("(", ")"):
        raise _wrong(text)
    return Rule(first, _name(rest[1])), rest[3:]


def _name(word: str) -> str:
    """An alarm's name; of an ARN its end."""
    bare = word.strip("\"'")
    return bare.partition(":alarm:")[2] or bare
