"""What several clusters said to one question. No code that asks: that is `clients/fanout.py`."""

from dataclasses import dataclass
from typing import Generic, TypeVar

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
