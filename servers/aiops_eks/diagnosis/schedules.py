"""Cron schedules as the CronJob controller reads them: five fields, names, steps, and the words with an @.

Called by the rules over CronJobs, to know which starts are due. Source: github.com/robfig/cron/v3
(`ParseStandard`), which `pkg/controller/cronjob` uses; `@every` is not known here and reads as None.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

LONGEST = 200
LOOK_BACK_DAYS, LOOK_AHEAD_DAYS = 370, 8 * 366  # a 29th of February comes within eight years
_NAMED = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_BOUNDS = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 6))


@dataclass(frozen=True, slots=True)
class Schedule:
    """When a CronJob starts: the numbers of its five fields, and its zone."""

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    either: bool  # day of month or of week, where both are restricted
    zone: ZoneInfo

    def dues(self, before: datetime) -> Iterator[datetime]:
        """The starts that were due until a moment, the newest first, of the year before it."""
        today = before.astimezone(self.zone).date()
        for back in range(LOOK_BACK_DAYS):
            day = today - timedelta(days=back)
            if self._takes(day):
                yield from (moment for moment in self._of(day) if moment <= before)

    def ever(self, after: datetime) -> bool:
        """Whether there is any start within eight years."""
        first = after.date()
        return any(self._takes(first + timedelta(days=ahead)) for ahead in range(LOOK_AHEAD_DAYS))

    def _takes(self, day: date) -> bool:
        if day.month not in self.months:
            return False
        by_date, by_week = day.day in self.days, day.isoweekday() % 7 in self.weekdays
        return (by_date or by_week) if self.either else (by_date and by_week)

    def _of(self, day: date) -> Iterator[datetime]:
        for hour in reversed(self.hours):
            for minute in reversed(self.minutes):
                local = datetime(day.year, day.month, day.day, hour, minute, tzinfo=self.zone)
                yield local.astimezone(UTC)


def schedule(text: str, zone: str = "") -> Schedule | None:
    """The schedule; None where the controller could not read it, nor we (`@every`, an unknown zone)."""
    try:
        place = ZoneInfo(zone or "UTC")
    except (KeyError, ValueError, OSError):
        return None
    fields = _NAMED.get(text.strip().lower(), text).split()
    if len(text) > LONGEST or len(fields) != len(_BOUNDS):
        return None
    try:
        read = [_field(each, place_of) for place_of, each in enumerate(fields)]
    except ValueError:
        return None
    return Schedule(
        minutes=tuple(sorted(read[0])),
        hours=tuple(sorted(read[1])),
        days=frozenset(read[2]),
        months=frozenset(read[3]),
        weekdays=frozenset(read[4]),
        either=not (_open(fields[2]) or _open(fields[4])),
        zone=place,
    )


def readable(text: str) -> bool:
    """Whether the controller can read it: what we read, and `@every 5m`."""
    bare = text.partition(" ")[2] if text.startswith(("TZ=", "CRON_TZ=")) else text
    return bare.lower().startswith("@every ") or schedule(bare) is not None


def _open(field: str) -> bool:
    return field[:1] in {"*", "?"}


def _field(text: str, place: int) -> set[int]:
    """The numbers of one field. Raises ValueError."""
    found: set[int] = set()
    for part in text.split(","):
        span, _, step = part.partition("/")
        found |= set(_span(span, place, stepped=bool(step))[:: _step(part, step)])
    return found


def _step(part: str, step: str) -> int:
    number = int(step) if "/" in part else 1
    if number < 1:
        raise ValueError(part)
    return number


def _span(span: str, place: int, *, stepped: bool) -> range:
    least, most = _BOUNDS[place]
    if span in {"*", "?"}:
        return range(least, most + 1)
    low_text, dash, high_text = span.partition("-")
    low = _number(low_text, place)
    high = _number(high_text, place) if dash else (most if stepped else low)
    if not least <= low <= high <= most:
        raise ValueError(span)
    return range(low, high + 1)


def _number(text: str, place: int) -> int:
    word = text.lower()
    if place == 3 and word in _MONTHS:
        return _MONTHS.index(word) + 1
    if place == 4 and word in _DAYS:
        return _DAYS.index(word)
    if not word.isascii() or not word.isdigit() or len(word) > 2:
        raise ValueError(text)
    return int(word)
