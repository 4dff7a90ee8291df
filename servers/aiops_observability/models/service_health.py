"""What the health tool is asked and what it answers."""

from dataclasses import dataclass
from typing import Literal

from aiops_shared.results import Answer, Table

Status = Literal["healthy", "burning", "breached", "unknown"]
HealthSource = Literal["auto", "application_signals", "traces"]


@dataclass(frozen=True, slots=True)
class HealthAsk:
    """One question about a service. `slo`: percent of good requests, 0: not said."""

    service: str
    slo: float = 0.0
    since: str = "-1h"
    source: HealthSource = "auto"
    cluster: str | None = None


class ServiceHealth(Answer):
    """A service, who it depends on, and what is left of its error budget.

    `source` is the map's, `sli` is of the window; `budget_minutes`: full outage that the objective allows
    in 30 days; `budget_left`: a share, below 0 overspent; a burn rate fires when both windows are at its
    threshold; `slos` are Application Signals' own.
    """

    service: str
    source: str = ""
    status: Status = "unknown"
    nodes: Table | None = None
    edges: Table | None = None
    sli: Table | None = None
    slo_percent: float = 99.9
    budget_minutes: float = 43.2
    budget_left: float | None = None
    burn_rates: Table | None = None
    slos: Table | None = None
