"""LimitRange, PriorityClass and ServiceAccount: what they give a pod and how they refuse one."""

import pytest

from aiops_lab.kube.store import ApiError
from aiops_lab.kube.wire import Obj
from aiops_lab.scenarios.shapes import container, deployment, template
from aiops_lab.world.objects import meta
from aiops_lab.world.world import World
from tests.lab.admission.test_quota import pod, put
from tests.lab.world.stage import events, load, pods


@pytest.fixture
def world() -> World:
    return load("healthy", furnished=False)


def limit_range(*limits: Obj) -> Obj:
    head = {"name": "bounds", "namespace": "production"}
    return {"apiVersion": "v1", "kind": "LimitRange", "metadata": head, "spec": {"limits": list(limits)}}


def priority(name: str, value: int, **more: object) -> Obj:
    head = {"name": name}
    api = "scheduling.k8s.io/v1"
    return {"apiVersion": api, "kind": "PriorityClass", "metadata": head, "value": value, **more}


def test_a_container_that_says_nothing_gets_the_defaults_and_a_note(world: World) -> None:
    put(
        world,
        limit_range({"type": "Container", "default": {"memory": "256Mi"}, "defaultRequest": {"cpu": "50m"}}),
    )
    bare = pod("bare")
    bare["spec"]["containers"][0]["resources"] = {}
    made = world.store.create(bare)
    assert made["spec"]["containers"][0]["resources"] == {
        "requests": {"cpu": "50m", "memory": "256Mi"},
        "limits": {"memory": "256Mi"},
    }
    assert meta(made)["annotations"]["kubernetes.io/limit-ranger"] == (
        "LimitRanger plugin set: cpu, memory request for container app; memory limit for container app"
    )


def test_a_maximum_is_the_default_limit_even_below_the_request(world: World) -> None:
    put(world, limit_range({"type": "Container", "max": {"cpu": "50m"}}))
    with pytest.raises(ApiError) as refused:
        world.put(pod("one"))
    assert refused.value.message == (
        'Pod "one" is invalid: spec.containers[0].resources.requests: Invalid value: "100m": must be less '
        "than or equal to cpu limit of 50m"
    )


@pytest.mark.parametrize(
    ("limit", "says"),
    [
        ({"min": {"cpu": "200m"}}, "minimum cpu usage per Container is 200m, but request is 100m"),
        (
            {"maxLimitRequestRatio": {"cpu": "2"}},
            "cpu max limit to request ratio per Container is 2, but no limit is specified or limit is 0",
        ),
    ],
)
def test_a_container_outside_the_bounds_is_refused(world: World, limit: Obj, says: str) -> None:
    put(world, limit_range({"type": "Container", **limit}))
    with pytest.raises(ApiError) as refused:
        world.put(pod("one"))
    assert refused.value.message == f'pods "one" is forbidden: {says}'


def test_several_bounds_broken_are_one_bracketed_list(world: World) -> None:
    put(world, limit_range({"type": "Pod", "max": {"cpu": "50m", "memory": "1Mi"}}))
    with pytest.raises(ApiError) as refused:
        world.put(pod("one"))
    assert refused.value.message == (
        'pods "one" is forbidden: [maximum cpu usage per Pod is 50m.  No limit is specified, '
        "maximum memory usage per Pod is 1Mi.  No limit is specified]"
    )


def test_a_pod_takes_its_priority_from_its_class(world: World) -> None:
    world.put(priority("urgent", 1000, preemptionPolicy="Never"))
    made = world.store.create(pod("one", priorityClassName="urgent"))
    assert (made["spec"]["priority"], made["spec"]["preemptionPolicy"]) == (1000, "Never")


def test_the_default_class_is_everybodys_and_there_is_one(world: World) -> None:
    world.put(priority("usual", 7, globalDefault=True))
    made = world.store.create(pod("one"))
    assert (made["spec"]["priorityClassName"], made["spec"]["priority"]) == ("usual", 7)
    with pytest.raises(ApiError, match="PriorityClass usual is already marked as default"):
        world.put(priority("other", 8, globalDefault=True))


def test_a_class_that_is_not_there_is_refused(world: World) -> None:
    with pytest.raises(ApiError) as refused:
        world.put(pod("one", priorityClassName="urgent"))
    assert refused.value.message == 'pods "one" is forbidden: no PriorityClass with name urgent was found'


def test_a_missing_service_account_is_said_with_the_generated_names_stem(world: World) -> None:
    image = world.publish("repo/app:1")
    shape = template({"app": "app"}, [container("app", image)], serviceAccountName="ghost")
    world.put(deployment("production", "app", 2, shape))
    world.clock.advance(10)
    assert pods(world, "app") == []
    (owner,) = world.store.list("ReplicaSet", "production")
    stem = meta(owner)["name"]
    (said,) = events(world, stem, "FailedCreate")
    assert said["message"] == (
        f'Error creating: pods "{stem}-" is forbidden: error looking up service account production/ghost: '
        'serviceaccount "ghost" not found'
    )
    assert said["count"] > 5
    world.put(
        {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": {"name": "ghost", "namespace": "production"},
        }
    )
    world.clock.advance(30)
    assert len(pods(world, "app")) == 2
