"""The other controllers: workloads, scheduling, endpoints, budgets, autoscaling, nodes, namespaces."""

from datetime import UTC, datetime

import pytest

from aiops_lab.kube.wire import Obj
from aiops_lab.resources import quantity
from aiops_lab.scenarios.images import Image
from aiops_lab.scenarios.programs import Behaviour, Run, failing, flat, logfmt, serving, working
from aiops_lab.scenarios.shapes import (
    autoscaler,
    container,
    cron_job,
    deployment,
    disruption_budget,
    job,
    namespace,
    service,
    template,
)
from aiops_lab.world.objects import condition, is_ready, key_of, labels_of, meta
from aiops_lab.world.schedules import fits
from aiops_lab.world.world import World
from tests.lab.world.stage import edit, events, first, load, new_app, pods, ready, seen


@pytest.fixture
def world() -> World:
    return load("healthy", furnished=False)


def stateful(replicas: int = 3, **more: object) -> Obj:
    labels = {"app": "db"}
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {"name": "db", "namespace": "production", "labels": labels},
        "spec": {
            "replicas": replicas,
            "serviceName": "db",
            "selector": {"matchLabels": labels},
            "template": template(labels, [container("app", "repo/db:1.0.0")]),
            **more,
        },
    }


def test_a_stateful_set_starts_in_order_and_waits_for_each(world: World) -> None:
    world.publish("repo/db:1.0.0")
    world.put(stateful())
    seen: list[list[str]] = []
    for _ in range(60):
        world.clock.advance(0.5)
        names = sorted(meta(pod)["name"] for pod in pods(world, "db"))
        if names and (not seen or seen[-1] != names):
            seen.append(names)
            assert all(is_ready(pod) for pod in pods(world, "db") if meta(pod)["name"] != names[-1])
    assert seen == [["db-0"], ["db-0", "db-1"], ["db-0", "db-1", "db-2"]]
    found = world.store.get("StatefulSet", "production", "db")
    assert found is not None
    assert found["status"]["readyReplicas"] == 3


def test_a_stateful_set_updates_from_the_highest_number_down_to_its_partition(world: World) -> None:
    world.publish("repo/db:1.0.0")
    world.publish("repo/db:2.0.0")
    world.put(stateful(updateStrategy={"type": "RollingUpdate", "rollingUpdate": {"partition": 1}}))
    world.clock.advance(60)

    def newer(obj: Obj) -> None:
        obj["spec"]["template"]["spec"]["containers"][0]["image"] = "repo/db:2.0.0"

    edit(world, "StatefulSet", "production", "db", newer)
    world.clock.advance(120)
    images = {meta(pod)["name"]: pod["spec"]["containers"][0]["image"] for pod in pods(world, "db")}
    assert images == {"db-0": "repo/db:1.0.0", "db-1": "repo/db:2.0.0", "db-2": "repo/db:2.0.0"}


def test_a_stateful_set_gets_its_claims_bound(world: World) -> None:
    world.publish("repo/db:1.0.0")
    room = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "5Gi"}}}
    world.put(stateful(1, volumeClaimTemplates=[{"metadata": {"name": "data"}, "spec": room}]))
    world.clock.advance(30)
    claim = world.store.get("PersistentVolumeClaim", "production", "data-db-0")
    assert claim is not None
    assert claim["status"]["phase"] == "Bound"
    assert world.store.get("PersistentVolume", None, claim["spec"]["volumeName"]) is not None


def test_a_daemon_set_stands_on_every_node_and_a_cordon_does_not_remove_it(world: World) -> None:
    assert len(world.store.list("Pod", "kube-system", labels="app=aws-node")) == 6
    name = meta(world.store.list("Node")[0])["name"]
    edit(world, "Node", "", name, lambda obj: obj["spec"].update(unschedulable=True))
    world.clock.advance(60)
    assert len(world.store.list("Pod", "kube-system", labels="app=aws-node")) == 6
    found = world.store.get("DaemonSet", "kube-system", "aws-node")
    assert found is not None
    assert found["status"]["numberReady"] == found["status"]["desiredNumberScheduled"] == 6


def test_a_daemon_set_rolls_one_node_at_a_time(world: World) -> None:
    image = world.publish("repo/proxy:9")

    def newer(obj: Obj) -> None:
        obj["spec"]["template"]["spec"]["containers"][0]["image"] = image

    edit(world, "DaemonSet", "kube-system", "kube-proxy", newer)
    for _ in range(240):
        world.clock.advance(1)
        found = world.store.list("Pod", "kube-system", labels="app=kube-proxy")
        assert sum(is_ready(pod) for pod in found) >= 5
    assert {pod["spec"]["containers"][0]["image"] for pod in found} == {image}


def test_a_job_ends_complete_and_its_pod_succeeded(world: World) -> None:
    image = world.publish("repo/batch:1", Image(working("done", takes_s=30)))
    world.put(job("production", "batch", image))
    world.clock.advance(60)
    found = world.store.get("Job", "production", "batch")
    assert found is not None
    complete = condition(found, "Complete")
    assert complete is not None
    assert found["status"]["succeeded"] == 1
    (pod,) = world.store.list("Pod", "production", labels="app=batch")
    assert pod["status"]["phase"] == "Succeeded"
    assert events(world, "batch", "Completed")


def test_a_job_that_fails_reaches_its_backoff_limit(world: World) -> None:
    image = world.publish("repo/batch:1", Image(failing("no")))
    batch = job("production", "batch", image)
    batch["spec"]["backoffLimit"] = 2
    world.put(batch)
    world.clock.advance(600)
    found = world.store.get("Job", "production", "batch")
    assert found is not None
    failed = condition(found, "Failed")
    assert failed is not None
    assert failed["reason"] == "BackoffLimitExceeded"
    assert found["status"]["failed"] == 3


@pytest.mark.parametrize(
    ("schedule", "moment", "fires"),
    [
        ("* * * * *", (2026, 11, 22, 3, 7), True),
        ("7 3 * * *", (2026, 11, 22, 3, 7), True),
        ("8 3 * * *", (2026, 11, 22, 3, 7), False),
        ("*/15 * * * *", (2026, 11, 22, 3, 45), True),
        ("*/15 * * * *", (2026, 11, 22, 3, 44), False),
        ("0 9-17 * * 1-5", (2026, 11, 23, 12, 0), True),
        ("0 9-17 * * 1-5", (2026, 11, 22, 12, 0), False),  # a Sunday
        ("0 0 1,15 * *", (2026, 11, 15, 0, 0), True),
    ],
)
def test_a_schedule_fires_in_its_minute(schedule: str, moment: tuple[int, ...], fires: bool) -> None:
    year, month, day, hour, minute = moment
    assert fits(schedule, datetime(year, month, day, hour, minute, tzinfo=UTC)) is fires


def test_a_cron_job_runs_every_quarter_hour_and_keeps_three(world: World) -> None:
    image = world.publish("repo/tick:1", Image(working("tick", takes_s=5)))
    tick = job("production", "tick", image)
    world.put(cron_job("production", "tick", "*/15 * * * *", tick["spec"]))
    world.clock.advance(5400 + 30)
    assert len(world.store.list("Job", "production", labels="app=tick")) == 3
    found = world.store.get("CronJob", "production", "tick")
    assert found is not None
    assert found["status"]["lastScheduleTime"] == "2026-11-22T13:30:00Z"


def test_a_pod_too_large_waits_and_the_scheduler_says_why(world: World) -> None:
    new_app(world, "huge", resources={"requests": {"cpu": "20"}})
    world.clock.advance(10)
    (pod,) = pods(world, "huge")
    scheduled = condition(pod, "PodScheduled")
    assert scheduled is not None
    assert scheduled["reason"] == "Unschedulable"
    assert scheduled["message"] == (
        "0/6 nodes are available: 6 Insufficient cpu. preemption: 0/6 nodes are available: "
        "6 No preemption victims found for incoming pod."
    )
    assert events(world, "huge", "FailedScheduling")[0]["message"] == scheduled["message"]
    edit(world, "Deployment", "production", "huge", _smaller)
    world.clock.advance(30)
    assert ready(world, "huge") == 1


def _smaller(obj: Obj) -> None:
    obj["spec"]["template"]["spec"]["containers"][0]["resources"] = {"requests": {"cpu": "1"}}


def test_no_node_is_given_more_than_it_has(world: World) -> None:
    new_app(world, "many", replicas=30, resources={"requests": {"cpu": "800m"}})
    world.clock.advance(60)
    for node in world.store.list("Node"):
        there = world.store.list("Pod", fields=f"spec.nodeName={meta(node)['name']}")
        asked = sum(
            quantity(each.get("resources", {}).get("requests", {}).get("cpu", 0))
            for pod in there
            if pod["status"]["phase"] not in ("Succeeded", "Failed")
            for each in pod["spec"]["containers"]
        )
        assert asked <= quantity(node["status"]["allocatable"]["cpu"])
    assert any(not pod["spec"].get("nodeName") for pod in pods(world, "many"))


def test_selectors_taints_and_cordons_are_honoured(world: World) -> None:
    nodes = world.store.list("Node")
    zone = labels_of(nodes[0])["topology.kubernetes.io/zone"]
    image = world.publish("repo/zoned:1")
    pod = template(
        {"app": "zoned"}, [container("app", image)], nodeSelector={"topology.kubernetes.io/zone": zone}
    )
    world.put(deployment("production", "zoned", 4, pod))
    world.clock.advance(20)
    placed = {each["spec"]["nodeName"] for each in pods(world, "zoned")}
    inside = {meta(each)["name"] for each in nodes if labels_of(each)["topology.kubernetes.io/zone"] == zone}
    assert placed <= inside
    for name in inside:
        edit(world, "Node", "", name, lambda obj: obj["spec"].update(unschedulable=True))
    edit(world, "Deployment", "production", "zoned", lambda obj: obj["spec"].update(replicas=5))
    world.clock.advance(20)
    words = events(world, "zoned", "FailedScheduling")[0]["message"]
    assert "2 node(s) were unschedulable" in words
    assert "4 node(s) didn't match Pod's node affinity/selector" in words
    edit(world, "Node", "", min(inside), lambda obj: obj["spec"].update(unschedulable=False))
    world.clock.advance(20)
    assert ready(world, "zoned") == 5


def test_replicas_are_spread_over_the_zones(world: World) -> None:
    new_app(world, "spread", replicas=6)
    world.clock.advance(30)
    assert len({pod["spec"]["nodeName"] for pod in pods(world, "spread")}) == 6


def test_endpoints_and_slices_hold_the_ready_and_the_not_ready_apart(world: World) -> None:
    def run(start: Run) -> Behaviour:
        return Behaviour(ready_after_s=None if start.rng().random() < 0.5 else 1.0)

    new_app(world, "half", run, replicas=8)
    world.put(service("production", "half", "half"))
    world.clock.advance(30)
    endpoints = world.store.get("Endpoints", "production", "half")
    (sliced,) = world.store.list("EndpointSlice", "production", labels="kubernetes.io/service-name=half")
    assert endpoints is not None
    up = {each["ip"] for each in endpoints["subsets"][0]["addresses"]}
    down = {each["ip"] for each in endpoints["subsets"][0]["notReadyAddresses"]}
    assert len(up) == ready(world, "half")
    assert len(up | down) == 8
    assert {each["addresses"][0] for each in sliced["endpoints"] if each["conditions"]["ready"]} == up
    assert endpoints["subsets"][0]["ports"] == [{"name": "http", "port": 8080, "protocol": "TCP"}]


def test_every_pod_has_an_address_of_its_own(world: World) -> None:
    found = [pod for pod in world.store.list("Pod") if not pod["spec"].get("hostNetwork")]
    addresses = [pod["status"]["podIP"] for pod in found if pod["status"].get("phase") == "Running"]
    assert len(addresses) == len(set(addresses))


@pytest.mark.parametrize(
    ("rule", "allowed"),
    [
        ({"minAvailable": 3}, 1),
        ({"minAvailable": "50%"}, 2),
        ({"maxUnavailable": 1}, 1),
        ({"maxUnavailable": "25%"}, 1),
        ({"minAvailable": 4}, 0),
        ({"maxUnavailable": 0}, 0),
    ],
)
def test_a_budget_allows_what_its_rule_leaves(world: World, rule: dict[str, object], allowed: int) -> None:
    new_app(world, "kept", replicas=4)
    world.put(disruption_budget("production", "kept", "kept", **rule))
    world.clock.advance(30)
    assert _allowed(world) == allowed


def _allowed(world: World) -> int:
    found = world.store.get("PodDisruptionBudget", "production", "kept")
    assert found is not None
    return int(found["status"]["disruptionsAllowed"])


def test_an_evicted_pod_uses_the_budget_up_until_its_successor_is_ready(world: World) -> None:
    new_app(world, "kept", replicas=3)
    world.put(disruption_budget("production", "kept", "kept", maxUnavailable=1))
    world.clock.advance(30)
    assert _allowed(world) == 1
    world.store.delete("Pod", "production", meta(pods(world, "kept")[0])["name"])
    world.clock.advance(2)
    assert _allowed(world) == 0
    world.clock.advance(30)
    assert _allowed(world) == 1
    assert ready(world, "kept") == 3


def test_an_autoscaler_scales_up_to_its_target_and_no_further_than_its_maximum(world: World) -> None:
    new_app(world, "hot", serving("hot", cpu_m=140), replicas=2)
    world.put(autoscaler("production", "hot", 2, 6))
    sizes = []
    for _ in range(120):
        world.clock.advance(1)
        sizes.append(_replicas(world, "hot"))
    assert sorted(set(sizes)) == [2, 4, 6]
    world.clock.advance(600)
    assert _replicas(world, "hot") == 6
    assert any("above target" in event["message"] for event in events(world, "hot", "SuccessfulRescale"))
    found = world.store.get("HorizontalPodAutoscaler", "production", "hot")
    assert found is not None
    limited = condition(found, "ScalingLimited")
    assert limited is not None
    assert (limited["status"], limited["reason"]) == ("True", "TooManyReplicas")
    current = found["status"]["currentMetrics"][0]["resource"]["current"]
    assert current["averageUtilization"] == pytest.approx(140, abs=4)


def _replicas(world: World, name: str) -> int:
    found = world.store.get("Deployment", "production", name)
    assert found is not None
    return int(found["spec"]["replicas"])


def test_an_autoscaler_scales_down_only_after_five_quiet_minutes(world: World) -> None:
    level = {"cpu": 70.0}

    def run(start: Run) -> Behaviour:
        calm = serving("calm")(start)
        return Behaviour(lines=calm.lines, memory=calm.memory, cpu_m=flat(level["cpu"]))

    new_app(world, "calm", run, replicas=6)
    world.put(autoscaler("production", "calm", 2, 8))
    world.clock.advance(120)
    assert _replicas(world, "calm") == 6
    level["cpu"] = 20.0
    for pod in pods(world, "calm"):
        world.store.delete("Pod", "production", meta(pod)["name"])
    world.clock.advance(200)
    assert _replicas(world, "calm") == 6
    world.clock.advance(300)
    assert _replicas(world, "calm") == 2


def test_an_autoscaler_without_requests_says_so(world: World) -> None:
    new_app(world, "blind", resources={})
    world.put(autoscaler("production", "blind", 1, 3))
    world.clock.advance(60)
    words = events(world, "blind", "FailedGetResourceMetric")[-1]["message"]
    assert "missing request for cpu in container app" in words
    assert _replicas(world, "blind") == 1


def test_events_are_counted_up_and_gone_an_hour_after_the_last_one(world: World) -> None:
    new_app(world, "bad", failing("no"))
    world.clock.advance(1200)
    (event,) = events(world, "bad-", "BackOff")
    assert event["count"] > 30
    assert event["firstTimestamp"] < event["lastTimestamp"]
    assert event["involvedObject"]["fieldPath"] == "spec.containers{app}"
    assert event["source"]["host"].startswith("ip-10-0-")
    world.store.delete("Deployment", "production", "bad")
    world.clock.advance(3200)
    assert events(world, "bad-", "BackOff")
    world.clock.advance(400)
    assert events(world, "bad") == []


@pytest.mark.row("C12")
def test_the_events_of_f1_are_gone_when_asked_three_hours_later() -> None:
    world = load("pod-crashloop")
    assert events(world, "api-server", "SuccessfulCreate")
    world.clock.advance(3 * 3600)
    assert events(world, "api-server", "SuccessfulCreate") == []
    assert events(world, "api-server", "BackOff")


def test_a_silent_node_is_not_ready_after_40_s_and_its_pods_leave_the_endpoints(world: World) -> None:
    new_app(world, "spread", replicas=6)
    world.put(service("production", "spread", "spread"))
    world.clock.advance(30)
    name = pods(world, "spread")[0]["spec"]["nodeName"]
    world.nodes.fall_silent(name)
    world.clock.advance(45)
    node = world.store.get("Node", None, name)
    assert node is not None
    talks = condition(node, "Ready")
    assert talks is not None
    assert (talks["status"], talks["reason"]) == ("Unknown", "NodeStatusUnknown")
    assert {"node.kubernetes.io/unreachable"} == {each["key"] for each in node["spec"]["taints"]}
    assert ready(world, "spread") == 5
    world.nodes.talk_again(name)
    world.clock.advance(5)
    assert ready(world, "spread") == 6
    back = world.store.get("Node", None, name)
    assert back is not None
    assert not back["spec"].get("taints")


def test_pods_of_a_lost_node_are_replaced_after_five_minutes_and_go_when_it_is_back(world: World) -> None:
    new_app(world, "spread", replicas=6)
    world.clock.advance(30)
    name = pods(world, "spread")[0]["spec"]["nodeName"]
    world.nodes.fall_silent(name)
    world.clock.advance(400)
    assert ready(world, "spread") == 6
    assert len(world.store.list("Pod", "production", labels="app=spread")) == 7
    assert len(world.store.list("Pod", "kube-system", labels="app=aws-node")) == 6
    world.nodes.talk_again(name)
    world.clock.advance(30)
    assert len(world.store.list("Pod", "production", labels="app=spread")) == 6


def test_pods_of_a_deleted_node_are_gone_and_replaced(world: World) -> None:
    new_app(world, "spread", replicas=6)
    world.clock.advance(30)
    name = pods(world, "spread")[0]["spec"]["nodeName"]
    world.store.delete("Node", None, name)
    world.clock.advance(30)
    assert world.store.list("Pod", fields=f"spec.nodeName={name}") == []
    assert ready(world, "spread") == 6


def test_nodes_report_every_five_minutes(world: World) -> None:
    name = meta(world.store.list("Node")[0])["name"]
    before = _beat(world, name)
    world.clock.advance(310)
    assert _beat(world, name) > before


def _beat(world: World, name: str) -> str:
    found = world.store.get("Node", None, name)
    assert found is not None
    return str(found["status"]["conditions"][-1]["lastHeartbeatTime"])


def test_a_new_namespace_gets_its_account_and_ca_and_a_deleted_one_takes_everything_along(
    world: World,
) -> None:
    world.put(namespace("extra", env="dev"))
    world.clock.advance(1)
    assert world.store.get("ServiceAccount", "extra", "default") is not None
    assert world.store.get("ConfigMap", "extra", "kube-root-ca.crt") is not None
    image = world.publish("repo/guest:1")
    world.put(deployment("extra", "guest", 2, template({"app": "guest"}, [container("app", image)])))
    world.clock.advance(30)
    assert ready(world, "guest", "extra") == 2
    world.store.delete("Namespace", None, "extra")
    world.clock.advance(60)
    assert world.store.get("Namespace", None, "extra") is None
    assert world.store.list("Pod", "extra") == []


def test_the_standby_stands_ready_outside_its_service_and_follows_the_leader() -> None:
    world = load("healthy")
    (leading,) = [
        each for each in world.store.list("Service", "production") if meta(each)["name"].endswith("-leader")
    ]
    app = leading["spec"]["selector"]["app"]
    endpoints = world.store.get("Endpoints", *key_of(leading))
    assert endpoints is not None
    assert len(endpoints["subsets"][0]["addresses"]) == 1
    assert ready(world, app) == 2
    (leader,) = [pod for pod in pods(world, app) if labels_of(pod).get("role") == "leader"]
    world.store.delete("Pod", "production", meta(leader)["name"])
    world.clock.advance(60)
    again = [pod for pod in pods(world, app) if labels_of(pod).get("role") == "leader"]
    assert len(again) == 1
    assert meta(again[0])["name"] != meta(leader)["name"]


def test_the_rollout_of_the_furniture_completes_by_itself() -> None:
    world = load("healthy")
    rolling = [
        each
        for each in world.store.list("Deployment", "staging")
        if _reason(each) != "NewReplicaSetAvailable"
    ]
    assert len(rolling) == 1
    world.clock.advance(600)
    found = world.store.get("Deployment", "staging", meta(rolling[0])["name"])
    assert found is not None
    assert _reason(found) == "NewReplicaSetAvailable"


def _reason(found: Obj) -> str:
    progressing = condition(found, "Progressing")
    return str(progressing["reason"]) if progressing else ""


def test_the_nightly_job_failed_two_nights_ago_and_succeeded_last_night() -> None:
    world = seen("healthy", 0)
    (cron,) = world.store.list("CronJob", "production")
    ends = [
        "Failed" if condition(job, "Failed") else "Complete"
        for job in sorted(
            world.store.list("Job", "production"), key=lambda job: str(meta(job)["creationTimestamp"])
        )
        if meta(job)["name"].startswith(meta(cron)["name"])
    ]
    assert ends[-2:] == ["Failed", "Complete"]
    assert cron["status"]["lastSuccessfulTime"] > cron["status"]["lastScheduleTime"]


def test_the_ground_is_six_nodes_over_three_zones_and_eks_own_workloads(world: World) -> None:
    nodes = world.store.list("Node")
    zones = [labels_of(each)["topology.kubernetes.io/zone"] for each in nodes]
    assert len(nodes) == 6
    assert sorted(set(zones)) == ["us-east-1a", "us-east-1b", "us-east-1c"]
    assert all(is_ready(each) for each in nodes)
    labels = {
        name: labels_of(found).get("env")
        for name in ("production", "staging", "dev")
        if (found := world.store.get("Namespace", None, name))
    }
    assert labels == {"production": "prod", "staging": "staging", "dev": "dev"}
    assert {meta(each)["name"] for each in world.store.list("DaemonSet", "kube-system")} == {
        "aws-node",
        "kube-proxy",
    }


def test_settle_ends_when_nothing_happens_any_more(world: World) -> None:
    new_app(world, "web")
    world.settle(120)
    assert ready(world, "web") == 1
    assert first(pods(world, "web")[0])["restartCount"] == 0
    assert logfmt("info", "x y", z="a b") == 'level=info msg="x y" z="a b"'
