"""The bill by cluster and account: three dimensions, of which Cost Explorer groups by two.

Called by `cost_reading` for `group_by=cluster`. The bill by account and record type is the frame; one
question for each cluster tag tells its usage apart, each about what no earlier tag named. What no tag names
is what is left of the frame, so that the parts sum to it whatever the tags say.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from aiops_cost.analysis.bill import Bill, Nanos
from aiops_cost.analysis.cost_rows import UNTAGGED, is_usage
from aiops_cost.clients.cost_explorer import CostExplorer
from aiops_cost.models.bills import BillQuestion, Spent, Terms
from aiops_shared.errors import InvalidInputError

DIMS = ("CLUSTER", "LINKED_ACCOUNT", "RECORD_TYPE")
USAGE_TYPE = "Usage"


async def by_cluster(
    explorer: CostExplorer, question: BillQuestion, tags: Sequence[str], counted: Spent
) -> tuple[Bill, ...]:
    """One bill for each currency with the dimensions CLUSTER, LINKED_ACCOUNT, RECORD_TYPE."""
    if not tags:
        raise InvalidInputError("group_by", "no tag names clusters", "set AIOPS_COST_CLUSTER_TAGS")
    frames = await explorer.bills(replace(question, dims=("LINKED_ACCOUNT", "RECORD_TYPE")), counted)
    kinds = tuple(sorted({key[1] for frame in frames for key in frame.keys if is_usage(key[1])}))
    parts: dict[str, list[Bill]] = defaultdict(list)
    terms: Terms = (("RECORD_TYPE", kinds),)
    for tag in tags if kinds else ():
        dim = f"TAG:{tag}"
        asked = replace(question, dims=(dim, "LINKED_ACCOUNT"), only=(*question.only, *terms))
        found = await explorer.bills(asked, counted)
        for bill in found:
            parts[bill.currency].append(bill.where(lambda key: bool(key[0])))
        if not any(bill.where(lambda key: not key[0]).amounts.any() for bill in found):
            break
        terms = (*terms, (dim, ()))
    return tuple(_joined(frame, parts[frame.currency]) for frame in frames)


def _joined(frame: Bill, parts: Sequence[Bill]) -> Bill:
    """The frame with its usage told apart by cluster."""

    def nothing() -> Nanos:
        return np.zeros(len(frame.days), dtype=np.int64)

    columns: dict[tuple[str, ...], Nanos] = defaultdict(nothing)
    untagged: dict[str, Nanos] = defaultdict(nothing)
    for place, (account, record) in enumerate(frame.keys):
        if is_usage(record):
            untagged[account] = untagged[account] + frame.amounts[:, place]
        else:
            columns["", account, record] = frame.amounts[:, place]
    for part in parts:
        for place, (cluster, account) in enumerate(part.keys):
            key = (cluster, account, USAGE_TYPE)
            columns[key] = columns[key] + part.amounts[:, place]
            untagged[account] = untagged[account] - part.amounts[:, place]
    for account, left in untagged.items():
        if left.any():
            columns[UNTAGGED, account, USAGE_TYPE] = left
    shape = (len(frame.days), len(columns))
    return replace(
        frame,
        dims=DIMS,
        keys=tuple(columns),
        amounts=np.stack(list(columns.values()), axis=1) if columns else np.zeros(shape, dtype=np.int64),
        quantities=np.full(shape, np.nan),
        units=("",) * len(columns),
    )
