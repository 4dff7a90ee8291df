"""Text to syntax tree: what Prometheus 2.42 would refuse is refused here, as far as the parser is newer."""

import re
from collections.abc import Mapping
from typing import Any

import promql_parser as parser

from aiops_lab.promql.aggregating import FOLDS
from aiops_lab.promql.calls import CALLS
from aiops_lab.promql.values import PromqlError

FUNCTIONS = frozenset(CALLS)
AGGREGATIONS = frozenset({*FOLDS, "topk", "bottomk", "quantile", "count_values"})
# The parser knows the name that Prometheus 3 gave this function; both are taken.
_RENAMED = re.compile(r"""("(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|`[^`]*`)|\bholt_winters\b(?=\s*\()""")
_TYPES: Mapping[str, str] = {"matrix": "range vector", "vector": "instant vector"}
_EXPECTED = re.compile(r"expected type (\w+) in (call to function '(\w+)'|aggregation expression), got (\w+)")


def parse(text: str) -> Any:
    """The syntax tree of a query. Raises PromqlError bad_data in the words of Prometheus, where known."""
    try:
        tree = parser.parse(_RENAMED.sub(lambda found: found[1] or "double_exponential_smoothing", text))
    except ValueError as error:
        raise _refused(_worded(str(error))) from error
    parser.walk(tree, _known)
    return tree


def _refused(words: str) -> PromqlError:
    return PromqlError(f"parse error: {words}", "bad_data")


def _known(node: Any) -> None:
    if isinstance(node, parser.Call) and node.func.name not in FUNCTIONS:
        raise _refused(f'unknown function with name "{node.func.name}"')
    if isinstance(node, parser.AggregateExpr) and str(node.op) not in AGGREGATIONS:
        raise _refused(f'unexpected identifier "{node.op}"')
    if isinstance(node, parser.BinaryExpr) and node.modifier is not None:
        fill = node.modifier.fill_values
        if fill is not None and (fill.lhs is not None or fill.rhs is not None):
            raise _refused('unexpected identifier "fill"')


def _worded(words: str) -> str:
    """The parser's words as Prometheus says them."""
    found = _EXPECTED.search(words)
    if found is None:
        words = words.replace("allowed on vector, got", "allowed on instant vector, got")
        return re.sub(r"'(\w+)'", r'"\1"', words)
    where = f'call to function "{found[3]}"' if found[3] else found[2]
    if found[2] == "aggregation expression" and found[1] in ("scalar", "string"):
        where = "aggregation parameter"
    wanted, got = (_TYPES.get(found[place], found[place]) for place in (1, 4))
    return f"expected type {wanted} in {where}, got {got}"


def kind_of(tree: Any) -> str:
    """The type of an expression, as Prometheus names it."""
    while isinstance(tree, parser.ParenExpr):
        tree = tree.expr
    if isinstance(tree, parser.StringLiteral):
        return "string"
    if isinstance(tree, parser.MatrixSelector | parser.SubqueryExpr):
        return "range vector"
    if isinstance(tree, parser.NumberLiteral):
        return "scalar"
    if isinstance(tree, parser.Call):
        return "scalar" if str(tree.func.return_type).endswith("Scalar") else "instant vector"
    if isinstance(tree, parser.UnaryExpr):
        return kind_of(tree.expr)
    if isinstance(tree, parser.BinaryExpr):
        both = {kind_of(tree.lhs), kind_of(tree.rhs)}
        return "scalar" if both == {"scalar"} else "instant vector"
    return "instant vector"
