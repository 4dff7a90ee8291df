"""What a Prometheus knows beside samples: rules, exemplars, and series that are only counted.

Stories write it (`stage.telemetry.rules`); the observatory's Prometheus and AMP rooms read it. An alerting
rule has no state of its own here: the room evaluates its query, so alerts agree with the metrics.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class MetricRule:
    """One rule. `alert`: an alerting rule, else `name` is the metric that it records (which nobody computes:
    a story that records one emits its signal too). `error`: why its last evaluation failed."""

    name: str
    query: str
    group: str = "lab"
    alert: bool = True
    for_s: float = 0.0
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    interval_s: int = 60
    error: str = ""


@dataclass(frozen=True, slots=True)
class Exemplar:
    """One observation of a histogram with the trace it belongs to."""

    metric: str
    labels: Mapping[str, str]
    trace_id: str
    value: float
    at_s: float


@dataclass(slots=True)
class Rules:
    """All of it. `ballast`: metric -> series that exist for `status/tsdb` alone: millions cost nothing.

    `asked`: how often a metric was queried since `asked_since_s`, as VictoriaMetrics counts it; None where
    the backend does not count, as Prometheus.
    """

    rules: list[MetricRule] = field(default_factory=list)
    exemplars: list[Exemplar] = field(default_factory=list)
    ballast: dict[str, int] = field(default_factory=dict)
    asked: dict[str, int] | None = None
    asked_since_s: float = 0.0
