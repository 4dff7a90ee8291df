"""Every writing verb over HTTPS: what it does, refuses, logs, and leaves alone in a dry run."""

from typing import Any

import httpx
import orjson
import pytest

from aiops_lab.kube.wire import clone
from tests.lab.kube.lab import KubeLab
from tests.lab.kube.objects import RUNNING, Obj, config_map, deployment, node, pod

DEPLOYMENTS = "/apis/apps/v1/namespaces/shop/deployments"
MAPS = "/api/v1/namespaces/shop/configmaps"
JSON, MERGE = {"Content-Type": "application/json"}, {"Content-Type": "application/merge-patch+json"}
STRATEGIC = {"Content-Type": "application/strategic-merge-patch+json"}
JSON_PATCH = {"Content-Type": "application/json-patch+json"}
APPLY = {"Content-Type": "application/apply-patch+yaml"}


def body(value: Any) -> bytes:
    return orjson.dumps(value)


SCALE = {"kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": {"name": "web", "namespace": "shop"}}
EVICTION = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "a", "namespace": "shop"}}
WRITES: list[tuple[str, str, Any, dict[str, str]]] = [
    ("POST", DEPLOYMENTS, deployment("new"), JSON),
    ("PUT", f"{DEPLOYMENTS}/web", deployment(replicas=9), JSON),
    ("PATCH", f"{DEPLOYMENTS}/web", {"spec": {"replicas": 9}}, MERGE),
    ("PATCH", f"{DEPLOYMENTS}/web", {"spec": {"replicas": 9}}, STRATEGIC),
    ("PATCH", f"{DEPLOYMENTS}/web", [{"op": "replace", "path": "/spec/replicas", "value": 9}], JSON_PATCH),
    ("PATCH", f"{DEPLOYMENTS}/web?fieldManager=me&force=true", deployment(replicas=9), APPLY),
    ("PATCH", f"{DEPLOYMENTS}/fresh?fieldManager=me", deployment("fresh"), APPLY),
    ("PATCH", f"{DEPLOYMENTS}/web/status", {"status": {"replicas": 9}}, MERGE),
    ("PUT", f"{DEPLOYMENTS}/web/scale", {**SCALE, "spec": {"replicas": 9}}, JSON),
    ("PATCH", f"{DEPLOYMENTS}/web/scale", {"spec": {"replicas": 9}}, MERGE),
    ("DELETE", f"{DEPLOYMENTS}/web", None, JSON),
    ("DELETE", DEPLOYMENTS, None, JSON),
    ("POST", "/api/v1/namespaces/shop/pods/a/eviction", EVICTION, JSON),
    ("PATCH", "/api/v1/nodes/n", {"spec": {"unschedulable": True}}, STRATEGIC),
    ("DELETE", "/api/v1/namespaces/shop", None, JSON),
]
IDS = [
    f"{method} {path.partition('?')[0].rpartition('shop')[2]} {h['Content-Type']}"
    for method, path, _, h in WRITES
]


def fill(lab: KubeLab) -> None:
    lab.store.create(deployment())
    lab.store.create(node("n"))
    lab.store.create(pod("a", node="n"))
    lab.store.set_status("Pod", "shop", "a", RUNNING)


async def send(
    lab: KubeLab, method: str, path: str, content: Any, headers: dict[str, str], **query: str
) -> httpx.Response:
    joined = path + ("&" if "?" in path else "?") + "&".join(f"{k}={v}" for k, v in query.items())
    raw = b"" if content is None else body(content)
    return await lab.client().request(method, joined.rstrip("?&"), content=raw, headers=headers)


@pytest.mark.parametrize(("method", "path", "content", "headers"), WRITES, ids=IDS)
async def test_a_dry_run_answers_like_the_write_and_changes_nothing(
    lab: KubeLab, method: str, path: str, content: Any, headers: dict[str, str]
) -> None:
    fill(lab)
    before, version = lab.store.snapshot()["shelf"]["objects"], lab.store.shelf.version
    dry = await send(lab, method, path, content, headers, dryRun="All")
    assert dry.status_code in {200, 201}, dry.text
    assert lab.store.snapshot()["shelf"]["objects"] == before
    assert lab.store.shelf.version == version
    assert lab.requests.writes() == []
    assert lab.requests.entries[-1].dry_run
    real = await send(lab, method, path, content, headers)
    assert real.status_code == dry.status_code, real.text
    assert lab.store.shelf.version > version
    assert [(e.method, e.status) for e in lab.requests.writes()] == [(method, real.status_code)]


async def test_an_eviction_says_dry_run_in_its_body(lab: KubeLab) -> None:
    fill(lab)
    eviction = {**EVICTION, "deleteOptions": {"dryRun": ["All"]}}
    answer = await send(lab, "POST", "/api/v1/namespaces/shop/pods/a/eviction", eviction, JSON)
    assert answer.status_code == 201
    live = lab.store.get("Pod", "shop", "a")
    assert live is not None
    assert "deletionTimestamp" not in live["metadata"]
    assert lab.requests.writes() == []


async def test_delete_options_in_the_body_silence_the_query(lab: KubeLab) -> None:
    """As endpoints/handlers/delete.go reads them: who sends a body must say dryRun there."""
    lab.store.create(config_map())
    options = {"kind": "DeleteOptions", "apiVersion": "v1", "dryRun": ["All"]}
    kept = await send(lab, "DELETE", f"{MAPS}/settings", options, JSON)
    assert kept.status_code == 200
    assert lab.store.get("ConfigMap", "shop", "settings")
    gone = await send(
        lab, "DELETE", f"{MAPS}/settings", {"propagationPolicy": "Background"}, JSON, dryRun="All"
    )
    assert gone.status_code == 200
    assert lab.store.get("ConfigMap", "shop", "settings") is None
    assert [e.dry_run for e in lab.requests.entries] == [True, False]


async def test_an_empty_name_deletes_the_collection_as_on_a_real_server(lab: KubeLab) -> None:
    lab.store.create(config_map("one"))
    lab.store.create(config_map("two"))
    answer = await lab.client().delete(f"{MAPS}/")
    assert answer.status_code == 200
    assert lab.store.list("ConfigMap", "shop") == []
    assert lab.requests.entries[-1].verb == "deletecollection"


async def test_a_collection_is_deleted_by_selector(lab: KubeLab) -> None:
    lab.store.create(pod("a", app="web"))
    lab.store.create(pod("b", app="api"))
    await lab.client().delete("/api/v1/namespaces/shop/pods", params={"labelSelector": "app=web"})
    assert [p["metadata"]["name"] for p in lab.store.list("Pod", "shop")] == ["b"]


@pytest.mark.parametrize(
    "path", ["/api/v1/pods", "/api/v1/namespaces/..", "/api/v1/namespaces/shop/pods/%2e%2e"]
)
async def test_a_delete_of_a_strange_path_deletes_nothing(lab: KubeLab, path: str) -> None:
    fill(lab)
    version = lab.store.shelf.version
    request = lab.client().build_request("DELETE", lab.url)
    request.url = httpx.URL(lab.url).copy_with(raw_path=path.encode())
    answer = await lab.client().send(request)
    assert answer.status_code in {400, 404, 405}
    assert lab.store.shelf.version == version


@pytest.mark.parametrize(
    ("content", "headers", "status"),
    [
        (b"{", JSON, 400),
        (b'"text"', JSON, 400),
        (b"[]", JSON, 400),
        (b"", JSON, 400),
        (b'{"a":"\xff"}', JSON, 422),
        (b'{"a":' * 5000 + b"1" + b"}" * 5000, JSON, 400),
        (b'{"a":' * 300 + b"1" + b"}" * 300, JSON, 400),
        (b"a: &x [1]\nb: *x", {"Content-Type": "application/yaml"}, 400),
        (b"a: [", {"Content-Type": "application/yaml"}, 400),
        (b"[" * 5000, {"Content-Type": "application/yaml"}, 400),
        (b"{}", {"Content-Type": "application/x-www-form-urlencoded"}, 415),
        (b"k8s\x00", {"Content-Type": "application/vnd.kubernetes.protobuf"}, 415),
        (b"nonsense", {"Content-Type": "application/vnd.kubernetes.protobuf"}, 400),
        (b'{"data":{"a":"' + b"x" * (3 * 1024 * 1024) + b'"}}', JSON, 413),
    ],
)
async def test_an_unreadable_body_is_refused(
    lab: KubeLab, content: bytes, headers: dict[str, str], status: int
) -> None:
    answer = await lab.client().post(MAPS, content=content, headers=headers)
    assert (answer.status_code, answer.json()["kind"]) == (status, "Status")
    assert lab.store.list("ConfigMap", "shop") == []


@pytest.mark.parametrize(
    ("method", "path", "content", "headers", "status"),
    [
        ("POST", DEPLOYMENTS, {**deployment(), "kind": "Pod"}, JSON, 400),
        ("POST", DEPLOYMENTS, deployment(namespace="other"), JSON, 400),
        ("PUT", f"{DEPLOYMENTS}/web", deployment("other"), JSON, 400),
        ("PUT", f"{DEPLOYMENTS}/ghost", deployment("ghost"), JSON, 404),
        ("PATCH", f"{DEPLOYMENTS}/ghost", {}, MERGE, 404),
        ("PATCH", f"{DEPLOYMENTS}/web", {}, JSON, 415),
        ("PATCH", f"{DEPLOYMENTS}/web", {"metadata": {"name": "x"}}, MERGE, 400),
        ("PATCH", f"{DEPLOYMENTS}/web", {"metadata": {"resourceVersion": "1"}}, MERGE, 409),
        ("PATCH", f"{DEPLOYMENTS}/web", {"metadata": 5}, MERGE, 422),
        ("PATCH", f"{DEPLOYMENTS}/web?fieldManager=m", {"spec": {}}, APPLY, 400),
        ("PATCH", f"{DEPLOYMENTS}/web", deployment(), APPLY, 422),
        ("PUT", f"{DEPLOYMENTS}/web/scale", {**SCALE, "spec": {"replicas": -1}}, JSON, 422),
        ("PUT", f"{DEPLOYMENTS}/web/scale", {**SCALE, "spec": {"replicas": "x"}}, JSON, 400),
        ("DELETE", f"{DEPLOYMENTS}/ghost", None, JSON, 404),
        ("DELETE", f"{DEPLOYMENTS}/web", {"preconditions": {"uid": "no"}}, JSON, 409),
        ("DELETE", f"{DEPLOYMENTS}/web", {"propagationPolicy": "Sideways"}, JSON, 422),
        ("DELETE", f"{DEPLOYMENTS}/web?gracePeriodSeconds=soon", None, JSON, 400),
        ("DELETE", f"{DEPLOYMENTS}/web", {"dryRun": "All"}, JSON, 500),
        ("DELETE", f"{DEPLOYMENTS}/web?dryRun=Some", None, JSON, 422),
        ("DELETE", "/api/v1/namespaces/kube-system", None, JSON, 403),
        ("DELETE", "/api/v1/namespaces", None, JSON, 405),
        ("POST", f"{DEPLOYMENTS}/web", deployment(), JSON, 405),
        ("PUT", DEPLOYMENTS, deployment(), JSON, 405),
        ("POST", "/api/v1/pods", pod("x"), JSON, 405),
        ("POST", "/api/v1/namespaces/shop/pods/a/exec?command=ls", None, JSON, 501),
        ("GET", "/api/v1/nodes/n/proxy/stats/summary", None, JSON, 501),
        ("GET", "/api/v1/namespaces/shop/pods/a/portforward", None, JSON, 501),
        ("POST", "/apis/metrics.k8s.io/v1beta1/nodes", {}, JSON, 405),
        ("POST", f"{DEPLOYMENTS}?fieldValidation=Strict", {**deployment("new"), "sepc": {}}, JSON, 400),
    ],
)
async def test_a_wrong_write_is_refused_and_changes_nothing(
    lab: KubeLab, method: str, path: str, content: Any, headers: dict[str, str], status: int
) -> None:
    fill(lab)
    version = lab.store.shelf.version
    answer = await send(lab, method, path, content, headers)
    assert (answer.status_code, answer.json()["status"]) == (status, "Failure"), answer.text
    assert lab.store.shelf.version == version


async def test_an_unknown_field_is_dropped_with_a_warning_unless_strict(lab: KubeLab) -> None:
    typo = clone(deployment("new"))
    typo["spec"]["template"]["spec"]["containers"][0]["imagePullPolcy"] = "Always"
    strict = await send(lab, "POST", DEPLOYMENTS, typo, JSON, fieldValidation="Strict")
    field = "spec.template.spec.containers[0].imagePullPolcy"
    assert (strict.status_code, f'unknown field "{field}"' in strict.json()["message"]) == (400, True)
    warned = await send(lab, "POST", DEPLOYMENTS, typo, JSON)
    assert warned.status_code == 201
    assert field in warned.headers["Warning"]
    assert "imagePullPolcy" not in warned.json()["spec"]["template"]["spec"]["containers"][0]


async def test_a_patch_names_its_manager_by_query_or_program(lab: KubeLab) -> None:
    lab.store.create(deployment())
    await send(lab, "PATCH", f"{DEPLOYMENTS}/web", {"spec": {"replicas": 3}}, MERGE)
    await send(lab, "PATCH", f"{DEPLOYMENTS}/web", {"spec": {"paused": True}}, MERGE, fieldManager="ops")
    live = lab.store.get("Deployment", "shop", "web")
    assert live is not None
    assert {"tests", "ops"} <= {e["manager"] for e in live["metadata"]["managedFields"]}


async def test_a_custom_resource_is_replaced_only_by_its_version(lab: KubeLab) -> None:
    pool: Obj = {"apiVersion": "karpenter.sh/v1", "kind": "NodePool", "metadata": {"name": "p"}, "spec": {}}
    made = lab.store.create(pool)
    path = "/apis/karpenter.sh/v1/nodepools/p"
    refused = await send(lab, "PUT", path, {**pool, "spec": {"weight": 1}}, JSON)
    assert (refused.status_code, "must be specified for an update" in refused.text) == (422, True)
    assert (await send(lab, "PUT", path, {**made, "spec": {"weight": 1}}, JSON)).status_code == 200


async def test_the_log_says_who_asked_what(lab: KubeLab) -> None:
    await lab.client().post(MAPS, json=config_map())
    entry = lab.requests.entries[-1]
    assert (entry.user, entry.verb, entry.resource, entry.namespace, entry.status) == (
        "admin",
        "create",
        "configmaps",
        "shop",
        201,
    )
    assert (entry.user_agent, entry.at, len(entry.body_sha256)) == ("tests/1", lab.clock.at, 64)
    lab.requests.clear()
    assert (lab.requests.entries, lab.requests.total) == ([], 0)
