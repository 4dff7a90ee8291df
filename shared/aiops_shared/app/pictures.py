"""Pictures beside an answer: a tool attaches a PNG, the door sends it as image content of the same result.

They stand outside of the structured answer, whose budget they would burst. Nothing in a picture is read by
the suite; texts in it must be names and numbers, never log lines.
"""

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from mcp_types import ImageContent

MOST_BYTES = 400_000  # what hosts show inline

_PICTURES: ContextVar[list[ImageContent] | None] = ContextVar("aiops_pictures", default=None)


@contextmanager
def collecting() -> Iterator[list[ImageContent]]:
    """Around one call: what is attached inside."""
    found: list[ImageContent] = []
    mark = _PICTURES.set(found)
    try:
        yield found
    finally:
        _PICTURES.reset(mark)


def attach(png: bytes) -> bool:
    """Send a PNG with this call's answer. False where it is too large, or no call collects."""
    found = _PICTURES.get()
    if found is None or len(png) > MOST_BYTES:
        return False
    found.append(ImageContent(type="image", data=base64.b64encode(png).decode(), mime_type="image/png"))
    return True
