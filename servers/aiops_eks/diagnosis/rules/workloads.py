"""Controllers that cannot do what they were told.

A rollout that does not get on is a symptom of its pods and stands alone only when no pod explains it; what
the API server refuses a controller is told by `admission.py` and `webhooks.py`. Where the old revision still
serves, or an ordered StatefulSet waits for one pod, the symptom says so. Scaled to zero, paused for an hour,
or within its deadline is fine.
Sources: `pkg/controller/deployment/progress.go`, `pkg/controller/statefulset/stateful_set_control.go`.
"""

from collections.abc import Iterator

from aiops_eks.diagnosis.evidence import condition_evidence, stated
from aiops_eks.diagnosis.facts import Facts
from aiops_eks.diagnosis.findings import Cause, Told, WorldRule
from aiops_eks.diagnosis.objects import Ref, Workload
from aiops_eks.diagnosis.quantities import duration_text
from aiops_eks.diagnosis.quoting import plain_name, quoted
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


ROLLOUT_PAUSED = Cause(
    code="ROLLOUT_PAUSED",
    severity="medium",
    means="A Deployment was paused more than a day ago, and a change of its template waits since then.",
    told_by="Condition Progressing is Unknown with DeploymentPaused for a day and fewer pods are of the "
    "newest template than wanted. Paused with nothing waiting, or for a canary of some hours, is fine.",
    source="pkg/controller/deployment/sync.go",
    next_step="resume it (kubectl rollout resume) or take the change back: plan_workload_change",
)
STATEFULSET_SERVICE_MISSING = Cause(
    code="STATEFULSET_SERVICE_MISSING",
    severity="medium",
    means="The governing Service of a StatefulSet does not exist, so its pods have no names in DNS.",
    told_by="spec.serviceName names a Service that is not among those of the namespace. A StatefulSet that "
    "names none is fine.",
    source="pkg/controller/statefulset; https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/",
    next_step="create the headless Service (clusterIP: None) of that name with plan_manifest(action=apply)",
)
FORGOTTEN_S = 86_400.0
SETTLED_S = 600.0


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
        evidence=(*_counts(workload), *_beside(facts, workload), *(said if words else ())),
        agree=2,
        explained_by=(workload.ref, *pods),
        stands_alone=late,
    )


def _beside(facts: Facts, workload: Workload) -> tuple[Evidence, ...]:
    """What else holds: an old revision that serves, or pods that wait for an earlier one."""
    if workload.ref.kind == "StatefulSet":
        return _ordered(facts, workload)
    sets = [w for w in facts.workloads if w.ref.kind == "ReplicaSet" and w.parent == workload.ref]
    old = [w for w in sets if w.revision != workload.revision and w.ready]
    new = [w for w in sets if w.revision == workload.revision]
    if not old or not new:
        return ()
    ready = sum(each.ready for each in old)
    says = (
        f"revision {new[0].revision}: {new[0].ready} ready; the old revision still serves with {ready} pods"
    )
    return (stated(workload.ref, "ReplicaSets", says),)


def _ordered(facts: Facts, workload: Workload) -> tuple[Evidence, ...]:
    pods = facts.pods_of(workload.ref)
    waits = [pod for pod in pods if not pod.ready]
    missing = workload.desired - len(pods)
    if not waits or missing <= 0:
        return ()
    says = f"ordered start: {missing} pods wait for {min(pod.name for pod in waits)}"
    return (stated(workload.ref, "spec and pods", says),)


def paused(facts: Facts) -> Iterator[Told]:
    """ROLLOUT_PAUSED."""
    for workload in facts.workloads:
        progress = workload.condition("Progressing") if workload.paused else None
        if progress is None or progress.reason != "DeploymentPaused" or not workload.desired:
            continue
        age_s = facts.age_s(progress.since)
        if workload.updated >= workload.desired or not FORGOTTEN_S < age_s < float("inf"):
            continue
        age = duration_text(age_s)
        yield Told(
            cause=ROLLOUT_PAUSED,
            at=workload.ref,
            subject=workload.ref,
            predicate=f"has been paused for {age} with a change that waits",
            root_cause=f"{workload.ref} was paused {age} ago; {workload.updated} of {workload.desired} pods "
            "are of its newest template, and the rest will not follow until it is resumed.",
            hurts=(workload.ref,),
            evidence=(
                condition_evidence(workload.ref, progress),
                stated(workload.ref, "status", f"{workload.updated} of {workload.desired} updated"),
            ),
            agree=3,
            ruled_out=("a rollout within its deadline: none is going on",),
        )


def ungoverned(facts: Facts) -> Iterator[Told]:
    """STATEFULSET_SERVICE_MISSING, where the Services could be read."""
    if any(gap.startswith("Service:") for gap in facts.gaps):
        return
    known = {service.ref for service in facts.services}
    for workload in facts.workloads:
        if workload.ref.kind != "StatefulSet" or not workload.service or not workload.desired:
            continue
        wanted = Ref("Service", workload.ref.namespace, workload.service)
        if wanted in known or facts.age_s(workload.created_at) < SETTLED_S:
            continue
        yield Told(
            cause=STATEFULSET_SERVICE_MISSING,
            at=wanted,
            subject=workload.ref,
            predicate=f"has no governing Service: {wanted.name} does not exist",
            root_cause=f"{workload.ref} names {wanted} as its governing Service, which does not exist: its "
            "pods cannot be found by name.",
            hurts=(workload.ref,),
            evidence=(
                stated(workload.ref, "spec", f"serviceName {plain_name(workload.service)}"),
                stated(wanted, "among the Services", "not there"),
            ),
            agree=3,
        )


RULES = (
    WorldRule((ROLLOUT_STUCK,), unavailable),
    WorldRule((ROLLOUT_PAUSED,), paused),
    WorldRule((STATEFULSET_SERVICE_MISSING,), ungoverned),
)
