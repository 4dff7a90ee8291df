"""How workloads and their autoscalers and budgets are printed."""

from datetime import datetime
from typing import Any

from aiops_lab.kube.columns.printer import (
    NONE,
    UNKNOWN,
    Cells,
    Printer,
    age,
    columns,
    container_texts,
    map_text,
    selector_text,
    since,
    spoken,
)
from aiops_lab.kube.wire import Obj, dig, name_of, parse_time

_TEMPLATE_WIDE = ("Containers", "Images", "Selector")


def _wide(obj: Obj) -> Cells:
    names, images = container_texts(dig(obj, "spec", "template", "spec"))
    return [names, images, selector_text(dig(obj, "spec", "selector"))]


def _status(obj: Obj, field: str) -> int:
    return int(dig(obj, "status", field, default=0))


def _deployment(obj: Obj, now: datetime) -> Cells:
    wanted = dig(obj, "spec", "replicas", default=0)
    ready = f"{_status(obj, 'readyReplicas')}/{wanted}"
    fresh, available = _status(obj, "updatedReplicas"), _status(obj, "availableReplicas")
    return [name_of(obj), ready, fresh, available, age(obj, now), *_wide(obj)]


def _replica_set(obj: Obj, now: datetime) -> Cells:
    counts = [
        dig(obj, "spec", "replicas", default=0),
        _status(obj, "replicas"),
        _status(obj, "readyReplicas"),
    ]
    return [name_of(obj), *counts, age(obj, now), *_wide(obj)]


def _controller(obj: Obj, now: datetime) -> Cells:
    """A ReplicationController, whose selector is a plain map."""
    cells = _replica_set({**obj, "spec": {**obj.get("spec", {}), "selector": None}}, now)
    return [*cells[:-1], map_text(dig(obj, "spec", "selector"))]


def _stateful_set(obj: Obj, now: datetime) -> Cells:
    ready = f"{_status(obj, 'readyReplicas')}/{dig(obj, 'spec', 'replicas', default=0)}"
    return [name_of(obj), ready, age(obj, now), *_wide(obj)[:2]]


def _daemon_set(obj: Obj, now: datetime) -> Cells:
    fields = (
        "desiredNumberScheduled",
        "currentNumberScheduled",
        "numberReady",
        "updatedNumberScheduled",
        "numberAvailable",
    )
    on = map_text(dig(obj, "spec", "template", "spec", "nodeSelector"))
    return [name_of(obj), *(_status(obj, f) for f in fields), on, age(obj, now), *_wide(obj)]


def _job(obj: Obj, now: datetime) -> Cells:
    succeeded, wanted = _status(obj, "succeeded"), dig(obj, "spec", "completions")
    if wanted is not None:
        done = f"{succeeded}/{wanted}"
    else:
        parallel = dig(obj, "spec", "parallelism", default=0)
        done = f"{succeeded}/1 of {parallel}" if parallel > 1 else f"{succeeded}/1"
    return [name_of(obj), _job_state(obj), done, _job_time(obj, now), age(obj, now), *_wide(obj)]


def _job_state(obj: Obj) -> str:
    held = {c.get("type") for c in dig(obj, "status", "conditions", default=[]) if c.get("status") == "True"}
    for condition, word in (("Complete", "Complete"), ("Failed", "Failed")):
        if condition in held:
            return word
    if "deletionTimestamp" in obj["metadata"]:
        return "Terminating"
    for condition in ("Suspended", "FailureTarget", "SuccessCriteriaMet"):
        if condition in held:
            return condition
    return "Running"


def _job_time(obj: Obj, now: datetime) -> str:
    started = parse_time(dig(obj, "status", "startTime"))
    if started is None:
        return ""
    ended = parse_time(dig(obj, "status", "completionTime"))
    return spoken(((ended or now) - started).total_seconds())


def _cron_job(obj: Obj, now: datetime) -> Cells:
    spec, last = obj.get("spec") or {}, dig(obj, "status", "lastScheduleTime")
    names, images = container_texts(dig(spec, "jobTemplate", "spec", "template", "spec"))
    return [
        name_of(obj),
        spec.get("schedule", ""),
        spec.get("timeZone") or NONE,
        str(bool(spec.get("suspend"))),
        len(dig(obj, "status", "active", default=[])),
        since(last, now) if last else NONE,
        age(obj, now),
        names,
        images,
        selector_text(dig(spec, "jobTemplate", "spec", "selector")),
    ]


def _autoscaler(obj: Obj, now: datetime) -> Cells:
    spec = obj.get("spec") or {}
    target = spec.get("scaleTargetRef") or {}
    return [
        name_of(obj),
        f"{target.get('kind')}/{target.get('name')}",
        _targets(spec.get("metrics") or [], dig(obj, "status", "currentMetrics", default=[])),
        str(spec.get("minReplicas", "<unset>")),
        spec.get("maxReplicas", 0),
        _status(obj, "currentReplicas"),
        age(obj, now),
    ]


def _targets(wanted: list[Obj], current: list[Obj]) -> str:
    shown = [_target(one, current[i] if i < len(current) else {}) for i, one in enumerate(wanted[:2])]
    more = f" + {len(wanted) - 2} more..." if len(wanted) > 2 else ""
    return (", ".join(shown) + more) or NONE


def _target(wanted: Obj, current: Obj) -> str:
    kind = str(wanted.get("type", ""))
    part = kind[:1].lower() + kind[1:]
    goal, now = dig(wanted, part, "target", default={}), dig(current, part, "current", default={})
    if "averageUtilization" in goal:
        said = _percent(now.get("averageUtilization")) + f"/{goal['averageUtilization']}%"
    else:
        field = "averageValue" if "averageValue" in goal else "value"
        average = " (avg)" if field == "averageValue" and kind != "Resource" else ""
        said = f"{now.get(field, UNKNOWN)}/{goal.get(field, UNKNOWN)}{average}"
    name = dig(wanted, part, "name") if kind in {"Resource", "ContainerResource"} else ""
    return f"{name}: {said}" if name else said


def _percent(value: Any) -> str:
    return UNKNOWN if value is None else f"{value}%"


def _budget(obj: Obj, now: datetime) -> Cells:
    spec = obj.get("spec") or {}
    bounds = [str(spec.get(field, "N/A")) for field in ("minAvailable", "maxUnavailable")]
    return [name_of(obj), *bounds, _status(obj, "disruptionsAllowed"), age(obj, now)]


def _revision(obj: Obj, now: datetime) -> Cells:
    owner = dig(obj, "metadata", "ownerReferences", 0, default={})
    group = str(owner.get("apiVersion", "")).rpartition("/")[0]
    kind = str(owner.get("kind", "")).lower() + (f".{group}" if group else "")
    return [
        name_of(obj),
        f"{kind}/{owner.get('name')}" if owner else NONE,
        obj.get("revision", 0),
        age(obj, now),
    ]


WORKLOADS: dict[str, Printer] = {
    "Deployment.apps": Printer(
        columns("Name", "Ready", "Up-to-date", "Available", "Age", wide=_TEMPLATE_WIDE), _deployment
    ),
    "ReplicaSet.apps": Printer(
        columns("Name", "Desired#", "Current#", "Ready#", "Age", wide=_TEMPLATE_WIDE), _replica_set
    ),
    "ReplicationController.": Printer(
        columns("Name", "Desired#", "Current#", "Ready#", "Age", wide=_TEMPLATE_WIDE), _controller
    ),
    "StatefulSet.apps": Printer(columns("Name", "Ready", "Age", wide=_TEMPLATE_WIDE[:2]), _stateful_set),
    "DaemonSet.apps": Printer(
        columns(
            "Name",
            "Desired#",
            "Current#",
            "Ready#",
            "Up-to-date#",
            "Available#",
            "Node Selector",
            "Age",
            wide=_TEMPLATE_WIDE,
        ),
        _daemon_set,
    ),
    "Job.batch": Printer(
        columns("Name", "Status", "Completions", "Duration", "Age", wide=_TEMPLATE_WIDE), _job
    ),
    "CronJob.batch": Printer(
        columns(
            "Name", "Schedule", "Timezone", "Suspend?", "Active#", "Last Schedule", "Age", wide=_TEMPLATE_WIDE
        ),
        _cron_job,
    ),
    "HorizontalPodAutoscaler.autoscaling": Printer(
        columns("Name", "Reference", "Targets", "MinPods", "MaxPods", "Replicas", "Age"), _autoscaler
    ),
    "PodDisruptionBudget.policy": Printer(
        columns("Name", "Min Available", "Max Unavailable", "Allowed Disruptions#", "Age"), _budget
    ),
    "ControllerRevision.apps": Printer(columns("Name", "Controller", "Revision", "Age"), _revision),
}
