"""Lifecycle hooks: a PostStart that fails kills its container, a PreStop that fails is passed over.

The kubelet keeps the hook's output out of its events on purpose, so the reason of the event is all there is.
Source: `pkg/kubelet/kuberuntime/kuberuntime_container.go` (startContainer, executePreStopHook).
"""

from collections.abc import Iterator

from aiops_eks.diagnosis.case import EVENT_RECENT_S, Case, event_evidence
from aiops_eks.diagnosis.facts import Facts
from aiops_eks.diagnosis.findings import CaseRule, Cause, Told, WorldRule
from aiops_eks.diagnosis.objects import Event, Ref

_SOURCE = "pkg/kubelet/kuberuntime/kuberuntime_container.go"
POST_START_HOOK_FAILED = Cause(
    code="POST_START_HOOK_FAILED",
    severity="high",
    means="The container's PostStart hook fails, so the kubelet kills the container each time.",
    told_by="Event FailedPostStartHook of a container that keeps ending, or waiting reason "
    "PostStartHookError. "
    "The exit code is that of the kill (137 or 143) and says nothing; without the event it is a probe or the "
    "program itself.",
    source=_SOURCE,
    next_step="run the hook's command by hand in the image: it must exist there, end with 0, and not wait "
    "for "
    "the program (plan_manifest(action=apply) corrects it)",
    sop="pod-crashloop",
)
PRE_STOP_HOOK_FAILED = Cause(
    code="PRE_STOP_HOOK_FAILED",
    severity="medium",
    means="The PreStop hook of stopping containers fails, so they go without the orderly end it stands for.",
    told_by="Event FailedPreStopHook within the last quarter of an hour. The pods go nevertheless; a pod "
    "that "
    "does not go is STUCK_TERMINATING.",
    source=_SOURCE,
    next_step="check that the hook's command exists in the image and ends within "
    "terminationGracePeriodSeconds",
)


def post_start(case: Case) -> Told | None:
    """POST_START_HOOK_FAILED."""
    container = case.container
    if container is None:
        return None
    events = case.recent("FailedPostStartHook", within_s=3600.0)
    waits = container.waiting_reason == "PostStartHookError"
    if not waits and not (events and container.death is not None):
        return None
    return Told(
        cause=POST_START_HOOK_FAILED,
        at=case.subject,
        subject=case.subject,
        predicate="cannot start: its PostStart hook fails",
        root_cause=f"The PostStart hook of container {container.name} fails, and the kubelet kills the "
        "container "
        f"for it, {container.restarts} restarts so far.",
        hurts=(case.pod.ref,),
        evidence=(case.status_evidence(), *(case.event_evidence(e) for e in events[:1])),
        agree=1 + bool(events) + waits + (container.restarts > 1),
        ruled_out=("the program itself: it is killed while its hook fails",),
    )


def pre_stop(facts: Facts) -> Iterator[Told]:
    """PRE_STOP_HOOK_FAILED, once per owner."""
    told: dict[Ref, Event] = {}
    for event in facts.events:
        if event.reason == "FailedPreStopHook" and facts.age_s(event.last_at) <= EVENT_RECENT_S:
            told.setdefault(_owner(facts, event.about), event)
    for owner, event in told.items():
        yield Told(
            cause=PRE_STOP_HOOK_FAILED,
            at=owner,
            subject=owner,
            predicate="does not stop in order: its PreStop hook fails",
            root_cause=f"The PreStop hook of {event.about} failed; its containers end without it.",
            hurts=(event.about,),
            evidence=(event_evidence(facts, event),),
            agree=2,
            explained_by=(event.about, owner),
        )


def _owner(facts: Facts, about: Ref) -> Ref:
    """The owner of a pod that may be gone: by its name then, which begins with its controller's."""
    pod = facts.pod(about)
    if pod is not None:
        return pod.subject
    prefix = about.name.rpartition("-")[0]
    for workload in facts.named(about.namespace, prefix):
        return workload.parent or workload.ref
    above = facts.named(about.namespace, prefix.rpartition("-")[0])
    return above[0].ref if above else about


RULES = (CaseRule((POST_START_HOOK_FAILED,), post_start),)
WORLD = (WorldRule((PRE_STOP_HOOK_FAILED,), pre_stop),)
