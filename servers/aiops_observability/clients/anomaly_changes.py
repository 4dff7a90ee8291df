"""Changes that a caller knows of, and which of them may have brought an onset: those just before it.

Called by `anomaly_reading`. Nearness counts, and a change after the onset is ruled out (facts-analysis,
section 5); which of several causes it really was is for `investigate`.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from aiops_shared.errors import InvalidInputError
from aiops_shared.params import shown, since_to_datetime

BEFORE = timedelta(minutes=30)
MOST = 50


@dataclass(frozen=True, slots=True)
class KnownChange:
    """One change: when, and what."""

    at: datetime
    says: str


def known_changes(texts: tuple[str, ...], now: datetime) -> tuple[KnownChange, ...]:
    """`2026-11-22T06:00:00Z deploy v2` or `-6h deploy v2`. Raises InvalidInputError for any other form."""
    if len(texts) > MOST:
        raise InvalidInputError("changes", f"takes at most {MOST}", "give those of the last hours")
    found = []
    for text in texts:
        when, _, says = text.strip().partition(" ")
        if not when or len(text) > 300:
            raise InvalidInputError(
                "changes", f"{shown(text)} is no change", "as '2026-11-22T06:00:00Z deploy v2'"
            )
        found.append(KnownChange(since_to_datetime(when, now), says.strip() or "change"))
    return tuple(sorted(found, key=lambda one: one.at))


def before(changes: tuple[KnownChange, ...], onset: datetime, slack_s: float) -> list[KnownChange]:
    """Those that may have brought it, nearest first; an onset is known to a step or so (`slack_s`)."""
    slack = timedelta(seconds=slack_s)
    fitting = [one for one in changes if -slack <= onset - one.at <= BEFORE + slack]
    return sorted(fitting, key=lambda one: abs(onset - one.at))
