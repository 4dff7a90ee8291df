"""Pods that have a node and still do not get on, or do not get away.

Asked last: what no other rule knows ends here, with the kubelet's own words quoted rather than a guess.
Sources: `pkg/kubelet/kuberuntime` (sandbox), amazon-vpc-cni-k8s ipamd (addresses), `pkg/kubelet/eviction`.
"""

from collections.abc import Callable
from dataclasses import replace

from aiops_eks.diagnosis.case import EVENT_RECENT_S, RECENT_S, STARTING, Case
from aiops_eks.diagnosis.findings import CaseRule, Cause, Told
from aiops_eks.diagnosis.objects import Ref
from aiops_eks.diagnosis.quantities import duration_text
from aiops_eks.diagnosis.quoting import quoted
from aiops_shared.results import Evidence

TERMINATING_GRACE_S = 300.0
POD_IP_UNAVAILABLE = Cause(
    code="POD_IP_UNAVAILABLE",
    severity="high",
    means="The node's network plugin has no address for the pod.",
    told_by="FailedCreatePodSandBox with `failed to assign an IP address`. Whether the subnet or the "
    "node's own "
    "limit is exhausted is decided with the subnets' figures.",
    source="amazon-vpc-cni-k8s, add cmd",
    next_step="describe_cluster(include=subnets) for free addresses and free /28 blocks, and the node's "
    "pod count",
    sop="subnet-ip-exhaustion",
)
SANDBOX_FAILED = Cause(
    code="SANDBOX_FAILED",
    severity="high",
    means="The pod's sandbox (network, runtime) cannot be made; the kubelet's words are quoted.",
    told_by="FailedCreatePodSandBox without an address problem.",
    source="pkg/kubelet/kuberuntime/kuberuntime_sandbox.go",
    next_step="check the CNI pods and the container runtime on that node",
)
INIT_WAITS = Cause(
    code="INIT_CONTAINER_WAITS",
    severity="high",
    means="An init container runs and never ends, so the pod never starts.",
    told_by="The pod is Pending and an init container has been running for ten minutes.",
    source="pod lifecycle: init containers run to completion in order",
    next_step="get_pod_logs of the init container: what does it wait for?",
    sop="pod-crashloop",
)
POD_EVICTED = Cause(
    code="POD_EVICTED",
    severity="medium",
    means="The node evicted the pod because it ran low on something.",
    told_by="Phase Failed with reason Evicted within the last hour; the message names the resource.",
    source="pkg/kubelet/eviction/helpers.go",
    next_step="diagnose the node; give the pod a request for what it used",
    sop="disk-pressure",
)
STUCK_TERMINATING = Cause(
    code="STUCK_TERMINATING",
    severity="medium",
    means="The pod should have been gone minutes ago.",
    told_by="deletionTimestamp passed more than five minutes ago: a finalizer holds it, or its node is gone.",
    source="pkg/registry/core/pod (graceful deletion)",
    next_step="ask the finalizer's controller; with a dead node, remove the node first",
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


def sandbox(case: Case) -> Told | None:
    """POD_IP_UNAVAILABLE or SANDBOX_FAILED."""
    events = case.recent("FailedCreatePodSandBox") if case.container is None else ()
    if not events:
        return None
    address = "failed to assign an IP address" in events[0].message
    cause = POD_IP_UNAVAILABLE if address else SANDBOX_FAILED
    words = "gets no IP address" if address else "gets no sandbox"
    text = f"{case.pod.ref} {words} on node {case.pod.node}."
    return _told(case, cause, f"cannot start: it {words}", text, case.event_evidence(events[0]))


def init_waits(case: Case) -> Told | None:
    """INIT_CONTAINER_WAITS."""
    if case.container is not None:
        return None
    running = [c for c in case.pod.containers if c.role == "init" and c.running_since]
    if not running or case.facts.age_s(running[0].running_since) < RECENT_S:
        return None
    name, age = running[0].name, duration_text(case.facts.age_s(running[0].running_since))
    tail = case.facts.log(case.pod.ref, name)
    query = f"log of {case.pod.ref}, container {name}"
    line = (
        (Evidence(source="pod log", query=query, says=quoted(tail.lines[-1])),) if tail and tail.lines else ()
    )
    text = f"Init container {name} of {case.pod.ref} has run for {age} and does not end."
    return _told(case, INIT_WAITS, f"cannot start: init container {name} never ends", text, *line)


def evicted(case: Case) -> Told | None:
    """POD_EVICTED."""
    pod = case.pod
    if case.container is not None or pod.phase != "Failed" or pod.reason != "Evicted":
        return None
    says = Evidence(source="kubernetes", query=f"{pod.ref} status.message", says=quoted(pod.message))
    found = case.facts.node(pod.node)
    node = found.ref if found else None
    text = f"{pod.ref} was evicted from node {pod.node}; the message names the resource."
    told = _told(case, POD_EVICTED, f"was evicted from node {pod.node}", text, says, at=node)
    return replace(told, explained_by=(node,)) if node else told


def terminating(case: Case) -> Told | None:
    """STUCK_TERMINATING."""
    pod = case.pod
    late_s = case.facts.age_s(pod.deleted_at) if pod.deleted_at else 0
    if case.container is not None or late_s < TERMINATING_GRACE_S:
        return None
    node = case.facts.node(pod.node)
    if pod.finalizers:
        why = f"the finalizers {', '.join(pod.finalizers[:3])} hold it"
    else:
        why = (
            f"node {pod.node} does not answer"
            if node is None or not _is_ready(case, pod.node)
            else "its end is late"
        )
    text = f"{pod.ref} should have ended {duration_text(late_s)} ago: {why}."
    return _told(case, STUCK_TERMINATING, f"does not go away: {why}", text, at=pod.ref)


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
    ((POD_IP_UNAVAILABLE, SANDBOX_FAILED), sandbox),
    ((INIT_WAITS,), init_waits),
    ((POD_EVICTED,), evicted),
    ((STUCK_TERMINATING,), terminating),
    ((RUN_AS_ROOT_REFUSED, CREATE_FAILED), create_failed),
    ((POD_STUCK,), stuck),
)
RULES = tuple(CaseRule(causes, explain) for causes, explain in _ASKED)
