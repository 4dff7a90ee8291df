"""Pods that had a node and lost it to a pod of higher priority.

Asked before the scheduler's own reasons: "Insufficient cpu" is true of such a pod and not why it stopped.
Source: `pkg/scheduler/framework/preemption/preemption.go` (event Preempted on the victim).
"""

from aiops_eks.diagnosis.case import Case
from aiops_eks.diagnosis.findings import CaseRule, Cause, Told
from aiops_eks.diagnosis.objects import Event

WITHIN_S = 3600.0
POD_PREEMPTED = Cause(
    code="POD_PREEMPTED",
    severity="high",
    means="The scheduler took the workload's pods off their nodes for pods of higher priority, and there is "
    "no room "
    "for them elsewhere.",
    told_by="Event Preempted of the workload's pods within the hour, while a pod of it cannot be scheduled. "
    "Without "
    "that event the lack itself is the cause (INSUFFICIENT_CPU and its kin); a pod that found another node "
    "is fine.",
    source="pkg/scheduler/framework/preemption/preemption.go",
    next_step="add room for both, or give the workload a PriorityClass that says how much it matters "
    "(plan_manifest(action=apply)); preemptionPolicy Never on the other class keeps it from pushing",
)


def preempted(case: Case) -> Told | None:
    """POD_PREEMPTED."""
    if case.container is not None or case.pod.node or case.pod.deleted_at is not None:
        return None
    victims, said = _victims(case), case.recent("FailedScheduling", within_s=WITHIN_S)
    if not victims or not said:
        return None
    return Told(
        cause=POD_PREEMPTED,
        at=case.subject,
        subject=case.subject,
        predicate="lost its place to pods of higher priority",
        root_cause=f"{len(victims)} pods of {case.subject} were preempted, and {case.pod.ref} finds no "
        "other node.",
        hurts=(case.pod.ref,),
        evidence=(case.event_evidence(victims[0]), case.event_evidence(said[0])),
        agree=3,
        ruled_out=("its own request: it ran with it until it was preempted",),
        since=victims[0].first_at or victims[0].last_at,
    )


def _victims(case: Case) -> list[Event]:
    """Preemptions of pods of the same controller: they are gone, their names begin with its."""
    parent, facts = case.pod.parent, case.facts
    if parent is None:
        return []
    return [
        event
        for event in facts.events
        if event.reason == "Preempted"
        and event.about.kind == "Pod"
        and event.about.namespace == parent.namespace
        and event.about.name.startswith(f"{parent.name}-")
        and facts.age_s(event.last_at) <= WITHIN_S
    ]


RULES = (CaseRule((POD_PREEMPTED,), preempted),)
