"""A HorizontalPodAutoscaler from traffic: what the nights need, what the peak needs (F12, F14)."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from statistics import median
from typing import Any, Final

from aiops_shared.kube.sizes import cores
from aiops_sop.analysis.configs.documents import Draft, manifest, written
from aiops_sop.analysis.configs.facts import Hourly, Used, Workload
from aiops_sop.analysis.configs.reasons import Reasons, Source

TARGET: Final = 0.70  # of the request
OVER_PEAK: Final = 1.5
LEAST_PODS: Final = 2  # one may go at any time: a node, a rollout
NIGHT_H: Final = 6
STABLE_S: Final = 300


@dataclass(frozen=True, slots=True)
class Capacity:
    """What one pod serves: requests a second, and how that is known."""

    per_pod: float
    source: Source
    why: str


def by_cpu(traffic: Hourly, cpu: Used, request: float) -> Capacity | None:
    """A pod at the CPU target: its share of the request over what one request costs."""
    rate = mean(traffic.values)
    burnt = cpu.mean * cpu.pods
    if rate <= 0 or burnt <= 0:
        return None
    each = burnt / rate
    why = (
        f"{cores(request)} x {TARGET:g} / ({burnt:.3g} cores / {rate:.3g} requests/s)"
        f" = {request * TARGET / each:.3g} requests/s a pod"
    )
    return Capacity(request * TARGET / each, Source("cpu over requests", traffic.window, "mean"), why)


def mean(values: Sequence[float]) -> float:
    """The mean, 0 of nothing."""
    return sum(values) / len(values) if values else 0.0


def night_hours(traffic: Hourly) -> tuple[int, ...]:
    """The quietest hours of the day, by their medians, in order."""
    by_hour: dict[int, list[float]] = {}
    for at, value in zip(traffic.times, traffic.values, strict=True):
        by_hour.setdefault(at.hour, []).append(value)
    quiet = sorted(by_hour, key=lambda hour: median(by_hour[hour]))[:NIGHT_H]
    return tuple(sorted(quiet))


def quantile(values: Sequence[float], share: float) -> float:
    """The observed value that `share` of the values do not exceed (nearest rank)."""
    seen = sorted(values)
    return seen[max(0, ceil(share * len(seen) - 1e-9) - 1)] if seen else 0.0


def bounds(traffic: Hourly, capacity: Capacity, reasons: Reasons) -> tuple[int, int]:
    """Least and most replicas."""
    hours = night_hours(traffic)
    night = [value for at, value in zip(traffic.times, traffic.values, strict=True) if at.hour in set(hours)]
    quiet, peak = quantile(night, 0.95), max(traffic.values, default=0.0)
    least = max(LEAST_PODS, ceil(quiet / capacity.per_pod - 1e-9))
    most = max(least + 1, ceil(OVER_PEAK * peak / capacity.per_pod - 1e-9))
    said = f"hours {', '.join(str(one) for one in hours)} UTC"
    reasons.whole(
        least,
        traffic.source(f"p95 of the quietest {NIGHT_H} hours"),
        f"minReplicas: max({LEAST_PODS}, {quiet:.4g} requests/s ({said}) / {capacity.per_pod:.4g})",
    )
    reasons.whole(
        most,
        traffic.source("max"),
        f"maxReplicas: {OVER_PEAK} x peak {peak:.4g} requests/s / {capacity.per_pod:.4g}",
    )
    return least, most


def autoscaler(workload: Workload, traffic: Hourly, capacity: Capacity, reasons: Reasons) -> Draft:
    """The autoscaler on CPU utilisation; its name is that of the one that stands."""
    path = reasons.file = f"{workload.name}/hpa.yaml"
    least, most = bounds(traffic, capacity, reasons)
    reasons.of(f"{capacity.per_pod:.4g}", capacity.source, f"a pod's capacity: {capacity.why}")
    target = reasons.rule_whole(round(TARGET * 100), "averageUtilization: docs/generated-config.md")
    wait = reasons.rule_whole(STABLE_S, "scaleDown window: Kubernetes' default, written down")
    metric: dict[str, Any] = {
        "type": "Resource",
        "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": target}},
    }
    name = workload.scaler.name if workload.scaler else workload.name
    version = "apps/v1"
    made = manifest(
        "HorizontalPodAutoscaler",
        workload.namespace,
        name,
        spec={
            "scaleTargetRef": {"apiVersion": version, "kind": workload.kind, "name": workload.name},
            "minReplicas": least,
            "maxReplicas": most,
            "metrics": [metric],
            "behavior": {"scaleDown": {"stabilizationWindowSeconds": wait}},
        },
    )
    return Draft(path, "hpa", written(made))
