"""Upstream text inside our own messages; apart from `answers`, which loads an HTTP client (D31)."""

SNIPPET_CHARACTERS = 256


def snippet(text: str) -> str:
    """Upstream text for an error message: one line, no control characters, at most 256 characters."""
    flat = " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
    return flat if len(flat) <= SNIPPET_CHARACTERS else flat[: SNIPPET_CHARACTERS - 1] + "…"
