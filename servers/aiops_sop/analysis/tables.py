"""Columnar tables of other servers' answers, read back (decision D29). Pure."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

Row = dict[str, Any]


def rows_of(answer: Mapping[str, Any], name: str) -> list[Row]:
    """The rows of one table of an answer, as dictionaries; none where the table is absent."""
    table = answer.get(name) or {}
    columns = table.get("columns") or ()
    return [dict(zip(columns, row, strict=False)) for row in table.get("rows") or ()]


def point_time(text: str, since: datetime) -> datetime:
    """The moment of a point of `query_metrics`, which is told as short as the window allows.

    `11-18T14:00` has no year, `14:00` and `14:00:30` no day: it is the first such moment from `since` on.
    """
    day, _, clock = text.rpartition("T")
    hour, minute, second = [*(int(part) for part in clock.split(":")), 0][:3]
    begin = since.astimezone(UTC)
    if day:
        month, of_month = (int(part) for part in day.split("-"))
        year = begin.year + (1 if month < begin.month else 0)
        return datetime(year, month, of_month, hour, minute, second, tzinfo=UTC)
    found = begin.replace(hour=hour, minute=minute, second=second, microsecond=0)
    return found if found > begin - timedelta(hours=1) else found + timedelta(days=1)
