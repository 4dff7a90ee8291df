"""The pages of one GetCostAndUsage answer, read as they come: 3 million amounts need no second copy.

Called by `cost_explorer`. A page may end in the middle of a day; `whole` gives the days of which it is known
that nothing more comes, so that what was billed is kept even when the answer is given up.
"""

from array import array
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np

from aiops_cost.clients.cost_queries import METRICS, QUANTITY, value_of
from aiops_cost.clients.cost_slabs import MIXED, Key, Slab
from aiops_cost.models.bills import Metric
from aiops_cost.models.money import nano
from aiops_shared.errors import UpstreamError

MOST_SUM = 2.0**62  # billionths
NO_UNIT = frozenset({"", "N/A", "NA", "None"})


class Pages:
    """What was read of one answer about the days from `first` to `end`."""

    def __init__(self, first: date, end: date, dims: Sequence[str], metric: Metric) -> None:
        self._first, self._end = first, end
        self._dims = dims
        self._metric = METRICS[metric]
        self._column: dict[Key, int] = {}
        self._units: list[str] = []
        self._row, self._place = array("i"), array("i")
        self._amount, self._quantity = array("q"), array("d")
        self._estimated: dict[date, bool] = {}
        self._names: dict[str, str] = {}
        self.read = 0
        self._orderly = True
        self._newest: date | None = None

    def add(self, page: Mapping[str, Any]) -> None:
        """One page. Raises UpstreamError for what is no answer about these days."""
        try:
            self._add(page)
        except (AttributeError, TypeError) as error:
            raise UpstreamError("Cost Explorer", "an answer in another form than its own") from error
        self.read += 1

    def _add(self, page: Mapping[str, Any]) -> None:
        results = page.get("ResultsByTime")
        if results is None:  # half an answer reads as one without fields, and is no bill of nothing
            raise UpstreamError("Cost Explorer", "an answer without days: it was cut off")
        days = [self._day(result) for result in results]
        self._orderly &= days == sorted(days) and (
            self._newest is None or not days or days[0] >= self._newest
        )
        for day, result in zip(days, results, strict=True):
            self._estimated[day] = self._estimated.get(day, False) or bool(result.get("Estimated"))
            for group in result.get("Groups") or ():
                told = group.get("Keys") or ()
                keys = tuple(map(value_of, self._dims, told)) if len(told) == len(self._dims) else ()
                self._amounts(day, keys, group.get("Metrics") or {})
            if not self._dims and result.get("Total"):
                self._amounts(day, (), result["Total"])
            self._newest = day
        for named in page.get("DimensionValueAttributes") or ():
            name = (named.get("Attributes") or {}).get("description")
            if name:
                self._names[str(named.get("Value"))] = str(name)

    def _day(self, result: Mapping[str, Any]) -> date:
        said = str((result.get("TimePeriod") or {}).get("Start") or "")[:10]
        try:
            day = date.fromisoformat(said)
        except ValueError as error:
            raise UpstreamError("Cost Explorer", f"{said[:20]!r} is no day") from error
        if not self._first <= day < self._end:
            raise UpstreamError("Cost Explorer", f"it answered about {day}, which was not asked")
        return day

    def _amounts(self, day: date, keys: Key, metrics: Mapping[str, Any]) -> None:
        cost, usage = metrics.get(self._metric) or {}, metrics.get(QUANTITY) or {}
        if len(keys) != len(self._dims) or "Amount" not in cost:
            raise UpstreamError("Cost Explorer", "a group without its keys or its amount")
        unit = str(usage.get("Unit") or "")
        unit = MIXED if unit in NO_UNIT else unit
        key = (*keys, str(cost.get("Unit") or "USD"))
        place = self._column.setdefault(key, len(self._column))
        if place == len(self._units):
            self._units.append(unit)
        elif self._units[place] != unit:
            self._units[place] = MIXED
        self._row.append((day - self._first).days)
        self._place.append(place)
        self._amount.append(nano(str(cost["Amount"])))
        self._quantity.append(_number(usage.get("Amount")))

    def pages_needed(self) -> int:
        """How many pages the whole answer has, as far as those read tell."""
        if not self._orderly or self._newest is None or not self.read:
            return self.read + 1
        done = (self._newest - self._first).days + 1
        return max(self.read + 1, -(-self.read * (self._end - self._first).days // done))

    def whole(self, asked_at: datetime, *, complete: bool) -> Slab | None:
        """The days that are complete: all of them, or those before the last one seen when pages are missing.

        Pages that do not come day after day say nothing about any day. Raises UpstreamError for amounts whose
        sum does not fit 64 bits.
        """
        end = self._end
        if not complete:
            if not self._orderly or self._newest is None or self._newest == self._end - timedelta(days=1):
                return None
            end = self._newest
        count = (end - self._first).days
        if count <= 0:
            return None
        if np.abs(np.frombuffer(self._amount, dtype=np.int64).astype(np.float64)).sum() > MOST_SUM:
            raise UpstreamError("Cost Explorer", "its amounts are out of range")
        amounts = np.zeros((count, len(self._column)), dtype=np.int64)
        quantities = np.zeros((count, len(self._column)))
        rows, places = np.frombuffer(self._row, dtype=np.int32), np.frombuffer(self._place, dtype=np.int32)
        kept = rows < count
        at = (rows[kept], places[kept])
        # += would count a cell once; a key that comes twice for a day is added up.
        np.add.at(amounts, at, np.frombuffer(self._amount, dtype=np.int64)[kept])
        np.add.at(quantities, at, np.frombuffer(self._quantity, dtype=np.float64)[kept])
        days = tuple(self._first + timedelta(days=day) for day in range(count))
        return Slab(
            days,
            (asked_at,) * count,
            tuple(self._estimated.get(day, False) for day in days),
            tuple(self._column),
            tuple(self._units),
            amounts,
            quantities,
            dict(self._names),
        )


def _number(text: Any) -> float:
    try:
        return float(text or 0)
    except ValueError:
        return float("nan")
