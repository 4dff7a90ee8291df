"""One cause as a rule tells it, and the words that rules share."""

from dataclasses import dataclass

from aiops_cost.analysis.decomposition import Cell
from aiops_cost.models.money import worded


@dataclass(frozen=True, slots=True)
class Said:
    """Where a fact of a cause is from."""

    source: str
    query: str
    says: str


@dataclass(frozen=True, slots=True)
class Told:
    """A cause: the part of the change that it explains, in billionths."""

    code: str
    sentence: str
    amount: int
    confidence: float
    evidence: tuple[Said, ...] = ()
    ruled_out: tuple[str, ...] = ()
    next_step: str = ""


BILL = "Cost Explorer"


def percent(part: float) -> str:
    """`+40 %`, `-3.5 %`."""
    shown = 100 * part
    return f"{shown:+.0f} %" if abs(shown) >= 10 else f"{shown:+.1f} %"


def share(part: float) -> str:
    """`86 %`."""
    return f"{100 * part:.0f} %"


def count(quantity: float) -> str:
    """`1,344`, `12.5`."""
    return f"{quantity:,.0f}" if abs(quantity) >= 100 or quantity == int(quantity) else f"{quantity:,.1f}"


def growth_of(before: float, after: float) -> str:
    """`+40 %`, or `from nothing`."""
    return percent(after / before - 1) if before else "from nothing"


def cell_said(cell: Cell) -> Said:
    """A line of the bill in both spans."""
    sides = (cell.before, cell.after)
    told = " to ".join(f"{count(side.quantity)} {cell.unit} = {worded(side.amount)}" for side in sides)
    return Said(BILL, cell.name, told)


def summed(cells: tuple[Cell, ...]) -> tuple[float, float]:
    """Their quantities in both spans."""
    return sum(cell.before.quantity for cell in cells), sum(cell.after.quantity for cell in cells)


def largest(cells: tuple[Cell, ...]) -> Cell:
    """The one that moved most."""
    return max(cells, key=lambda cell: abs(cell.change))
