"""Deployments and ReplicaSets: the arithmetic of a rollout, its history, its conditions."""

import math

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aiops_lab.kube.wire import Obj
from aiops_lab.scenarios.images import Image
from aiops_lab.scenarios.programs import serving
from aiops_lab.world.deployments import fenceposts
from aiops_lab.world.objects import annotations_of, condition, is_ready, meta
from aiops_lab.world.world import World
from tests.lab.world.stage import edit, events, image_of, load, new_app, pods, ready

shares = st.one_of(st.integers(0, 6), st.integers(0, 100).map(lambda each: f"{each}%"))


@given(st.integers(0, 40), shares, shares)
def test_surge_rounds_up_unavailable_down_and_never_both_are_zero(
    replicas: int, surge: int | str, unavailable: int | str
) -> None:
    rolling = {"maxSurge": surge, "maxUnavailable": unavailable}
    got = fenceposts({"spec": {"replicas": replicas, "strategy": {"rollingUpdate": rolling}}})
    if isinstance(surge, str) and isinstance(unavailable, str):
        exact = (int(surge[:-1]) * replicas / 100, int(unavailable[:-1]) * replicas / 100)
        assert got == (math.ceil(exact[0]), math.floor(exact[1])) or got == (0, 1)
    assert any(got)


_WORLD = load("healthy", furnished=False)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(1, 9), st.integers(0, 3), st.integers(0, 3), st.integers(0, 10**9))
def test_a_rollout_never_exceeds_its_surge_nor_its_unavailable(
    replicas: int, surge: int, unavailable: int, salt: int
) -> None:
    world, name = _WORLD, f"p{salt}-{replicas}{surge}{unavailable}"
    if world.store.get("Deployment", "production", name) is not None:
        return
    new_app(world, name, replicas=replicas)
    rolling = {"maxSurge": surge, "maxUnavailable": unavailable}
    edit(world, "Deployment", "production", name, lambda obj: _strategy(obj, rolling))
    world.clock.advance(40)
    assert ready(world, name) == replicas
    most, least = _bounds(world, name)
    world.publish(f"repo/{name}:2.0.0", Image(serving(name)))
    edit(world, "Deployment", "production", name, image_of(name, "2.0.0"))
    for _ in range(600):
        world.clock.advance(1)
        assert len(pods(world, name)) <= most
        assert ready(world, name) >= least
        if _complete(world, name):
            break
    assert _complete(world, name)
    world.store.delete("Deployment", "production", name)
    world.clock.advance(5)
    assert pods(world, name) == []


def _strategy(obj: Obj, rolling: Obj) -> None:
    obj["spec"]["strategy"] = {"type": "RollingUpdate", "rollingUpdate": rolling}


def _bounds(world: World, name: str) -> tuple[int, int]:
    found = world.store.get("Deployment", "production", name)
    assert found is not None
    surge, unavailable = fenceposts(found)
    return found["spec"]["replicas"] + surge, found["spec"]["replicas"] - unavailable


def _complete(world: World, name: str) -> bool:
    found = world.store.get("Deployment", "production", name)
    images = {pod["spec"]["containers"][0]["image"] for pod in pods(world, name)}
    return (
        found is not None
        and images == {f"repo/{name}:2.0.0"}
        and all(is_ready(pod) for pod in pods(world, name))
        and found["status"].get("updatedReplicas") == found["spec"]["replicas"]
    )


def rolled(tags: int = 2) -> World:
    world = load("healthy", furnished=False)
    new_app(world, "web", replicas=3)
    world.clock.advance(30)
    for tag in range(2, tags + 1):
        world.publish(f"repo/web:{tag}.0.0", Image(serving("web")))
        edit(world, "Deployment", "production", "web", image_of("web", f"{tag}.0.0"))
        world.clock.advance(90)
    return world


def sets(world: World) -> dict[str, Obj]:
    found = world.store.list("ReplicaSet", "production", labels="app=web")
    return {annotations_of(each)["deployment.kubernetes.io/revision"]: each for each in found}


def test_each_template_is_a_revision_and_a_rollback_reuses_its_replica_set() -> None:
    world = rolled(3)
    assert sorted(sets(world)) == ["1", "2", "3"]
    older = meta(sets(world)["2"])["name"]
    edit(world, "Deployment", "production", "web", image_of("web", "2.0.0"))
    world.clock.advance(90)
    assert sorted(sets(world)) == ["1", "3", "4"]
    assert meta(sets(world)["4"])["name"] == older
    found = world.store.get("Deployment", "production", "web")
    assert found is not None
    assert annotations_of(found)["deployment.kubernetes.io/revision"] == "4"
    assert ready(world, "web") == 3


def test_old_replica_sets_are_kept_up_to_the_history_limit() -> None:
    world = load("healthy", furnished=False)
    new_app(world, "web", replicas=1)
    world.clock.advance(30)
    edit(world, "Deployment", "production", "web", lambda obj: obj["spec"].update(revisionHistoryLimit=2))
    for tag in range(2, 7):
        world.publish(f"repo/web:{tag}.0.0", Image(serving("web")))
        edit(world, "Deployment", "production", "web", image_of("web", f"{tag}.0.0"))
        world.clock.advance(60)
    assert sorted(sets(world)) == ["4", "5", "6"]


def test_a_paused_deployment_does_not_roll_and_goes_on_when_resumed() -> None:
    world = rolled(1)
    world.publish("repo/web:2.0.0", Image(serving("web")))
    edit(world, "Deployment", "production", "web", lambda obj: obj["spec"].update(paused=True))
    edit(world, "Deployment", "production", "web", image_of("web", "2.0.0"))
    world.clock.advance(120)
    assert sorted(sets(world)) == ["1"]
    found = world.store.get("Deployment", "production", "web")
    assert found is not None
    progressing = condition(found, "Progressing")
    assert progressing is not None
    assert progressing["reason"] == "DeploymentPaused"
    edit(world, "Deployment", "production", "web", lambda obj: obj["spec"].update(paused=False))
    world.clock.advance(120)
    assert sorted(sets(world)) == ["1", "2"]
    assert ready(world, "web") == 3


def test_a_pause_in_the_middle_of_a_rollout_holds_it_at_the_canary() -> None:
    world = rolled(1)
    world.publish("repo/web:2.0.0", Image(serving("web")))
    rolling = {"maxSurge": 1, "maxUnavailable": 0}
    edit(world, "Deployment", "production", "web", lambda obj: _strategy(obj, rolling))
    edit(world, "Deployment", "production", "web", image_of("web", "2.0.0"))
    world.clock.advance(1)
    edit(world, "Deployment", "production", "web", lambda obj: obj["spec"].update(paused=True))
    world.clock.advance(300)
    sizes = {revision: each["spec"]["replicas"] for revision, each in sets(world).items()}
    assert sizes == {"1": 3, "2": 1}
    assert ready(world, "web") == 4
    edit(world, "Deployment", "production", "web", lambda obj: obj["spec"].update(paused=False))
    world.clock.advance(120)
    assert ready(world, "web") == len(pods(world, "web")) == 3


def test_recreate_stops_every_old_pod_before_the_first_new_one() -> None:
    world = rolled(1)
    world.publish("repo/web:2.0.0", Image(serving("web")))
    edit(
        world,
        "Deployment",
        "production",
        "web",
        lambda obj: obj["spec"].update(strategy={"type": "Recreate"}),
    )
    edit(world, "Deployment", "production", "web", image_of("web", "2.0.0"))
    for _ in range(60):
        world.clock.advance(0.5)
        found = world.store.list("Pod", "production", labels="app=web")
        assert len({pod["spec"]["containers"][0]["image"] for pod in found}) <= 1
    assert ready(world, "web") == 3


def test_scaling_up_and_down_follows_and_says_so() -> None:
    world = rolled(1)
    edit(world, "Deployment", "production", "web", lambda obj: obj["spec"].update(replicas=6))
    world.clock.advance(40)
    assert ready(world, "web") == 6
    edit(world, "Deployment", "production", "web", lambda obj: obj["spec"].update(replicas=0))
    world.clock.advance(40)
    assert pods(world, "web") == []
    said = [event["message"] for event in events(world, "web", "ScalingReplicaSet")]
    assert any(words.endswith("from 3 to 6") for words in said)
    assert any(words.endswith("from 6 to 0") for words in said)


def test_observed_generation_follows_and_available_falls_with_the_pods() -> None:
    world = rolled(1)
    edit(world, "Deployment", "production", "web", image_of("web", "no-such-tag"))
    world.clock.advance(5)
    for pod in pods(world, "web"):
        world.store.delete("Pod", "production", meta(pod)["name"])
    world.clock.advance(3)
    found = world.store.get("Deployment", "production", "web")
    assert found is not None
    assert found["status"]["observedGeneration"] == meta(found)["generation"]
    available = condition(found, "Available")
    assert available is not None
    assert (available["status"], available["reason"]) == ("False", "MinimumReplicasUnavailable")


def test_a_deleted_pod_comes_back_under_another_name() -> None:
    world = rolled(1)
    before = {meta(pod)["name"] for pod in pods(world, "web")}
    world.store.delete("Pod", "production", min(before))
    world.clock.advance(30)
    after = {meta(pod)["name"] for pod in pods(world, "web")}
    assert len(after) == 3
    assert len(after & before) == 2


def test_a_deleted_deployment_takes_its_replica_sets_and_pods_along() -> None:
    world = rolled(2)
    world.store.delete("Deployment", "production", "web")
    world.clock.advance(60)
    assert sets(world) == {}
    assert world.store.list("Pod", "production", labels="app=web") == []
