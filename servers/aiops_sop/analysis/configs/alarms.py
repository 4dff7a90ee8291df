"""Alarms from what was measured (F14, B10): bands, and burn of the error budget over two windows.

Multi-window burn rates and their factors are those of the SRE Workbook (chapter 5, "Alerting on SLOs"): 14.4
over 1 h and 5 m spends 2 % of a month's budget, 6 over 6 h and 30 m 5 %, 3 over 1 d and 2 h 10 %, 1 over 3 d
and 6 h 10 %. The rules file is Prometheus' own form, which Amazon Managed Prometheus takes too.
"""

from dataclasses import dataclass
from typing import Any, Final

import yaml

from aiops_sop.analysis.configs.documents import Draft, Obj, manifest, written
from aiops_sop.analysis.configs.facts import Hourly, Used, Workload
from aiops_sop.analysis.configs.reasons import Reasons, Source
from aiops_sop.analysis.configs.scaling import Objective, quantile

TARGETS: Final = (99.99, 99.95, 99.9, 99.5, 99.0)  # percent of requests without an error
SPENT: Final = 0.5  # of the budget that the past may have used for a target to be kept
BURNS: Final = (
    (14.4, "1h", "5m", "page"),
    (6.0, "6h", "30m", "page"),
    (3.0, "1d", "2h", "ticket"),
    (1.0, "3d", "6h", "ticket"),
)
OVER_MOST: Final = 1.25
UNDER_LEAST: Final = 0.5
NEAR_LIMIT: Final = 90  # percent of the memory limit
WORKBOOK: Final = "SRE Workbook, chapter 5"


@dataclass(frozen=True, slots=True)
class Served:
    """What the service did: traffic by the hour, its failures, its latency objective."""

    traffic: Hourly
    errors: Used
    goal: Objective


def target_of(errors: Used) -> float:
    """The strictest target, percent, of which the past used at most half the budget."""
    return next((one for one in TARGETS if (1 - one / 100) * SPENT >= errors.mean - 1e-9), TARGETS[-1])


def rules(workload: Workload, served: Served, reasons: Reasons, *, operator: bool) -> Draft:
    """Prometheus rules: as a PrometheusRule where its operator is, else as a rules file."""
    path = reasons.file = f"{workload.name}/alarms-rules.yaml"
    alerts = [*_burns(workload, served, reasons), *_bands(workload, served, reasons)]
    groups = [{"name": f"{workload.namespace}-{workload.name}", "rules": alerts}]
    if operator:
        made = manifest("PrometheusRule", workload.namespace, f"{workload.name}-slo", spec={"groups": groups})
        return Draft(path, "alarms", written(made))
    return Draft(path, "alarms", written({"groups": groups}), sent=False)


def _burns(workload: Workload, served: Served, reasons: Reasons) -> list[Obj]:
    target = target_of(served.errors)
    budget = round(1 - target / 100, 6)
    why = f"target {target:g} %: the past used {served.errors.mean / budget:.0%} of its budget"
    alerts = []
    for factor, long, short, severity in BURNS:
        reasons.rule(f"{factor:g}", f"burn rate: {WORKBOOK}")
        for window in (long, short):
            reasons.rule(window, f"window of burn {factor:g}: {WORKBOOK}")
        limit = reasons.of(f"{budget * factor:.6g}", served.errors.source("mean"), f"{why}, x {factor:g}")
        reasons.rule("5", "status 5xx is a failure")
        both = " and ".join(f"({_failed(workload, window)}) > {limit}" for window in (long, short))
        alerts.append(_alert(workload, f"BudgetBurn{long}", both, severity, reasons))
    reasons.of(f"{target:g}", served.errors.source("mean"), why)
    fast = f'ALERTS{{alertname=~"{workload.name}-BudgetBurn.*",severity="page",alertstate="firing"}}'
    words = f"max by (namespace) ({fast}) or max by (namespace) ({fast.replace('page', 'ticket')})"
    return [*alerts, _alert(workload, "BudgetComposite", words, "page", reasons)]


def _failed(workload: Workload, window: str) -> str:
    chosen = f'namespace="{workload.namespace}",service="{workload.name}"'
    bad = f'sum(rate(http_requests_total{{{chosen},status=~"5.."}}[{window}]))'
    return f"{bad} / sum(rate(http_requests_total{{{chosen}}}[{window}]))"


def _bands(workload: Workload, served: Served, reasons: Reasons) -> list[Obj]:
    chosen = f'namespace="{workload.namespace}",service="{workload.name}"'
    traffic, goal = served.traffic, served.goal
    high = reasons.of(
        f"{max(traffic.values) * OVER_MOST:.4g}", traffic.source("max"), f"traffic band: max x {OVER_MOST}"
    )
    low = reasons.of(
        f"{quantile(traffic.values, 0.05) * UNDER_LEAST:.4g}",
        traffic.source("p05"),
        f"traffic band: p05 x {UNDER_LEAST}",
    )
    slow = reasons.of(f"{goal.p99_s:g}", goal.source, f"latency: {goal.why}")
    reasons.rule("0.99", "the percentile of the objective")
    reasons.rule("5m", "window of a rate: five scrapes")
    rate = f"sum(rate(http_requests_total{{{chosen}}}[5m]))"
    late = (
        f"histogram_quantile(0.99, sum by (le) (rate(http_request_duration_seconds_bucket{{{chosen}}}[5m])))"
    )
    return [
        _alert(workload, "LatencyHigh", f"{late} > {slow}", "page", reasons, "10m"),
        _alert(workload, "TrafficAboveBand", f"{rate} > {high}", "ticket", reasons, "10m"),
        _alert(workload, "TrafficBelowBand", f"{rate} < {low}", "page", reasons, "10m"),
    ]


def _alert(
    workload: Workload, name: str, expr: str, severity: str, reasons: Reasons, lasts: str = "2m"
) -> Obj:
    wait = reasons.rule(lasts, "for: longer than one missed scrape, shorter than the short window")
    labels = {"severity": severity, "service": workload.name, "namespace": workload.namespace}
    return {"alert": f"{workload.name}-{name}", "expr": expr, "for": wait, "labels": labels}


def metric_alarms(workload: Workload, memory: Used, reasons: Reasons, *, ack: bool) -> list[Draft]:
    """CloudWatch alarms of Container Insights and their composite: ACK objects, else a CloudFormation file.

    ACK has no composite alarm, so that one is CloudFormation's either way.
    """
    full, restarts = f"{workload.name}-memory-near-limit", f"{workload.name}-restarts"
    dimensions = {
        "ClusterName": workload.cluster or "CLUSTER",
        "Namespace": workload.namespace,
        "PodName": workload.name,
    }
    if ack:
        drafts = []
        for name, word in ((full, "memory"), (restarts, "restarts")):
            path = reasons.file = f"{workload.name}/alarms-{word}.yaml"
            spec = _alarm(name, word, dimensions, memory, reasons)
            body = {key[0].lower() + key[1:]: value for key, value in spec.items()}
            body["name"] = body.pop("alarmName")
            body["dimensions"] = [{"name": one["Name"], "value": one["Value"]} for one in spec["Dimensions"]]
            made = manifest("MetricAlarm", workload.namespace, name, spec=body)
            drafts.append(Draft(path, "alarms", written(made), dialect="ack"))
        return [*drafts, _composite(workload, (full, restarts), {}, reasons)]
    path = reasons.file = f"{workload.name}/alarms-cloudwatch.yaml"
    alarms = {
        "MemoryNearLimit": _alarm(full, "memory", dimensions, memory, reasons),
        "Restarts": _alarm(restarts, "restarts", dimensions, memory, reasons),
    }
    return [_composite(workload, (full, restarts), alarms, reasons)]


def _alarm(
    name: str, word: str, dimensions: dict[str, str], memory: Used, reasons: Reasons
) -> dict[str, Any]:
    metrics = {
        "memory": ("pod_memory_utilization_over_pod_limit", "Maximum", 3),
        "restarts": ("pod_number_of_container_restarts", "Sum", 1),
    }
    metric, statistic, times = metrics[word]
    if word == "memory":
        source = Source(memory.metric, memory.window, "p99")
        why = f"percent of the limit; p99 is {memory.p99 / 2**20:.0f} MiB"
        threshold = reasons.whole(NEAR_LIMIT, source, why)
    else:
        threshold = reasons.rule_whole(3, "restarts in one period: more than a rollout's")
    return {
        "AlarmName": name,
        "Namespace": "ContainerInsights",
        "MetricName": metric,
        "Dimensions": [{"Name": key, "Value": value} for key, value in dimensions.items()],
        "Statistic": statistic,
        "Period": reasons.rule_whole(300, "period: five minutes"),
        "EvaluationPeriods": reasons.rule_whole(times, "periods that must agree"),
        "Threshold": threshold,
        "ComparisonOperator": "GreaterThanThreshold",
        "TreatMissingData": "notBreaching",
    }


def _composite(workload: Workload, names: tuple[str, ...], alarms: dict[str, Any], reasons: Reasons) -> Draft:
    path = reasons.file = f"{workload.name}/alarms-cloudwatch.yaml"
    rule = " OR ".join(f'ALARM("{name}")' for name in names)
    resources: dict[str, Any] = {
        name: {"Type": "AWS::CloudWatch::Alarm", "Properties": body} for name, body in alarms.items()
    }
    resources["Saturated"] = {
        "Type": "AWS::CloudWatch::CompositeAlarm",
        "Properties": {"AlarmName": f"{workload.name}-saturated", "AlarmRule": rule},
        **({"DependsOn": list(alarms)} if alarms else {}),
    }
    return Draft(
        path, "alarms", yaml.safe_dump({"Resources": resources}, sort_keys=False, width=100), sent=False
    )
