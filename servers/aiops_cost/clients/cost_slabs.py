"""Days of a bill as they are kept: a grid of amounts for one question and one month, and its bytes.

Called by `cost_explorer`. A slab knows for each day when it was asked and whether Cost Explorer called it an
estimate, so that a later question asks only for what is missing. The currency is the last part of a key.
"""

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Final

import numpy as np
import orjson
from numpy.typing import NDArray

from aiops_cost.analysis.bill import Amounts, Nanos

VERSION: Final = 1
MIXED: Final = ""  # a quantity in more than one unit is none
Key = tuple[str, ...]


class UnreadableError(Exception):
    """Kept bytes that are no slab: dropped by the reader, never shown."""


@dataclass(frozen=True, slots=True)
class Slab:
    """`amounts[day, key]` and `quantities[day, key]` of some days, not always without holes."""

    days: tuple[date, ...]
    asked_at: tuple[datetime, ...]
    estimated: tuple[bool, ...]
    keys: tuple[Key, ...]
    units: tuple[str, ...]
    amounts: Nanos
    quantities: Amounts
    names: Mapping[str, str] = field(default_factory=dict)

    def taken(self, rows: Sequence[int]) -> "Slab":
        """Some of the days."""
        return Slab(
            tuple(self.days[row] for row in rows),
            tuple(self.asked_at[row] for row in rows),
            tuple(self.estimated[row] for row in rows),
            self.keys,
            self.units,
            self.amounts[list(rows)],
            self.quantities[list(rows)],
            self.names,
        )

    def packed(self) -> bytes:
        """What is kept."""
        head = orjson.dumps(
            {
                "v": VERSION,
                "days": [day.isoformat() for day in self.days],
                "asked_at": [moment.isoformat() for moment in self.asked_at],
                "estimated": self.estimated,
                "keys": self.keys,
                "units": self.units,
                "names": self.names,
            }
        )
        body = (
            len(head).to_bytes(4, "big"),
            head,
            _bytes(self.amounts, "<i8"),
            _bytes(self.quantities, "<f8"),
        )
        return zlib.compress(b"".join(body), level=1)


def unpacked(body: bytes) -> Slab:
    """The slab in kept bytes. Raises UnreadableError."""
    try:
        raw = zlib.decompress(body)
        start = 4 + int.from_bytes(raw[:4], "big")
        head = orjson.loads(raw[4:start])
        if head["v"] != VERSION:
            raise UnreadableError
        shape = (len(head["days"]), len(head["keys"]))
        size = 8 * shape[0] * shape[1]
        if len(raw) != start + 2 * size or len(head["units"]) != shape[1]:
            raise UnreadableError
        return Slab(
            tuple(date.fromisoformat(day) for day in head["days"]),
            tuple(datetime.fromisoformat(moment) for moment in head["asked_at"]),
            tuple(bool(one) for one in head["estimated"]),
            tuple(tuple(key) for key in head["keys"]),
            tuple(head["units"]),
            np.frombuffer(raw, "<i8", offset=start, count=size // 8).reshape(shape),
            np.frombuffer(raw, "<f8", offset=start + size, count=size // 8).reshape(shape),
            {str(key): str(name) for key, name in head["names"].items()},
        )
    except (zlib.error, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UnreadableError from error


def _bytes(values: Nanos | Amounts, kind: str) -> bytes:
    return np.ascontiguousarray(values, dtype=kind).tobytes()


class Joining:
    """Several slabs put into one, each let go as soon as it is added: a bill of 400 accounts is 50 MB.

    Of a day in two the later slab's row counts.
    """

    def __init__(self, most_days: int) -> None:
        self._amounts: Nanos = np.zeros((most_days, 0), dtype=np.int64)
        self._quantities: Amounts = np.zeros((most_days, 0))
        self._column: dict[Key, int] = {}
        self._units: list[str] = []
        self._rows: dict[date, int] = {}
        self._told: dict[date, tuple[datetime, bool]] = {}
        self._names: dict[str, str] = {}

    def add(self, part: Slab) -> None:
        """One slab."""
        places = self._places(part)
        for source, day in enumerate(part.days):
            row = self._rows.setdefault(day, len(self._rows))
            if day in self._told:
                self._amounts[row], self._quantities[row] = 0, 0
            self._amounts[row, places] = part.amounts[source]
            self._quantities[row, places] = part.quantities[source]
            self._told[day] = (part.asked_at[source], part.estimated[source])
        self._names |= part.names

    def _places(self, part: Slab) -> NDArray[np.intp]:
        for key, unit in zip(part.keys, part.units, strict=True):
            place = self._column.setdefault(key, len(self._column))
            if place == len(self._units):
                self._units.append(unit)
            elif self._units[place] != unit:
                self._units[place] = MIXED
        more = ((0, 0), (0, len(self._column) - self._amounts.shape[1]))
        if more[1][1]:
            self._amounts = np.pad(self._amounts, more)
            self._quantities = np.pad(self._quantities, more)
        return np.fromiter((self._column[key] for key in part.keys), dtype=np.intp)

    def slab(self) -> Slab:
        """All of them, days in order. The last thing to call."""
        days = sorted(self._rows)
        order = [self._rows[day] for day in days]
        rows: slice | list[int] = slice(len(days)) if order == list(range(len(days))) else order
        return Slab(
            tuple(days),
            tuple(self._told[day][0] for day in days),
            tuple(self._told[day][1] for day in days),
            tuple(self._column),
            tuple(self._units),
            self._amounts[rows],
            self._quantities[rows],
            self._names,
        )


def joined(slabs: Sequence[Slab]) -> Slab:
    """One slab of several."""
    joining = Joining(sum(len(slab.days) for slab in slabs))
    for slab in slabs:
        joining.add(slab)
    return joining.slab()
