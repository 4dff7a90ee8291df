"""Rows of cost and usage data 2.0 with split cost allocation, as rows by workload that sum to the bill.

AWS splits each instance over its pods: `split cost` is what a pod held, `unused cost` its part of what nobody
held ("Split line item columns", AWS Data Exports guide). The unused part is idle here, so that this source
means the same by a workload's cost as the own allocation. What the instances cost beyond both is a row too:
split rows come days later than the bill.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from aiops_cost.analysis.allocation import (
    IDLE,
    SYSTEM,
    SYSTEM_NAMESPACES,
    Allocation,
    Owner,
    allocate,
    shared,
)
from aiops_cost.analysis.charges import Charge, Of, charge_kind
from aiops_cost.analysis.fleet import Fleet

UNSPLIT = "instances not split"
_NOBODY = Fleet((), ())
_CRON = re.compile(r"(.+)-[0-9]{8,10}")
_SAID = 0.01  # of the instances: below it the difference needs no words


@dataclass(frozen=True, slots=True)
class SplitRow:
    """One group of lines; amounts in billionths. `split` is None for lines that are no pod's."""

    product: str
    usage_type: str
    namespace: str
    kind: str
    name: str
    deployment: str
    cost: int
    split: int | None
    unused: int


def owner_of(row: SplitRow) -> Owner:
    """Whose row it is, named as the own allocation names it."""
    if row.namespace in SYSTEM_NAMESPACES or row.kind == "DaemonSet":
        return shared(SYSTEM)
    if row.deployment:
        return row.namespace, "Deployment", row.deployment
    if row.kind == "Job" and (match := _CRON.fullmatch(row.name)):
        return row.namespace, "CronJob", match[1]
    return row.namespace, row.kind or "Pod", row.name or "(pods without a workload)"


def divided(rows: Iterable[SplitRow], log_shares: Mapping[Owner, float]) -> Allocation:
    """All of it; sums to the cost of the lines."""
    listed = list(rows)
    made = allocate(_others(listed), _NOBODY, 1.0, log_shares)
    instances = split_up = 0
    for row in listed:
        part = "memory" if "GB-Hours" in row.usage_type else "cpu"
        if row.split is not None:
            made.add(owner_of(row), part, row.split)
            made.add(shared(IDLE), part, row.unused)
            split_up += row.split + row.unused
            instances += row.cost
        elif row.namespace:
            made.add(owner_of(row), part, row.cost)
        elif _of(row) is Of.INSTANCES:
            instances += row.cost
    made.add(shared(UNSPLIT), "other", instances - split_up)
    if abs(instances - split_up) > _SAID * abs(instances):
        made.notes.append(
            "split rows do not cover all of the instances' cost: they come some days later, and only for pods"
            " of clusters that had split cost allocation switched on"
        )
    return made


def _of(row: SplitRow) -> Of:
    return charge_kind(row.product, row.usage_type)[0]


def _others(rows: Sequence[SplitRow]) -> Iterable[Charge]:
    """What is neither a pod's nor an instance's."""
    for row in rows:
        if row.split is None and not row.namespace:
            of, label, kind, spot = charge_kind(row.product, row.usage_type)
            if of is not Of.INSTANCES:
                yield Charge(of, label, row.cost, 0.0, kind, spot)
