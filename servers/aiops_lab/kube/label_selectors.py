"""Label selectors as text: tokens and grammar of k8s.io/apimachinery/pkg/labels, errors and all."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from aiops_lab.kube.errors import ApiError, bad_request
from aiops_lab.kube.gotext import quoted
from aiops_lab.kube.naming import key_problem, label_value_problem
from aiops_lab.kube.wire import Obj, dig

Matches = Callable[[Obj], bool]

_SYMBOLS = ("==", "!=", "!", "=", ">", "<", "(", ")", ",")
_WORD = re.compile(r"[^\s=!(),<>]+")
_OPERATORS = frozenset({"=", "==", "!=", "in", "notin", ">", "<"})
_ORDER = ("=", "!=", "==", "in", "notin", ">", "<")
_END = ""


@dataclass(frozen=True)
class Requirement:
    """One key and what it must be."""

    key: str
    values: frozenset[str] | None  # None: any value, the key alone counts
    wanted: bool
    compared: str = ""  # `>` or `<` a whole number

    def holds(self, labels: dict[str, str]) -> bool:
        """`!=` and `notin` also hold where the label is missing."""
        if self.compared:
            return self._compares(labels.get(self.key, ""))
        there = self.key in labels and (self.values is None or labels[self.key] in self.values)
        return there == self.wanted

    def _compares(self, held: str) -> bool:
        limit = int(next(iter(self.values or {"0"})))
        if not re.fullmatch(r"-?[0-9]+", held):
            return False
        return int(held) > limit if self.compared == ">" else int(held) < limit


def _tokens(text: str) -> list[str]:
    found, at = [], 0
    while at < len(text):
        if text[at].isspace():
            at += 1
            continue
        symbol = next((one for one in _SYMBOLS if text.startswith(one, at)), None)
        if symbol is None and (word := _WORD.match(text, at)):
            symbol = word[0]
        found.append(symbol or text[at])
        at += len(found[-1])
    return found


class _Parser:
    def __init__(self, text: str) -> None:
        self._tokens = _tokens(text)

    def _next(self) -> str:
        return self._tokens.pop(0) if self._tokens else _END

    @property
    def _ahead(self) -> str:
        return self._tokens[0] if self._tokens else _END

    def parse(self) -> list[Requirement]:
        found: list[Requirement] = []
        while True:
            ahead = self._ahead
            if ahead == _END and not found:
                return found
            if ahead != "!" and not _is_word(ahead):
                raise bad_request(f"found '{ahead}', expected: !, identifier, or 'end of string'")
            found.append(self._requirement())
            following = self._next()
            if following == _END:
                return found
            if following != ",":
                raise bad_request(f"found '{following}', expected: ',' or 'end of string'")
            if self._ahead != "!" and not _is_word(self._ahead):
                raise bad_request(f"found '{self._ahead}', expected: identifier after ','")

    def _requirement(self) -> Requirement:
        absent = self._ahead == "!"
        if absent:
            self._next()
        key = self._next()
        if not _is_word(key):
            raise _unparsed(f"found '{key}', expected: identifier")
        if problem := key_problem(key):
            raise _unparsed(f"<nil>: Invalid value: {quoted(key)}: {problem}")
        if absent or self._ahead in {_END, ","}:
            if absent and self._ahead not in {_END, ","}:
                raise bad_request(f"found '{self._ahead}', expected: ',' or 'end of string'")
            return Requirement(key, None, not absent)
        return self._compared(key)

    def _compared(self, key: str) -> Requirement:
        operator = self._next()
        if operator not in _OPERATORS:
            raise _unparsed(f"found '{operator}', expected: {', '.join(_ORDER)}")
        values = self._set() if operator in {"in", "notin"} else {self._value()}
        if operator in {">", "<"}:
            if not re.fullmatch(r"[+-]?[0-9]+", next(iter(values))):
                words = "for 'Gt', 'Lt' operators, the value must be an integer"
                raise _unparsed(f"values[0]: Invalid value: {quoted(next(iter(values)))}: {words}")
            return Requirement(key, frozenset(values), True, operator)
        for index, value in enumerate(sorted(values)):
            if problem := label_value_problem(value):
                raise _unparsed(f"values[{index}][{key}]: Invalid value: {quoted(value)}: {problem}")
        return Requirement(key, frozenset(values), operator not in {"!=", "notin"})

    def _value(self) -> str:
        """One value; none at all is the empty one."""
        if self._ahead in {_END, ","}:
            return ""
        value = self._next()
        if not _is_word(value):
            raise _unparsed(f"found '{value}', expected: identifier")
        return value

    def _set(self) -> set[str]:
        if (opening := self._next()) != "(":
            raise _unparsed(f"found '{opening}' expected: '('")
        values: set[str] = set()
        while True:
            if _is_word(self._ahead):
                values.add(self._next())
            elif self._ahead in {",", ")"}:
                values.add("")
            following = self._next()
            if following == ")":
                return values
            if following != ",":
                raise _unparsed(f"found '{following}', expected: ',' or ')'")


def _is_word(token: str) -> bool:
    return bool(_WORD.fullmatch(token))


def _unparsed(words: str) -> ApiError:
    return bad_request(f"unable to parse requirement: {words}")


def parse_labels(text: str | None) -> Matches | None:
    """Compile a label selector; None when it selects everything. Raises ApiError 400."""
    requirements = _Parser(text or "").parse()
    if not requirements:
        return None
    return lambda obj: _all_hold(requirements, obj)


def _all_hold(requirements: list[Requirement], obj: Obj) -> bool:
    labels = dig(obj, "metadata", "labels", default={})
    return all(requirement.holds(labels) for requirement in requirements)


def matches_selector(selector: Obj | None, labels: dict[str, str]) -> bool:
    """Whether a LabelSelector object (matchLabels, matchExpressions) selects these labels.

    An empty selector selects everything, an absent one nothing (metav1.LabelSelectorAsSelector).
    """
    if selector is None:
        return False
    if any(labels.get(key) != value for key, value in (selector.get("matchLabels") or {}).items()):
        return False
    for expression in selector.get("matchExpressions") or []:
        operator, values = expression.get("operator"), expression.get("values")
        bare = operator in {"Exists", "DoesNotExist"}
        wanted = operator in {"Exists", "In"}
        members = None if bare else frozenset(values or ())
        if not Requirement(expression.get("key", ""), members, wanted).holds(labels):
            return False
    return True
