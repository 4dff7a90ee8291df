"""PromQL as a tree: parsed before anything is sent, written again by ourselves, the cluster's label put in.

Called by the drivers of Prometheus APIs. promql-parser (Prometheus's grammar) reads; its own printing is not
used, since it loses escapes in strings, milliseconds and the default step of a subquery. What we write is
parsed again and must be the same tree; with a label, every selector must carry it exactly once.
"""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import promql_parser as ast

from aiops_shared.errors import QueryInvalidError
from aiops_shared.http.snippets import snippet
from aiops_shared.metrics.promql_errors import explained

MAX_CHARACTERS, MAX_DEPTH, MAX_OPERATORS = 16_000, 60, 200
RATE_LEAST_S = 300
_LEGACY = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_METRIC = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_TOKEN = re.compile(
    r"""(?P<text>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')|(?P<raw>`[^`]*`)|(?P<comment>\#[^\n]*)"""
    r"""|(?P<interval>\$__(?:rate_interval|interval|range))""",
    re.S,
)
_OPERATOR = re.compile(r"[-+*/%^<>=!]|\b(?:and|or|unless|atan2)\b", re.I)


@dataclass(frozen=True, slots=True)
class Selector:
    """One selector of a query and how often it is read.

    `text`: the selector alone, without range and offset. `range_s`: its window, 0 for an instant vector.
    `loops`: (range, step) of each subquery around it, the outermost first; step 0 is the server's default.
    """

    text: str
    name: str
    exact: bool  # has a name, or at least one label that must equal something
    range_s: float
    offset_s: float
    loops: tuple[tuple[float, float], ...] = ()


def number(value: float) -> str:
    """A number in PromQL."""
    if value != value:  # only NaN is not equal to itself
        return "NaN"
    if value in {float("inf"), float("-inf")}:
        return "Inf" if value > 0 else "-Inf"
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(value)


def quoted(value: str) -> str:
    """A string in PromQL: JSON's escapes are a part of Go's."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def duration(value: timedelta) -> str:
    """A duration in PromQL, in its largest whole unit."""
    ms = round(value.total_seconds() * 1000)
    sign, ms = ("-", -ms) if ms < 0 else ("", ms)
    for unit, size in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000)):
        if ms and ms % size == 0:
            return f"{sign}{ms // size}{unit}"
    return f"{sign}{ms}ms"


def parsed(query: str, step_s: int = 0) -> ast.Expr:
    """The tree of a query. Raises QueryInvalidError that says what is wrong, where, and what to write.

    Grafana's `$__rate_interval`, `$__interval` and `$__range` outside of strings become durations; the first
    is five minutes or the step, whichever is longer.
    """
    text = _readable(query, step_s)
    try:
        return ast.parse(text)
    except ValueError as error:
        raise explained(text, str(error)) from None


def _readable(query: str, step_s: int) -> str:
    if len(query) > MAX_CHARACTERS:
        raise QueryInvalidError("query", f"is longer than {MAX_CHARACTERS} characters", "ask in parts")
    if any(ord(letter) < 32 and letter not in "\t\n\r" for letter in query):
        raise QueryInvalidError("query", "holds control characters", "write them as escapes in a string")
    text = _TOKEN.sub(lambda found: _replaced(found, step_s), query)
    if _deep(text):
        raise QueryInvalidError(
            "query",
            f"is nested deeper than {MAX_DEPTH} or has more than {MAX_OPERATORS} operators",
            "ask in parts",
        )
    return text


def _replaced(found: re.Match[str], step_s: int) -> str:
    if found["raw"]:
        return quoted(found["raw"][1:-1])  # the parser takes escapes in raw strings for escapes
    if found["comment"]:
        return " "
    if found["interval"]:
        least = RATE_LEAST_S if found["interval"] == "$__rate_interval" else 1
        return f"{max(least, step_s)}s"
    return found[0]


def _deep(text: str) -> bool:
    """Whether reading it would go deep: brackets in brackets, or operators in a long row."""
    depth = most = 0
    bare = _TOKEN.sub('""', text)
    for letter in bare:
        depth += (letter in "([{") - (letter in ")]}")
        most = max(most, depth)
    return most > MAX_DEPTH or len(_OPERATOR.findall(bare)) > MAX_OPERATORS


def written(expr: ast.Expr, also: str = "") -> str:
    """A tree as text; `also` is a matcher that every selector gets."""
    return _WRITERS[type(expr)](expr, also)


def _vector(expr: Any, also: str) -> str:
    return _selector(expr, also) + _modifiers(expr)


def _selector(expr: Any, also: str) -> str:
    if expr.matchers.or_matchers:
        raise QueryInvalidError("query", "joins matchers by `or`", "write two selectors joined by `or`")
    name = expr.name or ""
    legacy = _METRIC.fullmatch(name) is not None
    inside = [] if legacy or not name else [quoted(name)]
    inside += [f"{_label(one.name)}{_OPERATORS[str(one.op)]}{quoted(one.value)}" for one in _matchers(expr)]
    if also:
        inside.append(also)
    return f"{name if legacy else ''}{{{','.join(inside)}}}" if inside or not legacy else name


_OPERATORS = {"MatchOp.Equal": "=", "MatchOp.NotEqual": "!=", "MatchOp.Re": "=~", "MatchOp.NotRe": "!~"}


def _matchers(expr: Any) -> Iterator[Any]:
    """Its matchers, the name's left out where the selector says it already."""
    for one in expr.matchers.matchers:
        if not (expr.name and one.name == "__name__"):
            yield one


def _label(name: str) -> str:
    return name if _LEGACY.fullmatch(name) else quoted(name)


def _labels(names: list[str] | None) -> str:
    return f"({', '.join(_label(name) for name in names or [])})"


def _modifiers(expr: Any) -> str:
    at = "" if expr.at is None else f" {expr.at}"
    offset = "" if not expr.offset else f" offset {duration(expr.offset)}"
    return f"{at}{offset}"


def _matrix(expr: Any, also: str) -> str:
    inner = expr.vector_selector
    return f"{_selector(inner, also)}[{duration(expr.range)}]{_modifiers(inner)}"


def _subquery(expr: Any, also: str) -> str:
    step = "" if expr.step is None else duration(expr.step)
    return f"{written(expr.expr, also)}[{duration(expr.range)}:{step}]{_modifiers(expr)}"


def _aggregate(expr: Any, also: str) -> str:
    modifier = ""
    if expr.modifier is not None:
        by = "by" if "By" in str(expr.modifier.type) else "without"
        modifier = f" {by} {_labels(expr.modifier.labels)} "
    first = "" if expr.param is None else f"{written(expr.param, also)}, "
    return f"{expr.op}{modifier}({first}{written(expr.expr, also)})"


def _binary(expr: Any, also: str) -> str:
    words = [str(expr.op)]
    modifier = expr.modifier
    if modifier is not None:
        words += ["bool"] if modifier.return_bool else []
        if modifier.matching is not None:
            on = "on" if "Include" in str(modifier.matching.type) else "ignoring"
            words.append(f"{on} {_labels(modifier.matching.labels)}")
        side = {"ManyToOne": "group_left", "OneToMany": "group_right"}.get(str(modifier.card).split(".")[-1])
        if side:
            words.append(f"{side} {_labels(modifier.group_labels)}")
        if modifier.fill_values.lhs is not None or modifier.fill_values.rhs is not None:
            raise QueryInvalidError("query", "uses fill(), which few servers know", "join by `or` instead")
    return f"{written(expr.lhs, also)} {' '.join(words)} {written(expr.rhs, also)}"


def _call(expr: Any, also: str) -> str:
    return f"{expr.func.name}({', '.join(written(one, also) for one in expr.args)})"


_WRITERS: dict[type[Any], Callable[[Any, str], str]] = {
    ast.VectorSelector: _vector,
    ast.MatrixSelector: _matrix,
    ast.SubqueryExpr: _subquery,
    ast.AggregateExpr: _aggregate,
    ast.BinaryExpr: _binary,
    ast.Call: _call,
    ast.ParenExpr: lambda expr, also: f"({written(expr.expr, also)})",
    ast.UnaryExpr: lambda expr, also: f"-{written(expr.expr, also)}",
    ast.NumberLiteral: lambda expr, _: number(expr.val),
    ast.StringLiteral: lambda expr, _: quoted(expr.val),
}


def require_series(expr: ast.Expr) -> None:
    """Raises QueryInvalidError for what has no value at a moment: a range, a subquery, a string."""
    while isinstance(expr, ast.ParenExpr):
        expr = expr.expr
    if isinstance(expr, ast.MatrixSelector | ast.SubqueryExpr):
        raise QueryInvalidError(
            "query", "gives a range, not a value at each moment", f"wrap it: rate({written(expr)[:200]})"
        )
    if isinstance(expr, ast.StringLiteral):
        raise QueryInvalidError("query", "is a text", 'name a metric: foo{a="b"}')


def selectors(expr: ast.Expr) -> tuple[Selector, ...]:
    """Every selector of a tree, in the order in which they stand."""
    return tuple(_found(expr, ()))


def _found(expr: Any, loops: tuple[tuple[float, float], ...]) -> Iterator[Selector]:
    if isinstance(expr, ast.MatrixSelector):
        yield _read(expr.vector_selector, _seconds(expr.range), loops)
    elif isinstance(expr, ast.VectorSelector):
        yield _read(expr, 0.0, loops)
    elif isinstance(expr, ast.SubqueryExpr):
        yield from _found(expr.expr, (*loops, (_seconds(expr.range), _seconds(expr.step))))
    else:
        for child in _children(expr):
            yield from _found(child, loops)


def _children(expr: Any) -> list[Any]:
    if isinstance(expr, ast.Call):
        return list(expr.args)
    if isinstance(expr, ast.BinaryExpr):
        return [expr.lhs, expr.rhs]
    if isinstance(expr, ast.AggregateExpr):
        return [expr.expr] if expr.param is None else [expr.param, expr.expr]
    return [expr.expr] if isinstance(expr, ast.ParenExpr | ast.UnaryExpr) else []


def _read(expr: Any, range_s: float, loops: tuple[tuple[float, float], ...]) -> Selector:
    equal = [one for one in expr.matchers.matchers if str(one.op) == "MatchOp.Equal" and one.value]
    name = expr.name or next((one.value for one in equal if one.name == "__name__"), "")
    return Selector(_selector(expr, ""), name, bool(name or equal), range_s, _seconds(expr.offset), loops)


def _seconds(value: timedelta | None) -> float:
    return value.total_seconds() if value is not None else 0.0


def with_label(query: str, label: str, value: str, step_s: int = 0) -> str:
    """The query with `label="value"` in every selector.

    Raises QueryInvalidError when the query names that label itself, and when the result, parsed again, is not
    the same tree with the label in each selector (threat: a value or a string that escapes).
    """
    tree = parsed(query, step_s)
    for selector in _vectors(tree):
        if any(one.name == label for one in selector.matchers.matchers):
            raise QueryInvalidError(
                "query", f"sets the label {label}, which tells clusters apart", "leave it out; use `cluster`"
            )
    matcher = f"{_label(label)}={quoted(value)}"
    text = written(tree, matcher)
    again = parsed(text, step_s)
    if written(again) != text or not _carries(tree, again, label, value):
        raise QueryInvalidError("query", "does not survive the cluster's label", "write it more plainly")
    return text


def _carries(before: Any, after: Any, label: str, value: str) -> bool:
    plain = list(_vectors(before))
    marked = list(_vectors(after))
    return len(plain) == len(marked) and all(
        _pairs(new) == [*_pairs(old), ("MatchOp.Equal", label, value)]
        for old, new in zip(plain, marked, strict=True)
    )


def _pairs(selector: Any) -> list[tuple[str, str, str]]:
    return [(str(one.op), one.name, one.value) for one in selector.matchers.matchers]


def _vectors(expr: Any) -> Iterator[Any]:
    if isinstance(expr, ast.VectorSelector):
        yield expr
    elif isinstance(expr, ast.MatrixSelector):
        yield expr.vector_selector
    elif isinstance(expr, ast.SubqueryExpr):
        yield from _vectors(expr.expr)
    else:
        for child in _children(expr):
            yield from _vectors(child)


def checked(query: str, step_s: int = 0) -> str:
    """The query as it is sent where clusters share no Prometheus: written from its tree, the same tree again.

    Raises QueryInvalidError.
    """
    tree = parsed(query, step_s)
    text = written(tree)
    if written(parsed(text, step_s)) != text:
        raise QueryInvalidError("query", f"is read in two ways ({snippet(text)})", "write it more plainly")
    return text
