"""How much of something is used, as functions of the day: what stories are written with.

hours(8)                                   # eight machines all day
steps(hours(6), (date(2026, 11, 16), hours(8)))
spread(date(2026, 11, 8), 7, 960)          # 960 in these seven days, exactly
noisy(flat(24), 0.02, seed=3)              # 2 % up and down
monthly(100)                               # 100 GB-months a month, whatever its length
"""

from calendar import monthrange
from collections.abc import Mapping
from datetime import date, timedelta
from random import Random

from aiops_lab.billing.lines import Quantity, flat

__all__ = ["added", "at", "between", "flat", "growing", "hours", "monthly", "noisy", "spread", "steps"]
_DIGITS = 6  # a quantity is exact as a decimal, so that a bill is too


def hours(count: float) -> Quantity:
    """That many things all day long."""
    return flat(round(24 * count, _DIGITS))


def between(first: date, end: date, inside: Quantity, outside: Quantity | None = None) -> Quantity:
    """`inside` from `first` up to, not including, `end`; else `outside`, or none."""
    other = outside or flat(0)
    return lambda day: inside(day) if first <= day < end else other(day)


def steps(before: Quantity, *since: tuple[date, Quantity]) -> Quantity:
    """`before`, and from each date on the quantity that stands with it."""

    def of_day(day: date) -> float:
        found = before
        for start, quantity in sorted(since, key=lambda one: one[0]):
            found = quantity if day >= start else found
        return found(day)

    return of_day


def at(amounts: Mapping[date, float], otherwise: Quantity | None = None) -> Quantity:
    """These amounts on these days."""
    other, kept = otherwise or flat(0), dict(amounts)
    return lambda day: kept[day] if day in kept else other(day)


def spread(
    first: date,
    days: int,
    total: float,
    *,
    uneven: float = 0.0,
    seed: int = 0,
    otherwise: Quantity | None = None,
) -> Quantity:
    """Exactly `total` over these days, each up to `uneven` (a share) off; the last takes the rest."""
    rng, mean, made = Random(f"{seed}/{first}/{total}"), total / days, {}
    for place in range(days - 1):
        made[first + timedelta(days=place)] = round(mean * (1 + uneven * rng.uniform(-1, 1)), 3)
    made[first + timedelta(days=days - 1)] = round(total - sum(made.values()), _DIGITS)
    return at(made, otherwise)


def noisy(quantity: Quantity, share: float, seed: int = 0) -> Quantity:
    """The quantity, each day up to `share` off; the same day is always the same."""

    def of_day(day: date) -> float:
        return round(quantity(day) * (1 + share * Random(f"{seed}/{day}").uniform(-1, 1)), _DIGITS)

    return of_day


def growing(start: date, amount: float, a_day: float) -> Quantity:
    """`amount` on the day `start`, and `a_day` (a share) more each day after."""
    return lambda day: round(amount * (1 + a_day * max(0, (day - start).days)), _DIGITS)


def monthly(amount: float) -> Quantity:
    """A month's amount (GB-months), a day's part of it: longer months have smaller days."""
    return lambda day: round(amount / monthrange(day.year, day.month)[1], _DIGITS)


def added(*quantities: Quantity) -> Quantity:
    """All of them."""
    return lambda day: round(sum(one(day) for one in quantities), _DIGITS)
