"""The arithmetic of a report: `f3 / f1 * 100 - 100`, exactly, over figures.

What stands in a report as the way to a number is what computed it: the text is evaluated, nothing else is.
"""

import ast
import operator
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Final

_OPERATORS: Final[Mapping[type[ast.operator], Callable[[Fraction, Fraction], Fraction]]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}


def worked_out(formula: str, known: Mapping[str, Fraction]) -> Fraction:
    """The value. Raises ValueError for anything but + - * / over names and whole numbers, KeyError for a
    name that is no figure, ZeroDivisionError.
    """
    return _value(ast.parse(formula, mode="eval").body, known)


def _value(node: ast.expr, known: Mapping[str, Fraction]) -> Fraction:
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
        return _OPERATORS[type(node.op)](_value(node.left, known), _value(node.right, known))
    if isinstance(node, ast.Name):
        return known[node.id]
    if isinstance(node, ast.Constant) and type(node.value) is int:
        return Fraction(node.value)
    raise ValueError("only + - * / over figures and whole numbers")
