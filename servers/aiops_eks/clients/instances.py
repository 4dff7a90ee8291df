"""Which container, and which instance of it, holds the lines that matter.

Called by the log reader. Pure: from a pod's status to a decision that the answer can explain.
"""

from dataclasses import dataclass
from datetime import datetime

from aiops_eks.models.answers import Previous
from aiops_eks.models.fields import Obj, ago, count, items, moment, name_of, part, seconds_since, text, word
from aiops_eks.models.health import RECENT_S, ending
from aiops_shared.errors import NotFoundError

JUST_STARTED_S = 60.0
_DEFAULT = "kubectl.kubernetes.io/default-container"


@dataclass(frozen=True, slots=True)
class Instance:
    """One run of one container."""

    pod: str
    container: str
    previous: bool
    state: str  # for people: "previous, ended OOMKilled 2m ago after 70s"
    readable: bool = True  # false: it never ran, there is nothing to read
    fallback: bool = False  # the current log may be empty: the previous one then
    ended: str = ""  # how it ended: OOMKilled
    message: str = ""  # what the kubelet says about it: text from the cluster


def container_names(pod: Obj) -> list[str]:
    """All containers, the ordinary ones first."""
    kinds = ("containers", "initContainers", "ephemeralContainers")
    return [text(each, "name") for kind in kinds for each in items(pod, "spec", kind)]


def _statuses(pod: Obj) -> dict[str, Obj]:
    kinds = ("containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses")
    return {text(each, "name"): each for kind in kinds for each in items(pod, "status", kind)}


def container_in_trouble(pod: Obj) -> str:
    """The container that keeps the pod from being well; else the default one, else the first."""
    names = container_names(pod)
    worst = max(names, key=lambda name: _trouble(_statuses(pod).get(name, {})), default="")
    if worst and _trouble(_statuses(pod).get(worst, {})) > 0:
        return worst
    default = text(pod, "metadata", "annotations", _DEFAULT)
    return default if default in names else (names[0] if names else "")


def _trouble(status: Obj) -> int:
    waiting = text(status, "state", "waiting", "reason")
    if waiting and waiting not in {"ContainerCreating", "PodInitializing"}:
        return 4
    if count(status, "state", "terminated", "exitCode"):
        return 3
    if part(status, "state", "running") and status.get("ready") is False:
        return 2
    return 1 if count(status, "restartCount") else 0


def instance(pod: Obj, wanted: str, previous: Previous, now: datetime) -> Instance:
    """The run to read. Raises NotFoundError for an unknown container, or when no previous run exists."""
    names, pod_name = container_names(pod), name_of(pod)
    container = wanted or container_in_trouble(pod)
    if container not in names:
        raise NotFoundError(
            f"container {container} of pod {pod_name}", "no such container", f"it has: {', '.join(names)}"
        )
    status = _statuses(pod).get(container, {})
    last = part(status, "lastState", "terminated")
    if previous == "yes" and not last:
        raise NotFoundError(
            f"previous instance of {pod_name}/{container}", "it never restarted", "use previous=auto"
        )
    if previous == "yes" or (previous == "auto" and last and part(status, "state", "waiting")):
        return Instance(pod_name, container, True, _ended(last, "previous", now), ended=word(last, "reason"))
    return _current(pod_name, container, status, now, auto=previous == "auto")


def earlier(pod: Obj, current: Instance, now: datetime) -> Instance:
    """The run before the current one."""
    last = part(_statuses(pod).get(current.container, {}), "lastState", "terminated")
    state = f"{_ended(last, 'previous', now)}; {current.state}"
    return Instance(current.pod, current.container, True, state, ended=word(last, "reason"))


def _current(pod: str, container: str, status: Obj, now: datetime, *, auto: bool) -> Instance:
    last, running = part(status, "lastState", "terminated"), part(status, "state", "running")
    ended, waiting = part(status, "state", "terminated"), part(status, "state", "waiting")
    if running:
        up_s = seconds_since(now, moment(running, "startedAt"))
        died_s = seconds_since(now, moment(last, "finishedAt"))
        recent = auto and died_s is not None and died_s < RECENT_S
        return Instance(pod, container, False, f"current, running {ago(up_s)}", fallback=recent)
    if ended:
        return Instance(pod, container, False, _ended(ended, "current", now), ended=word(ended, "reason"))
    if last:
        return Instance(pod, container, False, _ended(last, "current", now), ended=word(last, "reason"))
    why = word(waiting, "reason") or "no status yet"
    message = text(waiting, "message")
    return Instance(pod, container, False, f"never started: {why}", readable=False, message=message)


def unproven(pod: Obj, container: str, now: datetime) -> bool:
    """Whether the current run is too young to have said much, or not ready: the run before it matters too."""
    status = _statuses(pod).get(container, {})
    age_s = seconds_since(now, moment(status, "state", "running", "startedAt"))
    return status.get("ready") is False or (age_s is not None and age_s < JUST_STARTED_S)


def _ended(terminated: Obj, which: str, now: datetime) -> str:
    finished, started = moment(terminated, "finishedAt"), moment(terminated, "startedAt")
    since = ago(seconds_since(now, finished))
    ran = ago((finished - started).total_seconds()) if finished and started else ""
    return (
        f"{which}, ended {ending(terminated) or 'somehow'}"
        f"{f' {since} ago' if since else ''}{f' after {ran}' if ran else ''}"
    )
