"""What several clusters said to one question. No code that asks: that is `clients/fanout.py`."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from heapq import merge
from typing import Any, Generic, TypeVar

from aiops_shared.results import Table

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Said(Generic[T]):
    """One cluster's answer. `label` is what the answer calls it, `word` opens it and no other."""

    label: str
    word: str
    answer: T


@dataclass(frozen=True, slots=True)
class Heard(Generic[T]):
    """The answers in the order of the clusters, and what is missing, ready to be warnings."""

    said: tuple[Said[T], ...]
    gaps: tuple[str, ...] = ()

    @property
    def labels(self) -> tuple[str, ...]:
        """The clusters that answered."""
        return tuple(one.label for one in self.said)


def with_cluster(table: Table, label: str) -> Table:
    """The table with the cluster before every row."""
    return Table(columns=("cluster", *table.columns), rows=tuple((label, *row) for row in table.rows))


def best_first(
    parts: Sequence[Iterable[T]], order: Callable[[T], Any], takes: Callable[[int, T], bool]
) -> tuple[list[tuple[int, T]], list[int]]:
    """Sorted parts as one sorted list while `takes` (part, item) says so, and how much each part gave."""

    def keyed(place: int, part: Iterable[T]) -> Iterable[tuple[Any, int, int, T]]:
        return ((order(item), place, at, item) for at, item in enumerate(part))

    taken: list[tuple[int, T]] = []
    counts = [0] * len(parts)
    for _, place, _, item in merge(*(keyed(place, part) for place, part in enumerate(parts))):
        if not takes(place, item):
            break
        taken.append((place, item))
        counts[place] += 1
    return taken, counts


def said_once(warnings: Iterable[tuple[str, Iterable[str]]]) -> tuple[str, ...]:
    """Warnings by cluster; what several say alike is said once, with their names."""
    clusters: dict[str, list[str]] = {}
    for label, texts in warnings:
        for text in dict.fromkeys(texts):
            clusters.setdefault(text, []).append(label)
    return tuple(f"{listed(labels)}: {text}" for text, labels in clusters.items())


def listed(labels: Sequence[str], most: int = 4) -> str:
    """The first few names, and how many more."""
    return ", ".join(labels[:most]) + (f" and {len(labels) - most} more" if len(labels) > most else "")
