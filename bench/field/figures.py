"""How figures of a run are read and said: shares, ratios, units; which way is ours."""

from collections.abc import Mapping, Sequence
from typing import Any

OURS = "eks-aiops"
Found = Mapping[str, Any]


def is_ours(title: str) -> bool:
    """Whether a row is of this suite."""
    return title.startswith(OURS)


def ours_first(ways: Sequence[Found]) -> list[Found]:
    """Ours, then the peers as they are."""
    return sorted(ways, key=lambda way: not is_ours(way["title"]))


def ours_of(question: Found) -> Found | None:
    """Our way, where it was measured."""
    return next((one for one in question["ways"] if is_ours(one["title"]) and "error" not in one), None)


def counted(way: Found, question: Found) -> str:
    """`2 of 3`."""
    return f"{len(way['stands'])} of {len(question['facts'])}"


def ratio(way: Found, ours: Found | None, key: str) -> str:
    """` (3.1 x)`; nothing where there is nothing to divide by."""
    if ours is None or not ours.get(key) or key not in way:
        return ""
    return (
        f" ({way[key] / ours[key]:.2g} x)"
        if way[key] < 100 * ours[key]
        else f" ({way[key] / ours[key]:.0f} x)"
    )


def seconds_of(way: Found, key: str) -> str:
    """Seconds, with as many digits as mean something; nothing where they were not measured."""
    if key not in way:
        return ""
    return f"{way[key]:.2f}" if way[key] < 10 else f"{way[key]:.0f}"


def figure(number: float) -> str:
    """With separators of thousands."""
    return f"{number:,.0f}"


def mb(size_bytes: float) -> str:
    """Megabytes."""
    return f"{size_bytes / 1e6:.0f} MB"
