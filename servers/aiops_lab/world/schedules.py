"""Cron schedules: which minutes they mean, and the next one.

After github.com/robfig/cron/v3 (ParseStandard), which the CronJob controller uses: five fields, names of
months and days, `@daily` and its kin; where both day fields are restricted, either is enough.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

_FIELDS = (
    ("minute", 0, 59),
    ("hour", 0, 23),
    ("day of month", 1, 31),
    ("month", 1, 12),
    ("day of week", 0, 6),
)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_NAMES = {name: place + 1 for place, name in enumerate(_MONTHS)} | {
    name: place for place, name in enumerate(_DAYS)
}
_SHORT = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_FARTHEST_DAYS = 5 * 366  # a schedule that does not fire in five years never does


@dataclass(frozen=True)
class Schedule:
    """The values of each field, and whether the day fields are restricted."""

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    either_day: bool
    zone: str = "UTC"

    def next(self, after: datetime) -> datetime | None:
        """The first moment later than `after`; None for a date that never comes."""
        local = after.astimezone(ZoneInfo(self.zone))
        for ahead in range(_FARTHEST_DAYS):
            day = local.date() + timedelta(days=ahead)
            if not self._on(day):
                continue
            for hour in self.hours:
                for minute in self.minutes:
                    found = datetime(day.year, day.month, day.day, hour, minute, tzinfo=local.tzinfo)
                    if found > local:
                        return found.astimezone(after.tzinfo)
        return None

    def latest(self, since: datetime, now: datetime) -> tuple[datetime | None, int]:
        """The most recent moment after `since` and up to `now`, and how many there were (101 for more)."""
        found, count = None, 0
        moment = self.next(since)
        while moment is not None and moment <= now:
            found, count = moment, count + 1
            if count > _MOST_COUNTED:
                return self._last_before(now) or found, count
            moment = self.next(moment)
        return found, count

    def _last_before(self, now: datetime) -> datetime | None:
        found, moment = None, self.next(now - timedelta(days=1))
        while moment is not None and moment <= now:
            found, moment = moment, self.next(moment)
        return found

    def _on(self, day: date) -> bool:
        weekday, monthday = day.isoweekday() % 7 in self.weekdays, day.day in self.days
        return day.month in self.months and (weekday or monthday if self.either_day else weekday and monthday)


_MOST_COUNTED = 100  # cronjob/utils.go: more are "too many missed start times"


@lru_cache(maxsize=256)
def parse(text: str, zone: str = "UTC") -> Schedule:
    """Read a schedule. Raises ValueError with the words of the cron library."""
    fields = _SHORT.get(text, text).split()
    if len(fields) != len(_FIELDS):
        raise ValueError(f"expected exactly 5 fields, found {len(fields)}: [{' '.join(fields)}]")
    pairs = zip(fields, _FIELDS, strict=True)
    minutes, hours, days, months, weekdays = (_values(field, *bounds) for field, bounds in pairs)
    either = not any(field.startswith(("*", "?")) for field in (fields[2], fields[4]))
    return Schedule(
        tuple(sorted(minutes)),
        tuple(sorted(hours)),
        frozenset(days),
        frozenset(months),
        frozenset(each % 7 for each in weekdays),
        either,
        zone,
    )


def fits(schedule: str, moment: datetime) -> bool:
    """Whether a schedule (UTC) fires in this minute. Raises ValueError for bad fields."""
    start = moment.replace(second=0, microsecond=0)
    return parse(schedule).next(start - timedelta(seconds=1)) == start


def _values(text: str, name: str, least: int, most: int) -> set[int]:
    found: set[int] = set()
    for part in text.split(","):
        span, _, step = part.partition("/")
        low, dash, high = span.partition("-")
        start = least if span in ("*", "?") else _number(low, text)
        end = _number(high, text) if dash else (most if step or span in ("*", "?") else start)
        top = 7 if name == "day of week" else most
        if start < least:
            raise ValueError(f"beginning of range ({start}) below minimum ({least}): {part}")
        if end > top:
            raise ValueError(f"end of range ({end}) above maximum ({most}): {part}")
        if start > end:
            raise ValueError(f"beginning of range ({start}) beyond end of range ({end}): {part}")
        every = _number(step, text) if step else 1
        if every < 1:
            raise ValueError(f"step of range should be a positive number: {part}")
        found |= set(range(start, end + 1, every))
    return found


def _number(text: str, whole: str) -> int:
    if text.lower() in _NAMES:
        return _NAMES[text.lower()]
    if not text.isdecimal():
        raise ValueError(f"failed to parse int from {whole}: {text!r} is no number")
    return int(text)
