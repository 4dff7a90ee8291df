"""X-Ray's filter expressions, parsed and really evaluated: what is not known here is refused, never ignored.

Language: "Use filter expressions" (developer guide): keywords (ok, error, throttle, fault, partial, duration,
responsetime, http.status, http.url, user ...), `service(name)`, `edge(a, b)`, `annotation[key]`,
`availabilityzone`, with AND, OR, NOT (`!`) and parentheses. A complex keyword may have a block in braces.
"""

import operator
import re
from collections.abc import Callable, Iterable

from aiops_lab.aws.errors import AwsError
from aiops_lab.aws.xray_documents import INDEXED, duration_of, root_status
from aiops_lab.telemetry.spans import Span, Trace

Test = Callable[[Trace], bool]
_TOKEN = re.compile(
    r'\s*(?:(?P<text>"(?:[^"\\]|\\.)*")|(?P<number>-?\d+(?:\.\d+)?)|(?P<op><=|>=|!=|=|<|>)'
    r"|(?P<mark>[(){}\[\],!:])|(?P<word>[A-Za-z_][\w.]*))"
)
_ORDER = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    ">": operator.gt,
    "<=": operator.le,
    ">=": operator.ge,
}
_TEXTS = {
    "BEGINSWITH": str.startswith,
    "ENDSWITH": str.endswith,
    "CONTAINS": str.__contains__,
}
_FLAGS: dict[str, Callable[[Iterable[Span]], bool]] = {
    "fault": lambda spans: any(one.fault for one in spans),
    "error": lambda spans: any(400 <= one.status < 500 for one in spans),
    "throttle": lambda spans: any(one.status == 429 for one in spans),
}


def matching(expression: str) -> Test:
    """The test of a filter expression; an empty one passes all. Raises AwsError InvalidRequestException."""
    if not expression.strip():
        return lambda _: True
    parser = _Parser(_tokens(expression), expression)
    found = parser.either()
    parser.end()
    return found


def _tokens(expression: str) -> list[tuple[str, str]]:
    found, at, text = [], 0, expression.strip()
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None or match.lastgroup is None:
            raise _refused(expression, f"unexpected {text[at]!r}")
        found.append((match.lastgroup, match[match.lastgroup]))
        at = match.end()
    return found


def _refused(expression: str, why: str) -> AwsError:
    return AwsError("InvalidRequestException", f"Invalid filter expression {expression!r}: {why}", 400)


class _Parser:
    """Recursive descent; one method for each level."""

    def __init__(self, tokens: list[tuple[str, str]], expression: str) -> None:
        self._tokens, self._at, self._expression = tokens, 0, expression

    def end(self) -> None:
        """Nothing may be left."""
        if self._at < len(self._tokens):
            raise self._wrong()

    def either(self) -> Test:
        """OR."""
        found = self._both()
        while self._word("OR"):
            found = _any(found, self._both())
        return found

    def _both(self) -> Test:
        found = self._one()
        while self._word("AND"):
            found = _all(found, self._one())
        return found

    def _one(self) -> Test:
        if self._mark("!") or self._word("NOT"):
            inner = self._one()
            return lambda trace: not inner(trace)
        if self._mark("("):
            inner = self.either()
            self._need(")")
            return inner
        return self._keyword(self._take("word"))

    def _keyword(self, name: str) -> Test:
        low = name.lower()
        if low in _FLAGS or low in ("ok", "partial"):
            return self._flag(low)
        if low in ("duration", "responsetime"):
            return self._number(low)
        if low == "http.status":
            return self._compared(lambda trace: [float(root_status(trace))])
        if low == "service":
            return self._service()
        if low == "edge":
            return self._edge()
        if low == "availabilityzone":
            return self._facet("cloud.availability_zone")
        if low.startswith("annotation"):
            return self._annotation(name)
        raise _refused(self._expression, f"keyword {name} is not simulated")

    def _flag(self, low: str) -> Test:
        wanted = True
        if self._peek() in (("op", "="), ("op", "!=")):
            negated = self._take("op") == "!="
            value = self._take("word").lower()
            if value not in ("true", "false"):
                raise self._wrong()
            wanted = (value == "true") != negated
        return lambda trace: _flagged(low, trace.spans) == wanted

    def _number(self, low: str) -> Test:
        if low == "duration":
            return self._compared(lambda trace: [duration_of(trace)])
        return self._compared(lambda trace: [trace.spans[0].duration_s])

    def _compared(self, values: Callable[[Trace], list[float]]) -> Test:
        compare, wanted = _ORDER[self._take("op")], float(self._take("number"))
        return lambda trace: any(compare(value, wanted) for value in values(trace))

    def _facet(self, attribute: str) -> Test:
        compare = self._text_comparison()
        return lambda trace: any(
            compare(str(one.attributes[attribute])) for one in trace.spans if attribute in one.attributes
        )

    def _annotation(self, name: str) -> Test:
        if self._mark("["):
            key = self._take_any("text", "word").strip('"')
            self._need("]")
        else:
            key = name.partition(".")[2]
        attribute = next((full for full, short in INDEXED.items() if short == key), "")
        kind, _ = self._tokens[self._at + 1] if self._at + 1 < len(self._tokens) else ("", "")
        if kind == "number":
            return self._compared(lambda trace: _numbers(trace, attribute))
        return self._facet(attribute)

    def _text_comparison(self) -> Callable[[str], bool]:
        kind, word = self._peek()
        if kind == "word" and word.upper() in _TEXTS:
            self._at += 1
            check, wanted = _TEXTS[word.upper()], self._text()
            return lambda value: bool(check(value, wanted))
        compare, wanted = self._take("op"), self._text()
        if compare not in ("=", "!="):
            raise self._wrong()
        return lambda value: bool(_ORDER[compare](value, wanted))

    def _service(self) -> Test:
        self._need("(")
        name = "" if self._peek() == ("mark", ")") else self._name()
        self._need(")")
        inside = self._block()
        return lambda trace: any(inside([one]) for one in trace.spans if _called(one, name))

    def _edge(self) -> Test:
        self._need("(")
        caller = self._name()
        self._need(",")
        callee = self._name()
        self._need(")")
        inside = self._block()
        return lambda trace: any(
            inside([one])
            for one in trace.spans
            if one.kind == "client" and (one.service, one.attributes.get("peer.service")) == (caller, callee)
        )

    def _name(self) -> str:
        """`"x"` or `id(name: "x", type: "AWS::EKS::Container")`; another type than that finds nothing."""
        if self._peek()[0] == "text":
            return self._text()
        if not self._word("id"):
            raise self._wrong()
        self._need("(")
        given: dict[str, str] = {}
        while not self._mark(")"):
            key = self._take("word")
            self._need(":")
            given[key] = self._text()
            self._mark(",")
        if set(given) - {"name", "type"} or "name" not in given:
            raise _refused(self._expression, "id() takes name and type")
        return given["name"] if given.get("type") in (None, "AWS::EKS::Container") else "\0"

    def _block(self) -> Callable[[list[Span]], bool]:
        if not self._mark("{"):
            return lambda _: True
        flag = self._take("word").lower()
        if flag in ("responsetime", "duration"):
            compare, wanted = _ORDER[self._take("op")], float(self._take("number"))
            self._need("}")
            return lambda spans: any(compare(one.duration_s, wanted) for one in spans)
        if flag not in (*_FLAGS, "ok"):
            raise _refused(self._expression, f"{flag} inside braces is not simulated")
        self._need("}")
        return lambda spans: _flagged(flag, spans)

    # tokens

    def _peek(self) -> tuple[str, str]:
        return self._tokens[self._at] if self._at < len(self._tokens) else ("", "")

    def _take(self, kind: str) -> str:
        found, value = self._peek()
        if found != kind:
            raise self._wrong()
        self._at += 1
        return value

    def _take_any(self, *kinds: str) -> str:
        return self._take(self._peek()[0] if self._peek()[0] in kinds else kinds[0])

    def _text(self) -> str:
        return self._take("text")[1:-1].replace('\\"', '"')

    def _word(self, wanted: str) -> bool:
        kind, value = self._peek()
        hit = kind == "word" and value.upper() == wanted.upper()
        self._at += hit
        return hit

    def _mark(self, wanted: str) -> bool:
        hit = self._peek() == ("mark", wanted)
        self._at += hit
        return hit

    def _need(self, wanted: str) -> None:
        if not self._mark(wanted):
            raise self._wrong()

    def _wrong(self) -> AwsError:
        return _refused(self._expression, f"unexpected {self._peek()[1] or 'end'!r}")


def _flagged(flag: str, spans: Iterable[Span]) -> bool:
    every = list(spans)
    if flag == "partial":
        return False
    if flag == "ok":
        return not any(test(every) for test in _FLAGS.values())
    return _FLAGS[flag](every)


def _called(span: Span, name: str) -> bool:
    """A service is found by its segment, and an inferred one by the calls to it."""
    if span.kind == "client":
        return not name or span.attributes.get("peer.service") == name
    return not name or span.service == name


def _numbers(trace: Trace, attribute: str) -> list[float]:
    values = [one.attributes.get(attribute) for one in trace.spans]
    return [
        float(value) for value in values if isinstance(value, int | float) and not isinstance(value, bool)
    ]


def _any(first: Test, second: Test) -> Test:
    return lambda trace: first(trace) or second(trace)


def _all(first: Test, second: Test) -> Test:
    return lambda trace: first(trace) and second(trace)
