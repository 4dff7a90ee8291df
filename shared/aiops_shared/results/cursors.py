"""Our own cursors: how far a ranked list was shown, bound to the question.

A ranked list is made anew for each page, since worst-first needs every row; the cursor is an offset, so it
never expires. A cursor of another question, or of an upstream's, is refused before any request. Called by the
readers of every server.
"""

import base64
import binascii
import hashlib

from aiops_shared.errors import InvalidInputError


def digest(*question: object) -> str:
    """A short name for a question."""
    return hashlib.sha256(repr(question).encode()).hexdigest()[:12]


def cursor_at(offset: int, question: str) -> str:
    """The cursor that continues at `offset`."""
    return base64.urlsafe_b64encode(f"{question}.{offset}".encode()).decode().rstrip("=")


def offset_of(cursor: str, question: str) -> int:
    """The offset in a cursor; 0 without one. Raises InvalidInputError for a foreign one."""
    if not cursor:
        return 0
    try:
        asked, _, offset = (
            base64.b64decode(cursor + "==", b"-_", validate=False).decode("ascii").partition(".")
        )
        if asked == question and offset.isdigit() and len(offset) < 8:
            return int(offset)
    except (binascii.Error, UnicodeDecodeError, ValueError):
        pass
    raise foreign()


def foreign() -> InvalidInputError:
    """The refusal of a cursor that is not ours, or of another question."""
    return InvalidInputError(
        "cursor",
        "is not one that this question gave",
        "start again without a cursor, or repeat the arguments",
    )
