"""Jobs: pods with an end, tried again up to `backoffLimit`, within a deadline, unless suspended.

After `pkg/controller/job/job_controller.go` and pod_failure_policy.go; indexed Jobs and success policies are
not here.
"""

from datetime import datetime, timedelta

from aiops_lab.world.cluster import Controller
from aiops_lab.world.events import Said
from aiops_lab.world.objects import (
    Key,
    Obj,
    being_deleted,
    condition,
    is_active,
    is_ready,
    key_of,
    meta,
    moment_of,
)
from aiops_lab.world.replicas import pod_of

BY = "job-controller"
RETRY_S = 10.0
_BACKOFF = ("BackoffLimitExceeded", "Job has reached the specified backoff limit")
_DEADLINE = ("DeadlineExceeded", "Job was active longer than specified deadline")
_REACHED = ("CompletionsReached", "Reached expected number of succeeded pods")
Outcome = tuple[str, str]  # reason and message


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
        """Start what is missing or end what is lost; then the status."""
        job = self.cluster.cache.get("Job", *key)
        if job is None or being_deleted(job):
            return
        if finished(job):
            self._expire(job)
            return
        pods = self.cluster.cache.owned(job, "Pod")
        failed = [pod for pod in pods if phase_of(pod) == "Failed" and _judged(job, pod)[1]]
        done = sum(phase_of(pod) == "Succeeded" for pod in pods)
        lost = self._lost(job, pods, len(failed))
        if lost is not None or job["spec"].get("suspend"):
            self._stop(job)
        elif done < _completions(job):
            self._start_missing(job, pods, failed, done)
        self._write_status(job, done, len(failed), lost)

    def _lost(self, job: Obj, pods: list[Obj], failed: int) -> Outcome | None:
        """Why the Job has failed, in the order in which the real controller looks."""
        for pod in pods:
            words, _ = _judged(job, pod) if phase_of(pod) == "Failed" else ("", True)
            if words:
                return "PodFailurePolicy", words
        limit = int(job["spec"].get("backoffLimit", 6))
        if failed > limit or _restarted_too_often(job, pods, limit):
            return _BACKOFF
        return _DEADLINE if self._overdue(job) else None

    def _overdue(self, job: Obj) -> bool:
        seconds, since = job["spec"].get("activeDeadlineSeconds"), (job.get("status") or {}).get("startTime")
        if seconds is None or not since or job["spec"].get("suspend"):
            return False
        end = moment_of(since) + timedelta(seconds=float(seconds))
        left = (end - self.cluster.clock.now()).total_seconds()
        if left > 0:
            self.wake(key_of(job), after_s=left)
        return left <= 0

    def _stop(self, job: Obj) -> None:
        for pod in self.cluster.cache.owned(job, "Pod"):
            if is_active(pod):
                self.cluster.remove(pod)
                self.cluster.say(Said(job, "SuccessfulDelete", f"Deleted pod: {meta(pod)['name']}", BY))

    def _start_missing(self, job: Obj, pods: list[Obj], failed: list[Obj], done: int) -> None:
        key, active = key_of(job), sum(is_active(pod) for pod in pods)
        room = min(int(job["spec"].get("parallelism", 1)), _completions(job) - done) - active
        if room > 0 and self._may_retry(key, failed):
            if self.create_pods(job, (self._pod(job) for _ in range(room)), BY):
                self.retry(key)
            else:
                self.worked(key)

    def _may_retry(self, key: Key, failed: list[Obj]) -> bool:
        if not failed:
            return True
        delay = min(RETRY_S * 2 ** (len(failed) - 1), 600.0)
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

    def _expire(self, job: Obj) -> None:
        """ttlSecondsAfterFinished (pkg/controller/ttlafterfinished)."""
        seconds, end = job["spec"].get("ttlSecondsAfterFinished"), condition(job, finished(job) or "")
        if seconds is None or end is None:
            return
        gone = moment_of(end["lastTransitionTime"]) + timedelta(seconds=float(seconds))
        left = (gone - self.cluster.clock.now()).total_seconds()
        if left > 0:
            self.wake(key_of(job), after_s=left)
        else:
            self.cluster.remove(job)

    # status

    def _write_status(self, job: Obj, done: int, failed: int, lost: Outcome | None) -> None:
        before, now = job.get("status") or {}, self.cluster.stamp()
        active = [pod for pod in self.cluster.cache.owned(job, "Pod") if is_active(pod)]
        status: Obj = {"ready": sum(map(is_ready, active))}
        suspended = bool(job["spec"].get("suspend"))
        if before.get("startTime") or not suspended:
            status["startTime"] = before.get("startTime", now)
        counts = {"active": len(active), "succeeded": done, "failed": failed}
        status |= {name: count for name, count in counts.items() if count}
        complete = lost is None and done >= _completions(job)
        if complete or lost is not None:
            status.pop("active", None)
            self._end(job, status, _REACHED if complete else lost or _BACKOFF, complete=complete)
        elif (found := self._suspension(job, suspended=suspended)) is not None:
            status["conditions"] = [found]
            if found["status"] == "False" and found != condition(job, "Suspended"):
                status["startTime"] = now
        self.cluster.write_status(job, status)

    def _end(self, job: Obj, status: Obj, outcome: Outcome, *, complete: bool) -> None:
        reason, words = outcome
        status["conditions"] = _ends(self.cluster.stamp(), outcome, complete=complete)
        if complete:
            status["completionTime"] = self.cluster.stamp()
            self.cluster.say(Said(job, "Completed", "Job completed", BY))
        else:
            self.cluster.say(Said(job, reason, words, BY, warning=True))

    def _suspension(self, job: Obj, *, suspended: bool) -> Obj | None:
        before = condition(job, "Suspended")
        if before is None and not suspended:
            return None
        text = "True" if suspended else "False"
        if before is not None and before["status"] == text:
            return before
        words = "Job suspended" if suspended else "Job resumed"
        self.cluster.say(Said(job, "Suspended" if suspended else "Resumed", words, BY))
        now = self.cluster.stamp()
        made = {"type": "Suspended", "status": text, "lastProbeTime": now, "lastTransitionTime": now}
        return {**made, "reason": "JobSuspended" if suspended else "JobResumed", "message": words}


def _completions(job: Obj) -> int:
    return int(job["spec"].get("completions") or 1)


def _ends(now: str, outcome: Outcome, *, complete: bool) -> list[Obj]:
    """What is decided (since 1.31) and, its pods being gone, what is so: the server takes no other order."""
    types = ("SuccessCriteriaMet", "Complete") if complete else ("FailureTarget", "Failed")
    said = {"status": "True", "reason": outcome[0], "message": outcome[1]}
    return [{"type": each, **said, "lastProbeTime": now, "lastTransitionTime": now} for each in types]


def _restarted_too_often(job: Obj, pods: list[Obj], limit: int) -> bool:
    """Containers that are started anew in their pod count too (pastBackoffLimitOnFailure)."""
    if job["spec"]["template"]["spec"].get("restartPolicy") != "OnFailure":
        return False
    restarts: int = sum(
        each["restartCount"]
        for pod in pods
        if phase_of(pod) in ("Running", "Pending")
        for part in ("initContainerStatuses", "containerStatuses")
        for each in (pod.get("status") or {}).get(part) or ()
    )
    return restarts > 0 if limit == 0 else restarts >= limit


def _judged(job: Obj, pod: Obj) -> tuple[str, bool]:
    """What the pod failure policy makes of a failed pod: words that fail the Job, and whether it counts."""
    for index, rule in enumerate((job["spec"].get("podFailurePolicy") or {}).get("rules") or ()):
        words = _matched(rule, pod)
        if words and rule["action"] == "FailJob":
            return f"{words} matching FailJob rule at index {index}", True
        if words:
            return "", rule["action"] != "Ignore"
    return "", True


def _matched(rule: Obj, pod: Obj) -> str:
    head, status = f"{meta(pod)['namespace']}/{meta(pod)['name']}", pod.get("status") or {}
    codes = rule.get("onExitCodes")
    ended = [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]
    for each in ended:
        code = (each["state"].get("terminated") or {}).get("exitCode")
        if code and codes and _code_matches(codes, each["name"], code):
            return f"Container {each['name']} for pod {head} failed with exit code {code}"
    for wanted in rule.get("onPodConditions") or ():
        found = condition(pod, wanted["type"])
        if found is not None and found["status"] == wanted.get("status", "True"):
            return f"Pod {head} has condition {wanted['type']}"
    return ""


def _code_matches(rule: Obj, container: str, code: int) -> bool:
    named = rule.get("containerName") in (None, container)
    return named and (code in rule["values"]) == (rule["operator"] == "In")


def _ended(pod: Obj) -> str:
    ends = [
        each["state"]["terminated"]["finishedAt"]
        for each in pod["status"].get("containerStatuses") or ()
        if "terminated" in each["state"]
    ]
    return str(max(ends, default=meta(pod)["creationTimestamp"]))
