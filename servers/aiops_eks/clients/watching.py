"""What must hold after a step of a change, seen in the objects: pure functions behind `KubeEffects.look`.

A gate fails at once when the new pods show that they cannot become ready, so that a bad rollout stops after
one pod and not at its deadline. What was there before our own write (restarts of an old revision that comes
back, a deadline that the last rollout exceeded) is no verdict on it. Sources: Deployment status fields and
condition reasons from Kubernetes' `pkg/controller/deployment/util`, container waiting reasons from the
kubelet, StatefulSet and DaemonSet completion from kubectl's `rollout_status.go`.
"""

from collections.abc import Iterator
from datetime import datetime

from aiops_eks.planning.drafts import Obj, at, name_of, replicas_of
from aiops_shared.guardrails.models import GateResult

_HOPELESS = frozenset(
    {
        "CrashLoopBackOff",
        "ImagePullBackOff",
        "ErrImagePull",
        "ErrImageNeverPull",
        "InvalidImageName",
        "CreateContainerConfigError",
        "CreateContainerError",
        "RunContainerError",
    }
)
_ENDED_BADLY = frozenset({"OOMKilled", "Error", "ContainerCannotRun", "StartError"})
# Before the controller has seen the change, the newest revision is still the old one, and so are its pods.
_UNSEEN = GateResult(state="waiting", says="the controller has not seen the change yet")


def _status(obj: Obj, field: str) -> int:
    return int(at(obj, "status", field) or 0)


def observed(obj: Obj) -> bool:
    """Whether the controller has seen the latest spec."""
    return _status(obj, "observedGeneration") >= int(at(obj, "metadata", "generation") or 0)


def written_at(obj: Obj, manager: str) -> datetime | None:
    """When that field manager last wrote the object's spec, by its managedFields; None when it never did."""
    times = [
        datetime.fromisoformat(str(entry["time"]))
        for entry in at(obj, "metadata", "managedFields") or []
        if entry.get("manager") == manager and entry.get("time") and not entry.get("subresource")
    ]
    return max(times, default=None)


def _before(text: object, since: datetime | None) -> bool:
    """Whether a timestamp lies before our write; what is not known does not."""
    return since is not None and bool(text) and datetime.fromisoformat(str(text)) < since


def _containers(pod: Obj) -> Iterator[Obj]:
    for group in ("initContainerStatuses", "containerStatuses"):
        yield from at(pod, "status", group) or []


def trouble(pods: list[Obj], since: datetime | None = None) -> str:
    """Why the new pods cannot become ready, or nothing yet. Restarts before `since` are not theirs."""
    staying = [pod for pod in pods if not at(pod, "metadata", "deletionTimestamp")]
    return next(
        (
            f"new pod {name_of(pod)}: {why}"
            for pod in staying
            for status in _containers(pod)
            if (why := _trouble(status, since))
        ),
        "",
    )


def _trouble(status: Obj, since: datetime | None) -> str:
    reason = at(status, "state", "waiting", "reason")
    ended = at(status, "state", "terminated") or {}
    last = at(status, "lastState", "terminated") or {}
    if reason in _HOPELESS:
        return f"{reason}" + (f" ({last['reason']})" if last.get("reason") else "")
    if ended.get("reason") in _ENDED_BADLY and not _before(ended.get("finishedAt"), since):
        return f"container {status.get('name')} ended ({ended['reason']})"
    if int(status.get("restartCount") or 0) > 0 and not _before(last.get("finishedAt"), since):
        why = f" ({last['reason']})" if last.get("reason") else ""
        return f"container {status.get('name')} restarted{why}"
    return ""


def ready(pod: Obj) -> bool:
    """The pod's Ready condition, and not being deleted."""
    conditions = at(pod, "status", "conditions") or []
    stays = not at(pod, "metadata", "deletionTimestamp")
    return stays and any(item.get("type") == "Ready" and item.get("status") == "True" for item in conditions)


def canary_started(obj: Obj, new_pods: list[Obj]) -> GateResult:
    """One new replica is there; whether it is any good is the next gate's question."""
    if not observed(obj):
        return _UNSEEN
    found = [pod for pod in new_pods if not at(pod, "metadata", "deletionTimestamp")]
    if found:
        return GateResult(state="met", says=f"new pod {name_of(found[0])} was created")
    return GateResult(state="waiting", says="no new pod yet")


def canary_ready(obj: Obj, new_pods: list[Obj], since: datetime | None = None) -> GateResult:
    """One new replica runs and is ready."""
    if not observed(obj):
        return _UNSEEN
    if why := trouble(new_pods, since):
        return GateResult(state="failed", says=why)
    serving = [pod for pod in new_pods if ready(pod)]
    if serving:
        return GateResult(state="met", says=f"{len(serving)} new pod ready: {name_of(serving[0])}")
    return GateResult(state="waiting", says=f"{len(new_pods)} new pods, none ready yet")


def _stuck(obj: Obj, since: datetime | None) -> str:
    for item in at(obj, "status", "conditions") or []:
        exceeded = item.get("type") == "Progressing" and item.get("reason") == "ProgressDeadlineExceeded"
        if exceeded and not _before(item.get("lastUpdateTime"), since):
            return "the rollout exceeded its progress deadline"
    return ""


def _done(obj: Obj) -> tuple[bool, str]:
    kind = obj.get("kind")
    if kind == "DaemonSet":
        wanted = total = _status(obj, "desiredNumberScheduled")
        updated, available = _status(obj, "updatedNumberScheduled"), _status(obj, "numberAvailable")
        replicas = total
    else:
        total, replicas = replicas_of(obj), _status(obj, "replicas")
        held = at(obj, "spec", "updateStrategy", "rollingUpdate", "partition") if kind == "StatefulSet" else 0
        wanted = max(0, total - int(held or 0))
        updated = _status(obj, "updatedReplicas")
        available = _status(obj, "availableReplicas" if kind == "Deployment" else "readyReplicas")
    done = updated >= wanted and updated <= total and available == replicas == total
    return done, f"{updated} of {wanted} updated, {available} available"


def rollout_complete(obj: Obj, new_pods: list[Obj], since: datetime | None = None) -> GateResult:
    """Every replica runs the new template and is available (what `kubectl rollout status` waits for)."""
    if not observed(obj):
        return _UNSEEN
    if why := trouble(new_pods, since):
        return GateResult(state="failed", says=why)
    done, says = _done(obj)
    if done:
        return GateResult(state="met", says=says)
    stuck = _stuck(obj, since)
    return GateResult(state="failed" if stuck else "waiting", says=stuck or says)


def replicas_ready(obj: Obj, wanted: int) -> GateResult:
    """As many ready replicas as were asked for, and no more."""
    counts = (_status(obj, "replicas"), _status(obj, "readyReplicas"))
    says = f"{counts[1]} of {wanted} ready"
    met = observed(obj) and counts == (wanted, wanted)
    return GateResult(state="met" if met else "waiting", says=says)
