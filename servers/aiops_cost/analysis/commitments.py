"""How much of an account's on-demand machines to commit to: what is spent on four days of five anyway. Pure.

The 20th percentile of the days (row B22): on the quietest fifth of them a part of the commitment is paid for
nothing, on all others it is used whole. Called by `clients/advice_commitments.py`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

PERCENTILE: Final = Fraction(1, 5)
LEAST_DAYS: Final = 30
HOURS_A_DAY: Final = 24


@dataclass(frozen=True, slots=True)
class Offer:
    """One plan. `rates`: instance type -> billionths an hour under it."""

    plan: str
    years: int
    rates: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Commitment:
    """`base_nano`: the on-demand spend an hour that it covers; `pays_nano`: what it costs an hour."""

    offer: Offer
    base_nano: int
    pays_nano: int

    @property
    def saves_nano(self) -> int:
        """An hour in which it is used whole."""
        return self.base_nano - self.pays_nano

    @property
    def break_even(self) -> float:
        """The share of the covered spend below which on demand would have been cheaper."""
        return self.pays_nano / self.base_nano if self.base_nano else 0.0


def steady(days: Sequence[int]) -> int:
    """The 20th percentile of daily amounts (the lower of two), an hour of it. Zero for too few days."""
    if len(days) < LEAST_DAYS:
        return 0
    ranked = sorted(days)
    return max(0, ranked[int(PERCENTILE * (len(ranked) - 1))] // HOURS_A_DAY)


def committed(
    offer: Offer, base_nano: int, spend: Mapping[str, int], prices: Mapping[str, int]
) -> Commitment | None:
    """A plan over so much on-demand spend an hour, of types weighed by their `spend`; None without a rate."""
    known = {name: weight for name, weight in spend.items() if name in offer.rates and prices.get(name)}
    whole = sum(known.values())
    if not whole or base_nano <= 0:
        return None
    left = sum(
        Fraction(weight, whole) * Fraction(offer.rates[name], prices[name]) for name, weight in known.items()
    )
    return Commitment(offer, base_nano, round(base_nano * left))
