"""Controllers that cannot do what they were told.

A rollout that does not get on is a symptom of its pods and stands alone only when no pod explains it; what
the API server refuses a controller is told by `admission.py` and `webhooks.py`. Scaled to zero, paused, or
within its deadline is fine.
Sources: `pkg/controller/deployment/progress.go`, `pkg/controller/replicaset`, `pkg/controller/job`.
"""

from collections.abc import Iterator

from aiops_eks.diagnosis.facts import Facts
from aiops_eks.diagnosis.findings import Cause, Told, WorldRule
from aiops_eks.diagnosis.objects import Workload
from aiops_eks.diagnosis.quoting import quoted
from aiops_shared.results import Evidence

ROLLOUT_STUCK = Cause(
    code="ROLLOUT_STUCK",
    severity="high",
    means="A rollout passed its deadline, and no pod of it says why.",
    told_by="Condition Progressing is False with ProgressDeadlineExceeded. When its pods have a finding, "
    "that one holds it.",
    source="pkg/controller/deployment/progress.go",
    next_step="plan_workload_change(action=rollback), or diagnose its newest pods",
)


def _counts(workload: Workload | None) -> tuple[Evidence, ...]:
    if workload is None:
        return ()
    says = f"{workload.ready} of {workload.desired} ready"
    return (Evidence(source="kubernetes", query=f"{workload.ref} status", says=says),)


def unavailable(facts: Facts) -> Iterator[Told]:
    """ROLLOUT_STUCK, and quieter shortfalls that only ever are symptoms."""
    for workload in facts.workloads:
        if workload.ref.kind not in {"Deployment", "StatefulSet", "DaemonSet"} or workload.paused:
            continue
        progress = workload.condition("Progressing")
        late = (
            progress is not None
            and progress.reason == "ProgressDeadlineExceeded"
            and progress.status == "False"
        )
        if late or workload.ready < workload.desired:
            yield _short(facts, workload, late=late, words=progress.message if late and progress else "")


def _short(facts: Facts, workload: Workload, *, late: bool, words: str) -> Told:
    pods = tuple(p.ref for p in facts.pods_of(workload.ref))
    said = (Evidence(source="kubernetes", query=f"{workload.ref} condition Progressing", says=quoted(words)),)
    return Told(
        cause=ROLLOUT_STUCK,
        at=workload.ref,
        subject=workload.ref,
        predicate=f"does not roll out: {workload.ready} of {workload.desired} ready",
        root_cause=f"The rollout of {workload.ref} passed its progress deadline; no pod of it says why.",
        hurts=(workload.ref,),
        evidence=(*_counts(workload), *(said if words else ())),
        agree=2,
        explained_by=(workload.ref, *pods),
        stands_alone=late,
    )


RULES = (WorldRule((ROLLOUT_STUCK,), unavailable),)
