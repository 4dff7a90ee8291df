"""A store whose lines are all read and counted here: the logs of pods, and what OpenSearch gives of an index.

Fulfils `LogStore` over a function that gives the lines of a span; each span is read once. The newest lines of
a span alone would name a wrong worst hour: where the backend can be asked piece by piece, all are read, up to
MOST_HELD.
"""

import math
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from aiops_observability.clients.log_store import MOST_LINES, Count, Counts, Lines, Spent, Told, Which
from aiops_shared.aws.log_spans import Span

MOST_HELD, DEEPEST = 60_000, 4
Read = Callable[[Span, Which], Awaitable[Lines]]
Admit = Callable[[Sequence[Span]], Awaitable[None]]


@dataclass
class HeldLogs:
    """`read` gives the lines of a span, newest first, and says how many there are."""

    what: str
    read: Read
    check: Admit | None = None
    pieces: bool = False  # a shorter span gives lines that a longer one leaves out
    spent: Spent = field(default_factory=Spent)
    _kept: dict[tuple[Span, Which], Lines] = field(default_factory=dict)

    async def admit(self, spans: Sequence[Span]) -> None:
        """Raises what the backend's own check raises; pods are bounded by lines, not by bytes."""
        if self.check is not None:
            await self.check(spans)

    async def lines(self, span: Span, which: Which, service: str = "", most: int = MOST_LINES) -> Lines:
        """Lines of a span."""
        found = await self._read(span, which)
        kept = [one for one in found.lines if _wanted(one, which) and _written_by(one, service)]
        matched = found.matched if len(kept) == len(found.lines) else len(kept)
        return Lines(tuple(kept[:most]), max(matched, len(kept)), found.warnings)

    async def counts(
        self, span: Span, by: Sequence[str], *, step_s: int | None = None, service: str = ""
    ) -> Counts:
        """Counts of the lines that were read; where that is a part of them, it is said."""
        found = await self._read(span, "all")
        lines = [one for one in found.lines if _written_by(one, service)]
        known = tuple(fact for fact in by if any(_fact(one, fact) for one in lines))
        counts = Counter(
            (_bucket(one.at_s, step_s), tuple(_fact(one, fact) for fact in known)) for one in lines
        )
        warned = list(found.warnings)
        if found.sampled:
            warned.append(f"counted in the newest {len(found.lines):,} of {found.matched:,} lines")
        rows = (Count(at, dict(zip(known, facts, strict=True)), n) for (at, facts), n in counts.items())
        return Counts(tuple(rows), known, tuple(warned))

    async def _read(self, span: Span, which: Which) -> Lines:
        if (span, which) not in self._kept:
            self._kept[span, which] = await self._whole(span, which)
        return self._kept[span, which]

    async def _whole(self, span: Span, which: Which, depth: int = 0) -> Lines:
        """The lines of a span; of one with too many for one answer, those of its parts, newest first."""
        found = await self.read(span, which)
        if not (self.pieces and found.sampled and found.matched <= MOST_HELD and depth < DEEPEST):
            return found
        parts = [await self._whole(part, which, depth + 1) for part in _parts(span, found)]
        lines = tuple(one for part in parts for one in part.lines)
        warnings = dict.fromkeys(text for part in parts for text in part.warnings)
        return Lines(lines, max(len(lines), sum(part.matched for part in parts)), tuple(warnings))


def _parts(span: Span, found: Lines) -> list[Span]:
    """Equal parts, newest first, so many that lines at an even pace would fit."""
    count = math.ceil(found.matched / max(1, len(found.lines))) + 1
    length = (span.until - span.since) / count
    ends = [span.since + length * number for number in range(count)] + [span.until]
    return [Span(since, until) for since, until in reversed(list(pairwise(ends)))]


def _wanted(told: Told, which: Which) -> bool:
    if which == "errors":
        return told.line.is_error
    return which == "all" or told.line.is_error or told.line.level == "warn"


def _written_by(told: Told, service: str) -> bool:
    return not service or (told.line.service == service if told.line.service else service in told.stream)


def _bucket(at_s: float, step_s: int | None) -> float | None:
    return at_s // step_s * step_s if step_s else None


def _fact(told: Told, fact: str) -> str:
    match fact:
        case "class":
            return str(told.line.status // 100) if told.line.status else ""
        case "level":
            return told.line.level
        case "service":
            return told.line.service
        case _:
            return told.line.route
