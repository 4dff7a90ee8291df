"""What CloudWatch is asked in: Metrics Insights SQL, or metric math in which a metric is written out.

    SELECT AVG(pod_memory_working_set) FROM SCHEMA(ContainerInsights, ClusterName, Namespace) WHERE …
    ContainerInsights/pod_memory_working_set{ClusterName="c",Namespace="n",PodName="p",FullPodName=*} Maximum
    FILL(AWS/ApplicationELB/HTTPCode_ELB_5XX_Count{LoadBalancer="app/x/1"} Sum, 0) / AWS/…/RequestCount{…} Sum
    ANOMALY_DETECTION_BAND(AWS/RDS/CPUUtilization{DBInstanceIdentifier="orders"}, 2)

A metric is `Namespace/Metric{Dimension="value",…} statistic` (Average when left out; `Last` is the value of
the moment, however long the step). Its dimensions are exactly those named, as in CloudWatch; a value may hold
`*`, and each metric that matches is a series then. Called by `cloudwatch`; parses only, asks nobody.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase

from aiops_shared.errors import QueryInvalidError

MOST_CHARACTERS = 8_192
MOST_DEPTH = 40
_SELECTOR = re.compile(r'\s*(?:"([^"{}]{1,255})"|([A-Za-z][\w.#:/-]{0,254}))\s*\{([^{}]*)\}')
_DIMENSION = re.compile(r'\s*([^\s=,{}"]{1,255})\s*=\s*(?:"((?:[^"\\]|\\.)*)"|(\*))\s*(?:,|$)')
_STAT = re.compile(
    r"\s*(Average|Last|Sum|Minimum|Maximum|SampleCount|IQM|(?:p|tm|wm|tc|ts)\d{1,3}(?:\.\d{1,10})?"
    r"|(?:TM|WM|TC|TS|PR)\([\d.%:]*\))"
)
_NUMBER = re.compile(r"\s*((?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)")
_NAME = re.compile(r"\s*([A-Za-z_]\w*)")
_TEXT = re.compile(r"""\s*('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")""")
_SIGNS: tuple[tuple[str, ...], ...] = (
    ("||", "OR"), ("&&", "AND"), ("==", "!=", "<=", ">=", "<", ">"), ("+", "-"), ("*", "/"),
)  # fmt: skip
_HINT = 'as Namespace/Metric{Dimension="value"} Average; search= finds metrics'
LOCAL = frozenset({"SUM", "AVG", "MIN", "MAX"})
ARITHMETIC = frozenset({"+", "-", "*", "/"})
DEFAULT_STAT = "Average"
LAST = "Last"  # the value of the moment: Average of the finest period that is kept
LEVELS = frozenset(
    {"Average", LAST, "Minimum", "Maximum", "IQM"}
)  # statistics that read a gauge as it stands


@dataclass(frozen=True, slots=True)
class Selector:
    """One metric, or all whose dimensions match."""

    namespace: str
    metric: str
    dimensions: tuple[tuple[str, str], ...]
    stat: str = DEFAULT_STAT

    @property
    def open(self) -> tuple[str, ...]:
        """The dimensions that hold a `*`."""
        return tuple(name for name, value in self.dimensions if "*" in value)

    def fits(self, dimensions: dict[str, str]) -> bool:
        """Whether a metric with these dimensions is meant."""
        wanted = dict(self.dimensions)
        return wanted.keys() == dimensions.keys() and all(
            fnmatchcase(dimensions[name], value.replace("[", "[[]")) for name, value in wanted.items()
        )


@dataclass(frozen=True, slots=True)
class Node:
    """One node; `kind` number | text | name | selector | call | list | operation, `word` what it says."""

    kind: str
    word: str = ""
    parts: tuple["Node", ...] = ()
    selector: Selector | None = None

    def walk(self) -> Iterator["Node"]:
        """It and all below it."""
        yield self
        for part in self.parts:
            yield from part.walk()

    @property
    def local(self) -> bool:
        """Whether the driver computes it: sums, shares and gaps. All else is CloudWatch's own metric math."""
        if self.kind == "operation":
            return self.word in ARITHMETIC and all(part.local for part in self.parts)
        if self.kind == "call" and self.word in LOCAL:
            return len(self.parts) == 1 and self.parts[0].local
        if self.kind == "call" and self.word == "FILL":
            return len(self.parts) == 2 and self.parts[0].local and self.parts[1].kind == "number"
        if self.kind == "call" and self.word == "PERIOD":
            return len(self.parts) == 1 and self.parts[0].kind == "selector"
        return self.kind in {"number", "selector"}


def is_sql(query: str) -> bool:
    """Whether a query is Metrics Insights."""
    return bool(re.match(r"\s*SELECT\b", query, re.IGNORECASE))


def selectors(tree: Node) -> tuple[Selector, ...]:
    """Every metric of a tree, each once."""
    found = [node.selector for node in tree.walk() if node.selector is not None]
    return tuple(dict.fromkeys(found))


def optional(tree: Node) -> frozenset[Selector]:
    """The metrics that may be missing: those that stand in FILL and nowhere else."""
    filled = [one for node in tree.walk() if node.word == "FILL" for one in selectors(node.parts[0])]
    return frozenset(filled) - frozenset(_bare(tree))


def _bare(node: Node) -> Iterator[Selector]:
    if node.selector is not None:
        yield node.selector
    for part in node.parts if (node.kind, node.word) != ("call", "FILL") else ():
        yield from _bare(part)


def parse(query: str) -> Node:
    """The tree of an expression. Raises QueryInvalidError."""
    if not query.strip() or len(query) > MOST_CHARACTERS:
        raise QueryInvalidError("query", f"is empty or longer than {MOST_CHARACTERS:,} characters", _HINT)
    reader = _Reader(query)
    tree = reader.level(0, 0)
    reader.end()
    if not any(node.selector or node.word == "SEARCH" for node in tree.walk()):
        raise QueryInvalidError("query", "names no metric", _HINT)
    return tree


def written(tree: Node, name: Callable[[Selector], str]) -> str:
    """A tree as CloudWatch's metric math; `name` gives the id (or the list of ids) of a metric."""
    if tree.selector is not None:
        return name(tree.selector)
    parts = [written(part, name) for part in tree.parts]
    if tree.kind == "call":
        return f"{tree.word}({', '.join(parts)})"
    if tree.kind == "list":
        return f"[{', '.join(parts)}]"
    if tree.kind == "operation":
        return f"({parts[0]} {tree.word} {parts[1]})"
    return f"'{tree.word}'" if tree.kind == "text" else tree.word


class _Reader:
    def __init__(self, text: str) -> None:
        self._text, self._at = text, 0

    def _wrong(self, why: str) -> QueryInvalidError:
        return QueryInvalidError("query", f"{why} near {self._text[self._at : self._at + 40]!r}", _HINT)

    def _take(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        found = pattern.match(self._text, self._at)
        if found is not None:
            self._at = found.end()
        return found

    def _sign(self, signs: tuple[str, ...]) -> str:
        rest = self._text[self._at :].lstrip()
        for sign in signs:
            if rest.startswith(sign) and not (sign.isalpha() and rest[len(sign) : len(sign) + 1].isalnum()):
                self._at = len(self._text) - len(rest) + len(sign)
                return sign
        return ""

    def end(self) -> None:
        """Nothing may be left."""
        if self._text[self._at :].strip():
            raise self._wrong("does not parse")

    def level(self, depth: int, nested: int) -> Node:
        """Operators of one precedence, from the left."""
        if nested > MOST_DEPTH:
            raise self._wrong("is nested too deep")
        if depth == len(_SIGNS):
            return self._power(nested)
        left = self.level(depth + 1, nested)
        while sign := self._sign(_SIGNS[depth]):
            left = Node("operation", sign, (left, self.level(depth + 1, nested)))
        return left

    def _power(self, nested: int) -> Node:
        if self._sign(("-",)):
            return Node("operation", "-", (Node("number", "0"), self._power(nested + 1)))
        left = self._atom(nested + 1)
        return Node("operation", "^", (left, self._power(nested + 1))) if self._sign(("^",)) else left

    def _atom(self, nested: int) -> Node:
        if found := self._take(_SELECTOR):
            return Node("selector", selector=self._selector(found))
        if found := self._take(_TEXT):
            return Node("text", found[1][1:-1])
        if found := self._take(_NUMBER):
            return Node("number", found[1])
        if found := self._take(_NAME):
            if self._sign(("(",)):
                return Node("call", found[1].upper(), self._until(")", nested))
            if found[1] in {"REPEAT", "LINEAR"}:
                return Node("name", found[1])
            raise self._wrong(f"{found[1]} is neither a function nor a metric with {{dimensions}}")
        if self._sign(("(",)):
            inner = self.level(0, nested)
            self._closed(")")
            return inner
        if self._sign(("[",)):
            return Node("list", "", self._until("]", nested))
        raise self._wrong("does not parse")

    def _closed(self, sign: str) -> None:
        if not self._sign((sign,)):
            raise self._wrong(f"lacks {sign}")

    def _until(self, closing: str, nested: int) -> tuple[Node, ...]:
        found: list[Node] = []
        while not self._sign((closing,)):
            found.append(self.level(0, nested))
            if not self._sign((",",)):
                self._closed(closing)
                break
        return tuple(found)

    def _selector(self, found: re.Match[str]) -> Selector:
        namespace, _, metric = (found[1] or found[2]).rpartition("/")
        if not namespace or not metric:
            raise self._wrong("a metric without its namespace")
        stat = self._take(_STAT)
        return Selector(namespace, metric, self._dimensions(found[3]), stat[1] if stat else DEFAULT_STAT)

    def _dimensions(self, text: str) -> tuple[tuple[str, str], ...]:
        found: dict[str, str] = {}
        at = 0
        while text[at:].strip():
            one = _DIMENSION.match(text, at)
            if one is None or one[1] in found:
                raise self._wrong(f"dimensions {{{text[:80]}}} do not parse")
            found[one[1]] = one[3] or re.sub(r"\\(.)", r"\1", one[2] or "")
            at = one.end()
        return tuple(sorted(found.items()))


def quoted(value: str) -> str:
    """A dimension's value in a query."""
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
