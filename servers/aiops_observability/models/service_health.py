"""What the health tool is asked and what it answers."""

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

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
    """A service, who it depends on, and what is left of its error budget."""

    service: str
    source: Annotated[str, Field(description="Of the map")] = ""
    status: Status = "unknown"
    nodes: Table | None = None
    edges: Table | None = None
    sli: Annotated[Table | None, Field(description="In the window")] = None
    slo_percent: Annotated[float, Field(description="The objective of the burn rates")] = 99.9
    budget_minutes: Annotated[float, Field(description="Full outage that it allows in 30 days")] = 43.2
    budget_left: Annotated[float | None, Field(description="Share; below 0: overspent")] = None
    burn_rates: Annotated[Table | None, Field(description="Both windows at the threshold: it fires")] = None
    slos: Annotated[Table | None, Field(description="Application Signals' own")] = None
