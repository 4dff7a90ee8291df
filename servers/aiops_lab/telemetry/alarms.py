"""CloudWatch alarms and anomaly detectors, put by a scenario or a caller; `aws.cloudwatch` evaluates them.

What an alarm's state is, and was, follows from its metrics at any moment, so nothing is recorded here but the
configuration and what somebody said (`tell`, SetAlarmState). An alarm whose metric is not worth a signal may
be told alone (`told_alarm`): its states are those told and no other.

    memory = metric_alarm("EKS-HighMemoryUsage", "ContainerInsights/node_memory_utilization",
                          {"ClusterName": "my-cluster"}, above=80.0, period_s=300, created_s=since_s)
    stage.telemetry.alarms.put(memory, told_alarm(other, [(t0_s - 300, "ALARM"), (t0_s - 60, "OK")]))
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

OK, ALARM, MISSING = "OK", "ALARM", "INSUFFICIENT_DATA"
STATES = (OK, ALARM, MISSING)
PLAIN = ("Average", "Sum", "Minimum", "Maximum", "SampleCount")


@dataclass(frozen=True, slots=True)
class ToldState:
    """A state that somebody set at a moment (Unix seconds), in his words."""

    at_s: float
    value: str
    reason: str = ""
    data: str = ""  # StateReasonData, JSON


@dataclass(frozen=True, slots=True)
class StoredAlarm:
    """One alarm. `spec`: the parameters of PutMetricAlarm or PutCompositeAlarm, in the model's own names."""

    name: str
    spec: Mapping[str, Any]
    created_s: float
    updated_s: float = 0.0  # of its configuration; as created when 0
    told: tuple[ToldState, ...] = ()
    evaluated: bool = True
    tags: tuple[tuple[str, str], ...] = ()

    @property
    def composite(self) -> bool:
        """Whether it is one of other alarms."""
        return "AlarmRule" in self.spec

    @property
    def kind(self) -> str:
        """Its type, as CloudWatch names it."""
        return "CompositeAlarm" if self.composite else "MetricAlarm"


@dataclass(frozen=True, slots=True)
class StoredDetector:
    """One anomaly detector. `spec`: PutAnomalyDetector's parameters; `excluded`: spans not learned from."""

    detector_id: str
    spec: Mapping[str, Any]
    created_s: float
    excluded: tuple[tuple[float, float], ...] = ()


@dataclass(slots=True)
class Alarms:
    """Every alarm and detector of the account, by name. Values are replaced as a whole: no lock needed."""

    by_name: dict[str, StoredAlarm] = field(default_factory=dict)
    detectors: dict[str, StoredDetector] = field(default_factory=dict)

    def put(self, *alarms: StoredAlarm) -> None:
        """Put alarms, new or in place of those of the same name."""
        self.by_name = self.by_name | {one.name: one for one in alarms}

    def drop(self, names: Iterable[str]) -> None:
        """Forget alarms."""
        gone = set(names)
        self.by_name = {name: one for name, one in self.by_name.items() if name not in gone}

    def tell(self, name: str, at_s: float, value: str, reason: str = "", data: str = "") -> None:
        """Set a state at a moment; the next evaluation goes on from it. Raises KeyError."""
        one = self.by_name[name]
        told = sorted([*one.told, ToldState(at_s, value, reason, data)], key=lambda state: state.at_s)
        self.put(replace(one, told=tuple(told)))


def metric_alarm(
    name: str,
    metric: str,
    dimensions: Mapping[str, str],
    *,
    created_s: float,
    above: float,
    statistic: str = "Average",
    period_s: int = 60,
    **more: Any,
) -> StoredAlarm:
    """An alarm on one metric (`Namespace/Name`) while it is above a threshold.

    `more`: other parameters of PutMetricAlarm (`TreatMissingData`, `EvaluationPeriods`, …).
    """
    namespace, _, metric_name = metric.rpartition("/")
    stat = {"Statistic": statistic} if statistic in PLAIN else {"ExtendedStatistic": statistic}
    spec: dict[str, Any] = {
        "Namespace": namespace,
        "MetricName": metric_name,
        "Dimensions": [{"Name": key, "Value": value} for key, value in dimensions.items()],
        **stat,
        "Period": period_s,
        "EvaluationPeriods": 1,
        "Threshold": above,
        "ComparisonOperator": "GreaterThanThreshold",
        "TreatMissingData": "missing",
        "ActionsEnabled": True,
    }
    return StoredAlarm(name, spec | more, created_s)


def composite_alarm(name: str, rule: str, *, created_s: float, **more: Any) -> StoredAlarm:
    """An alarm over others: `ALARM("a") AND NOT OK(b)`. `more`: other parameters of PutCompositeAlarm."""
    return StoredAlarm(name, {"AlarmRule": rule, "ActionsEnabled": True} | more, created_s)


def told_alarm(
    like: StoredAlarm, states: Iterable[tuple[float, str]], *, reasons: Mapping[str, str] | None = None
) -> StoredAlarm:
    """An alarm whose states are told and never evaluated: (Unix second, state) in any order."""
    said = reasons or {}
    told = [ToldState(at_s, value, said.get(value, "")) for at_s, value in states]
    return replace(like, told=tuple(sorted(told, key=lambda one: one.at_s)), evaluated=False)
