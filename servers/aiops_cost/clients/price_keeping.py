"""Prices as they are kept: a sheet for each question, an entry for each name, each with its own date.

Called by `price_book`. A fresh entry is answered without a request; a stale one is read anew, and stands in
when that fails. Sheets lie in the room `prices` of the kept answers.
"""

import zlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import anyio
import orjson

from aiops_cost.clients.kept_answers import kept, recalled
from aiops_shared.clock import Clock
from aiops_shared.errors import AiopsError, InvalidInputError
from aiops_shared.results.wording import brief
from aiops_shared.state.answers import Answers, key_of

HOW_TO_KEEP = (
    "no kept copy either: ask list_prices once with AWS credentials that may pricing:GetProducts, "
    "ec2:DescribeInstanceTypes and ec2:DescribeSpotPriceHistory; answers are kept in the state store"
)
Fetch = Callable[[Sequence[str]], Awaitable[Mapping[str, Any]]]


@dataclass(frozen=True, slots=True)
class Entry:
    """What is known of one name, and since when. `value` None: AWS has nothing of that name."""

    value: Any
    at: datetime
    stale: bool = False

    def source(self, plain: str) -> str:
        """Where it is from, as answers say it."""
        return f"kept copy of {self.at:%Y-%m-%d}" if self.stale else plain


@dataclass(frozen=True, slots=True)
class Found:
    """Entries by name, and sentences about what could not be read."""

    entries: Mapping[str, Entry]
    gaps: tuple[str, ...] = ()


class PriceSheets:
    """The sheets of this server."""

    def __init__(self, answers: Answers, clock: Clock) -> None:
        self._kept = answers
        self._clock = clock
        self._locks: dict[str, anyio.Lock] = {}

    async def through(
        self, sheet: tuple[str, ...], names: Sequence[str], fresh_for: timedelta, fetch: Fetch
    ) -> Found:
        """Each name's entry: kept while it is fresh, else as `fetch` reads it, else the kept one.

        Raises what `fetch` raises when nothing of all this is known, with how to get a copy.
        """
        key = key_of("price sheet", *sheet)
        async with self._locks.setdefault(key, anyio.Lock()):
            now = await self._clock.now()
            known, note = await self._load(key)
            stale = [name for name in names if name not in known or now - known[name].at > fresh_for]
            failed: AiopsError | None = None
            if stale:
                try:
                    read = await fetch(stale)
                except InvalidInputError:
                    raise
                except AiopsError as error:
                    failed = error
                else:
                    known |= {name: Entry(read.get(name), now) for name in stale}
                    note = await self._save(key, known) or note
        return _answered(names, known, stale if failed else [], failed, note)

    async def names(self, sheet: tuple[str, ...]) -> tuple[str, ...]:
        """Every name that a sheet holds something of, whatever its age."""
        known, _ = await self._load(key_of("price sheet", *sheet))
        return tuple(name for name, entry in known.items() if entry.value is not None)

    async def _load(self, key: str) -> tuple[dict[str, Entry], str]:
        found = await recalled(self._kept, key, _entries)
        return found.value or {}, found.note

    async def _save(self, key: str, known: Mapping[str, Entry]) -> str:
        held = {name: (entry.value, entry.at.timestamp()) for name, entry in known.items()}
        return await kept(self._kept, key, zlib.compress(orjson.dumps(held)))


def _entries(body: bytes) -> dict[str, Entry]:
    held = orjson.loads(zlib.decompress(body))
    return {name: Entry(value, datetime.fromtimestamp(at, UTC)) for name, (value, at) in held.items()}


def _answered(
    names: Sequence[str],
    known: Mapping[str, Entry],
    stale: Sequence[str],
    failed: AiopsError | None,
    note: str,
) -> Found:
    old, never = set(stale) & set(known), set(stale) - set(known)
    entries = {
        name: Entry(known[name].value, known[name].at, stale=name in old) for name in names if name in known
    }
    gaps = [note] if note else []
    if failed is None:
        return Found(entries, tuple(gaps))
    if never and not any(entry.value is not None for entry in entries.values()):
        hint = f"{failed.hint}; {HOW_TO_KEEP}" if failed.hint else HOW_TO_KEEP
        raise type(failed)(failed.thing, failed.reason, hint) from failed
    if old:
        oldest = min(known[name].at for name in old)
        gaps.append(
            f"Prices were not read anew ({failed.wire()}): kept copies, the oldest of {oldest:%Y-%m-%d}"
        )
    if never:
        gaps.append(f"No price of {brief(sorted(never))} could be read: {failed.wire()}")
    return Found(entries, tuple(gaps))
