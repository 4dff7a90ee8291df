"""F20: a day of five hundred alerts.

Six incidents that climb a service graph, thirty firings each; four alarms that flap, two of CloudWatch;
twenty alerts that each of three clusters tells; forty that have been firing for days. Names, services,
times and order hang on the seed; the counts are the page's. `storm` tells tests what is what.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from random import Random

from aiops_lab.scenarios.alarm_stories import DAY_S, HOME, HOUR_S, MIN_S, MONTH_S, insights_alarm, prefix
from aiops_lab.scenarios.base import Scenario, Stage
from aiops_lab.scenarios.names import Names
from aiops_lab.telemetry.alarms import StoredAlarm, told_alarm
from aiops_lab.telemetry.alerts import StoredAlert, emit
from aiops_lab.telemetry.signals import Array, Signal, counted


@dataclass(frozen=True, slots=True)
class Storm:
    """F20's firings by what they are; each alert may fire several times."""

    incidents: tuple[tuple[StoredAlert, ...], ...]
    flapping: tuple[StoredAlert, ...]
    duplicates: tuple[StoredAlert, ...]
    stale: tuple[StoredAlert, ...]
    flapping_alarms: tuple[StoredAlarm, ...] = ()
    stale_alarms: tuple[StoredAlarm, ...] = ()
    calls: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def first(self) -> tuple[StoredAlert, ...]:
        """The alert that begins each incident."""
        return tuple(min(one, key=lambda alert: alert.spans[0][0]) for one in self.incidents)

    @property
    def alerts(self) -> tuple[StoredAlert, ...]:
        """All that Prometheus and Alertmanager know."""
        return (
            *(one for each in self.incidents for one in each),
            *self.flapping,
            *self.duplicates,
            *self.stale,
        )


INCIDENTS, OF_INCIDENT, FLAPS, TWICE, STALE = 6, 30, 55, 20, 40
_CLIMBING = ("HighErrorRate", "HighLatency", "SLOBurnRateFast")
_REPEATED = ("QueueBacklog", "ConnectionPoolExhausted", "RetryStorm")
_OWN = ("PodCrashLooping", "ContainerOOMKilled", "ReplicasUnavailable", "HighMemoryUsage")
_SEVERITY = {"SLOBurnRateFast": "critical", "PodCrashLooping": "critical", "HighErrorRate": "critical"}
_EVERYWHERE = (
    "CoreDNSErrorsHigh", "KubeProxyDown", "NodeExporterMissing", "CertificateExpiresSoon",
    "ImagePullFailures", "WebhookLatency", "EtcdObjectCount", "LogShipperBacklog", "ClockSkew",
    "DaemonSetNotScheduled",
)  # fmt: skip
_OLD = ("PersistentVolumeFillingUp", "DeprecatedApiUsed", "JobFailed", "CertificateExpiresSoon", "TargetDown")


def storm(t0_s: float, names: Names, cluster: str) -> Storm:
    """The day before `t0_s`."""
    rng = Random(f"storm/{names.seed}")
    calls = _graph(names)
    began = _beginnings(rng)
    roots = _roots(calls, rng)
    incidents = tuple(
        tuple(_incident(t0_s - before_s, root, calls, cluster, rng))
        for before_s, root in zip(began, roots, strict=True)
    )
    clusters = (cluster, f"{names.others[20]}-cluster", f"{names.others[21]}-cluster")
    return Storm(
        incidents,
        tuple(_flapping_alerts(t0_s, names, cluster, rng)),
        tuple(_copies(t0_s, clusters, rng)),
        tuple(_stale_alerts(t0_s, names, cluster, rng)),
        tuple(_flapping_alarms(t0_s, names, cluster, rng)),
        tuple(_stale_alarms(t0_s, names, cluster, rng)),
        calls,
    )


def _graph(names: Names) -> dict[str, tuple[str, ...]]:
    """Six columns of services that end in one front: incidents of two columns share no caller but it."""
    found: dict[str, tuple[str, ...]] = {}
    subjects = names.others[:24]
    for column in range(6):
        chain = subjects[column * 4 : column * 4 + 4]  # caller, caller, caller, root
        for caller, callee in pairwise(chain):
            found[caller] = (callee,)
    return found


def _roots(calls: Mapping[str, tuple[str, ...]], rng: Random) -> list[str]:
    ends = [callee for callees in calls.values() for callee in callees if callee not in calls]
    rng.shuffle(ends)
    return ends


def _beginnings(rng: Random) -> list[float]:
    """Seconds before T0: every three to four hours; the fourth begins a few minutes after the third."""
    slots = [22.5, 18.5, 14.0, 14.0, 9.0, 3.0]
    found = [slot * HOUR_S + rng.uniform(-20, 20) * MIN_S for slot in slots]
    found[3] = found[2] - rng.uniform(2, 5) * MIN_S
    return found


def _incident(
    at_s: float, root: str, calls: Mapping[str, tuple[str, ...]], cluster: str, rng: Random
) -> Iterator[StoredAlert]:
    """Thirty firings: what the root shows itself, its callers' errors one after another, repeats."""
    lasts_s = rng.uniform(35, 55) * MIN_S
    chain = _callers(root, calls)
    left = OF_INCIDENT
    for number, rule in enumerate(_OWN):
        for pod in range(3 if rule == "PodCrashLooping" else 1):
            labels = _labels(
                cluster, rule, root, pod=f"{root}-7d9f8b6c5d-{_suffix(rng)}" if number == 0 else ""
            )
            start_s = at_s if (number, pod) == (0, 0) else at_s + rng.uniform(20, 200)
            yield _alert(labels, [(start_s, at_s + lasts_s)])
            left -= 1
    for hop, name in enumerate(chain):
        for rule in _CLIMBING:
            start_s = at_s + (60 + hop * 120 + rng.uniform(0, 150))
            yield _alert(_labels(cluster, rule, name), [(start_s, at_s + lasts_s)])
            left -= 1
    for rule in _REPEATED:
        start_s = at_s + rng.uniform(5, 9) * MIN_S
        starts = [start_s + place * 11 * MIN_S for place in range(left // len(_REPEATED))]
        yield _alert(_labels(cluster, rule, root), [(one, one + 4 * MIN_S) for one in starts])


def _callers(root: str, calls: Mapping[str, tuple[str, ...]]) -> list[str]:
    """The root, who calls it, who calls those."""
    found, edge = [root], [root]
    while edge:
        edge = [one for one, callees in calls.items() if any(each in callees for each in edge)]
        found += edge
    return found


def _suffix(rng: Random) -> str:
    return "".join(rng.choices("bcdfghjklmnpqrstvwxz2456789", k=5))


def _labels(
    cluster: str, rule: str, workload: str, *, pod: str = "", namespace: str = HOME
) -> dict[str, str]:
    found = {
        "alertname": rule,
        "cluster": cluster,
        "namespace": namespace,
        "service": workload,
        "pod": pod,
        "severity": _SEVERITY.get(rule, "warning"),
    }
    return {name: value for name, value in found.items() if value}


def _alert(
    labels: Mapping[str, str], spans: Sequence[tuple[float, float | None]], value: float = 1.0
) -> StoredAlert:
    notes = {"summary": f"{labels['alertname']} on {labels.get('service', 'the cluster')}"}
    expression = f"{labels['alertname'].lower()} > 0.5"
    return StoredAlert(dict(labels), tuple(spans), notes, value=value, expression=expression)


def _flap_times(t0_s: float, rng: Random) -> list[tuple[float, float]]:
    """Fifty-five firings of a day: every 26 minutes, a few minutes each, over before T0."""
    step_s = (DAY_S - 40 * MIN_S) / FLAPS
    first = t0_s - DAY_S + 15 * MIN_S
    starts = [first + place * step_s + rng.uniform(0, 8) * MIN_S for place in range(FLAPS)]
    return [(start_s, start_s + rng.uniform(3, 7) * MIN_S) for start_s in starts]


def _flapping_alerts(t0_s: float, names: Names, cluster: str, rng: Random) -> Iterator[StoredAlert]:
    for rule, name in (("CPUThrottlingHigh", names.others[24]), ("ProbeFlaky", names.others[25])):
        yield _alert(_labels(cluster, rule, name, namespace="staging"), _flap_times(t0_s, rng))


def _flapping_alarms(t0_s: float, names: Names, cluster: str, rng: Random) -> Iterator[StoredAlarm]:
    for place, metric in enumerate(("pod_cpu_utilization", "pod_network_rx_bytes")):
        name = names.others[22 + place]
        dimensions = {"ClusterName": cluster, "Namespace": "dev", "PodName": name}
        alarm = insights_alarm(f"{prefix(names)}-{name}-{metric}", metric, dimensions, t0_s, above=70.0)
        told = [(t0_s - MONTH_S, "OK")]
        for start_s, end_s in _flap_times(t0_s, rng):
            told += [(start_s, "ALARM"), (end_s, "OK")]
        yield told_alarm(alarm, told)


def _copies(t0_s: float, clusters: Sequence[str], rng: Random) -> Iterator[StoredAlert]:
    """Twenty alerts, each told by three clusters within a few minutes, all over the day."""
    for place in range(TWICE):
        start_s = t0_s - DAY_S + (30 + place * 68 + rng.uniform(0, 20)) * MIN_S
        rule = _EVERYWHERE[place % len(_EVERYWHERE)]
        space = ("kube-system", "monitoring")[place // len(_EVERYWHERE)]
        for cluster in clusters:
            from_s = start_s + rng.uniform(0, 3) * MIN_S
            labels = _labels(cluster, rule, rule.lower(), namespace=space)
            yield _alert(labels, [(from_s, from_s + rng.uniform(10, 20) * MIN_S)])


def _stale_alerts(t0_s: float, names: Names, cluster: str, rng: Random) -> Iterator[StoredAlert]:
    for place in range(STALE - 15):
        labels = _labels(cluster, _OLD[place % len(_OLD)], names.others[place], namespace="dev")
        yield _alert(labels, [(t0_s - rng.uniform(2, 9) * DAY_S, None)])


def _stale_alarms(t0_s: float, names: Names, cluster: str, rng: Random) -> Iterator[StoredAlarm]:
    for place in range(15):
        name = names.others[place]
        dimensions = {"ClusterName": cluster, "Namespace": "dev", "PodName": name}
        metric = "pod_memory_utilization"
        alarm = insights_alarm(f"{prefix(names)}-{name}-old", metric, dimensions, t0_s, above=1.0)
        yield told_alarm(alarm, [(t0_s - rng.uniform(2, 9) * DAY_S, "ALARM")])


def _alert_storm(stage: Stage, names: Names, rng: Random) -> None:
    del rng
    told = storm(stage.telemetry.t0_s, names, stage.aws.cluster)
    emit(stage.telemetry, *told.alerts)
    stage.telemetry.alarms.put(*told.flapping_alarms, *told.stale_alarms)
    since_s = stage.telemetry.t0_s - 2 * DAY_S
    for client, servers in told.calls.items():
        for server in servers:
            labels = {"client": client, "server": server, "connection_type": ""}
            signal = Signal(
                "traces_service_graph_request_total", labels, counted(_steady, since_s), "counter", since_s
            )
            stage.telemetry.signals.add(signal)


def _steady(times_s: Array) -> Array:
    return 0.0 * times_s + 4.0


SCENARIOS = (
    Scenario(
        "alert-storm",
        "Five hundred alerts in a day, six incidents among them",
        "Six incidents of thirty alerts each, four alarms that flap, twenty alerts that three clusters tell, "
        "forty that have fired for days.",
        "F20",
        _alert_storm,
    ),
)
