"""Nearest right names for a misspelt one (requirement S48): of kinds, objects, namespaces, clusters."""

from collections.abc import Iterable

MAX_NAMES = 5
MIN_SCORE = 55.0
PART = 0.85  # a name that only contains the word comes after one that looks like it


def nearest(word: str, names: Iterable[str]) -> tuple[str, ...]:
    """Up to five of `names` that look like `word` or contain something like it, the closest first."""
    from rapidfuzz import fuzz

    def score(name: str) -> float:
        part = PART * fuzz.partial_ratio(word, name) if len(name) > len(word) >= 3 else 0.0
        return max(fuzz.ratio(word, name), part)

    scored = sorted((-score(name), name) for name in {name for name in names if name})
    return tuple(name for minus, name in scored[:MAX_NAMES] if -minus >= MIN_SCORE)
