"""Expressions of the Logs Insights query language: fields, comparisons, arithmetic, functions.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CWL_QuerySyntax-operations-functions.html. An
expression is a function of a row; what the lab does not know is refused as a malformed query: a wrong answer
would be worse. A field that is absent makes a comparison false, and `!=`, `not like` and `not in` true.
PPL and SQL (`insights_dialects.py`) are read by the same reader under other words.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from aiops_lab.aws.errors import AwsError

Row = Mapping[str, Any]
Expression = Callable[[Row], Any]
Token = tuple[str, str]
_TOKEN = re.compile(
    r"\s*(?:(?P<text>\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*')|(?P<quoted>`[^`]*`)"
    r"|(?P<span>\d+(?:ms|mo|[smhdwqy])(?!\w))|(?P<number>\d+(?:\.\d+)?(?![\w.]))"
    r"|(?P<word>@?[A-Za-z_][\w.@]*)|(?P<sign><=|>=|!=|<>|==|=~|[=<>()\[\],+*/%|-]))"
)
_REGEX = re.compile(r"\s*/((?:\\.|[^/\\])+)/")
_SPAN_S = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
COMPARISONS = {"=", "==", "!=", "<>", "<", "<=", ">", ">="}
RESERVED = {"and", "or", "not", "in", "like", "as", "by"}
TIME_FORM = "%Y-%m-%d %H:%M:%S.%f"


def malformed(why: str) -> AwsError:
    """`MalformedQueryException`, as StartQuery answers."""
    return AwsError("MalformedQueryException", f"Query has a syntax error: {why}")


def plain(value: Any) -> str:
    """A value as Insights writes it."""
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else f"{value:.4f}".rstrip("0")
    return "" if value is None else str(value)


def number(value: Any) -> float | None:
    """A value as a number, where it is one."""
    if isinstance(value, int | float):
        return float(value)
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


def tokens(text: str) -> list[Token]:
    """The words of a command; a regular expression stands only after `like`, `=~`, `parse` and a field."""
    found: list[Token] = []
    at, end = 0, len(text.rstrip())
    while at < end:
        regex = _REGEX.match(text, at) if _wants_regex(found) else None
        if regex is not None:
            found.append(("regex", regex[1]))
            at = regex.end()
            continue
        match = _TOKEN.match(text, at)
        if match is None or match.lastgroup is None:
            raise malformed(f"unexpected symbol found {text[at : at + 20].strip()}")
        found.append((match.lastgroup, match.group(match.lastgroup)))
        at = match.end()
    return found


def _wants_regex(found: Sequence[Token]) -> bool:
    if not found:
        return False
    if found[-1][1].lower() in {"like", "=~"}:
        return True
    return len(found) <= 2 and found[0][1].lower() == "parse"


def compiled(pattern: str) -> re.Pattern[str]:
    """A regular expression as Insights writes it: named groups are `(?<name>…)`."""
    try:
        return re.compile(re.sub(r"\(\?<(?=[A-Za-z_])", "(?P<", pattern))
    except re.error as error:
        raise malformed(f"invalid regular expression ({error})") from error


@dataclass(slots=True)
class Reader:
    """Reads expressions off a list of tokens."""

    tokens: Sequence[Token]
    at: int = 0

    def left(self) -> bool:
        """Whether something follows."""
        return self.at < len(self.tokens)

    def peek(self) -> str:
        """The next token in small letters, or nothing."""
        return self.tokens[self.at][1].lower() if self.left() else ""

    def next(self) -> Token:
        """Take a token. Raises AwsError at the end."""
        if not self.left():
            raise malformed("the query ends too early")
        self.at += 1
        return self.tokens[self.at - 1]

    def took(self, *words: str) -> bool:
        """Take these words if they follow."""
        here = [token[1].lower() for token in self.tokens[self.at : self.at + len(words)]]
        if here != list(words):
            return False
        self.at += len(words)
        return True

    def expect(self, word: str) -> None:
        """Take a word. Raises AwsError where another follows."""
        if not self.took(word):
            raise malformed(f"{word} is missing")

    def end(self) -> None:
        """Raises AwsError where something is left."""
        if self.left():
            raise malformed(f"unexpected symbol found {self.tokens[self.at][1]}")

    def name(self) -> str:
        """A field's name."""
        kind, text = self.next()
        if kind == "quoted":
            return text[1:-1]
        if kind != "word" or text.lower() in RESERVED:
            raise malformed(f"unexpected symbol found {text}")
        return text

    def listed(self) -> tuple[tuple[str, Expression], ...]:
        """Expressions between commas with what each is called: its alias, else its own text."""
        found = [self._named()]
        while self.took(","):
            found.append(self._named())
        return tuple(found)

    def _named(self) -> tuple[str, Expression]:
        start = self.at
        made = self.expression()
        said = written(self.tokens[start : self.at])
        return (self.name() if self.took("as") else said), made

    # by binding: or, and, not, comparison, sum, product, one

    def expression(self) -> Expression:
        """Any expression."""
        parts = [self._both()]
        while self.took("or"):
            parts.append(self._both())
        return parts[0] if len(parts) == 1 else lambda row: any(part(row) for part in parts)

    def _both(self) -> Expression:
        parts = [self._not()]
        while self.took("and"):
            parts.append(self._not())
        return parts[0] if len(parts) == 1 else lambda row: all(part(row) for part in parts)

    def _not(self) -> Expression:
        if self.took("not"):
            inner = self._not()
            return lambda row: not inner(row)
        return self._comparison()

    def _comparison(self) -> Expression:
        left = self._sum()
        if self.peek() in COMPARISONS:
            return _compared(left, self.next()[1], self._sum())
        if self.took("is"):
            negated = self.took("not")
            self.expect("null")
            return lambda row: (left(row) is None) != negated
        negated = self.took("not")
        if self.took("like") or self.took("=~"):
            test = _like(left, self.next())
        elif self.took("in"):
            test = self._among(left)
        elif negated:
            raise malformed(f"unexpected symbol found {self.peek()}")
        else:
            return left
        return (lambda row: not test(row)) if negated else test

    def _among(self, left: Expression) -> Expression:
        closing = "]" if self.took("[") else ")"
        if closing == ")":
            self.expect("(")
        values = [self._sum()]
        while self.took(","):
            values.append(self._sum())
        self.expect(closing)
        wanted = frozenset(plain(value({})) for value in values)
        return lambda row: plain(left(row)) in wanted and left(row) is not None

    def _sum(self) -> Expression:
        made = self._product()
        while self.peek() in {"+", "-"}:
            made = _arithmetic(made, self.next()[1], self._product())
        return made

    def _product(self) -> Expression:
        made = self._one()
        while self.peek() in {"*", "/", "%"}:
            made = _arithmetic(made, self.next()[1], self._one())
        return made

    def _one(self) -> Expression:
        if self.took("("):
            made = self.expression()
            self.expect(")")
            return made
        if self.took("-"):
            inner = self._one()
            return lambda row: None if (value := number(inner(row))) is None else -value
        kind, text = self.next()
        if kind == "text":
            said = text[1:-1].replace('\\"', '"').replace("\\'", "'").replace("\\\\", "\\")
            return lambda row: said
        if kind == "number":
            value = float(text)
            return lambda row: value
        if kind == "quoted":
            return _field(text[1:-1])
        if kind != "word" or text.lower() in RESERVED:
            raise malformed(f"unexpected symbol found {text}")
        return self._call(text.lower()) if self.took("(") else _field(text)

    def _call(self, name: str) -> Expression:
        if name in {"bin", "datefloor", "span"}:
            return self._bin(name)
        values = [] if self.peek() == ")" else [self.expression()]
        while self.took(","):
            values.append(self.expression())
        self.expect(")")
        known = FUNCTIONS.get(name)
        if known is None:
            raise malformed(f"unknown function {name}")
        least, most, act = known
        if not least <= len(values) <= most:
            raise malformed(f"{name} takes {least} to {most} values")
        return lambda row: act(*(value(row) for value in values))

    def _bin(self, name: str) -> Expression:
        field = "@timestamp"
        if name != "bin":
            field = self.name()
            self.expect(",")
        kind, text = self.next()
        self.expect(")")
        unit = text.lstrip("0123456789")
        if kind != "span" or unit not in _SPAN_S:
            raise malformed(f"{name} takes a period such as 5m")
        step = int(text[: -len(unit)]) * _SPAN_S[unit]
        return lambda row: _floored(row.get(field), step)


def _field(name: str) -> Expression:
    return lambda row: row.get(name)


def written(taken: Sequence[Token]) -> str:
    """Tokens as a column is called."""
    said = ""
    for _, text in taken:
        word = text.strip("`")
        said += f"{word} " if text == "," else word
    return said


def moment(value: Any) -> float | None:
    """Unix seconds of a time as Insights writes it."""
    try:
        return datetime.strptime(str(value), TIME_FORM).replace(tzinfo=UTC).timestamp()
    except ValueError:
        return None


def stamp(at_s: float) -> str:
    """A moment as Insights writes it."""
    return datetime.fromtimestamp(at_s, UTC).strftime(TIME_FORM)[:-3]


def _floored(value: Any, step: float) -> str | None:
    at_s = moment(value)
    return None if at_s is None else stamp(at_s // step * step)


def _like(left: Expression, token: Token) -> Expression:
    kind, text = token
    if kind == "regex":
        search = compiled(text).search
        return lambda row: (value := left(row)) is not None and search(plain(value)) is not None
    if kind != "text":
        raise malformed(f"unexpected symbol found {text}")
    wanted = text[1:-1].replace('\\"', '"')
    return lambda row: wanted in plain(left(row))


def _compared(left: Expression, sign: str, right: Expression) -> Expression:
    if sign in {"=", "==", "!=", "<>"}:
        equal = sign in {"=", "=="}

        def same(row: Row) -> bool:
            value, wanted = left(row), right(row)
            if value is None:
                return not equal
            return _same(value, wanted) == equal

        return same

    def ordered(row: Row) -> bool:
        one, other = number(left(row)), number(right(row))
        if one is None or other is None:
            return False
        return {"<": one < other, "<=": one <= other, ">": one > other, ">=": one >= other}[sign]

    return ordered


def _same(value: Any, wanted: Any) -> bool:
    if isinstance(wanted, float):
        return number(value) == wanted
    return plain(value) == plain(wanted)


def _arithmetic(left: Expression, sign: str, right: Expression) -> Expression:
    def act(row: Row) -> float | None:
        one, other = number(left(row)), number(right(row))
        if one is None or other is None or (sign in "/%" and other == 0):
            return None
        match sign:
            case "+":
                return one + other
            case "-":
                return one - other
            case "*":
                return one * other
            case "/":
                return one / other
            case _:
                return one % other

    return act


def _text(act: Callable[[str], Any]) -> Callable[[Any], Any]:
    return lambda value: None if value is None else act(plain(value))


def _float(act: Callable[[float], float]) -> Callable[[Any], Any]:
    return lambda value: None if (found := number(value)) is None else act(found)


# name -> least and most values, what it does
FUNCTIONS: Mapping[str, tuple[int, int, Callable[..., Any]]] = {
    "ispresent": (1, 1, lambda value: value is not None),
    "isblank": (1, 1, lambda value: value is None or not plain(value).strip()),
    "isempty": (1, 1, lambda value: value is None or plain(value) == ""),
    "isnotnull": (1, 1, lambda value: value is not None),
    "isnull": (1, 1, lambda value: value is None),
    "strlen": (1, 1, _text(len)),
    "length": (1, 1, _text(len)),
    "lower": (1, 1, _text(str.lower)),
    "tolower": (1, 1, _text(str.lower)),
    "upper": (1, 1, _text(str.upper)),
    "toupper": (1, 1, _text(str.upper)),
    "trim": (1, 1, _text(str.strip)),
    "strcontains": (2, 2, lambda value, part: plain(part) in plain(value)),
    "concat": (1, 20, lambda *values: "".join(plain(value) for value in values)),
    "coalesce": (1, 20, lambda *values: next((value for value in values if value is not None), None)),
    "replace": (3, 3, lambda value, old, new: plain(value).replace(plain(old), plain(new))),
    "abs": (1, 1, _float(abs)),
    "floor": (1, 1, _float(lambda value: float(value // 1))),
    "ceil": (1, 1, _float(lambda value: float(-(-value // 1)))),
}
