"""Every scenario stands at its T0 as the scenarios' page describes it, with any seed."""

import re
from datetime import datetime

import pytest

from aiops_lab.aws.account import CLUSTER
from aiops_lab.kube.wire import Obj
from aiops_lab.scenarios import SCENARIOS, names
from aiops_lab.scenarios.base import Expected
from aiops_lab.scenarios.canaries import CANARIES, PLANTED, found_in
from aiops_lab.scenarios.names import Names, cast
from aiops_lab.scenarios.wording import loading
from aiops_lab.world.objects import meta
from aiops_lab.world.world import World
from tests.lab.world.stage import SEEDS, events, first, load, pods, ready, seen, texts, waiting

seeds = pytest.mark.parametrize("seed", SEEDS)


def api(seed: int, scenario: str) -> tuple[World, Names, list[Obj]]:
    world, who = seen(scenario, seed), cast(seed)
    return world, who, pods(world, who.api)


@seeds
@pytest.mark.row("C7")
def test_f1_crash_loops_without_its_optional_config_map_beside_a_decoy(seed: int) -> None:
    world, who, found = api(seed, "pod-crashloop")
    assert len(found) == who.api_replicas
    for pod in found:
        status = first(pod)
        assert pod["status"]["phase"] == "Running"
        assert (status["ready"], waiting(pod)) == (False, "CrashLoopBackOff")
        assert 7 <= status["restartCount"] <= 9
        full = f"{meta(pod)['name']}_production({meta(pod)['uid']})"
        assert status["state"]["waiting"]["message"] == (
            f"back-off 5m0s restarting failed container=app pod={full}"
        )
        ended = status["lastState"]["terminated"]
        assert (ended["reason"], ended["exitCode"]) == ("Error", 1)
        assert texts(world, pod, previous=True) == texts(world, pod)
        assert any(who.setting in line for line in texts(world, pod))
        assert 36 <= events(world, meta(pod)["name"], "BackOff")[0]["count"] <= 46
    assert world.store.get("ConfigMap", "production", who.config) is None
    assert world.store.get("ConfigMap", "production", who.decoy_config) is not None
    endpoints = world.store.get("Endpoints", "production", who.api)
    assert endpoints is not None
    assert not any(subset.get("addresses") for subset in endpoints["subsets"])
    assert [(change.verb, change.user, meta(change.obj)["name"]) for change in world.changes] == [
        ("delete", who.cleaner, who.config)
    ]


def test_seed_0_has_the_names_of_the_scenarios_page_letter_by_letter() -> None:
    world = seen("pod-crashloop", 0)
    found = pods(world, "api-server")
    assert "api-server-6c9d7f5b8-x2k4q" in [meta(pod)["name"] for pod in found]
    assert [first(pod)["restartCount"] for pod in found] == [8, 8]
    assert texts(world, found[0]) == [
        'level=info msg="starting api-server" version=1.8.2',
        'level=fatal msg="required setting DB_HOST is empty" hint="set it in configmap api-config"',
    ]
    world = seen("oom-raise-limits", 0)
    (pod,) = pods(world, "payment-worker")
    assert meta(pod)["name"] == "payment-worker-5b7c9-abcde"
    assert first(pod)["restartCount"] == 6
    running = world.store.list("Pod", "production", fields="status.phase=Running")
    assert len(running) == 14


@seeds
@pytest.mark.row("C7")
def test_f1b_a_required_config_map_leaves_no_logs_and_an_event(seed: int) -> None:
    world, who, found = api(seed, "pod-crashloop-config-error")
    for pod in found:
        assert (pod["status"]["phase"], waiting(pod)) == ("Pending", "CreateContainerConfigError")
        assert first(pod)["state"]["waiting"]["message"] == f'configmap "{who.config}" not found'
        assert world.lines("production", meta(pod)["name"], "app", previous=False) is None
        said = [event["message"] for event in events(world, meta(pod)["name"], "Failed")]
        assert said == [f'Error: configmap "{who.config}" not found']


@seeds
@pytest.mark.row("C7")
def test_f1c_a_mounted_config_map_leaves_the_pod_in_container_creating(seed: int) -> None:
    world, who, found = api(seed, "pod-crashloop-mount")
    for pod in found:
        assert (pod["status"]["phase"], waiting(pod)) == ("Pending", "ContainerCreating")
        assert events(world, meta(pod)["name"], "FailedMount")[0]["message"] == (
            f'MountVolume.SetUp failed for volume "cfg" : configmap "{who.config}" not found'
        )


@seeds
@pytest.mark.parametrize("scenario", ["pod-crashloop-app-error", "pod-crashloop-unrelated"])
def test_the_app_error_crashes_beside_its_config_map(seed: int, scenario: str) -> None:
    world, who, found = api(seed, scenario)
    assert world.store.get("ConfigMap", "production", who.config) is not None
    for pod in found:
        assert first(pod)["lastState"]["terminated"]["exitCode"] not in (0, 126, 127, 137, 143)
        assert not any(who.setting in line or who.config in line for line in texts(world, pod))


@seeds
def test_the_liveness_victim_exits_143_after_unhealthy_and_killing(seed: int) -> None:
    world, _, found = api(seed, "pod-crashloop-liveness")
    for pod in found:
        assert first(pod)["lastState"]["terminated"]["exitCode"] == 143
        assert first(pod)["restartCount"] >= 5
        assert events(world, meta(pod)["name"], "Unhealthy")[0]["message"].startswith("Liveness probe failed")
        assert events(world, meta(pod)["name"], "Killing")[0]["message"] == (
            "Container app failed liveness probe, will be restarted"
        )


@seeds
@pytest.mark.row("S53")
@pytest.mark.parametrize(
    ("scenario", "home"), [("oom-raise-limits", "production"), ("oom-raise-limits-staging", "staging")]
)
def test_f2_is_oom_killed_and_its_log_just_stops(seed: int, scenario: str, home: str) -> None:
    world, who = seen(scenario, seed), cast(seed)
    found = pods(world, who.worker, home)
    assert len(found) == who.worker_replicas
    for pod in found:
        ended = first(pod)["lastState"]["terminated"]
        assert (ended["reason"], ended["exitCode"]) == ("OOMKilled", 137)
        assert pod["status"]["phase"] == "Running"
        assert 5 <= first(pod)["restartCount"] <= 8
        assert texts(world, pod, previous=True) == list(loading(who)[:2])


@seeds
def test_f2n_is_killed_after_hours_not_seconds(seed: int) -> None:
    world, who = load("memory-leak", seed), cast(seed)
    for pod in pods(world, who.worker):
        ended = first(pod)["lastState"]["terminated"]
        assert ended["reason"] == "OOMKilled"
        assert first(pod)["restartCount"] == 4
        hours = (_moment(ended["finishedAt"]) - _moment(ended["startedAt"])) / 3600
        assert 4.5 < hours < 5.7
        before = world.pod("production", meta(pod)["name"])
        world.clock.advance(3600)
        after = world.pod("production", meta(pod)["name"])
        assert before is not None
        assert after is not None
        assert after["worker"][1] > before["worker"][1] + 25 * 2**20 * who.worker_scale


def _moment(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


@seeds
@pytest.mark.parametrize(
    ("scenario", "words"), [("image-pull", "not found"), ("image-pull-denied", "authorization failed")]
)
def test_a_bad_image_waits_in_back_off_while_the_old_revision_serves(
    seed: int, scenario: str, words: str
) -> None:
    world, who, found = api(seed, scenario)
    stuck = [pod for pod in found if not first(pod)["ready"]]
    assert stuck
    assert all(waiting(pod) in ("ErrImagePull", "ImagePullBackOff") for pod in stuck)
    assert all(words in first(pod)["state"]["waiting"]["message"] for pod in stuck)
    assert ready(world, who.api) >= who.api_replicas - who.api_replicas // 4
    deployment = world.store.get("Deployment", "production", who.api)
    assert deployment is not None
    progressing = [each for each in deployment["status"]["conditions"] if each["type"] == "Progressing"]
    assert progressing[0]["reason"] == "ProgressDeadlineExceeded"


@seeds
@pytest.mark.parametrize("scenario", ["healthy", "manifest-scan", "pod-crashloop-recovered", "oom-once"])
def test_a_quiet_world_expects_no_finding_and_every_workload_is_up_or_on_its_way(
    seed: int, scenario: str
) -> None:
    world = seen(scenario, seed)
    assert world.expected == ()
    for home in ("production", "dev", "kube-system"):
        for deployment in world.store.list("Deployment", home):
            wanted = deployment["spec"]["replicas"]
            assert deployment["status"].get("availableReplicas", 0) == wanted, meta(deployment)["name"]


@seeds
def test_the_recovered_worlds_still_show_their_scars(seed: int) -> None:
    _, who, found = api(seed, "pod-crashloop-recovered")
    assert all(first(pod)["restartCount"] >= 5 for pod in found)
    killed = [
        pod
        for pod in pods(seen("oom-once", seed), who.worker)
        if first(pod)["lastState"].get("terminated", {}).get("reason") == "OOMKilled"
    ]
    assert len(killed) == 1


@pytest.mark.row("S41")
def test_f11_is_the_example_of_the_field_in_dev() -> None:
    found = seen("manifest-scan", 0).store.get("Deployment", "dev", "myapp")
    assert found is not None
    (main,) = found["spec"]["template"]["spec"]["containers"]
    assert (main["image"], main["securityContext"]) == ("myapp:latest", {"runAsUser": 0})
    assert not main.get("resources")


@seeds
@pytest.mark.threat("T6")
def test_the_drill_plants_twelve_canaries_that_are_found_plainly_or_in_base64(seed: int) -> None:
    world, who = seen("guardrail-drill", seed), cast(seed)
    kinds = ("Secret", "ConfigMap", "Deployment", "Pod", "Event")
    text = repr([world.store.list(kind) for kind in kinds])
    (leaky,) = pods(world, f"{who.api}-canary")
    text += "\n".join(texts(world, leaky))
    assert found_in(text) == sorted(CANARIES)
    assert len(PLANTED) == 12
    assert found_in(repr(seen("healthy", seed).store.list("Secret"))) == []


@pytest.mark.parametrize("seed", [0, 7])
def test_the_same_seed_gives_the_same_world(seed: int) -> None:
    assert _portrait(load("pod-crashloop", seed)) == _portrait(seen("pod-crashloop", seed))


def test_another_seed_gives_other_names() -> None:
    casts = [cast(seed) for seed in range(1, 9)]
    assert len({who.api for who in casts}) > 4
    assert len({who.config for who in casts}) > 4


def test_a_reload_on_the_same_world_forgets_the_old_one() -> None:
    world = load("guardrail-drill", 3)
    world.load("pod-crashloop", 5)
    assert _portrait(world) == _portrait(seen("pod-crashloop", 5))


def _portrait(world: World) -> list[str]:
    kinds = ("Pod", "ReplicaSet", "Deployment", "Event", "Endpoints", "Job", "ConfigMap", "Node")
    drop = re.compile(r"'(resourceVersion)': '\d+'")
    return [drop.sub("", repr(obj)) for kind in kinds for obj in world.store.list(kind)]


@pytest.mark.parametrize("scenario", names())
def test_every_scenario_loads_says_what_it_is_and_what_is_right(scenario: str) -> None:
    world = load(scenario, 11)
    assert not world.cluster.failures
    story = SCENARIOS[scenario]
    assert story.title
    assert story.says
    assert world.clock.now().isoformat() == "2026-11-22T12:00:00+00:00"
    for target in world.expected:
        assert _hurt(world, target), target


def _hurt(world: World, target: Expected) -> bool:
    """Whether what a fault hurts is there; a fault of a node or subnet stands in no namespace."""
    in_aws = {"Addon": set(world.aws.addons), "Cluster": {CLUSTER}}
    if target.hurts_kind in in_aws:
        return target.hurts_name in in_aws[target.hurts_kind]
    found = world.store.list(target.hurts_kind, target.namespace or None)
    return any(each["metadata"]["name"] == target.hurts_name for each in found)


def test_an_injected_story_happens_in_the_running_world_and_twice_with_another_cast() -> None:
    world = load("healthy", 4)
    before = world.clock.now()
    world.inject("pod-crashloop")
    assert (world.clock.now() - before).total_seconds() == SCENARIOS["pod-crashloop"].lead_s
    assert all(waiting(pod) == "CrashLoopBackOff" for pod in pods(world, cast(4).api))
    world.inject("pod-crashloop")
    assert len({target.hurts_name for target in world.expected}) == 2
    for target in world.expected:
        assert pods(world, target.hurts_name)
        assert ready(world, target.hurts_name) == 0


@pytest.mark.parametrize("scenario", names())
def test_every_scenario_can_be_injected(scenario: str) -> None:
    world = load("healthy", 2, furnished=False)
    world.inject(scenario)
    assert not world.cluster.failures
    for target in world.expected:
        assert _hurt(world, target), target


def test_an_unknown_scenario_is_refused_and_the_world_stays() -> None:
    world = load("pod-crashloop")
    with pytest.raises(KeyError):
        world.load("no-such-thing")
    assert ready(world, "api-server") == 0
    assert pods(world, "api-server")
