"""How each sender's event is read: EventBridge, CloudWatch, GuardDuty, Alertmanager, our forwarder, raw.

Pure; called by `analysis.events`. Shapes: EventBridge user guide (events-ref-eks; CloudWatch, "Alarm events
and EventBridge"), GuardDuty's finding format, Alertmanager's webhook version 4, and the guide's own "EKS Pod
State Change", which AWS does not send (C1).
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from aiops_shared.errors import InvalidInputError
from aiops_shared.results import Severity
from aiops_sop.analysis.alert_names import ALERTS
from aiops_sop.analysis.event_names import node_condition, owner_of, pod_state
from aiops_sop.analysis.event_parts import (
    MOST_LABELS,
    arn_parts,
    cause_in,
    cluster_in,
    count_in,
    first,
    kind_in,
    labels_in,
    made,
    mapping,
    name_in,
    reason_in,
    time_in,
    worded,
)
from aiops_sop.models.events import Event, Kind

Json = Any
Obj = Mapping[str, Any]
MOST_ALERTS: Final = 500  # of one Alertmanager webhook
_DIMENSIONS: Final = {
    "ClusterName": "cluster",
    "Namespace": "namespace",
    "PodName": "workload",  # Container Insights: PodName is the workload's name
    "NodeName": "node",
    "Service": "service",
}
_LABEL_WORDS: Final = {
    "cluster": ("cluster", "cluster_name", "eks_cluster", "k8s_cluster_name"),
    "namespace": ("namespace", "exported_namespace", "kubernetes_namespace"),
    "node": ("node", "node_name", "exported_node"),
    "service": ("service", "service_name", "app"),
}
_OWNERS: Final = {
    "deployment": "Deployment",
    "statefulset": "StatefulSet",
    "daemonset": "DaemonSet",
    "job_name": "Job",
    "cronjob": "CronJob",
    "horizontalpodautoscaler": "HorizontalPodAutoscaler",
    "persistentvolumeclaim": "PersistentVolumeClaim",
}
_EXPORTERS: Final = frozenset({"kube-state-metrics", "node-exporter", "kubelet", "prometheus-node-exporter"})
_SEVERITIES: Final[Mapping[str, Severity]] = {
    "critical": "critical",
    "page": "critical",
    "error": "high",
    "high": "high",
    "warning": "medium",
    "medium": "medium",
    "low": "info",
    "info": "info",
    "none": "info",
}


def shaped(body: Obj) -> Event:
    """The event of one body. Raises InvalidInputError when it says nothing."""
    source, detail_type = worded(body.get("source")), worded(body.get("detail-type"))
    detail = body.get("detail")
    if not isinstance(detail, Mapping):
        if "AlarmName" in body and "NewStateValue" in body:
            return _alarm_by_sns(body)
        return _raw(body)
    for wanted_source, wanted_type, make in _SHAPES:
        if re.fullmatch(wanted_source, source) and re.fullmatch(wanted_type, detail_type):
            return make(body, detail)
    return _raw({**detail, "reason": detail_type, **_envelope(body)}, whole=body)


def _envelope(body: Obj) -> dict[str, Any]:
    return {"source": worded(body.get("source")), "at": body.get("time")}


# EventBridge


def _pod_state(body: Obj, detail: Obj) -> Event:
    """The guide's "EKS Pod State Change": cluster, namespace, pod, status."""
    pod = name_in(first(detail, "pod", "podName", "name"))
    reason = reason_in(first(detail, "status", "reason", "state"))
    return made(
        body,
        source="aws.eks",
        kind="PodState",
        reason=pod_state(reason, "") or reason,
        cluster=cluster_in(body, detail),
        namespace=name_in(first(detail, "namespace")),
        object_kind="Pod",
        name=pod,
        workload=owner_of(pod),
        count=count_in(first(detail, "restartCount", "count")),
        message=worded(first(detail, "message")),
    )


def _kubernetes(body: Obj, detail: Obj) -> Event:
    """Our forwarder's "Kubernetes Event" (F16)."""
    about = mapping(detail.get("involvedObject"))
    kind, name = kind_in(about.get("kind")), name_in(about.get("name"))
    reason, message = reason_in(detail.get("reason")), worded(detail.get("message"))
    state = pod_state(reason, message) if kind == "Pod" else ""
    condition = node_condition(reason, message) if kind == "Node" else ""
    meant: Kind = "PodState" if state else "NodeCondition" if condition else "KubernetesEvent"
    return made(
        body,
        source="eks-aiops",
        kind=meant,
        reason=state or condition or reason,
        state="resolved" if detail.get("state") == "resolved" else "firing",
        cluster=cluster_in(body, detail),
        namespace=name_in(detail.get("namespace") or about.get("namespace")),
        object_kind=kind,
        name=name,
        workload=owner_of(name) if kind == "Pod" else "" if kind == "Node" else name,
        node=name if kind == "Node" else name_in(detail.get("node")),
        count=count_in(detail.get("count")),
        at=time_in(detail.get("lastTimestamp")) or time_in(body.get("time")),
        message=message,
    )


def _addon(body: Obj, detail: Obj) -> Event:
    """ "EKS Addon Health Degraded" and its like; the ARN names cluster and add-on."""
    said = worded(body.get("detail-type")).removeprefix("EKS Addon ")
    reason = said.removeprefix("Health ").replace("Creation", "Create").replace("Deletion", "Delete")
    reason = reason.replace(" ", "")
    _, cluster, addon = arn_parts(body, "addon")
    good = reason == "Restored" or reason.endswith("Succeeded")
    return made(
        body,
        source="aws.eks",
        kind="AddonHealth",
        reason=reason,
        state="resolved" if good else "firing",
        cluster=cluster or cluster_in(body, detail),
        addon=addon or name_in(first(detail, "addonName", "addon-name", "addon")),
        message=worded(first(detail, "message", "statusReason", "health")),
    )


def _finding(body: Obj, detail: Obj) -> Event:
    """A GuardDuty finding about an EKS cluster; severity 7 and more is high, 9 critical."""
    resource = mapping(detail.get("resource"))
    cluster = mapping(resource.get("eksClusterDetails"))
    workload = mapping(mapping(resource.get("kubernetesDetails")).get("kubernetesWorkloadDetails"))
    kind = {"pods": "Pod", "deployments": "Deployment", "daemonsets": "DaemonSet"}.get(
        worded(workload.get("type")).lower(), "Pod" if workload else ""
    )
    name = name_in(workload.get("name"))
    severity = detail.get("severity")
    score = float(severity) if isinstance(severity, int | float) else 5.0
    level: Severity = (
        "critical" if score >= 9 else "high" if score >= 7 else "medium" if score >= 4 else "info"
    )
    return made(
        body,
        source="aws.guardduty",
        kind="SecurityFinding",
        reason=reason_in(detail.get("type")),
        severity=level,
        cluster=name_in(cluster.get("name")) or arn_parts({"resources": [cluster.get("arn")]}, "cluster")[1],
        namespace=name_in(workload.get("namespace")),
        object_kind=kind,
        name=name,
        workload=owner_of(name) if kind == "Pod" else name,
        count=count_in(mapping(detail.get("service")).get("count")),
        message=worded(detail.get("title")) or worded(detail.get("description")),
    )


def _alarm(body: Obj, detail: Obj) -> Event:
    """ "CloudWatch Alarm State Change", single metric and composite."""
    state = mapping(detail.get("state"))
    metrics = mapping(detail.get("configuration")).get("metrics")
    metric: dict[str, Any] = {}
    for one in metrics if isinstance(metrics, list) else []:
        found = mapping(mapping(mapping(one).get("metricStat")).get("metric"))
        metric = metric or dict(found)
    value = worded(state.get("value"))
    return _by_dimensions(
        body,
        mapping(metric.get("dimensions")),
        alarm=reason_in(detail.get("alarmName")),
        metric=reason_in(metric.get("name")),
        value=value,
        message=worded(state.get("reason")),
        at=time_in(state.get("timestamp")) or time_in(body.get("time")),
    )


def _alarm_by_sns(body: Obj) -> Event:
    """What a CloudWatch alarm's SNS action says."""
    trigger = mapping(body.get("Trigger"))
    pairs = trigger.get("Dimensions")
    told = [mapping(pair) for pair in (pairs if isinstance(pairs, list) else [])][:MOST_LABELS]
    return _by_dimensions(
        body,
        {worded(pair.get("name")): pair.get("value") for pair in told},
        alarm=reason_in(body.get("AlarmName")),
        metric=reason_in(trigger.get("MetricName")),
        value=worded(body.get("NewStateValue")),
        message=worded(body.get("NewStateReason")),
        at=time_in(body.get("StateChangeTime")),
    )


def _by_dimensions(body: Obj, dimensions: Obj, *, value: str, **more: Any) -> Event:
    words = {word: name_in(dimensions.get(name)) for name, word in _DIMENSIONS.items()}
    found = made(
        body,
        source="aws.cloudwatch",
        kind="Alarm",
        reason=more["alarm"],
        state="firing" if value == "ALARM" else "resolved",
        object_kind="Node" if words["node"] else "",
        name=words["node"],
        labels=labels_in(dimensions),
        **words,
        **more,
    )
    return found if found.cluster else found.model_copy(update={"cluster": cluster_in(body, {})})


# Alertmanager


def alerts_of(body: Obj) -> tuple[Event, ...]:
    """Webhook version 4: several alerts with labels and annotations."""
    alerts = [one for one in body["alerts"] if isinstance(one, Mapping) and mapping(one.get("labels"))]
    if not alerts:
        raise InvalidInputError("event", "is an Alertmanager webhook without alerts that have labels")
    if len(alerts) > MOST_ALERTS:
        raise InvalidInputError(
            "event", f"has more than {MOST_ALERTS} alerts", "set max_alerts in Alertmanager's receiver"
        )
    return tuple(_alert(one) for one in alerts)


def _alert(alert: Obj) -> Event:
    labels, notes = mapping(alert.get("labels")), mapping(alert.get("annotations"))
    words = {word: name_in(first(labels, *names)) for word, names in _LABEL_WORDS.items()}
    if words["service"].endswith(tuple(_EXPORTERS)):  # whose scrape it was, not whose trouble
        words["service"] = ""
    pod = name_in(first(labels, "pod", "pod_name"))
    owner = next(
        ((kind, name_in(labels.get(word))) for word, kind in _OWNERS.items() if labels.get(word)), None
    )
    kind, name = ("Pod", pod) if pod else owner or (("Node", words["node"]) if words["node"] else ("", ""))
    alarm = reason_in(labels.get("alertname"))
    meant, reason = ALERTS.get(alarm, ("Alarm", alarm))
    return made(
        alert,
        source="alertmanager",
        kind=meant,
        reason=reason_in(labels.get("reason")) or reason if meant == "PodState" else reason,
        state="resolved" if alert.get("status") == "resolved" else "firing",
        **words,
        object_kind=kind,
        name=name,
        workload=owner[1] if owner else owner_of(pod),
        alarm=alarm,
        cause=cause_in(first(labels, "cause", "code")),
        severity=_SEVERITIES.get(worded(labels.get("severity")).lower(), "high"),
        at=time_in(alert.get("startsAt")),
        message=worded(first(notes, "description", "summary", "message")),
        labels=labels_in(labels),
    )


# raw


def _raw(body: Obj, whole: Obj | None = None) -> Event:
    """Anything else: words that are named as ours are taken, the rest is kept as it came."""
    kind = worded(body.get("kind"))
    known: Kind = kind if kind in _KINDS else "Raw"  # type: ignore[assignment]  # checked just before
    object_kind = kind_in(first(body, "object_kind", "objectKind"))
    pod = name_in(first(body, "pod", "podName"))
    name = pod or name_in(first(body, "name"))
    object_kind = "Pod" if pod else object_kind
    reason = reason_in(first(body, "reason", "title", "alarm", "alertname", "detail-type"))
    message = worded(first(body, "message", "description", "text", "symptom"))
    node = name_in(first(body, "node"))
    if known == "Raw" and object_kind in {"", "Pod", "Node"}:
        known, reason = _guessed(reason, message, object_kind or ("Node" if node and not name else "Pod"))
    if not (reason or message):
        raise InvalidInputError(
            "event",
            "says neither a reason nor a message",
            "give at least reason, and cluster, namespace, name",
        )
    return made(
        whole or body,
        source=reason_in(body.get("source")) or "raw",
        kind=known,
        reason=reason,
        state="resolved"
        if worded(first(body, "state", "status")).lower() in {"resolved", "ok"}
        else "firing",
        cluster=cluster_in({}, body),
        namespace=name_in(first(body, "namespace")),
        object_kind=object_kind,
        name=name,
        workload=name_in(body.get("workload")).rpartition("/")[2]
        or (owner_of(name) if object_kind == "Pod" else ""),
        node=node,
        service=name_in(body.get("service")),
        addon=name_in(body.get("addon")),
        alarm=reason_in(body.get("alarm")),
        metric=reason_in(body.get("metric")),
        cause=cause_in(body.get("cause")),
        severity=_SEVERITIES.get(worded(body.get("severity")).lower(), "high"),
        count=count_in(body.get("count")),
        at=time_in(first(body, "at", "time", "timestamp")),
        message=message,
        labels=labels_in(mapping(body.get("labels"))),
    )


def _guessed(reason: str, message: str, object_kind: str) -> tuple[Kind, str]:
    """A reason that Kubernetes uses means the same when it comes raw."""
    if object_kind == "Node" and (condition := node_condition(reason, message)):
        return "NodeCondition", condition
    if object_kind == "Pod" and (state := pod_state(reason, message)):
        return "PodState", state
    if condition := node_condition(reason, message):
        return "NodeCondition", condition
    return "Raw", reason


_KINDS: Final = frozenset(
    {"PodState", "NodeCondition", "KubernetesEvent", "Alarm", "AddonHealth", "SecurityFinding"}
)
_SHAPES: Final[tuple[tuple[str, str, Callable[[Obj, Obj], Event]], ...]] = (
    (r"aws\.eks", r"EKS Pod State Change", _pod_state),
    (r"aws\.eks", r"EKS Addon (Health|Creation|Update|Deletion) \w+", _addon),
    (r"aws\.cloudwatch", r"CloudWatch Alarm State Change", _alarm),
    (r"aws\.guardduty", r"GuardDuty Finding", _finding),
    (r".*", r"Kubernetes Event", _kubernetes),
)
