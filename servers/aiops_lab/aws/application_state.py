"""What Application Signals of the lab keeps: whether it is on, and the objectives."""

from dataclasses import dataclass

from aiops_lab.aws.account import ACCOUNT_ID, REGION


@dataclass(frozen=True, slots=True)
class Objective:
    """An SLO by requests: `goal` in percent over so many days; `latency_ms`: one of latency instead."""

    name: str
    service: str
    goal: float = 99.9
    days: int = 30
    latency_ms: float | None = None

    @property
    def arn(self) -> str:
        """Its ARN."""
        return f"arn:aws:application-signals:{REGION}:{ACCOUNT_ID}:slo/{self.name}"


@dataclass(slots=True)
class Monitored:
    """Whether the account has Application Signals, and its objectives."""

    enabled: bool = False
    objectives: tuple[Objective, ...] = ()
