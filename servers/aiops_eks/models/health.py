"""Is it healthy? Judged from a server-side Table row (cheap), then from the object (exact).

Called by the readers that rank lists. In-progress things (starting, rolling, on the way out), finished Jobs
and pods that restarted long ago are not unhealthy. A kind without a rule is not judged.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from aiops_eks.models.fields import (
    Obj,
    ago,
    conditions_of,
    controller_of,
    count,
    items,
    moment,
    part,
    seconds_since,
    text,
    word,
)
from aiops_shared.results import Cell

OK, UNDERWAY, IMPAIRED, DOWN = 0, 1, 2, 3
Cells = Mapping[str, Cell]  # by lower-case column name

STARTING_S = 120.0  # how long starting is ordinary
RECENT_S = 600.0  # the kubelet forgets its back-off after ten minutes of running
FEW_RESTARTS = 2
_FOR = re.compile(r" for \d+[smhd]$")
_AGE = re.compile(r"(\d+)([smhdy])")
_AGE_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "y": 31_536_000}
_STARTING = {"Pending", "ContainerCreating", "PodInitializing", ""}
_DONE = {"Completed", "Succeeded"}
_ENDED = {"Error", "Failed", "Evicted", "OOMKilled", "ContainerStatusUnknown", "DeadlineExceeded"}
_NO_STATUS = re.compile(r"[^A-Za-z0-9_.:/-]")
HISTORY_S = 3600.0  # a replaced pod that ended longer ago is history


@dataclass(frozen=True, slots=True)
class Health:
    """A judgement: how bad (0-3), in a word or two, with the restarts that break ties."""

    badness: int
    word: str
    restarts: int = 0

    @property
    def unhealthy(self) -> bool:
        """Worth somebody's attention now."""
        return self.badness >= IMPAIRED


HEALTHY = Health(OK, "ok")


def without_time(word: str) -> str:
    """The state without how long it lasts (`not ready for 3m`): equal states compare equal."""
    return _FOR.sub("", word)


def seconds_of(age: object) -> float | None:
    """The seconds that a Table's age (`5d3h`, `22m`) stands for."""
    found = _AGE.findall(str(age))
    return sum(int(number) * _AGE_S[unit] for number, unit in found) if found else None


def _ratio(cell: Cell) -> tuple[int, int] | None:
    have, slash, want = str(cell).partition("/")
    return (int(have), int(want)) if slash and have.isdigit() and want.isdigit() else None


def _whole(cell: Cell) -> int:
    return int(str(cell)) if str(cell).isdigit() else 0


# --- from a Table row -------------------------------------------------------------------------------------


def _restarts(cell: Cell) -> tuple[int, float | None]:
    """`6 (2m ago)` as (6, 120 seconds)."""
    number, _, rest = str(cell).partition(" ")
    return (int(number) if number.isdigit() else 0), seconds_of(rest) if rest else None


def _pod_row(cells: Cells) -> Health:
    status = _NO_STATUS.sub("", str(cells.get("status") or ""))[:64]
    restarts, last_s = _restarts(cells.get("restarts"))
    if status in _DONE:
        return Health(OK, "completed", restarts)
    if status == "Running":
        return _running_row(cells, restarts, last_s)
    young = (seconds_of(cells.get("age")) or 0) < STARTING_S
    if status == "Terminating":
        return Health(UNDERWAY, "terminating", restarts)
    if status in _STARTING or re.fullmatch(r"Init:\d+/\d+", status):
        return Health(UNDERWAY, "starting", restarts) if young else Health(IMPAIRED, status, restarts)
    # Finished badly, long ago, never restarted: most often what a Job or an eviction left behind.
    left = not restarts and (seconds_of(cells.get("age")) or 0) > HISTORY_S and status in _ENDED
    return Health(IMPAIRED if left else DOWN, status, restarts)


def _running_row(cells: Cells, restarts: int, last_s: float | None) -> Health:
    ready = _ratio(cells.get("ready"))
    recent = last_s is not None and last_s < RECENT_S and restarts >= FEW_RESTARTS
    if ready and ready[0] < ready[1]:
        young = (seconds_of(cells.get("age")) or 0) < STARTING_S and not restarts
        return Health(UNDERWAY, "starting") if young else Health(IMPAIRED, "not ready", restarts)
    return Health(IMPAIRED, "restarting", restarts) if recent else Health(OK, "ok", restarts)


def _replicas(have: int, want: int) -> Health:
    if want == 0:
        return Health(OK, "scaled to zero")
    if have >= want:
        return HEALTHY
    return Health(DOWN if have == 0 else IMPAIRED, f"{have}/{want} ready")


def _ready_row(cells: Cells) -> Health:
    ready = _ratio(cells.get("ready"))
    return _replicas(*ready) if ready else HEALTHY


def _desired_row(cells: Cells) -> Health:
    want = _whole(cells.get("desired"))
    return HEALTHY if want == 0 else _replicas(_whole(cells.get("ready")), want)


def _node_row(cells: Cells) -> Health:
    status = str(cells.get("status") or "")
    if not status.startswith("Ready"):
        return Health(DOWN, status)
    return Health(IMPAIRED, "cordoned") if "SchedulingDisabled" in status else HEALTHY


def _job_row(cells: Cells) -> Health:
    status, done = str(cells.get("status") or ""), _ratio(cells.get("completions"))
    if status in {"Failed", "FailureTarget"}:
        old = (seconds_of(cells.get("age")) or 0) > HISTORY_S
        return Health(IMPAIRED if old else DOWN, "failed")
    if status in {"Complete", "SuccessCriteriaMet"} or (done and done[0] >= done[1]):
        return Health(OK, "completed")
    return Health(UNDERWAY, status.lower() or "running")


def _phase(good: str, underway: str = "") -> Callable[[Cells], Health]:
    def judge(cells: Cells) -> Health:
        status = str(cells.get("status") or "")
        if status in good.split():
            return HEALTHY
        young = (seconds_of(cells.get("age")) or 0) < STARTING_S
        return Health(UNDERWAY if young and status in underway.split() else DOWN, status or "unknown")

    return judge


def _hpa_row(cells: Cells) -> Health:
    if "<unknown>" in str(cells.get("targets")):
        return Health(IMPAIRED, "no metrics")
    most = _whole(cells.get("maxpods"))
    return Health(IMPAIRED, "at maximum") if most and _whole(cells.get("replicas")) >= most else HEALTHY


def _cronjob_row(cells: Cells) -> Health:
    return Health(UNDERWAY, "suspended") if str(cells.get("suspend")).lower() == "true" else HEALTHY


def _ingress_row(cells: Cells) -> Health:
    return HEALTHY if cells.get("address") else Health(IMPAIRED, "no address")


_ROWS: dict[str, Callable[[Cells], Health]] = {
    "Pod": _pod_row,
    "Deployment": _ready_row,
    "StatefulSet": _ready_row,
    "DaemonSet": _desired_row,
    "ReplicaSet": _desired_row,
    "ReplicationController": _desired_row,
    "Node": _node_row,
    "Job": _job_row,
    "CronJob": _cronjob_row,
    "HorizontalPodAutoscaler": _hpa_row,
    "Ingress": _ingress_row,
    "PersistentVolumeClaim": _phase("Bound", "Pending"),
    "PersistentVolume": _phase("Bound Available Released"),
    "Namespace": _phase("Active", "Terminating"),
}
_SIGNS = ("ready", "available", "healthy", "synced", "established", "health status")  # CRDs' own columns


def judge_row(kind: str, cells: Cells) -> Health | None:
    """The judgement a Table row allows; None when the kind says nothing about health."""
    rule = _ROWS.get(kind)
    if rule is not None:
        return rule(cells)
    for sign in _SIGNS:
        value = str(cells.get(sign) or "")
        if value in {"False", "Degraded", "Missing", "Unknown"}:
            return Health(DOWN, value if sign == "health status" else f"{sign}={value}")
        if value in {"True", "Healthy"}:
            return HEALTHY
    return None


# --- from the object --------------------------------------------------------------------------------------


def judge_object(kind: str, obj: Obj, now: datetime) -> Health | None:
    """The exact judgement, with the reason; None when the kind has no rule."""
    rule = _EXACT.get(kind)
    return rule(obj, now) if rule else None


def _judge_pod(pod: Obj, now: datetime) -> Health:
    statuses = [*items(pod, "status", "initContainerStatuses"), *items(pod, "status", "containerStatuses")]
    restarts = sum(count(each, "restartCount") for each in statuses)
    found = [_judge_phase(pod, now), *(_judge_container(pod, each, now) for each in statuses)]
    if text(pod, "status", "phase") in {"Succeeded", "Failed"} or text(pod, "metadata", "deletionTimestamp"):
        found = found[:1]
    worst = max((each for each in found if each), key=lambda each: each.badness, default=HEALTHY)
    return Health(worst.badness, worst.word, restarts)


def _judge_phase(pod: Obj, now: datetime) -> Health | None:
    phase, reason = text(pod, "status", "phase"), word(pod, "status", "reason")
    gone_s = seconds_since(now, moment(pod, "metadata", "deletionTimestamp"))
    if gone_s is not None:
        stuck = gone_s > 300  # deletionTimestamp already holds the grace period
        return (
            Health(IMPAIRED, f"terminating for {ago(gone_s)}") if stuck else Health(UNDERWAY, "terminating")
        )
    if phase == "Succeeded":
        return Health(OK, "completed")
    if phase == "Failed":
        return _judge_failed(pod, reason, now)
    scheduled = conditions_of(pod).get("PodScheduled", {})
    if phase == "Pending" and text(scheduled, "status") == "False":
        age_s = seconds_since(now, moment(pod, "metadata", "creationTimestamp")) or 0
        return Health(DOWN if age_s > 60 else UNDERWAY, word(scheduled, "reason") or "Unschedulable")
    return None


def _judge_failed(pod: Obj, reason: str, now: datetime) -> Health:
    """A failed pod that a controller replaces is history after an hour; a bare one stays broken."""
    ends = [part(status, "state", "terminated") for status in items(pod, "status", "containerStatuses")]
    how = reason or next((ending(end) for end in ends if count(end, "exitCode")), "") or "Failed"
    ended = max((at for end in ends if (at := moment(end, "finishedAt"))), default=None)
    ended_s = seconds_since(now, ended or moment(pod, "metadata", "creationTimestamp")) or 0
    if controller_of(pod) is None:
        return Health(DOWN, how)
    return Health(OK, f"{how}, {ago(ended_s)} ago") if ended_s > HISTORY_S else Health(IMPAIRED, how)


def ending(terminated: Obj) -> str:
    """How a run of a container ended: `OOMKilled`, `Error, exit 1`."""
    reason, code = word(terminated, "reason"), count(terminated, "exitCode")
    if reason in {"OOMKilled", "Completed"} or not terminated:
        return reason
    return f"{reason or 'ended'}, exit {code}"


def _judge_container(pod: Obj, status: Obj, now: datetime) -> Health | None:
    last = part(status, "lastState", "terminated")
    waiting, running = part(status, "state", "waiting"), part(status, "state", "running")
    ended = part(status, "state", "terminated")
    why = f" ({ending(last)})" if last else ""
    if waiting:
        return _judge_waiting(pod, status, now, why)
    if ended:
        return Health(DOWN, ending(ended)) if count(ended, "exitCode") else None
    if not running:
        return None
    return _judge_running(status, now, why)


def _judge_waiting(pod: Obj, status: Obj, now: datetime, why: str) -> Health:
    reason = word(status, "state", "waiting", "reason")
    if reason not in _STARTING:
        return Health(DOWN, f"{reason}{why}")
    age_s = seconds_since(now, moment(pod, "metadata", "creationTimestamp")) or 0
    if age_s < STARTING_S:
        return Health(UNDERWAY, "starting")
    return Health(IMPAIRED, f"{reason or 'waiting'} for {ago(age_s)}")


def _judge_running(status: Obj, now: datetime, why: str) -> Health:
    restarts = count(status, "restartCount")
    up_s = seconds_since(now, moment(status, "state", "running", "startedAt")) or 0
    fresh = up_s < RECENT_S and restarts >= FEW_RESTARTS
    if status.get("ready") is True or (status.get("started") is True and "ready" not in status):
        return Health(IMPAIRED, f"restarting{why}") if fresh else HEALTHY
    if up_s < STARTING_S and not restarts:
        return Health(UNDERWAY, "starting")
    return Health(IMPAIRED, f"{'restarting, ' if fresh else ''}not ready{why}")


def _judge_rollout(obj: Obj, now: datetime) -> Health:
    """Deployments and StatefulSets: a rollout within its deadline is under way, not broken."""
    want, have = count(obj, "spec", "replicas", otherwise=1), count(obj, "status", "readyReplicas")
    conditions, plain = conditions_of(obj), _replicas(have, want)
    failed = conditions.get("ReplicaFailure", {})
    if text(failed, "status") == "True":
        return Health(DOWN, f"{have}/{want} ready ({word(failed, 'reason') or 'ReplicaFailure'})")
    progress = conditions.get("Progressing", {})
    if text(progress, "status") == "False":
        return Health(max(IMPAIRED, plain.badness), f"{have}/{want} ready ({word(progress, 'reason')})")
    moving_s = seconds_since(now, moment(progress, "lastUpdateTime"))
    if plain.unhealthy and word(progress, "reason") == "ReplicaSetUpdated" and (moving_s or 0) < STARTING_S:
        return Health(UNDERWAY, f"rolling out, {have}/{want} ready")
    return plain


def _judge_node(node: Obj, now: datetime) -> Health:
    conditions = conditions_of(node)
    ready = conditions.get("Ready", {})
    if text(ready, "status") != "True":
        return Health(DOWN, f"NotReady ({word(ready, 'reason') or 'unknown'})")
    # Every other condition, the Node Monitoring Agent's too, is either good when False or ends in Ready.
    bad = [
        name
        for name, each in conditions.items()
        if name != "Ready" and text(each, "status") == ("False" if name.endswith("Ready") else "True")
    ]
    if bad:
        return Health(IMPAIRED, ", ".join(sorted(bad)))
    return Health(IMPAIRED, "cordoned") if part(node, "spec").get("unschedulable") is True else HEALTHY


def _judge_job(job: Obj, now: datetime) -> Health:
    conditions = conditions_of(job)
    failed = conditions.get("Failed", {})
    if text(failed, "status") == "True":
        since_s = seconds_since(now, moment(failed, "lastTransitionTime")) or 0
        if since_s > HISTORY_S and (controller_of(job) or ("", "", ""))[1] == "CronJob":
            return Health(OK, f"failed {ago(since_s)} ago")  # the CronJob says whether its last run failed
        return Health(DOWN, f"failed ({word(failed, 'reason')})")
    if text(conditions.get("Complete", {}), "status") == "True":
        return Health(OK, "completed")
    if part(job, "spec").get("suspend") is True:
        return Health(UNDERWAY, "suspended")
    retries = count(job, "status", "failed")
    return Health(IMPAIRED, f"{retries} failed tries") if retries else Health(UNDERWAY, "running")


def _judge_cronjob(cron: Obj, now: datetime) -> Health:
    if part(cron, "spec").get("suspend") is True:
        return Health(UNDERWAY, "suspended")
    ran, well = moment(cron, "status", "lastScheduleTime"), moment(cron, "status", "lastSuccessfulTime")
    if ran is None or items(cron, "status", "active"):
        return HEALTHY
    if well is None or well < ran:
        return Health(IMPAIRED, f"last run not successful, {ago(seconds_since(now, ran))} ago")
    return HEALTHY


def _judge_hpa(hpa: Obj, now: datetime) -> Health:
    conditions = conditions_of(hpa)
    for name in ("AbleToScale", "ScalingActive"):
        each = conditions.get(name, {})
        if text(each, "status") == "False" and word(each, "reason") != "ScalingDisabled":
            return Health(IMPAIRED, f"{name}=False ({word(each, 'reason')})")
    most, current = count(hpa, "spec", "maxReplicas"), count(hpa, "status", "currentReplicas")
    return Health(IMPAIRED, f"at maximum ({current}/{most})") if most and current >= most else HEALTHY


_EXACT: dict[str, Callable[[Obj, datetime], Health]] = {
    "Pod": _judge_pod,
    "Deployment": _judge_rollout,
    "StatefulSet": _judge_rollout,
    "Node": _judge_node,
    "Job": _judge_job,
    "CronJob": _judge_cronjob,
    "HorizontalPodAutoscaler": _judge_hpa,
}
