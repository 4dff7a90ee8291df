"""What watches a mature account: alarms with thresholds, anomaly detectors, DevOps Guru (F18)."""

from aiops_lab.aws.account import CLUSTER
from aiops_lab.aws.devopsguru import DevOpsGuru
from aiops_lab.scenarios.base import Stage
from aiops_lab.scenarios.names import Names
from aiops_lab.telemetry.alarms import OK, StoredDetector, metric_alarm, told_alarm

ALARMS, DETECTORS, RESOURCES = 12, 6, 40
DAY_S = 86_400.0
_WATCHED = ("pod_cpu_utilization", "pod_memory_utilization", "pod_number_of_container_restarts")


def alarmed(stage: Stage, names: Names, number: int = ALARMS) -> None:
    """Alarms that are calm."""
    born_s = stage.telemetry.t0_s - 20 * DAY_S
    workloads = (names.api, names.worker, *names.others)
    for place in range(number):
        metric = _WATCHED[place % len(_WATCHED)]
        who = workloads[place % len(workloads)]
        like = metric_alarm(
            f"{who}-{metric.replace('_', '-')}-{place}",
            f"ContainerInsights/{metric}",
            {"ClusterName": CLUSTER, "Namespace": "production", "PodName": who},
            above=90.0,
            period_s=300,
            created_s=born_s,
        )
        stage.telemetry.alarms.put(told_alarm(like, [(born_s + 600, OK)]))


def detected(stage: Stage, names: Names, number: int = DETECTORS) -> None:
    """Anomaly detectors of CloudWatch, and DevOps Guru that analyses resources."""
    alarms = stage.telemetry.alarms
    workloads = (names.api, names.worker, *names.others)
    for place in range(number):
        who = workloads[place % len(workloads)]
        metric = {
            "Namespace": "ContainerInsights",
            "MetricName": _WATCHED[place % len(_WATCHED)],
            "Dimensions": [{"Name": "ClusterName", "Value": CLUSTER}, {"Name": "PodName", "Value": who}],
            "Stat": "Average",
        }
        key = f"detector-{place}"
        spec = {"SingleMetricAnomalyDetector": metric}
        alarms.detectors = alarms.detectors | {
            key: StoredDetector(key, spec, stage.telemetry.t0_s - 15 * DAY_S)
        }
    stage.aws.area(DevOpsGuru).resources = RESOURCES
