"""Our own cursors: how far a ranked list was shown, of one cluster or of several, bound to the question.

A ranked list is made anew for each page, since worst-first needs every row; the cursor is an offset, so it
never expires. A cursor of another question, or of the API server's, is refused before any request.
"""

import base64
import binascii
import hashlib
from collections.abc import Iterable, Mapping

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
    raise _foreign()


def _foreign() -> InvalidInputError:
    return InvalidInputError(
        "cursor",
        "is not one that this question gave",
        "start again without a cursor, or repeat the arguments",
    )


DONE = 0xFFFFFF  # nothing of a cluster is left to show
_EACH = 6  # bytes of a cluster in a cursor: three of its name's digest, three of its offset


def cursor_of(offsets: Mapping[str, int], question: str) -> str:
    """The cursor that continues each cluster at its own offset, at most 400 characters for 45 clusters."""
    raw = bytes.fromhex(question)
    for cluster, offset in offsets.items():
        raw += _mark(cluster) + min(offset, DONE).to_bytes(3, "big") if offset else b""
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def offsets_of(cursor: str, question: str, clusters: Iterable[str]) -> tuple[dict[str, int], int]:
    """Each cluster's offset in a cursor, and how many of its clusters are no longer meant.

    Raises InvalidInputError for a cursor of another question.
    """
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise _foreign() from None
    head, rest = raw[: len(question) // 2], raw[len(question) // 2 :]
    if cursor and (head != bytes.fromhex(question) or len(rest) % _EACH):
        raise _foreign()
    held = {
        rest[at : at + 3]: int.from_bytes(rest[at + 3 : at + 6], "big") for at in range(0, len(rest), _EACH)
    }
    found = {cluster: held[_mark(cluster)] for cluster in clusters if _mark(cluster) in held}
    return found, len(held) - len(found)


def _mark(cluster: str) -> bytes:
    return hashlib.sha256(cluster.encode()).digest()[:3]
