"""Trials of Jobs and CronJobs.

The lab's controllers start, skip, miss and end them as `pkg/controller/cronjob` and `pkg/controller/job` do;
a world is live for seventy minutes before T0, older runs are only told in the status.
"""

from datetime import datetime, timedelta
from random import Random
from typing import Any

from aiops_lab.kube.wire import Obj
from aiops_lab.scenarios.base import Build, Expect, Stage
from aiops_lab.scenarios.images import Image
from aiops_lab.scenarios.names import Names
from aiops_lab.scenarios.programs import Program, Switch, failing, logfmt, serving, working
from aiops_lab.scenarios.shapes import container, cron_job, deployment, http_probe, job, template
from aiops_lab.scenarios.trials.base import HOME, Trial, at, trial

HOUR_S, DAY_S = 3600.0, 86_400.0
DONE = logfmt("info", "batch done", rows=812)
REFUSED = logfmt("fatal", "cannot reach backend: dial tcp 10.3.0.9:5432: connect: connection refused")


def of(code: str, kind: str = "CronJob") -> Expect:
    """The one finding, at the Job or CronJob of the story."""
    return at(code, kind, "{api}-batch")


def _image(stage: Stage, names: Names, program: Program) -> str:
    return stage.publish(names.image(f"{names.api}-batch", "5.0.1"), Image(program))


def _job(stage: Stage, names: Names, program: Program, **spec: Any) -> Obj:
    made = job(HOME, f"{names.api}-batch", _image(stage, names, program))
    made["spec"] |= spec
    return made


def _cron(stage: Stage, names: Names, program: Program, schedule: str, **spec: Any) -> Obj:
    made = cron_job(HOME, f"{names.api}-batch", schedule, _job(stage, names, program)["spec"])
    made["spec"] |= spec
    return made


# Jobs


def _gave_up(stage: Stage, names: Names, rng: Random) -> None:
    """It failed hours ago, and its pods were tidied away: nothing else can say why."""
    since_s = rng.uniform(3, 9) * HOUR_S
    stage.put_at(since_s, _job(stage, names, failing(REFUSED, after_s=4), backoffLimit=rng.randint(0, 2)))
    stage.replace_pods_at(since_s - rng.uniform(0.5, 2) * HOUR_S, HOME, f"{names.api}-batch")


def _gave_up_now(stage: Stage, names: Names, rng: Random) -> None:
    since_s = rng.uniform(15, 40) * 60
    stage.put_at(since_s, _job(stage, names, failing(REFUSED, after_s=rng.uniform(2, 9))))


def _succeeded_later(stage: Stage, names: Names, rng: Random) -> None:
    program = Switch(failing(REFUSED, after_s=rng.uniform(2, 9)), working(DONE, takes_s=20))
    stage.put_at(9 * DAY_S, _cron(stage, names, program, f"*/{rng.choice((5, 10, 12))} * * * *"))
    stage.at(rng.uniform(30, 45) * 60, program.turn)


def _too_long(stage: Stage, names: Names, rng: Random) -> None:
    seconds = rng.randint(120, 900)
    program = working(DONE, takes_s=7200)
    since_s = rng.uniform(20, 60) * 60
    stage.put_at(since_s, _job(stage, names, program, activeDeadlineSeconds=seconds))


def _in_time(stage: Stage, names: Names, rng: Random) -> None:
    stage.put_at(
        rng.uniform(5, 15) * 60, _job(stage, names, working(DONE, takes_s=7200), activeDeadlineSeconds=3600)
    )


def _too_long_once(stage: Stage, names: Names, rng: Random) -> None:
    program = Switch(working(DONE, takes_s=7200), working(DONE, takes_s=30))
    found = _cron(stage, names, program, f"*/{rng.choice((10, 12, 15))} * * * *")
    found["spec"]["jobTemplate"]["spec"]["activeDeadlineSeconds"] = rng.randint(120, 300)
    stage.put_at(9 * DAY_S, found)
    stage.at(rng.uniform(30, 45) * 60, program.turn)


def _held(label: str = "") -> Build:
    def build(stage: Stage, names: Names, rng: Random) -> None:
        made = _job(stage, names, working(DONE, takes_s=60), suspend=True)
        if label:
            made["metadata"]["labels"][label] = f"team-{names.api}"
        stage.put_at(rng.uniform(8, 25) * DAY_S, made)

    return build


def _resumed(stage: Stage, names: Names, rng: Random) -> None:
    _held()(stage, names, rng)

    def resume(obj: Obj) -> None:
        obj["spec"]["suspend"] = False

    stage.change_at(rng.uniform(20, 50) * 60, "Job", HOME, f"{names.api}-batch", resume)


# CronJobs: schedule


def _every(rng: Random) -> str:
    return f"*/{rng.choice((5, 6, 10, 12))} * * * *"


def _never(stage: Stage, names: Names, rng: Random) -> None:
    text = rng.choice(("0 3 31 2 *", "15 4 30 2 *", "0 0 31 4,6,9,11 *", "30 1 31 feb *"))
    stage.put_at(rng.uniform(2, 20) * DAY_S, _cron(stage, names, working(DONE, takes_s=20), text))


def _leap_day(stage: Stage, names: Names, rng: Random) -> None:
    text = rng.choice(("0 3 29 2 *", "0 0 31 12 *", "0 5 31 * 1"))
    stage.put_at(rng.uniform(2, 20) * HOUR_S, _cron(stage, names, working(DONE, takes_s=20), text))


def _rewritten(stage: Stage, names: Names, rng: Random) -> None:
    _never(stage, names, rng)

    def correct(obj: Obj) -> None:
        obj["spec"]["schedule"] = "*/10 * * * *"

    stage.change_at(rng.uniform(15, 40) * 60, "CronJob", HOME, f"{names.api}-batch", correct)


# CronJobs: suspended


def _suspend(days: float) -> Any:
    """Suspends it, with the last run as many days after its creation."""

    def change(obj: Obj) -> None:
        last = datetime.fromisoformat(obj["metadata"]["creationTimestamp"]) + timedelta(days=days)
        obj["spec"]["suspend"] = True
        status = obj.setdefault("status", {})
        status["lastScheduleTime"] = status["lastSuccessfulTime"] = last.strftime("%Y-%m-%dT%H:%M:%SZ")

    return change


def _suspended(stage: Stage, names: Names, rng: Random, *, note: bool = False, days: float = 0) -> None:
    made = _cron(stage, names, working(DONE, takes_s=20), f"{rng.randint(0, 59)} {rng.randint(0, 5)} * * *")
    if note:
        made["metadata"]["annotations"] = {"example.com/reason": "disabled until the migration is over"}
    stage.put_at(28 * DAY_S, made)
    since_days = days or rng.uniform(9, 20)
    change = _suspend(27.5 - since_days)
    stage.change_at(since_days * DAY_S, "CronJob", HOME, f"{names.api}-batch", change)


def _forgotten(stage: Stage, names: Names, rng: Random) -> None:
    _suspended(stage, names, rng)


def _with_note(stage: Stage, names: Names, rng: Random) -> None:
    _suspended(stage, names, rng, note=True)


def _for_two_days(stage: Stage, names: Names, rng: Random) -> None:
    _suspended(stage, names, rng, days=rng.uniform(1, 4))


def _runs_again(stage: Stage, names: Names, rng: Random) -> None:
    _suspended(stage, names, rng)

    def resume(obj: Obj) -> None:
        obj["spec"] |= {"suspend": False, "schedule": _every(rng)}

    stage.change_at(rng.uniform(15, 45) * 60, "CronJob", HOME, f"{names.api}-batch", resume)


# CronJobs: blocked, missed, overlapping


def _hangs(stage: Stage, names: Names, rng: Random) -> None:
    stage.put_at(5 * DAY_S, _cron(stage, names, serving(f"{names.api}-batch"), _every(rng)))


def _no_image(stage: Stage, names: Names, rng: Random) -> None:
    """The run waits for its image: that is the finding, the skipped starts are its symptom."""
    made = _cron(stage, names, working(DONE, takes_s=20), _every(rng))
    main = made["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"][0]
    main["image"] = names.image(f"{names.api}-batch", "5.0.2")
    stage.put_at(5 * DAY_S, made)


def _skips_one(stage: Stage, names: Names, rng: Random) -> None:
    """Each run takes a little longer than the period: one start is skipped, the next is made."""
    minutes = rng.choice((5, 10))
    program = working(DONE, takes_s=minutes * 60 * rng.uniform(1.1, 1.5))
    stage.put_at(5 * DAY_S, _cron(stage, names, program, f"*/{minutes} * * * *"))


def _hung_once(stage: Stage, names: Names, rng: Random) -> None:
    program = Switch(working(DONE, takes_s=rng.uniform(25, 35) * 60), working(DONE, takes_s=25))
    stage.put_at(5 * DAY_S, _cron(stage, names, program, f"*/{rng.choice((5, 6))} * * * *"))
    stage.at(50 * 60, program.turn)


def _missed(stage: Stage, names: Names, rng: Random) -> None:
    stage.put_at(5 * DAY_S, _cron(stage, names, working(DONE, takes_s=20), _every(rng)))
    stage.pause_cron_jobs_at(rng.uniform(40, 60) * 60, DAY_S)


def _caught_up(stage: Stage, names: Names, rng: Random) -> None:
    stage.put_at(5 * DAY_S, _cron(stage, names, working(DONE, takes_s=20), _every(rng)))
    stage.pause_cron_jobs_at(55 * 60, rng.uniform(20, 30) * 60)


def _suspended_today(stage: Stage, names: Names, rng: Random) -> None:
    stage.put_at(5 * DAY_S, _cron(stage, names, working(DONE, takes_s=20), _every(rng)))

    def suspend(obj: Obj) -> None:
        obj["spec"]["suspend"] = True

    stage.change_at(rng.uniform(30, 60) * 60, "CronJob", HOME, f"{names.api}-batch", suspend)


def _piled(stage: Stage, names: Names, rng: Random) -> None:
    program = working(DONE, takes_s=rng.uniform(2, 4) * HOUR_S)
    stage.put_at(5 * DAY_S, _cron(stage, names, program, _every(rng), concurrencyPolicy="Allow"))


def _squeezing(stage: Stage, names: Names, rng: Random) -> None:
    """The runs hold the cpu that a Deployment wants."""
    made = _cron(stage, names, working(DONE, takes_s=4 * HOUR_S), "*/5 * * * *", concurrencyPolicy="Allow")
    main = made["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"][0]
    main["resources"] = {"requests": {"cpu": "2600m", "memory": "128Mi"}, "limits": {"memory": "256Mi"}}
    stage.put_at(5 * DAY_S, made)
    image = stage.publish(names.api_image, Image(serving(names.api)))
    wants = {"requests": {"cpu": "2", "memory": "128Mi"}, "limits": {"memory": "256Mi"}}
    pod = template(
        {"app": names.api}, [container("app", image, readinessProbe=http_probe(), resources=wants)]
    )
    stage.put_at(rng.uniform(8, 14) * 60, deployment(HOME, names.api, 2, pod))


def _two_at_once(stage: Stage, names: Names, rng: Random) -> None:
    minutes = rng.choice((10, 15))
    program = working(DONE, takes_s=minutes * 60 * rng.uniform(1.1, 1.7))
    found = _cron(stage, names, program, f"*/{minutes} * * * *", concurrencyPolicy="Allow")
    stage.put_at(5 * DAY_S, found)


def _melted(stage: Stage, names: Names, rng: Random) -> None:
    program = Switch(working(DONE, takes_s=rng.uniform(20, 30) * 60), working(DONE, takes_s=25))
    found = _cron(stage, names, program, f"*/{rng.choice((4, 5))} * * * *", concurrencyPolicy="Allow")
    stage.put_at(5 * DAY_S, found)
    stage.at(40 * 60, program.turn)


TRIALS: tuple[Trial, ...] = (
    trial("JOB_FAILED", "positive", _gave_up, of("JOB_FAILED", "Job"), says="Its pods are gone."),
    trial(
        "JOB_FAILED",
        "look_alike",
        _gave_up_now,
        of("DEPENDENCY_UNREACHABLE", "Job"),
        says="Its pod says why.",
    ),
    trial("JOB_FAILED", "recovered", _succeeded_later, says="Later runs succeeded."),
    trial(
        "JOB_DEADLINE_EXCEEDED",
        "positive",
        _too_long,
        of("JOB_DEADLINE_EXCEEDED", "Job"),
        says="Ended by its deadline.",
    ),
    trial("JOB_DEADLINE_EXCEEDED", "look_alike", _in_time, says="Runs long, within its deadline."),
    trial("JOB_DEADLINE_EXCEEDED", "recovered", _too_long_once, says="Later runs were in time."),
    trial("JOB_SUSPENDED", "positive", _held(), of("JOB_SUSPENDED", "Job"), says="Suspended for weeks."),
    trial("JOB_SUSPENDED", "look_alike", _held("kueue.x-k8s.io/queue-name"), says="A queue holds it."),
    trial("JOB_SUSPENDED", "recovered", _resumed, says="It was resumed and ran."),
    trial(
        "CRONJOB_SCHEDULE_INVALID",
        "positive",
        _never,
        of("CRONJOB_SCHEDULE_INVALID"),
        says="A day that never comes.",
    ),
    trial("CRONJOB_SCHEDULE_INVALID", "look_alike", _leap_day, says="A day that seldom comes."),
    trial("CRONJOB_SCHEDULE_INVALID", "recovered", _rewritten, says="The schedule was corrected."),
    trial("CRONJOB_SUSPENDED", "positive", _forgotten, of("CRONJOB_SUSPENDED"), says="For weeks, no note."),
    trial("CRONJOB_SUSPENDED", "look_alike", _with_note, says="A note says why."),
    trial("CRONJOB_SUSPENDED", "look_alike", _for_two_days, says="For some days only.", variant="days"),
    trial("CRONJOB_SUSPENDED", "recovered", _runs_again, says="It was resumed."),
    trial("CRONJOB_BLOCKED", "positive", _hangs, of("CRONJOB_BLOCKED"), says="A run that never ends."),
    trial(
        "CRONJOB_BLOCKED",
        "look_alike",
        _no_image,
        of("IMAGE_NOT_FOUND"),
        says="The run waits for an image that is not there.",
    ),
    trial("CRONJOB_BLOCKED", "look_alike", _skips_one, says="One start is skipped.", variant="slow"),
    trial("CRONJOB_BLOCKED", "recovered", _hung_once, says="The long run has ended."),
    trial("CRONJOB_MISSED_STARTS", "positive", _missed, of("CRONJOB_MISSED_STARTS"), says="No run is made."),
    trial("CRONJOB_MISSED_STARTS", "look_alike", _suspended_today, says="Suspended this hour."),
    trial("CRONJOB_MISSED_STARTS", "recovered", _caught_up, says="It starts again."),
    trial("CRONJOB_OVERLAPS", "positive", _piled, of("CRONJOB_OVERLAPS"), says="Runs pile up."),
    trial(
        "CRONJOB_OVERLAPS",
        "positive",
        _squeezing,
        of("CRONJOB_OVERLAPS"),
        says="Runs pile up and hold what others want.",
        variant="squeeze",
    ),
    trial("CRONJOB_OVERLAPS", "look_alike", _two_at_once, says="Two at once, no more."),
    trial("CRONJOB_OVERLAPS", "recovered", _melted, says="The pile is gone."),
)
