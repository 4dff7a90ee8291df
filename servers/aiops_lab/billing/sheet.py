"""The lines of a bill as columns of numbers, so that a bill of thousands of lines answers fast.

Amounts are whole ten-billionths (Cost Explorer's ten decimals) in 64 bits: sums are exact up to 900 million,
a line's day up to 30 million.
Computed month by month when first asked for and kept; `Ledger.sheet` holds one per tuple of lines.
"""

import threading
from calendar import monthrange
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from typing import TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from aiops_lab.billing.lines import Line, Price, on

SCALE = 10**10
KEPT = 4
Kept = TypeVar("Kept")
_FINE = 10**6  # quantities with at most six decimals are multiplied as whole numbers
Whole = NDArray[np.int64]
Real = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Columns:
    """Lines x days: `quantities` in each line's unit, amounts in ten-billionths."""

    quantities: Real
    unblended: Whole
    amortized: Whole


@dataclass(frozen=True, slots=True)
class Codes:
    """One dimension of all lines: its values, sorted, and which one each line has."""

    values: tuple[str, ...]
    of_lines: NDArray[np.intp]


class Sheet:
    """All lines of one bill. Thread-safe."""

    def __init__(self, lines: tuple[Line, ...]) -> None:
        self.lines = lines
        self._kept: dict[str, object] = {}  # answers whose pages are being read, by what was asked
        self._months: dict[date, Columns] = {}
        self._codes: dict[str, Codes] = {}
        self._lock = threading.Lock()

    def kept(self, mark: str, make: Callable[[], Kept]) -> Kept:
        """What `make` gave for this mark, kept until some other answers are asked for."""
        with self._lock:
            if mark in self._kept:
                return cast("Kept", self._kept[mark])
        made = make()
        with self._lock:
            self._kept = dict(list(self._kept.items())[1 - KEPT :]) | {mark: made}
        return made

    def columns(self, first: date, end: date) -> Columns:
        """The days from `first` up to, not including, `end`: whole days, also of the future."""
        parts: list[Columns] = []
        month = first.replace(day=1)
        while month < end:
            whole, days = self._month(month), monthrange(month.year, month.month)[1]
            start = (max(first, month) - month).days
            stop = min((end - month).days, days)
            parts.append(
                Columns(
                    whole.quantities[:, start:stop],
                    whole.unblended[:, start:stop],
                    whole.amortized[:, start:stop],
                )
            )
            month += timedelta(days=days)
        return Columns(
            np.hstack([part.quantities for part in parts]),
            np.hstack([part.unblended for part in parts]),
            np.hstack([part.amortized for part in parts]),
        )

    def codes(self, name: str, value: Callable[[Line], str]) -> Codes:
        """What `value` gives for each line, kept under `name`."""
        with self._lock:
            if name not in self._codes:
                of_lines = [value(line) for line in self.lines]
                values = sorted(set(of_lines))
                places = {one: place for place, one in enumerate(values)}
                found = np.array([places[one] for one in of_lines], dtype=np.intp)
                self._codes[name] = Codes(tuple(values), found)
            return self._codes[name]

    def _month(self, month: date) -> Columns:
        with self._lock:
            if month not in self._months:
                count = monthrange(month.year, month.month)[1]
                days = [month + timedelta(days=place) for place in range(count)]
                self._months[month] = _computed(self.lines, days)
            return self._months[month]


def _computed(lines: Sequence[Line], days: Sequence[date]) -> Columns:
    if not lines:
        none = np.zeros((0, len(days)))
        return Columns(none, none.astype(np.int64), none.astype(np.int64))
    quantities = np.array([[line.quantity(day) for day in days] for line in lines], dtype=np.float64)
    unblended = _amounts([line.price_usd for line in lines], quantities, days)
    amortized = unblended.copy()
    apart = [place for place, line in enumerate(lines) if line.amortized_usd is not None]
    if apart:
        prices = [lines[place].amortized_usd or Decimal() for place in apart]
        amortized[apart] = _amounts(prices, quantities[apart], days)
    return Columns(quantities, unblended, amortized)


def _amounts(prices: Sequence[Price], quantities: Real, days: Sequence[date]) -> Whole:
    """Price times quantity, ten decimals, half to even: `Line.amount` for all at once."""
    whole, exact = _prices(prices, days)
    fine = np.rint(quantities * _FINE)
    fits = exact & (fine / _FINE == quantities) & (np.abs(fine) < 1e15)
    fits &= np.abs(whole.astype(np.float64) * fine) < 9e18
    made = _halved(np.where(fits, whole, 0) * np.where(fits, fine, 0).astype(np.int64), _FINE)
    for row, column in np.argwhere(~fits):
        amount = on(prices[row], days[column]) * Decimal(repr(float(quantities[row, column])))
        made[row, column] = int((amount * SCALE).to_integral_value(ROUND_HALF_EVEN))
    return made


def _prices(prices: Sequence[Price], days: Sequence[date]) -> tuple[Whole, Mask]:
    """Prices by line and day in ten-billionths, and where that is exact."""
    whole = np.zeros((len(prices), len(days)), dtype=np.int64)
    exact = np.zeros(whole.shape, dtype=np.bool_)
    for row, price in enumerate(prices):
        if callable(price):
            scaled = [price(day) * SCALE for day in days]
            whole[row] = [int(one) for one in scaled]
            exact[row] = [one == int(one) for one in scaled]
        else:
            one = price * SCALE
            whole[row], exact[row] = int(one), one == int(one)
    return whole, exact


def _halved(products: Whole, by: int) -> Whole:
    """Divided, half to even."""
    quotient, rest = np.divmod(products, by)
    up = (rest * 2 > by) | ((rest * 2 == by) & (quotient % 2 == 1))
    made: Whole = quotient + up
    return made


def part_of_day(amounts: Whole, hours: int) -> Whole:
    """`hours` of 24 of whole days' amounts, half to even."""
    return _halved(amounts * hours, 24)
