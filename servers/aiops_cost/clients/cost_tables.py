"""Bills as the tables of an answer: rows that sum to the cent, days or months, budgets, anomalies.

Called by `cost_reading`. Names of accounts, tags and budgets are people's: the answer marks these fields
untrusted (T7).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date

from aiops_cost.analysis.bill import Bill
from aiops_cost.analysis.cost_rows import UNTAGGED, Row, cut, ranked, shown
from aiops_cost.clients.cost_outlook import Anomaly, Budget
from aiops_cost.models.money import shown as in_units
from aiops_cost.models.money import to_cents
from aiops_shared.results import Cell, Table

MOST_DAYS, MOST_MONTHS = 31, 14
IN_DAYS, IN_MONTHS = 2, 4  # columns of a series besides its total and the rest: an answer has 1,500 tokens
MOST_ANOMALIES = MOST_BUDGETS = 5


@dataclass(frozen=True, slots=True)
class Told:
    """A bill and the one before, as rows."""

    total: int
    rows: Sequence[Row]
    table: Table
    left_out: int


def told(now: Bill, before: Bill | None, columns: Sequence[str], most: int) -> Told:
    """The rows of a bill whose dimensions are `columns`."""
    rows = ranked(now, before)
    rows = [row for row in rows if row.amount or row.before]
    head, rest, left_out = cut(rows, most)
    lines = shown([*head, *([rest] if rest else [])], now.total)
    names = {number: name for number, name in now.names.items() if name != number}
    names = names if "account" in columns else {}
    accounts = columns.index("account") if "account" in columns else -1
    made: list[tuple[Cell, ...]] = []
    for line in lines:
        key = [*(one or UNTAGGED if len(columns) == 1 else one for one in line.key)]
        key += [""] * (len(columns) - len(key))
        if names:
            key.append(names.get(key[accounts], ""))
        made.append((*key, line.cents / 100, _share(line.cents, now.total), *_compared(line.row, before)))
    heads = (*columns, *(("account_name",) if names else ()), "amount", "share_pct")
    heads += ("before", "change_pct") if before is not None else ()
    return Told(now.total, rows, Table(columns=heads, rows=tuple(made)), left_out)


def _share(cents: int, total: int) -> float | None:
    return round(100 * cents / to_cents(total), 1) + 0.0 if to_cents(total) else None


def _compared(row: Row | None, before: Bill | None) -> tuple[Cell, ...]:
    if before is None:
        return ()
    if row is None or row.before is None:
        return None, None
    change = None if row.change is None else round(100 * row.change, 1) + 0.0
    return in_units(row.before), change


def by_day(bill: Bill, rows: Sequence[Row]) -> tuple[Table, int]:
    """The bill by day, the newest ones, and how many older ones were left out."""
    return _series(bill, [row.key for row in rows][:IN_DAYS], ("day", MOST_DAYS), lambda day: f"{day:%m-%d}")


def by_month(bill: Bill, rows: Sequence[Row]) -> tuple[Table, int]:
    """The bill by month, the newest ones, and how many older ones were left out."""
    top = [row.key for row in rows][:IN_MONTHS]
    return _series(bill, top, ("month", MOST_MONTHS), lambda day: f"{day:%Y-%m}")


def _series(
    bill: Bill, top: Sequence[tuple[str, ...]], what: tuple[str, int], label: Callable[[date], str]
) -> tuple[Table, int]:
    """Each line sums to its total: the last column holds everything else, and what rounding leaves."""
    places = {key: at for at, key in enumerate(bill.keys)}
    top = [key for key in top if key in places]
    spans: dict[str, list[int]] = {}
    for at, day in enumerate(bill.days):
        spans.setdefault(label(day), []).append(at)
    made: list[tuple[Cell, ...]] = []
    for name, days in spans.items():
        amounts = bill.amounts[days].sum(axis=0)
        cents = [to_cents(int(amounts[places[key]])) for key in top]
        total = to_cents(int(amounts.sum()))
        made.append((name, total / 100, *(one / 100 for one in cents), (total - sum(cents)) / 100))
    left_out = max(0, len(made) - what[1])
    heads = (what[0], "total", *(" ".join(key).strip() or UNTAGGED for key in top), "rest")
    return Table(columns=heads, rows=tuple(made[left_out:])), left_out


def anomaly_table(found: Sequence[Anomaly]) -> Table:
    """The biggest ones."""
    rows = tuple(
        (one.first, one.last or "open", one.what, in_units(one.impact), _units(one.expected))
        for one in found[:MOST_ANOMALIES]
    )
    return Table(columns=("from", "to", "what", "impact", "expected"), rows=rows)


def budget_table(found: Sequence[Budget]) -> Table:
    """The fullest ones: how full, how full at the end of the period, and when they will be used up."""
    rows = tuple(
        (
            one.name,
            one.unit,
            in_units(one.limit),
            in_units(one.actual),
            _percent(one.actual, one.limit),
            None if one.forecast is None else in_units(one.forecast),
            ("exceeded" if one.actual >= one.limit else one.full_on.isoformat() if one.full_on else ""),
        )
        for one in found[:MOST_BUDGETS]
    )
    heads = ("budget", "period", "limit", "actual", "used_pct", "forecast", "full_on")
    return Table(columns=heads, rows=rows)


def _units(amount: int | None) -> float | None:
    return None if amount is None else in_units(amount)


def _percent(part: int, whole: int) -> float | None:
    return round(100 * part / whole, 1) if whole else None
