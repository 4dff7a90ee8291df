"""What there is to ask for: Cost Explorer's dimension values, tags, cost categories and allocation tags.

Values count when they were used in the asked days. Shapes are the service model's; pages are billed like any
other request.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from aiops_lab.aws.account import Account
from aiops_lab.aws.cost_explorer import Act, asking, billed, metric_names
from aiops_lab.aws.cost_explorer_asking import Asker
from aiops_lab.aws.cost_explorer_paging import page
from aiops_lab.aws.overlay import Operations
from aiops_lab.billing.sheet import Codes, Mask

MOST_VALUES = 1_000
MOST_TAGS = 1_000
Answer = Mapping[str, Any]


def value_operations(account: Account) -> Operations:
    """The operations of service `ce` about values, bound to one account."""
    served: dict[str, Act] = {
        "GetDimensionValues": get_dimension_values,
        "GetTags": get_tags,
        "GetCostCategories": get_cost_categories,
        "ListCostAllocationTags": list_cost_allocation_tags,
    }
    return {("ce", name): partial(asking, account, name, act) for name, act in served.items()}


def get_dimension_values(asker: Asker, params: Mapping[str, Any]) -> Answer:
    """A dimension's values in use. Raises AwsError ValidationException."""
    key = str(params["Dimension"])
    found = _used(asker, params, asker.dimension(key))
    rows, more = page(found, params, MOST_VALUES)
    names = asker.ledger.account_names if key == "LINKED_ACCOUNT" else {}
    values = [
        {"Value": one, "Attributes": {"description": names[one]} if one in names else {}} for one in rows
    ]
    return {"DimensionValues": values, "ReturnSize": len(rows), "TotalSize": len(found)} | more


def get_tags(asker: Asker, params: Mapping[str, Any]) -> Answer:
    """Tag keys in use, or the values of one; an empty value is usage without the tag."""
    key = str(params.get("TagKey") or "")
    found = _keyed(asker, params, key, sorted(asker.ledger.tags_active), asker.tag)
    rows, more = page(found, params, MOST_TAGS)
    return {"Tags": rows, "ReturnSize": len(rows), "TotalSize": len(found)} | more


def get_cost_categories(asker: Asker, params: Mapping[str, Any]) -> Answer:
    """Cost categories in use, or the values of one."""
    key = str(params.get("CostCategoryName") or "")
    found = _keyed(asker, params, key, sorted(asker.ledger.cost_categories), asker.category)
    rows, more = page(found, params, MOST_TAGS)
    name = "CostCategoryValues" if key else "CostCategoryNames"
    return {name: rows, "ReturnSize": len(rows), "TotalSize": len(found)} | more


def list_cost_allocation_tags(asker: Asker, params: Mapping[str, Any]) -> Answer:
    """All tags on the bill's lines and whether they were activated."""
    ledger = asker.ledger
    there = {key for line in ledger.lines for key in line.tags} | ledger.tags_active
    tags = [
        {
            "TagKey": key,
            "Type": "AWSGenerated" if key.startswith("aws:") else "UserDefined",
            "Status": "Active" if key in ledger.tags_active else "Inactive",
        }
        for key in sorted(there)
    ]
    wanted = {name: params[name] for name in ("Status", "Type") if params.get(name)}
    keys = set(params.get("TagKeys") or there)
    found = [tag for tag in tags if tag["TagKey"] in keys and wanted.items() <= tag.items()]
    rows, more = page(found, params, MOST_TAGS, "NextToken")
    return {"CostAllocationTags": rows} | more


def _keyed(
    asker: Asker, params: Mapping[str, Any], key: str, keys: Sequence[str], codes: Callable[[str], Codes]
) -> list[str]:
    if key:
        return _used(asker, params, codes(key))
    searched = str(params.get("SearchString") or "").casefold()
    used = [one for one in keys if any(_used(asker, {**params, "SearchString": ""}, codes(one)))]
    return [one for one in used if searched in one.casefold()]


def _used(asker: Asker, params: Mapping[str, Any], codes: Codes) -> list[str]:
    """Values of lines that were used in the days and fit the filter, by name or as SortBy says."""
    kept, weights = _weighed(asker, params)
    places = np.unique(codes.of_lines[kept])
    searched = str(params.get("SearchString") or "").casefold()
    found = [int(place) for place in places if searched in codes.values[place].casefold()]
    if params.get("SortBy"):
        sums = np.zeros(len(codes.values))
        np.add.at(sums, codes.of_lines[kept], weights[kept])
        down = params["SortBy"][0].get("SortOrder") == "DESCENDING"
        found.sort(key=lambda place: float(sums[place]), reverse=down)
    return [codes.values[place] for place in found]


def _weighed(asker: Asker, params: Mapping[str, Any]) -> tuple[Mask, Any]:
    period = asker.period(params)
    quantities, amounts = billed(asker, period)
    used = ((quantities != 0) | (amounts["unblended"] != 0)).any(axis=1)
    sort = [str(one.get("Key")) for one in params.get("SortBy") or ()]
    by_usage = bool(sort) and metric_names(sort[:1]) == ["UsageQuantity"]
    weights = quantities.sum(axis=1) if by_usage else amounts["unblended"].sum(axis=1)
    return used & asker.mask(params.get("Filter")), weights
