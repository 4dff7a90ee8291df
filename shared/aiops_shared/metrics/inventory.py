"""What a metrics backend holds, apart from values: labels, rules, alerts, cardinality. Data and one port.

`prometheus` and `amp` fulfil `MetricsInventory`; a driver that does not is refused by name where one asks.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule; `health` ok, err or unknown; `state` of an alerting one: inactive, pending, firing."""

    name: str
    group: str
    alerting: bool
    query: str
    health: str = ""
    state: str = ""
    error: str = ""
    for_s: float = 0.0
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RuleAlert:
    """An alert that a rule raised: pending or firing, since when (RFC 3339), and the value then."""

    name: str
    state: str
    since: str
    value: float
    labels: Mapping[str, str]
    says: str = ""


@dataclass(frozen=True, slots=True)
class MetricSize:
    """Series of one metric; `asked` how often it was queried, None where the backend does not tell."""

    name: str
    series: int
    asked: int | None = None
    in_rules: bool = False


@dataclass(frozen=True, slots=True)
class Cardinality:
    """What makes a backend large.

    `metrics`: the largest first, as far as the backend tells. `labels`: values by label name. `told`: whether
    it counts queries; `since_s`: since when (Unix seconds).
    """

    series: int
    metrics: tuple[MetricSize, ...]
    labels: tuple[tuple[str, int], ...]
    told: bool = False
    since_s: float = 0.0
    warnings: tuple[str, ...] = ()


@runtime_checkable
class MetricsInventory(Protocol):
    """Discovery. Every method raises `AiopsError` only."""

    async def labels(self, metric: str) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """The labels of a metric, each with some of its values."""
        ...

    async def rules(self) -> tuple[Rule, ...]:
        """Recording and alerting rules."""
        ...

    async def alerts(self) -> tuple[RuleAlert, ...]:
        """What the alerting rules raise now."""
        ...

    async def cardinality(self) -> Cardinality:
        """Series by metric and values by label."""
        ...
