"""Why two bills differ: calendar, quantity, price, mix, and what is no usage; the parts sum exactly.

Within a group of like usage (one service, family of usage types and unit) the bill is C = Q * sum(s * p):
quantity, shares, prices. Its change is split by Bennet's indicator (T. L. Bennet, "The theory of measurement
of changes in cost of living", J. Royal Statistical Society 83, 1920; Diewert, "Index number theory using
differences rather than ratios", 2005): each factor's difference times the mean of the others over both spans.
It is the price-volume-mix analysis of accountants without its order of factors and without a joint rest, and
unlike LMDI (Ang 2004) it takes no logarithm, so zeros, free tiers and negative amounts need no special case.

Pure, in whole billionths: an effect is rounded once, what rounding leaves goes to the largest effect of its
cell, so that every cell and every sum of cells is exact.
"""

from calendar import monthrange
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from fractions import Fraction
from math import isfinite

from aiops_cost.analysis.usage_types import family

Ratio = Fraction


class Effect(StrEnum):
    """Parts of a change, in the order in which they are told."""

    CALENDAR = "calendar"  # more or fewer days
    QUANTITY = "quantity"
    PRICE = "price"
    MIX = "mix"  # other kinds of the same usage
    NEW = "new"
    GONE = "gone"
    UNMEASURED = "unmeasured"  # amounts without a quantity, or in units that differ
    COMMITMENT = "commitments"
    DISCOUNT = "discounts"
    CREDIT = "credits"
    REFUND = "refunds"
    TAX = "tax"
    FEE = "fees"


# What AWS charges or returns beside usage, by words of the record type (Cost Explorer's RECORD_TYPE).
NOT_USAGE: tuple[tuple[str, Effect], ...] = (
    ("covered", Effect.QUANTITY),
    ("savingsplan", Effect.COMMITMENT),
    ("rifee", Effect.COMMITMENT),
    ("reservation", Effect.COMMITMENT),
    ("discountedusage", Effect.QUANTITY),
    ("discount", Effect.DISCOUNT),
    ("credit", Effect.CREDIT),
    ("refund", Effect.REFUND),
    ("tax", Effect.TAX),
    ("usage", Effect.QUANTITY),
)
ONCE = frozenset({Effect.CREDIT, Effect.REFUND, Effect.TAX, Effect.FEE})  # not by the day


def effect_of_record(record_type: str) -> Effect:
    """How a record type takes part: QUANTITY stands for usage, which is decomposed; FEE for the unknown."""
    word = "".join(letter for letter in record_type.lower() if letter.isalpha())
    return next((effect for part, effect in NOT_USAGE if part in word), Effect.FEE)


@dataclass(frozen=True, slots=True)
class Side:
    """One kind of usage in one span. `quantity` is NaN where it is unknown."""

    amount: int = 0
    quantity: float = 0.0

    @property
    def empty(self) -> bool:
        """Nothing was used or paid."""
        return not self.amount and not self.quantity

    @property
    def measured(self) -> bool:
        """A price can be told, or there is nothing to tell."""
        return self.empty or (isfinite(self.quantity) and self.quantity > 0)


@dataclass(frozen=True, slots=True)
class Usage:
    """One kind of usage in both spans."""

    service: str
    usage_type: str
    unit: str
    before: Side
    after: Side

    @property
    def group(self) -> tuple[str, str, str]:
        """Usage that may stand in for each other."""
        return (self.service, family(self.usage_type), self.unit)

    @property
    def comparable(self) -> bool:
        """Both spans have a quantity in one unit."""
        return bool(self.unit) and self.before.measured and self.after.measured


@dataclass(frozen=True, slots=True)
class Charge:
    """What is no usage, in both spans: credits, refunds, tax, fees, commitments."""

    service: str
    record_type: str
    before: int
    after: int


@dataclass(frozen=True, slots=True)
class Cell:
    """One line of the decomposition; `effects` sum to `after - before`."""

    service: str
    name: str
    unit: str
    before: Side
    after: Side
    effects: Mapping[Effect, int]

    @property
    def change(self) -> int:
        """Billionths."""
        return self.after.amount - self.before.amount


@dataclass(frozen=True, slots=True)
class Decomposition:
    """Two bills and every part of what is between them."""

    cells: tuple[Cell, ...]
    effects: Mapping[Effect, int] = field(default_factory=dict)

    @property
    def before(self) -> int:
        """The baseline, billionths."""
        return sum(cell.before.amount for cell in self.cells)

    @property
    def after(self) -> int:
        """The period, billionths."""
        return sum(cell.after.amount for cell in self.cells)

    def of_service(self, service: str) -> "Decomposition":
        """One service's part."""
        return joined(cell for cell in self.cells if cell.service == service)

    def services(self) -> tuple[str, ...]:
        """Largest change first."""
        moved: dict[str, int] = {}
        for cell in self.cells:
            moved[cell.service] = moved.get(cell.service, 0) + cell.change
        return tuple(sorted(moved, key=lambda name: (-abs(moved[name]), name)))


def decompose(
    usages: Sequence[Usage], charges: Sequence[Charge], before: Sequence[date], after: Sequence[date]
) -> Decomposition:
    """The parts of the change. `before` and `after` are the days of the spans, neither empty."""
    days, months = Ratio(len(after), len(before)), _months(after) / _months(before)
    groups: dict[tuple[str, str, str], list[Usage]] = {}
    cells: list[Cell] = []
    for one in usages:
        if one.comparable:
            groups.setdefault(one.group, []).append(one)
        else:
            cells.append(_whole(one, Effect.UNMEASURED, days))
    for (_, _, unit), members in groups.items():
        cells += _group(members, months if monthly(unit) else days)
    cells += [_charge(one, days) for one in charges]
    return joined(cells)


def joined(cells: Iterable[Cell]) -> Decomposition:
    """Cells with the sums of their effects."""
    kept = tuple(cells)
    sums: dict[Effect, int] = {}
    for cell in kept:
        for effect, amount in cell.effects.items():
            sums[effect] = sums.get(effect, 0) + amount
    return Decomposition(kept, {effect: sums[effect] for effect in Effect if effect in sums})


def monthly(unit: str) -> bool:
    """A unit that AWS spreads over the month's days: GB-Mo, IOPS-Mo, Metrics per month."""
    return unit.lower().endswith(("-mo", "-month", "mo."))


def _months(days: Sequence[date]) -> Ratio:
    return sum((Ratio(1, monthrange(day.year, day.month)[1]) for day in days), Ratio(0))


def _group(members: Sequence[Usage], longer: Ratio) -> list[Cell]:
    """Like usage: new, gone, or quantity x price x mix."""
    had = sum((Ratio(one.before.quantity) for one in members), Ratio(0)) * longer
    has = sum((Ratio(one.after.quantity) for one in members), Ratio(0))
    if not had or not has:
        effect = Effect.GONE if not has else Effect.NEW
        return [_whole(one, effect, longer) for one in members]
    return [_split(one, had, has, longer) for one in members]


def _split(one: Usage, had: Ratio, has: Ratio, longer: Ratio) -> Cell:
    """Bennet's indicator of Q * s * p for one member; `had` and `has` are the group's Q, `had` at the length
    of the later span. A member that is missing in one span has the other's price there: its coming or going
    is mix.
    """
    calendar = round(one.before.amount * (longer - 1))
    start = one.before.amount + calendar
    quantities = Ratio(one.before.quantity) * longer, Ratio(one.after.quantity)
    amounts = Ratio(start), Ratio(one.after.amount)
    known = [amount / quantity for amount, quantity in zip(amounts, quantities, strict=True) if quantity]
    prices = (known[0], known[-1]) if known else (Ratio(0), Ratio(0))
    shares = quantities[0] / had, quantities[1] / has
    middle = (had + has) / 2
    parts = {
        Effect.QUANTITY: (has - had) * (shares[0] * prices[0] + shares[1] * prices[1]) / 2,
        Effect.PRICE: middle * (shares[0] + shares[1]) / 2 * (prices[1] - prices[0]),
        Effect.MIX: middle * (prices[0] + prices[1]) / 2 * (shares[1] - shares[0]),
    }
    return _cell(one, _rounded(parts, one.after.amount - start) | {Effect.CALENDAR: calendar})


def _rounded(parts: Mapping[Effect, Ratio], total: int) -> dict[Effect, int]:
    """Whole billionths that sum to `total`."""
    made = {effect: round(part) for effect, part in parts.items()}
    largest = max(parts, key=lambda effect: abs(parts[effect]))
    made[largest] += total - sum(made.values())
    return made


def _whole(one: Usage, effect: Effect, longer: Ratio) -> Cell:
    """All that the calendar does not explain is one effect."""
    calendar = round(one.before.amount * (longer - 1)) if one.after.amount else 0
    rest = one.after.amount - one.before.amount - calendar
    return _cell(one, {Effect.CALENDAR: calendar, effect: rest})


def _charge(one: Charge, days: Ratio) -> Cell:
    effect = effect_of_record(one.record_type)
    calendar = 0 if effect in ONCE else round(one.before * (days - 1))
    rest = one.after - one.before - calendar
    effects = {Effect.CALENDAR: calendar, effect: rest}
    sides = Side(one.before, float("nan")), Side(one.after, float("nan"))
    return Cell(one.service, one.record_type, "", *sides, _told(effects))


def _cell(one: Usage, effects: Mapping[Effect, int]) -> Cell:
    return Cell(one.service, one.usage_type, one.unit, one.before, one.after, _told(effects))


def _told(effects: Mapping[Effect, int]) -> dict[Effect, int]:
    return {effect: amount for effect, amount in effects.items() if amount}
