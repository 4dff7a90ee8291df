"""What must hold after a step of a change, seen in the objects: pure functions behind `KubeEffects.look`.

A gate fails at once when the new pods show that they cannot become ready, so that a bad rollout stops after
one pod and not at its deadline. Sources: Deployment status fields and condition reasons from Kubernetes'
`pkg/controller/deployment/util`, container waiting reasons from the kubelet.
"""

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


# Before the controller has seen the change, the newest revision is still the old one, and so are its pods.
_UNSEEN = GateResult(state="waiting", says="the controller has not seen the change yet")


def _status(obj: Obj, field: str) -> int:
    return int(at(obj, "status", field) or 0)


def observed(obj: Obj) -> bool:
    """Whether the controller has seen the latest spec."""
    return _status(obj, "observedGeneration") >= int(at(obj, "metadata", "generation") or 0)


def trouble(pods: list[Obj]) -> str:
    """Why the new pods cannot become ready, or nothing yet."""
    for pod in pods:
        for status in at(pod, "status", "containerStatuses") or []:
            reason = at(status, "state", "waiting", "reason")
            ended = at(status, "state", "terminated", "reason")
            if reason in _HOPELESS:
                last = at(status, "lastState", "terminated", "reason")
                return f"new pod {name_of(pod)}: {reason}" + (f" ({last})" if last else "")
            if ended in {"OOMKilled", "Error", "ContainerCannotRun", "StartError"}:
                return f"new pod {name_of(pod)}: container {status.get('name')} ended ({ended})"
            if int(status.get("restartCount") or 0) > 0:
                return f"new pod {name_of(pod)}: container {status.get('name')} restarted"
    return ""


def ready(pod: Obj) -> bool:
    """The pod's Ready condition, and not being deleted."""
    conditions = at(pod, "status", "conditions") or []
    stays = not at(pod, "metadata", "deletionTimestamp")
    return stays and any(item.get("type") == "Ready" and item.get("status") == "True" for item in conditions)


def canary_ready(obj: Obj, new_pods: list[Obj]) -> GateResult:
    """One new replica runs and is ready."""
    if not observed(obj):
        return _UNSEEN
    if why := trouble(new_pods):
        return GateResult(state="failed", says=why)
    serving = [pod for pod in new_pods if ready(pod)]
    if observed(obj) and serving:
        return GateResult(state="met", says=f"{len(serving)} new pod ready: {name_of(serving[0])}")
    return GateResult(state="waiting", says=f"{len(new_pods)} new pods, none ready yet")


def _stuck(obj: Obj) -> str:
    for item in at(obj, "status", "conditions") or []:
        if item.get("type") == "Progressing" and item.get("reason") == "ProgressDeadlineExceeded":
            return "the rollout exceeded its progress deadline"
    return ""


def rollout_complete(obj: Obj, new_pods: list[Obj]) -> GateResult:
    """Every replica runs the new template and is available (what `kubectl rollout status` waits for)."""
    if not observed(obj):
        return _UNSEEN
    if why := trouble(new_pods):
        return GateResult(state="failed", says=why)
    kind = obj.get("kind")
    if kind == "DaemonSet":
        wanted = _status(obj, "desiredNumberScheduled")
        counts = (_status(obj, "updatedNumberScheduled"), _status(obj, "numberAvailable"), wanted)
    else:
        wanted = replicas_of(obj)
        available = "availableReplicas" if kind == "Deployment" else "readyReplicas"
        counts = (_status(obj, "updatedReplicas"), _status(obj, available), _status(obj, "replicas"))
    says = f"{counts[0]} of {wanted} updated, {counts[1]} available"
    if observed(obj) and counts == (wanted, wanted, wanted):
        return GateResult(state="met", says=says)
    return GateResult(state="failed" if _stuck(obj) else "waiting", says=_stuck(obj) or says)


def replicas_ready(obj: Obj, wanted: int) -> GateResult:
    """As many ready replicas as were asked for, and no more."""
    counts = (_status(obj, "replicas"), _status(obj, "readyReplicas"))
    says = f"{counts[1]} of {wanted} ready"
    met = observed(obj) and counts == (wanted, wanted)
    return GateResult(state="met" if met else "waiting", says=says)
