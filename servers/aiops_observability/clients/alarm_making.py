"""Makes the reader of alarms from the settings: which sources there are. Called by `server.Wiring`."""

from aiops_observability.clients.alarm_alertmanager import AlertmanagerAlerts
from aiops_observability.clients.alarm_cloudwatch import CloudWatchAlarms
from aiops_observability.clients.alarm_detection import Detection
from aiops_observability.clients.alarm_guardduty import GuardDutyFindings
from aiops_observability.clients.alarm_http import AlertDoor
from aiops_observability.clients.alarm_reading import AlarmReader
from aiops_observability.clients.alarm_rules import FiringRules, Past
from aiops_observability.clients.alarm_source import AlarmSource
from aiops_observability.clients.alarm_topology import Topologist
from aiops_observability.models.alarms import Source
from aiops_observability.ports import Metrics
from aiops_shared.clock import Clock
from aiops_shared.kube.clusters import ClusterDirectory
from aiops_shared.settings import Settings


def make_alarms(
    settings: Settings, clusters: ClusterDirectory, metrics: Metrics, clock: Clock
) -> AlarmReader:
    """The reader. CloudWatch and GuardDuty are asked wherever AWS is reached, the rest as configured."""
    sources: dict[Source, AlarmSource] = {
        "cloudwatch": CloudWatchAlarms(clusters),
        "guardduty": GuardDutyFindings(clusters),
    }
    series = metrics if settings.metrics.prometheus_url or settings.metrics.amp_workspace else None
    if alerts := _alertmanager(settings, series):
        sources["alertmanager"] = alerts
    return AlarmReader(sources, Topologist(clusters, series), clock, Detection(clusters))


def _alertmanager(settings: Settings, metrics: Metrics | None) -> AlertmanagerAlerts | None:
    given, prometheus = settings.alerts, settings.metrics
    timeout_s = prometheus.timeout_s
    door = rules = past = None
    if given.alertmanager_url:
        door = AlertDoor(
            "Alertmanager",
            given.alertmanager_url,
            setting="AIOPS_ALERTS_ALERTMANAGER_URL",
            timeout_s=timeout_s,
            token_file=given.token_file,
        )
    if prometheus.prometheus_url:
        rules = FiringRules(
            AlertDoor(
                "Prometheus",
                prometheus.prometheus_url,
                setting="AIOPS_METRICS_PROMETHEUS_URL",
                timeout_s=timeout_s,
                token_file=prometheus.prometheus_token_file,
                ca_file=prometheus.prometheus_ca_file,
            )
        )
    if metrics is not None:
        past = Past(metrics, "prometheus" if prometheus.prometheus_url else "amp")
    return AlertmanagerAlerts(door, rules, past, prometheus.cluster_label) if door or rules else None
