"""Days of a bill as they are kept: a grid of amounts for one question and one month, and its bytes.

Called by `cost_explorer`. A slab knows for each day when it was asked and whether Cost Explorer called it an
estimate, so that a later question asks only for what is missing. The currency is the last part of a key.
"""

import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Final

import numpy as np
import orjson

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


def joined(slabs: Iterable[Slab]) -> Slab:
    """One slab of several; of a day in two the later slab's row counts. Days in order."""
    parts = list(slabs)
    column: dict[Key, int] = {}
    units: list[str] = []
    for part in parts:
        for key, unit in zip(part.keys, part.units, strict=True):
            place = column.setdefault(key, len(column))
            if place == len(units):
                units.append(unit)
            elif units[place] != unit:
                units[place] = MIXED
    newest = {day: (at, row) for at, part in enumerate(parts) for row, day in enumerate(part.days)}
    days = sorted(newest)
    amounts = np.zeros((len(days), len(column)), dtype=np.int64)
    quantities = np.zeros((len(days), len(column)))
    asked, estimated = [], []
    place_of = [np.fromiter((column[key] for key in part.keys), dtype=np.intp) for part in parts]
    for row, day in enumerate(days):
        at, source = newest[day]
        amounts[row, place_of[at]] = parts[at].amounts[source]
        quantities[row, place_of[at]] = parts[at].quantities[source]
        asked.append(parts[at].asked_at[source])
        estimated.append(parts[at].estimated[source])
    return Slab(tuple(days), tuple(asked), tuple(estimated), tuple(column), tuple(units), amounts, quantities)
