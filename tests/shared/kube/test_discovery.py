"""Which kind a word means, in both forms of discovery, and when the answer changes."""

from typing import Any

import pytest

from aiops_shared.errors import KindUnknownError
from aiops_shared.kube.access import Access, FixedSource
from aiops_shared.kube.connection import Connection
from aiops_shared.kube.discovery import Discovery
from tests.shared.http.wire_server import Reply, Seen, as_json, status
from tests.shared.kube.fake_api import DISCOVERY, fake_api


def _resource(
    plural: str, kind: str, *, short: tuple[str, ...] = (), scope: str = "Namespaced"
) -> dict[str, Any]:
    return {
        "resource": plural,
        "responseKind": {"kind": kind},
        "scope": scope,
        "singularResource": kind.lower(),
        "shortNames": list(short),
        "verbs": ["get", "list"],
        "subresources": [{"subresource": "status"}],
    }


def _aggregated(*items: tuple[str, list[tuple[str, list[dict[str, Any]]]]]) -> Reply:
    rows = [
        {"metadata": {"name": group}, "versions": [{"version": v, "resources": r} for v, r in versions]}
        for group, versions in items
    ]
    return as_json({"kind": "APIGroupDiscoveryList", "items": rows})


def aggregated(seen: Seen) -> Reply | None:
    if seen.path == "/api":
        return _aggregated(("", [("v1", [_resource("pods", "Pod", short=("po",))])]))
    if seen.path == "/apis":
        autoscaling = [
            (v, [_resource("horizontalpodautoscalers", "HorizontalPodAutoscaler", short=("hpa",))])
            for v in ("v2", "v1")
        ]
        return _aggregated(
            ("metrics.k8s.io", [("v1beta1", [_resource("pods", "PodMetrics")])]),
            ("autoscaling", autoscaling),
            ("example.com", [("v1alpha1", [_resource("widgets", "Widget", scope="Cluster")])]),
        )
    return None


async def test_aggregated_discovery_costs_two_requests() -> None:
    async with fake_api(aggregated) as (api, server):
        assert (await api.kind("po")).subresources == ("status",)
        assert not (await api.kind("widget")).namespaced
        await api.kind("hpa")
    assert len(server.seen) == 2


async def test_the_core_group_wins_and_the_preferred_version_comes_first() -> None:
    async with fake_api(aggregated) as (api, _):
        assert (await api.kind("pods")).kind == "Pod"
        assert (await api.kind("pods.metrics.k8s.io")).kind == "PodMetrics"
        assert (await api.kind("hpa")).version == "v2"
        assert (await api.kind("autoscaling/v1/HorizontalPodAutoscaler")).version == "v1"
        assert (await api.kind("horizontalpodautoscalers.v1.autoscaling")).version == "v1"


async def test_a_group_that_does_not_answer_costs_only_its_own_kinds_and_is_named() -> None:
    def answer(seen: Seen) -> Reply | None:
        return status(404, "NotFound") if seen.path == "/apis/metrics.k8s.io/v1beta1" else None

    async with fake_api(answer) as (api, _):
        assert (await api.kind("deploy")).kind == "Deployment"
        with pytest.raises(KindUnknownError, match=r"metrics\.k8s\.io/v1beta1"):
            await api.kind("podmetrics")


async def test_a_kind_installed_later_is_found_since_a_miss_asks_again() -> None:
    installed: list[dict[str, Any]] = []

    def answer(seen: Seen) -> Reply | None:
        if seen.path != "/apis/apps/v1":
            return None
        rows = DISCOVERY["/apis/apps/v1"]["resources"]
        return as_json({"kind": "APIResourceList", "resources": [*rows, *installed]})

    now = [0.0]
    async with fake_api(answer) as (_, server):
        connection = Connection(FixedSource(Access(server.url, plain_http=True)))
        discovery = Discovery(connection, monotonic=lambda: now[0])
        with pytest.raises(KindUnknownError):
            await discovery.find("widget")
        installed.append({"name": "widgets", "singularName": "widget", "kind": "Widget", "namespaced": True})
        asked = len(server.seen)
        with pytest.raises(KindUnknownError):
            await discovery.find("widget")
        assert len(server.seen) == asked  # but not at every miss
        now[0] = 11
        assert (await discovery.find("widget")).plural == "widgets"
        await connection.aclose()
