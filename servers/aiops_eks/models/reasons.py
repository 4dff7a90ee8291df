"""Why a pod is unwell, in the few words that a row of a list has room for.

Called by the list of suspects, with the whole pod. Health says the state (`CrashLoopBackOff (OOMKilled)`);
this says what lies behind it, as far as the pod itself tells: the container's last words, the registry's
answer, the scheduler's count, the finalizer. Texts are the cluster's own: they belong in fields marked
untrusted. They are redacted before anything is torn out of them. Pure.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from aiops_eks.models.fields import Obj, conditions_of, count, items, part, text, word, words

MESSAGE_CHARS = 4_096  # the kubelet keeps no longer termination message; events are shorter still
_PULLING = frozenset({"ImagePullBackOff", "ErrImagePull", "ErrImageNeverPull", "RegistryUnavailable"})
_STARTING = frozenset({"", "ContainerCreating", "PodInitializing", "Pending"})
_KILLED = frozenset({137, 143})  # SIGKILL and SIGTERM
_UNAVAILABLE = re.compile(r"^\d{1,6}/\d{1,6} nodes are available: ")
_ENDS_OF_CHAINS = ("exec: ", "error mounting ")  # where runc's wrapped errors come to the point


@dataclass(frozen=True, slots=True)
class _Part:
    """A container that is not well: declared and as it is."""

    init: bool
    declared: Obj
    status: Obj

    @property
    def ended(self) -> Obj:
        """Its newest end, if any."""
        now = part(self.status, "state", "terminated")
        return now or part(self.status, "lastState", "terminated")


@dataclass(frozen=True, slots=True)
class Reasons:
    """Reads causes; `clean` redacts a text."""

    clean: Callable[[str], str]

    def of(self, pod: Obj) -> str:
        """The cause that the pod itself tells; empty when it tells none."""
        if text(pod, "metadata", "deletionTimestamp"):
            return _held_by(pod)
        if text(pod, "status", "phase") == "Failed":
            ends = (self._last_words(each.ended) for each in _broken(pod))
            return self._said(text(pod, "status", "message")) or next(filter(None, ends), "")
        scheduled = conditions_of(pod).get("PodScheduled", {})
        if text(scheduled, "status") == "False":
            return _counted_nodes(self._said(text(scheduled, "message")))
        return next(filter(None, self._of_containers(pod)), "")

    def in_events(self, events: Iterable[Obj]) -> str:
        """What the newest telling event about a pod says; empty when none does."""
        newest = sorted(events, key=lambda each: text(each, "lastTimestamp"), reverse=True)
        for reasons, sign, shortened in _TELLING:
            for event in newest:
                message = text(event, "message")
                if text(event, "reason") in reasons and sign in message:
                    return shortened(self._said(message))
        return ""

    def _said(self, message: str) -> str:
        return self.clean(message[:MESSAGE_CHARS]).strip()

    def _of_containers(self, pod: Obj) -> Iterator[str]:
        several = len(items(pod, "spec", "containers")) > 1
        for each in _broken(pod):
            name = text(each.status, "name")
            where = f"init {name}" if each.init else (name if several else "")
            why = self._why(each)
            yield ": ".join(said for said in (where, why) if said)

    def _why(self, each: _Part) -> str:
        waiting = part(each.status, "state", "waiting")
        reason = text(waiting, "reason")
        if reason in _PULLING or reason == "InvalidImageName":
            return self._of_image(each, text(waiting, "message"), pulled=reason in _PULLING)
        if waiting and reason not in _STARTING | {"CrashLoopBackOff"}:
            return _end_of_chain(self._said(text(waiting, "message")))
        if part(each.status, "state", "running") and each.status.get("ready") is not True:
            return _probed(each)
        return "" if waiting and reason in _STARTING else self._last_words(each.ended)

    def _of_image(self, each: _Part, message: str, *, pulled: bool) -> str:
        """The registry's answer; before Kubernetes 1.31 the back-off message did not hold it."""
        _, told, answer = self._said(message).partition("ErrImagePull: ")
        said = answer if told else ("" if pulled else self._said(message))
        image = text(each.status, "image").rpartition("/")[2]
        return f"{image}: {_registry_said(said)}" if said else ""

    def _last_words(self, ended: Obj) -> str:
        """The last line that a container left behind, which says how it ended."""
        lines = [line.strip() for line in self._said(text(ended, "message")).splitlines() if line.strip()]
        return _end_of_chain(lines[-1]) if lines else ""


def tells_enough(pod: Obj) -> bool:
    """Whether the pod names its cause; otherwise only its events do (a mount, a probe, an old kubelet)."""
    settled = text(pod, "metadata", "deletionTimestamp") or text(pod, "status", "phase") == "Failed"
    if settled or text(conditions_of(pod).get("PodScheduled", {}), "status") == "False":
        return True
    for each in _broken(pod):
        waiting = part(each.status, "state", "waiting")
        reason = text(waiting, "reason")
        if reason in _PULLING:
            return "ErrImagePull: " in text(waiting, "message")
        if waiting and reason not in _STARTING | {"CrashLoopBackOff"}:
            return bool(text(waiting, "message"))
        ended = each.ended
        # Killed without being out of memory: the pod does not say by whom.
        killed = count(ended, "exitCode") in _KILLED and text(ended, "reason") != "OOMKilled"
        return bool(ended) and not killed
    return False


def _broken(pod: Obj) -> Iterator[_Part]:
    """What is not well, in the order in which a pod starts."""
    for init, declared, key in (
        (True, "initContainers", "initContainerStatuses"),
        (False, "containers", "containerStatuses"),
    ):
        containers = {text(each, "name"): each for each in items(pod, "spec", declared)}
        for status in items(pod, "status", key):
            done = text(status, "state", "terminated", "reason") == "Completed"
            behind = text(status, "state", "waiting", "reason") == "PodInitializing"
            sound = status.get("ready") is True and not count(status, "restartCount")
            if not (done or behind or sound):
                yield _Part(init, containers.get(text(status, "name"), {}), status)


def _held_by(pod: Obj) -> str:
    finalizers = words(pod, "metadata", "finalizers")
    if finalizers:
        return f"finalizer {', '.join(finalizers)}"
    reason = word(conditions_of(pod).get("DisruptionTarget", {}), "reason")
    node = text(pod, "spec", "nodeName")
    silent = f"{node} has not confirmed" if node else ""
    return ", ".join(each for each in (reason, silent) if each)


def _counted_nodes(message: str) -> str:
    """The scheduler's count without the total (it is in the nodes' list) and without preemption."""
    return _UNAVAILABLE.sub("", message.partition(" preemption: ")[0]).rstrip(".")


def _registry_said(answer: str) -> str:
    """The end of containerd's chain, without the image's name that it repeats up to four times."""
    at = answer.rfind("dial tcp ")
    return answer[at:] if at >= 0 else answer.rpartition(": ")[2]


def _end_of_chain(message: str) -> str:
    at = max(message.find(sign) for sign in _ENDS_OF_CHAINS)
    return message[max(at, 0) :].removesuffix(": unknown")


def _probed(each: _Part) -> str:
    starting = each.status.get("started") is False and bool(part(each.declared, "startupProbe"))
    kind = "startup" if starting else "readiness"
    probe = part(each.declared, f"{kind}Probe")
    return f"{kind} probe {_handler(probe)} fails" if probe else ""


def _handler(probe: Obj) -> str:
    http = part(probe, "httpGet")
    port = part(probe, "tcpSocket") or part(probe, "grpc")
    if http:
        return f":{text(http, 'port')}{text(http, 'path')}"
    return f":{text(port, 'port')}" if port else " ".join(words(probe, "exec", "command"))


# Reasons of events, a sign in their message, and how it is shortened; the first that is there speaks.
# Written by pkg/kubelet (kuberuntime, prober, volumemanager) and by the attach/detach controller.
_TELLING: tuple[tuple[frozenset[str], str, Callable[[str], str]], ...] = (
    (frozenset({"FailedMount", "FailedAttachVolume"}), "", _end_of_chain),
    (frozenset({"FailedCreatePodSandBox"}), "", _end_of_chain),
    (frozenset({"Killing"}), "probe", str),
    (frozenset({"Unhealthy"}), "", str),
    (frozenset({"Failed"}), "pull", _registry_said),
)
