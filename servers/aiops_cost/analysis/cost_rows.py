"""A bill as rows that sum to it: ranked, the rest in one row, what rounding leaves in another.

Called by `clients/cost_reading.py`. Amounts are billionths until `Rows.shown`, which rounds each to the cent.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from aiops_cost.analysis.bill import Bill
from aiops_cost.models.money import NANO, to_cents

USAGE: Final = "usage"
ROUNDING: Final = "(rounding)"
UNTAGGED: Final = "(untagged)"
LEAST: Final = NANO // 1000  # a day: below a tenth of a cent every change is a thousandfold


@dataclass(frozen=True, slots=True)
class Row:
    """What one key cost. `daily`: the mean of the settled days, billionths, before and now."""

    key: tuple[str, ...]
    amount: int
    daily: float | None
    before: int | None = None
    daily_before: float | None = None

    @property
    def change(self) -> float | None:
        """Of the mean day, as a share; None where hardly anything was before, or a credit."""
        if self.daily is None or abs(self.daily_before or 0) < LEAST:
            return None
        if self.daily and (self.daily < 0) != ((self.daily_before or 0) < 0):
            return None
        return self.daily / (self.daily_before or 1) - 1


@dataclass(frozen=True, slots=True)
class ShownRow:
    """A row in whole cents."""

    key: tuple[str, ...]
    cents: int
    row: Row | None


def is_usage(record_type: str) -> bool:
    """Whether a RECORD_TYPE is consumption: Usage, DiscountedUsage, SavingsPlanCoveredUsage."""
    return USAGE in record_type.lower()


def apart(bill: Bill) -> Bill:
    """Without the last dimension, RECORD_TYPE: what is no usage becomes a key of its own.

    A credit hidden in a service's row would look like a service that got cheaper.
    """
    blank = [""] * (len(bill.dims) - 2)
    keys = tuple(key[:-1] if is_usage(key[-1]) else (f"[{key[-1]}]", *blank) for key in bill.keys)
    return replace(bill, dims=bill.dims[:-1], keys=keys).by(*bill.dims[:-1])


def settled_mean(bill: Bill) -> float | None:
    """Billionths of the mean settled day; None without one."""
    settled = ~bill.unsettled
    return float(bill.amounts[settled].sum()) / int(settled.sum()) if settled.any() else None


def ranked(now: Bill, before: Bill | None) -> list[Row]:
    """The keys of two bills, biggest amount of either sign first, what only was before included."""
    earlier = _by_key(before) if before is not None else {}
    mine = _by_key(now)
    rows = [
        Row(key, amount, daily, *(earlier.get(key, (0, 0.0)) if before is not None else (None, None)))
        for key, (amount, daily) in mine.items()
    ]
    rows += [
        Row(key, 0, 0.0, amount, daily)
        for key, (amount, daily) in earlier.items()
        if key not in mine and amount
    ]
    return sorted(rows, key=lambda row: (-abs(row.amount), -(abs(row.before or 0)), row.key))


def _by_key(bill: Bill) -> Mapping[tuple[str, ...], tuple[int, float | None]]:
    settled = ~bill.unsettled
    count = int(settled.sum())
    means = bill.amounts[settled].sum(axis=0) / count if count else np.full(len(bill.keys), np.nan)
    sums = bill.of_keys()
    return {key: (sums[at], float(means[at]) if count else None) for at, key in enumerate(bill.keys)}


def cut(rows: Sequence[Row], most: int) -> tuple[list[Row], Row | None, int]:
    """The first rows, one row for the others, and how many those are."""
    if len(rows) <= most + 1:  # a rest of one would hide a name and save nothing
        return list(rows), None, 0
    head, tail = list(rows[:most]), rows[most:]
    rest = Row(
        (f"({len(tail)} more)",),
        sum(row.amount for row in tail),
        _sum([row.daily for row in tail]),
        sum(row.before or 0 for row in tail) if tail[0].before is not None else None,
        _sum([row.daily_before for row in tail]),
    )
    return head, rest, len(tail)


def _sum(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if len(known) == len(values) else None


def shown(rows: Sequence[Row], total: int) -> list[ShownRow]:
    """The rows in cents; a row of rounding where they would not sum to the total in cents."""
    found = [ShownRow(row.key, to_cents(row.amount), row) for row in rows]
    missing = to_cents(total) - sum(row.cents for row in found)
    if missing:
        found.append(ShownRow((ROUNDING,), missing, None))
    return found
