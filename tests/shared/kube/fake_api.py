"""A small Kubernetes API over `WireServer`: discovery as it should be, everything else as the test says."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiops_shared.kube.access import Access, CredentialSource, FixedSource
from aiops_shared.kube.api import KubeApi
from aiops_shared.kube.connection import Connection
from aiops_shared.kube.pacing import Pace
from tests.shared.http.wire_server import Reply, Seen, WireServer, as_json, status

VERBS = ["create", "delete", "get", "list", "patch", "update", "watch"]


def _row(name: str, kind: str, *, namespaced: bool = True, short: tuple[str, ...] = ()) -> dict[str, Any]:
    return {
        "name": name,
        "singularName": kind.lower(),
        "namespaced": namespaced,
        "kind": kind,
        "verbs": VERBS,
        "shortNames": list(short),
    }


def _group(name: str, version: str) -> dict[str, Any]:
    one = {"groupVersion": f"{name}/{version}", "version": version}
    return {"name": name, "versions": [one], "preferredVersion": one}


DISCOVERY: dict[str, Any] = {
    "/api": {"kind": "APIVersions", "versions": ["v1"]},
    "/apis": {
        "kind": "APIGroupList",
        "groups": [
            _group("metrics.k8s.io", "v1beta1"),
            _group("apps", "v1"),
            _group("rbac.authorization.k8s.io", "v1"),
        ],
    },
    "/api/v1": {
        "kind": "APIResourceList",
        "resources": [
            _row("pods", "Pod", short=("po",)),
            {"name": "pods/log", "namespaced": True, "kind": "Pod", "verbs": ["get"]},
            _row("namespaces", "Namespace", namespaced=False, short=("ns",)),
            _row("nodes", "Node", namespaced=False, short=("no",)),
            _row("configmaps", "ConfigMap", short=("cm",)),
        ],
    },
    "/apis/apps/v1": {
        "kind": "APIResourceList",
        "resources": [_row("deployments", "Deployment", short=("deploy",))],
    },
    "/apis/rbac.authorization.k8s.io/v1": {
        "kind": "APIResourceList",
        "resources": [_row("clusterroles", "ClusterRole", namespaced=False)],
    },
    "/apis/metrics.k8s.io/v1beta1": {"kind": "APIResourceList", "resources": [_row("pods", "PodMetrics")]},
}


def pod(name: str, namespace: str = "shop", version: str = "1") -> dict[str, Any]:
    """A pod as the API lists it."""
    about = {"name": name, "namespace": namespace, "uid": f"uid-{name}", "resourceVersion": version}
    return {"metadata": about, "spec": {"containers": [{"name": "app"}]}, "status": {"phase": "Running"}}


def pod_list(*pods: dict[str, Any], cursor: str = "", version: str = "10") -> dict[str, Any]:
    """A PodList, one page."""
    about = {"resourceVersion": version} | ({"continue": cursor} if cursor else {})
    return {"kind": "PodList", "apiVersion": "v1", "metadata": about, "items": list(pods)}


@asynccontextmanager
async def fake_api(
    answer: Callable[[Seen], Reply | None],
    *,
    timeout_s: float = 20.0,
    max_answer_bytes: int = 1_000_000,
    pace: Pace | None = None,
    source: Callable[[str], CredentialSource] | None = None,
) -> AsyncIterator[tuple[KubeApi, WireServer]]:
    """A `KubeApi` on a server that answers as `answer` says; None means discovery's or a 404.

    `source` makes the credentials from the server's address.
    """

    def reply(seen: Seen) -> Reply:
        said = answer(seen)
        if said is not None:
            return said
        if seen.path in DISCOVERY:
            return as_json(DISCOVERY[seen.path])
        return status(404, "NotFound", f"{seen.path} not found")

    async with WireServer(reply) as server:
        access = FixedSource(Access(server.url, token="fake-token-worth-nothing", plain_http=True))
        connection = Connection(
            source(server.url) if source else access,
            timeout_s=timeout_s,
            max_answer_bytes=max_answer_bytes,
            pace=pace,
        )
        api = KubeApi("fake", connection)
        try:
            yield api, server
        finally:
            await api.aclose()
