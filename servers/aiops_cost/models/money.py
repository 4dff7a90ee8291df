"""Money as whole billionths ("nano") of its currency: sums are exact, in any order, and fit 64 bits.

Cost Explorer writes ten decimals, price lists up to ten too; a billionth of a dollar is below what any line
of a bill can show. 64 bits hold nine billion dollars. Amounts become numbers with cents where they are shown,
and nowhere before.
"""

from collections.abc import Iterable
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation
from typing import Final

from aiops_shared.errors import UpstreamError

NANO: Final = 1_000_000_000
HOURS_PER_MONTH: Final = 730  # AWS's own convention: 365 * 24 / 12
_CENT: Final = NANO // 100
_MOST: Final = Decimal(2**63 - 1)


def nano(amount: str | Decimal | int) -> int:
    """An amount as billionths, half to even. Raises UpstreamError for what is no finite number."""
    try:
        found = (Decimal(amount) * NANO).to_integral_value(ROUND_HALF_EVEN)
    except InvalidOperation as error:
        raise UpstreamError("an amount of money", f"{str(amount)[:40]!r} is no number") from error
    if not found.is_finite() or abs(found) > _MOST:
        raise UpstreamError("an amount of money", f"{str(amount)[:40]!r} is out of range")
    return int(found)


def to_cents(amount: int) -> int:
    """Whole cents, half to even: as a person rounds a bill."""
    quotient, rest = divmod(amount, _CENT)
    if rest * 2 > _CENT or (rest * 2 == _CENT and quotient % 2):
        quotient += 1
    return quotient


def shown(amount: int) -> float:
    """The amount as answers show it: a number with at most two decimals."""
    return to_cents(amount) / 100


def share(amount: int, of: int) -> float | None:
    """What part of another amount it is: percent with one decimal, None of nothing."""
    return round(100 * amount / of, 1) if of else None


def total(amounts: Iterable[int]) -> int:
    """The exact sum."""
    return sum(amounts)


def worded(amount: int, currency: str = "USD") -> str:
    """`$1,211.80`, `-$3.00`, `1,211.80 EUR`: for sentences."""
    cents = to_cents(amount)
    sign, whole = ("-" if cents < 0 else ""), f"{abs(cents) // 100:,}.{abs(cents) % 100:02d}"
    return f"{sign}${whole}" if currency == "USD" else f"{sign}{whole} {currency}"
