"""Reads a Go profile as far as a person needs it: which function holds or burns how much. Pure.

A small decoder of google/pprof's `proto/profile.proto` (fields 1, 2, 4, 5, 6, 14), with bounds on all that a
hostile pod could blow up: bytes after gunzip, samples, names. Values are counted at the leaf of each stack,
which for a heap profile is the function that allocated.
"""

import zlib
from collections import Counter
from collections.abc import Iterator

from aiops_shared.errors import InvalidInputError
from aiops_shared.results import Frozen

MOST_BYTES = 64 * 2**20
MOST_SAMPLES = 200_000
MOST_NAME = 120
TOP = 10
_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5
_GZIP = 16 + zlib.MAX_WBITS


class Holder(Frozen):
    """A function and its share."""

    function: str
    value: int
    pct: int


class Profile(Frozen):
    """What was drawn from a profile: names and numbers only."""

    kind: str  # inuse_space, cpu, goroutine
    unit: str
    total: int
    holders: tuple[Holder, ...]


def _bad(why: str) -> InvalidInputError:
    return InvalidInputError("profile", why, "is it a pprof endpoint?")


def unpacked(data: bytes) -> bytes:
    """Without gzip, at most 64 MiB. Raises InvalidInputError."""
    if not data.startswith(b"\x1f\x8b"):
        raise _bad("is not gzipped")
    reader = zlib.decompressobj(_GZIP)
    try:
        out = reader.decompress(data, MOST_BYTES)
    except zlib.error as error:
        raise _bad("cannot be unpacked") from error
    if not reader.eof:
        raise _bad(f"is cut off, or larger than {MOST_BYTES // 2**20} MiB")
    return out


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """A number and where it ends."""
    value = shift = 0
    while at < len(data) and shift < 70:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at += 1
        if byte < 0x80:
            return value & 0xFFFF_FFFF_FFFF_FFFF, at
        shift += 7
    raise _bad("ends inside a number")


def _fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Field number and value of one message."""
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        kind = tag & 7
        if kind == _VARINT:
            value, at = _varint(data, at)
            yield tag >> 3, value
            continue
        size = {_FIXED64: 8, _FIXED32: 4}.get(kind, -1)
        if kind == _LENGTH:
            size, at = _varint(data, at)
        if size < 0 or at + size > len(data):
            raise _bad("is malformed")
        yield tag >> 3, data[at : at + size]
        at += size


def _numbers(value: int | bytes) -> list[int]:
    """A repeated number, packed or single."""
    if isinstance(value, int):
        return [value]
    found, at = [], 0
    while at < len(value):
        number, at = _varint(value, at)
        found.append(number)
    return found


def _first(data: bytes, field: int) -> int:
    return next((value for number, value in _fields(data) if number == field and isinstance(value, int)), 0)


class _Parts:
    """The tables of one profile."""

    def __init__(self, data: bytes) -> None:
        self.types: list[tuple[int, int]] = []
        self.samples: list[bytes] = []
        self.lines: dict[int, int] = {}  # location -> function
        self.names: dict[int, int] = {}  # function -> text
        self.texts: list[bytes] = []
        self.default = 0
        for number, value in _fields(data):
            if isinstance(value, bytes):
                self._take(number, value)
            elif number == 14:
                self.default = value

    def _take(self, number: int, value: bytes) -> None:
        match number:
            case 1:
                self.types.append((_first(value, 1), _first(value, 2)))
            case 2:
                self.samples.append(value)
            case 4:
                line = next((v for n, v in _fields(value) if n == 4 and isinstance(v, bytes)), b"")
                self.lines[_first(value, 1)] = _first(line, 1)
            case 5:
                self.names[_first(value, 1)] = _first(value, 2)
            case 6:
                self.texts.append(value)
        if len(self.samples) > MOST_SAMPLES:
            raise _bad(f"has more than {MOST_SAMPLES} samples")

    def text(self, index: int) -> str:
        """A string of the table: ASCII, short; it comes from a pod (T7)."""
        raw = self.texts[index] if 0 <= index < len(self.texts) else b""
        return "".join(chr(byte) for byte in raw[:MOST_NAME] if 0x20 < byte < 0x7F)

    def leaf(self, location: int) -> str:
        """The function of a location."""
        return self.text(self.names.get(self.lines.get(location, 0), 0)) or "unknown"

    def column(self) -> int:
        """Which value counts: the default type, else the last one, as `go tool pprof` takes it."""
        named = [place for place, (kind, _) in enumerate(self.types) if self.default and kind == self.default]
        return named[0] if named else len(self.types) - 1


def read_profile(data: bytes) -> Profile:
    """The largest holders. Raises InvalidInputError for what is no profile."""
    parts = _Parts(unpacked(data))
    if not parts.types or not parts.samples:
        raise _bad("holds no samples")
    column = parts.column()
    held: Counter[int] = Counter()
    for sample in parts.samples:
        stack: list[int] = []
        values: list[int] = []
        for number, value in _fields(sample):
            if number == 1:
                stack += _numbers(value)
            elif number == 2:
                values += _numbers(value)
        if stack and column < len(values) and values[column] < 2**63:
            held[stack[0]] += values[column]
    by_name: Counter[str] = Counter()
    for location, value in held.items():
        by_name[parts.leaf(location)] += value
    total = sum(by_name.values())
    top = [
        Holder(function=name, value=value, pct=round(100 * value / total) if total else 0)
        for name, value in by_name.most_common(TOP)
    ]
    kind, unit = parts.types[column]
    return Profile(kind=parts.text(kind), unit=parts.text(unit), total=total, holders=tuple(top))
