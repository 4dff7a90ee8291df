"""Texts of a cluster as a person may read them: redacted whole, then on one line, then cut.

A newline or an escape sequence in an image or annotation could otherwise forge a line of the question that a
person answers (T7). Used wherever a plan keeps words that came from an object.
"""

from aiops_shared.guardrails.questions import NOT_ALL_SHOWN, SHOWN, cut, flat, one_line

__all__ = ["NOT_ALL_SHOWN", "SHOWN", "cut", "one_line", "pair"]
_AROUND = 40


def pair(before: str, after: str, limit: int = SHOWN) -> tuple[str, str]:
    """Two redacted texts on one line each; long ones are shown where they differ, not where they begin."""
    before, after = flat(before), flat(after)
    if before == after:  # they differ only in what was masked
        return cut(before, limit), f"{cut(after, limit)} (changed)"
    if max(len(before), len(after)) <= limit:
        return before, after
    start = max(0, _same(before, after) - _AROUND)
    alike = _same(before[::-1], after[::-1])  # from the end
    return _window(before, start, limit, alike), _window(after, start, limit, alike)


def _same(one: str, other: str) -> int:
    """How many characters both begin with."""
    pairs = zip(one, other, strict=False)
    return next((place for place, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))


def _window(text: str, start: int, limit: int, alike: int) -> str:
    if len(text) <= limit:
        return text
    part = text[start : start + limit]
    head, tail = "…" if start else "", "…" if start + limit < len(text) else ""
    more = f", {NOT_ALL_SHOWN}" if len(text) - alike > start + limit else ""
    return f"{head}{part}{tail} ({len(text)} characters{more})"
