"""What makes a workload fall when a node goes: one replica, budgets that block, no spread.

Some rules look at the objects of a file together: what is not in the file may be in the cluster, so its
absence is information, never a fault.
"""

from collections.abc import Iterator
from typing import Any

from aiops_eks.diagnosis.scanning.checking import Check, Hit, Scope
from aiops_eks.diagnosis.scanning.subjects import (
    Obj,
    Spot,
    container_spots,
    covers,
    labels_of,
    mapping,
    mappings,
    name_of,
    namespace_of,
    numbered,
    pod_spot,
)
from aiops_shared.results import Severity

_DOCS = "https://kubernetes.io/docs/"
_BUDGET = f"{_DOCS}tasks/run-application/configure-pdb/"
_REPLICATED = frozenset({"Deployment", "StatefulSet"})
_SELECTING = frozenset({*_REPLICATED, "DaemonSet", "ReplicaSet"})
_PRODUCTION = frozenset({"prod", "production", "prd", "live"})
_ENVIRONMENT = ("environment", "env", "stage", "app.kubernetes.io/environment")


def _count(spot: Spot) -> int | None:
    """Replicas that are wanted; None where an autoscaler of the file or nobody says."""
    found = mapping(spot.obj, "spec").get("replicas", 1)
    return found if isinstance(found, int) and not isinstance(found, bool) else None


def _pod_labels(obj: Obj) -> Obj:
    return labels_of(mapping(mapping(mapping(obj, "spec"), "template"), "metadata"))


def _scaled(spot: Spot) -> bool:
    for scaler in spot.file.of("HorizontalPodAutoscaler", namespace_of(spot.obj)):
        target = mapping(mapping(scaler, "spec"), "scaleTargetRef")
        if (target.get("kind"), target.get("name")) == (spot.kind, name_of(spot.obj)):
            return True
    return False


def _has_budget(spot: Spot) -> bool:
    labels = _pod_labels(spot.obj)
    budgets = spot.file.of("PodDisruptionBudget", namespace_of(spot.obj))
    return any(covers(mapping(mapping(one, "spec"), "selector"), labels) for one in budgets)


def alone(spot: Spot) -> Iterator[Hit]:
    """One replica: each drain and each rollout is an outage."""
    if spot.kind in _REPLICATED and _count(spot) == 1 and not _scaled(spot):
        yield Hit("spec.replicas", "one replica: every drain is an outage", fixable=False)


def no_budget(spot: Spot) -> Iterator[Hit]:
    """Several replicas that may all be evicted at once."""
    count = _count(spot)
    if spot.kind in _REPLICATED and count is not None and count > 1 and not _has_budget(spot):
        yield Hit("metadata.name", "no PodDisruptionBudget in this file covers it", fixable=False)


def blocking_budget(spot: Spot) -> Iterator[Hit]:
    """A budget that refuses every eviction: nodes cannot be drained."""
    if spot.kind != "PodDisruptionBudget":
        return
    spec = mapping(spot.obj, "spec")
    if str(spec.get("maxUnavailable")) in {"0", "0%"}:
        yield Hit("spec.maxUnavailable", "blocks every eviction: no node can be drained", fixable=False)
    least = spec.get("minAvailable")
    if least == "100%":
        yield Hit("spec.minAvailable", "blocks every eviction: no node can be drained", fixable=False)
    elif isinstance(least, int) and not isinstance(least, bool):
        counts = [count for one in _covered(spot, spec) if (count := _count(one)) is not None]
        if counts and least >= max(counts):
            says = f"minAvailable {least} of {max(counts)} replicas blocks every eviction"
            yield Hit("spec.minAvailable", says, fixable=False)


def _covered(spot: Spot, spec: Obj) -> Iterator[Spot]:
    for kind in sorted(_REPLICATED):
        for obj in spot.file.of(kind, namespace_of(spot.obj)):
            one = Spot(obj, file=spot.file)
            if covers(mapping(spec, "selector"), _pod_labels(obj)) and not _scaled(one):
                yield one


def _is_production(spot: Spot) -> bool:
    about = mapping(spot.obj, "metadata")
    words = {namespace_of(spot.obj), *(str(labels_of(about).get(key, "")) for key in _ENVIRONMENT)}
    return any(part in _PRODUCTION for word in words for part in word.lower().split("-"))


def unspread(spot: Spot) -> Iterator[Hit]:
    """Three replicas or more of production that may all land in one zone."""
    if spot.kind not in _REPLICATED or spot.pod is None or not _is_production(spot):
        return
    count = _count(spot)
    anti = mapping(mapping(spot.pod, "affinity"), "podAntiAffinity")
    if count is not None and count >= 3 and not mappings(spot.pod, "topologySpreadConstraints") and not anti:
        says = f"{count} replicas without topologySpreadConstraints: one zone may hold all"
        yield Hit(spot.at("topologySpreadConstraints"), says, fixable=False)


def blind_scaler(spot: Spot) -> Iterator[Hit]:
    """An autoscaler by utilisation of a workload without requests: it cannot compute anything."""
    if spot.kind != "HorizontalPodAutoscaler":
        return
    spec = mapping(spot.obj, "spec")
    target = mapping(spec, "scaleTargetRef")
    found = spot.file.named(str(target.get("kind")), namespace_of(spot.obj), target.get("name"))
    pod = pod_spot(found) if found is not None else None
    if pod is None:
        return
    for place, metric in numbered(spec, "metrics"):
        resource = mapping(metric, "resource")
        what = str(resource.get("name"))
        if mapping(resource, "target").get("type") == "Utilization" and _lacks(pod, what):
            says = f"scales by {what[:20]} utilisation, but a container requests none"
            yield Hit(f"spec.metrics[{place}].resource", says, fixable=False)


def _lacks(pod: Spot, what: str) -> bool:
    for one in container_spots(pod):
        sizes = mapping(one.container, "resources")
        if one.role == "containers" and not (
            mapping(sizes, "requests").get(what) or mapping(sizes, "limits").get(what)
        ):
            return True
    return False


def selector_mismatch(spot: Spot) -> Iterator[Hit]:
    """A selector that its own template does not meet: the API server refuses it."""
    if spot.kind not in _SELECTING:
        return
    selector = mapping(mapping(spot.obj, "spec"), "selector")
    if selector and not covers(selector, _pod_labels(spot.obj)):
        yield Hit("spec.selector", "does not select the template's own labels", fixable=False)


def selects_nothing(spot: Spot) -> Iterator[Hit]:
    """A Service beside workloads of its namespace, none of which it selects."""
    selector = mapping(mapping(spot.obj, "spec"), "selector")
    if spot.kind != "Service" or not selector:
        return
    namespace = namespace_of(spot.obj)
    beside = [obj for kind in sorted(_SELECTING) for obj in spot.file.of(kind, namespace)]
    pods = [labels_of(mapping(obj, "metadata")) for obj in spot.file.of("Pod", namespace)]
    labels = [*map(_pod_labels, beside), *pods]
    if labels and not any(covers({"matchLabels": selector}, one) for one in labels):
        yield Hit("spec.selector", "selects no workload of this file", fixable=False)


def missing(spot: Spot) -> Iterator[Hit]:
    """ConfigMaps, Secrets and accounts that a file's pods name and the file does not hold."""
    if len(spot.file.objects) < 2:
        return
    namespace = namespace_of(spot.obj)
    for kind, name, path in _named(spot):
        if name and spot.file.named(kind, namespace, name) is None:
            yield Hit(spot.at(path), f"{kind} {str(name)[:80]} is not in this file", fixable=False)


def _named(spot: Spot) -> Iterator[tuple[str, Any, str]]:
    pod = spot.pod or {}
    if (account := pod.get("serviceAccountName")) != "default":
        yield "ServiceAccount", account, "serviceAccountName"
    for place, volume in numbered(pod, "volumes"):
        yield "ConfigMap", mapping(volume, "configMap").get("name"), f"volumes[{place}].configMap"
        yield "Secret", mapping(volume, "secret").get("secretName"), f"volumes[{place}].secret"
    for one in container_spots(spot):
        inside = one.path.removeprefix(f"{spot.path}.")
        for place, source in numbered(one.container, "envFrom"):
            yield "ConfigMap", mapping(source, "configMapRef").get("name"), f"{inside}.envFrom[{place}]"
            yield "Secret", mapping(source, "secretRef").get("name"), f"{inside}.envFrom[{place}]"
        for place, variable in numbered(one.container, "env"):
            origin = mapping(variable, "valueFrom")
            yield "ConfigMap", mapping(origin, "configMapKeyRef").get("name"), f"{inside}.env[{place}]"
            yield "Secret", mapping(origin, "secretKeyRef").get("name"), f"{inside}.env[{place}]"


def _c(rule: str, severity: Severity, fix: str, source: str, look: Any, scope: Scope = "object") -> Check:
    return Check(rule, severity, "practice", scope, fix, source, look)


_SPREAD = f"{_DOCS}concepts/scheduling-eviction/topology-spread-constraints/"
_HPA = f"{_DOCS}tasks/run-application/horizontal-pod-autoscale/"
_LABELS = f"{_DOCS}concepts/overview/working-with-objects/labels/"
CHECKS = (
    _c("selector-mismatch", "high", "make selector and template labels equal", _LABELS, selector_mismatch),
    _c("budget-blocks", "medium", "leave room for one eviction", _BUDGET, blocking_budget),
    _c("hpa-without-requests", "medium", "set the request", _HPA, blind_scaler),
    _c("no-spread", "medium", "spread over topology.kubernetes.io/zone", _SPREAD, unspread, "pod"),
    _c("single-replica", "info", "run two or more, with a budget", _BUDGET, alone),
    _c("no-budget", "info", "add a PodDisruptionBudget", _BUDGET, no_budget),
    _c("selects-nothing", "info", "compare selector and labels", _LABELS, selects_nothing),
    _c("missing-reference", "info", "make sure that the cluster has it", _LABELS, missing, "pod"),
)
