"""Autoscalers that cannot scale, may not scale any further, or work against each other.

A HorizontalPodAutoscaler says in its conditions what keeps it from scaling. What stands behind it is told
apart by its words: the target, the pods' requests, the metrics API (whose own finding explains it), or pods
that are not ready (whose finding explains it). Scaled to zero, or a few minutes old, it is fine. No finding
here touches the target itself: what is wrong with an autoscaler explains no broken pod.
Source: `pkg/controller/podautoscaler/horizontal.go`, `replica_calculator.go`.
"""

import re
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher

from aiops_eks.diagnosis.evidence import condition_evidence, stated
from aiops_eks.diagnosis.facts import Facts
from aiops_eks.diagnosis.findings import Cause, Told, WorldRule
from aiops_eks.diagnosis.further.workloads import Autoscaler, Metric, VerticalAutoscaler
from aiops_eks.diagnosis.objects import Condition, Ref
from aiops_eks.diagnosis.quoting import plain_name
from aiops_shared.results import Evidence

SETTLED_S = 300.0  # a new target, or pods that have just started, have no metrics yet
AT_MAX_S = 600.0  # a peak that is over sooner is what an autoscaler is for
TOLERANCE = 1.1  # `--horizontal-pod-autoscaler-tolerance`
SOURCE = "pkg/controller/podautoscaler/horizontal.go"
_UNREQUESTED = re.compile(r"missing request for ([\w./-]{1,63}) in container ([a-z0-9-]{1,63}) of Pod")
_UNSERVED = re.compile(
    r"unable to fetch metrics from (resource|custom|external) metrics API"
    r"|could not find the requested resource|currently unable to handle the request"
)
_YOUNG_PODS = re.compile(
    r"no metrics returned from resource metrics API|pods might be unready|no pods returned"
)
_APIS = {
    "resource": "v1beta1.metrics.k8s.io",
    "custom": "v1beta1.custom.metrics.k8s.io",
    "external": "v1beta1.external.metrics.k8s.io",
}
HPA_TARGET_MISSING = Cause(
    code="HPA_TARGET_MISSING",
    severity="high",
    means="A HorizontalPodAutoscaler scales an object that does not exist or cannot be scaled.",
    told_by="Condition AbleToScale is False with FailedGetScale, and no workload has the target's kind and "
    "name. A target that is scaled to zero says ScalingDisabled and is no finding.",
    source=SOURCE,
    next_step="correct spec.scaleTargetRef with plan_manifest(action=apply), or delete the autoscaler",
)
HPA_REQUESTS_MISSING = Cause(
    code="HPA_REQUESTS_MISSING",
    severity="medium",
    means="A workload's container requests nothing of what its autoscaler measures in percent of requests.",
    told_by="FailedGetResourceMetric with `missing request for cpu in container x`. When the metrics API is "
    "down, that one is the finding.",
    source="pkg/controller/podautoscaler/replica_calculator.go",
    next_step="set the request with plan_workload_change, or aim at an averageValue",
)
HPA_NO_METRICS = Cause(
    code="HPA_NO_METRICS",
    severity="medium",
    means="A HorizontalPodAutoscaler gets no metrics, so it does not scale.",
    told_by="Condition ScalingActive is False with FailedGet…Metric for five minutes. When the metrics API "
    "or the pods have a finding, that one holds it.",
    source="pkg/controller/podautoscaler/metrics/client.go",
    next_step="get_resource kind=APIService of the metrics API; then the logs of the program behind it",
)
HPA_AT_MAX = Cause(
    code="HPA_AT_MAX",
    severity="medium",
    means="A HorizontalPodAutoscaler is at its maximum and its pods are still above the target.",
    told_by="ScalingLimited is True with TooManyReplicas for ten minutes, replicas are at maxReplicas and a "
    "metric is more than 10 % above its target. At the maximum and within the target is fine.",
    source=SOURCE,
    next_step="raise maxReplicas with plan_manifest(action=apply) if nodes have room, or find the load",
)
HPA_CONFLICT = Cause(
    code="HPA_CONFLICT",
    severity="high",
    means="Two autoscalers work on one target and undo each other.",
    told_by="Two HorizontalPodAutoscalers (KEDA makes one of each ScaledObject) name one target or say "
    "AmbiguousSelector, or a VerticalPodAutoscaler that acts resizes what one of them measures. A "
    "VerticalPodAutoscaler that only recommends is fine.",
    source=SOURCE,
    next_step="keep one of them; a VerticalPodAutoscaler beside it belongs in updateMode Off",
)


def autoscalers(facts: Facts) -> Iterator[Told]:
    """All but the conflicts, one finding per autoscaler."""
    double = {told.at for told in conflicts(facts)}
    for one in facts.all(Autoscaler):
        told = _target(facts, one) or _metrics(facts, one) or _at_max(facts, one)
        if told is not None and one.ref not in double:
            yield told


def _failing(facts: Facts, one: Autoscaler, kind: str, prefix: str) -> Condition | None:
    found = one.condition(kind)
    if found is None or found.status != "False" or not found.reason.startswith(prefix):
        return None
    return found if facts.age_s(found.since) >= SETTLED_S else None


def _target(facts: Facts, one: Autoscaler) -> Told | None:
    failed = _failing(facts, one, "AbleToScale", "FailedGetScale")
    if failed is None or facts.workload(one.target) is not None:
        return None
    same = [w.ref.name for w in facts.workloads if w.ref.namespace == one.ref.namespace and w.parent is None]
    near = sorted({name for name in same if _alike(name, one.target.name)})[:3]
    near_words = f"; of similar name: {', '.join(near)}" if near else ""
    return Told(
        cause=HPA_TARGET_MISSING,
        at=one.ref,
        subject=one.ref,
        predicate=f"cannot scale: {one.target.kind} {one.target.name} does not exist",
        root_cause=f"{one.ref} scales {one.target}, which does not exist or cannot be scaled{near_words}.",
        hurts=(one.ref,),
        evidence=(
            condition_evidence(one.ref, failed),
            stated(one.target, "among the workloads", f"not there{near_words}"),
        ),
        agree=3,
        ruled_out=("scaled to zero: that would say ScalingDisabled",),
    )


def _alike(one: str, other: str) -> bool:
    return SequenceMatcher(None, one, other, autojunk=False).ratio() >= 0.75


def _metrics(facts: Facts, one: Autoscaler) -> Told | None:
    failed = _failing(facts, one, "ScalingActive", "FailedGet")
    if failed is None:
        return None
    if match := _UNREQUESTED.search(failed.message):
        return _unrequested(one, failed, match[1], match[2])
    if match := _UNSERVED.search(failed.message):
        return _unserved(facts, one, failed, _APIS[match[1] or "resource"])
    return _without(facts, one, failed)


def _unrequested(one: Autoscaler, failed: Condition, resource: str, container: str) -> Told:
    return Told(
        cause=HPA_REQUESTS_MISSING,
        at=one.ref,
        subject=one.ref,
        predicate=f"cannot scale: container {container} of {one.target.name} requests no {resource}",
        root_cause=f"{one.ref} aims at a percentage of the {resource} request, and container {container} of "
        f"{one.target} requests none, so there is nothing to take the percentage of.",
        hurts=(one.ref,),
        evidence=(condition_evidence(one.ref, failed), _aims(one)),
        agree=3,
        ruled_out=("metrics API down: it answered, the request is what is missing",),
    )


def _unserved(facts: Facts, one: Autoscaler, failed: Condition, api: str) -> Told:
    service = Ref("APIService", "", api)
    return Told(
        cause=HPA_NO_METRICS,
        at=service,
        subject=one.ref,
        predicate="cannot scale: the metrics API does not answer",
        root_cause=f"{one.ref} asks the API {api} for metrics, and it does not answer: what serves it is "
        "down or was never installed.",
        hurts=(one.ref,),
        evidence=(condition_evidence(one.ref, failed), _aims(one)),
        agree=2 + (len(facts.all(Autoscaler)) > 1),
        explained_by=(service,),
        since=failed.since,
    )


def _without(facts: Facts, one: Autoscaler, failed: Condition) -> Told:
    pods = tuple(pod.ref for pod in facts.pods_of(one.target))
    waits = bool(_YOUNG_PODS.search(failed.message))
    sound = bool(pods) and all(pod.ready for pod in facts.pods_of(one.target))
    return Told(
        cause=HPA_NO_METRICS,
        at=one.ref,
        subject=one.ref,
        predicate="cannot scale: there are no metrics for its target",
        root_cause=f"{one.ref} gets no value for a metric it scales {one.target} by; the API answers, the "
        "metric is not there.",
        hurts=(one.ref,),
        evidence=(condition_evidence(one.ref, failed), _aims(one)),
        agree=2,
        explained_by=(one.target, *pods),
        stands_alone=not waits or sound,
    )


def _aims(one: Autoscaler) -> Evidence:
    """Where it aims and where it is."""
    words = ", ".join(_metric_words(metric) for metric in one.metrics[:4]) or "no metric"
    return stated(one.ref, "spec and status", f"{one.current} of {one.least}-{one.most} replicas; {words}")


def _metric_words(metric: Metric) -> str:
    now = "unknown" if metric.now_percent is None else f"{metric.now_percent} %"
    aim = "" if metric.aim_percent is None else f", aims at {metric.aim_percent} %"
    return f"{plain_name(metric.name)} {now}{aim}"


def _hot(one: Autoscaler) -> Metric | None:
    known = (m for m in one.metrics if m.aim_percent and m.now_percent is not None)
    return next((m for m in known if (m.now_percent or 0) > (m.aim_percent or 0) * TOLERANCE), None)


def _at_max(facts: Facts, one: Autoscaler) -> Told | None:
    limited, hot = one.condition("ScalingLimited"), _hot(one)
    if limited is None or limited.status != "True" or limited.reason != "TooManyReplicas":
        return None
    active = one.condition("ScalingActive")
    if hot is None or one.current < one.most or (active is not None and active.status != "True"):
        return None
    if facts.age_s(limited.since) < AT_MAX_S:
        return None
    return Told(
        cause=HPA_AT_MAX,
        at=one.ref,
        subject=one.ref,
        predicate=f"is at its maximum of {one.most} and still at {hot.now_percent} % {plain_name(hot.name)}",
        root_cause=f"{one.ref} wants more than its maximum of {one.most} replicas of {one.target}: "
        f"{plain_name(hot.name)} is at {hot.now_percent} % where {hot.aim_percent} % is aimed at.",
        hurts=(one.ref,),
        evidence=(condition_evidence(one.ref, limited), _aims(one)),
        agree=3,
        ruled_out=("no metrics: they are there", "a short peak: it has lasted more than ten minutes"),
        explained_by=(one.target, *(p.ref for p in facts.pods_of(one.target))),
        since=limited.since,
    )


def conflicts(facts: Facts) -> Iterator[Told]:
    """HPA_CONFLICT: the younger of two is where it began."""
    by_target: dict[Ref, list[Autoscaler]] = {}
    for one in facts.all(Autoscaler):
        by_target.setdefault(one.target, []).append(one)
    for target, found in by_target.items():
        if len(found) > 1:
            yield _conflict(facts, target, sorted(found, key=lambda a: (-facts.age_s(a.created_at), a.ref)))
    for other in facts.all(VerticalAutoscaler):
        beside = [a for a in by_target.get(other.target, ()) if _by_requests(a)]
        if other.acts and beside:
            yield _resized(beside[0], other)


def _by_requests(one: Autoscaler) -> bool:
    return any(
        m.source in {"Resource", "ContainerResource"} and m.name in {"cpu", "memory"} for m in one.metrics
    )


def _conflict(facts: Facts, target: Ref, found: Sequence[Autoscaler]) -> Told:
    younger, others = found[-1], found[:-1]
    names = ", ".join(_maker(one) for one in others)
    said = [c for one in found if (c := one.condition("ScalingActive")) and c.reason == "AmbiguousSelector"]
    bounds = tuple(
        stated(one.ref, "spec", f"{one.least}-{one.most} replicas of {target}") for one in found[:3]
    )
    return Told(
        cause=HPA_CONFLICT,
        at=younger.ref,
        subject=younger.ref,
        predicate=f"and {names} scale the same {target.kind} {target.name}",
        root_cause=f"{_maker(younger)} and {names} both scale {target}; which the controller refuses.",
        hurts=tuple(one.ref for one in others),
        evidence=(*bounds, *(condition_evidence(younger.ref, c) for c in said[:1])),
        agree=3 + bool(said),
        ruled_out=("no metrics: more than one autoscaler names the target",),
    )


def _maker(one: Autoscaler) -> str:
    return f"{one.ref.name} (of {one.owner.kind} {one.owner.name})" if one.owner else one.ref.name


def _resized(one: Autoscaler, other: VerticalAutoscaler) -> Told:
    return Told(
        cause=HPA_CONFLICT,
        at=other.ref,
        subject=other.ref,
        predicate=f"resizes {one.target.name} while {one.ref.name} scales it",
        root_cause=f"{other.ref} changes the requests of {one.target}, and {one.ref} measures in percent of "
        "them: each undoes what the other did.",
        hurts=(one.ref,),
        evidence=(
            stated(other.ref, "spec", f"updateMode {plain_name(other.mode)} of {other.target}"),
            _aims(one),
        ),
        agree=3,
    )


RULES = (
    WorldRule((HPA_TARGET_MISSING, HPA_REQUESTS_MISSING, HPA_NO_METRICS, HPA_AT_MAX), autoscalers),
    WorldRule((HPA_CONFLICT,), conflicts),
)
