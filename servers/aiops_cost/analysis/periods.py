"""What a text means as a span of days, and the span before it.

`7d`, `30d`: that many whole days before today. `mtd`: the month under way, today included. `last_month`,
`2026-10`: a calendar month. `2026-10-01..2026-10-15`, or one day: as written, the last one included.
"""

import re
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from aiops_cost.analysis.settling import next_month
from aiops_shared.errors import InvalidInputError

MONTHS: Final = 13  # before the month under way (Cost Explorer's daily data)
HINT: Final = "7d, mtd, last_month, 2026-10 or 2026-10-01..2026-10-15"
_BACK = re.compile(r"-?(\d{1,3})d", re.ASCII)
_MONTH = re.compile(r"(\d{4})-(\d{2})", re.ASCII)
_SPAN = re.compile(r"(\d{4}-\d{2}-\d{2})(?:(?:\.\.|/)(\d{4}-\d{2}-\d{2}))?", re.ASCII)
_LAST_YEAR = 9998  # dates end with the one after


@dataclass(frozen=True, slots=True)
class Period:
    """UTC days from `first` up to, not including, `end`."""

    first: date
    end: date
    monthly: bool = False  # whole calendar months (the last may be under way)

    @property
    def days(self) -> int:
        """How many."""
        return (self.end - self.first).days

    def __str__(self) -> str:
        return f"{self.first}..{self.end - timedelta(days=1)}"

    def before(self) -> "Period":
        """The equal period before: the calendar month before a month, else as many days."""
        if self.monthly:
            first = (self.first - timedelta(days=1)).replace(day=1)
            return Period(first, self.first, monthly=True)
        return Period(self.first - timedelta(days=self.days), self.first)


def earliest(today: date) -> date:
    """The oldest day that Cost Explorer has by the day."""
    months = today.year * 12 + today.month - 1 - MONTHS
    return date(months // 12, months % 12 + 1, 1)


def period_of(text: str, today: date) -> Period:
    """The days that `text` means. Raises InvalidInputError for no period, and for days that nobody has."""
    found = _read(text.strip().lower(), today)
    oldest = earliest(today)
    if found.first >= today + timedelta(days=1):
        raise InvalidInputError(
            f"period {found}", f"lies in the future: today is {today}", f"days from {oldest} to {today}"
        )
    if found.first < oldest:
        raise InvalidInputError(
            f"period {found}",
            "Cost Explorer keeps the days of 13 months and the one under way",
            f"days from {oldest} to {today}",
        )
    return Period(found.first, min(found.end, today + timedelta(days=1)), found.monthly)


def _read(text: str, today: date) -> Period:
    if text in {"mtd", "this_month"}:
        return Period(today.replace(day=1), today + timedelta(days=1), monthly=True)
    if text == "last_month":
        first = (today.replace(day=1) - timedelta(days=1)).replace(day=1)
        return Period(first, next_month(first), monthly=True)
    if (back := _BACK.fullmatch(text)) and int(back[1]) > 0:
        return Period(today - timedelta(days=int(back[1])), today)
    if month := _MONTH.fullmatch(text):
        first = _day(f"{month[1]}-{month[2]}-01", text)
        return Period(first, next_month(first), monthly=True)
    if span := _SPAN.fullmatch(text):
        first, last = _day(span[1], text), _day(span[2] or span[1], text)
        if last < first:
            raise InvalidInputError("period", f"{text} ends before it begins", HINT)
        return Period(first, last + timedelta(days=1))
    raise InvalidInputError("period", f"{ascii(text)[:60]} is none", HINT)


def _day(text: str, period: str) -> date:
    try:
        found = date.fromisoformat(text)
    except ValueError:
        raise InvalidInputError("period", f"{period} names a day that no month has", HINT) from None
    if found.year > _LAST_YEAR:
        raise InvalidInputError("period", f"{period} lies in the future", HINT)
    return found
