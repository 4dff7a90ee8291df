"""What Cost Anomaly Detection has found and who is told: stories put it into the ledger.

Nothing here is computed: AWS's detection is a model of its own, and a product must not take it for more than
a further voice.
"""

from dataclasses import dataclass
from datetime import date

from aiops_lab.places import ACCOUNT_ID, REGION

PREFIX = f"arn:aws:ce::{ACCOUNT_ID}"


@dataclass(frozen=True, slots=True)
class Cause:
    """One root cause; `share_usd` is its part of the impact."""

    service: str
    usage_type: str
    share_usd: float
    account: str = ACCOUNT_ID
    account_name: str = ""
    region: str = REGION


@dataclass(frozen=True, slots=True)
class Anomaly:
    """One anomaly, seen from the day after `first` on. `last` is None while it goes on."""

    anomaly_id: str
    first: date
    service: str
    actual_usd: float
    expected_usd: float
    last: date | None = None
    causes: tuple[Cause, ...] = ()
    monitor: str = "services"
    max_impact_usd: float = 0.0  # of its worst day; the whole when 0
    score: float = 0.9
    feedback: str = ""

    @property
    def impact_usd(self) -> float:
        """What it cost more than expected."""
        return round(self.actual_usd - self.expected_usd, 10)


@dataclass(frozen=True, slots=True)
class Monitor:
    """What is watched: each service of the account, unless `dimension` says otherwise."""

    name: str = "services"
    dimension: str = "SERVICE"
    created: date = date(2025, 6, 1)

    @property
    def arn(self) -> str:
        """The monitor's ARN."""
        return f"{PREFIX}:anomalymonitor/{self.name}"


@dataclass(frozen=True, slots=True)
class Subscription:
    """Who is told of anomalies above `threshold_usd`."""

    name: str
    address: str
    threshold_usd: float = 100.0
    frequency: str = "DAILY"
    monitors: tuple[str, ...] = ("services",)

    @property
    def arn(self) -> str:
        """The subscription's ARN."""
        return f"{PREFIX}:anomalysubscription/{self.name}"
