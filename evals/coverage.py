"""Which faults of the specification have a rule: `faults.csv`, a row a fault.

A row without a code is a gap, and its note says why. Printed on the evaluation's page; a test holds the
codes to the registry, so that a cause is neither forgotten nor invented.
"""

import csv
from dataclasses import dataclass
from pathlib import Path

TABLE = Path(__file__).parent / "faults.csv"


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault that diagnosis should know, and the causes that know it."""

    family: str
    fault: str
    codes: tuple[str, ...]
    note: str


def faults() -> tuple[Fault, ...]:
    """Every row of the table."""
    with TABLE.open(encoding="utf-8", newline="") as table:
        return tuple(
            Fault(row["family"], row["fault"], tuple(row["codes"].split()), row["note"] or "")
            for row in csv.DictReader(table)
        )
