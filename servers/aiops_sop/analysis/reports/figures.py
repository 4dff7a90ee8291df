"""The ledger of a report: no number gets into its text but through here, with where it is from (F10g).

A leaf is what a tool answered or what rows of the store add up to; everything else is arithmetic of leaves,
and that arithmetic is what computed it.
"""

from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction

from aiops_shared.results import Cell, Evidence, Table
from aiops_sop.analysis.reports.arithmetic import worked_out

Number = int | float | Fraction | Decimal


@dataclass(frozen=True, slots=True)
class Figure:
    """One number. `unit` is a word, or empty for a count; `origin`: `e2`, or a formula over figures."""

    id: str
    name: str
    value: Fraction
    unit: str
    origin: str

    @property
    def shown(self) -> str:
        """As it stands in a text."""
        return shown(self.value, self.unit)

    @property
    def said(self) -> str:
        """With its id, so that a reader finds it among the figures."""
        return f"{self.shown} [{self.id}]"


@dataclass(slots=True)
class Ledger:
    """The figures and sources of one report."""

    figures: list[Figure] = field(default_factory=list)
    sources: list[Evidence] = field(default_factory=list)

    def source(self, source: str, query: str, says: str = "") -> str:
        """Name a source; what figures call it (`e1`)."""
        found = Evidence(source=source, query=query, says=says)
        if found not in self.sources:
            self.sources.append(found)
        return f"e{self.sources.index(found) + 1}"

    def given(self, name: str, value: Number, unit: str, source: str) -> Figure:
        """A number that a source gave."""
        return self._kept(name, _exact(value), unit, source)

    def made(self, name: str, unit: str, formula: str, *of: Figure) -> Figure:
        """A number made of others: `made("change", "%", "{} / {} * 100 - 100", after, before)`."""
        written = formula.format(*(one.id for one in of))
        return self._kept(name, worked_out(written, {one.id: one.value for one in of}), unit, written)

    def table(self) -> Table:
        """All figures."""
        return Table(
            columns=("id", "figure", "value", "unit", "from"),
            rows=tuple((one.id, one.name, cell(one.value), one.unit, one.origin) for one in self.figures),
        )

    def _kept(self, name: str, value: Fraction, unit: str, origin: str) -> Figure:
        for one in self.figures:
            if (one.name, one.origin) == (name, origin):
                return one
        found = Figure(f"f{len(self.figures) + 1}", name, value, unit, origin)
        self.figures.append(found)
        return found


def _exact(value: Number) -> Fraction:
    """A decimal as it was written: 6500.0 and 0.1 are not what a float holds of them."""
    return Fraction(repr(value)) if isinstance(value, float) else Fraction(value)


def rounded(value: Fraction, places: int) -> Decimal:
    """Half up, as people round."""
    exact = Decimal(value.numerator) / Decimal(value.denominator)
    found = exact.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)
    return found + 0  # no minus before a zero


def cell(value: Fraction) -> Cell:
    """As a table holds it: whole, or to four places."""
    return int(value) if value.denominator == 1 else float(rounded(value, 4))


def plain(value: Decimal) -> str:
    """With commas, without trailing zeros of a fraction."""
    text = f"{value:,f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def shown(value: Fraction, unit: str) -> str:
    """A number as a text says it: `-81 %`, `61.5 %`, `45 min`, `$6,500`."""
    if unit == "change %":
        return f"{_signed(_change(value))} %"
    if unit == "roi %":
        return f"{_signed(rounded(value, 0))} %".removeprefix("+")
    if unit == "%":
        return f"{plain(rounded(value, 1))} %"
    if unit == "USD":
        return _money(value)
    number = plain(rounded(value, 1))
    return f"{number} {unit}" if unit else number


def _change(value: Fraction) -> Decimal:
    """One place where that is all there is, else whole percents: -62.5, but -81 of -81.25."""
    one = rounded(value, 1)
    return one if Fraction(one) == value else rounded(value, 0)


def _signed(value: Decimal) -> str:
    return f"+{plain(value)}" if value > 0 else plain(value)


def _money(value: Fraction) -> str:
    amount = rounded(abs(value), 0 if value.denominator == 1 else 2)
    return f"{'-' if value < 0 else ''}${amount:,f}"
