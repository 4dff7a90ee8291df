"""Discovery on a real kube-apiserver: aggregated, with an API that is down, and kinds that appear later."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import pytest

from aiops_shared.errors import AiopsError, KindUnknownError, UpstreamError
from aiops_shared.kube.api import KubeApi
from tests.cluster.control_plane import ControlPlane
from tests.cluster.product.objects import pod
from tests.cluster.product.stage import api_of

pytestmark = [pytest.mark.timeout(180)]
SERVICES = "/apis/apiregistration.k8s.io/v1/apiservices"
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


@asynccontextmanager
async def an_api_that_is_down(plane: ControlPlane) -> AsyncIterator[None]:
    """The metrics API, registered with a Service that nobody serves."""
    spec = {
        "group": "metrics.k8s.io",
        "version": "v1beta1",
        "groupPriorityMinimum": 100,
        "versionPriority": 100,
        "insecureSkipTLSVerify": True,
        "service": {"name": "metrics-server", "namespace": "kube-system"},
    }
    name = "v1beta1.metrics.k8s.io"
    body = {"apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService", "metadata": {"name": name}}
    async with plane.client() as admin:
        assert (await admin.post(SERVICES, json={**body, "spec": spec})).status_code == 201
        try:
            yield
        finally:
            await admin.delete(f"{SERVICES}/{name}")


async def until_named(plane: ControlPlane) -> KubeApi:
    """A new client, once the server lists the API that is down (it looks every few seconds)."""
    for _second in range(40):
        async with api_of(plane) as api:
            if await api.silent():
                return api
        await anyio.sleep(0.5)
    raise AssertionError("the server does not list the API that is down")


@pytest.mark.fault("R21")
async def test_an_aggregated_api_that_is_down_is_named_and_the_rest_answers(alone: ControlPlane) -> None:
    async with alone.client() as admin, an_api_that_is_down(alone):
        await admin.post("/api/v1/namespaces/default/pods", json=pod("beside"))
        api = await until_named(alone)
        assert await api.silent() == ("metrics.k8s.io/v1beta1",)
        found = [one["metadata"]["name"] async for one in api.every("pods", "default")]
        assert "beside" in found
        assert (await api.kind("deployments")).group == "apps"
        with pytest.raises(UpstreamError, match=r"the API group metrics\.k8s\.io does not answer") as refused:
            await api.list("pods.metrics.k8s.io", "default")
        assert refused.value.code == "upstream_error"
        with pytest.raises(KindUnknownError, match=r"did not answer: metrics\.k8s\.io/v1beta1"):
            await api.kind("podmetrics")
        await api.aclose()


def definition(plural: str, kind: str) -> dict[str, object]:
    schema = {
        "type": "object",
        "properties": {"spec": {"type": "object", "properties": {"size": {"type": "integer", "maximum": 9}}}},
    }
    columns = [{"name": "Size", "type": "integer", "jsonPath": ".spec.size"}]
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.tests.example"},
        "spec": {
            "group": "tests.example",
            "scope": "Namespaced",
            "names": {"plural": plural, "kind": kind, "singular": kind.lower(), "shortNames": ["wdg"]},
            "versions": [{**version, "additionalPrinterColumns": columns}],
        },
    }


async def found_later(api: KubeApi, word: str) -> str:
    """The kind of a word, once the server serves it."""
    for _second in range(60):
        try:
            return (await api.kind(word)).kind
        except KindUnknownError:
            await anyio.sleep(0.5)
    raise AssertionError(f"{word} is not served")


async def test_a_kind_that_is_defined_later_is_found_listed_and_validated(
    alone: ControlPlane, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aiops_shared.kube.discovery.MISS_TTL_S", 0.0)
    async with alone.client() as admin, api_of(alone) as api:
        with pytest.raises(KindUnknownError):
            await api.kind("widgets")
        assert (await admin.post(DEFINITIONS, json=definition("widgets", "Widget"))).status_code == 201
        assert await found_later(api, "wdg") == "Widget"
        about = {"apiVersion": "tests.example/v1", "kind": "Widget"}
        place = {"name": "w", "namespace": "default"}
        made = await api.apply(
            {**about, "metadata": place, "spec": {"size": 3}}, dry_run=False, permit=object()
        )
        assert made["spec"] == {"size": 3}
        table = await api.table("widgets", "default")
        assert table.columns[:2] == ("Name", "Size")
        assert table.rows[0][:2] == ("w", 3)
        for wrong in ({"size": 10}, {"sise": 3}, {"size": "three"}):
            with pytest.raises(AiopsError, match=r"size|sise") as refused:
                await api.apply({**about, "metadata": place, "spec": wrong}, dry_run=True)
            assert refused.value.code == "invalid_input", (wrong, str(refused.value))
