"""Which days of a bill may still change, and how long a kept day is good.

Cost Explorer marks amounts as `Estimated`. It does so for the newest days, whose usage is still arriving
(AWS: refreshed at least once a day, some usage later), and for every day of a month whose bill is not closed.
The first kind is unsettled: its amount is too low, and no mean or forecast may contain it. The second only
waits for the invoice: its amount is what will be billed, but for credits and refunds.
"""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Final

ARRIVING_DAYS: Final = 3  # usage that comes later than this is rare enough to be a correction
CLOSED_AFTER_DAYS: Final = 10  # AWS closes a month's bill in the first days of the next month
OPEN_MONTH = timedelta(days=7)  # an estimate of a month that is not closed
SETTLED = timedelta(days=30)  # a settled day of a month that was not closed when it was asked


def next_month(day: date) -> date:
    """The first day of the month after."""
    return (day.replace(day=28) + timedelta(days=4)).replace(day=1)


def unsettled_days(days: Sequence[date], estimated: Sequence[bool], today: date) -> list[bool]:
    """For each day in order: may usage still arrive?

    Today always; a day marked as an estimate when it is young, or when an older day of its month is settled:
    then the mark means these days and not the open month.
    """
    found: list[bool] = []
    settled_month: tuple[int, int] | None = None
    for day, guess in zip(days, estimated, strict=True):
        if not guess:
            settled_month = (day.year, day.month)
        young = (today - day).days <= ARRIVING_DAYS
        found.append(day >= today or (guess and (young or settled_month == (day.year, day.month))))
    return found


def good_until(day: date, asked_at: datetime, *, estimated: bool, unsettled: bool, keep_h: float) -> datetime:
    """Until when an amount asked at `asked_at` need not be asked again.

    Unsettled: the operator's hours. Settled: for good when the month's bill was closed by then (only a
    corrected invoice changes it), else a month, since credits and refunds still come.
    """
    if unsettled:
        return asked_at + timedelta(hours=keep_h)
    if estimated:
        return asked_at + OPEN_MONTH
    closed = next_month(day) + timedelta(days=CLOSED_AFTER_DAYS)
    return datetime.max.replace(tzinfo=asked_at.tzinfo) if asked_at.date() >= closed else asked_at + SETTLED
