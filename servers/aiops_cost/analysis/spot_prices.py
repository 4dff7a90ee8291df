"""What a Spot machine cost over a window, of changes of its price: each price weighs as long as it held."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction

MICROSECOND = 1_000_000


@dataclass(frozen=True, slots=True)
class SpotChange:
    """From this moment on the price of a type in a zone was so many billionths."""

    instance_type: str
    zone: str
    at: datetime
    nano_usd: int


@dataclass(frozen=True, slots=True)
class SpotFigures:
    """The price over a window; `days` is how much of it is known."""

    mean_nano: int
    low_nano: int
    high_nano: int
    last_nano: int
    days: float


def by_place(changes: Iterable[SpotChange]) -> dict[tuple[str, str], list[SpotChange]]:
    """Changes of each type and zone, in the order of time."""
    found: dict[tuple[str, str], list[SpotChange]] = {}
    for one in sorted(changes, key=lambda change: change.at):
        found.setdefault((one.instance_type, one.zone), []).append(one)
    return found


def figures(changes: Sequence[SpotChange], start: datetime, end: datetime) -> SpotFigures | None:
    """Of one type and zone between two moments; None where nothing is known of it.

    EC2 answers the change before the window too, which held when it began.
    """
    weighed = held = 0
    seen: list[int] = []
    for place, one in enumerate(changes):
        until = changes[place + 1].at if place + 1 < len(changes) else end
        lasts = _micros(start, max(start, min(end, until))) - _micros(start, max(start, min(end, one.at)))
        if lasts <= 0:
            continue
        weighed, held = weighed + lasts * one.nano_usd, held + lasts
        seen.append(one.nano_usd)
    if not held:
        return None
    mean = round(Fraction(weighed, held))
    return SpotFigures(mean, min(seen), max(seen), seen[-1], held / MICROSECOND / 86_400)


def mean_of(amounts: Sequence[int]) -> int:
    """The plain mean of billionths, half to even: of zones, which a fleet spreads over."""
    return round(Fraction(sum(amounts), len(amounts)))


def _micros(start: datetime, moment: datetime) -> int:
    span = moment - start
    return (span.days * 86_400 + span.seconds) * MICROSECOND + span.microseconds
