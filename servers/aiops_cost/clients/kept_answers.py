"""Kept answers that cost a request when they fail, and never an answer: `recalled` and `kept`.

Called by everything of this server that keeps what it read (prices, split costs, shares of logs, what Cost
Explorer says beside the bill). A store that is away or bytes that cannot be read count as nothing kept.
"""

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Generic, TypeVar

from aiops_shared.errors import AiopsError
from aiops_shared.state.answers import Answers

Value = TypeVar("Value")
UNREADABLE: Final = "a kept answer could not be read: it was asked again"
AWAY: Final = "kept answers cannot be read, every question is asked anew"
# What decoding bytes of any kind raises; `read` may raise no other.
_ODD: Final = (ValueError, TypeError, KeyError, AttributeError, ArithmeticError, zlib.error)


@dataclass(frozen=True, slots=True)
class Recalled(Generic[Value]):
    """A kept value and when it was read; neither, and why, where there is none that can be read."""

    value: Value | None = None
    made_at: datetime | None = None
    note: str = ""


async def recalled(
    answers: Answers, key: str, read: Callable[[bytes], Value], not_older_than: timedelta | None = None
) -> Recalled[Value]:
    """What is kept under `key`, as `read` makes it of bytes. Raises nothing of the store's."""
    try:
        found = await answers.get(key, not_older_than)
        if found is None:
            return Recalled()
        return Recalled(read(found.body), found.made_at)
    except AiopsError as error:
        return Recalled(note=f"{AWAY}: {error.reason}"[:200])
    except _ODD:
        return Recalled(note=UNREADABLE)


async def kept(answers: Answers, key: str, body: bytes) -> str:
    """Keep an answer; a sentence where that fails. Raises nothing of the store's."""
    try:
        await answers.put(key, body)
    except AiopsError as error:
        return f"answers cannot be kept, every question is asked anew: {error.reason}"[:200]
    return ""
