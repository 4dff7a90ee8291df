"""Jobs that gave up or stand still, and CronJobs that do not start.

A Job that failed is mostly a symptom of its pods. A CronJob that starts nothing is suspended and forgotten,
cannot read its schedule, waits for a run that hangs, or missed its starts; one
whose runs overlap squeezes what else wants room. Suspended on purpose, a run that is late by one, or an old
failure whose next run succeeded is fine. Sources: `pkg/controller/job/job_controller.go`,
`pkg/controller/cronjob/cronjob_controllerv2.go`.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import takewhile

from aiops_eks.diagnosis.case import Case, event_evidence, given_up
from aiops_eks.diagnosis.evidence import stated
from aiops_eks.diagnosis.facts import Facts
from aiops_eks.diagnosis.findings import CaseRule, Cause, Told, WorldRule
from aiops_eks.diagnosis.further.workloads import CronJob
from aiops_eks.diagnosis.objects import Event, Pod, Workload
from aiops_eks.diagnosis.quantities import duration_text
from aiops_eks.diagnosis.quoting import plain_name, quoted
from aiops_eks.diagnosis.schedules import readable, schedule
from aiops_shared.results import Evidence

DAY_S = 86_400.0
FORGOTTEN_S = 7 * DAY_S
LATE_S = 600.0  # a start may be late by the controller's own pace
MISSED, OVERLAPPING = 2, 3
SOURCE = "pkg/controller/cronjob/cronjob_controllerv2.go"
_UNREADABLE = ("UnparseableSchedule", "UnParseableCronJobSchedule", "InvalidSchedule", "UnknownTimeZone")
_MISSED = ("MissSchedule", "TooManyMissedTimes")
_QUEUES = ("kueue.x-k8s.io/queue-name", "volcano.sh/queue-name", "yunikorn.apache.org/queue")
JOB_FAILED = Cause(
    code="JOB_FAILED",
    severity="medium",
    means="A Job gave up.",
    told_by="Condition Failed within the last day and no later run of its CronJob succeeded.",
    source="pkg/controller/job/job_controller.go",
    next_step="get_pod_logs of its last pod",
)
JOB_DEADLINE_EXCEEDED = Cause(
    code="JOB_DEADLINE_EXCEEDED",
    severity="medium",
    means="A Job ran longer than its activeDeadlineSeconds and was ended.",
    told_by="Condition Failed with reason DeadlineExceeded within the last day, and no later run succeeded. "
    "Ended by its own failures, it is JOB_FAILED.",
    source="pkg/controller/job/job_controller.go",
    next_step="find what it waited for in its log, then raise activeDeadlineSeconds if the work takes longer",
)
JOB_SUSPENDED = Cause(
    code="JOB_SUSPENDED",
    severity="info",
    means="A Job has been suspended for days and no queue manages it.",
    told_by="spec.suspend for more than a week without a queue's label. Freshly suspended, or held by Kueue, "
    "is on purpose.",
    source="pkg/controller/job/job_controller.go",
    next_step="resume it (suspend: false) with plan_manifest(action=apply), or delete it",
)
CRONJOB_SCHEDULE_INVALID = Cause(
    code="CRONJOB_SCHEDULE_INVALID",
    severity="high",
    means="A CronJob's schedule or time zone cannot be read, or names a day that never comes.",
    told_by="UnparseableSchedule, InvalidSchedule or UnknownTimeZone, or a date such as 31 February.",
    source=SOURCE,
    next_step="correct spec.schedule or spec.timeZone with plan_manifest(action=apply)",
)
CRONJOB_SUSPENDED = Cause(
    code="CRONJOB_SUSPENDED",
    severity="info",
    means="A CronJob that used to run has been suspended for more than a week, and nothing says why.",
    told_by="spec.suspend, several starts missed since its last run a week ago, and no label or annotation "
    "about it. With a note, or for some days, it is on purpose.",
    source=SOURCE,
    next_step="ask its owner; resume it (suspend: false) with plan_manifest(action=apply)",
)
CRONJOB_BLOCKED = Cause(
    code="CRONJOB_BLOCKED",
    severity="high",
    means="A run that does not end keeps a CronJob with concurrencyPolicy Forbid from starting the next.",
    told_by="The policy is Forbid, a Job of it is active and at least two starts were due since that began. "
    "When the Job's pods have a finding, that one holds it.",
    source=SOURCE,
    next_step="get_pod_logs of the run that hangs; give the Job an activeDeadlineSeconds",
)
CRONJOB_MISSED_STARTS = Cause(
    code="CRONJOB_MISSED_STARTS",
    severity="high",
    means="A CronJob does not start although it is due.",
    told_by="MissSchedule or TooManyMissedTimes and no start since, or two starts due and none made while it "
    "is neither suspended nor blocked.",
    source=SOURCE,
    next_step="raise startingDeadlineSeconds (below 10 s starts are lost), and check the controller manager",
)
CRONJOB_OVERLAPS = Cause(
    code="CRONJOB_OVERLAPS",
    severity="high",
    means="Runs of a CronJob pile up because each takes longer than the time to the next.",
    told_by="concurrencyPolicy Allow and three or more runs active at once; pods that find no room while "
    "these hold it are its symptoms. When the runs' pods have a finding of their own, that one holds it.",
    source=SOURCE,
    next_step="set concurrencyPolicy Forbid or Replace with plan_manifest(action=apply); end the old runs",
)


def jobs(facts: Facts) -> Iterator[Told]:
    """JOB_FAILED and JOB_DEADLINE_EXCEEDED as symptoms of their pods where these have a finding."""
    for job in facts.workloads:
        failed = job.condition("Failed") if job.ref.kind == "Job" else None
        if failed is None or not given_up(facts, job):
            continue
        why = plain_name(failed.reason) or "no reason given"
        late = failed.reason == "DeadlineExceeded"
        query = f"{job.ref} condition Failed"
        yield Told(
            cause=JOB_DEADLINE_EXCEEDED if late else JOB_FAILED,
            at=job.ref,
            subject=job.ref,
            predicate="ran longer than it may" if late else f"failed: {why}",
            root_cause=f"{job.ref} was ended after its deadline."
            if late
            else f"{job.ref} gave up ({why}) after {job.failed} failed pods.",
            hurts=(job.ref,),
            evidence=(Evidence(source="kubernetes", query=query, says=f"{why}: {quoted(failed.message)}"),),
            agree=3,
            explained_by=(job.ref, *(p.ref for p in facts.pods if job.ref in (p.owner, p.parent))),
        )


def suspended_jobs(facts: Facts) -> Iterator[Told]:
    """JOB_SUSPENDED."""
    for job in facts.workloads:
        if job.ref.kind != "Job" or not job.suspended or job.parent is not None or job.finished:
            continue
        held = job.condition("Suspended")
        since = held.since if held is not None and held.since else job.created_at
        queued = any(key in job.labels for key in _QUEUES)
        if queued or not FORGOTTEN_S < facts.age_s(since) < float("inf"):
            continue
        says = f"suspended for {duration_text(facts.age_s(since))}"
        yield Told(
            cause=JOB_SUSPENDED,
            at=job.ref,
            subject=job.ref,
            predicate=f"is {says}",
            root_cause=f"{job.ref} is {says}; no queue manages it, so it waits for somebody to resume it.",
            hurts=(job.ref,),
            evidence=(stated(job.ref, "spec and conditions", says),),
            agree=2,
        )


def cron_jobs(facts: Facts) -> Iterator[Told]:
    """The first thing that keeps each CronJob from starting, or makes it start too much."""
    for one in facts.all(CronJob):
        if one.suspended:
            yield from _suspended(facts, one)
            continue
        told = _unreadable(facts, one) or _blocked(facts, one) or _missed(facts, one)
        if told is not None:
            yield told
    yield from (_overlapping(facts, one, runs) for one, runs in piling(facts))


def _events(facts: Facts, one: CronJob, *reasons: str) -> list[Event]:
    """Events of these reasons since its spec was last changed, newest first."""
    changed_s = _changed_s(facts, one)
    found = [e for e in facts.events_about(one.ref) if e.reason in reasons]
    return [e for e in found if facts.age_s(e.last_at) <= changed_s + 5]


def _changed_s(facts: Facts, one: CronJob) -> float:
    """Seconds since its spec was written; a moment that has not come yet says nothing."""
    age_s = facts.age_s(one.changed_at)
    return age_s if age_s >= 0 else float("inf")


def _says(one: CronJob) -> Evidence:
    zone = f" {plain_name(one.time_zone)}" if one.time_zone else ""
    last = "never started" if one.last_at is None else f"last start {one.last_at:%Y-%m-%d %H:%M} UTC"
    says = f"schedule {quoted(one.schedule)}{zone}, {plain_name(one.overlap)}, {last}"
    return stated(one.ref, "spec and status", says)


def _dues(facts: Facts, one: CronJob, since: datetime | None) -> Sequence[datetime]:
    """The starts that were due after a moment and long enough ago, newest first, at most 100."""
    read = schedule(one.schedule, one.time_zone)
    if read is None or since is None:
        return ()
    dues = takewhile(lambda due: due > since, read.dues(facts.now - timedelta(seconds=LATE_S)))
    return tuple(due for due, _ in zip(dues, range(100), strict=False))


def _unreadable(facts: Facts, one: CronJob) -> Told | None:
    said = _events(facts, one, *_UNREADABLE)
    read = schedule(one.schedule, one.time_zone)
    garbled = bool(one.schedule) and not readable(one.schedule)
    never = read is not None and not read.ever(facts.now)
    if not (said or garbled or never):
        return None
    zone = bool(said) and said[0].reason == "UnknownTimeZone"
    what = f"time zone {plain_name(one.time_zone)}" if zone else f"schedule {quoted(one.schedule)}"
    why = "names a day that never comes" if never else "cannot be read"
    return Told(
        cause=CRONJOB_SCHEDULE_INVALID,
        at=one.ref,
        subject=one.ref,
        predicate=f"never starts: its {what} {why}",
        root_cause=f"The {what} of {one.ref} {why}, so the controller starts no Job.",
        hurts=(one.ref,),
        evidence=(_says(one), *(event_evidence(facts, e) for e in said[:1])),
        agree=2 + bool(said) + bool(never or garbled),
        ruled_out=("suspended: it is not",),
    )


def _suspended(facts: Facts, one: CronJob) -> Iterator[Told]:
    idle_s = facts.age_s(one.last_at)
    fresh = _changed_s(facts, one) < FORGOTTEN_S
    missed = _dues(facts, one, one.last_at)
    if one.noted or fresh or not FORGOTTEN_S < idle_s < float("inf") or len(missed) < OVERLAPPING:
        return
    yield Told(
        cause=CRONJOB_SUSPENDED,
        at=one.ref,
        subject=one.ref,
        predicate=f"is suspended and has not run for {duration_text(idle_s)}",
        root_cause=f"{one.ref} is suspended since its last run {duration_text(idle_s)} ago; {len(missed)} "
        "starts were due, and nothing on it says why.",
        hurts=(one.ref,),
        evidence=(_says(one), stated(one.ref, "spec", "suspend true; no note about it")),
        agree=2,
    )


def _active(facts: Facts, one: CronJob) -> list[Workload]:
    """Its runs that have not ended, the oldest first."""
    found = [w for w in facts.workloads if w.ref.kind == "Job" and w.parent == one.ref]
    open_ones = [w for w in found if not w.finished and not w.suspended and w.condition("Failed") is None]
    return sorted(open_ones, key=lambda w: (-facts.age_s(w.created_at), w.ref))


def _pods_of(facts: Facts, runs: Sequence[Workload]) -> list[Pod]:
    refs = {run.ref for run in runs}
    return [pod for pod in facts.pods if pod.parent in refs]


def _blocked(facts: Facts, one: CronJob) -> Told | None:
    runs = _active(facts, one)
    if one.overlap != "Forbid" or not runs:
        return None
    dues = _dues(facts, one, runs[0].created_at)
    said = _events(facts, one, "JobAlreadyActive")
    if len(dues) < MISSED:
        return None
    age = duration_text(facts.age_s(runs[0].created_at))
    pods = _pods_of(facts, runs)
    states = stated(runs[0].ref, "status", f"active for {age}, {len(pods)} pods")
    return Told(
        cause=CRONJOB_BLOCKED,
        at=one.ref,
        subject=one.ref,
        predicate=f"starts no run: {runs[0].ref.name} has not ended for {age}",
        root_cause=f"{runs[0].ref} has run for {age} and does not end; {one.ref} forbids overlap, so "
        f"{len(dues)} starts were skipped.",
        hurts=(runs[0].ref,),
        evidence=(states, _says(one), *(event_evidence(facts, e) for e in said[:1])),
        agree=2 + bool(said),
        ruled_out=("suspended: it is not", "schedule: it is read and was due"),
        explained_by=(runs[0].ref, *(pod.ref for pod in pods)),
        since=runs[0].created_at,
    )


def _missed(facts: Facts, one: CronJob) -> Told | None:
    last_s = facts.age_s(one.last_at)
    said = [e for e in _events(facts, one, *_MISSED) if facts.age_s(e.last_at) < last_s]
    known = [m for m in (one.last_at, one.changed_at, one.created_at) if m is not None and m <= facts.now]
    dues = _dues(facts, one, max(known)) if known else ()
    if (not said and len(dues) < MISSED) or _active(facts, one):
        return None
    tight = one.deadline_s is not None and one.deadline_s < 10
    limit = (stated(one.ref, "spec", f"startingDeadlineSeconds {one.deadline_s}"),) if one.deadline_s else ()
    why = f"its startingDeadlineSeconds of {one.deadline_s} is too short" if tight else "no Job was made"
    return Told(
        cause=CRONJOB_MISSED_STARTS,
        at=one.ref,
        subject=one.ref,
        predicate=f"missed {len(dues) or 'its'} starts",
        root_cause=f"{one.ref} was due {len(dues) or 'several'} times since its last start, and {why}.",
        hurts=(one.ref,),
        evidence=(_says(one), *(event_evidence(facts, e) for e in said[:1]), *limit),
        agree=1 + bool(said) + (len(dues) >= MISSED) + tight,
        ruled_out=("suspended: it is not", "an earlier run: none is active"),
        explained_by=(one.ref,),
    )


def piling(facts: Facts) -> list[tuple[CronJob, list[Workload]]]:
    """CronJobs of which three or more runs are active, the oldest for longer than two starts."""
    found = []
    for one in facts.all(CronJob):
        runs = _active(facts, one) if one.overlap == "Allow" else []
        if len(runs) >= OVERLAPPING and len(_dues(facts, one, runs[0].created_at)) >= MISSED:
            found.append((one, runs))
    return found


def _overlapping(facts: Facts, one: CronJob, runs: Sequence[Workload]) -> Told:
    age = duration_text(facts.age_s(runs[0].created_at))
    pods = [pod for pod in _pods_of(facts, runs) if pod.node]
    return Told(
        cause=CRONJOB_OVERLAPS,
        at=one.ref,
        subject=one.ref,
        predicate=f"has {len(runs)} runs at once",
        root_cause=f"{one.ref} starts a new run before the last has ended: {len(runs)} are active, the "
        f"oldest for {age}, and concurrencyPolicy Allow sets no bound.",
        hurts=tuple(run.ref for run in runs),
        evidence=(_says(one), stated(one.ref, "active Jobs", f"{len(runs)}, the oldest for {age}")),
        agree=3,
        explained_by=(one.ref, *(pod.ref for pod in pods)),
        ruled_out=("failing runs: they run, they do not end in time",),
        since=runs[0].created_at,
    )


def squeezed(case: Case) -> Told | None:
    """CRONJOB_OVERLAPS: a pod finds no room that the piled-up runs hold."""
    placed = case.pod.condition("PodScheduled")
    if case.container is not None or placed is None or placed.status != "False":
        return None
    if "Insufficient" not in placed.message:
        return None
    for one, runs in piling(case.facts):
        held = [pod for pod in _pods_of(case.facts, runs) if pod.node]
        fits = "cpu" in placed.message and _cpu(held) >= _cpu([case.pod]) > 0
        fits = fits or ("memory" in placed.message and _memory(held) >= _memory([case.pod]) > 0)
        if fits or case.pod.owner == one.ref:
            told = _overlapping(case.facts, one, runs)
            room = stated(
                one.ref, "pods", f"{len(held)} hold {_cpu(held)}m cpu, {_memory(held) >> 20} Mi memory"
            )
            return _with_room(told, case, room)
    return None


def _with_room(told: Told, case: Case, room: Evidence) -> Told:
    words = case.pod.condition("PodScheduled")
    said = stated(case.pod.ref, "condition PodScheduled", quoted(words.message if words else ""))
    return Told(
        cause=told.cause,
        at=told.at,
        subject=told.subject,
        predicate=f"{told.predicate} and leaves no room for others",
        root_cause=told.root_cause,
        hurts=(case.pod.ref, case.subject, *told.hurts),
        evidence=(*told.evidence, room, said),
        agree=4,
        ruled_out=("too few nodes: the piled-up runs hold what is lacking",),
    )


def _cpu(pods: Sequence[Pod]) -> int:
    return sum(c.cpu_request_m or 0 for pod in pods for c in pod.containers if c.role != "init")


def _memory(pods: Sequence[Pod]) -> int:
    return sum(c.memory_request_bytes or 0 for pod in pods for c in pod.containers if c.role != "init")


SQUEEZED = (CaseRule((CRONJOB_OVERLAPS,), squeezed),)
RULES = (
    WorldRule((JOB_FAILED, JOB_DEADLINE_EXCEEDED), jobs),
    WorldRule((JOB_SUSPENDED,), suspended_jobs),
    WorldRule(
        (
            CRONJOB_SCHEDULE_INVALID,
            CRONJOB_SUSPENDED,
            CRONJOB_BLOCKED,
            CRONJOB_MISSED_STARTS,
            CRONJOB_OVERLAPS,
        ),
        cron_jobs,
    ),
)
