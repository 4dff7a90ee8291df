"""Further kinds of the family workloads: autoscalers, budgets, cron jobs.

The first three are listed in every diagnosis: nothing else tells of an autoscaler at its maximum, a budget
that lets nothing go, or a cron job that stands still.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from aiops_eks.diagnosis import reading
from aiops_eks.diagnosis.further.base import FurtherKind, has_event
from aiops_eks.diagnosis.objects import Condition, Pod, Ref
from aiops_eks.diagnosis.reading_containers import moment
from aiops_eks.models.fields import Obj, count, items, labels_of, part, selects, text


def conditions(obj: Obj) -> tuple[Condition, ...]:
    """The status conditions of any kind."""
    return reading.workload(obj, "").conditions


def _number(obj: Obj, *path: str) -> int | None:
    found = count(obj, *path, otherwise=-1)
    return None if found < 0 else found


def _created(obj: Obj) -> datetime | None:
    return moment(part(obj, "metadata"), "creationTimestamp")


def _owner(obj: Obj) -> Ref | None:
    return reading.workload(obj, "").parent


def written_as(obj: Obj) -> str:
    """The apiVersion in which its owner last wrote it: kubectl's annotation, else the newest writer's."""
    last = text(obj, "metadata", "annotations", "kubectl.kubernetes.io/last-applied-configuration")
    if match := _API_VERSION.search(last):
        return match[1]
    writers = [each for each in items(obj, "metadata", "managedFields") if not text(each, "subresource")]
    return text(max(writers, key=lambda each: text(each, "time"), default={}), "apiVersion")


_API_VERSION = re.compile(r'"apiVersion"\s*:\s*"([a-z0-9./-]{1,100})"')


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric of an autoscaler: where it aims and where it is, in percent where it is a utilisation."""

    name: str
    source: str  # Resource | ContainerResource | Pods | Object | External
    aim_percent: int | None = None
    now_percent: int | None = None


@dataclass(frozen=True, slots=True)
class Autoscaler:
    """A HorizontalPodAutoscaler."""

    ref: Ref
    target: Ref
    most: int = 1
    least: int = 1
    current: int = 0
    metrics: tuple[Metric, ...] = ()
    conditions: tuple[Condition, ...] = ()
    created_at: datetime | None = None
    owner: Ref | None = None  # KEDA's ScaledObject makes its own
    written_as: str = ""

    def condition(self, name: str) -> Condition | None:
        """One condition by type."""
        return next((c for c in self.conditions if c.type == name), None)


def autoscaler(obj: Obj) -> Autoscaler:
    """One HorizontalPodAutoscaler (autoscaling/v2)."""
    ref, spec, status = reading.ref_of(obj, "HorizontalPodAutoscaler"), part(obj, "spec"), part(obj, "status")
    wanted = part(spec, "scaleTargetRef")
    seen = {_metric_key(each): each for each in items(status, "currentMetrics")}
    return Autoscaler(
        ref=ref,
        target=Ref(text(wanted, "kind"), ref.namespace, text(wanted, "name")),
        most=count(spec, "maxReplicas"),
        least=count(spec, "minReplicas", otherwise=1),
        current=count(status, "currentReplicas"),
        metrics=tuple(_metric(each, seen.get(_metric_key(each), {})) for each in items(spec, "metrics")),
        conditions=conditions(obj),
        created_at=_created(obj),
        owner=_owner(obj),
        written_as=written_as(obj),
    )


_SOURCES = {
    "Resource": "resource",
    "ContainerResource": "containerResource",
    "Pods": "pods",
    "Object": "object",
    "External": "external",
}


def _metric_key(obj: Obj) -> tuple[str, str]:
    kind = text(obj, "type")
    found = part(obj, _SOURCES.get(kind, ""))
    return kind, text(found, "name") or text(found, "metric", "name")


def _metric(wanted: Obj, seen: Obj) -> Metric:
    kind, name = _metric_key(wanted)
    field_name = _SOURCES.get(kind, "")
    return Metric(
        name=name,
        source=kind,
        aim_percent=_number(wanted, field_name, "target", "averageUtilization"),
        now_percent=_number(seen, field_name, "current", "averageUtilization"),
    )


@dataclass(frozen=True, slots=True)
class VerticalAutoscaler:
    """A VerticalPodAutoscaler."""

    ref: Ref
    target: Ref
    mode: str = "Auto"
    created_at: datetime | None = None

    @property
    def acts(self) -> bool:
        """Whether it changes running pods by itself."""
        return self.mode not in {"Off", "Initial"}


def vertical_autoscaler(obj: Obj) -> VerticalAutoscaler:
    """One VerticalPodAutoscaler (autoscaling.k8s.io)."""
    ref, wanted = reading.ref_of(obj, "VerticalPodAutoscaler"), part(obj, "spec", "targetRef")
    return VerticalAutoscaler(
        ref=ref,
        target=Ref(text(wanted, "kind"), ref.namespace, text(wanted, "name")),
        mode=text(obj, "spec", "updatePolicy", "updateMode") or "Auto",
        created_at=_created(obj),
    )


@dataclass(frozen=True, slots=True)
class Budget:
    """A PodDisruptionBudget."""

    ref: Ref
    selector: Mapping[str, object] = field(default_factory=dict)
    rule: str = ""  # "maxUnavailable 0", as it is written
    expected: int = 0
    healthy: int = 0
    needed: int = 0  # desiredHealthy
    allowed: int = 0
    settled: bool = False  # the controller has counted for the newest spec
    condition: Condition | None = None
    created_at: datetime | None = None
    written_as: str = ""

    def covers(self, pod: Pod) -> bool:
        """Whether it speaks of this pod; an empty selector takes every pod of the namespace (policy/v1)."""
        if pod.namespace != self.ref.namespace or pod.phase in {"Succeeded", "Failed"}:
            return False
        return not self.selector or selects(self.selector, pod.labels)


def budget(obj: Obj) -> Budget:
    """One PodDisruptionBudget (policy/v1)."""
    spec, status = part(obj, "spec"), part(obj, "status")
    written = next((f"{k} {text(spec, k)}" for k in ("minAvailable", "maxUnavailable") if k in spec), "")
    chosen = part(spec, "selector")
    return Budget(
        ref=reading.ref_of(obj, "PodDisruptionBudget"),
        selector={key: value for key, value in chosen.items() if value},
        rule=written[:60],
        expected=count(status, "expectedPods"),
        healthy=count(status, "currentHealthy"),
        needed=count(status, "desiredHealthy"),
        allowed=count(status, "disruptionsAllowed"),
        settled="expectedPods" in status
        and count(status, "observedGeneration") >= count(obj, "metadata", "generation"),
        condition=next((c for c in conditions(obj) if c.type == "DisruptionAllowed"), None),
        created_at=_created(obj),
        written_as=written_as(obj),
    )


@dataclass(frozen=True, slots=True)
class CronJob:
    """A CronJob."""

    ref: Ref
    schedule: str = ""
    time_zone: str = ""
    suspended: bool = False
    overlap: str = "Allow"
    deadline_s: int | None = None
    active: tuple[str, ...] = ()  # names of Jobs
    last_at: datetime | None = None  # when it last started one
    created_at: datetime | None = None
    changed_at: datetime | None = None  # when its spec was last written, where managedFields say so
    noted: bool = False  # somebody wrote on it why it stands still
    written_as: str = ""


_NOTE = ("suspend", "paus", "disabl", "maintenance", "change-cause", "kueue")


def cron_job(obj: Obj) -> CronJob:
    """One CronJob (batch/v1)."""
    spec, status, meta = part(obj, "spec"), part(obj, "status"), part(obj, "metadata")
    written = [moment(each, "time") for each in items(meta, "managedFields") if not text(each, "subresource")]
    notes = {**labels_of(obj), **part(meta, "annotations")}
    notes.pop("kubectl.kubernetes.io/last-applied-configuration", None)
    said = " ".join(f"{key} {value}" for key, value in notes.items()).lower()
    return CronJob(
        ref=reading.ref_of(obj, "CronJob"),
        schedule=text(spec, "schedule"),
        time_zone=text(spec, "timeZone"),
        suspended=spec.get("suspend") is True,
        overlap=text(spec, "concurrencyPolicy") or "Allow",
        deadline_s=_number(spec, "startingDeadlineSeconds"),
        active=tuple(text(each, "name") for each in items(status, "active")),
        last_at=moment(status, "lastScheduleTime"),
        created_at=_created(obj),
        changed_at=max((moment for moment in written if moment), default=None),
        noted=any(word in said for word in _NOTE),
        written_as=written_as(obj),
    )


FURTHER: tuple[FurtherKind, ...] = (
    FurtherKind("HorizontalPodAutoscaler.autoscaling", Autoscaler, autoscaler),
    FurtherKind("PodDisruptionBudget.policy", Budget, budget),
    FurtherKind("CronJob.batch", CronJob, cron_job),
    FurtherKind(
        "VerticalPodAutoscaler.autoscaling.k8s.io",
        VerticalAutoscaler,
        vertical_autoscaler,
        optional=True,
        when=has_event("EvictedByVPA"),  # nothing else shows that one acts
    ),
)
