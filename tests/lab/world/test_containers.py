"""Containers and pods: probes, back-off, exits, init containers, termination, logs, usage."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiops_lab.kube.wire import Obj
from aiops_lab.scenarios.images import Image
from aiops_lab.scenarios.programs import MI, Behaviour, Curve, Program, Run, failing, serving, working
from aiops_lab.scenarios.shapes import config_map, container, deployment, http_probe, secret, template
from aiops_lab.world.container_run import go_duration
from aiops_lab.world.objects import condition, is_ready, meta, moment_of
from aiops_lab.world.world import World
from tests.lab.world.stage import edit, events, first, load, new_app, pods, ready, texts, waiting


@pytest.fixture
def world() -> World:
    return load("healthy", furnished=False)


def behaving(**what: Any) -> Program:
    def run(start: Run) -> Behaviour:
        del start
        return Behaviour(**what)

    return run


def one(world: World, app: str) -> Obj:
    (pod,) = pods(world, app)
    return pod


def test_the_back_off_doubles_from_10_s_to_5_min_and_says_it_in_gos_words(world: World) -> None:
    new_app(world, "bad", failing("fatal", after_s=1))
    said: list[str] = []
    restarts = 0
    for _ in range(1500):
        world.clock.advance(1)
        status = first(one(world, "bad"))
        message = status["state"].get("waiting", {}).get("message", "")
        if message.startswith("back-off") and (not said or said[-1] != message.split()[1]):
            said.append(message.split()[1])
        restarts = status["restartCount"]
    assert said == ["10s", "20s", "40s", "1m20s", "2m40s", "5m0s"]
    assert restarts == 8


def test_the_back_off_is_forgotten_after_ten_minutes_of_running(world: World) -> None:
    new_app(world, "slow", failing("fatal", after_s=700))
    world.clock.advance(4000)
    messages = first(one(world, "slow"))["state"].get("waiting", {}).get("message", "back-off 10s")
    assert "back-off 10s" in messages
    assert first(one(world, "slow"))["restartCount"] == 5


@given(st.integers(0, 9000))
def test_durations_are_written_as_go_writes_them(seconds: int) -> None:
    text = go_duration(seconds)
    minutes, _, rest = text.rpartition("m")
    assert int(minutes or 0) * 60 + int(rest.removesuffix("s")) == seconds


@pytest.mark.parametrize(
    ("code", "reason"), [(0, "Completed"), (1, "Error"), (2, "Error"), (126, "Error"), (127, "Error")]
)
def test_any_exit_of_a_service_is_a_crash_loop_with_its_code(world: World, code: int, reason: str) -> None:
    new_app(world, "quits", failing("bye", code=code))
    world.clock.advance(30)
    ended = first(one(world, "quits"))["lastState"]["terminated"]
    assert (ended["exitCode"], ended["reason"]) == (code, reason)
    assert waiting(one(world, "quits")) == "CrashLoopBackOff"


def test_a_pod_is_ready_only_after_its_readiness_probe_and_the_service_follows(world: World) -> None:
    new_app(world, "slow", behaving(ready_after_s=60))
    world.clock.advance(30)
    pod = one(world, "slow")
    ready_now = condition(pod, "Ready")
    assert ready_now is not None
    assert ready_now["message"] == "containers with unready status: [app]"
    assert events(world, "slow", "Unhealthy")[0]["message"].startswith("Readiness probe failed")
    world.clock.advance(45)
    assert is_ready(one(world, "slow"))
    count = events(world, "slow", "Unhealthy")[0]["count"]
    world.clock.advance(300)
    assert events(world, "slow", "Unhealthy")[0]["count"] == count


def test_a_liveness_probe_that_is_too_early_for_a_slow_start_kills_it(world: World) -> None:
    probe = http_probe(delay_s=5, period_s=5)
    new_app(world, "early", behaving(ready_after_s=90, stop_code=143), livenessProbe=probe)
    world.clock.advance(40)
    assert first(one(world, "early"))["lastState"]["terminated"]["exitCode"] == 143
    assert events(world, "early", "Killing")


def test_a_startup_probe_gives_a_slow_start_its_time(world: World) -> None:
    probes: dict[str, Any] = {
        "livenessProbe": http_probe(delay_s=5, period_s=5),
        "startupProbe": http_probe(delay_s=0, period_s=5, failures=30),
    }
    new_app(world, "patient", behaving(ready_after_s=90), **probes)
    world.clock.advance(200)
    assert first(one(world, "patient"))["restartCount"] == 0
    assert is_ready(one(world, "patient"))


def test_a_probe_of_the_wrong_port_is_refused_and_never_ready(world: World) -> None:
    probe = http_probe()
    probe["httpGet"]["port"] = 9999
    new_app(world, "wrong", behaving(port=8080), readinessProbe=probe)
    world.clock.advance(60)
    assert not is_ready(one(world, "wrong"))
    words = events(world, "wrong", "Unhealthy")[0]["message"]
    assert words.endswith(":9999: connect: connection refused")
    assert words.startswith("Readiness probe failed: Get ")


def test_a_program_that_ignores_sigterm_is_killed_with_137_after_its_grace(world: World) -> None:
    probe = http_probe(delay_s=5, period_s=5)
    new_app(world, "deaf", behaving(alive_until_s=10, stop_s=900), livenessProbe=probe)
    world.clock.advance(70)
    assert first(one(world, "deaf"))["lastState"]["terminated"]["exitCode"] == 137


@given(st.floats(20, 400), st.floats(1, 600), st.floats(20, 800))
def test_a_curve_is_at_the_level_when_it_is_said_to_cross_it(low: float, over_s: float, level: float) -> None:
    curve = Curve(((0.0, low), (over_s, low + 300)), slope=0.5)
    crossed = curve.first_above(level)
    assert crossed is not None
    assert crossed >= 0
    assert curve.at(crossed) == pytest.approx(max(level, low), rel=1e-6)
    assert crossed == 0 or curve.at(crossed * 0.99) <= level


def test_memory_stops_at_the_limit_with_oom_killed_and_usage_never_shows_more(world: World) -> None:
    climbing = behaving(memory=Curve(((0.0, 50 * MI),), slope=2 * MI))
    new_app(world, "climbs", climbing)
    world.clock.advance(60)
    used = world.pod("production", meta(one(world, "climbs"))["name"])
    assert used is not None
    assert 130 * MI < used["app"][1] <= 256 * MI
    world.clock.advance(60)
    ended = first(one(world, "climbs"))["lastState"]["terminated"]
    assert (ended["reason"], ended["exitCode"]) == ("OOMKilled", 137)


def test_a_container_without_a_limit_is_never_oom_killed(world: World) -> None:
    resources = {"requests": {"cpu": "10m"}}
    climbing = behaving(memory=Curve(((0.0, 50 * MI),), slope=2 * MI))
    new_app(world, "free", climbing, resources=resources)
    world.clock.advance(900)
    assert first(one(world, "free"))["restartCount"] == 0


def test_logs_of_the_run_and_of_the_one_before_stand_apart(world: World) -> None:
    def run(start: Run) -> Behaviour:
        lines = ((0.5, f"run {start.restart}"),)
        return failing(f"run {start.restart}")(start) if start.restart < 2 else Behaviour(lines=lines)

    new_app(world, "talks", run)
    world.clock.advance(60)
    pod = one(world, "talks")
    assert texts(world, pod) == ["run 2"]
    assert texts(world, pod, previous=True) == ["run 1"]
    when, _ = (world.lines("production", meta(pod)["name"], "app", previous=False) or [])[0]
    started = moment_of(first(pod)["state"]["running"]["startedAt"])
    assert timedelta(0) <= when - started < timedelta(seconds=2)
    assert world.lines("production", meta(pod)["name"], "no-such", previous=False) is None
    assert world.lines("production", "no-such", "app", previous=False) is None


def test_init_containers_run_in_order_before_the_rest(world: World) -> None:
    world.publish("repo/init:1", Image(working("prepared", takes_s=20)))
    image = world.publish("repo/late:1.0.0", Image(serving("late")))
    inits = [container("first", "repo/init:1"), container("second", "repo/init:1")]
    pod = template({"app": "late"}, [container("app", image)], initContainers=inits)
    world.put(deployment("production", "late", 1, pod))
    world.clock.advance(15)
    assert waiting(one(world, "late")) == "PodInitializing"
    assert one(world, "late")["status"]["phase"] == "Pending"
    world.clock.advance(60)
    assert is_ready(one(world, "late"))


def test_a_failing_init_container_holds_the_pod_back(world: World) -> None:
    world.publish("repo/init:1", Image(failing("db not reachable")))
    image = world.publish("repo/held:1.0.0", Image(serving("held")))
    pod = template(
        {"app": "held"}, [container("app", image)], initContainers=[container("wait", "repo/init:1")]
    )
    world.put(deployment("production", "held", 1, pod))
    world.clock.advance(200)
    status = one(world, "held")["status"]
    assert status["phase"] == "Pending"
    assert status["initContainerStatuses"][0]["restartCount"] >= 3
    assert waiting(one(world, "held")) == "PodInitializing"


def test_a_deleted_pod_goes_after_its_program_stopped(world: World) -> None:
    new_app(world, "going", behaving(stop_s=12))
    world.clock.advance(30)
    name = meta(one(world, "going"))["name"]
    world.store.delete("Pod", "production", name)
    world.clock.advance(5)
    still = world.store.get("Pod", "production", name)
    assert still is not None
    assert "deletionTimestamp" in meta(still)
    assert events(world, name, "Killing")[0]["message"] == "Stopping container app"
    world.clock.advance(10)
    assert world.store.get("Pod", "production", name) is None


def test_a_missing_secret_or_key_is_named_in_the_kubelets_words(world: World) -> None:
    ref = {"secretKeyRef": {"name": "cred", "key": "token"}}
    new_app(world, "asks", env=[{"name": "TOKEN", "valueFrom": ref}])
    world.clock.advance(15)
    assert first(one(world, "asks"))["state"]["waiting"]["message"] == 'secret "cred" not found'
    world.put(secret("production", "cred", {"other": "x"}))
    world.clock.advance(30)
    message = first(one(world, "asks"))["state"]["waiting"]["message"]
    assert message == "couldn't find key token in Secret production/cred"
    edit(world, "Secret", "production", "cred", lambda obj: obj["data"].update(token="eA=="))
    world.clock.advance(30)
    assert ready(world, "asks") == 1


def test_the_environment_is_what_the_references_say(world: World) -> None:
    seen: list[dict[str, str]] = []

    def run(start: Run) -> Behaviour:
        seen.append(start.env)
        return Behaviour()

    world.put(config_map("production", "base", {"A": "1"}), secret("production", "keys", {"B": "2"}))
    sources = [{"configMapRef": {"name": "base"}, "prefix": "X_"}, {"secretRef": {"name": "keys"}}]
    field = {"name": "ME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}
    new_app(world, "reads", run, envFrom=sources, env=[field, {"name": "C", "value": "3"}])
    world.clock.advance(15)
    assert seen == [{"X_A": "1", "B": "2", "C": "3", "ME": meta(one(world, "reads"))["name"]}]


@pytest.mark.parametrize(
    ("image", "reason", "words"),
    [
        ("repo/none:1", "ErrImagePull", "not found"),
        ("nowhere/thing:1", "ErrImagePull", "repository does not exist"),
        ("Repo/UPPER:1", "InvalidImageName", "invalid reference format"),
    ],
)
def test_an_image_that_cannot_be_had_says_why(world: World, image: str, reason: str, words: str) -> None:
    world.publish("repo/none:2")
    pod = template({"app": "pulls"}, [container("app", image)])
    world.put(deployment("production", "pulls", 1, pod))
    world.clock.advance(3)
    assert waiting(one(world, "pulls")) == reason
    assert words in first(one(world, "pulls"))["state"]["waiting"]["message"]
    assert any(
        "Failed" in (event["reason"]) or "Inspect" in event["reason"] for event in events(world, "pulls")
    )


def test_never_pull_needs_the_image_on_the_node(world: World) -> None:
    new_app(world, "never", imagePullPolicy="Never")
    world.clock.advance(5)
    assert waiting(one(world, "never")) == "ErrImageNeverPull"


def test_usage_is_measured_for_running_containers_and_for_nodes(world: World) -> None:
    new_app(world, "uses", serving("uses", memory_mi=100, cpu_m=70))
    world.clock.advance(60)
    pod = one(world, "uses")
    used = world.pod("production", meta(pod)["name"])
    assert used is not None
    assert used["app"][0] == pytest.approx(70, rel=0.05)
    assert used["app"][1] == pytest.approx(100 * MI, rel=0.05)
    total = world.node(pod["spec"]["nodeName"])
    assert total is not None
    assert total[1] > used["app"][1]
    assert world.pod("production", "no-such") is None
    assert world.node("no-such") is None
