"""A `BillQuestion` in Cost Explorer's words: groups, filters, metrics.

Source: the API reference of GetCostAndUsage. Called by `cost_explorer` for every question, and for the
forecast, whose filter is the same.
"""

from collections.abc import Sequence
from typing import Any, Final

from aiops_cost.models.bills import BillQuestion
from aiops_shared.errors import InvalidInputError

TAG: Final = "TAG:"
DIMS: Final = frozenset(
    {
        "AZ",
        "INSTANCE_TYPE",
        "LINKED_ACCOUNT",
        "OPERATION",
        "PURCHASE_TYPE",
        "RECORD_TYPE",
        "REGION",
        "SERVICE",
        "USAGE_TYPE",
        "USAGE_TYPE_GROUP",
    }
)
METRICS: Final = {
    "unblended": "UnblendedCost",
    "amortized": "AmortizedCost",
    "net_unblended": "NetUnblendedCost",
    "net_amortized": "NetAmortizedCost",
}
QUANTITY: Final = "UsageQuantity"
MOST_DIMS: Final = 2


def require_dims(question: BillQuestion) -> None:
    """Raises InvalidInputError for what Cost Explorer cannot group or filter by."""
    named = (*question.dims, *(dim for dim, _ in (*question.only, *question.without)))
    for dim in named:
        if dim not in DIMS and not (dim.startswith(TAG) and len(dim) > len(TAG)):
            raise InvalidInputError("dimension", f"{ascii(dim)[:60]} is none", ", ".join(sorted(DIMS)))
    if len(set(question.dims)) > MOST_DIMS or len(set(question.dims)) != len(question.dims):
        raise InvalidInputError("dimensions", "Cost Explorer groups by at most two different ones")


def groups_of(dims: Sequence[str]) -> list[dict[str, str]]:
    """`GroupBy`."""
    return [
        {"Type": "TAG", "Key": dim[len(TAG) :]} if dim.startswith(TAG) else {"Type": "DIMENSION", "Key": dim}
        for dim in dims
    ]


def filter_of(question: BillQuestion, cluster_tags: Sequence[str]) -> dict[str, Any] | None:
    """`Filter`; None when everything is meant."""
    terms = [_term(dim, values) for dim, values in question.only]
    terms += [{"Not": _term(dim, values)} for dim, values in question.without]
    if question.cluster:
        terms.append(_any([_term(TAG + tag, (question.cluster,)) for tag in cluster_tags]))
    if not terms:
        return None
    return terms[0] if len(terms) == 1 else {"And": terms}


def _any(terms: list[dict[str, Any]]) -> dict[str, Any]:
    if not terms:
        raise InvalidInputError("cluster", "no tag is known to name it", "set AIOPS_COST_CLUSTER_TAGS")
    return terms[0] if len(terms) == 1 else {"Or": terms}


def _term(dim: str, values: Sequence[str]) -> dict[str, Any]:
    if not dim.startswith(TAG):
        return {"Dimensions": {"Key": dim, "Values": list(values), "MatchOptions": ["EQUALS"]}}
    if not values:
        return {"Tags": {"Key": dim[len(TAG) :], "MatchOptions": ["ABSENT"]}}
    return {"Tags": {"Key": dim[len(TAG) :], "Values": list(values), "MatchOptions": ["EQUALS"]}}


def value_of(dim: str, key: str) -> str:
    """A group's key as a value: tags come as `key$value`."""
    if not dim.startswith(TAG):
        return key
    head = f"{dim[len(TAG) :]}$"
    return key[len(head) :] if key.startswith(head) else key
