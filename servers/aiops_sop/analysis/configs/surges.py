"""A surge that comes every week: replicas and room beforehand, and both given back (F6, decision D33).

The forecast is `observability.forecast_metric`'s; here it becomes objects. A minimum raised by schedule is a
manifest (D20): a KEDA cron trigger where KEDA is, else two CronJobs of kubectl with a Role.
"""

import json
from dataclasses import dataclass
from datetime import datetime
from math import ceil
from typing import Any, Final

from aiops_shared.kube.sizes import cores, mebibytes
from aiops_sop.analysis.configs.documents import Draft, Obj, manifest, written
from aiops_sop.analysis.configs.facts import Pool, Scaler, Workload
from aiops_sop.analysis.configs.reasons import Reasons, Source

WORTH: Final = 1.3  # of a usual day's highest hour: less is no surge
PRIORITY: Final = -10
KEEP_JOBS: Final = 1
DEADLINE_S: Final = 600
PAUSE: Final = "registry.k8s.io/pause"
KUBECTL: Final = "registry.k8s.io/kubectl"
SYSTEM_SHARE: Final = 0.1  # of a node: kubelet, DaemonSets
USER: Final = 65_532  # a user that owns nothing


@dataclass(frozen=True, slots=True)
class Surge:
    """The next surge as it was forecast. Times are UTC."""

    at: datetime
    value: float
    high95: float
    usual: float  # the median of the days' highest hours
    replicas: int
    arithmetic: str
    ready_by: datetime
    until: datetime
    per_pod: float
    window: str
    model: str

    def source(self, statistic: str) -> Source:
        """Of one number of it."""
        return Source("requests_total, forecast", self.window, statistic)


def is_surge(found: Surge, scaler: Scaler) -> bool:
    """Whether there is something to prepare for: beyond the usual, and beyond what is kept anyway."""
    return found.value >= WORTH * found.usual and found.replicas > scaler.least


def cron(at: datetime) -> str:
    """Weekly at this minute, hour and weekday; Sunday is 0."""
    return f"{at.minute} {at.hour} * * {at.isoweekday() % 7}"


def _cron_of(at: datetime, what: str, found: Surge, reasons: Reasons) -> str:
    text = cron(at)
    for number, word in zip(text.replace("* *", "").split(), ("minute", "hour", "weekday"), strict=True):
        reasons.of(number, found.source("peak's climb and end"), f"{what}: {word} of {at:%a %H:%M} UTC")
    return text


def by_keda(workload: Workload, scaler: Scaler, found: Surge, reasons: Reasons) -> list[Draft]:
    """One ScaledObject. KEDA makes an autoscaler of its own, so the one that stands must go: `decisions`."""
    path = reasons.file = f"{workload.name}/hpa-schedule.yaml"
    start = _cron_of(found.ready_by, "start", found, reasons)
    end = _cron_of(found.until, "end", found, reasons)
    wanted = reasons.of(
        str(found.replicas), found.source("upper 95 %"), f"desiredReplicas: {found.arithmetic}"
    )
    meta = {"timezone": "Etc/UTC", "start": start, "end": end, "desiredReplicas": wanted}
    least = reasons.whole(scaler.least, _standing(scaler), "minReplicaCount: as it stands")
    most = reasons.whole(max(scaler.most, found.replicas), _standing(scaler), "maxReplicaCount: as it stands")
    spec = {
        "scaleTargetRef": {"kind": workload.kind, "name": workload.name},
        "minReplicaCount": least,
        "maxReplicaCount": most,
        "triggers": [{"type": "cron", "metadata": meta}],
    }
    made = manifest("ScaledObject", workload.namespace, workload.name, spec=spec)
    return [Draft(path, "hpa_schedule", written(made), dialect="keda")]


def _standing(scaler: Scaler) -> Source:
    return Source(f"HorizontalPodAutoscaler {scaler.name}", "now", "as it stands")


def by_cron_jobs(
    workload: Workload, scaler: Scaler, found: Surge, version: str, reasons: Reasons
) -> list[Draft]:
    """Raise and revert as CronJobs; their ServiceAccount may patch this one autoscaler and nothing else."""
    name, home = f"{workload.name}-hpa-schedule", workload.namespace
    subjects = [{"kind": "ServiceAccount", "name": name, "namespace": home}]
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name}
    rule = {
        "apiGroups": ["autoscaling"],
        "resources": ["horizontalpodautoscalers"],
        "resourceNames": [scaler.name],
        "verbs": ["get", "patch"],
    }
    rights: tuple[tuple[str, Obj], ...] = (
        ("account", manifest("ServiceAccount", home, name)),
        ("role", manifest("Role", home, name, rules=[rule])),
        ("binding", manifest("RoleBinding", home, name, subjects=subjects, roleRef=role)),
    )
    drafts = [
        Draft(f"{workload.name}/hpa-schedule-{word}.yaml", "hpa_schedule", written(made))
        for word, made in rights
    ]
    image = f"{KUBECTL}:v{version}.0"
    for word, at, least, source, why in (
        ("raise", found.ready_by, found.replicas, found.source("upper 95 %"), found.arithmetic),
        ("revert", found.until, scaler.least, _standing(scaler), "the minimum as it stands"),
    ):
        path = reasons.file = f"{workload.name}/hpa-schedule-{word}.yaml"
        schedule = _cron_of(at, f"{word} at", found, reasons)
        reasons.of(least, source, f"minReplicas: {why}")
        drafts.append(
            Draft(
                path,
                "hpa_schedule",
                written(_cron_job(name, word, (home, scaler.name), schedule, least, image, reasons)),
            )
        )
    return drafts


def _cron_job(
    account: str,
    word: str,
    target: tuple[str, str],
    schedule: str,
    least: int,
    image: str,
    reasons: Reasons,
) -> Obj:
    keep = reasons.rule_whole(KEEP_JOBS, "jobs kept: the last one")
    late = reasons.rule_whole(DEADLINE_S, "startingDeadlineSeconds: after that it is too late to help")
    user = reasons.rule_whole(USER, "runAsUser: one that owns nothing")
    small = {
        "cpu": reasons.rule("10m", "one call"),
        "memory": reasons.rule("128Mi", "one call: kubectl takes some 60Mi"),
    }
    patch = json.dumps({"spec": {"minReplicas": least}}, separators=(",", ": "))
    container = {
        "name": "kubectl",
        "image": image,
        "args": ["patch", "hpa", target[1], "--type=merge", "-p", patch],
        "resources": {"requests": small, "limits": {"memory": small["memory"]}},
        "securityContext": hardened(),
    }
    pod = {
        "serviceAccountName": account,
        "restartPolicy": "OnFailure",
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": user,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [container],
    }
    spec = {
        "schedule": schedule,
        "timeZone": "Etc/UTC",
        "concurrencyPolicy": "Replace",
        "startingDeadlineSeconds": late,
        "successfulJobsHistoryLimit": keep,
        "failedJobsHistoryLimit": keep,
        "jobTemplate": {"spec": {"template": {"spec": pod}}},
    }
    return manifest("CronJob", target[0], f"{account}-{word}", spec=spec)


def hardened() -> Obj:
    """What every container of ours is: no way up, nothing to write."""
    return {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def placeholders(workload: Workload, scaler: Scaler, found: Surge, reasons: Reasons) -> list[Draft]:
    """Pods of no use and no priority that hold room: they go as soon as the real ones come."""
    name = f"{workload.name}-placeholder"
    path = reasons.file = f"{workload.name}/placeholder-priority.yaml"
    value = reasons.rule_whole(
        PRIORITY, "value: below the default of every pod, above what scales down first"
    )
    words = f"Placeholders for {workload.namespace}/{workload.name}: preempted by any other pod"
    ranked = manifest(
        "PriorityClass",
        "",
        name,
        value=value,
        globalDefault=False,
        preemptionPolicy="Never",
        description=words,
    )
    drafts = [Draft(path, "placeholder", written(ranked))]
    path = reasons.file = f"{workload.name}/placeholder.yaml"
    extra = found.replicas - scaler.least
    count = reasons.whole(
        extra, found.source("upper 95 %"), f"replicas: {found.replicas} - {scaler.least} that run"
    )
    container = workload.container
    as_real = Source(f"requests of container {container.name}", "now", "as it stands")
    asked = {
        "cpu": reasons.of(cores(container.cpu), as_real, "requests.cpu: as the pods it makes room for"),
        "memory": reasons.of(mebibytes(container.memory), as_real, "requests.memory: likewise"),
    }
    user = reasons.rule_whole(USER, "runAsUser: one that owns nothing")
    grace = reasons.rule_whole(0, "terminationGracePeriodSeconds: nothing to finish")
    labels = {"app": name}
    spec: Obj = {
        "priorityClassName": name,
        "terminationGracePeriodSeconds": grace,
        "automountServiceAccountToken": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": user,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [
            {
                "name": "pause",
                "image": f"{PAUSE}:3.10",
                "resources": {"requests": asked, "limits": {"memory": asked["memory"]}},
                "securityContext": hardened(),
            }
        ],
    }
    made = manifest(
        "Deployment",
        workload.namespace,
        name,
        spec={
            "replicas": count,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": spec},
        },
    )
    return [*drafts, Draft(path, "placeholder", written(made))]


@dataclass(frozen=True, slots=True)
class Room:
    """Whether a pool may grow as the surge needs."""

    pool: Pool
    nodes: int
    wanted_cpu: int
    arithmetic: str

    @property
    def short(self) -> bool:
        """Whether its limit is too low."""
        return self.pool.limit_cpu > 0 and self.wanted_cpu > self.pool.limit_cpu


def room(workload: Workload, scaler: Scaler, found: Surge, pool: Pool) -> Room:
    """The cores that the pool must be allowed: in use, the surge's nodes, and one more to replace a node."""
    extra, each = found.replicas - scaler.least, workload.container
    by_cpu = int(pool.node_cpu * (1 - SYSTEM_SHARE) / each.cpu) if each.cpu else 10**6
    by_memory = int(pool.node_memory * (1 - SYSTEM_SHARE) / each.memory) if each.memory else 10**6
    fit = max(1, min(by_cpu, by_memory))
    nodes = ceil(extra / fit)
    wanted = round(pool.used_cpu + (nodes + 1) * pool.node_cpu)
    words = (
        f"{pool.used_cpu:g} in use + ({nodes} nodes for {extra} pods, {fit} a node, + 1 spare)"
        f" x {pool.node_cpu:g} = {wanted}"
    )
    return Room(pool, nodes, wanted, words)


def pool_limit(workload: Workload, found: Room, reasons: Reasons) -> Draft:
    """The part of a NodePool that raises its limit."""
    path = reasons.file = f"{workload.name}/nodepool-limit.yaml"
    source = Source(f"NodePool {found.pool.name} and its nodes", "now", "as it stands")
    cpu = reasons.of(str(found.wanted_cpu), source, f"limits.cpu: {found.arithmetic}")
    made: dict[str, Any] = manifest("NodePool", "", found.pool.name, spec={"limits": {"cpu": cpu}})
    return Draft(path, "nodepool", written(made), whole=False)
