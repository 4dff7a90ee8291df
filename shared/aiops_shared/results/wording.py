"""How summaries are worded: counts, short enumerations, and a cut that is seen.

Called by the readers of every server.
"""

import re
from collections.abc import Iterable, Sequence

MOST = 400  # characters of a summary (tools.md rule 3)
_QUOTABLE = re.compile(r"(?:\S{1,100}(?: \S{1,100})?)?")


def counted(number: int, singular: str, plural: str = "") -> str:
    """`1 pod`, `14 pods`."""
    return f"{number} {singular if number == 1 else plural or singular + 's'}"


def brief(names: Sequence[str], most: int = 5) -> str:
    """The first few names, and how many more."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def cut(text: str, most: int = MOST) -> str:
    """The text, its end replaced by … when it is too long."""
    return text if len(text) <= most else text[: most - 1] + "…"


def sayable(names: Iterable[str]) -> list[str]:
    """Those of several foreign names that our own sentences may quote; the others are left out."""
    return [name for name in names if name and quotable(name) == name]


def quotable(text: str, instead: str = "(its text)") -> str:
    """A foreign name as our own sentences may quote it: one or two words of at most 100 characters.

    What is longer can give orders (T7): it stands in fields that are marked untrusted, and nowhere else.
    """
    return text if _QUOTABLE.fullmatch(text) else instead
