"""The unit of a query's answer, where its metric's name says one (Prometheus, "Metric and label naming")."""

from typing import Any

import promql_parser as ast

from aiops_shared.metrics.promql import selectors

_SUFFIXES = {
    "_bytes": "bytes",
    "_seconds": "seconds",
    "_ratio": "ratio",
    "_cores": "cores",
    "_celsius": "celsius",
}
_PER_SECOND = {"rate", "irate", "deriv"}
_KEEP = {"sum", "avg", "min", "max", "topk", "bottomk", "quantile"}
_KEEP_CALLS = {"sort", "sort_desc", "abs", "round", "label_replace", "clamp_min", "clamp_max"}


def unit_of(tree: Any) -> str:
    """The unit, or nothing where arithmetic or a count makes another of it."""
    if isinstance(tree, ast.ParenExpr):
        return unit_of(tree.expr)
    if isinstance(tree, ast.AggregateExpr):
        return unit_of(tree.expr) if str(tree.op) in _KEEP else "count"
    if isinstance(tree, ast.Call):
        return _called(tree)
    found = selectors(tree) if isinstance(tree, ast.VectorSelector | ast.MatrixSelector) else ()
    return _suffix(found[0].name) if found else ""


def _called(tree: Any) -> str:
    name = tree.func.name
    if name == "histogram_quantile":
        names = [one.name for one in selectors(tree)]
        return _suffix(names[0].removesuffix("_bucket")) if names else ""
    inner = next((unit_of(one) for one in tree.args if not isinstance(one, ast.NumberLiteral)), "")
    if name in _PER_SECOND:
        return f"{inner} per second" if inner not in {"", "count"} else "per second"
    keeps = name in _KEEP_CALLS or name in {"increase", "delta"} or name.endswith("_over_time")
    return inner if keeps and not name.startswith(("count", "stdvar")) else ""


def _suffix(name: str) -> str:
    bare = name.removesuffix("_total").removesuffix("_sum")
    for suffix, unit in _SUFFIXES.items():
        if bare.endswith(suffix):
            return unit
    return "count" if name.endswith(("_total", "_count")) else ""
