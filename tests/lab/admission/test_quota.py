"""ResourceQuota: what it counts, what it refuses, and what a controller that meets it says."""

import pytest

from aiops_lab.kube.admission.amounts import amount
from aiops_lab.kube.store import ApiError
from aiops_lab.kube.wire import Obj
from aiops_lab.scenarios.shapes import container, deployment, service, template
from aiops_lab.world.objects import condition, meta
from aiops_lab.world.world import World
from tests.lab.world.stage import events, load, pods


@pytest.fixture
def world() -> World:
    return load("healthy", furnished=False)


def quota(name: str = "team", **spec: object) -> Obj:
    head = {"name": name, "namespace": "production"}
    return {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": head, "spec": spec}


def pod(name: str, cpu: str = "100m", **spec: object) -> Obj:
    main = {"name": "app", "image": "repo/app:1", "resources": {"requests": {"cpu": cpu}}}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "production"},
        "spec": {"containers": [main], **spec},
    }


def put(world: World, *objects: Obj) -> None:
    world.put(*objects)
    world.clock.advance(1)


def used(world: World, name: str = "team") -> dict[str, str]:
    found = world.store.get("ResourceQuota", "production", name)
    assert found is not None
    result: dict[str, str] = found["status"]["used"]
    return result


@pytest.mark.parametrize(
    ("one", "other", "total"),
    [
        ("100m", "900m", "1"),
        ("1", "1500m", "2500m"),
        ("512Mi", "512Mi", "1Gi"),
        ("1500", "500", "2k"),
        ("128974848", "0", "128974848"),
        ("0", "1Gi", "1Gi"),
        ("0.5", "0", "500m"),
    ],
)
def test_amounts_are_added_and_written_as_kubernetes_writes_them(one: str, other: str, total: str) -> None:
    assert str(amount(one) + amount(other)) == total


def test_a_pod_beyond_the_quota_is_refused_with_what_is_used_and_limited(world: World) -> None:
    put(world, quota(hard={"requests.cpu": "1", "pods": "10"}))
    world.put(pod("one", "600m"))
    with pytest.raises(ApiError) as refused:
        world.put(pod("two", "500m"))
    assert refused.value.message == (
        'pods "two" is forbidden: exceeded quota: team, requested: requests.cpu=500m, '
        "used: requests.cpu=600m, limited: requests.cpu=1"
    )
    assert (refused.value.status, refused.value.reason) == (403, "Forbidden")


def test_everything_exceeded_is_listed_in_order(world: World) -> None:
    put(world, quota(hard={"pods": "1", "requests.cpu": "300m", "requests.memory": "1Gi"}))
    small: Obj = {"requests": {"cpu": "200m", "memory": "64Mi"}}
    first, second = pod("one"), pod("two")
    first["spec"]["containers"][0]["resources"] = second["spec"]["containers"][0]["resources"] = small
    world.put(first)
    with pytest.raises(ApiError, match="exceeded quota") as refused:
        world.put(second)
    assert refused.value.message.endswith(
        "exceeded quota: team, requested: pods=1,requests.cpu=200m, used: pods=1,requests.cpu=200m, "
        "limited: pods=1,requests.cpu=300m"
    )


def test_a_quota_on_limits_wants_them_from_every_container(world: World) -> None:
    put(world, quota(hard={"limits.cpu": "4", "limits.memory": "4Gi"}))
    with pytest.raises(ApiError) as refused:
        world.put(pod("one"))
    assert refused.value.message == (
        'pods "one" is forbidden: failed quota: team: must specify limits.cpu for: app; '
        "limits.memory for: app"
    )


def test_a_dry_run_is_judged_and_not_charged(world: World) -> None:
    put(world, quota(hard={"pods": "1"}))
    world.store.create(pod("one"), dry_run=True)
    assert used(world) == {"pods": "0"}
    world.put(pod("one"))
    with pytest.raises(ApiError, match="exceeded quota"):
        world.store.create(pod("two"), dry_run=True)


def test_what_is_deleted_is_given_back(world: World) -> None:
    put(world, quota(hard={"pods": "1", "count/deployments.apps": "2", "services": "3"}))
    world.put(pod("one"), service("production", "one", "one"))
    world.clock.advance(2)
    assert used(world) == {"pods": "1", "count/deployments.apps": "0", "services": "1"}
    world.store.delete("Pod", "production", "one", grace_s=0)
    world.clock.advance(2)
    assert used(world)["pods"] == "0"
    world.put(pod("two"))


def test_scopes_choose_the_pods_that_count(world: World) -> None:
    put(world, quota("short", hard={"pods": "0"}, scopes=["Terminating"]))
    world.put(pod("long"))
    with pytest.raises(ApiError, match="exceeded quota: short"):
        world.put(pod("short", activeDeadlineSeconds=60))


def test_a_deployment_that_meets_the_quota_says_failed_create_and_replica_failure(world: World) -> None:
    put(world, quota(hard={"pods": "2"}))
    image = world.publish("repo/app:1")
    world.put(deployment("production", "app", 4, template({"app": "app"}, [container("app", image)])))
    world.clock.advance(30)
    assert len(pods(world, "app")) == 2
    (found,) = world.store.list("ReplicaSet", "production")
    failure = condition(found, "ReplicaFailure")
    assert failure is not None
    assert failure["reason"] == "FailedCreate"
    assert "exceeded quota: team, requested: pods=1, used: pods=2, limited: pods=2" in failure["message"]
    owner = world.store.get("Deployment", "production", "app")
    assert owner is not None
    assert condition(owner, "ReplicaFailure") is not None
    said = events(world, meta(found)["name"], "FailedCreate")
    assert said[0]["message"].startswith(f'Error creating: pods "{meta(found)["name"]}-')
    assert said[0]["involvedObject"]["kind"] == "ReplicaSet"
    assert any(each["message"].startswith("(combined from similar events): ") for each in said)
    assert len(said) <= 10


def test_a_raised_quota_lets_the_rest_come(world: World) -> None:
    put(world, quota(hard={"pods": "1"}))
    image = world.publish("repo/app:1")
    world.put(deployment("production", "app", 3, template({"app": "app"}, [container("app", image)])))
    world.clock.advance(10)
    found = world.store.get("ResourceQuota", "production", "team")
    assert found is not None
    world.store.update({**found, "spec": {"hard": {"pods": "5"}}})
    world.clock.advance(60)
    assert len(pods(world, "app")) == 3
    (owned,) = world.store.list("ReplicaSet", "production")
    assert condition(owned, "ReplicaFailure") is None
