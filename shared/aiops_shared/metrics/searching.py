"""Finding a metric by words or by a misspelt name (row S48). Called by the drivers."""

import re
from collections.abc import Iterable

_WORDS = re.compile(r"[A-Za-z][a-z]*|[A-Z]+|[0-9]+")


def ranked(words: str, names: Iterable[str], limit: int) -> tuple[tuple[str, float], ...]:
    """The nearest names with their scores (0..100), the best first; the first by the alphabet for no words.

    A name that looks like the text leads; then names that hold its words in any order.
    """
    from rapidfuzz import fuzz

    told = sorted(set(names))
    text = words.strip()
    if not text:
        return tuple((name, 0.0) for name in told[:limit])
    plain = _plain(text)

    def score(name: str) -> float:
        other = _plain(name)
        whole: float = max(fuzz.ratio(text, name), fuzz.ratio(plain, other))
        held: float = 0.9 * fuzz.token_set_ratio(plain, other)
        part: float = 0.85 * fuzz.partial_ratio(plain, other) if len(plain) >= 3 else 0.0
        return max(whole, 0.55 * whole + 0.4 * held, 0.5 * whole + 0.4 * part)

    scored = sorted((-score(name), name) for name in told)
    return tuple((name, -minus) for minus, name in scored[:limit])


def _plain(text: str) -> str:
    """`pod_memory`, `PodMemory` and `pod memory` are the same words."""
    return " ".join(word.lower() for word in _WORDS.findall(text))
