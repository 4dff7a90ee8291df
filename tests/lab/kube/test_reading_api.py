"""get, list, Table and watch over HTTPS."""

import base64
from typing import Any

import anyio
import httpx
import orjson
import pytest

from tests.lab.kube.lab import KubeLab
from tests.lab.kube.objects import Obj, config_map, deployment, pod

TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"
PODS = "/api/v1/namespaces/shop/pods"


async def test_discovery_lists_groups_kinds_and_subresources(lab: KubeLab) -> None:
    client = lab.client()
    groups = (await client.get("/apis")).json()["groups"]
    assert {"apps", "metrics.k8s.io", "karpenter.sh", "argoproj.io"} <= {g["name"] for g in groups}
    core = (await client.get("/api/v1")).json()
    names = {r["name"]: r for r in core["resources"]}
    assert names["pods"]["shortNames"] == ["po"]
    assert {"pods/log", "pods/eviction", "pods/status"} <= set(names)
    apps = (await client.get("/apis/apps/v1")).json()
    scale = next(r for r in apps["resources"] if r["name"] == "deployments/scale")
    assert (scale["kind"], scale["group"]) == ("Scale", "autoscaling")
    assert (await client.get("/api")).json()["versions"] == ["v1"]
    assert (await client.get("/apis/apps")).json()["name"] == "apps"
    assert "/apis/apps/v1" in (await client.get("/")).json()["paths"]


@pytest.mark.parametrize("path", ["/apis/apps/v9", "/api/v1/nopes", f"{PODS}/a/nope", "/api/v2"])
async def test_an_unknown_path_is_a_404_status(lab: KubeLab, path: str) -> None:
    answer = await lab.client().get(path)
    assert (answer.status_code, answer.json()["kind"], answer.json()["reason"]) == (404, "Status", "NotFound")


@pytest.mark.parametrize("path", ["/apis/nope", "/nope", "/apis/nope/v1/things"])
async def test_a_path_of_no_api_is_a_plain_404(lab: KubeLab, path: str) -> None:
    answer = await lab.client().get(path)
    assert (answer.status_code, answer.text) == (404, "404 page not found\n")


async def test_health_and_version_need_no_identity_but_objects_do(lab: KubeLab) -> None:
    stranger = lab.client("unknown")
    for path in ("/healthz", "/livez", "/readyz"):
        assert (await stranger.get(path)).text == "ok"
    refused = await stranger.get(PODS)
    assert (refused.status_code, refused.json()["reason"]) == (401, "Unauthorized")
    nobody = lab.client()
    del nobody.headers["Authorization"]
    assert (await nobody.get("/version")).status_code == 200
    assert (await nobody.get("/api")).status_code == 401


async def test_a_missing_object_is_named(lab: KubeLab) -> None:
    answer = await lab.client().get("/apis/apps/v1/namespaces/shop/deployments/web")
    body = answer.json()
    assert body["message"] == 'deployments.apps "web" not found'
    assert body["details"] == {"kind": "deployments", "name": "web", "group": "apps"}


async def test_items_of_typed_lists_leave_their_kind_out(lab: KubeLab) -> None:
    lab.store.create(pod("a"))
    pool = {"apiVersion": "karpenter.sh/v1", "kind": "NodePool", "metadata": {"name": "p"}, "spec": {}}
    lab.store.create(pool)
    client = lab.client()
    pods = (await client.get(PODS)).json()
    assert (pods["kind"], "kind" in pods["items"][0]) == ("PodList", False)
    assert (await client.get("/apis/karpenter.sh/v1/nodepools")).json()["items"][0]["kind"] == "NodePool"
    assert (await client.get(f"{PODS}/a")).json()["kind"] == "Pod"


async def pages(client: httpx.AsyncClient, **query: Any) -> list[Obj]:
    found = []
    while True:
        answer = await client.get(PODS, params=query)
        assert answer.status_code == 200, answer.text
        found.append(answer.json())
        token = answer.json()["metadata"].get("continue")
        if not token:
            return found
        query["continue"] = token


def names_in(listed: list[Obj]) -> list[str]:
    return [item["metadata"]["name"] for page in listed for item in page["items"]]


async def test_pages_show_one_version_while_objects_come_and_go(lab: KubeLab) -> None:
    for index in range(5):
        lab.store.create(pod(f"p{index}"))
    client = lab.client()
    first = (await client.get(PODS, params={"limit": 2})).json()
    assert first["metadata"]["remainingItemCount"] == 3
    lab.store.delete("Pod", "shop", "p3")
    lab.store.create(pod("p9"))
    token = first["metadata"]["continue"]
    rest = await pages(client, **{"limit": 2, "continue": token})
    assert names_in([first, *rest]) == ["p0", "p1", "p2", "p3", "p4"]
    assert {page["metadata"]["resourceVersion"] for page in [first, *rest]} == {
        first["metadata"]["resourceVersion"]
    }


async def test_paging_with_a_selector_hides_the_count_that_is_left(lab: KubeLab) -> None:
    for index in range(6):
        lab.store.create(pod(f"p{index}", parity="even" if index % 2 == 0 else "odd"))
    found = await pages(lab.client(), limit=2, labelSelector="parity=even")
    assert names_in(found) == ["p0", "p2", "p4"]
    assert "remainingItemCount" not in found[0]["metadata"]


async def test_a_token_of_a_compacted_list_is_expired_and_a_forged_one_refused(lab: KubeLab) -> None:
    for index in range(3):
        lab.store.create(pod(f"p{index}"))
    client = lab.client()
    token = (await client.get(PODS, params={"limit": 1})).json()["metadata"]["continue"]
    lab.store.compact()
    expired = await client.get(PODS, params={"limit": 1, "continue": token})
    assert (expired.status_code, expired.json()["reason"]) == (410, "Expired")
    for forged in ("%%%", "AAAA", base64.b64encode(b'{"v":"meta.k8s.io/v1","rv":1,"start":"a"}').decode()):
        refused = await client.get(PODS, params={"limit": 1, "continue": forged})
        assert refused.status_code == 400


async def test_versions_of_lists_are_judged(lab: KubeLab) -> None:
    client = lab.client()
    now = lab.store.shelf.version
    assert (await client.get(PODS, params={"resourceVersion": "0"})).status_code == 200
    exact = {"resourceVersion": str(now), "resourceVersionMatch": "Exact"}
    assert (await client.get(PODS, params=exact)).status_code == 200
    old = {"resourceVersion": str(now - 1), "resourceVersionMatch": "Exact"}
    assert (await client.get(PODS, params=old)).status_code == 410
    assert (await client.get(PODS, params={"resourceVersion": str(now + 99)})).status_code == 504
    assert (await client.get(PODS, params={"resourceVersion": "abc"})).status_code == 400
    assert (await client.get(PODS, params={"limit": "-1"})).status_code == 200


@pytest.mark.parametrize(
    ("include", "kind"), [("None", None), ("Metadata", "PartialObjectMetadata"), ("Object", "Pod")]
)
async def test_a_table_row_carries_what_was_asked(lab: KubeLab, include: str, kind: str | None) -> None:
    lab.store.create(pod("a"))
    answer = await lab.client().get(PODS, params={"includeObject": include}, headers={"Accept": TABLE})
    body = answer.json()
    assert [c["name"] for c in body["columnDefinitions"]][:3] == ["Name", "Ready", "Status"]
    assert [c["priority"] for c in body["columnDefinitions"]] == [0] * 5 + [1] * 4
    row = body["rows"][0]
    assert row["cells"][:4] == ["a", "0/1", "Pending", "0"]
    assert row.get("object", {}).get("kind") == kind


async def test_metadata_alone_and_unknown_forms(lab: KubeLab) -> None:
    lab.store.create(pod("a"))
    client = lab.client()
    partial = {"Accept": "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"}
    body = (await client.get(PODS, headers=partial)).json()
    assert (body["kind"], list(body["items"][0])) == (
        "PartialObjectMetadataList",
        ["kind", "apiVersion", "metadata"],
    )
    image = await client.get(PODS, headers={"Accept": "image/png"})
    assert (image.status_code, image.json()["reason"]) == (406, "NotAcceptable")
    wrong = await client.get(PODS, params={"includeObject": "All"}, headers={"Accept": TABLE})
    assert wrong.status_code == 400


async def test_both_event_apis_show_the_same_events(lab: KubeLab) -> None:
    event = {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": "e", "namespace": "shop"},
        "involvedObject": {"kind": "Pod", "name": "a", "namespace": "shop"},
        "message": "it failed",
        "reason": "Failed",
        "type": "Warning",
    }
    client = lab.client()
    made = await client.post("/api/v1/namespaces/shop/events", json=event)
    assert made.status_code == 201
    core = await client.get("/api/v1/events", params={"fieldSelector": "involvedObject.name=a,type=Warning"})
    assert core.json()["items"][0]["message"] == "it failed"
    new = await client.get("/apis/events.k8s.io/v1/events", params={"fieldSelector": "regarding.name=a"})
    assert (new.json()["items"][0]["note"], "message" in new.json()["items"][0]) == ("it failed", False)
    path, merge = "/apis/events.k8s.io/v1/namespaces/shop/events", "application/merge-patch+json"
    patched = await client.patch(f"{path}/e", json={"note": "again"}, headers={"Content-Type": merge})
    assert patched.json()["note"] == "again"
    assert lab.store.list("Event")[0]["message"] == "again"
    later = {
        "metadata": {"name": "f"},
        "regarding": {"kind": "Pod", "name": "a", "namespace": "shop"},
        "note": "new",
    }
    assert (await client.post(path, json=later)).status_code == 201
    assert lab.store.list("Event", fields="involvedObject.name=a")[1]["message"] == "new"


class Watched:
    """The events of one watch, read line by line."""

    def __init__(self, lines: Any) -> None:
        self._lines = lines

    async def next(self) -> tuple[str, Obj]:
        with anyio.fail_after(5):
            event = orjson.loads(await anext(self._lines))
        return event["type"], event["object"]


async def test_a_watch_starts_where_it_is_told_and_follows(lab: KubeLab) -> None:
    lab.store.create(config_map("before"))
    version = str(lab.store.shelf.version)
    lab.store.create(config_map("missed"))
    query = {"watch": "1", "resourceVersion": version, "timeoutSeconds": "20"}
    async with lab.client().stream("GET", "/api/v1/namespaces/shop/configmaps", params=query) as answer:
        watched = Watched(answer.aiter_lines())
        kind, obj = await watched.next()
        assert (kind, obj["metadata"]["name"], obj["kind"]) == ("ADDED", "missed", "ConfigMap")
        lab.store.patch("ConfigMap", "shop", "missed", {"data": {"a": "b"}}, "merge")
        assert (await watched.next())[0] == "MODIFIED"
        lab.store.create(pod("other-kind"))
        lab.store.delete("ConfigMap", "shop", "missed")
        kind, obj = await watched.next()
        assert (kind, int(obj["metadata"]["resourceVersion"])) == ("DELETED", lab.store.shelf.version)


async def test_a_watch_without_a_version_begins_with_what_is_there(lab: KubeLab) -> None:
    lab.store.create(pod("a", app="web"))
    lab.store.create(pod("b", app="api"))
    query = {"watch": "true", "labelSelector": "app=web"}
    async with lab.client().stream("GET", PODS, params=query) as answer:
        watched = Watched(answer.aiter_lines())
        assert [(await watched.next())[1]["metadata"]["name"]] == ["a"]
        lab.store.patch("Pod", "shop", "b", {"metadata": {"labels": {"app": "web"}}}, "merge")
        assert (await watched.next())[0] == "ADDED"
        lab.store.patch("Pod", "shop", "a", {"metadata": {"labels": {"app": "x"}}}, "merge")
        assert (await watched.next())[0] == "DELETED"


async def test_a_watch_from_a_forgotten_version_ends_with_410(lab: KubeLab) -> None:
    version = str(lab.store.shelf.version)
    lab.store.create(pod("a"))
    lab.store.compact()
    answer = await lab.client().get(PODS, params={"watch": "1", "resourceVersion": version})
    event = answer.json()
    assert (answer.status_code, event["type"]) == (200, "ERROR")
    assert (event["object"]["code"], event["object"]["reason"]) == (410, "Expired")


async def test_a_watch_ends_in_time_with_a_bookmark(lab: KubeLab) -> None:
    version = str(lab.store.shelf.version)
    query = {"watch": "1", "resourceVersion": version, "timeoutSeconds": "1", "allowWatchBookmarks": "true"}
    answer = await lab.client().get(PODS, params=query)
    event = answer.json()
    assert (event["type"], event["object"]["metadata"]["resourceVersion"]) == ("BOOKMARK", version)


async def test_a_watched_table_names_its_columns_once(lab: KubeLab) -> None:
    lab.store.create(deployment("a"))
    lab.store.create(deployment("b"))
    path = "/apis/apps/v1/namespaces/shop/deployments"
    async with lab.client().stream("GET", path, params={"watch": "1"}, headers={"Accept": TABLE}) as answer:
        watched = Watched(answer.aiter_lines())
        assert (await watched.next())[1]["columnDefinitions"]
        second = (await watched.next())[1]
        assert (second["columnDefinitions"], second["rows"][0]["cells"][:2]) == (None, ["b", "0/2"])
