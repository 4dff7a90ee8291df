"""Cursors over several clusters; those over one list are `aiops_shared.results.cursors`.

A cursor holds each cluster's own offset, bound to the question.
"""

import base64
import binascii
import hashlib
from collections.abc import Iterable, Mapping

from aiops_shared.results.cursors import cursor_at, digest, foreign, offset_of

__all__ = ["DONE", "cursor_at", "cursor_of", "digest", "offset_of", "offsets_of"]

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
        raise foreign() from None
    head, rest = raw[: len(question) // 2], raw[len(question) // 2 :]
    if cursor and (head != bytes.fromhex(question) or len(rest) % _EACH):
        raise foreign()
    held = {
        rest[at : at + 3]: int.from_bytes(rest[at + 3 : at + 6], "big") for at in range(0, len(rest), _EACH)
    }
    found = {cluster: held[_mark(cluster)] for cluster in clusters if _mark(cluster) in held}
    return found, len(held) - len(found)


def _mark(cluster: str) -> bytes:
    return hashlib.sha256(cluster.encode()).digest()[:3]
