"""Other servers' answers, read without trusting their shape: what is missing or odd reads as nothing.

Called by `facts`. An answer that does not look as expected must cost a fact, never the investigation.
"""

import math
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

Obj = Mapping[str, Any]
NOTHING: Obj = {}
_AGE = re.compile(r"(\d+(?:\.\d+)?)\s*(s|min|m|h|d)")
_UNIT_S = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86_400}
_LONGEST = 10_000


def text(value: Any) -> str:
    """A text, or nothing."""
    return value[:_LONGEST] if isinstance(value, str) else ""


def number(value: Any) -> float | None:
    """A finite number, or None; a truth value is none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) else None


def amount(value: Any, default: float = 0.0) -> float:
    """A finite number, or the default."""
    found = number(value)
    return default if found is None else found


def inner(answer: Any, *path: str) -> Any:
    """What stands at a path of an answer, or None."""
    for key in path:
        if not isinstance(answer, Mapping):
            return None
        answer = answer.get(key)
    return answer


def objects(value: Any) -> Iterator[Obj]:
    """The objects of a list."""
    if isinstance(value, list | tuple):
        yield from (each for each in value if isinstance(each, Mapping))


def texts(value: Any) -> tuple[str, ...]:
    """The texts of a list."""
    if not isinstance(value, list | tuple):
        return ()
    return tuple(text(each) for each in value if isinstance(each, str))


def rows(table: Any) -> Iterator[dict[str, Any]]:
    """A columnar table's rows as objects."""
    columns = texts(inner(table, "columns"))
    found = inner(table, "rows")
    for row in found if isinstance(found, list | tuple) else ():
        if isinstance(row, list | tuple):
            yield dict(zip(columns, row, strict=False))


def moment(value: Any) -> datetime | None:
    """A time as the servers write it (RFC 3339, with or without seconds), UTC."""
    said = text(value).strip()
    if len(said) < 10:
        return None
    try:
        found = datetime.fromisoformat(said.replace("Z", "+00:00"))
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):  # the calendar ends before a zone's offset does
        return None


def ago(value: Any, now: datetime) -> datetime | None:
    """The moment of an age as `13m` or `2 d`."""
    found = _AGE.fullmatch(text(value).strip())
    return now - timedelta(seconds=float(found[1]) * _UNIT_S[found[2]]) if found else None


def place(value: Any) -> tuple[str, str, str]:
    """Kind, namespace and name of `Kind namespace/name` or `Kind name`; a tail as `and 2 more` is left."""
    kind, _, rest = text(value).partition(" ")
    where = rest.split(" ")[0]
    namespace, slash, name = where.partition("/")
    return (kind, namespace, name) if slash else (kind, "", namespace)
