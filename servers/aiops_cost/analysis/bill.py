"""A bill as numbers: amounts by day and by what they are grouped by.

What Cost Explorer, cost and usage files and the kept copies all become, and what every analysis of this
server reads. Amounts are billionths (`models.money`), so that sums are exact whatever their order.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Nanos = NDArray[np.int64]
Amounts = NDArray[np.float64]
Number = TypeVar("Number", np.int64, np.float64)


@dataclass(frozen=True, slots=True)
class Bill:
    """`amounts[day, key]` in billionths of `currency`; `keys[i]` are the values of `dims`, in their order.

    `days` are UTC days in order, without holes. `quantities` are in `units[i]` (hours, GB, …), NaN where the
    unit is mixed. `unsettled[day]`: the amounts may still change.
    """

    days: tuple[date, ...]
    dims: tuple[str, ...]
    keys: tuple[tuple[str, ...], ...]
    amounts: Nanos
    quantities: Amounts
    units: tuple[str, ...]
    unsettled: NDArray[np.bool_]
    currency: str = "USD"
    names: Mapping[str, str] = field(default_factory=dict)  # what AWS calls accounts, by number

    @property
    def total(self) -> int:
        """The whole bill, billionths."""
        return int(self.amounts.sum())

    def of_days(self) -> tuple[int, ...]:
        """The bill of each day, billionths."""
        return tuple(int(one) for one in self.amounts.sum(axis=1))

    def of_keys(self) -> tuple[int, ...]:
        """The bill of each key, billionths."""
        return tuple(int(one) for one in self.amounts.sum(axis=0))

    def between(self, first: date, end: date) -> "Bill":
        """The days from `first` up to, not including, `end`."""
        rows = [place for place, day in enumerate(self.days) if first <= day < end]
        return replace(
            self,
            days=tuple(self.days[row] for row in rows),
            amounts=self.amounts[rows],
            quantities=self.quantities[rows],
            unsettled=self.unsettled[rows],
        )

    def where(self, fits: Callable[[tuple[str, ...]], bool]) -> "Bill":
        """The keys that fit."""
        columns = [place for place, key in enumerate(self.keys) if fits(key)]
        return self._taken(columns, tuple(self.keys[place] for place in columns))

    def by(self, *dims: str) -> "Bill":
        """The same bill with fewer dimensions: keys that become the same are added up."""
        places = [self.dims.index(dim) for dim in dims]
        merged: dict[tuple[str, ...], list[int]] = {}
        for place, key in enumerate(self.keys):
            merged.setdefault(tuple(key[at] for at in places), []).append(place)
        groups = list(merged.values())
        return replace(
            self,
            dims=tuple(dims),
            keys=tuple(merged),
            amounts=_added(self.amounts, groups),
            quantities=_added(self.quantities, groups),
            units=tuple(_unit([self.units[place] for place in group]) for group in groups),
        )

    def _taken(self, columns: Sequence[int], keys: tuple[tuple[str, ...], ...]) -> "Bill":
        return replace(
            self,
            keys=keys,
            amounts=self.amounts[:, columns],
            quantities=self.quantities[:, columns],
            units=tuple(self.units[place] for place in columns),
        )


def _added(values: NDArray[Number], groups: Sequence[Sequence[int]]) -> NDArray[Number]:
    made = np.zeros((values.shape[0], len(groups)), dtype=values.dtype)
    for place, group in enumerate(groups):
        made[:, place] = values[:, list(group)].sum(axis=1)
    return made


def _unit(units: Sequence[str]) -> str:
    found = set(units)
    return units[0] if len(found) == 1 else ""
