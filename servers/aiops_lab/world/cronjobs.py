"""CronJobs: Jobs by a schedule, missed starts, overlap, and the few that are kept.

After `pkg/controller/cronjob/cronjob_controllerv2.go`. Looks once a minute while the world is live; what a
schedule would have started before that is past and not caught up with.
"""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfoNotFoundError

from aiops_lab.kube.errors import ApiError
from aiops_lab.world.cluster import Cluster, Controller
from aiops_lab.world.events import Said
from aiops_lab.world.jobs import finished
from aiops_lab.world.objects import (
    Key,
    Obj,
    annotations_of,
    being_deleted,
    key_of,
    meta,
    moment_of,
    owner_reference,
    stamp,
)
from aiops_lab.world.schedules import Schedule, parse

BY = "cronjob-controller"
_SCHEDULED = "batch.kubernetes.io/cronjob-scheduled-timestamp"  # only on Jobs that the controller started
_MANY = 100
_RFC1123 = "%a, %d %b %Y %H:%M:%S UTC"


class CronJobs(Controller):
    """Starts Jobs and keeps the last few."""

    kind = "CronJob"
    watches = ("Job",)

    def __init__(self, cluster: Cluster) -> None:
        super().__init__(cluster)
        self._live_since: datetime | None = None
        self._stopped = False

    def reset(self) -> None:
        """Nothing is looked at until the world is live."""
        super().reset()
        self._live_since, self._stopped = None, False

    def stop(self) -> None:
        """The controller is down: schedules pass by."""
        self._stopped = True

    def resume(self) -> None:
        """The controller is back and finds what it missed."""
        self._stopped = False
        self._all()

    def look(self) -> None:
        """Start what is due; then again in the next minute."""
        if self._live_since is None:
            self._live_since = self.cluster.clock.now()
            for found in self.cluster.cache.all(self.kind):
                self._remember_last_start(found)
        if not self._stopped:
            self._all()
        minute = self.cluster.clock.now().replace(second=0, microsecond=0) + timedelta(minutes=1)
        self.cluster.clock.call_at(minute, self.look)

    def _all(self) -> None:
        for found in self.cluster.cache.all(self.kind):
            self._look_at(found)

    def _remember_last_start(self, found: Obj) -> None:
        """What ran before the world was live left its time, though not its Job."""
        schedule = self._schedule(found)
        if (
            schedule is None
            or found["spec"].get("suspend")
            or (found.get("status") or {}).get("lastScheduleTime")
        ):
            return
        now = self.cluster.clock.now()
        since = max(moment_of(meta(found)["creationTimestamp"]), now - timedelta(days=2))
        last, _ = schedule.latest(since, now)
        if last is not None:
            status = {**(found.get("status") or {}), "lastScheduleTime": stamp(last)}
            self.cluster.write_status(found, status)

    def _say(self, found: Obj, reason: str, words: str, *, warning: bool = False) -> None:
        self.cluster.say(Said(found, reason, words, BY, warning=warning))

    def _schedule(self, found: Obj) -> Schedule | None:
        text, zone = found["spec"]["schedule"], found["spec"].get("timeZone") or "UTC"
        try:
            schedule = parse(text, zone)
            schedule.next(self.cluster.clock.now())
        except ZoneInfoNotFoundError:
            words = f'invalid timeZone: "{zone}": unknown time zone {zone}'
            self._say(found, "UnknownTimeZone", words, warning=True)
        except ValueError as problem:
            words = f'unparseable schedule: "{text}" : {problem}'
            self._say(found, "UnparseableSchedule", words, warning=True)
        else:
            return schedule
        return None

    def _look_at(self, found: Obj) -> None:
        if being_deleted(found) or found["spec"].get("suspend"):
            return
        schedule = self._schedule(found)
        moment = self._due(found, schedule) if schedule is not None else None
        if moment is None or self._too_late(found, moment) or self._overlaps(found):
            return
        self._start(found, moment)

    def _due(self, found: Obj, schedule: Schedule) -> datetime | None:
        """The latest start that was not made (mostRecentScheduleTime)."""
        now, spec = self.cluster.clock.now(), found["spec"]
        last = (found.get("status") or {}).get("lastScheduleTime")
        since = moment_of(last) if last else moment_of(meta(found)["creationTimestamp"])
        if self._live_since is not None:
            since = max(since, self._live_since.replace(second=0, microsecond=0) - timedelta(seconds=1))
        if (deadline := spec.get("startingDeadlineSeconds")) is not None:
            since = max(since, now - timedelta(seconds=float(deadline)))
        moment, missed = schedule.latest(since, now)
        if missed > _MANY:
            advice = "Set or decrease .spec.startingDeadlineSeconds or check clock skew"
            self._say(found, "TooManyMissedTimes", f"too many missed start times. {advice}", warning=True)
        return None if moment is not None and stamp(moment) == last else moment

    def _too_late(self, found: Obj, moment: datetime) -> bool:
        deadline = found["spec"].get("startingDeadlineSeconds")
        late = deadline is not None and moment + timedelta(seconds=float(deadline)) < self.cluster.clock.now()
        if late:
            words = f"Missed scheduled time to start a job: {moment.strftime(_RFC1123)}"
            self._say(found, "MissSchedule", words, warning=True)
        return late

    def _overlaps(self, found: Obj) -> bool:
        policy = found["spec"].get("concurrencyPolicy", "Allow")
        running = [job for job in self.cluster.cache.owned(found, "Job") if finished(job) is None]
        if policy == "Forbid" and running:
            words = "Not starting job because prior execution is running and concurrency policy is Forbid"
            self._say(found, "JobAlreadyActive", words)
            return True
        for job in running if policy == "Replace" else ():
            self.cluster.remove(job)
            self._say(found, "SuccessfulDelete", f"Deleted job {meta(job)['name']}")
        return False

    def fire(self, found: Obj) -> None:
        """Start one Job now, whatever the schedule."""
        self._start(found, self.cluster.clock.now())

    def _start(self, found: Obj, moment: datetime) -> None:
        name = f"{meta(found)['name']}-{int(moment.timestamp()) // 60}"
        if self.cluster.cache.get("Job", meta(found)["namespace"], name) is not None:
            return
        template = found["spec"]["jobTemplate"]
        head = template.get("metadata") or {}
        job = {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {
                "name": name,
                "namespace": meta(found)["namespace"],
                "labels": dict(head.get("labels") or {}),
                "annotations": {**(head.get("annotations") or {}), _SCHEDULED: stamp(moment)},
                "ownerReferences": [owner_reference(found)],
            },
            "spec": template["spec"],
        }
        try:
            self.cluster.store.create(job, manager=BY)
        except ApiError as refusal:
            self._say(found, "FailedCreate", f"Error creating job: {refusal}", warning=True)
            return
        self._say(found, "SuccessfulCreate", f"Created job {name}")
        status = {**(found.get("status") or {}), "lastScheduleTime": stamp(moment)}
        self.cluster.write_status(found, status)

    def reconcile(self, key: Key) -> None:
        """The status, and no more finished Jobs than the history limits."""
        found = self.cluster.cache.get("CronJob", *key)
        if found is None or being_deleted(found):
            return
        jobs = sorted(self.cluster.cache.owned(found, "Job"), key=lambda job: str(meta(job)["name"]))
        status = {name: text for name, text in (found.get("status") or {}).items() if name != "active"}
        running = [job for job in jobs if finished(job) is None]
        started = [job for job in running if _SCHEDULED in annotations_of(job)]
        if started:
            status["active"] = [_reference(job) for job in started]
        for job in running:
            if job not in started:
                words = f"Saw a job that the controller did not create or forgot: {meta(job)['name']}"
                self._say(found, "UnexpectedJob", words, warning=True)
        self._say_ended(found, jobs)
        ends = [job["status"]["completionTime"] for job in jobs if finished(job) == "Complete"]
        if ends:
            status["lastSuccessfulTime"] = max(ends)
        self.cluster.write_status(found, status)
        self._clean(found, jobs)

    def _say_ended(self, found: Obj, jobs: list[Obj]) -> None:
        before = {each["uid"] for each in (found.get("status") or {}).get("active") or ()}
        for job in jobs:
            if meta(job)["uid"] in before and (end := finished(job)) is not None:
                self._say(
                    found, "SawCompletedJob", f"Saw completed job: {meta(job)['name']}, condition: {end}"
                )
        left = {meta(job)["uid"] for job in jobs}
        for each in (found.get("status") or {}).get("active") or ():
            if each["uid"] not in left:
                self._say(found, "MissingJob", f"Active job went missing: {each['name']}")

    def _clean(self, found: Obj, jobs: list[Obj]) -> None:
        for word, limit in (("Complete", "successfulJobsHistoryLimit"), ("Failed", "failedJobsHistoryLimit")):
            ended = [job for job in jobs if finished(job) == word]
            keep = int(found["spec"].get(limit, 3 if word == "Complete" else 1))
            for job in ended[: max(0, len(ended) - keep)]:
                self.cluster.remove(job)
                self._say(found, "SuccessfulDelete", f"Deleted job {meta(job)['name']}")


def _reference(job: Obj) -> Obj:
    namespace, name = key_of(job)
    return {
        "kind": "Job",
        "apiVersion": "batch/v1",
        "namespace": namespace,
        "name": name,
        "uid": meta(job)["uid"],
    }
