"""What autoscalers, budgets, namespaces and nodes say of themselves when something is wrong."""

import pytest

from aiops_lab.kube.wire import Obj
from aiops_lab.scenarios.images import Image
from aiops_lab.scenarios.programs import serving
from aiops_lab.scenarios.shapes import autoscaler, config_map, disruption_budget, namespace
from aiops_lab.world.objects import condition, is_ready, meta
from aiops_lab.world.world import World
from tests.lab.world.stage import edit, events, load, new_app, pods, ready


@pytest.fixture
def world() -> World:
    return load("healthy", furnished=False)


def said(world: World, kind: str, home: str | None, name: str, which: str) -> tuple[str, str, str]:
    """(status, reason, message) of a condition."""
    held = world.store.get(kind, home, name)
    assert held is not None
    found = condition(held, which)
    assert found is not None, held.get("status")
    return found["status"], found["reason"], found.get("message", "")


def scaler(world: World, which: str) -> tuple[str, str, str]:
    return said(world, "HorizontalPodAutoscaler", "production", "app", which)


# autoscalers


def test_a_missing_target_is_an_unknown_scale(world: World) -> None:
    world.put(autoscaler("production", "app", 1, 3))
    world.clock.advance(20)
    assert scaler(world, "AbleToScale") == (
        "False",
        "FailedGetScale",
        'the HPA controller was unable to get the target\'s current scale: deployments.apps "app" not found',
    )
    assert events(world, "app", "FailedGetScale")[0]["message"] == 'deployments.apps "app" not found'


def test_a_target_of_an_unknown_kind_matches_nothing(world: World) -> None:
    hpa = autoscaler("production", "app", 1, 3)
    hpa["spec"]["scaleTargetRef"] = {"apiVersion": "apps/v1", "kind": "Deploymnt", "name": "app"}
    world.put(hpa)
    world.clock.advance(20)
    assert 'no matches for kind "Deploymnt" in group "apps"' in scaler(world, "AbleToScale")[2]


def test_a_container_without_request_cannot_be_scaled_by_utilisation(world: World) -> None:
    new_app(world, "app", resources={})
    world.clock.advance(30)
    world.put(autoscaler("production", "app", 1, 3))
    world.clock.advance(20)
    (pod,) = pods(world, "app")
    words = (
        f"failed to get cpu utilization: missing request for cpu in container app of Pod {meta(pod)['name']}"
    )
    assert scaler(world, "ScalingActive") == (
        "False",
        "FailedGetResourceMetric",
        f"the HPA was unable to compute the replica count: {words}",
    )
    assert scaler(world, "AbleToScale")[:2] == ("True", "SucceededGetScale")
    assert events(world, "app", "FailedComputeMetricsReplicas")[0]["message"] == (
        "invalid metrics (1 invalid out of 1), first error is: failed to get cpu resource metric value: "
        + words
    )


def test_without_a_metrics_server_nothing_is_known(world: World) -> None:
    edit(world, "Deployment", "kube-system", "metrics-server", lambda obj: obj["spec"].update(replicas=0))
    new_app(world, "app")
    world.clock.advance(60)
    world.put(autoscaler("production", "app", 1, 3))
    world.clock.advance(20)
    assert scaler(world, "ScalingActive")[2].endswith(
        "unable to get metrics for resource cpu: unable to fetch metrics from resource metrics API: the "
        "server is currently unable to handle the request (get pods.metrics.k8s.io)"
    )


def test_at_its_maximum_it_says_too_many_replicas(world: World) -> None:
    new_app(world, "app", serving("app", cpu_m=400), replicas=2)
    world.clock.advance(30)
    world.put(autoscaler("production", "app", 1, 2))
    world.clock.advance(60)
    assert scaler(world, "ScalingLimited") == (
        "True",
        "TooManyReplicas",
        "the desired replica count is more than the maximum replica count",
    )
    words = "the HPA was able to successfully calculate a replica count from"
    label = "cpu resource utilization (percentage of request)"
    assert scaler(world, "ScalingActive")[1:] == ("ValidMetricFound", f"{words} {label}")


# budgets


def test_a_budget_that_selects_nothing_allows_nothing_and_says_so(world: World) -> None:
    world.put(disruption_budget("production", "lonely", "nobody", maxUnavailable=1))
    world.clock.advance(5)
    held = world.store.get("PodDisruptionBudget", "production", "lonely")
    assert held is not None
    assert (held["status"]["expectedPods"], held["status"]["disruptionsAllowed"]) == (0, 0)
    assert events(world, "lonely", "NoPods")[0]["message"] == "No matching pods found"


def test_a_budget_that_wants_all_allows_no_eviction(world: World) -> None:
    new_app(world, "app", replicas=2)
    world.put(disruption_budget("production", "all", "app", minAvailable=2))
    world.clock.advance(30)
    assert said(world, "PodDisruptionBudget", "production", "all", "DisruptionAllowed")[:2] == (
        "False",
        "InsufficientPods",
    )


# namespaces


def test_a_namespace_held_by_a_finalizer_says_what_remains(world: World) -> None:
    world.put(namespace("old"))
    world.clock.advance(1)
    world.put(config_map("old", "held", {}, finalizers=["example.com/cleanup"]))
    world.store.delete("Namespace", None, "old")
    world.clock.advance(1)
    assert said(world, "Namespace", None, "old", "NamespaceContentRemaining") == (
        "True",
        "SomeResourcesRemain",
        "Some resources are remaining: configmaps. has 1 resource instances",
    )
    assert said(world, "Namespace", None, "old", "NamespaceFinalizersRemaining") == (
        "True",
        "SomeFinalizersRemain",
        "Some content in the namespace has finalizers remaining: example.com/cleanup in 1 resource instances",
    )
    assert said(world, "Namespace", None, "old", "NamespaceDeletionDiscoveryFailure")[0] == "False"
    edit(world, "ConfigMap", "old", "held", lambda obj: meta(obj).pop("finalizers"))
    world.clock.advance(1)
    assert world.store.get("Namespace", None, "old") is None


def test_an_api_that_does_not_answer_is_named_in_a_terminating_namespace(world: World) -> None:
    world.put(namespace("old"), _api_service("v1beta1.custom.example.com"))
    broken = {"conditions": [{"type": "Available", "status": "False", "reason": "MissingEndpoints"}]}
    world.store.set_status("APIService", None, "v1beta1.custom.example.com", broken)
    world.clock.advance(1)
    world.store.delete("Namespace", None, "old")
    world.clock.advance(1)
    status, reason, message = said(world, "Namespace", None, "old", "NamespaceDeletionDiscoveryFailure")
    assert (status, reason) == ("True", "DiscoveryFailed")
    assert message == (
        "Discovery failed for some groups, 1 failing: unable to retrieve the complete list of server APIs: "
        "custom.example.com/v1beta1: stale GroupVersion discovery: custom.example.com/v1beta1"
    )
    assert world.store.get("Namespace", None, "old") is not None
    status_now = {"conditions": [{"type": "Available", "status": "True", "reason": "Passed"}]}
    world.store.set_status("APIService", None, "v1beta1.custom.example.com", status_now)
    world.clock.advance(10)
    assert world.store.get("Namespace", None, "old") is None


def _api_service(name: str) -> Obj:
    version, _, group = name.partition(".")
    return {
        "apiVersion": "apiregistration.k8s.io/v1",
        "kind": "APIService",
        "metadata": {"name": name},
        "spec": {"group": group, "version": version, "groupPriorityMinimum": 100, "versionPriority": 100},
    }


def test_the_account_and_the_bundle_of_a_namespace_come_back(world: World) -> None:
    world.store.delete("ServiceAccount", "production", "default")
    world.clock.advance(1)
    assert world.store.get("ServiceAccount", "production", "default") is not None


# nodes


def taints(world: World, name: str) -> set[tuple[str, str]]:
    held = world.store.get("Node", None, name)
    assert held is not None
    return {(each["key"].rpartition("/")[2], each["effect"]) for each in held["spec"].get("taints") or ()}


def test_a_node_under_pressure_takes_no_new_pods(world: World) -> None:
    name = meta(world.store.list("Node")[0])["name"]
    words = "kubelet has disk pressure"
    world.nodes.set_condition(name, "DiskPressure", "True", "KubeletHasDiskPressure", words)
    world.clock.advance(1)
    assert taints(world, name) == {("disk-pressure", "NoSchedule")}
    assert events(world, name, "NodeHasDiskPressure", "default")
    world.nodes.set_condition(name, "DiskPressure", "False", "KubeletHasNoDiskPressure", "")
    world.clock.advance(1)
    assert taints(world, name) == set()


def test_a_node_that_is_not_ready_loses_its_pods_after_five_minutes(world: World) -> None:
    new_app(world, "app", replicas=6)
    world.clock.advance(30)
    pod = pods(world, "app")[0]
    name = pod["spec"]["nodeName"]
    words = "container runtime network not ready: cni plugin not initialized"
    world.nodes.set_condition(name, "Ready", "False", "KubeletNotReady", words)
    world.clock.advance(10)
    assert taints(world, name) == {("not-ready", "NoSchedule"), ("not-ready", "NoExecute")}
    held = world.store.get("Pod", "production", meta(pod)["name"])
    assert held is not None
    assert not is_ready(held)
    world.clock.advance(400)
    assert world.store.get("Pod", "production", meta(pod)["name"]) is None
    (marked,) = events(world, meta(pod)["name"], "TaintManagerEviction")
    assert marked["message"] == f"Marking for deletion Pod production/{meta(pod)['name']}"
    assert ready(world, "app") == 6
    daemons = world.store.list("Pod", "kube-system", labels="app=aws-node")
    assert name in {each["spec"]["nodeName"] for each in daemons}


def test_a_node_that_recovers_in_time_keeps_its_pods(world: World) -> None:
    new_app(world, "app")
    world.clock.advance(30)
    (pod,) = pods(world, "app")
    name = pod["spec"]["nodeName"]
    world.nodes.fall_silent(name)
    world.clock.advance(120)
    assert taints(world, name) == {("unreachable", "NoSchedule"), ("unreachable", "NoExecute")}
    world.nodes.talk_again(name)
    world.clock.advance(600)
    assert [meta(each)["name"] for each in pods(world, "app")] == [meta(pod)["name"]]
    words = [each["message"] for each in events(world, meta(pod)["name"], "TaintManagerEviction")]
    assert words == [f"Cancelling deletion of Pod production/{meta(pod)['name']}"]


def test_a_taint_without_toleration_ends_pods_at_once(world: World) -> None:
    world.publish("repo/app:1.0.0", Image(serving("app")))
    new_app(world, "app")
    world.clock.advance(30)
    (pod,) = pods(world, "app")
    taint = {"key": "maintenance", "value": "now", "effect": "NoExecute"}
    edit(world, "Node", "", pod["spec"]["nodeName"], lambda obj: obj["spec"].update(taints=[taint]))
    world.clock.advance(90)
    (other,) = pods(world, "app")
    assert other["spec"]["nodeName"] != pod["spec"]["nodeName"]
