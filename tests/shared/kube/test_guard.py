"""The guard on the wire, asked directly: it holds for methods that are not written yet."""

import httpx
import orjson
import pytest

from aiops_shared.errors import ActionRefusedError
from aiops_shared.kube.access import Access, FixedSource
from aiops_shared.kube.connection import Ask, Connection
from aiops_shared.kube.guard import PATH, PERMIT, refuse_unpermitted
from tests.shared.http.wire_server import Reply, WireServer

pytestmark = pytest.mark.threat("T2")
BASE = "https://kube.example"
POD = "/api/v1/namespaces/shop/pods/web"


def request(method: str, path: str, body: object = None, *, permit: object = None) -> httpx.Request:
    content = orjson.dumps(body) if body is not None else None
    return httpx.Request(method, BASE + path, content=content, extensions={PERMIT: permit})


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/api/v1/namespaces/shop/pods", {}),
        ("PUT", POD, {}),
        ("PATCH", POD, {}),
        ("DELETE", POD, None),
        ("POST", f"{POD}?dryRun=", {}),
        ("POST", f"{POD}?dryRun=None", {}),
        ("POST", f"{POD}?dryRun=All&dryRun=None", {}),
        ("POST", f"{POD}/eviction?dryRun=All", {}),
        ("POST", f"{POD}/eviction", {"deleteOptions": {"dryRun": []}}),
        ("POST", f"{POD}/eviction", {"deleteOptions": {"dryRun": "All"}}),
        ("POST", f"{POD}/eviction", None),
        ("DELETE", f"{POD}?dryRun=All", {"preconditions": {"uid": "u"}}),
        ("DELETE", f"{POD}?dryRun=All", {"dryRun": ["All", "None"]}),
        ("GET", f"{POD}/exec?command=sh", None),
        ("GET", "/api/v1/nodes/n1/proxy/run", None),
        ("GET", "/api/v1/namespaces/shop/services/web/proxy", None),
        ("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews/x", {}),
        ("POST", "/apis/authorization.k8s.io/v1/namespaces/shop/localsubjectaccessreviews", {}),
        ("CONNECT", POD, None),
    ],
)
async def test_a_change_without_a_permit_is_refused(method: str, path: str, body: object) -> None:
    with pytest.raises(ActionRefusedError):
        await refuse_unpermitted(request(method, path, body))


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", POD, None),
        ("GET", "/api/v1/namespaces/proxy/pods", None),
        ("POST", "/api/v1/namespaces/shop/pods?dryRun=All", {}),
        ("DELETE", f"{POD}?dryRun=All", None),
        ("DELETE", POD, {"dryRun": ["All"], "preconditions": {"uid": "u"}}),
        ("POST", f"{POD}/eviction", {"deleteOptions": {"dryRun": ["All"]}}),
        ("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", {}),
        ("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", {}),
    ],
)
async def test_a_read_a_review_and_a_dry_run_pass(method: str, path: str, body: object) -> None:
    await refuse_unpermitted(request(method, path, body))


@pytest.mark.threat("T1")
@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/namespaces/shop/pods",
        "/api/v1/namespaces/shop/pods?dryRun=All",
        "/api/v1/nodes",
        "/api/v1/namespaces",
        "/apis/apps/v1/deployments",
        "/apis/apps/v1/namespaces/shop/deployments",
        "/apis/apps/v1/namespaces/shop/deployments/",
        "/api/v1/namespaces/shop/pods//",
        "/api/v1/namespaces/shop/pods/%2e%2e",
        "/",
    ],
)
async def test_a_delete_of_a_collection_is_never_sent_even_with_a_permit(path: str) -> None:
    with pytest.raises(ActionRefusedError):
        await refuse_unpermitted(request("DELETE", path, permit=object()))


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
async def test_every_connection_carries_the_guard_whatever_asks_through_it(method: str) -> None:
    async with WireServer(lambda _: Reply()) as server:
        connection = Connection(FixedSource(Access(server.url, plain_http=True)))
        with pytest.raises(ActionRefusedError):
            await connection.json(Ask("a later method", POD, method=method, body={}))
        await connection.aclose()
    assert server.seen == []


async def test_a_path_that_http_would_shorten_to_another_object_is_refused() -> None:
    path = "/api/v1/namespaces/shop/pods/.."
    sent = httpx.Request("DELETE", BASE + path, extensions={PERMIT: object(), PATH: path})
    assert sent.url.path == "/api/v1/namespaces/shop"
    with pytest.raises(ActionRefusedError):
        await refuse_unpermitted(sent)


@pytest.mark.parametrize(
    "path",
    [
        POD,
        "/api/v1/nodes/n1",
        "/api/v1/namespaces/shop",
        "/apis/apps/v1/namespaces/shop/deployments/web",
        "/apis/x/v1/ws/w",
    ],
)
async def test_a_delete_of_one_object_passes_with_a_permit(path: str) -> None:
    await refuse_unpermitted(request("DELETE", path, permit=object()))
