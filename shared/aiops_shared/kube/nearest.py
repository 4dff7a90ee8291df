"""Nearest right names for a misspelt one (requirement S48): of kinds, objects, namespaces, clusters."""

from collections.abc import Iterable

MAX_NAMES = 5
MIN_SCORE = 55.0


def nearest(word: str, names: Iterable[str]) -> tuple[str, ...]:
    """Up to five of `names` that look like `word`, the closest first."""
    from rapidfuzz import fuzz, process

    choices = sorted({name for name in names if name})
    found = process.extract(word, choices, scorer=fuzz.WRatio, limit=MAX_NAMES, score_cutoff=MIN_SCORE)
    return tuple(name for name, _, _ in found)
