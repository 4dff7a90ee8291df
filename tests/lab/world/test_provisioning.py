"""Karpenter in the lab: silent by itself; a served pool's nodes are replaced and pending pods bring one."""

from typing import Any

import pytest

from aiops_lab.scenarios.trials.scheduling_karpenter import node_pool
from aiops_lab.world.objects import labels_of, meta
from aiops_lab.world.provisioning import POOL
from aiops_lab.world.world import World
from tests.lab.world.stage import load

Obj = dict[str, Any]


def served(cpu: int = 64) -> World:
    """A quiet world in which Karpenter keeps the pool that all nodes belong to."""
    stage = load()
    stage.put(node_pool("default", cpu), by="karpenter")
    stage.provisioner.serve("default")
    stage.clock.advance(1)
    return stage


def names(stage: World) -> set[str]:
    return {meta(each)["name"] for each in stage.store.list("Node")}


def claims(stage: World) -> dict[str, str]:
    """Claim -> its node, empty while it comes."""
    return {
        meta(each)["name"]: (each.get("status") or {}).get("nodeName", "")
        for each in stage.store.list("NodeClaim")
    }


def cordon(stage: World, name: str, *, on: bool = True) -> None:
    found = stage.store.get("Node", None, name)
    assert found is not None
    found["spec"]["unschedulable"] = on
    stage.store.update(found, manager="somebody")
    stage.clock.advance(1)


def empty(stage: World, name: str) -> None:
    for pod in stage.store.list("Pod"):
        owners = meta(pod).get("ownerReferences") or [{"kind": ""}]
        if pod["spec"].get("nodeName") == name and owners[0]["kind"] != "DaemonSet":
            stage.store.delete("Pod", meta(pod)["namespace"], meta(pod)["name"])


def test_a_world_that_only_tells_of_a_pool_stays_as_it_is() -> None:
    stage = load()
    stage.put(node_pool("default", 64))
    before = names(stage)
    gone = sorted(before)[0]
    cordon(stage, gone)
    empty(stage, gone)
    stage.clock.advance(600)
    assert names(stage) == before
    assert stage.store.list("NodeClaim") == []


@pytest.mark.row("S73")
def test_a_drained_node_goes_and_another_of_its_zone_is_there_within_150_s() -> None:
    stage = served()
    before, gone = names(stage), sorted(names(stage))[0]
    assert set(claims(stage).values()) == before
    node = stage.store.get("Node", None, gone)
    assert node is not None
    cordon(stage, gone)
    stage.clock.advance(120)
    assert gone in names(stage)  # cordoned alone, it keeps its pods
    empty(stage, gone)
    stage.clock.advance(150)
    (new,) = names(stage) - before
    assert gone not in names(stage)
    made = stage.store.get("Node", None, new)
    assert made is not None
    zone = "topology.kubernetes.io/zone"
    assert labels_of(made)[zone] == labels_of(node)[zone]
    assert labels_of(made)[POOL] == "default"
    assert set(claims(stage).values()) == names(stage)
    assert all(pod["spec"].get("nodeName") in names(stage) for pod in stage.store.list("Pod"))


def test_a_node_that_was_uncordoned_in_time_stays() -> None:
    stage = served()
    before, kept = names(stage), sorted(names(stage))[0]
    cordon(stage, kept)
    empty(stage, kept)
    stage.clock.advance(5)
    cordon(stage, kept, on=False)
    stage.clock.advance(300)
    assert names(stage) == before


def test_a_deleted_node_is_replaced_and_its_pods_are_collected() -> None:
    stage = served()
    before, gone = names(stage), sorted(names(stage))[1]
    stage.store.delete("Node", None, gone)
    stage.clock.advance(150)
    assert len(names(stage)) == len(before)
    assert all(pod["spec"].get("nodeName") != gone for pod in stage.store.list("Pod"))


def big(stage: World, replicas: int) -> None:
    """A Deployment whose pods each fill a node."""
    found = stage.store.list("Deployment", "production")[0]
    made = {key: found[key] for key in ("apiVersion", "kind")}
    spec: Obj = {**found["spec"], "replicas": replicas, "selector": {"matchLabels": {"app": "big"}}}
    container = {**spec["template"]["spec"]["containers"][0], "resources": {"requests": {"cpu": "3"}}}
    spec["template"] = {"metadata": {"labels": {"app": "big"}}, "spec": {"containers": [container]}}
    stage.put({**made, "metadata": {"name": "big", "namespace": "production"}, "spec": spec})


def test_pending_pods_bring_nodes_until_all_run() -> None:
    stage = served()
    before = len(names(stage))
    big(stage, before + 2)
    stage.clock.advance(900)
    assert len(names(stage)) > before
    pods = [pod for pod in stage.store.list("Pod", "production") if labels_of(pod).get("app") == "big"]
    assert all(pod["spec"].get("nodeName") for pod in pods)


def test_a_pool_at_its_limit_says_so_and_grows_no_more() -> None:
    stage = served(cpu=24)
    before = names(stage)
    big(stage, len(before) + 2)
    stage.clock.advance(600)
    assert names(stage) == before
    events = [each["message"] for each in stage.store.list("Event") if each["reason"] == "FailedScheduling"]
    assert any("exceed limits for nodepool" in said for said in events)
