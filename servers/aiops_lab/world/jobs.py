"""Jobs and CronJobs: pods with an end, tried again up to `backoffLimit`, started by a schedule.

After `pkg/controller/job` and `pkg/controller/cronjob`; indexed Jobs and pod failure policies are not here.
"""

from datetime import datetime, timedelta

from aiops_lab.world.cluster import Controller
from aiops_lab.world.events import Said
from aiops_lab.world.objects import (
    Key,
    Obj,
    being_deleted,
    is_active,
    is_ready,
    key_of,
    meta,
    owner_reference,
    stamp,
)
from aiops_lab.world.replicas import pod_of

BY = "job-controller"
RETRY_S = 10.0
_SCHEDULED = "batch.kubernetes.io/cronjob-scheduled-timestamp"  # only on Jobs that the controller started


def phase_of(pod: Obj) -> str:
    """The pod's phase."""
    return str((pod.get("status") or {}).get("phase", "Pending"))


def finished(job: Obj) -> str | None:
    """Complete or Failed, None while it runs."""
    for each in (job.get("status") or {}).get("conditions") or ():
        if each["type"] in ("Complete", "Failed") and each["status"] == "True":
            return str(each["type"])
    return None


class Jobs(Controller):
    """Runs pods until enough of them succeeded, or too many failed."""

    kind = "Job"
    watches = ("Pod",)

    def reconcile(self, key: Key) -> None:
        """Start what is missing; then the status."""
        job = self.cluster.cache.get("Job", *key)
        if job is None or being_deleted(job) or finished(job) or job["spec"].get("suspend"):
            return
        pods = self.cluster.cache.owned(job, "Pod")
        done = [pod for pod in pods if phase_of(pod) == "Succeeded"]
        failed = [pod for pod in pods if phase_of(pod) == "Failed"]
        active = [pod for pod in pods if is_active(pod)]
        completions = int(job["spec"].get("completions") or 1)
        lost = len(failed) > int(job["spec"].get("backoffLimit", 6))
        if not lost and len(done) < completions:
            room = min(int(job["spec"].get("parallelism") or 1), completions - len(done)) - len(active)
            if room > 0 and self._may_retry(key, failed):
                if self.create_pods(job, (self._pod(job) for _ in range(room)), BY):
                    self.retry(key)
                else:
                    self.worked(key)
                active = [pod for pod in self.cluster.cache.owned(job, "Pod") if is_active(pod)]
        self._write_status(job, len(done), len(failed), active, over=lost or len(done) >= completions)

    def _may_retry(self, key: Key, failed: list[Obj]) -> bool:
        if not failed:
            return True
        delay = min(RETRY_S * 2 ** (len(failed) - 1), 360.0)
        ended = max(_ended(pod) for pod in failed)
        left = (
            datetime.fromisoformat(ended) + timedelta(seconds=delay) - self.cluster.clock.now()
        ).total_seconds()
        if left > 0:
            self.wake(key, after_s=left)
        return left <= 0

    def _pod(self, job: Obj) -> Obj:
        name = f"{meta(job)['name']}-{self.cluster.letters(5)}"
        pod = pod_of(job, name, generate=f"{meta(job)['name']}-")
        meta(pod)["labels"] |= {
            "job-name": meta(job)["name"],
            "batch.kubernetes.io/job-name": meta(job)["name"],
            "batch.kubernetes.io/controller-uid": meta(job)["uid"],
        }
        return pod

    def _write_status(self, job: Obj, done: int, failed: int, active: list[Obj], *, over: bool) -> None:
        before, now = job.get("status") or {}, self.cluster.stamp()
        status: Obj = {"startTime": before.get("startTime", now), "ready": sum(map(is_ready, active))}
        counts = {"active": 0 if over else len(active), "succeeded": done, "failed": failed}
        status |= {name: count for name, count in counts.items() if count}
        if over:
            complete = done >= int(job["spec"].get("completions") or 1)
            status["conditions"] = _ends(now, complete=complete)
            if complete:
                status["completionTime"] = now
                self.cluster.say(Said(job, "Completed", "Job completed", BY))
            else:
                words = "Job has reached the specified backoff limit"
                self.cluster.say(Said(job, "BackoffLimitExceeded", words, BY, warning=True))
        self.cluster.write_status(job, status)


def _ends(now: str, *, complete: bool) -> list[Obj]:
    """What is decided (since 1.31) and, its pods being gone, what is so: the server takes no other order."""
    reason, words = "CompletionsReached", "Reached expected number of succeeded pods"
    if not complete:
        reason, words = "BackoffLimitExceeded", "Job has reached the specified backoff limit"
    types = ("SuccessCriteriaMet", "Complete") if complete else ("FailureTarget", "Failed")
    said = {"status": "True", "reason": reason, "message": words}
    return [{"type": each, **said, "lastProbeTime": now, "lastTransitionTime": now} for each in types]


def _ended(pod: Obj) -> str:
    ends = [
        each["state"]["terminated"]["finishedAt"]
        for each in pod["status"].get("containerStatuses") or ()
        if "terminated" in each["state"]
    ]
    return str(max(ends, default=meta(pod)["creationTimestamp"]))


def fits(schedule: str, moment: datetime) -> bool:
    """Whether a five-field cron schedule fires in this minute (UTC). Raises ValueError for bad fields."""
    fields = schedule.split()
    if len(fields) != 5:
        raise ValueError(f"schedule {schedule!r}: five fields are needed")
    now = (moment.minute, moment.hour, moment.day, moment.month, moment.isoweekday() % 7)
    first = (0, 0, 1, 1, 0)
    return all(_field(text, value, least) for text, value, least in zip(fields, now, first, strict=True))


def _field(text: str, value: int, least: int) -> bool:
    for part in text.split(","):
        span, _, step = part.partition("/")
        low, _, high = span.partition("-")
        start = least if span == "*" else int(low)
        end = 99 if span == "*" or (step and not high) else int(high or low)
        if start <= value <= end and (value - start) % int(step or 1) == 0:
            return True
    return False


class CronJobs(Controller):
    """Looks once a minute while the world is live; starts Jobs and keeps the last few."""

    kind = "CronJob"
    watches = ("Job",)

    def look(self) -> None:
        """Start what is due in this minute; then again in the next."""
        now = self.cluster.clock.now()
        for found in self.cluster.cache.all("CronJob"):
            if not found["spec"].get("suspend") and fits(found["spec"]["schedule"], now):
                self.fire(found)
        minute = now.replace(second=0, microsecond=0) + timedelta(minutes=1)
        self.cluster.clock.call_at(minute, self.look)

    def fire(self, found: Obj) -> None:
        """Start one Job now."""
        now = self.cluster.clock.now()
        name = f"{meta(found)['name']}-{int(now.timestamp()) // 60}"
        if self.cluster.cache.get("Job", meta(found)["namespace"], name) is not None:
            return
        template = found["spec"]["jobTemplate"]
        job = {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {
                "name": name,
                "namespace": meta(found)["namespace"],
                "labels": dict((template.get("metadata") or {}).get("labels") or {}),
                "annotations": {_SCHEDULED: stamp(now)},
                "ownerReferences": [owner_reference(found)],
            },
            "spec": template["spec"],
        }
        self.cluster.store.create(job, manager="cronjob-controller")
        words = f"Created job {name}"
        self.cluster.say(Said(found, "SuccessfulCreate", words, "cronjob-controller"))
        status = {**(found.get("status") or {}), "lastScheduleTime": stamp(now)}
        self.cluster.write_status(found, status)

    def reconcile(self, key: Key) -> None:
        """The status, and no more finished Jobs than the history limits."""
        found = self.cluster.cache.get("CronJob", *key)
        if found is None or being_deleted(found):
            return
        jobs = sorted(self.cluster.cache.owned(found, "Job"), key=lambda job: str(meta(job)["name"]))
        status = {name: text for name, text in (found.get("status") or {}).items() if name != "active"}
        running = [job for job in jobs if finished(job) is None]
        started = [job for job in running if _SCHEDULED in (meta(job).get("annotations") or {})]
        if started:
            status["active"] = [_reference(job) for job in started]
        for job in running:
            if job not in started:
                words = f"Saw a job that the controller did not create or forgot: {meta(job)['name']}"
                self.cluster.say(Said(found, "UnexpectedJob", words, "cronjob-controller", warning=True))
        ends = [job["status"]["completionTime"] for job in jobs if finished(job) == "Complete"]
        if ends:
            status["lastSuccessfulTime"] = max(ends)
        self.cluster.write_status(found, status)
        for word, limit in (("Complete", "successfulJobsHistoryLimit"), ("Failed", "failedJobsHistoryLimit")):
            ended = [job for job in jobs if finished(job) == word]
            keep = int(found["spec"].get(limit, 3 if word == "Complete" else 1))
            for job in ended[: max(0, len(ended) - keep)]:
                self.cluster.remove(job)


def _reference(job: Obj) -> Obj:
    namespace, name = key_of(job)
    return {
        "kind": "Job",
        "apiVersion": "batch/v1",
        "namespace": namespace,
        "name": name,
        "uid": meta(job)["uid"],
    }
