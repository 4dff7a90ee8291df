"""What reports stand on, gathered by `clients.report_*`: plain facts of the store and of other servers."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class IncidentRow:
    """One incident of the journal."""

    id: str
    fingerprint: str
    state: str
    cause: str
    confirmed: str
    title: str
    onset_at: datetime | None
    detected_at: datetime
    resolved_at: datetime | None
    alerts: int
    run_id: str
    night: bool = False

    @property
    def closed(self) -> bool:
        """It has an end, so that its times are known."""
        return self.resolved_at is not None

    @property
    def acted_on(self) -> bool:
        """A run or a person did something about it: what woke them was worth it."""
        return bool(self.run_id or self.confirmed)


@dataclass(frozen=True, slots=True)
class Journal:
    """Incidents detected in a window, and alerts that led to none."""

    incidents: tuple[IncidentRow, ...] = ()
    stray_alerts: int = 0
    earlier: frozenset[str] = frozenset()  # fingerprints seen before the window


@dataclass(frozen=True, slots=True)
class Paid:
    """A bill and what of it was used."""

    total: Decimal
    idle: Decimal | None
    days: float
    query: str
    currency: str = "USD"
    method: str = ""


@dataclass(frozen=True, slots=True)
class RunCounts:
    """Runs of a window by state, by SOP, by mode."""

    states: Mapping[str, int]
    sops: Mapping[str, int]
    succeeded: Mapping[str, int]
    human_inputs: int = 0

    @property
    def total(self) -> int:
        """All runs."""
        return sum(self.states.values())
