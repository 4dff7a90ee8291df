"""What is wrong with a PromQL query, in words that lead to the right one, with the place.

promql-parser says what but not where; the place is found in the text. Called by `promql` alone.
"""

import re
from collections.abc import Callable

from aiops_shared.errors import QueryInvalidError
from aiops_shared.http.snippets import snippet
from aiops_shared.kube.nearest import nearest

# Words of the Prometheus documentation, "Query functions" and "Aggregation operators".
FUNCTIONS = """
abs absent absent_over_time acos acosh asin asinh atan atanh avg_over_time ceil changes clamp
clamp_max clamp_min cos cosh count_over_time day_of_month day_of_week day_of_year days_in_month deg
delta deriv exp floor histogram_avg histogram_count histogram_fraction histogram_quantile
histogram_stddev histogram_sum double_exponential_smoothing hour idelta increase info irate
label_join label_replace last_over_time ln log10 log2 mad_over_time max_over_time min_over_time
minute month pi predict_linear present_over_time quantile_over_time rad rate resets round scalar sgn
sin sinh sort sort_desc sort_by_label sqrt stddev_over_time stdvar_over_time sum_over_time tan tanh
time timestamp vector year avg bottomk count count_values group limitk max min quantile stddev
stdvar sum topk
"""
ADVICE = {
    "vector selector must contain": 'name a metric: foo{a="b"}; query_metrics(search=…) finds names',
    "ranges only allowed for vector selectors": "a subquery takes a step: [5m:1m]",
    "expected type matrix": "give the selector a range: foo[5m]",
    "expected type vector": "take the range away, or wrap it: rate(foo[5m])",
    "binary expression must contain": "wrap a range in a function first: rate(foo[5m])",
    "set operator": "and, or, unless take vectors on both sides; vector(0) makes one of a number",
    "comparisons between scalars": "write > bool",
    "no expression found": "write a query, or ask by what= and target=",
    "metric name must not be set twice": "the name stands once, before the braces",
}
_STRINGS = re.compile(r'"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])*\'', re.S)
_BY = re.compile(r"\b(by|without|on|ignoring)\s+(?!\()[a-zA-Z_]")
_TWO = re.compile(r"(?<![\w:$])([a-zA-Z_:][\w:]*|[)\]}])[ \t\n]+(?=[a-zA-Z_:\"'{])([a-zA-Z_:][\w:]*)")
_OPERATORS = frozenset(
    {
        *("and", "or", "unless", "atan2", "bool", "on", "ignoring", "group_left", "group_right"),
        *("by", "without", "offset"),
    }
)


def explained(query: str, said: str) -> QueryInvalidError:
    """The error for a query that does not parse."""
    place = _place(query, said)
    where = (
        f" at character {place + 1}, near {snippet(query[max(0, place - 5) : place + 25])!r}"
        if place >= 0
        else ""
    )
    return QueryInvalidError("query", f"{snippet(said)}{where}", _advice(said))


def _advice(said: str) -> str:
    unknown = re.search(r"unknown function with name '([^']{1,60})'", said)
    if unknown:
        near = nearest(unknown[1], FUNCTIONS.split())
        return f"nearest: {', '.join(near[:3])}" if near else "see the PromQL functions"
    for words, advice in ADVICE.items():
        if words in said:
            return advice
    return 'PromQL as sum by (pod) (rate(foo_total{namespace="x"}[5m])), or what= and target='


def _place(query: str, said: str) -> int:
    blank = _STRINGS.sub(lambda found: '"' + "_" * (len(found[0]) - 2) + '"', query)
    call = re.search(r"(?:in call to function|unknown function with name) '(\w+)'", said)
    if call:
        return _first(re.compile(rf"\b{call[1]}\s*\("), blank)
    for words, find in _PLACES.items():
        if words in said:
            return find(blank)
    return _odd(blank)


def _first(pattern: re.Pattern[str], text: str) -> int:
    found = pattern.search(text)
    return found.start() if found else -1


def _open(text: str) -> int:
    """The innermost bracket that nothing closes, or the closing one that nothing opened."""
    stack: list[int] = []
    for index, letter in enumerate(text):
        if letter in "([{":
            stack.append(index)
        elif letter in ")]}":
            if not stack:
                return index
            stack.pop()
    return stack[-1] if stack else -1


def _quote(text: str) -> int:
    """The quote that nothing closes: the last one that opens."""
    return max(text.rfind('"'), text.rfind("'"), text.rfind("`"))


def _odd(text: str) -> int:
    """Two words without an operator between them, or labels without parentheses."""
    by = _first(_BY, text)
    if by >= 0:
        return by
    for found in _TWO.finditer(text):
        if not {found[1].lower(), found[2].lower()} & _OPERATORS:
            return found.start(2)
    return _open(text)


_PLACES: dict[str, Callable[[str], int]] = {
    "unclosed": _open,
    "unexpected right": _open,
    "unexpected end of input inside": _open,
    "unterminated": _quote,
    "ranges only allowed": lambda text: _first(re.compile(r"(?<=\))\s*\["), text),
    "binary expression must": lambda text: _first(re.compile(r"\["), text),
    "aggregation expression": lambda text: _first(re.compile(r"\["), text),
}
