"""A HorizontalPodAutoscaler from traffic: what the nights need, what the peak needs (F12, F14)."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor
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
OVER_LATENCY: Final = 1.25
LEAST_HOURS: Final = 72


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


@dataclass(frozen=True, slots=True)
class Objective:
    """The latency that a service keeps: 99 % of requests within so many seconds."""

    p99_s: float
    source: Source
    why: str


def objective(slow: Hourly) -> Objective:
    """From the service's own past: the p99 of its worst hours with a quarter on top, in whole 10 ms."""
    worst = quantile(slow.values, 0.99)
    limit = ceil(worst * OVER_LATENCY * 100 - 1e-9) / 100
    why = f"p99 of the hourly p99 {worst * 1000:.4g} ms x {OVER_LATENCY}, up to 10 ms"
    return Objective(limit, slow.source("p99 of hourly p99"), why)


def at_objective(traffic: Hourly, held: Hourly, slow: Hourly, goal: Objective) -> Capacity | None:
    """Requests a second per pod in the hours that kept the objective; None where pods were not counted."""
    pods, late = (
        dict(zip(held.times, held.values, strict=True)),
        dict(zip(slow.times, slow.values, strict=True)),
    )
    kept = [
        value / pods[at]
        for at, value in zip(traffic.times, traffic.values, strict=True)
        if pods.get(at, 0) >= 1 and late.get(at, goal.p99_s + 1) <= goal.p99_s
    ]
    if len(kept) < LEAST_HOURS:
        return None
    per_pod = floor(quantile(kept, 0.95))
    why = f"requests/s over replicas in {len(kept)} hours with p99 <= {goal.p99_s * 1000:.4g} ms"
    return Capacity(
        float(max(1, per_pod)), Source("requests_total over replicas", traffic.window, "p95"), why
    )


def mean(values: Sequence[float]) -> float:
    """The mean, 0 of nothing."""
    return sum(values) / len(values) if values else 0.0


def night_hours(traffic: Hourly) -> tuple[int, ...]:
    """The quietest hours of the day in a row, by their medians."""
    by_hour: dict[int, list[float]] = {}
    for at, value in zip(traffic.times, traffic.values, strict=True):
        by_hour.setdefault(at.hour, []).append(value)
    levels = {hour: median(values) for hour, values in by_hour.items()}
    rows = [[(first + more) % 24 for more in range(NIGHT_H)] for first in range(24)]
    whole = [row for row in rows if all(hour in levels for hour in row)]
    return tuple(min(whole, key=lambda row: sum(levels[hour] for hour in row), default=()))


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
    said = f"{hours[0]} to {(hours[-1] + 1) % 24} h UTC" if hours else "no night"
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


def _metric(workload: Workload, capacity: Capacity, reasons: Reasons) -> dict[str, Any]:
    """Requests per pod where the one that stands has them, else CPU utilisation."""
    scaler = workload.scaler
    if scaler and scaler.per_pod:
        value = reasons.of(f"{capacity.per_pod:g}", capacity.source, f"averageValue: {capacity.why}")
        aim = {"type": "AverageValue", "averageValue": value}
        return {"type": "Pods", "pods": {"metric": {"name": scaler.metric}, "target": aim}}
    target = reasons.rule_whole(round(TARGET * 100), "averageUtilization: docs/generated-config.md")
    use = {"type": "Utilization", "averageUtilization": target}
    return {"type": "Resource", "resource": {"name": "cpu", "target": use}}


def autoscaler(workload: Workload, traffic: Hourly, capacity: Capacity, reasons: Reasons) -> Draft:
    """The autoscaler; its name is that of the one that stands."""
    path = reasons.file = f"{workload.name}/hpa.yaml"
    least, most = bounds(traffic, capacity, reasons)
    reasons.of(f"{capacity.per_pod:.4g}", capacity.source, f"a pod's capacity: {capacity.why}")
    wait = reasons.rule_whole(STABLE_S, "scaleDown window: Kubernetes' default, written down")
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
            "metrics": [_metric(workload, capacity, reasons)],
            "behavior": {"scaleDown": {"stabilizationWindowSeconds": wait}},
        },
    )
    return Draft(path, "hpa", written(made))
