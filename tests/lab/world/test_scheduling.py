"""The scheduler's words, filter by filter, and what preemption does."""

import pytest

from aiops_lab.kube.wire import Obj
from aiops_lab.scenarios.shapes import namespace
from aiops_lab.world.objects import condition, labels_of, meta
from aiops_lab.world.world import World
from tests.lab.world.stage import edit, events, load

ZONE = "topology.kubernetes.io/zone"
HOST = "kubernetes.io/hostname"
NO_VICTIMS = "No preemption victims found for incoming pod"
NO_HELP = "Preemption is not helpful for scheduling"


@pytest.fixture
def world() -> World:
    return load("healthy", furnished=False)


def pod(name: str, cpu: str = "100m", labels: dict[str, str] | None = None, **spec: object) -> Obj:
    main: Obj = {"name": "app", "image": "repo/app:1", "resources": {"requests": {"cpu": cpu}}}
    main["ports"] = spec.pop("ports", [])
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "production", "labels": labels or {"app": name}},
        "spec": {"containers": [main], **spec},
    }


def put(world: World, *objects: Obj) -> None:
    world.put(*objects)
    world.clock.advance(2)


def place(world: World, name: str) -> str:
    found = world.store.get("Pod", "production", name)
    assert found is not None
    return str(found["spec"].get("nodeName") or "")


def said(world: World, name: str) -> str:
    found = world.store.get("Pod", "production", name)
    assert found is not None
    scheduled = condition(found, "PodScheduled")
    assert scheduled is not None
    assert scheduled["status"] == "False"
    return str(scheduled["message"])


def nodes(world: World) -> list[str]:
    return [meta(each)["name"] for each in world.store.list("Node")]


def anti(app: str, key: str = HOST) -> Obj:
    term = {"labelSelector": {"matchLabels": {"app": app}}, "topologyKey": key}
    return {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}


def priority(name: str, value: int, **more: object) -> Obj:
    api = "scheduling.k8s.io/v1"
    return {"apiVersion": api, "kind": "PriorityClass", "metadata": {"name": name}, "value": value, **more}


def test_reasons_of_all_nodes_are_counted_and_sorted_with_preemption_behind(world: World) -> None:
    one, two, *rest = nodes(world)
    taint = {"key": "gpu", "value": "yes", "effect": "NoSchedule"}
    edit(world, "Node", "", one, lambda obj: obj["spec"].update(taints=[taint]))
    edit(world, "Node", "", two, lambda obj: obj["spec"].update(unschedulable=True))
    put(world, pod("big", "30"))
    assert said(world, "big") == (
        "0/6 nodes are available: 1 node(s) had untolerated taint {gpu: yes}, 1 node(s) were unschedulable, "
        f"4 Insufficient cpu. preemption: 0/6 nodes are available: 2 {NO_HELP}, 4 {NO_VICTIMS}."
    )
    assert len(rest) == 4


@pytest.mark.parametrize("resource", ["nvidia.com/gpu", "memory", "ephemeral-storage"])
def test_every_resource_can_be_short(world: World, resource: str) -> None:
    greedy = pod("greedy")
    amount = {"nvidia.com/gpu": "1", "memory": "900Gi", "ephemeral-storage": "9Ti"}[resource]
    greedy["spec"]["containers"][0]["resources"] = {
        "requests": {resource: amount},
        "limits": {resource: amount},
    }
    put(world, greedy)
    assert said(world, "greedy").startswith(
        f"0/6 nodes are available: 6 Insufficient {resource}. preemption: "
    )


def test_too_many_pods_is_said_beside_the_resources(world: World) -> None:
    for name in nodes(world):
        found = world.store.get("Node", None, name)
        assert found is not None
        world.store.set_status(
            "Node", None, name, {**found["status"], "allocatable": {"cpu": "1", "pods": "2"}}
        )
    put(world, pod("late", "2"))
    assert said(world, "late").startswith("0/6 nodes are available: 6 Insufficient cpu, 6 Too many pods. ")


def test_a_host_port_is_given_once_a_node(world: World) -> None:
    port = [{"containerPort": 80, "hostPort": 8080, "protocol": "TCP"}]
    put(world, *(pod(f"web-{number}", ports=port) for number in range(7)))
    assert len({place(world, f"web-{number}") for number in range(6)}) == 6
    assert said(world, "web-6").startswith(
        "0/6 nodes are available: 6 node(s) didn't have free ports for the requested pod ports."
    )


def test_anti_affinity_works_both_ways(world: World) -> None:
    put(world, *(pod(f"db-{number}", labels={"app": "db"}, affinity=anti("db")) for number in range(7)))
    words = said(world, "db-6")
    assert words.startswith("0/6 nodes are available: 6 node(s) didn't match pod anti-affinity rules. ")
    assert words.endswith(f"6 {NO_VICTIMS}.")
    put(world, pod("plain", labels={"app": "db"}))
    assert "6 node(s) didn't satisfy existing pods anti-affinity rules" in said(world, "plain")


def test_affinity_wants_company_and_the_first_of_its_kind_needs_none(world: World) -> None:
    term = {"labelSelector": {"matchLabels": {"app": "web"}}, "topologyKey": ZONE}
    near = {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}
    put(world, pod("lonely", affinity=near))
    assert "6 node(s) didn't match pod affinity rules" in said(world, "lonely")
    put(world, pod("web", affinity=near))
    world.clock.advance(5)
    zones = {
        labels_of(each)[ZONE]
        for each in world.store.list("Node")
        if meta(each)["name"] in (place(world, "web"), place(world, "lonely"))
    }
    assert len(zones) == 1


def test_affinity_looks_into_the_namespaces_that_it_names(world: World) -> None:
    world.put(namespace("other", team="blue"))
    term = {
        "labelSelector": {"matchLabels": {"app": "web"}},
        "namespaceSelector": {"matchLabels": {"team": "blue"}},
        "topologyKey": HOST,
    }
    near = {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}
    world.clock.advance(1)
    elsewhere = pod("web")
    meta(elsewhere)["namespace"] = "other"
    put(world, elsewhere, pod("follower", affinity=near))
    there = world.store.get("Pod", "other", "web")
    assert there is not None
    assert place(world, "follower") == there["spec"]["nodeName"]


def test_a_spread_that_cannot_be_kept_is_said(world: World) -> None:
    rule = {
        "maxSkew": 1,
        "topologyKey": ZONE,
        "whenUnsatisfiable": "DoNotSchedule",
        "labelSelector": {"matchLabels": {"app": "web"}},
    }
    shut = [meta(each)["name"] for each in world.store.list("Node") if labels_of(each)[ZONE] == "us-east-1a"]
    for name in shut:
        edit(world, "Node", "", name, lambda obj: obj["spec"].update(unschedulable=True))
    made = [
        pod(f"web-{number}", labels={"app": "web"}, topologySpreadConstraints=[rule]) for number in range(3)
    ]
    put(world, *made)
    assert said(world, "web-2") == (
        "0/6 nodes are available: 2 node(s) were unschedulable, 4 node(s) didn't match pod topology spread "
        f"constraints. preemption: 0/6 nodes are available: 2 {NO_HELP}, 4 {NO_VICTIMS}."
    )


def test_a_gated_pod_waits_for_its_gate_and_nothing_else(world: World) -> None:
    put(world, pod("gated", schedulingGates=[{"name": "example.com/ready"}]))
    found = world.store.get("Pod", "production", "gated")
    assert found is not None
    scheduled = condition(found, "PodScheduled")
    assert scheduled is not None
    assert scheduled["reason"] == "SchedulingGated"
    assert scheduled["message"] == "Scheduling is blocked due to non-empty scheduling gates"
    assert events(world, "gated", "FailedScheduling") == []
    edit(world, "Pod", "production", "gated", lambda obj: obj["spec"].pop("schedulingGates"))
    world.clock.advance(2)
    assert place(world, "gated")


def test_no_node_at_all_has_words_of_its_own(world: World) -> None:
    for name in nodes(world):
        world.store.delete("Node", None, name)
    put(world, pod("early"))
    assert said(world, "early") == "no nodes available to schedule pods"


def fill(world: World) -> None:
    """Twelve running pods of 1500m: no node has another core left."""
    world.publish("repo/app:1")
    put(world, *(pod(f"low-{number}", "1500m") for number in range(12)))
    world.clock.advance(20)


def test_a_pod_of_higher_priority_takes_the_place_of_others(world: World) -> None:
    fill(world)
    put(world, priority("urgent", 1000))
    world.put(pod("vip", "2", priorityClassName="urgent"))
    world.clock.advance(0.2)
    found = world.store.get("Pod", "production", "vip")
    assert found is not None
    node = found["status"]["nominatedNodeName"]
    (victim,) = events(world, "low", "Preempted")
    assert victim["message"] == f"Preempted by pod {meta(found)['uid']} on node {node}"
    head = "0/6 nodes are available: 6 Insufficient cpu."
    waits = "preemption: not eligible due to a terminating pod on the nominated node."
    assert {each["message"] for each in events(world, "vip", "FailedScheduling")} == {head, f"{head} {waits}"}
    going = world.store.get("Pod", "production", victim["involvedObject"]["name"])
    assert going is not None
    target = condition(going, "DisruptionTarget")
    assert target is not None
    assert target["reason"] == "PreemptionByScheduler"
    world.clock.advance(60)
    assert place(world, "vip") == node


def test_preemption_that_may_not_or_cannot_help_is_said(world: World) -> None:
    fill(world)
    put(world, priority("polite", 1000, preemptionPolicy="Never"), priority("urgent", 1000))
    put(world, pod("polite", "2", priorityClassName="polite"))
    assert said(world, "polite") == (
        "0/6 nodes are available: 6 Insufficient cpu. preemption: not eligible due to preemptionPolicy=Never."
    )
    put(world, pod("huge", "40", priorityClassName="urgent"))
    assert said(world, "huge") == (
        "0/6 nodes are available: 6 Insufficient cpu. preemption: 0/6 nodes are available: "
        "6 Insufficient cpu."
    )


def test_an_ended_pod_gives_its_room_back(world: World) -> None:
    fill(world)
    put(world, pod("next", "2"))
    assert not place(world, "next")
    world.store.delete("Pod", "production", "low-0", grace_s=0)
    world.store.delete("Pod", "production", "low-6", grace_s=0)
    world.clock.advance(2)
    assert place(world, "next")
