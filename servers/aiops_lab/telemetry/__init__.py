"""What the lab's world emits: metrics, logs, traces and alerts, as data that a scenario writes.

Two vocabularies, one world: the lab's Prometheus, AMP, CloudWatch, Datadog, X-Ray, Jaeger, Tempo, OpenSearch
and Alertmanager all read these stores, so that each says the same numbers in its own words. Everything is a
function of time: nothing is recorded, a window is computed when it is asked for, never beyond the lab's now.
`stage.telemetry` writes it, `account.area(Telemetry)` holds it, a load forgets it.
"""

from dataclasses import dataclass, field

from aiops_lab.telemetry.alarms import Alarms
from aiops_lab.telemetry.alerts import Alerts
from aiops_lab.telemetry.log_groups import LogGroups
from aiops_lab.telemetry.rules import Rules
from aiops_lab.telemetry.signals import Signals, Values
from aiops_lab.telemetry.spans import Traces
from aiops_lab.telemetry.workloads import Profile


@dataclass(slots=True)
class Telemetry:
    """All that is emitted in one world. `t0_s`: the story's T0 in Unix seconds, for functions of time.

    `cloud`: what only CloudWatch keeps; a signal's name is `Namespace/Metric`, its labels are the dimensions.
    `adapter`: what the custom metrics API serves, of all pods together, by namespace and metric.
    """

    t0_s: float = 0.0
    signals: Signals = field(default_factory=Signals)
    profiles: list[Profile] = field(default_factory=list)
    rules: Rules = field(default_factory=Rules)
    cloud: Signals = field(default_factory=Signals)
    alarms: Alarms = field(default_factory=Alarms)
    alerts: Alerts = field(default_factory=Alerts)
    logs: LogGroups = field(default_factory=LogGroups)
    traces: Traces = field(default_factory=Traces)
    adapter: dict[tuple[str, str], Values] = field(default_factory=dict)
