"""Logs, scale, eviction, usage and the reviews a caller asks about itself."""

from datetime import timedelta
from typing import Any

import anyio
import httpx
import pytest

from aiops_lab.kube.protobuf import decode_protobuf
from tests.lab.kube.fakes import T0
from tests.lab.kube.lab import VIEWER_TOKEN, KubeLab
from tests.lab.kube.objects import RUNNING, Obj, deployment, node, pod

POD = "/api/v1/namespaces/shop/pods/a"
SCALE = "/apis/apps/v1/namespaces/shop/deployments/web/scale"


def two_containers(lab: KubeLab) -> None:
    obj = pod("a", node="n")
    obj["spec"]["containers"].append({"name": "sidecar", "image": "registry.example/proxy:3"})
    obj["spec"]["initContainers"] = [{"name": "setup", "image": "registry.example/setup:1"}]
    lab.store.create(obj)


def running(lab: KubeLab, name: str = "a", **labels: str) -> None:
    lab.store.create(pod(name, node="n", **labels))
    lab.store.set_status("Pod", "shop", name, RUNNING)


def some_lines(lab: KubeLab) -> None:
    lines = [(T0 - timedelta(seconds=30 - 10 * i), f"line {i}") for i in range(3)]
    lab.logs.held["shop", "a", "app", False] = lines


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({}, "line 0\nline 1\nline 2\n"),
        ({"tailLines": "1"}, "line 2\n"),
        ({"tailLines": "0"}, ""),
        ({"sinceSeconds": "20"}, "line 1\nline 2\n"),
        ({"sinceTime": "2026-11-22T11:59:45Z"}, "line 2\n"),
        ({"limitBytes": "9"}, "line 0\nli"),
        (
            {"container": "app", "tailLines": "1", "timestamps": "true"},
            "2026-11-22T11:59:50.000000000Z line 2\n",
        ),
    ],
)
async def test_logs_are_cut_as_asked(lab: KubeLab, query: dict[str, str], said: str) -> None:
    running(lab)
    some_lines(lab)
    answer = await lab.client().get(f"{POD}/log", params=query)
    assert (answer.status_code, answer.text) == (200, said)


@pytest.mark.parametrize(
    ("query", "status", "said"),
    [
        (
            {},
            400,
            "for pod a, choose one of: [setup app sidecar]",
        ),
        ({"container": "nope"}, 400, "container nope is not valid for pod a"),
        (
            {"container": "app", "previous": "true"},
            400,
            'previous terminated container "app" in pod "a" not found',
        ),
        ({"container": "app"}, 400, 'container "app" in pod "a" is waiting to start: ContainerCreating'),
        ({"container": "app", "tailLines": "-1"}, 422, "tailLines"),
        ({"container": "app", "limitBytes": "0"}, 422, "limitBytes"),
        ({"container": "app", "sinceTime": "yesterday"}, 400, "parsing time"),
        (
            {"container": "app", "sinceSeconds": "5", "sinceTime": "2026-11-22T11:59:45Z"},
            422,
            "at most one of",
        ),
    ],
)
async def test_logs_that_cannot_be_had_say_why(
    lab: KubeLab, query: dict[str, str], status: int, said: str
) -> None:
    two_containers(lab)
    answer = await lab.client().get(f"{POD}/log", params=query)
    assert answer.status_code == status
    assert said in answer.json()["message"]


async def test_logs_of_the_previous_run_and_of_a_pod_without_node(lab: KubeLab) -> None:
    running(lab)
    lab.logs.held["shop", "a", "app", True] = [(T0, "it died")]
    assert (await lab.client().get(f"{POD}/log", params={"previous": "true"})).text == "it died\n"
    lab.store.create(pod("b"))
    assert (await lab.client().get("/api/v1/namespaces/shop/pods/b/log")).text == ""


async def test_a_container_without_its_image_says_so(lab: KubeLab) -> None:
    lab.store.create(pod("a", node="n"))
    waiting = {"name": "app", "state": {"waiting": {"reason": "ImagePullBackOff"}}}
    lab.store.set_status("Pod", "shop", "a", {"phase": "Pending", "containerStatuses": [waiting]})
    answer = await lab.client().get(f"{POD}/log")
    assert answer.json()["message"].endswith("is waiting to start: trying and failing to pull image")


async def test_followed_logs_bring_new_lines_until_the_pod_goes(lab: KubeLab) -> None:
    running(lab)
    some_lines(lab)
    lines: list[str] = []
    async with lab.client().stream(
        "GET", f"{POD}/log", params={"follow": "true", "tailLines": "1"}
    ) as answer:
        with anyio.fail_after(5):
            async for line in answer.aiter_lines():
                lines.append(line)
                if line == "line 2":
                    lab.logs.held["shop", "a", "app", False].append((T0, "fresh"))
                else:
                    lab.store.delete("Pod", "shop", "a", grace_s=0)
    assert lines == ["line 2", "fresh"]


async def test_scale_is_read_written_and_guarded_by_its_version(lab: KubeLab) -> None:
    made = lab.store.create(deployment())
    client = lab.client()
    scale = (await client.get(SCALE)).json()
    assert (scale["kind"], scale["spec"], scale["status"]["selector"]) == (
        "Scale",
        {"replicas": 2},
        "app=web",
    )
    answer = await client.put(SCALE, json={**scale, "spec": {"replicas": 4}})
    assert answer.json()["spec"] == {"replicas": 4}
    stale = await client.put(SCALE, json={**scale, "spec": {"replicas": 5}})
    assert (stale.status_code, stale.json()["reason"]) == (409, "Conflict")
    live = lab.store.get("Deployment", "shop", "web")
    assert live is not None
    assert (live["spec"]["replicas"], live["metadata"]["generation"]) == (
        4,
        made["metadata"]["generation"] + 1,
    )


def budget(lab: KubeLab, name: str = "web", *, allowed: int, observed: int = 1, **spec: Any) -> None:
    selector = {"matchLabels": {"app": "web"}}
    meta = {"name": name, "namespace": "shop"}
    obj = {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": meta}
    lab.store.create({**obj, "spec": {"minAvailable": 2, "selector": selector, **spec}})
    status = {
        "disruptionsAllowed": allowed,
        "currentHealthy": 2,
        "desiredHealthy": 2,
        "observedGeneration": observed,
    }
    lab.store.set_status("PodDisruptionBudget", "shop", name, status)


async def evict(lab: KubeLab, name: str = "a", **options: Any) -> httpx.Response:
    eviction: Obj = {
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": {"name": name, "namespace": "shop"},
    }
    if options:
        eviction["deleteOptions"] = options
    return await lab.client().post(f"/api/v1/namespaces/shop/pods/{name}/eviction", json=eviction)


def allowed_now(lab: KubeLab) -> int:
    found = lab.store.get("PodDisruptionBudget", "shop", "web")
    assert found is not None
    return int(found["status"]["disruptionsAllowed"])


async def test_a_budget_is_spent_once_and_then_refuses(lab: KubeLab) -> None:
    budget(lab, allowed=1)
    running(lab, "a", app="web")
    running(lab, "b", app="web")
    assert (await evict(lab, "a", dryRun=["All"])).status_code == 201
    assert allowed_now(lab) == 1
    assert (await evict(lab, "a")).status_code == 201
    assert allowed_now(lab) == 0
    evicted = lab.store.get("Pod", "shop", "a")
    assert evicted is not None
    assert evicted["metadata"]["deletionTimestamp"]
    assert evicted["status"]["conditions"][-1]["reason"] == "EvictionByEvictionAPI"
    refused = await evict(lab, "b")
    body = refused.json()
    assert (refused.status_code, body["reason"]) == (429, "TooManyRequests")
    assert body["message"] == "Cannot evict pod as it would violate the pod's disruption budget."
    assert body["details"]["causes"] == [
        {
            "reason": "DisruptionBudget",
            "message": "The disruption budget web needs 2 healthy pods and has 2 currently",
        }
    ]
    assert (await evict(lab, "b", dryRun=["All"])).status_code == 429


async def test_a_budget_that_was_not_looked_at_yet_asks_to_come_back(lab: KubeLab) -> None:
    budget(lab, allowed=5, observed=0)
    running(lab, "a", app="web")
    refused = await evict(lab)
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "10")


async def test_two_budgets_over_one_pod_are_an_error(lab: KubeLab) -> None:
    budget(lab, "web", allowed=1)
    budget(lab, "second", allowed=1)
    running(lab, "a", app="web")
    refused = await evict(lab)
    assert (refused.status_code, "more than one PodDisruptionBudget" in refused.text) == (500, True)


async def test_a_sick_pod_goes_without_spending_the_budget(lab: KubeLab) -> None:
    budget(lab, allowed=0, unhealthyPodEvictionPolicy="AlwaysAllow")
    lab.store.create(pod("a", node="n", app="web"))
    lab.store.set_status("Pod", "shop", "a", {"phase": "Running"})
    assert (await evict(lab)).status_code == 201
    assert allowed_now(lab) == 0


async def test_a_failed_precondition_spends_nothing(lab: KubeLab) -> None:
    budget(lab, allowed=1)
    running(lab, "a", app="web")
    assert (await evict(lab, preconditions={"uid": "other"})).status_code == 409
    assert allowed_now(lab) == 1


async def test_usage_is_listed_for_what_is_measured(lab: KubeLab) -> None:
    running(lab, "a", app="web")
    running(lab, "b", app="web")
    lab.store.create(node("n"))
    lab.usage.pods["shop/a"] = {"app": (250, 64 << 20)}
    lab.usage.nodes["n"] = (900, 2 << 30)
    client = lab.client()
    base = "/apis/metrics.k8s.io/v1beta1"
    listed = (await client.get(f"{base}/pods", params={"labelSelector": "app=web"})).json()
    assert [(i["metadata"]["name"], i["containers"]) for i in listed["items"]] == [
        ("a", [{"name": "app", "usage": {"cpu": "250000000n", "memory": "65536Ki"}}])
    ]
    one = (await client.get(f"{base}/nodes/n")).json()
    assert (one["kind"], one["usage"]["memory"]) == ("NodeMetrics", "2097152Ki")
    missing = await client.get(f"{base}/namespaces/shop/pods/b")
    assert (missing.status_code, missing.json()["message"]) == (404, 'pods.metrics.k8s.io "shop/b" not found')


REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"


async def asked(lab: KubeLab, who: str, **attributes: str) -> bool:
    review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview"}
    answer = await lab.client(who).post(REVIEWS, json={**review, "spec": {"resourceAttributes": attributes}})
    assert answer.status_code == 201
    return bool(answer.json()["status"]["allowed"])


async def test_a_caller_may_ask_what_it_may_do(lab: KubeLab) -> None:
    wanted = {"verb": "delete", "resource": "pods", "namespace": "shop"}
    assert await asked(lab, "admin-token", **wanted)
    assert not await asked(lab, VIEWER_TOKEN, **wanted)
    path = {"spec": {"nonResourceAttributes": {"path": "/version", "verb": "get"}}}
    assert (await lab.client(VIEWER_TOKEN).post(REVIEWS, json=path)).json()["status"]["allowed"]
    assert (await lab.client().post(REVIEWS, json={"spec": {}})).status_code == 422
    assert (await lab.client().post(REVIEWS, json={"spec": 5})).status_code == 400


async def test_a_caller_may_ask_who_it_is_and_which_rules_hold(lab: KubeLab) -> None:
    client = lab.client(VIEWER_TOKEN)
    me = await client.post("/apis/authentication.k8s.io/v1/selfsubjectreviews", json={})
    assert me.json()["status"]["userInfo"] == {"username": "viewer", "groups": ["system:authenticated"]}
    rules = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews"
    held = (await client.post(rules, json={"spec": {"namespace": "shop"}})).json()["status"]
    assert (held["incomplete"], len(held["resourceRules"])) == (False, 2)
    assert (await client.post(rules, json={"spec": {}})).status_code == 400


def message(number: int, content: bytes) -> bytes:
    return bytes([number << 3 | 2, len(content)]) + content


def enveloped(kind: bytes, spec: bytes) -> bytes:
    meta = message(1, b"authorization.k8s.io/v1") + message(2, kind)
    return b"k8s\x00" + message(1, meta) + message(2, message(2, spec))


async def test_a_review_in_protobuf_is_understood_and_answered_in_json(lab: KubeLab) -> None:
    wanted = message(1, b"shop") + message(2, b"list") + message(5, b"pods")
    sent = enveloped(b"SelfSubjectAccessReview", message(1, wanted))
    assert decode_protobuf(sent)["spec"] == {
        "resourceAttributes": {"namespace": "shop", "verb": "list", "resource": "pods"}
    }
    headers = {"Content-Type": "application/vnd.kubernetes.protobuf"}
    answer = await lab.client().post(REVIEWS, content=sent, headers=headers)
    assert (answer.status_code, answer.json()["status"]["allowed"]) == (201, True)
    path = decode_protobuf(
        enveloped(b"SelfSubjectAccessReview", message(2, message(1, b"/api") + message(2, b"get")))
    )
    assert path["spec"] == {"nonResourceAttributes": {"path": "/api", "verb": "get"}}


@pytest.mark.parametrize(
    "sent",
    [
        b"k8s\x00\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
        b"k8s\x00\x0a\x05ab",
        b"k8s\x00\x0b",
        b"k8s\x00\x0a\x04\x12\x02\xff\xfe",
        b"k8s\x00\x0a",
    ],
)
async def test_broken_protobuf_is_a_bad_request(lab: KubeLab, sent: bytes) -> None:
    headers = {"Content-Type": "application/vnd.kubernetes.protobuf"}
    answer = await lab.client().post(REVIEWS, content=sent, headers=headers)
    assert answer.status_code == 400
