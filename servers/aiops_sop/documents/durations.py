"""Stretches of time as SOPs write them: 30s, 8m, 2h, 1d, also 1h30m."""

import re
from typing import Final

from aiops_shared.errors import InvalidInputError

MOST_S: Final = 7 * 86_400.0
_SECONDS: Final = {"d": 86_400.0, "h": 3600.0, "m": 60.0, "s": 1.0}
_FORM: Final = re.compile(r"(?:\d{1,6}(?:\.\d{1,3})?[dhms])+")
_PART: Final = re.compile(r"(\d+(?:\.\d+)?)([dhms])")


def duration_s(text: str) -> float:
    """Seconds. Raises InvalidInputError for another form, for nothing, and for more than a week."""
    if not _FORM.fullmatch(text):
        raise InvalidInputError(
            "duration", "is not of the form 30s, 8m, 2h or 1d", "write a number and s, m, h or d"
        )
    found = sum(float(amount) * _SECONDS[unit] for amount, unit in _PART.findall(text))
    if not 0 < found <= MOST_S:
        raise InvalidInputError("duration", "is nothing, or more than a week", "from 1s to 7d")
    return found
