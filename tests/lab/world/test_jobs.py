"""Jobs that fail, expire, wait and obey policies; CronJobs that miss, overlap and replace."""

from datetime import UTC, datetime

import pytest

from aiops_lab.kube.wire import Obj
from aiops_lab.scenarios.images import Image
from aiops_lab.scenarios.programs import failing, working
from aiops_lab.scenarios.shapes import cron_job, job
from aiops_lab.world.objects import condition, meta
from aiops_lab.world.schedules import parse
from aiops_lab.world.world import World
from tests.lab.world.stage import edit, events, load


@pytest.fixture
def world() -> World:
    return load("healthy", furnished=False)


def batch(world: World, *, takes_s: float = 5, fails: bool = False, **spec: object) -> Obj:
    program = failing("no") if fails else working("done", takes_s=takes_s)
    made = job("production", "batch", world.publish("repo/batch:1", Image(program)))
    made["spec"] |= spec
    return made


def found(world: World, kind: str = "Job", name: str = "batch") -> Obj:
    held = world.store.get(kind, "production", name)
    assert held is not None
    return held


def jobs(world: World) -> list[str]:
    return sorted(meta(each)["name"] for each in world.store.list("Job", "production"))


def test_a_job_beyond_its_deadline_fails_and_its_pods_go(world: World) -> None:
    world.put(batch(world, takes_s=600, activeDeadlineSeconds=30))
    world.clock.advance(90)
    failed = condition(found(world), "Failed")
    assert failed is not None
    assert (failed["reason"], failed["message"]) == (
        "DeadlineExceeded",
        "Job was active longer than specified deadline",
    )
    assert events(world, "batch", "DeadlineExceeded")
    assert world.store.list("Pod", "production", labels="job-name=batch") == []


def test_a_suspended_job_has_no_pods_until_it_is_resumed(world: World) -> None:
    world.put(batch(world, suspend=True))
    world.clock.advance(10)
    suspended = condition(found(world), "Suspended")
    assert suspended is not None
    assert (suspended["status"], suspended["reason"]) == ("True", "JobSuspended")
    assert "startTime" not in found(world)["status"]
    assert world.store.list("Pod", "production", labels="job-name=batch") == []
    edit(world, "Job", "production", "batch", lambda obj: obj["spec"].update(suspend=False))
    world.clock.advance(2)
    resumed = condition(found(world), "Suspended")
    assert resumed is not None
    assert (resumed["status"], resumed["reason"]) == ("False", "JobResumed")
    world.clock.advance(60)
    assert condition(found(world), "Complete") is not None


def test_a_failure_policy_ends_a_job_at_once(world: World) -> None:
    rule = {"action": "FailJob", "onExitCodes": {"operator": "In", "values": [1]}}
    world.put(batch(world, fails=True, backoffLimit=6, podFailurePolicy={"rules": [rule]}))
    world.clock.advance(60)
    failed = condition(found(world), "Failed")
    assert failed is not None
    assert failed["reason"] == "PodFailurePolicy"
    (pod,) = world.store.list("Pod", "production", labels="job-name=batch")
    assert failed["message"] == (
        f"Container job for pod production/{meta(pod)['name']} failed with exit code 1 matching FailJob rule "
        "at index 0"
    )


def test_restarts_within_a_pod_count_against_the_limit(world: World) -> None:
    made = batch(world, fails=True, backoffLimit=2)
    made["spec"]["template"]["spec"]["restartPolicy"] = "OnFailure"
    world.put(made)
    world.clock.advance(300)
    failed = condition(found(world), "Failed")
    assert failed is not None
    assert failed["reason"] == "BackoffLimitExceeded"


def test_a_finished_job_goes_after_its_time_to_live(world: World) -> None:
    world.put(batch(world, ttlSecondsAfterFinished=60))
    world.clock.advance(30)
    assert condition(found(world), "Complete") is not None
    world.clock.advance(90)
    assert jobs(world) == []


@pytest.mark.parametrize(
    ("schedule", "comes"),
    [
        ("*/15 * * * *", "2026-11-22T12:15"),
        ("0 3 * * mon", "2026-11-23T03:00"),
        ("30 6-16/4 * * 1-5", "2026-11-23T06:30"),
        ("0 0 13 * 5", "2026-11-27T00:00"),  # the 13th or a Friday
        ("@hourly", "2026-11-22T13:00"),
        ("0 0 29 2 *", "2028-02-29T00:00"),
        ("0 12 * * 7", "2026-11-29T12:00"),
    ],
)
def test_a_schedule_knows_its_next_time(schedule: str, comes: str) -> None:
    now = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)  # a Sunday
    after = parse(schedule).next(now)
    assert after is not None
    assert after.isoformat().startswith(comes)


def test_a_schedule_of_another_zone_and_one_that_never_comes() -> None:
    now = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
    there = parse("0 9 * * *", "America/New_York").next(now)
    assert there is not None
    assert there.isoformat().startswith("2026-11-22T14:00")
    assert parse("59 23 31 2 *").next(now) is None


def tick(world: World, schedule: str = "* * * * *", *, takes_s: float = 5, **spec: object) -> Obj:
    made = cron_job("production", "tick", schedule, batch(world, takes_s=takes_s)["spec"])
    made["spec"] |= spec
    return made


def test_a_suspended_cron_job_starts_nothing(world: World) -> None:
    world.put(tick(world, suspend=True))
    world.clock.advance(300)
    assert jobs(world) == []


def test_forbid_leaves_the_next_start_out_and_says_so(world: World) -> None:
    world.put(tick(world, takes_s=150, concurrencyPolicy="Forbid"))
    world.clock.advance(130)
    assert len(jobs(world)) == 1
    words = "Not starting job because prior execution is running and concurrency policy is Forbid"
    assert events(world, "tick", "JobAlreadyActive")[0]["message"] == words


def test_replace_ends_the_running_job_for_the_next(world: World) -> None:
    world.put(tick(world, takes_s=900, concurrencyPolicy="Replace"))
    world.clock.advance(70)
    (first,) = jobs(world)
    world.clock.advance(60)
    (second,) = jobs(world)
    assert first != second
    assert f"Deleted job {first}" in [each["message"] for each in events(world, "tick", "SuccessfulDelete")]


def test_allow_lets_them_pile_up(world: World) -> None:
    world.put(tick(world, takes_s=900, concurrencyPolicy="Allow"))
    world.clock.advance(190)
    assert len(jobs(world)) >= 3
    assert len(found(world, "CronJob", "tick")["status"]["active"]) == len(jobs(world))


def test_a_start_that_was_missed_is_made_late_unless_it_is_too_late(world: World) -> None:
    world.put(tick(world, "*/5 * * * *"))
    strict = tick(world, "*/5 * * * *", startingDeadlineSeconds=60)
    meta(strict)["name"] = "strict"
    world.put(strict)
    world.cronjobs.stop()
    world.clock.advance(8 * 60)
    assert jobs(world) == []
    world.cronjobs.resume()
    world.clock.advance(1)
    assert [each.split("-")[0] for each in jobs(world)] == ["tick"]


def test_too_many_missed_starts_are_said(world: World) -> None:
    world.put(tick(world))
    world.cronjobs.stop()
    world.clock.advance(120 * 60)
    world.cronjobs.resume()
    world.clock.advance(1)
    (said,) = events(world, "tick", "TooManyMissedTimes")
    assert said["message"].startswith(
        "too many missed start times. Set or decrease .spec.startingDeadlineSeconds"
    )


def test_a_job_that_the_quota_refuses_is_said_by_the_cron_job(world: World) -> None:
    head = {"name": "none", "namespace": "production"}
    world.put(
        {
            "apiVersion": "v1",
            "kind": "ResourceQuota",
            "metadata": head,
            "spec": {"hard": {"count/jobs.batch": 0}},
        }
    )
    world.put(tick(world))
    world.clock.advance(70)
    words = events(world, "tick", "FailedCreate")[0]["message"]
    assert words.startswith('Error creating job: jobs.batch "tick-')
    assert "exceeded quota: none, requested: count/jobs.batch=1" in words
