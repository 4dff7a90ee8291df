"""What a text means as a span of time, and the equal span before it.

`7d`, `12h`: so long before now. `2026-10`: a calendar month. `2026-10-01..2026-10-15` (or `/`): days as
written, the last one included. UTC.
"""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from aiops_shared.errors import InvalidInputError

MOST_DAYS = 400  # thirteen months: what Cost Explorer keeps
HINT = "as 7d, 12h, 2026-10 or 2026-10-01..2026-10-15"
_BACK = re.compile(r"-?(\d{1,4})([hdw])", re.ASCII)
_MONTH = re.compile(r"(\d{4})-(\d{2})", re.ASCII)
_SPAN = re.compile(r"(\d{4}-\d{2}-\d{2})(?:(?:\.\.|/)(\d{4}-\d{2}-\d{2}))?", re.ASCII)
_HOURS = {"h": 1, "d": 24, "w": 168}


@dataclass(frozen=True, slots=True)
class Window:
    """From `since` up to, not including, `until`."""

    since: datetime
    until: datetime

    @property
    def days(self) -> float:
        """How long."""
        return (self.until - self.since).total_seconds() / 86_400

    @property
    def as_days(self) -> str:
        """The days as `get_costs` takes a period: an end that is not midnight leaves its own day out."""
        last = max(self.since.date(), self.until.date() - timedelta(days=1))
        return f"{self.since.date()}..{last}"

    def before(self) -> "Window":
        """The equal span before."""
        return Window(self.since - (self.until - self.since), self.since)

    def holds(self, at: datetime) -> bool:
        """Whether a moment lies in it."""
        return self.since <= at < self.until

    def __str__(self) -> str:
        return f"{self.since:%Y-%m-%dT%H:%MZ}..{self.until:%Y-%m-%dT%H:%MZ}"


def window_of(text: str, now: datetime, name: str = "period") -> Window:
    """The span that a text means. Raises InvalidInputError."""
    found = _read(text.strip().lower(), now, name)
    if found.until <= found.since:
        raise InvalidInputError(name, f"{text[:60]!a} ends before it begins", HINT)
    if found.since >= now:
        raise InvalidInputError(name, f"{text[:60]!a} lies in the future", HINT)
    if found.since < now - timedelta(days=MOST_DAYS * 2):
        raise InvalidInputError(name, f"{text[:60]!a} is too far back", HINT)
    return Window(found.since, min(found.until, now))


def _read(text: str, now: datetime, name: str) -> Window:
    if (back := _BACK.fullmatch(text)) and int(back[1]):
        hours = int(back[1]) * _HOURS[back[2]]
        if hours <= MOST_DAYS * 24:
            return Window(now - timedelta(hours=hours), now)
    if month := _MONTH.fullmatch(text):
        first = _day(f"{month[1]}-{month[2]}-01", name)
        return Window(first, (first + timedelta(days=32)).replace(day=1))
    if span := _SPAN.fullmatch(text):
        return Window(_day(span[1], name), _day(span[2] or span[1], name) + timedelta(days=1))
    raise InvalidInputError(name, f"{text[:60]!a} is no span of time", HINT)


def _day(text: str, name: str) -> datetime:
    try:
        found = date.fromisoformat(text)
    except ValueError:
        raise InvalidInputError(name, f"{text} is no day", HINT) from None
    if not 2000 < found.year < 9000:
        raise InvalidInputError(name, f"{text} is no day of ours", HINT)
    return datetime(found.year, found.month, found.day, tzinfo=UTC)
