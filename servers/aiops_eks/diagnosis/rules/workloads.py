"""Controllers that cannot do what they were told.

A controller that is refused its pods is a cause; a rollout that does not get on is a symptom of its pods
and stands alone only when no pod explains it. Scaled to zero, paused, or within its deadline is fine.
Sources: `pkg/controller/deployment/progress.go`, `pkg/controller/replicaset`, `pkg/controller/job`.
"""

import re
from collections.abc import Iterator

from aiops_eks.diagnosis.case import EVENT_RECENT_S, event_evidence, given_up
from aiops_eks.diagnosis.facts import Facts
from aiops_eks.diagnosis.findings import Cause, Told, WorldRule
from aiops_eks.diagnosis.objects import Event, Ref, Workload
from aiops_eks.diagnosis.quoting import quoted
from aiops_shared.results import Evidence


def _cause(code: str, means: str, told_by: str, next_step: str, source: str) -> Cause:
    return Cause(code, "high", means, told_by, source, next_step)


_REFUSALS: tuple[tuple[Cause, re.Pattern[str]], ...] = (
    (
        _cause(
            "QUOTA_EXCEEDED",
            "A ResourceQuota refuses the workload's pods.",
            "FailedCreate with `exceeded quota`.",
            "raise the quota or lower the requests; list_resources kind=ResourceQuota",
            "apiserver admission plugin ResourceQuota",
        ),
        re.compile(r"exceeded quota|failed quota"),
    ),
    (
        _cause(
            "POD_SECURITY_REFUSED",
            "Pod Security Admission refuses the workload's pods.",
            "FailedCreate with `violates PodSecurity`.",
            "scan_manifest(fix=true) of the workload, then plan_manifest(action=apply)",
            "https://kubernetes.io/docs/concepts/security/pod-security-admission/",
        ),
        re.compile(r"violates PodSecurity"),
    ),
    (
        _cause(
            "LIMIT_RANGE_REFUSED",
            "A LimitRange refuses the workload's pods.",
            "FailedCreate with `maximum … usage per` or `minimum … usage per`.",
            "bring requests and limits inside the LimitRange of the namespace",
            "apiserver admission plugin LimitRanger",
        ),
        re.compile(r"(?:maximum|minimum) \S+ usage per"),
    ),
    (
        _cause(
            "WEBHOOK_REFUSED",
            "An admission webhook refuses the workload's pods or does not answer.",
            "FailedCreate with `admission webhook … denied` or `failed calling webhook`.",
            "read the quote: fix the pod, or the webhook's Service",
            "apiserver admission plugins ValidatingAdmissionWebhook, MutatingAdmissionWebhook",
        ),
        re.compile(r"admission webhook|failed calling webhook"),
    ),
    (
        _cause(
            "SERVICE_ACCOUNT_MISSING",
            "The workload's ServiceAccount does not exist.",
            'FailedCreate with `serviceaccount "x" not found`.',
            "create the ServiceAccount or correct serviceAccountName",
            "apiserver admission plugin ServiceAccount",
        ),
        re.compile(r"serviceaccount \"[^\"]+\" not found|service account .* not found"),
    ),
)
POD_CREATION_REFUSED = _cause(
    "POD_CREATION_REFUSED",
    "The API server refuses the workload's pods; its words are quoted.",
    "FailedCreate that no other code knows.",
    "read the quote",
    "pkg/controller/controller_utils.go",
)
ROLLOUT_STUCK = _cause(
    "ROLLOUT_STUCK",
    "A rollout passed its deadline, and no pod of it says why.",
    "Condition Progressing is False with ProgressDeadlineExceeded. When its pods have a finding, that "
    "one holds it.",
    "plan_workload_change(action=rollback), or diagnose its newest pods",
    "pkg/controller/deployment/progress.go",
)
JOB_FAILED = Cause(
    code="JOB_FAILED",
    severity="medium",
    means="A Job gave up.",
    told_by="Condition Failed within the last day and no later run of its CronJob succeeded.",
    source="pkg/controller/job/job_controller.go",
    next_step="get_pod_logs of its last pod",
)


def refused(facts: Facts) -> Iterator[Told]:
    """QUOTA_EXCEEDED and its kin: the controller may not create pods."""
    for event in _refusals(facts):
        owner = _top(facts, event.about)
        workload = facts.workload(event.about) or facts.workload(owner)
        if workload is not None and workload.ready >= workload.desired:
            continue  # it got its pods in the meantime
        cause = next((c for c, pattern in _REFUSALS if pattern.search(event.message)), POD_CREATION_REFUSED)
        yield Told(
            cause=cause,
            at=owner,
            subject=owner,
            predicate=f"cannot create pods: {cause.means[0].lower()}{cause.means[1:].rstrip('.')}",
            root_cause=f"{event.about} is refused its pods: {cause.means}",
            hurts=(owner,),
            evidence=(event_evidence(facts, event), *_counts(workload)),
            agree=2 + (cause is not POD_CREATION_REFUSED),
            ruled_out=("scheduling: the pods were never created",),
        )


def _refusals(facts: Facts) -> Iterator[Event]:
    newest: dict[Ref, Event] = {}
    for event in facts.events:
        if event.reason == "FailedCreate" and facts.age_s(event.last_at) <= EVENT_RECENT_S * 2:
            known = newest.get(event.about)
            if known is None or facts.age_s(event.last_at) < facts.age_s(known.last_at):
                newest[event.about] = event
    yield from newest.values()


def _top(facts: Facts, ref: Ref) -> Ref:
    """The top of an owner chain; a chain that names itself ends."""
    for _ in range(4):
        workload = facts.workload(ref)
        if workload is None or workload.parent is None:
            return ref
        ref = workload.parent
    return ref


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


def jobs(facts: Facts) -> Iterator[Told]:
    """JOB_FAILED, as a symptom of its pods where they have a finding."""
    for job in facts.workloads:
        failed = job.condition("Failed") if job.ref.kind == "Job" else None
        if failed is None or not given_up(facts, job):
            continue
        query = f"{job.ref} condition Failed"
        why = failed.reason or "no reason given"
        says = f"{why}: {quoted(failed.message)}"
        yield Told(
            cause=JOB_FAILED,
            at=job.ref,
            subject=job.ref,
            predicate=f"failed: {why}",
            root_cause=f"{job.ref} gave up ({why}) after {job.failed} failed pods.",
            hurts=(job.ref,),
            evidence=(Evidence(source="kubernetes", query=query, says=says),),
            agree=3,
            explained_by=(job.ref, *(p.ref for p in facts.pods if job.ref in (p.owner, p.parent))),
        )


RULES = (
    WorldRule((*(cause for cause, _ in _REFUSALS), POD_CREATION_REFUSED), refused),
    WorldRule((ROLLOUT_STUCK,), unavailable),
    WorldRule((JOB_FAILED,), jobs),
)
