"""Pods that have a node and still do not get on, or do not get away.

Asked last: what no other rule knows ends here, with the kubelet's own words quoted rather than a guess.
Sources: `pkg/kubelet/kuberuntime` (containers), `pkg/registry/core/pod` (graceful deletion).
"""

from collections.abc import Callable
from dataclasses import replace

from aiops_eks.diagnosis.case import EVENT_RECENT_S, RECENT_S, STARTING, Case
from aiops_eks.diagnosis.findings import CaseRule, Cause, Told
from aiops_eks.diagnosis.objects import Ref
from aiops_eks.diagnosis.quantities import duration_text
from aiops_eks.diagnosis.quoting import plain_name, quoted
from aiops_shared.results import Evidence

TERMINATING_GRACE_S = 300.0
INIT_WAITS = Cause(
    code="INIT_CONTAINER_WAITS",
    severity="high",
    means="An init container runs and never ends, so the pod never starts.",
    told_by="An init container has been running for ten minutes and the pod is Pending. One that fails is "
    "told by "
    "how it ends (APP_ERROR and its kin); one that is in its first minutes is still at work.",
    source="pod lifecycle: init containers run to completion in order",
    next_step="get_pod_logs of the init container: what does it wait for?",
    sop="pod-crashloop",
)
STUCK_TERMINATING = Cause(
    code="STUCK_TERMINATING",
    severity="medium",
    means="The pod should have been gone minutes ago.",
    told_by="deletionTimestamp passed more than five minutes ago: a finalizer holds it, or its node is gone "
    "or does "
    "not answer, or its kubelet has not confirmed the end. While the node has a finding, it is a symptom of "
    "that.",
    source="pkg/registry/core/pod (graceful deletion); pkg/controller/podgc",
    next_step="a finalizer: ask its controller, is it still installed? A lost node: get it back, or remove "
    "the Node "
    "object when its machine is gone",
)
CREATE_FAILED = Cause(
    code="CONTAINER_CREATE_FAILED",
    severity="high",
    means="The runtime cannot create or start the container; its words are quoted.",
    told_by="CreateContainerError, RunContainerError, CreateContainerConfigError or a failed hook, with "
    "a message "
    "that no other code knows.",
    source="pkg/kubelet/kuberuntime/kuberuntime_container.go",
    next_step="read the quote",
    sop="pod-crashloop",
)
RUN_AS_ROOT_REFUSED = Cause(
    code="RUN_AS_ROOT_REFUSED",
    severity="high",
    means="The pod demands a non-root user and the image runs as root.",
    told_by="`container has runAsNonRoot and image will run as root` (or a non-numeric user).",
    source="pkg/kubelet/kuberuntime/security_context.go",
    next_step="set runAsUser to a number above 0, or build the image with a numeric USER",
)
POD_STUCK = Cause(
    code="POD_STUCK",
    severity="medium",
    means="The pod does not become ready and nothing that could be read says why.",
    told_by="No other code fits.",
    source="pod status",
    next_step="get_resource of the pod and list_events of its namespace",
)


def _told(
    case: Case, cause: Cause, predicate: str, text: str, *extra: Evidence, at: Ref | None = None
) -> Told:
    evidence = (case.status_evidence(), *extra)
    return Told(
        cause=cause,
        at=at or case.subject,
        subject=case.subject,
        predicate=predicate,
        root_cause=text,
        hurts=(case.pod.ref,),
        evidence=evidence,
        agree=len(evidence) + (cause is not POD_STUCK),
    )


def init_waits(case: Case) -> Told | None:
    """INIT_CONTAINER_WAITS."""
    container = case.container
    if container is None or container.role != "init" or container.running_since is None:
        return None
    age = duration_text(case.facts.age_s(container.running_since))
    last = (case.log_evidence(case.lines[-1]),) if case.lines else ()
    text = f"Init container {container.name} of {case.pod.ref} has run for {age} and does not end."
    predicate = f"cannot start: init container {container.name} never ends"
    return _told(case, INIT_WAITS, predicate, text, *last)


def terminating(case: Case) -> Told | None:
    """STUCK_TERMINATING."""
    pod = case.pod
    late_s = case.facts.age_s(pod.deleted_at) if pod.deleted_at else 0
    if case.container is not None or late_s < TERMINATING_GRACE_S:
        return None
    since = f"{pod.ref} should have ended {duration_text(late_s)} ago"
    if pod.finalizers:
        why = f"the finalizers {', '.join(plain_name(f) for f in pod.finalizers[:3])} hold it"
        said = Evidence(source="kubernetes", query=f"{pod.ref} metadata.finalizers", says=why)
        return _told(
            case, STUCK_TERMINATING, f"does not go away: {why}", f"{since}: {why}.", said, at=pod.ref
        )
    if pod.node and not _is_ready(case, pod.node):
        node = case.facts.node(pod.node)
        why = f"node {pod.node} {'does not answer' if node else 'is gone'}"
        told = _told(case, STUCK_TERMINATING, f"does not go away: {why}", f"{since}: {why}.", at=pod.ref)
        return replace(told, explained_by=(node.ref,)) if node else told
    why = "its kubelet has not confirmed the end"
    return _told(case, STUCK_TERMINATING, f"does not go away: {why}", f"{since}: {why}.", at=pod.ref)


def _is_ready(case: Case, name: str) -> bool:
    node = case.facts.node(name)
    ready = node.condition("Ready") if node else None
    return ready is not None and ready.status == "True"


def create_failed(case: Case) -> Told | None:
    """RUN_AS_ROOT_REFUSED or CONTAINER_CREATE_FAILED."""
    container = case.container
    if container is None or container.waiting_reason in STARTING | {"CrashLoopBackOff"}:
        return None
    says = Evidence(
        source="kubernetes",
        query=f"{case.pod.ref} container {container.name}",
        says=quoted(container.waiting_message),
    )
    if "runAsNonRoot" in container.waiting_message:
        text = f"Container {container.name} must not run as root, and its image does."
        return _told(case, RUN_AS_ROOT_REFUSED, "cannot start: its image runs as root", text, says)
    text = (
        f"Container {container.name} waits with {container.waiting_reason}; the runtime's words are quoted."
    )
    return _told(case, CREATE_FAILED, f"cannot start: {container.waiting_reason}", text, says)


def stuck(case: Case) -> Told | None:
    """POD_STUCK: the honest rest, only for pods that should long be ready."""
    pod = case.pod
    if pod.deleted_at is not None or pod.phase not in {"Pending", "Running"}:
        return None
    warnings = [e for e in case.events if e.warning and case.facts.age_s(e.last_at) <= EVENT_RECENT_S]
    if case.container is None and case.facts.age_s(pod.created_at) < RECENT_S and not warnings:
        return None
    quotes = [case.event_evidence(e) for e in warnings[:1]]
    why = "the warning that is quoted is all there is" if quotes else "no event, status or log says why"
    return _told(
        case, POD_STUCK, f"does not become ready; {why}", f"{pod.ref} does not become ready; {why}.", *quotes
    )


_ASKED: tuple[tuple[tuple[Cause, ...], Callable[[Case], Told | None]], ...] = (
    ((INIT_WAITS,), init_waits),
    ((STUCK_TERMINATING,), terminating),
    ((RUN_AS_ROOT_REFUSED, CREATE_FAILED), create_failed),
    ((POD_STUCK,), stuck),
)
RULES = tuple(CaseRule(causes, explain) for causes, explain in _ASKED)
